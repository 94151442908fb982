//! Every Rust file opens with a sentence that says what it is.

use crate::{
    finding::{Finding, Rule},
    workspace::Workspace,
};

/// Fewer words do not say what a file is.
const WORDS_MIN: usize = 3;

/// Finds the files whose first paragraph is no sentence of documentation.
pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let complain = |(path, what): (&str, &str)| {
        let wanted = "first of all `//! One sentence that says what the file is.`";
        Finding::in_file(Rule::Header, path, 1, what, wanted)
    };
    let files = workspace.rust_files();
    files
        .filter_map(|(file, _)| Some((file.path.as_str(), fault(&file.text)?)))
        .map(complain)
        .collect()
}

/// What is wrong with the opening of a file.
fn fault(text: &str) -> Option<&'static str> {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let paragraph: Vec<&str> = lines.map(str::trim).take_while(|line| !line.is_empty()).collect();
    let sentence = paragraph.join(" ");
    if sentence.is_empty() {
        Some("the first line is no `//!` comment with text")
    } else if sentence.starts_with(char::is_lowercase) {
        Some("the first sentence starts with a small letter")
    } else if sentence.split_whitespace().count() < WORDS_MIN {
        Some("the first sentence has fewer than three words")
    } else if !sentence.trim_end_matches([')', '`', '"', '*']).ends_with(['.', '?', '!']) {
        Some("the first sentence does not end")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::samples;

    #[track_caller]
    fn check_opening(text: &str, wanted: Option<&str>) {
        let found = check(&samples::of_files(&[("crates/a/tests/b.rs", text)]));
        assert_eq!(found.first().map(|f| f.what.as_str()), wanted, "{text}");
    }

    #[test]
    fn sentences_pass_even_over_two_lines() {
        check_opening("//! What a thing is.\n\nuse a;", None);
        check_opening("//! Is it good?\n//!\n//! more", None);
        check_opening("//! A line that goes on\n//! and on (`to here.`)\n", None);
        check_opening("//! `a` becomes `b`, Cargo's way.", None);
    }

    #[test]
    fn everything_else_does_not() {
        let missing = Some("the first line is no `//!` comment with text");
        check_opening("", missing);
        check_opening("\n//! What a thing is.", missing);
        check_opening("// What a thing is.", missing);
        check_opening("use a;\n//! What a thing is.", missing);
        check_opening("//!\n//! What a thing is.", missing);
        check_opening(
            "//! what a thing is.",
            Some("the first sentence starts with a small letter"),
        );
        check_opening("//! A thing.", Some("the first sentence has fewer than three words"));
        check_opening("//! What a thing is", Some("the first sentence does not end"));
    }

    #[test]
    fn only_rust_files_are_looked_at() {
        assert_eq!(check(&samples::of_files(&[("a.toml", ""), ("b.md", "text")])), []);
    }
}
