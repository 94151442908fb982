//! Which columns are inputs, and whether they hold numbers or words.

use std::collections::BTreeSet;

use mote_format::{Column, Kind};

use super::{Decision, LEVELS_GIVEN_MAX, LEVELS_MAX, Role, absent_error};
use crate::{
    error::{Error, ErrorKind, names},
    overrides::{Constant, Overrides},
    table::{Cell, Cells, Table},
};

/// From this share of numbers on, a column is one of numbers and every other text in it a mistake
/// that must be named. Real logs spoil a few cells at most; a column that is words for more than
/// a tenth of its rows was never meant as a measurement.
const NUMBERS_MIN: f64 = 0.9;

/// Names of columns that only number the rows, lower case.
const ROW_NAMES: [&str; 10] =
    ["row", "index", "idx", "id", "no", "nr", "#", "row_id", "rowid", "unnamed: 0"];

/// Decides about every column of the first table, with the others as more of its rows.
/// `taken` holds the decisions about time and labels.
pub(super) fn decide(
    tables: &[Table],
    taken: &[Decision],
    overrides: &Overrides,
) -> Result<(Vec<Column>, Vec<Decision>), Error> {
    let Some(first) = tables.first() else { return Ok((Vec::new(), Vec::new())) };
    let (mut columns, mut decisions, mut constant) = (Vec::new(), Vec::new(), Vec::new());
    for name in first.columns() {
        let (kind, decision) = match taken.iter().find(|d| d.column == name) {
            Some(decision) => (None, decision.clone()),
            None => one(tables, name, overrides, &mut constant)?,
        };
        columns.extend(kind.map(|kind| Column { name: name.into(), kind }));
        decisions.push(decision);
    }
    refuse_constant(first, &constant)?;
    for table in &tables[1..] {
        let absent: Vec<&str> = columns
            .iter()
            .map(|c| c.name.as_str())
            .filter(|name| table.column(name).is_none())
            .collect();
        absent_error(table, &absent)?;
    }
    if columns.is_empty() {
        let what = format!("wanted a column to learn from, found {}", names(&first.columns()));
        return Err(Error::new(ErrorKind::Columns, what).in_file(first.name()));
    }
    Ok((columns, decisions))
}

/// The kind of one column, if it is an input, and the decision about it. A constant column that
/// is to be refused is noted with its value, so that the error can name all of them at once.
fn one(
    tables: &[Table],
    name: &str,
    overrides: &Overrides,
    constant: &mut Vec<(String, String)>,
) -> Result<(Option<Kind>, Decision), Error> {
    let decided = |role, why: &str| Decision { column: name.into(), role, why: why.into() };
    let listed = |list: &[String]| list.iter().any(|c| c == name);
    if listed(&overrides.drop) {
        return Ok((None, decided(Role::Ignored, "it was dropped by a setting")));
    }
    if !overrides.columns.is_empty() && !listed(&overrides.columns) {
        return Ok((None, decided(Role::Ignored, "it is not among the columns to keep")));
    }
    let wanted = listed(&overrides.columns) || listed(&overrides.numeric);
    if !wanted && !listed(&overrides.categorical) && numbers_rows(tables, name) {
        return Ok((None, decided(Role::Ignored, "it only numbers the rows")));
    }
    let Some(seen) = Seen::of(tables, name, overrides) else {
        return Ok((None, decided(Role::Ignored, "its type holds neither numbers nor words")));
    };
    if seen.present == 0 {
        let what = format!("every value is missing; leave the column out with `--drop {name}`");
        let error = Error::new(ErrorKind::AllMissing, what);
        return Err(error.in_column(name).in_file(tables[0].name()));
    }
    let numeric = listed(&overrides.numeric)
        || (!listed(&overrides.categorical)
            && seen.numbers as f64 >= NUMBERS_MIN * seen.present as f64);
    if let Some(value) = seen.constant(numeric) {
        match overrides.constant {
            Constant::Keep => {}
            Constant::Drop => {
                let why = format!("it has one value only, `{value}`");
                return Ok((None, decided(Role::Ignored, &why)));
            }
            Constant::Refuse => constant.push((name.into(), value)),
        }
    }
    if numeric {
        seen.check_numbers(tables, name, overrides)?;
        let why = format!("{} of its {} values are numbers", seen.numbers, seen.present);
        return Ok((Some(Kind::Numeric), decided(Role::Numeric, &why)));
    }
    let levels: Vec<String> = seen.levels.into_iter().collect();
    let given = listed(&overrides.categorical);
    if given && levels.len() > LEVELS_GIVEN_MAX {
        let what = format!("wanted at most {LEVELS_GIVEN_MAX} different words, found more");
        let error = Error::new(ErrorKind::TooLarge, what);
        return Err(error.in_column(name).in_file(tables[0].name()));
    }
    if !given && levels.len() > LEVELS_MAX {
        let why = format!("it has more than {LEVELS_MAX} different words, as names or notes do");
        return Ok((None, decided(Role::Ignored, &why)));
    }
    let why = if given { "it was named as one of words" } else { "most of its values are words" };
    let role = Role::Categorical(levels.len());
    Ok((Some(Kind::Categorical { levels }), decided(role, why)))
}

