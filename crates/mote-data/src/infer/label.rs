//! Which column marks anomalies. Found by name only: a 0/1 column may just as well be a valve.

use super::{Decision, Role};
use crate::{
    error::{Error, ErrorKind},
    overrides::Overrides,
    table::{Cell, Cells, Table},
};

/// The label of one file, and the columns that must not become inputs because they give it away.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Label {
    /// For each row whether it is an anomaly, where that is known.
    pub(crate) rows: Option<Vec<bool>>,
    /// The label column first.
    decisions: Vec<Decision>,
}

/// Names of label columns, lower case, most telling first.
const NAMES: [&str; 12] = [
    "anomaly",
    "is_anomaly",
    "anomalous",
    "anomaly_label",
    "label",
    "labels",
    "is_attack",
    "attack",
    "outlier",
    "is_outlier",
    "changepoint",
    "change_point",
];

impl Label {
    pub(crate) fn find(table: &Table, overrides: &Overrides) -> Result<Self, Error> {
        let mut label = Self::default();
        let given = overrides.label.as_deref();
        if let Some(name) = given.filter(|name| table.column(name).is_some()) {
            label.rows = Some(read(table, name, overrides)?);
            label.decide(name, Role::Label, "it was named as the label");
        }
        for name in by_name(table, overrides) {
            if label.decisions.iter().any(|d| d.column == name) {
                continue;
            }
            if given.is_none() && label.rows.is_none() && table.labels().is_none() {
                match read(table, name, overrides) {
                    Ok(rows) => {
                        label.rows = Some(rows);
                        label.decide(name, Role::Label, "of its name, and it holds only 0 and 1");
                    }
                    Err(_) => {
                        let why = "its name says that it marks anomalies, but not with 0 and 1; \
                                   `--label` and `--normal` say how";
                        label.decide(name, Role::Ignored, why);
                    }
                }
            } else {
                let why = "its name says that it marks anomalies, which an input must not tell";
                label.decide(name, Role::Ignored, why);
            }
        }
        if let Some(rows) = table.labels() {
            label.rows = Some(rows.to_vec());
        }
        Ok(label)
    }

    pub(crate) fn decisions(&self) -> impl Iterator<Item = Decision> + '_ {
        self.decisions.iter().cloned()
    }

    fn decide(&mut self, name: &str, role: Role, why: &str) {
        self.decisions.push(Decision { column: name.into(), role, why: why.into() });
    }
}

/// Columns with a telling name, unless the settings make them inputs.
fn by_name<'a>(table: &'a Table, overrides: &Overrides) -> Vec<&'a str> {
    let given = |name: &str| {
        let inputs = overrides.columns.iter().chain(&overrides.numeric);
        inputs.chain(&overrides.categorical).any(|c| c == name)
    };
    let columns = table.columns();
    NAMES
        .iter()
        .flat_map(|&wanted| {
            columns.iter().copied().filter(move |name| name.eq_ignore_ascii_case(wanted))
        })
        .filter(|name| !given(name) && !overrides.drop.iter().any(|d| d == name))
        .collect()
}

/// The label of each row.
fn read(table: &Table, name: &str, overrides: &Overrides) -> Result<Vec<bool>, Error> {
    let error = |row: usize, wanted: &str, found: &str| {
        Error::wanted(ErrorKind::Label, wanted, found)
            .at_line(table.line(row))
            .in_column(name)
            .in_file(table.name())
    };
    let Some(cells) = table.column(name).and_then(Cells::new) else {
        return Err(error(0, "0 or 1", "values of another type"));
    };
    let one = |(row, cell)| {
        let text = match cell {
            Cell::Text(text) => text.to_owned(),
            Cell::Number(n) => n.to_string(),
            Cell::Integer(n) => n.to_string(),
            Cell::Bool(b) => b.to_string(),
            Cell::Missing | Cell::Instant(_) => String::new(),
        };
        if overrides.normal.is_empty() {
            return binary(&text).ok_or_else(|| error(row, "0 or 1", &text));
        }
        let normal = overrides.normal.iter().any(|n| n.trim() == text);
        if !normal && overrides.is_missing(&text) {
            return Err(error(row, "a label", &text));
        }
        Ok(!normal)
    };
    cells.iter().enumerate().map(one).collect()
}

/// 0 or 1, however a tool wrote it.
pub(crate) fn binary(text: &str) -> Option<bool> {
    match text.parse::<f64>() {
        Ok(0.0) => Some(false),
        Ok(1.0) => Some(true),
        Ok(_) => None,
        Err(_) if text.eq_ignore_ascii_case("true") => Some(true),
        Err(_) if text.eq_ignore_ascii_case("false") => Some(false),
        Err(_) => None,
    }
}
