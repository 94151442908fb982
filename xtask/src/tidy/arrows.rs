//! Which crate may depend on which: the table of the design.

use crate::{
    finding::{Finding, Rule},
    workspace::{Dependency, File, Package, Workspace},
};

/// One row of the table.
struct Row {
    name: &'static str,
    /// What its code may use.
    normal: Arrows,
    /// What its tests may use besides.
    tests: &'static [&'static str],
}

enum Arrows {
    To(&'static [&'static str]),
    ToAll,
}

/// The table. A crate that is not in it may not be born.
const TABLE: [Row; 14] = [
    row("mote-format", &[], &[]),
    row("mote-runtime", &["mote-format"], &[]),
    row("mote-data", &["mote-format"], &[]),
    row("mote-eval", &["mote-data"], &[]),
    // Constants are folded, and thresholds calibrated, by the code that will run the program.
    row("mote-learn", &["mote-data", "mote-eval", "mote-format", "mote-runtime"], &[]),
    row("mote-compress", &["mote-learn", "mote-runtime", "mote-eval", "mote-format"], &[]),
    // Tests run what was exported and imported.
    row("mote-exchange", &["mote-format"], &["mote-runtime"]),
    row("mote-deploy", &["mote-format", "mote-runtime"], &[]),
    row("mote-fleet", &["mote-format", "mote-runtime", "mote-trust"], &[]),
    row("mote-semantic", &["mote-format", "mote-runtime", "mote-data"], &[]),
    row("mote-trust", &["mote-format"], &[]),
    row(
        "mote-agent",
        &["mote-runtime", "mote-deploy", "mote-fleet", "mote-trust", "mote-data"],
        &[],
    ),
    Row { name: "mote", normal: Arrows::ToAll, tests: &[] },
    // The checks must be there before what they check.
    row("xtask", &[], &[]),
];

/// The one crate that knows Burn.
const BURN_OWNER: &str = "mote-learn";

const fn row(
    name: &'static str,
    normal: &'static [&'static str],
    tests: &'static [&'static str],
) -> Row {
    Row { name, normal: Arrows::To(normal), tests }
}

/// Finds every dependency between members, and every one on Burn, that the table does not have.
pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (package, manifest) in workspace.manifests() {
        let Some(row) = TABLE.iter().find(|row| row.name == package.name) else {
            let what = format!("`{}` is not in the table of crates", package.name);
            let wanted = "a row in `xtask/src/tidy/arrows.rs` and in the design";
            findings.push(Finding::in_file(Rule::Arrow, &manifest.path, 1, what, wanted));
            continue;
        };
        let broken = package.dependencies.iter().filter_map(|d| complaint(row, package, d));
        findings.extend(broken.map(|(dependency, wanted)| {
            let what = format!("`{}` depends on `{}`", package.name, dependency.name);
            let line = line_of(manifest, dependency);
            Finding::in_file(Rule::Arrow, &manifest.path, line, what, wanted)
        }));
    }
    findings
}

/// What the table says against a dependency, if anything.
fn complaint<'a>(
    row: &Row,
    package: &Package,
    dependency: &'a Dependency,
) -> Option<(&'a Dependency, String)> {
    let name = dependency.name.as_str();
    if name == "burn" || name.starts_with("burn-") {
        let wanted = format!("Burn in `{BURN_OWNER}` alone");
        return (package.name != BURN_OWNER).then_some((dependency, wanted));
    }
    if name != "mote" && !name.starts_with("mote-") {
        return None;
    }
    let for_tests = dependency.kind.as_deref() == Some("dev");
    let allowed = match row.normal {
        Arrows::ToAll => return None,
        Arrows::To(list) => list,
    };
    if allowed.contains(&name) || for_tests && row.tests.contains(&name) {
        return None;
    }
    let tests = if for_tests { row.tests } else { &[] };
    let names: Vec<_> = allowed.iter().chain(tests).map(|name| format!("`{name}`")).collect();
    let wanted = match names.is_empty() {
        true => "no crate of this workspace".to_owned(),
        false => format!("only {}", names.join(", ")),
    };
    Some((dependency, wanted))
}

/// Where the manifest asks for a dependency.
fn line_of(manifest: &File, dependency: &Dependency) -> usize {
    let key = dependency.rename.as_deref().unwrap_or(&dependency.name);
    manifest.line_where(|line| {
        let header = line.starts_with('[') && line.ends_with(&format!("dependencies.{key}]"));
        let rest = line.strip_prefix(key).map(str::trim_start);
        header || rest.is_some_and(|rest| rest.starts_with(['=', '.']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::samples;

    #[track_caller]
    fn check_arrow(name: &str, dependency: &str, kind: Option<&str>, wanted: Option<&str>) {
        let package = samples::package(name, &[("serde", None), (dependency, kind)]);
        let manifest = format!("[dependencies]\nserde = \"1\"\n{dependency} = \"1\"\n");
        let path = format!("crates/{name}/Cargo.toml");
        let workspace = samples::of_package(package, &[(&path, &manifest)]);
        let found: Vec<_> = check(&workspace).into_iter().map(|f| (f.line, f.wanted)).collect();
        assert_eq!(found, wanted.map(|w| (3, w.to_owned())).into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn allows_what_the_table_has() {
        check_arrow("mote-runtime", "mote-format", None, None);
        check_arrow("mote-learn", "burn", None, None);
        check_arrow("mote-learn", "mote-runtime", None, None);
        check_arrow("mote", "mote-compress", None, None);
        check_arrow("mote-format", "mote2", None, None);
    }

    #[test]
    fn refuses_arrows_that_point_the_other_way() {
        check_arrow("mote-format", "mote-data", None, Some("no crate of this workspace"));
        check_arrow("mote-format", "mote", Some("build"), Some("no crate of this workspace"));
        check_arrow("xtask", "mote-format", Some("dev"), Some("no crate of this workspace"));
        check_arrow("mote-data", "mote-eval", None, Some("only `mote-format`"));
    }

    #[test]
    fn keeps_training_away_from_devices() {
        let wanted = "only `mote-data`, `mote-eval`, `mote-format`, `mote-runtime`";
        check_arrow("mote-learn", "mote-deploy", Some("dev"), Some(wanted));
    }

    #[test]
    fn keeps_burn_in_one_crate() {
        check_arrow("mote", "burn", None, Some("Burn in `mote-learn` alone"));
        check_arrow("mote-eval", "burn-flex", Some("dev"), Some("Burn in `mote-learn` alone"));
        check_arrow("mote-eval", "burnish", None, None);
    }

    #[test]
    fn refuses_crates_that_nobody_planned() {
        let package = samples::package("mote-misc", &[]);
        let workspace = samples::of_package(package, &[("crates/mote-misc/Cargo.toml", "")]);
        let found = check(&workspace);
        assert_eq!(found[0].what, "`mote-misc` is not in the table of crates");
    }
}
