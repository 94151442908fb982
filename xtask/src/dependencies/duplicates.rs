//! No crate in two versions: it is compiled twice, and their types do not fit each other.

use std::collections::{BTreeMap, BTreeSet};

use super::line_of;
use crate::{
    finding::{Finding, Rule},
    workspace::{File, Package},
};

/// Finds the crates of which an ordinary build takes several versions.
pub(super) fn check(packages: &[Package], lock: &File) -> Vec<Finding> {
    let mut versions: BTreeMap<&str, BTreeSet<&semver::Version>> = BTreeMap::new();
    for package in packages {
        versions.entry(&package.name).or_default().insert(&package.version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    let complain = |(name, versions): (&str, BTreeSet<&semver::Version>)| {
        let list: Vec<_> = versions.iter().map(ToString::to_string).collect();
        let what = format!("`{name}` is built in {} versions: {}", list.len(), list.join(", "));
        let wanted = "one version; `cargo tree --duplicates` shows who asks for which";
        Finding::in_file(Rule::DuplicateVersion, &lock.path, line_of(lock, name), what, wanted)
            .about(name)
            .measured(list.len())
    };
    versions.into_iter().map(complain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::samples;

    #[track_caller]
    fn check_versions(packages: &[(&str, u64)], wanted: &[(&str, usize)]) {
        let package = |(name, major): &(&str, u64)| Package {
            version: semver::Version::new(*major, 0, 0),
            ..samples::package(name, &[])
        };
        let packages: Vec<Package> = packages.iter().map(package).collect();
        let found = check(&packages, &File::new("Cargo.lock", ""));
        let found: Vec<_> = found.iter().map(|f| (f.of.as_str(), f.number.unwrap_or(0))).collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn one_version_of_each_passes() {
        check_versions(&[], &[]);
        check_versions(&[("a", 1), ("b", 1)], &[]);
    }

    #[test]
    fn several_versions_are_counted() {
        check_versions(&[("a", 1), ("b", 1), ("a", 2)], &[("a", 2)]);
        check_versions(&[("a", 3), ("b", 2), ("a", 1), ("a", 2), ("b", 1)], &[("a", 3), ("b", 2)]);
    }
}
