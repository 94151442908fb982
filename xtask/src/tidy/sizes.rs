//! Files and functions that a reader can still take in.

use crate::{
    finding::{Finding, Rule},
    workspace::{File, Workspace},
};

/// A file above this is looked at again.
const FILE_LINES_WARN: usize = 400;
/// A file above this is split.
const FILE_LINES_MAX: usize = 700;
/// A function above this is split.
const FUNCTION_LINES_MAX: usize = 70;

/// Finds the files and functions that are too long.
pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, code) in workspace.rust_files() {
        let lines = length(file);
        if lines > FILE_LINES_MAX {
            let what = format!("the file has {lines} lines");
            let wanted = format!("at most {FILE_LINES_MAX}");
            let finding = Finding::in_file(Rule::FileLength, &file.path, 1, what, wanted);
            findings.push(finding.measured(lines));
        }
        for function in code.functions() {
            let (first, lines) = (*function.lines.start(), function.lines.count());
            if lines > FUNCTION_LINES_MAX {
                let what = format!("`{}` has {lines} lines", function.name);
                let wanted = format!("at most {FUNCTION_LINES_MAX}");
                let finding =
                    Finding::in_file(Rule::FunctionLength, &file.path, first, what, wanted);
                let of = format!("{}::{}", file.path, function.name);
                findings.push(finding.about(of).measured(lines));
            }
        }
    }
    findings
}

/// Names the files that are not too long yet but on their way.
pub(super) fn warnings(workspace: &Workspace) -> Vec<String> {
    let long = FILE_LINES_WARN + 1..=FILE_LINES_MAX;
    let files = workspace.rust_files().map(|(file, _)| (file, length(file)));
    let warn = |(file, lines): (&File, usize)| {
        format!("{}: {lines} lines; above {FILE_LINES_WARN}, a file is looked at again", file.path)
    };
    files.filter(|(_, lines)| long.contains(lines)).map(warn).collect()
}

fn length(file: &File) -> usize {
    file.text.lines().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::samples;

    #[track_caller]
    fn check_file(lines: usize, found: Option<usize>, warnings_wanted: usize) {
        let workspace = samples::of_files(&[("a.rs", &"//\n".repeat(lines))]);
        assert_eq!(check(&workspace).first().and_then(|f| f.number), found);
        assert_eq!(warnings(&workspace).len(), warnings_wanted);
    }

    #[test]
    fn files_are_warned_of_before_they_are_refused() {
        check_file(0, None, 0);
        check_file(400, None, 0);
        check_file(401, None, 1);
        check_file(700, None, 1);
        check_file(701, Some(701), 0);
    }

    #[track_caller]
    fn check_function(inner_lines: usize, wanted: &[&str]) {
        let text = format!("\nfn a() {{\n{}}}\nfn b() {{}}\n", "    b();\n".repeat(inner_lines));
        let found = check(&samples::of_files(&[("c.rs", &text)]));
        assert_eq!(found.iter().map(|f| f.of.as_str()).collect::<Vec<_>>(), wanted);
        assert!(found.iter().all(|f| f.line == 2 && f.number == Some(inner_lines + 2)));
    }

    #[test]
    fn functions_count_from_signature_to_closing_brace() {
        check_function(68, &[]);
        check_function(69, &["c.rs::a"]);
    }
}
