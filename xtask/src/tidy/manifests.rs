//! What a manifest owes its reader: a description, the common lints, a reason for each dependency.

use std::iter;

use crate::{
    finding::{Finding, Rule},
    workspace::{File, Package, Workspace},
};

/// Crates that compile without `std`, so that devices without an operating system can run them.
pub(crate) const WITHOUT_STD: [&str; 2] = ["mote-format", "mote-runtime"];

/// How such a crate says so. Its own tests, and builds with the feature `std`, may have it.
const WITHOUT_STD_SAID: [&str; 3] = [
    "#![no_std]",
    "#![cfg_attr(not(test), no_std)]",
    "#![cfg_attr(not(feature = \"std\"), no_std)]",
];

/// Finds the manifests that owe something, and crates that do not renounce `std` as they should.
pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (package, manifest) in workspace.manifests() {
        findings.extend(description(package, manifest));
        findings.extend(lints(manifest));
        findings.extend(reasons(manifest));
        if WITHOUT_STD.contains(&package.name.as_str()) {
            findings.extend(without_std(workspace, manifest));
        }
    }
    findings
}

fn description(package: &Package, manifest: &File) -> Option<Finding> {
    let text = package.description.as_deref().unwrap_or_default().trim();
    (!text.ends_with(['.', '?', '!'])).then(|| {
        let line = manifest.line_where(|line| line.starts_with("description"));
        let what = format!("`{}` has no description that is a sentence", package.name);
        let wanted = "`description = \"One sentence.\"`";
        Finding::in_file(Rule::Manifest, &manifest.path, line, what, wanted)
    })
}

fn lints(manifest: &File) -> Option<Finding> {
    let lines = || manifest.text.lines().map(str::trim);
    let inherited =
        lines().zip(lines().skip(1)).any(|pair| pair == ("[lints]", "workspace = true"));
    (!inherited).then(|| {
        let what = "the lints of the workspace are not in force";
        let wanted = "`[lints]` with `workspace = true`";
        Finding::in_file(Rule::Manifest, &manifest.path, 1, what, wanted)
    })
}

/// Each dependency line has a comment above it that says why.
///
/// Crates of one family (`serde`, `serde_json`) may share the comment above the first of them. For
/// the crates of this workspace the table of arrows is reason enough.
fn reasons(manifest: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = manifest.text.lines();
    // The family that the last comment still speaks for.
    let mut excused: Option<String> = None;
    let mut commented = false;
    let mut in_dependencies = false;
    let mut depth = 0_usize;
    for (number, line) in iter::zip(1.., lines) {
        let line = line.trim();
        let key = match line.strip_prefix('[').filter(|_| depth == 0) {
            Some(header) => {
                let header = header.trim_end_matches(']');
                let (table, key) = header.rsplit_once('.').unwrap_or((header, ""));
                in_dependencies = is_dependencies(header);
                Some(key).filter(|_| !in_dependencies && is_dependencies(table))
            }
            None => line.split(['=', '.', ' ']).next().filter(|key| {
                in_dependencies && depth == 0 && !key.is_empty() && !key.starts_with('#')
            }),
        };
        if let Some(key) = key {
            let family = key.split(['-', '_']).next().unwrap_or(key);
            let shared = excused.as_deref() == Some(family);
            if !commented && !shared && family != "mote" {
                let what = format!("no comment says why `{key}`");
                let wanted = "the reason in a comment above the line";
                let path = &manifest.path;
                findings.push(Finding::in_file(Rule::DependencyReason, path, number, what, wanted));
            }
            excused = (commented || shared).then(|| family.to_owned());
        } else if line.is_empty() {
            excused = None;
        }
        commented = depth == 0 && line.starts_with('#');
        // A value may go on over several lines; its brackets tell.
        let value = line.split('#').next().unwrap_or(line);
        depth += value.matches(['[', '{']).count();
        depth = depth.saturating_sub(value.matches([']', '}']).count());
    }
    findings
}

/// Whether a table lists dependencies, for whatever target or purpose.
fn is_dependencies(table: &str) -> bool {
    let last = table.rsplit('.').next().unwrap_or(table);
    matches!(last, "dependencies" | "dev-dependencies" | "build-dependencies")
}

