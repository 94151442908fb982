//! The keyword `unsafe` stands only in the files that the allow-list names.

use crate::{
    finding::{Finding, Rule},
    workspace::Workspace,
};

/// Finds every line with `unsafe` in code, tests included.
pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, code) in workspace.rust_files() {
        findings.extend(code.lines_with("unsafe").map(|line| {
            let wanted = "safe code, or an exception for this file with the reason";
            Finding::in_file(Rule::Unsafe, &file.path, line, "`unsafe` code", wanted)
        }));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::samples;

    #[track_caller]
    fn check_lines(text: &str, wanted: &[usize]) {
        let found = check(&samples::of_files(&[("a.rs", text)]));
        assert_eq!(found.iter().map(|f| f.line).collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn finds_blocks_functions_and_implementations() {
        check_lines("fn a() {\n    unsafe { b() }\n}\nunsafe impl Send for A {}", &[2, 4]);
    }

    #[test]
    fn words_and_lints_are_no_code() {
        check_lines("#![forbid(unsafe_code)]\n// unsafe\nlet a = \"unsafe\";\n/// unsafe", &[]);
    }
}
