//! No marks for work left over: what is missing is in an issue, or is done.

use crate::{
    code::has_words,
    finding::{Finding, Rule},
    workspace::Workspace,
};

/// The marks, spelled so that this file does not find itself.
const MARKS: [&str; 4] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("to", "do!"),
    concat!("un", "implemented!"),
];

/// Finds every mark in every text file, comments and literals included.
pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &workspace.files {
        for (at, line) in file.text.lines().enumerate() {
            let marks = MARKS.into_iter().filter(|mark| has_words(line, mark));
            findings.extend(marks.map(|mark| {
                let what = format!("`{mark}`");
                let wanted = "the work done, or an issue in place of the mark";
                Finding::in_file(Rule::Unfinished, &file.path, at + 1, what, wanted)
            }));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::samples;

    #[track_caller]
    fn check_count(path: &str, text: &str, wanted: usize) {
        assert_eq!(check(&samples::of_files(&[(path, text)])).len(), wanted, "{text}");
    }

    #[test]
    fn finds_each_mark_anywhere() {
        for mark in MARKS {
            check_count("a.rs", &format!("// {mark}: more"), 1);
            check_count("a.rs", &format!("fn a() {{ {mark}() }}"), 1);
            check_count("docs/a.md", &format!("- {mark}\n- ({mark})"), 2);
        }
    }

    #[test]
    fn words_around_a_mark_are_no_marks() {
        check_count("a.rs", "let todo = methods; // todos", 0);
        check_count("a.rs", &format!("let {}LIST = 1;", MARKS[0]), 0);
    }
}
