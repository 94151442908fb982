//! The allow-list `xtask/ratchet.toml`: exceptions with a reason and a number that only shrinks.
//!
//! An exception says how bad one thing is today: so many lines, so many uses. Worse is refused, and
//! better must be written down, so that what was gained is not lost again unnoticed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use toml::Spanned;

use crate::finding::{Finding, Rule};

/// Where the list lies, relative to the root of the workspace.
const PATH: &str = "xtask/ratchet.toml";

/// The exceptions that the house has granted.
#[derive(Debug, Default)]
pub(crate) struct Ratchet {
    exceptions: Vec<Exception>,
}

#[derive(Debug)]
struct Exception {
    rule: Rule,
    of: String,
    number: usize,
    line: usize,
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    exception: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    rule: Rule,
    of: String,
    number: usize,
    reason: String,
}

impl Ratchet {
    /// Reads the list of the workspace at `root`.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be parsed.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let text = fs::read_to_string(root.join(PATH));
        Self::parse(&text.with_context(|| format!("cannot read `{PATH}`"))?)
    }

    /// Makes the list out of its text.
    ///
    /// # Errors
    ///
    /// If it is not TOML of the expected form, an exception stands twice, its number is 0 or its
    /// reason is shorter than three words.
    fn parse(text: &str) -> Result<Self> {
        let list: List = toml::from_str(text).with_context(|| format!("cannot parse `{PATH}`"))?;
        let mut seen = BTreeSet::new();
        let mut exceptions = Vec::with_capacity(list.exception.len());
        for entry in list.exception {
            let line = 1 + text[..entry.span().start].matches('\n').count();
            let Entry { rule, of, number, reason } = entry.into_inner();
            if reason.split_whitespace().count() < 3 {
                bail!("{PATH}:{line}: the reason `{reason}` for `{of}` is not a reason");
            }
            if number == 0 {
                bail!("{PATH}:{line}: `{of}` has the number 0, which is no exception");
            }
            if !seen.insert((rule, of.clone())) {
                bail!("{PATH}:{line}: `{of}` has a second exception from the rule `{rule}`");
            }
            exceptions.push(Exception { rule, of, number, line });
        }
        Ok(Self { exceptions })
    }

    /// Takes away the findings that are granted, and adds one for each exception that does not fit:
    /// too small, too large, or for nothing. Only exceptions from `rules` are looked at.
    pub(crate) fn apply(&self, rules: &[Rule], findings: Vec<Finding>) -> Vec<Finding> {
        let mut groups: BTreeMap<(Rule, String), Vec<Finding>> = BTreeMap::new();
        for finding in findings {
            groups.entry((finding.rule, finding.of.clone())).or_default().push(finding);
        }
        let mut kept = Vec::new();
        for exception in self.exceptions.iter().filter(|e| rules.contains(&e.rule)) {
            let Exception { rule, of, number, line } = exception;
            let group = groups.remove(&(*rule, of.clone())).unwrap_or_default();
            let found = measure(&group);
            if found == *number {
                continue;
            }
            let what = format!("`{of}` may have {number} by the rule `{rule}` and has {found}");
            let wanted = match found {
                0 => "the exception removed".to_owned(),
                _ if found < *number => format!("the number lowered to {found}"),
                _ => format!("at most {number}; exceptions only shrink"),
            };
            kept.push(Finding::in_file(*rule, PATH, *line, what, wanted));
            if found > *number {
                kept.extend(group);
            }
        }
        kept.extend(groups.into_values().flatten());
        kept.sort_by(|a, b| (&a.path, a.line, a.rule).cmp(&(&b.path, b.line, b.rule)));
        kept
    }
}

/// The worst measure of a group, or the number of its findings where nothing is measured.
fn measure(group: &[Finding]) -> usize {
    group.iter().filter_map(|f| f.number).max().unwrap_or(group.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWS_TWO: &str = r#"
        [[exception]]
        rule = "unsafe"
        of = "a.rs"
        number = 2
        reason = "the kernel needs it"
    "#;

    fn uses(count: usize) -> Vec<Finding> {
        (1..=count).map(|line| Finding::in_file(Rule::Unsafe, "a.rs", line, "x", "y")).collect()
    }

    #[track_caller]
    fn check(findings: Vec<Finding>, wanted: &[&str]) {
        let ratchet = Ratchet::parse(ALLOWS_TWO).unwrap();
        let left = ratchet.apply(&[Rule::Unsafe], findings);
        let left: Vec<&str> = left.iter().map(|f| f.wanted.as_str()).collect();
        assert_eq!(left, wanted);
    }

    #[test]
    fn grants_exactly_what_it_says() {
        check(uses(2), &[]);
    }

    #[test]
    fn demands_a_lower_number_once_there_is_less() {
        check(uses(1), &["the number lowered to 1"]);
        check(uses(0), &["the exception removed"]);
    }

    #[test]
    fn refuses_more_and_shows_all_of_it() {
        check(uses(3), &["y", "y", "y", "at most 2; exceptions only shrink"]);
    }

    #[test]
    fn a_measure_counts_for_more_than_the_number_of_findings() {
        let long = Finding::in_file(Rule::Unsafe, "a.rs", 1, "x", "y").measured(2);
        check(vec![long.clone()], &[]);
        check(vec![long.measured(3)], &["y", "at most 2; exceptions only shrink"]);
    }

    #[test]
    fn leaves_other_files_and_rules_that_did_not_run_alone() {
        let ratchet = Ratchet::parse(ALLOWS_TWO).unwrap();
        let other = vec![Finding::in_file(Rule::Header, "b.rs", 1, "x", "y")];
        assert_eq!(ratchet.apply(&[Rule::Header], other.clone()), other);
    }

    #[test]
    fn refuses_entries_that_are_no_exceptions() {
        for (from, to) in [
            ("the kernel needs it", "because"),
            ("number = 2", "number = 0"),
            ("\"unsafe\"", "\"no-such-rule\""),
            ("of =", "file ="),
        ] {
            let text = ALLOWS_TWO.replace(from, to);
            assert!(Ratchet::parse(&text).is_err(), "accepted {to}");
        }
        assert!(Ratchet::parse(&ALLOWS_TWO.repeat(2)).is_err(), "accepted the same one twice");
    }

    #[test]
    fn rules_are_written_as_they_are_printed() {
        for rule in [Rule::FileLength, Rule::NoStd, Rule::OutsideWorld, Rule::DuplicateVersion] {
            let text = ALLOWS_TWO.replace("\"unsafe\"", &format!("\"{rule}\""));
            assert_eq!(Ratchet::parse(&text).unwrap().exceptions[0].rule, rule);
        }
    }
}
