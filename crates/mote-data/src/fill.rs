//! A file with its missing cells filled: what was in it stays, and samples that no row had get rows.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray, UInt64Array};
use arrow_select::take::take;
use mote_format::{Column, Kind, Schema};

use crate::{
    encode::{number, without_inputs, word},
    error::{Error, ErrorKind},
    infer::Clock,
    overrides::Overrides,
    record::shortest,
    series::Series,
    table::{Cells, Table},
    write::Values,
};

/// What a series becomes once its holes are filled.
#[derive(Clone, Copy, Debug)]
pub struct Filling<'a> {
    /// `(samples, features)`; NaN where nothing is known still.
    pub values: &'a [f32],
    /// Lower and upper ends of the range of each filled value, likewise; NaN elsewhere.
    pub range: Option<[&'a [f32]; 2]>,
}

/// What of the columns of the model stays as the file says it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Observed,
    Nothing,
}

/// One row of the filled table: the row of the file that it is, and the sample that it belongs to.
#[derive(Clone, Copy)]
struct Line {
    row: Option<usize>,
    sample: Option<usize>,
}

impl Table {
    /// This table with the missing cells of the columns of `schema` filled. `series` is what it was
    /// aligned to. Each row keeps its place and all that it says; samples between rows get a row of
    /// their own behind the row before them, and if there are any, times are written as ISO 8601.
    /// Ranges become columns `…_lower` and `…_upper`, empty where nothing was filled.
    ///
    /// # Errors
    ///
    /// As for reading, and [`ErrorKind::Header`] where a column of ranges has the name of another.
    ///
    /// # Panics
    ///
    /// If the filling does not fit the series.
    pub fn filled(
        &self,
        schema: &Schema,
        overrides: &Overrides,
        series: &Series,
        filling: Filling<'_>,
    ) -> Result<Self, Error> {
        self.answered(schema, overrides, series, (filling, Keep::Observed))
    }

    /// As [`Self::filled`], but what was observed is replaced as well.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// As there.
    pub fn replaced(
        &self,
        schema: &Schema,
        overrides: &Overrides,
        series: &Series,
        filling: Filling<'_>,
    ) -> Result<Self, Error> {
        self.answered(schema, overrides, series, (filling, Keep::Nothing))
    }

    fn answered(
        &self,
        schema: &Schema,
        overrides: &Overrides,
        series: &Series,
        (filling, keep): (Filling<'_>, Keep),
    ) -> Result<Self, Error> {
        assert_eq!(filling.values.len(), series.values().len(), "a value for each of the series");
        let lines = lines(series);
        let mut columns = Vec::new();
        let clock = Clock::find(self, &without_inputs(schema, overrides))?;
        let is_added = lines.iter().any(|line| line.row.is_none());
        for name in self.columns() {
            let of_model = schema.columns.iter().position(|c| c.name == name);
            let array = match of_model {
                Some(i) => {
                    self.filled_column(&schema.columns[i], overrides, (&lines, keep), |sample| {
                        features(schema, i, sample, filling.values)
                    })?
                }
                None if is_added && clock.column() == Some(name) => times(series, &lines),
                None => self.kept_column(name, &lines)?,
            };
            columns.push((name.to_owned(), array));
        }
        for (i, column) in schema.columns.iter().enumerate() {
            for (range, ending) in filling.range.iter().flatten().zip(["lower", "upper"]) {
                if column.kind == Kind::Numeric {
                    let of = |line: &Line| match line.sample {
                        Some(sample) => shortest(features(schema, i, sample, range)[0]),
                        None => f64::NAN,
                    };
                    let values = Values::Numbers(lines.iter().map(of).collect());
                    columns.push((format!("{}_{ending}", column.name), values.into()));
                }
            }
        }
        Self::new(self.name(), columns, None)
    }

    /// A column of the model: what the file says, and else what was filled in.
    fn filled_column<'v>(
        &self,
        column: &Column,
        overrides: &Overrides,
        (lines, keep): (&[Line], Keep),
        filled: impl Fn(usize) -> &'v [f32],
    ) -> Result<ArrayRef, Error> {
        let Some(cells) = self.column(&column.name).and_then(Cells::new) else {
            let what = "its type holds neither numbers nor words";
            return Err(Error::new(ErrorKind::NotANumber, what).in_column(&column.name));
        };
        let cell = |line: &Line| match keep {
            Keep::Observed => line.row.map(|row| cells.get(row)),
            Keep::Nothing => None,
        };
        Ok(match &column.kind {
            Kind::Numeric => {
                let value = |line: &Line| {
                    let known = cell(line).and_then(|cell| {
                        let said = number(cell, overrides).ok().flatten()?;
                        Some(cell.exact().unwrap_or_else(|| shortest(said)))
                    });
                    let drawn = || line.sample.map_or(f64::NAN, |s| shortest(filled(s)[0]));
                    known.unwrap_or_else(drawn)
                };
                Values::Numbers(lines.iter().map(value).collect()).into()
            }
            Kind::Categorical { levels } => {
                let value = |line: &Line| {
                    let known =
                        cell(line).and_then(|cell| word(cell, overrides).map(|w| w.into_owned()));
                    known.or_else(|| {
                        let at = filled(line.sample?).iter().position(|&f| f > 0.5)?;
                        Some(levels[at].clone())
                    })
                };
                Values::Words(lines.iter().map(value).collect()).into()
            }
        })
    }

    /// A column that the model does not know, empty in rows that are added.
    fn kept_column(&self, name: &str, lines: &[Line]) -> Result<ArrayRef, Error> {
        let rows: UInt64Array = lines.iter().map(|line| line.row.map(|r| r as u64)).collect();
        let array = self.column(name).expect("a name of this table");
        take(array.as_ref(), &rows, None).map_err(|e| {
            Error::new(ErrorKind::Format, e.to_string()).in_column(name).in_file(self.name())
        })
    }
}

/// All rows in the order of the file, each sample without one behind the last row of the one before.
fn lines(series: &Series) -> Vec<Line> {
    let rows = series.sample_of_row();
    let mut last_row = vec![None; series.len()];
    for (row, sample) in rows.iter().enumerate() {
        if let Some(sample) = *sample {
            last_row[sample] = Some(row);
        }
    }
    let mut lines = Vec::with_capacity(rows.len());
    for (row, &sample) in rows.iter().enumerate() {
        lines.push(Line { row: Some(row), sample });
        let Some(sample) = sample.filter(|&s| last_row[s] == Some(row)) else { continue };
        let added = (sample + 1..series.len()).take_while(|&s| last_row[s].is_none());
        lines.extend(added.map(|s| Line { row: None, sample: Some(s) }));
    }
    lines
}

/// The times of samples.
fn times(series: &Series, lines: &[Line]) -> ArrayRef {
    let time = |line: &Line| Some(series.times()?[line.sample?].to_string());
    Arc::new(lines.iter().map(time).collect::<StringArray>())
}

/// The features of a column in a sample.
fn features<'v>(schema: &Schema, column: usize, sample: usize, values: &'v [f32]) -> &'v [f32] {
    let first: usize = schema.columns[..column].iter().map(|c| c.kind.features()).sum();
    &values[sample * schema.features() + first..][..schema.columns[column].kind.features()]
}
