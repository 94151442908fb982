//! What a rule reports: where, what is wrong there, and what is wanted instead.

use std::fmt;

use serde::Deserialize;

/// Each rule by the name that reports and the allow-list use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Rule {
    /// A dependency that the table of the design does not allow.
    Arrow,
    /// A file that does not open with a sentence.
    Header,
    /// The keyword `unsafe`.
    Unsafe,
    /// A file that is too long.
    FileLength,
    /// A function that is too long.
    FunctionLength,
    /// Printing, exiting, or reading the environment or the clock, below the binaries.
    OutsideWorld,
    /// A mark that says that work is left.
    Unfinished,
    /// A path that exists on one machine only.
    WorkplacePath,
    /// A manifest without description or without the lints of the workspace.
    Manifest,
    /// A dependency that no comment gives a reason for.
    DependencyReason,
    /// A crate that must do without `std` and does not say so.
    NoStd,
    /// A command in the documentation that does not exist.
    Readme,
    /// A licence outside the list.
    Licence,
    /// One crate in several versions.
    DuplicateVersion,
    /// A known weakness in a dependency.
    Advisory,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Arrow => "arrow",
            Self::Header => "header",
            Self::Unsafe => "unsafe",
            Self::FileLength => "file-length",
            Self::FunctionLength => "function-length",
            Self::OutsideWorld => "outside-world",
            Self::Unfinished => "unfinished",
            Self::WorkplacePath => "workplace-path",
            Self::Manifest => "manifest",
            Self::DependencyReason => "dependency-reason",
            Self::NoStd => "no-std",
            Self::Readme => "readme",
            Self::Licence => "licence",
            Self::DuplicateVersion => "duplicate-version",
            Self::Advisory => "advisory",
        })
    }
}

/// One violation of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The rule that is broken.
    pub(crate) rule: Rule,
    /// What an exception would be made for: a file, `file::function`, a crate or an advisory.
    pub(crate) of: String,
    /// The file to open, relative to the root of the workspace.
    pub(crate) path: String,
    /// The line to go to, counted from 1.
    pub(crate) line: usize,
    /// How bad it is, for rules that measure; findings that only exist count as 1 each.
    pub(crate) number: Option<usize>,
    /// What is wrong.
    pub(crate) what: String,
    /// What would be right.
    pub(crate) wanted: String,
}

impl Finding {
    /// A finding whose exception, if any, would be made for the whole file.
    pub(crate) fn in_file(
        rule: Rule,
        path: &str,
        line: usize,
        what: impl Into<String>,
        wanted: impl Into<String>,
    ) -> Self {
        Self {
            rule,
            of: path.to_owned(),
            path: path.to_owned(),
            line,
            number: None,
            what: what.into(),
            wanted: wanted.into(),
        }
    }

    /// The same finding, but an exception would be made for `of`.
    pub(crate) fn about(mut self, of: impl Into<String>) -> Self {
        self.of = of.into();
        self
    }

    /// The same finding with a measure, which an exception would have to equal.
    pub(crate) fn measured(mut self, number: usize) -> Self {
        self.number = Some(number);
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, path, line, what, wanted, .. } = self;
        write!(f, "{path}:{line}: {what}; wanted: {wanted} [{rule}]")
    }
}