fn refuse_constant(table: &Table, constant: &[(String, String)]) -> Result<(), Error> {
    let Some((name, value)) = constant.first() else { return Ok(()) };
    let others: Vec<&str> = constant[1..].iter().map(|(name, _)| name.as_str()).collect();
    let all: Vec<&str> = constant.iter().map(|(name, _)| name.as_str()).collect();
    let also = match others.len() {
        0 => String::new(),
        _ => format!(" (as have {})", names(&others)),
    };
    let what = format!(
        "every row has one value, `{value}`{also}, so there is nothing to learn; use `--drop {}` \
         or `--constant keep`",
        all.join(",")
    );
    Err(Error::new(ErrorKind::Constant, what).in_column(name).in_file(table.name()))
}

/// Whether a column with a telling name counts 1, 2, 3 from any start, in each file.
fn numbers_rows(tables: &[Table], name: &str) -> bool {
    if !ROW_NAMES.contains(&name.to_ascii_lowercase().as_str()) {
        return false;
    }
    tables.iter().filter_map(|t| t.column(name)).all(|array| {
        let Some(cells) = Cells::new(array) else { return false };
        let numbers: Option<Vec<i64>> = cells
            .iter()
            .map(|cell| match cell {
                Cell::Text(text) => text.parse().ok(),
                Cell::Integer(n) => Some(n),
                _ => None,
            })
            .collect();
        numbers.is_some_and(|n| n.windows(2).all(|w| w[1].checked_sub(w[0]) == Some(1)))
    })
}

/// What the cells of one column hold, over all tables.
#[derive(Default)]
struct Seen {
    present: usize,
    numbers: usize,
    min: f64,
    max: f64,
    /// At most one more than [`LEVELS_GIVEN_MAX`].
    levels: BTreeSet<String>,
}

impl Seen {
    /// `None` for a type that is never an input.
    fn of(tables: &[Table], name: &str, overrides: &Overrides) -> Option<Self> {
        let mut seen = Self { min: f64::INFINITY, max: f64::NEG_INFINITY, ..Self::default() };
        for array in tables.iter().filter_map(|t| t.column(name)) {
            for cell in Cells::new(array)?.iter() {
                match cell {
                    Cell::Missing => {}
                    Cell::Text(text) if overrides.is_missing(text) => {}
                    Cell::Text(text) => {
                        match text.parse::<f64>() {
                            Ok(number) => seen.number(number),
                            Err(_) => seen.present += 1,
                        }
                        if seen.levels.len() <= LEVELS_GIVEN_MAX && !seen.levels.contains(text) {
                            seen.levels.insert(text.into());
                        }
                    }
                    Cell::Number(n) => seen.number(n),
                    Cell::Integer(n) => seen.number(n as f64),
                    Cell::Bool(b) => seen.number(f64::from(u8::from(b))),
                    Cell::Instant(_) => return None,
                }
            }
        }
        Some(seen)
    }

    fn number(&mut self, number: f64) {
        self.present += 1;
        self.numbers += 1;
        self.min = self.min.min(number);
        self.max = self.max.max(number);
    }

    /// The only value there is, as text.
    fn constant(&self, numeric: bool) -> Option<String> {
        if numeric {
            (self.min == self.max && self.numbers == self.present).then(|| self.min.to_string())
        } else {
            self.levels.first().filter(|_| self.levels.len() == 1).cloned()
        }
    }

    /// Finds the first cell that is no finite number, if there can be one.
    fn check_numbers(
        &self,
        tables: &[Table],
        name: &str,
        overrides: &Overrides,
    ) -> Result<(), Error> {
        for table in tables {
            let Some(cells) = table.column(name).and_then(Cells::new) else { continue };
            for (row, cell) in cells.iter().enumerate() {
                crate::encode::number(cell, overrides).map_err(|e| {
                    e.at_line(table.line(row)).in_column(name).in_file(table.name())
                })?;
            }
        }
        Ok(())
    }
}
