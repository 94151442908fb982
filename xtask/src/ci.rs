//! All checks in one run: cheap ones first, each named and timed, the first failure ends it.
//!
//! The steps are ordered and flagged so that nothing heavy is compiled twice. Tests build the
//! dependencies once, in the release profile. Clippy needs them a second time, but only their
//! interfaces (for Burn an eighth of the work), and `no-std` and `docs` find these already there.

use std::{
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::{
    commands, dependencies, finding::Finding, read_test_command, tidy, workspace::Metadata,
};

/// One named check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The layout of the code.
    Fmt,
    /// The rules of the house.
    Tidy,
    /// Licences, duplicate versions, advisories.
    Dependencies,
    /// The test command of the README.
    Tests,
    /// The lints, on every target.
    Clippy,
    /// The crates for bare devices, without `std`.
    NoStd,
    /// The documentation, with its links.
    Docs,
}

/// How a step ended.
enum Outcome {
    Passed { time: Duration, notes: Vec<String> },
    Failed { time: Duration, reason: String },
    NotRun,
}

impl Step {
    /// All steps in the order in which they run.
    pub(crate) const ALL: [Self; 7] = [
        Self::Fmt,
        Self::Tidy,
        Self::Dependencies,
        Self::Tests,
        Self::Clippy,
        Self::NoStd,
        Self::Docs,
    ];

    /// The name that options and the summary use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Tidy => "tidy",
            Self::Dependencies => "dependencies",
            Self::Tests => "tests",
            Self::Clippy => "clippy",
            Self::NoStd => "no-std",
            Self::Docs => "docs",
        }
    }

    /// The step of this name.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub(crate) fn named(name: &str) -> Result<Self> {
        match Self::ALL.into_iter().find(|step| step.name() == name) {
            Some(step) => Ok(step),
            None => bail!("there is no step `{name}`; try `cargo xtask --help`"),
        }
    }

    /// Runs the step; returns what should be known although it passed.
    fn run(self) -> Result<Vec<String>> {
        match self {
            Self::Fmt => cargo(&["fmt", "--all", "--check"]),
            Self::Tidy => {
                let tidy::Report { findings, warnings } = tidy::check()?;
                refuse(&findings)?;
                Ok(warnings)
            }
            Self::Dependencies => {
                let dependencies::Report { findings, notes } = dependencies::check()?;
                refuse(&findings)?;
                Ok(notes)
            }
            Self::Tests => shell(&read_test_command()?),
            Self::Clippy => {
                let flags = ["--release", "--locked", "--workspace", "--all-targets"];
                cargo(&[&["clippy"], &flags[..], &["--", "-D", "warnings"]].concat())
            }
            Self::NoStd => no_std(),
            Self::Docs => docs(),
        }
    }
}

/// Runs the steps until one fails, and sums up.
///
/// # Errors
///
/// None of its own: what fails is a step, and the summary says which.
pub(crate) fn run(steps: &[Step]) -> Result<ExitCode> {
    let start = Instant::now();
    let mut failed = false;
    let mut outcomes = Vec::with_capacity(steps.len());
    for step in steps {
        if failed {
            outcomes.push((*step, Outcome::NotRun));
            continue;
        }
        println!("\n== {}", step.name());
        let start = Instant::now();
        let result = step.run();
        let time = start.elapsed();
        failed = result.is_err();
        let outcome = match result {
            Ok(notes) => Outcome::Passed { time, notes },
            Err(error) => Outcome::Failed { time, reason: format!("{error:#}") },
        };
        outcomes.push((*step, outcome));
    }
    summarize(&outcomes, start.elapsed());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn summarize(outcomes: &[(Step, Outcome)], total: Duration) {
    println!("\n== summary");
    for (step, outcome) in outcomes {
        let name = step.name();
        match outcome {
            Outcome::Passed { time, notes } => {
                println!("{name:13} passed  {:8.1} s", time.as_secs_f64());
                for note in notes {
                    println!("              note: {note}");
                }
            }
            Outcome::Failed { time, reason } => {
                println!("{name:13} FAILED  {:8.1} s  {reason}", time.as_secs_f64());
            }
            Outcome::NotRun => println!("{name:13} not run"),
        }
    }
    println!("{:13}         {:8.1} s", "together", total.as_secs_f64());
}

/// Prints the findings, and fails if there are any.
fn refuse(findings: &[Finding]) -> Result<()> {
    for finding in findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => bail!("{count} found, listed above"),
    }
}

fn cargo(arguments: &[&str]) -> Result<Vec<String>> {
    start(commands::cargo().args(arguments))
}

fn shell(line: &str) -> Result<Vec<String>> {
    start(Command::new("bash").args(["-euo", "pipefail", "-c", line]))
}

/// Runs a command after showing it, so that a person can repeat it.
fn start(command: &mut Command) -> Result<Vec<String>> {
    println!("$ {}", commands::line(command));
    commands::run(command)?;
    Ok(Vec::new())
}

/// Compiles the crates for bare devices without `std`.
///
/// For the machine at hand: that shows that they ask for no `std` feature. A dependency that uses
/// `std` unasked would only be found on a target that has none.
fn no_std() -> Result<Vec<String>> {
    let members = Metadata::of_members()?.members();
    let there = |name: &&&str| members.iter().any(|member| member.name == **name);
    let mut arguments = vec!["check", "--release", "--locked", "--no-default-features"];
    for name in tidy::WITHOUT_STD.iter().filter(there) {
        arguments.extend(["--package", name]);
    }
    if !arguments.contains(&"--package") {
        bail!("none of {:?} is in the workspace", tidy::WITHOUT_STD);
    }
    cargo(&arguments)
}

/// Builds the documentation of the libraries.
///
/// `--examples` lets Cargo take the features that tests and examples ask for into account, as it
/// does for `clippy --all-targets`; without it, dependencies would be compiled once more.
fn docs() -> Result<Vec<String>> {
    let flags = ["--release", "--locked", "--no-deps", "--workspace", "--lib", "--examples"];
    let mut command = commands::cargo();
    start(command.env("RUSTDOCFLAGS", "-D warnings").arg("doc").args(flags))
}
