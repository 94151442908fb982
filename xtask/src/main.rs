//! `cargo xtask`: the checks of the house, one command that a person and a machine both run.
//!
//! Knows nothing of the crates it checks: it reads their files, asks Cargo about them, and starts
//! the tools. So it is built in seconds, before anything heavy.

mod ci;
mod code;
mod commands;
mod dependencies;
mod finding;
mod ratchet;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use lexopt::{Arg, ValueExt as _};

use crate::{ci::Step, finding::Finding, workspace::Metadata};

/// The commands, and what each is for.
pub(crate) const MENU: [(&str, &str); 4] = [
    ("ci", "every check, timed; stops at the first that fails"),
    ("tidy", "the rules of the house that need no compiler"),
    ("dependencies", "licences, duplicate versions, advisories"),
    ("test-command", "prints the command that runs the tests, as README.md marks it"),
];

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let mut arguments = lexopt::Parser::from_env();
    let command = match arguments.next()? {
        None | Some(Arg::Short('h') | Arg::Long("help")) => return help(),
        Some(Arg::Value(command)) => command.string()?,
        Some(argument) => bail!("{}; try `cargo xtask --help`", argument.unexpected()),
    };
    if command == "ci" {
        return ci::run(&steps(arguments)?);
    }
    if let Some(argument) = arguments.next()? {
        bail!("{}; `{command}` takes no options", argument.unexpected());
    }
    match command.as_str() {
        "tidy" => tidy(),
        "dependencies" => dependencies(),
        "test-command" => test_command(),
        _ => bail!("there is no command `{command}`; try `cargo xtask --help`"),
    }
}

fn help() -> Result<ExitCode> {
    println!("cargo xtask <command>\n");
    for (name, purpose) in MENU {
        println!("  {name:13} {purpose}");
    }
    let steps: Vec<_> = Step::ALL.iter().map(|step| step.name()).collect();
    println!("\ncargo xtask ci [--only <step>,…] [--skip <step>,…]\n  steps: {}", steps.join(", "));
    Ok(ExitCode::SUCCESS)
}

/// The steps that the options choose, in their fixed order.
fn steps(mut arguments: lexopt::Parser) -> Result<Vec<Step>> {
    let mut steps = Step::ALL.to_vec();
    while let Some(argument) = arguments.next()? {
        let keep = match argument {
            Arg::Long("only") => true,
            Arg::Long("skip") => false,
            argument => bail!("{}; try `cargo xtask --help`", argument.unexpected()),
        };
        let names = arguments.value()?.string()?;
        let named = names.split(',').map(Step::named).collect::<Result<Vec<_>>>()?;
        steps.retain(|step| named.contains(step) == keep);
    }
    if steps.is_empty() {
        bail!("the options leave no step to run");
    }
    Ok(steps)
}

fn tidy() -> Result<ExitCode> {
    let tidy::Report { findings, warnings } = tidy::check()?;
    Ok(report(&findings, &warnings))
}

fn dependencies() -> Result<ExitCode> {
    let dependencies::Report { findings, notes } = dependencies::check()?;
    Ok(report(&findings, &notes))
}

fn test_command() -> Result<ExitCode> {
    println!("{}", read_test_command()?);
    Ok(ExitCode::SUCCESS)
}

/// The command of the README that runs the tests.
fn read_test_command() -> Result<String> {
    let metadata = Metadata::of_members()?;
    let path = metadata.workspace_root.join("README.md");
    let readme = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(tidy::test_command(&readme)?.to_owned())
}

/// Prints what was found, and fails if that is anything.
fn report(findings: &[Finding], notes: &[String]) -> ExitCode {
    for note in notes {
        println!("note: {note}");
    }
    for finding in findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("nothing found");
            ExitCode::SUCCESS
        }
        count => {
            println!("{count} found");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(arguments: &[&str], wanted: Option<&[&str]>) {
        let steps = steps(lexopt::Parser::from_args(arguments)).ok();
        let names = steps.map(|steps| steps.into_iter().map(Step::name).collect::<Vec<_>>());
        assert_eq!(names.as_deref(), wanted, "{arguments:?}");
    }

    #[test]
    fn without_options_every_step_runs() {
        let all = ["fmt", "tidy", "dependencies", "tests", "clippy", "no-std", "docs"];
        check(&[], Some(&all));
    }

    #[test]
    fn options_choose_and_the_order_stays() {
        check(&["--only", "docs,fmt"], Some(&["fmt", "docs"]));
        check(&["--only=clippy"], Some(&["clippy"]));
        check(
            &["--skip", "tests,clippy", "--skip", "docs,no-std,tidy"],
            Some(&["fmt", "dependencies"]),
        );
    }

    #[test]
    fn unknown_steps_and_nothing_to_do_are_errors() {
        check(&["--only", "polish"], None);
        check(&["--only", ""], None);
        check(&["--only"], None);
        check(&["--fast"], None);
        check(&["tests"], None);
        check(&["--only", "fmt", "--skip", "fmt"], None);
    }
}
