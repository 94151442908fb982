//! JSON lines: one object a line, a column for each key, nested keys joined by dots.

use std::{collections::HashMap, sync::Arc};

use arrow_array::{ArrayRef, StringArray};
use serde_json::Value;

use crate::{
    error::{Error, ErrorKind},
    payload::json::flatten,
    source::Limits,
    table::Table,
};

/// Reads the text; blank lines are skipped. A key that a line lacks is missing there.
pub(crate) fn parse(name: &str, text: &str, limits: &Limits) -> Result<Table, Error> {
    let mut columns: Vec<(String, Vec<Option<String>>)> = Vec::new();
    let mut index: HashMap<String, usize> = HashMap::new();
    let mut lines = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let number = i as u64 + 1;
        if line.trim().is_empty() {
            continue;
        }
        let value: Value = serde_json::from_str(line).map_err(|e| {
            Error::new(ErrorKind::Format, format!("wanted one JSON object: {e}")).at_line(number)
        })?;
        let fields = flatten(value).map_err(|e| e.at_line(number))?;
        for (key, value) in fields {
            let at = *index.entry(key.clone()).or_insert_with(|| {
                columns.push((key, Vec::new()));
                columns.len() - 1
            });
            if columns.len() > limits.columns_max {
                let what = format!("more than {} keys", limits.columns_max);
                return Err(Error::new(ErrorKind::TooLarge, what).at_line(number));
            }
            columns[at].1.resize(lines.len(), None);
            columns[at].1.push(cell(value));
        }
        lines.push(number);
    }
    let arrays = columns
        .into_iter()
        .map(|(key, mut cells)| {
            cells.resize(lines.len(), None);
            (key, Arc::new(StringArray::from(cells)) as ArrayRef)
        })
        .collect();
    if lines.is_empty() {
        return Err(Error::new(ErrorKind::Empty, "wanted rows, found an empty file"));
    }
    Table::new(name, arrays, Some(lines))
}

/// The text of a value, as it would stand in a CSV file.
fn cell(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Bool(b) => Some(u8::from(b).to_string()),
        other => Some(other.to_string()),
    }
}
