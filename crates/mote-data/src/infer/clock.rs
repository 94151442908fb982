//! Which column of a file holds the time, and how it is written.

use arrow_array::ArrayRef;

use super::{Decision, Role};
use crate::{
    error::{Error, ErrorKind, names},
    overrides::Overrides,
    table::{Cell, Cells, Table},
    time::{self, TimeFormat, Timestamp},
};

/// Where the times of one file come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Clock {
    column: Option<TimeColumn>,
    /// Columns that are about time but cannot order the rows; they are no inputs either.
    unfit: Vec<Decision>,
}

#[derive(Clone, Debug, PartialEq)]
struct TimeColumn {
    decision: Decision,
    /// `None` where the file stores instants.
    format: Option<TimeFormat>,
}

/// Names of time columns, lower case, without units.
const NAMES: [&str; 12] = [
    "timestamp",
    "datetime",
    "date_time",
    "time",
    "date",
    "ts",
    "t",
    "epoch",
    "seconds",
    "elapsed",
    "timestamp_utc",
    "time_stamp",
];

/// If fewer than half of the rows have a time of their own, the column is too coarse to order
/// them (a date without the clock, say), and to join rows of one time would lose most of the data.
const DISTINCT_MIN: f64 = 0.5;

impl Clock {
    /// Takes the column that the settings name, else the first that is named or written like time.
    pub(crate) fn find(table: &Table, overrides: &Overrides) -> Result<Self, Error> {
        match overrides.time.as_deref() {
            Some("") => return Ok(Self::default()),
            Some(name) => return Self::given(table, name, overrides),
            None => {}
        }
        let mut clock = Self::default();
        for (name, array) in candidates(table, overrides) {
            let named = is_named(name);
            let why = if named { "of its name and content" } else { "all its values are times" };
            let Some(column) = column(table, name, array, overrides, why)? else {
                // Numbers under such a name may be anything, `t` a temperature; words can only
                // be a time that is not understood.
                if is_words(array, overrides) {
                    let why = "its name says time, but its format is not known; `--time` and \
                               `--time-format` say it";
                    clock.leave_out(name, why.into());
                }
                continue;
            };
            match column.coarse(table, overrides)? {
                Some(why) => clock.leave_out(name, why),
                None => return Ok(Self { column: Some(column), ..clock }),
            }
        }
        Ok(clock)
    }

    fn given(table: &Table, name: &str, overrides: &Overrides) -> Result<Self, Error> {
        let Some(array) = table.column(name) else {
            let what = format!("wanted this column, found {}", names(&table.columns()));
            let error = Error::new(ErrorKind::Columns, what);
            return Err(error.in_column(name).in_file(table.name()));
        };
        match column(table, name, array, overrides, "it was named as the time")? {
            Some(column) => Ok(Self { column: Some(column), unfit: Vec::new() }),
            None => Err(unreadable(table, name, array, overrides)),
        }
    }

    fn leave_out(&mut self, name: &str, why: String) {
        self.unfit.push(Decision { column: name.into(), role: Role::Ignored, why });
    }

    /// The name of the column.
    pub(crate) fn column(&self) -> Option<&str> {
        self.column.as_ref().map(|c| c.decision.column.as_str())
    }

    pub(crate) fn decisions(&self) -> impl Iterator<Item = Decision> + '_ {
        self.column.iter().map(|c| &c.decision).chain(&self.unfit).cloned()
    }

    /// The time of each row; `None` where rows are only counted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Time`] for the first cell that is missing or cannot be read.
    pub(crate) fn times(
        &self,
        table: &Table,
        overrides: &Overrides,
    ) -> Result<Option<Vec<Timestamp>>, Error> {
        self.column.as_ref().map(|c| c.times(table, overrides)).transpose()
    }
}

impl TimeColumn {
    fn times(&self, table: &Table, overrides: &Overrides) -> Result<Vec<Timestamp>, Error> {
        let Self { decision, format } = self;
        let name = decision.column.as_str();
        let Some(cells) = table.column(name).and_then(Cells::new) else { return Ok(Vec::new()) };
        let read = |(row, cell): (usize, Cell<'_>)| {
            let found = match cell {
                Cell::Text(text) if !overrides.is_missing(text) => text.to_owned(),
                Cell::Text(_) | Cell::Missing => String::new(),
                Cell::Number(n) => n.to_string(),
                Cell::Integer(n) => n.to_string(),
                Cell::Bool(b) => b.to_string(),
                Cell::Instant(ns) => return Ok(Timestamp(ns)),
            };
            let time = match (format, cell) {
                (Some(format), Cell::Integer(n)) => format.of_integer(n),
                (Some(format), Cell::Number(n)) => format.of_number(n),
                (Some(format), _) => format.parse(&found),
                (None, _) => None,
            };
            time.ok_or_else(|| {
                let wanted = match format {
                    Some(format) => format!("a time ({format}, years 1677 to 2262)"),
                    None => "a time".into(),
                };
                Error::wanted(ErrorKind::Time, wanted, &found)
                    .at_line(table.line(row))
                    .in_column(name)
                    .in_file(table.name())
            })
        };
        cells.iter().enumerate().map(read).collect()
    }

    /// Why it is too coarse to order the rows, if it is.
    fn coarse(&self, table: &Table, overrides: &Overrides) -> Result<Option<String>, Error> {
        let mut times = self.times(table, overrides)?;
        times.sort_unstable();
        times.dedup();
        if times.len() as f64 >= DISTINCT_MIN * table.rows() as f64 {
            return Ok(None);
        }
        Ok(Some(format!(
            "it looks like time, but {} rows share {} times; `--time {}` takes it nevertheless",
            table.rows(),
            times.len(),
            self.decision.column
        )))
    }
}

