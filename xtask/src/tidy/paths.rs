//! No path that exists on one machine only, save in tests.

use super::roles::Roles;
use crate::{
    finding::{Finding, Rule},
    workspace::Workspace,
};

/// The folders, spelled so that this file does not find itself.
const FOLDERS: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/t", "mp/")];

/// Finds every such path in every text file.
pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let roles = Roles::of(workspace);
    let mut findings = Vec::new();
    for file in &workspace.files {
        let in_tests = roles.in_tests(file);
        for (number, line) in file.text.lines().enumerate().map(|(at, line)| (at + 1, line)) {
            let folders = FOLDERS.into_iter().filter(|folder| names(line, folder));
            for folder in folders.filter(|_| !in_tests(number)) {
                let what = format!("a path below `{folder}`");
                let wanted = "a path relative to the workspace, or one that the caller gives";
                let finding =
                    Finding::in_file(Rule::WorkplacePath, &file.path, number, what, wanted);
                findings.push(finding);
            }
        }
    }
    findings
}

/// Whether `line` names something in `folder`, which is absolute: no path stands before it.
fn names(line: &str, folder: &str) -> bool {
    let inside_path = |c: char| c.is_alphanumeric() || "._-~})]*%".contains(c);
    line.match_indices(folder).any(|(at, _)| !line[..at].ends_with(inside_path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::samples;

    #[track_caller]
    fn check_lines(path: &str, text: &str, wanted: &[usize]) {
        let found = check(&samples::of_files(&[(path, text)]));
        assert_eq!(found.iter().map(|f| f.line).collect::<Vec<_>>(), wanted, "{path}: {text}");
    }

    #[test]
    fn finds_absolute_paths_in_code_comments_and_documents() {
        for folder in FOLDERS {
            check_lines("crates/a/src/b.rs", &format!("\n// see {folder}x"), &[2]);
            check_lines("crates/a/src/b.rs", &format!("open(\"{folder}x\")"), &[1]);
            check_lines("docs/a.md", &format!("`{folder}x` file://{folder}x"), &[1]);
        }
    }

    #[test]
    fn tests_may_name_them() {
        for folder in FOLDERS {
            check_lines("crates/a/tests/b.rs", &format!("open(\"{folder}x\")"), &[]);
            let text = format!("#[cfg(test)]\nmod tests {{\n open(\"{folder}x\")\n}}\n");
            check_lines("crates/a/src/b.rs", &text, &[]);
        }
    }

    #[test]
    fn relative_paths_and_addresses_pass() {
        for folder in FOLDERS {
            check_lines(
                "docs/a.md",
                &format!("a{folder}x ..{folder}x $HOME{folder} ${{A}}{folder}"),
                &[],
            );
            check_lines("docs/a.md", &format!("https://example.org{folder}x"), &[]);
        }
    }
}