fn without_std(workspace: &Workspace, manifest: &File) -> Option<Finding> {
    let path = manifest.path.replace("Cargo.toml", "src/lib.rs");
    let text = workspace.file(&path).map_or("", |file| file.text.as_str());
    let says_so = text.lines().any(|line| WITHOUT_STD_SAID.contains(&line.trim()));
    (!says_so).then(|| {
        let what = "the crate must compile without `std` and does not say so";
        Finding::in_file(Rule::NoStd, &path, 1, what, "`#![no_std]`, with `std` as a feature")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::samples;

    const GOOD: &str = "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n";

    #[track_caller]
    fn check_manifest(manifest: &str, wanted: &[(usize, &str)]) {
        let package = samples::package("a", &[]);
        let workspace = samples::of_package(package, &[("crates/a/Cargo.toml", manifest)]);
        let found = check(&workspace);
        let found: Vec<_> = found.iter().map(|f| (f.line, f.what.as_str())).collect();
        assert_eq!(found, wanted);
    }

    #[track_caller]
    fn check_dependencies(dependencies: &str, wanted: &[usize]) {
        let file = File::new("Cargo.toml", format!("[dependencies]\n{dependencies}"));
        let found = reasons(&file);
        assert_eq!(found.iter().map(|f| f.line).collect::<Vec<_>>(), wanted, "{dependencies}");
    }

    #[test]
    fn lints_are_inherited() {
        check_manifest(GOOD, &[]);
        let wanted = [(1, "the lints of the workspace are not in force")];
        check_manifest("[package]\n[lints]\n", &wanted);
        check_manifest("[lints.rust]\nworkspace = true\n", &wanted);
    }

    #[test]
    fn descriptions_are_sentences() {
        for (text, good) in [(Some("Does it."), true), (Some("It"), false), (None, false)] {
            let mut package = samples::package("a", &[]);
            package.description = text.map(str::to_owned);
            let workspace = samples::of_package(package, &[("crates/a/Cargo.toml", GOOD)]);
            assert_eq!(check(&workspace).is_empty(), good, "{text:?}");
        }
    }

    #[test]
    fn a_comment_excuses_the_line_below_it_and_its_family() {
        check_dependencies("# Why.\na = \"1\"\n", &[]);
        check_dependencies("# Why.\na = \"1\"\na-b = \"1\"\na_c.workspace = true\n", &[]);
        check_dependencies("# Why.\na = { features = [\n  \"x\",\n] }\n# Why.\nb = \"1\"\n", &[]);
        check_dependencies("mote-format = { workspace = true }\n", &[]);
        check_dependencies("# Why.\na = { features = [ # not this\n \"x\" ] }\n", &[]);
    }

    #[test]
    fn every_other_line_needs_its_own() {
        check_dependencies("a = \"1\"\n", &[2]);
        check_dependencies("# Why.\na = \"1\"\nb = \"1\"\n", &[4]);
        check_dependencies("# Why.\na = \"1\"\n\na-b = \"1\"\n", &[5]);
        check_dependencies("# Why.\n\na = \"1\"\n", &[4]);
        check_dependencies("\n[dev-dependencies]\na = \"1\"\n", &[4]);
        check_dependencies("\n[target.'cfg(unix)'.dependencies]\na = \"1\"\n", &[4]);
        check_dependencies("\n[dependencies.a]\nversion = \"1\"\n", &[3]);
        check_dependencies("\n# Why.\n[dependencies.a]\nversion = \"1\"\n", &[]);
    }

    #[test]
    fn other_tables_need_no_reasons() {
        check_dependencies("\n[features]\na = [\"b\"]\n[package.metadata]\nc = 1\n", &[]);
    }

    #[test]
    fn crates_for_bare_devices_renounce_std() {
        for (text, good) in [
            ("//! A.\n#![no_std]\n", true),
            ("//! A.\n#![cfg_attr(not(test), no_std)]\n", true),
            ("//! A.\n#![cfg_attr(test, no_std)]\n", false),
            ("//! A.\n", false),
            ("// #![no_std]\n", false),
        ] {
            let files =
                [("crates/mote-format/Cargo.toml", GOOD), ("crates/mote-format/src/lib.rs", text)];
            let package = samples::package("mote-format", &[]);
            let found = check(&samples::of_package(package, &files));
            assert_eq!(found.is_empty(), good, "{text}");
        }
    }
}
