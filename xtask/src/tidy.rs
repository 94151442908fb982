//! The rules of the house that need no compiler.
//!
//! Each file below this one holds one rule: what it says, `check`, and samples that show it fire
//! and stay silent.

mod arrows;
mod headers;
mod manifests;
mod outside;
mod paths;
mod readme;
mod roles;
mod sizes;
mod unfinished;
mod unsafety;

use anyhow::Result;

pub(crate) use manifests::WITHOUT_STD;
pub(crate) use readme::test_command;

use crate::{
    finding::{Finding, Rule},
    ratchet::Ratchet,
    workspace::Workspace,
};

/// What `tidy` answers for; exceptions from other rules are none of its business.
const RULES: [Rule; 12] = [
    Rule::Arrow,
    Rule::Header,
    Rule::Unsafe,
    Rule::FileLength,
    Rule::FunctionLength,
    Rule::OutsideWorld,
    Rule::Unfinished,
    Rule::WorkplacePath,
    Rule::Manifest,
    Rule::DependencyReason,
    Rule::NoStd,
    Rule::Readme,
];

/// What the rules say about a workspace.
#[derive(Debug)]
pub(crate) struct Report {
    /// What must change.
    pub(crate) findings: Vec<Finding>,
    /// What should be looked at again.
    pub(crate) warnings: Vec<String>,
}

/// Applies every rule.
///
/// # Errors
///
/// If the workspace or its allow-list cannot be read.
pub(crate) fn check() -> Result<Report> {
    let workspace = Workspace::read()?;
    let ratchet = Ratchet::read(&workspace.root)?;
    Ok(Report {
        findings: ratchet.apply(&RULES, findings(&workspace)),
        warnings: sizes::warnings(&workspace),
    })
}

fn findings(workspace: &Workspace) -> Vec<Finding> {
    [
        arrows::check(workspace),
        headers::check(workspace),
        unsafety::check(workspace),
        sizes::check(workspace),
        outside::check(workspace),
        unfinished::check(workspace),
        paths::check(workspace),
        manifests::check(workspace),
        readme::check(workspace),
    ]
    .concat()
}