/// Columns named like time first, then those that store instants or may be written like times.
fn candidates<'a>(table: &'a Table, overrides: &Overrides) -> Vec<(&'a str, &'a ArrayRef)> {
    let all: Vec<(&str, &ArrayRef)> = table
        .columns()
        .into_iter()
        .filter(|name| !overrides.drop.iter().any(|d| d == name))
        .filter(|name| !overrides.columns.iter().any(|c| c == name))
        .filter(|name| !overrides.numeric.iter().chain(&overrides.categorical).any(|c| c == name))
        .filter_map(|name| table.column(name).map(|array| (name, array)))
        .collect();
    let named = all.iter().copied().filter(|(name, _)| is_named(name));
    let written = all.iter().copied().filter(|(name, array)| {
        let Some(cells) = Cells::new(array) else { return false };
        let first = cells.iter().find(|c| *c != Cell::Missing);
        !is_named(name)
            && match first {
                Some(Cell::Instant(_)) => true,
                Some(Cell::Text(t)) => !matches!(time::guess(std::iter::once((0, t))), Ok(None)),
                _ => false,
            }
    });
    named.chain(written).collect()
}

fn is_named(name: &str) -> bool {
    NAMES.contains(&bare(name).as_str())
}

/// Whether any cell is text that is no number.
fn is_words(array: &ArrayRef, overrides: &Overrides) -> bool {
    Cells::new(array).is_some_and(|cells| {
        cells.iter().any(|cell| match cell {
            Cell::Text(text) => !overrides.is_missing(text) && text.parse::<f64>().is_err(),
            _ => false,
        })
    })
}

/// A name without case, blanks and the unit at its end.
fn bare(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase().replace([' ', '-'], "_");
    let name = name.split(['(', '[']).next().unwrap_or_default().trim_end_matches('_').to_owned();
    for unit in ["_seconds", "_sec", "_s", "_ms", "_us", "_ns"] {
        if let Some(bare) = name.strip_suffix(unit) {
            return bare.to_owned();
        }
    }
    name
}

/// The time column that this is, or `None` where it holds something else.
fn column(
    table: &Table,
    name: &str,
    array: &ArrayRef,
    overrides: &Overrides,
    why: &str,
) -> Result<Option<TimeColumn>, Error> {
    let Some(cells) = Cells::new(array) else { return Ok(None) };
    let clock = |format: Option<TimeFormat>, why: String| {
        let role = Role::Time(format.clone());
        let decision = Decision { column: name.into(), role, why };
        Ok(Some(TimeColumn { decision, format }))
    };
    if cells.iter().any(|c| matches!(c, Cell::Instant(_))) {
        return clock(None, "the file stores instants in it".into());
    }
    if let Some(format) = &overrides.time_format {
        return clock(Some(format.clone()), format!("{why}, in the given format"));
    }
    let present = || {
        cells.iter().enumerate().filter_map(|(row, cell)| match cell {
            Cell::Text(text) if !overrides.is_missing(text) => Some((row, text)),
            _ => None,
        })
    };
    match time::guess(present()) {
        Ok(Some(format)) => return clock(Some(format), why.into()),
        Ok(None) => {}
        Err((row, error)) => {
            return Err(error.at_line(table.line(row)).in_column(name).in_file(table.name()));
        }
    }
    match numbers(&cells, overrides) {
        Some((min, max)) => {
            let (format, unit) = time::guess_unit(name, min, max);
            clock(Some(format), format!("{why}, and {unit}"))
        }
        None => Ok(None),
    }
}

/// The least and greatest value, if all cells are numbers that mostly count up.
fn numbers(cells: &Cells<'_>, overrides: &Overrides) -> Option<(f64, f64)> {
    let mut values = Vec::with_capacity(cells.len());
    for cell in cells.iter() {
        match cell {
            Cell::Text(text) if overrides.is_missing(text) => {}
            Cell::Text(text) => values.push(text.parse::<f64>().ok().filter(|v| v.is_finite())?),
            Cell::Number(n) => values.push(n),
            Cell::Integer(n) => values.push(n as f64),
            Cell::Missing => {}
            Cell::Bool(_) | Cell::Instant(_) => return None,
        }
    }
    let up = values.windows(2).filter(|w| w[1] >= w[0]).count();
    let counts_up = values.len() > 1 && up * 2 > values.len() - 1;
    let min = values.iter().copied().fold(f64::INFINITY, f64::min);
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (counts_up && max > min).then_some((min, max))
}

fn unreadable(table: &Table, name: &str, array: &ArrayRef, overrides: &Overrides) -> Error {
    let first = Cells::new(array).and_then(|cells| {
        let row = cells.iter().position(|c| match c {
            Cell::Text(text) => !overrides.is_missing(text),
            other => other != Cell::Missing,
        })?;
        match cells.get(row) {
            Cell::Text(text) => Some((row, text.to_owned())),
            _ => None,
        }
    });
    let (row, found) = first.unwrap_or_default();
    let wanted = "times whose format can be told (else say it with `--time-format`)";
    Error::wanted(ErrorKind::Time, wanted, &found)
        .at_line(table.line(row))
        .in_column(name)
        .in_file(table.name())
}
