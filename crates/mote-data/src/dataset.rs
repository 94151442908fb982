//! The few facts about a data set that its files do not tell: names, labels, the usual split.
//!
//! No data set has code of its own; it may have a small TOML file:
//!
//! ```toml
//! about = "Pump testbed, 1 Hz"
//!
//! [read]                # any of the settings of `Overrides`
//! drop = ["changepoint"]
//!
//! [split]               # see `Split`
//! train = { rows = 400 }
//!
//! [labels]              # where labels are not a column
//! windows = "../labels/windows.json"
//! key = "{folder}/{stem}.csv"
//! ```

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    error::{Error, ErrorKind},
    infer::{self, Clock},
    overrides::Overrides,
    source::{self, Limits},
    split::Split,
    table::{Cell, Cells, Table},
    time::{TimeFormat, Timestamp},
};

/// The contents of a data set's TOML file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dataset {
    /// What it is, in a sentence.
    pub about: String,
    /// How its files are read.
    pub read: Overrides,
    /// How its runs are usually divided.
    pub split: Split,
    /// Where its labels are, if they are no column.
    pub labels: Option<Labels>,
}

/// Labels in files beside the data. In the patterns, `{stem}` stands for the name of a data file
/// without its endings and `{folder}` for the name of the folder that it lies in; paths start at
/// that folder. A file that does not exist is an error.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Labels {
    /// Only data files whose path contains this have labels; empty means all.
    pub only: String,
    /// A file with one column of 0 and 1, a line for each row.
    pub rows: Option<String>,
    /// A JSON file with an object: for each key a list of pairs, first and last anomalous time.
    pub windows: Option<String>,
    /// The key of a data file in the object of `windows`.
    pub key: Option<String>,
}

impl Dataset {
    /// Reads the settings.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Settings`] with the place, for unknown names and wrong types.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|e| Error::new(ErrorKind::Settings, e.to_string()))
    }

    /// Reads a data file with its labels.
    ///
    /// # Errors
    ///
    /// As [`Table::read`], for the data as for the labels; [`ErrorKind::Label`] where the labels
    /// do not fit the rows.
    pub fn read(&self, path: &Path, limits: &Limits) -> Result<Table, Error> {
        let table = Table::read(path, &self.read, limits)?;
        let Some(labels) = &self.labels else { return Ok(table) };
        // The same pattern on every system, so compare with one kind of separator.
        if !path.display().to_string().replace('\\', "/").contains(&labels.only) {
            return Ok(table);
        }
        match (&labels.rows, &labels.windows) {
            (Some(pattern), None) => {
                let rows = rows(&beside(path, pattern), limits)?;
                table.with_labels(rows)
            }
            (None, Some(pattern)) => {
                let key = expand(path, labels.key.as_deref().unwrap_or("{stem}"));
                let windows = windows(&beside(path, pattern), &key, limits)?;
                let labels = within(&table, &self.read, &windows)?;
                table.with_labels(labels)
            }
            _ => {
                let what = "wanted one of `rows` and `windows` in `[labels]`";
                Err(Error::new(ErrorKind::Settings, what))
            }
        }
    }
}

/// A pattern as a path, from the folder of the data file.
fn beside(path: &Path, pattern: &str) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).join(expand(path, pattern))
}

fn expand(path: &Path, pattern: &str) -> String {
    let text = |part: Option<&std::ffi::OsStr>| {
        part.map(|p| p.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let name = text(path.file_name());
    let plain = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
    let stem = text(Path::new(plain).file_stem());
    let folder = text(path.parent().and_then(Path::file_name));
    pattern.replace("{stem}", &stem).replace("{folder}", &folder)
}

/// The labels in a file of one column.
fn rows(path: &Path, limits: &Limits) -> Result<Vec<bool>, Error> {
    let overrides = Overrides { names: vec!["label".into()], ..Overrides::default() };
    let table = Table::read(path, &overrides, limits)?;
    let Some(cells) = table.column("label").and_then(Cells::new) else { return Ok(Vec::new()) };
    let one = |(row, cell)| match cell {
        Cell::Text(text) => infer::binary(text).ok_or_else(|| {
            Error::wanted(ErrorKind::Label, "0 or 1", text)
                .at_line(table.line(row))
                .in_file(table.name())
        }),
        Cell::Number(n) => Ok(n != 0.0),
        Cell::Integer(n) => Ok(n != 0),
        Cell::Bool(b) => Ok(b),
        Cell::Missing | Cell::Instant(_) => {
            let error = Error::wanted(ErrorKind::Label, "0 or 1", "");
            Err(error.at_line(table.line(row)).in_file(table.name()))
        }
    };
    cells.iter().enumerate().map(one).collect()
}

/// The pairs of first and last time under one key.
fn windows(path: &Path, key: &str, limits: &Limits) -> Result<Vec<(Timestamp, Timestamp)>, Error> {
    let name = path.display().to_string();
    let bytes = source::read(path, limits)?;
    let error = |what: String| Error::new(ErrorKind::Label, what).in_file(&name);
    let value: Value = serde_json::from_str(source::text(&name, &bytes)?)
        .map_err(|e| error(format!("wanted JSON: {e}")))?;
    let Some(pairs) = value.get(key).and_then(Value::as_array) else {
        return Err(error(format!("wanted a list under the key `{key}`, found none")));
    };
    let pair = |value: &Value| {
        let time = |i: usize| TimeFormat::Iso.parse(value.get(i)?.as_str()?);
        time(0).zip(time(1)).ok_or_else(|| {
            error(format!("wanted a pair of times under the key `{key}`, found `{value}`"))
        })
    };
    pairs.iter().map(pair).collect()
}

/// For each row whether its time is in one of the windows, ends included.
fn within(
    table: &Table,
    overrides: &Overrides,
    windows: &[(Timestamp, Timestamp)],
) -> Result<Vec<bool>, Error> {
    let Some(times) = Clock::find(table, overrides)?.times(table, overrides)? else {
        let what = "wanted a time column to place the labels, found none";
        return Err(Error::new(ErrorKind::Time, what).in_file(table.name()));
    };
    let inside = |t: &Timestamp| windows.iter().any(|(first, last)| first <= t && t <= last);
    Ok(times.iter().map(inside).collect())
}
