//! Each dependency may be shipped under terms that ask for no more than our own.

use spdx::{Expression, LicenseReq, Licensee, ParseMode};

use super::line_of;
use crate::{
    finding::{Finding, Rule},
    workspace::{File, Package},
};

/// Licences that ask at most for their text to be handed on.
const ALLOWED: [&str; 13] = [
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "BSL-1.0",
    "CC0-1.0",
    "Unicode-3.0",
    "CDLA-Permissive-2.0",
];

/// Finds the packages whose licence the list does not satisfy.
pub(super) fn check(packages: &[Package], lock: &File) -> Vec<Finding> {
    let allowed: Vec<Licensee> = ALLOWED.iter().filter_map(|l| Licensee::parse(l).ok()).collect();
    let may = |req: &LicenseReq| allowed.iter().any(|licensee| licensee.satisfies(req));
    let fault = |package: &Package| match package.license.as_deref() {
        None => Some("has no licence expression".to_owned()),
        Some(text) => match Expression::parse_mode(text, ParseMode::LAX) {
            Err(error) => Some(format!("has the licence `{text}`: {}", error.reason)),
            Ok(licence) => (!licence.evaluate(may)).then(|| format!("has the licence `{text}`")),
        },
    };
    let mut findings = Vec::new();
    for package in packages {
        findings.extend(fault(package).map(|fault| {
            let what = format!("`{}` {} {fault}", package.name, package.version);
            let wanted = format!("a choice among {}", ALLOWED.join(", "));
            let line = line_of(lock, &package.name);
            Finding::in_file(Rule::Licence, &lock.path, line, what, wanted).about(&package.name)
        }));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::samples;

    #[track_caller]
    fn check_licence(licence: Option<&str>, good: bool) {
        let mut package = samples::package("a", &[]);
        package.license = licence.map(str::to_owned);
        let lock = File::new("Cargo.lock", "version = 4\n\n[[package]]\nname = \"a\"\n");
        let found = check(&[package], &lock);
        assert_eq!(found.is_empty(), good, "{licence:?}");
        assert!(found.iter().all(|f| f.line == 4 && f.of == "a"));
    }

    #[test]
    fn one_good_side_of_or_is_enough() {
        check_licence(Some("MIT OR GPL-3.0-only"), true);
        check_licence(Some("LGPL-2.1-or-later OR Apache-2.0 OR MIT"), true);
        check_licence(Some("GPL-2.0-only OR GPL-3.0-only"), false);
        check_licence(Some("MIT/Apache-2.0"), true);
    }

    #[test]
    fn and_needs_both_sides() {
        check_licence(Some("MIT AND BSD-3-Clause"), true);
        check_licence(Some("MIT AND GPL-3.0-only"), false);
        check_licence(Some("(MIT OR GPL-3.0-only) AND ISC"), true);
        check_licence(Some("(MIT OR Apache-2.0) AND MPL-2.0"), false);
    }

    #[test]
    fn exceptions_to_a_licence_are_part_of_it() {
        check_licence(Some("Apache-2.0 WITH LLVM-exception"), true);
        check_licence(Some("GPL-3.0-only WITH Classpath-exception-2.0"), false);
    }

    #[test]
    fn no_licence_and_nonsense_are_refused() {
        check_licence(None, false);
        check_licence(Some(""), false);
        check_licence(Some("MIT OR"), false);
        check_licence(Some("Free"), false);
    }

    #[test]
    fn every_licence_of_the_list_is_known() {
        for licence in ALLOWED {
            check_licence(Some(licence), true);
        }
    }
}
