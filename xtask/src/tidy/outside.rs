//! Below the binaries nothing prints, exits, or reads the environment or the clock.

use super::roles::{Role, Roles};
use crate::{
    finding::{Finding, Rule},
    workspace::Workspace,
};

/// Code that reaches outside, and what is done instead.
const REACHES: [(&str, &str); 17] = [
    ("println!", RETURN),
    ("print!", RETURN),
    ("eprintln!", RETURN),
    ("eprint!", RETURN),
    ("dbg!", RETURN),
    ("io::stdout", WRITER),
    ("io::stderr", WRITER),
    ("process::exit", "an error for the binary to report"),
    ("env::var", ARGUMENT),
    ("env::var_os", ARGUMENT),
    ("env::vars", ARGUMENT),
    ("env::vars_os", ARGUMENT),
    ("env::args", ARGUMENT),
    ("SystemTime::now", CLOCK),
    ("Instant::now", CLOCK),
    ("Timestamp::now", CLOCK),
    ("Zoned::now", CLOCK),
];

const RETURN: &str = "a value that the binary prints";
const WRITER: &str = "a writer as an argument";
const ARGUMENT: &str = "the value as an argument";
const CLOCK: &str = "the time as an argument";

/// Finds every line of library code that reaches outside.
pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let roles = Roles::of(workspace);
    let mut findings = Vec::new();
    for (file, code) in workspace.rust_files() {
        if roles.role(file) != Role::Library {
            continue;
        }
        let in_tests = roles.in_tests(file);
        for (phrase, wanted) in REACHES {
            let lines = code.lines_with(phrase).filter(|line| !in_tests(*line));
            findings.extend(lines.map(|line| {
                let what = format!("`{phrase}` below the binaries");
                Finding::in_file(Rule::OutsideWorld, &file.path, line, what, wanted)
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
    fn check_lines(path: &str, text: &str, wanted: &[usize]) {
        let found = check(&samples::of_files(&[(path, text)]));
        assert_eq!(found.iter().map(|f| f.line).collect::<Vec<_>>(), wanted, "{path}: {text}");
    }

    #[test]
    fn libraries_may_not() {
        for (phrase, _) in REACHES {
            check_lines("crates/a/src/b.rs", &format!("fn a() {{\n    {phrase}(\n"), &[2]);
            check_lines("crates/a/src/b.rs", &format!("fn a() {{ std::{phrase}();\n"), &[1]);
        }
    }

    #[test]
    fn binaries_tools_and_tests_may() {
        for path in ["crates/a/src/main.rs", "crates/mote/src/cli/b.rs", "crates/a/tests/b.rs"] {
            check_lines(path, "fn a() { println!() }", &[]);
        }
        check_lines("xtask/src/b.rs", "fn a() { std::env::var() }", &[]);
        check_lines("crates/a/src/b.rs", "#[cfg(test)]\nmod t {\n  println!();\n}", &[]);
    }

    #[test]
    fn names_that_only_look_alike_may() {
        check_lines("crates/a/src/b.rs", "env::variance(); my_println!(); // Instant::now", &[]);
        check_lines("crates/a/src/b.rs", "/// `println!`\nlet a = \"process::exit\";", &[]);
        check_lines("crates/a/src/b.rs", "writeln!(f)?; env::consts::OS;", &[]);
    }
}
