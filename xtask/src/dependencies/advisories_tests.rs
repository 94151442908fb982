//! Advisories against versions, in a database that the tests write.

use super::*;
use crate::workspace::samples;

/// The form of RUSTSEC-2020-0071: two safe sides around an affected range.
const HEAD: &str = r#"```toml
[advisory]
id = "RUSTSEC-2020-0071"
package = "time"
date = "2020-11-18"
categories = ["memory-corruption"]

[affected]
os = ["linux"]

[versions]
patched = [">= 0.2.23"]
unaffected = ["=0.2.0", "< 0.1.5"]
```

# Potential segfault
"#;

#[track_caller]
fn check_version(head: &str, version: &str, affected: bool) {
    let head = Head::parse(head).unwrap();
    assert_eq!(head.affects(&version.parse().unwrap()), affected, "{version}");
}

#[test]
fn versions_outside_every_safe_range_are_affected() {
    check_version(HEAD, "0.1.4", false);
    check_version(HEAD, "0.1.5", true);
    check_version(HEAD, "0.2.0", false);
    check_version(HEAD, "0.2.22", true);
    check_version(HEAD, "0.2.23", false);
    check_version(HEAD, "1.0.0", false);
}

#[test]
fn without_safe_ranges_all_versions_are_affected_until_it_is_withdrawn() {
    let all = HEAD.replace("\">= 0.2.23\"", "").replace("unaffected", "other");
    check_version(&all, "9.0.0", true);
    let withdrawn = all.replace("date =", "withdrawn = \"2021-01-01\"\ndate =");
    check_version(&withdrawn, "9.0.0", false);
}

#[test]
fn heads_that_are_none_are_refused() {
    for text in ["", "# Text", "```toml\n[advisory]", &HEAD.replace(">= 0.2.23", "many")] {
        assert!(Head::parse(text).is_err(), "accepted {text:?}");
    }
}

/// What the database with one advisory says about version 0.2.1 of `time`.
fn verdict(head: &str, source: Option<&str>) -> Result<Verdict> {
    let database = tempfile::tempdir()?;
    let folder = database.path().join("crates/time");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("RUSTSEC-2020-0071.md"), head)?;
    fs::write(folder.join("notes.md"), "not an advisory")?;
    let package = Package {
        version: Version::new(0, 2, 1),
        source: source.map(str::to_owned),
        ..samples::package("time", &[])
    };
    let lock = File::new("Cargo.lock", "[[package]]\nname = \"time\"\n");
    check(database.path(), &[package, samples::package("other", &[])], &lock)
}

#[test]
fn a_weak_dependency_is_found_where_the_lock_file_names_it() {
    let found = verdict(HEAD, Some("registry")).unwrap().findings;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].line, found[0].of.as_str()), (2, "RUSTSEC-2020-0071"));
    assert!(found[0].what.contains("`time` 0.2.1 is vulnerable"), "{}", found[0].what);
}

#[test]
fn neglect_is_noted_and_unsoundness_is_refused() {
    let kind = |kind: &str| HEAD.replace("date =", &format!("informational = \"{kind}\"\ndate ="));
    let unmaintained = verdict(&kind("unmaintained"), Some("registry")).unwrap();
    assert_eq!((unmaintained.findings.len(), unmaintained.notes.len()), (0, 1));
    let unsound = verdict(&kind("unsound"), Some("registry")).unwrap();
    assert_eq!((unsound.findings.len(), unsound.notes.len()), (1, 0));
}

#[test]
fn our_own_crates_are_not_looked_up() {
    assert!(verdict(HEAD, None).unwrap().findings.is_empty());
}

#[test]
fn damaged_and_misplaced_advisories_are_errors() {
    assert!(verdict("# Text", Some("registry")).is_err());
    assert!(verdict(&HEAD.replace("\"time\"", "\"tame\""), Some("registry")).is_err());
}
