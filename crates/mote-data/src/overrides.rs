//! What a person may say about a file where the decisions made from its content do not fit.

use serde::{Deserialize, Serialize};

use crate::time::TimeFormat;

/// Settings that replace a decision; everything that is left out is found from the data.
///
/// The same fields can be written as TOML, in the `[read]` part of a [`Dataset`](crate::Dataset).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Overrides {
    /// The column that holds the time. An empty name says that no column does.
    pub time: Option<String>,
    /// How times are written. Zone-less times are read as UTC, so no hour is missing or double.
    pub time_format: Option<TimeFormat>,
    /// The column that marks anomalies; it is never an input. An empty name says that none does.
    pub label: Option<String>,
    /// The values of the label column that mean *normal*; every other value is then an anomaly, and a
    /// missing one an error, unless `""` is among these.
    /// Left empty, labels must be 0 or 1, or true or false.
    pub normal: Vec<String>,
    /// Only these columns become inputs, in the order of the file.
    pub columns: Vec<String>,
    /// These columns are never inputs.
    pub drop: Vec<String>,
    /// These columns hold words out of a set, even if they look like numbers or have more than
    /// [`LEVELS_MAX`](crate::infer::LEVELS_MAX) of them.
    pub categorical: Vec<String>,
    /// These columns hold numbers, even if many of their cells do not.
    pub numeric: Vec<String>,
    /// Whether the first row of a CSV file holds names.
    pub header: Option<bool>,
    /// Names for the columns of a CSV file, all of them, in order; replaces a header.
    pub names: Vec<String>,
    /// What separates the fields of a CSV file; a space stands for a run of blanks.
    pub delimiter: Option<char>,
    /// More spellings of a missing value, compared without case, such as `-`, `?` or `NaN`.
    pub missing: Vec<String>,
    /// Seconds between two samples.
    pub period: Option<f64>,
    /// What to do with a column that has one value only.
    pub constant: Constant,
    /// The most missing samples that a gap may have to be filled; see [`crate::align::Rules`].
    pub max_gap: Option<usize>,
    /// How many records of a stream may wait for one that is late; files are sorted and need none.
    /// See [`crate::align::Rules`].
    pub lateness: Option<usize>,
    /// The column that tells recordings apart: rows of one value in it are a run of their own. It is
    /// never an input. An empty name says that the file is one recording.
    pub recording: Option<String>,
    /// Whether each row is a recording, and its fields the samples of one sensor. The label and
    /// columns that are `categorical` hold for all samples of their row.
    pub wide: bool,
    /// Whether blocks of rows between empty lines are recordings. A line with a single word at the
    /// head of a block is its class, in a column of this name.
    pub blocks: Option<String>,
    /// Whether the time column orders and paces the rows.
    pub order: Order,
}

/// What to do with a column that has one value only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Constant {
    /// An error. The default, because a sensor that never moves is more often broken, stuck or
    /// cut out of the file than meant, and a model cannot learn from it what a change means.
    #[default]
    Refuse,
    /// The column is not an input.
    Drop,
    /// The column is an input, so that a change in service counts as strange.
    Keep,
}

/// What orders and paces the rows of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The time column, if there is one: rows are sorted by it, gaps are found.
    #[default]
    Time,
    /// The file: each row is one sample, as it comes. Times are carried along and not looked at.
    File,
}

/// What stands for a missing value in any file, compared without case.
pub const MISSING: [&str; 5] = ["", "NA", "N/A", "null", "None"];

impl Overrides {
    /// Reads the settings from TOML.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Settings`](crate::ErrorKind::Settings) with the place, for unknown names and
    /// wrong types.
    #[cfg(feature = "files")]
    pub fn from_toml(text: &str) -> Result<Self, crate::Error> {
        toml::from_str(text)
            .map_err(|e| crate::Error::new(crate::ErrorKind::Settings, e.to_string()))
    }

    /// Whether a trimmed cell stands for a missing value.
    #[must_use]
    pub fn is_missing(&self, text: &str) -> bool {
        MISSING.iter().any(|m| m.eq_ignore_ascii_case(text))
            || self.missing.iter().any(|m| m.eq_ignore_ascii_case(text))
    }
}
