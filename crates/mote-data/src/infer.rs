//! Decisions about columns: which holds the time, which the label, which are inputs and of what
//! kind. Each decision comes with the reason, so that a person can check and overrule it.

use std::fmt;

use mote_format::Schema;

use crate::{
    align::{Rules, find_pace},
    error::{Error, ErrorKind},
    overrides::{Order, Overrides},
    table::Table,
    time::{TimeFormat, Timestamp},
};

mod clock;
mod inputs;
mod label;

pub(crate) use clock::Clock;
pub(crate) use label::{Label, binary};

/// The most levels that a column of words may have before it is taken for names or free text.
/// 64 features for one column is about where learning one number for each stops paying on a small
/// device; a column named in [`Overrides::categorical`] may have [`LEVELS_GIVEN_MAX`].
pub const LEVELS_MAX: usize = 64;

/// The most levels of a column that a person declared to be categorical.
pub const LEVELS_GIVEN_MAX: usize = 1024;

/// What a column is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It orders and paces the rows.
    Time(Option<TimeFormat>),
    /// It marks anomalies.
    Label,
    /// An input of numbers.
    Numeric,
    /// An input of words out of so many levels.
    Categorical(usize),
    /// Not used.
    Ignored,
}

/// The decision about one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The column's name.
    pub column: String,
    /// What it is used for.
    pub role: Role,
    /// Why, as half a sentence.
    pub why: String,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, role, why } = self;
        match role {
            Role::Time(Some(format)) => write!(f, "{column}: time ({format}), because {why}"),
            Role::Time(None) => write!(f, "{column}: time, because {why}"),
            Role::Label => write!(f, "{column}: label, because {why}"),
            Role::Numeric => write!(f, "{column}: number, because {why}"),
            Role::Categorical(n) => write!(f, "{column}: one of {n} words, because {why}"),
            Role::Ignored => write!(f, "{column}: not used, because {why}"),
        }
    }
}

/// All decisions that training takes from its files.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The inputs and the period.
    pub schema: Schema,
    /// How rows become samples.
    pub rules: Rules,
    /// One for each column of the first file, in its order.
    pub decisions: Vec<Decision>,
    /// The pace and what the readers found out, as sentences.
    pub notes: Vec<String>,
}

impl Plan {
    /// Decides from the training files, which must hold the same inputs.
    ///
    /// Pass the training part only ([`Table::head`]), so that nothing is learned from the rest.
    ///
    /// # Errors
    ///
    /// Data that cannot be trained on: [`ErrorKind::TooFewRows`], [`ErrorKind::Constant`],
    /// [`ErrorKind::AllMissing`], [`ErrorKind::NotANumber`], [`ErrorKind::NotFinite`],
    /// [`ErrorKind::Time`], [`ErrorKind::Label`], [`ErrorKind::Columns`]; and settings that name
    /// absent columns.
    pub fn of(tables: &[Table], overrides: &Overrides) -> Result<Self, Error> {
        let Some(first) = tables.first() else {
            return Err(Error::new(ErrorKind::Empty, "wanted at least one table, found none"));
        };
        check_names(first, overrides)?;
        if tables.iter().all(|t| t.rows() < 2) {
            let what = format!("wanted at least 2 rows to train on, found {}", first.rows());
            return Err(Error::new(ErrorKind::TooFewRows, what).in_file(first.name()));
        }
        let mut times = Vec::new();
        let mut taken: Vec<Decision> = Vec::new();
        for table in tables {
            let clock = Clock::find(table, overrides)?;
            let label = Label::find(table, overrides)?;
            taken.extend(label.decisions().chain(clock.decisions()));
            taken.extend(table.recording(overrides).map(tells_apart));
            let of = clock.times(table, overrides)?.unwrap_or_default();
            match table.recordings(overrides)? {
                Some(recordings) if !of.is_empty() => times.extend(divide(of, &recordings)),
                _ => times.push(of),
            }
        }
        let (columns, decisions) = inputs::decide(tables, &taken, overrides)?;
        let (rules, pace_note) = rules(&times, overrides)?;
        let mut notes: Vec<String> = first.notes().to_vec();
        notes.push(pace_note);
        let schema = Schema { columns, period_s: rules.pace.period_s() };
        Ok(Self { schema, rules, decisions, notes })
    }
}

fn tells_apart(column: &str) -> Decision {
    let why = "it tells recordings apart".into();
    Decision { column: column.into(), role: Role::Ignored, why }
}

/// What belongs to each recording, in its order.
pub(crate) fn divide<T>(rows: Vec<T>, recordings: &[usize]) -> Vec<Vec<T>> {
    let mut parts: Vec<Vec<T>> = Vec::new();
    for (row, &recording) in rows.into_iter().zip(recordings) {
        parts.resize_with(parts.len().max(recording + 1), Vec::new);
        parts[recording].push(row);
    }
    parts
}

/// The rules that the settings and the times of all runs ask for.
fn rules(times: &[Vec<Timestamp>], overrides: &Overrides) -> Result<(Rules, String), Error> {
    let times = if overrides.order == Order::File { &[] } else { times };
    let (pace, why) = find_pace(times, overrides.period)?;
    let mut rules = Rules::new(pace);
    rules.max_gap = overrides.max_gap.unwrap_or(rules.max_gap);
    rules.lateness = overrides.lateness.unwrap_or(rules.lateness);
    Ok((rules, why))
}

/// Every column that a setting names must exist: a typing error must not pass as a decision.
fn check_names(table: &Table, overrides: &Overrides) -> Result<(), Error> {
    let Overrides { time, label, columns, drop, categorical, numeric, recording, .. } = overrides;
    let single = [time, label, recording].into_iter().flatten().filter(|name| !name.is_empty());
    let lists = [columns, drop, categorical, numeric].into_iter().flatten();
    let wanted: Vec<&str> = single.chain(lists).map(String::as_str).collect();
    // A setting may serve several kinds of file: what is to be left out need not be there.
    let absent: Vec<&str> = wanted
        .into_iter()
        .filter(|name| table.column(name).is_none() && !drop.iter().any(|d| d == name))
        .filter(|name| label.as_deref() != Some(name))
        .collect();
    if let Some(both) = categorical.iter().find(|name| numeric.contains(name)) {
        let what = "wanted either words or numbers, found this column in both settings";
        return Err(Error::new(ErrorKind::Settings, what).in_column(both));
    }
    absent_error(table, &absent)
}

/// An error that names the columns that are wanted and not there.
pub(crate) fn absent_error(table: &Table, absent: &[&str]) -> Result<(), Error> {
    use crate::error::names;
    if absent.is_empty() {
        return Ok(());
    }
    let what = format!(
        "wanted {} {}, found {}",
        if absent.len() == 1 { "a column" } else { "columns" },
        names(absent),
        names(&table.columns())
    );
    Err(Error::new(ErrorKind::Columns, what).in_file(table.name()))
}
