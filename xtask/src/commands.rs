//! Other programs, run with their failures told in full.

use std::{env, ffi::OsStr, process::Command};

use anyhow::{Context as _, Result, bail};

/// Cargo, as if it had not been started by Cargo.
///
/// `cargo run` describes this package in the environment. Some build scripts ask to be rerun when
/// such a variable changes, so inheriting them would rebuild dependencies.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// The command as a person would type it.
pub(crate) fn line(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args()).map(OsStr::to_string_lossy);
    words.collect::<Vec<_>>().join(" ")
}

/// Runs the command with its output going where ours goes.
///
/// # Errors
///
/// If it cannot be started or does not succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs the command and returns what it prints.
///
/// # Errors
///
/// If it cannot be started or does not succeed; then its last words are in the error.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let line = line(command);
    let output = command.output().with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("`{line}` failed ({}):\n{}", output.status, words.trim_end());
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_told_as_it_would_be_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        assert_eq!(line(command.args(["test", "--release"])), "cargo test --release");
    }

    #[test]
    fn failures_carry_the_command_and_its_last_words() {
        let error = output(Command::new("sh").args(["-c", "echo no such luck >&2; exit 3"]));
        let error = error.unwrap_err().to_string();
        for part in ["sh -c", "exit status: 3", "no such luck"] {
            assert!(error.contains(part), "`{part}` is not in `{error}`");
        }
        assert!(run(Command::new("sh").args(["-c", "exit 1"])).is_err());
        assert!(run(&mut Command::new("there-is-no-such-program")).is_err());
    }

    #[test]
    fn success_returns_what_was_printed() {
        assert_eq!(output(Command::new("sh").args(["-c", "echo so"])).unwrap(), b"so\n");
        assert!(run(Command::new("sh").args(["-c", "exit 0"])).is_ok());
    }

    #[test]
    fn cargo_does_not_hear_of_this_package() {
        // Cargo sets this variable for the tests themselves.
        assert!(env::var_os("CARGO_PKG_NAME").is_some());
        let cargo = cargo();
        assert!(cargo.get_envs().any(|(name, value)| name == "CARGO_PKG_NAME" && value.is_none()));
    }
}
