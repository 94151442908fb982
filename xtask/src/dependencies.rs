//! What we depend on: may we ship it, do we build it twice, is it known to be weak?
//!
//! Done here and not with cargo-deny: compiling that takes longer than all checks of a small
//! workspace together, and its three questions are short ones about the answer of `cargo metadata`.

mod advisories;
mod duplicates;
mod licences;

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result};

use crate::{
    commands,
    finding::{Finding, Rule},
    ratchet::Ratchet,
    workspace::{File, Metadata, Package},
};

/// What these checks answer for. Exceptions from advisories are looked at only where the database
/// was read.
const RULES: [Rule; 2] = [Rule::Licence, Rule::DuplicateVersion];

/// What the checks say about the dependencies.
#[derive(Debug)]
pub(crate) struct Report {
    /// What must change.
    pub(crate) findings: Vec<Finding>,
    /// What should be known: dependencies without upkeep, and what could not be checked.
    pub(crate) notes: Vec<String>,
}

/// Checks all dependencies.
///
/// # Errors
///
/// If Cargo, the allow-list or a database that is there cannot be read.
pub(crate) fn check() -> Result<Report> {
    let metadata = Metadata::of_everything()?;
    let root = &metadata.workspace_root;
    let lock = fs::read_to_string(root.join("Cargo.lock")).context("cannot read `Cargo.lock`")?;
    let lock = File::new("Cargo.lock", lock);
    let ratchet = Ratchet::read(root)?;

    // What anyone could turn on may be shipped; what is built twice in an ordinary build costs.
    let all = built(&metadata.packages, &["--all-features"])?;
    let ordinary = built(&metadata.packages, &[])?;
    let mut findings = licences::check(&all, &lock);
    findings.extend(duplicates::check(&ordinary, &lock));
    let mut rules = RULES.to_vec();
    let mut notes = vec![format!(
        "{} crates with all features, {} in an ordinary build",
        all.len(),
        ordinary.len()
    )];
    match advisories::find_database(&metadata.target_directory)? {
        Ok(database) => {
            let verdict = advisories::check(&database, &all, &lock)?;
            findings.extend(verdict.findings);
            notes.extend(verdict.notes);
            rules.push(Rule::Advisory);
        }
        Err(reason) => notes.push(format!("advisories were NOT CHECKED: {reason}")),
    }
    Ok(Report { findings: ratchet.apply(&rules, findings), notes })
}

/// The packages that a build of the workspace compiles, tests included.
///
/// `cargo metadata` names more: it unites features over all targets, and so counts optional crates
/// that no build asks for. `cargo tree` resolves as a build does.
fn built(packages: &[Package], flags: &[&str]) -> Result<Vec<Package>> {
    let mut tree = commands::cargo();
    tree.args(["tree", "--locked", "--workspace", "--edges=normal,build,dev", "--prefix=none"]);
    let answer = commands::output(tree.arg("--format={p}").args(flags))?;
    let answer = String::from_utf8(answer).context("`cargo tree` did not answer in UTF-8")?;
    let compiled: BTreeSet<(&str, &str)> = answer.lines().filter_map(name_and_version).collect();
    let is_compiled = |p: &&Package| compiled.contains(&(&*p.name, &*p.version.to_string()));
    Ok(packages.iter().filter(is_compiled).cloned().collect())
}

/// The first two words of a line of `cargo tree`: `name v1.0.0 (proc-macro)`.
fn name_and_version(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split_whitespace();
    Some((words.next()?, words.next()?.strip_prefix('v')?))
}

/// Where the lock file speaks of a crate.
fn line_of(lock: &File, name: &str) -> usize {
    let wanted = format!("name = \"{name}\"");
    lock.line_where(|line| line == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_lines_of_cargo_tree() {
        for (line, wanted) in [
            ("serde v1.0.229", Some(("serde", "1.0.229"))),
            ("syn v2.0.119 (proc-macro) (*)", Some(("syn", "2.0.119"))),
            ("toml v1.2.1+spec-1.1.0", Some(("toml", "1.2.1+spec-1.1.0"))),
            ("", None),
            ("[dev-dependencies]", None),
        ] {
            assert_eq!(name_and_version(line), wanted, "{line}");
        }
    }
}
