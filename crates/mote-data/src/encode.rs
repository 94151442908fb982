//! The rows of a table as records of a schema.

use mote_format::{Column, Kind, Schema};

use crate::{
    error::{Error, ErrorKind},
    infer::{Clock, Label, absent_error},
    overrides::Overrides,
    record::{Record, feature, one_hot},
    table::{Cell, Cells, Table},
};

/// Finds the columns of a schema by name, whatever their order in the file, and reads all rows.
///
/// # Errors
///
/// [`ErrorKind::Columns`] naming the columns that are missing and those that were found,
/// [`ErrorKind::NotANumber`], [`ErrorKind::NotFinite`], [`ErrorKind::Time`], [`ErrorKind::Label`].
pub fn records(
    table: &Table,
    schema: &Schema,
    overrides: &Overrides,
) -> Result<Vec<Record>, Error> {
    let absent: Vec<&str> = schema
        .columns
        .iter()
        .map(|c| c.name.as_str())
        .filter(|name| table.column(name).is_none())
        .collect();
    absent_error(table, &absent)?;
    let others = without_inputs(schema, overrides);
    let times = Clock::find(table, &others)?.times(table, overrides)?;
    let labels = Label::find(table, &others)?.rows;
    let mut records: Vec<Record> = (0..table.rows())
        .map(|row| Record {
            time: times.as_ref().map(|t| t[row]),
            values: vec![f32::NAN; schema.features()],
            label: labels.as_ref().map(|l| l[row]),
        })
        .collect();
    let mut offset = 0;
    for column in &schema.columns {
        fill(table, column, offset, overrides, &mut records)?;
        offset += column.kind.features();
    }
    Ok(records)
}

/// A model's input is never its clock or label, even if its name or content would make it one.
pub(crate) fn without_inputs(schema: &Schema, overrides: &Overrides) -> Overrides {
    let columns = schema.columns.iter().map(|c| c.name.clone()).collect();
    Overrides { columns, ..overrides.clone() }
}

/// Writes the features of one column, which start at `offset`, into all records.
fn fill(
    table: &Table,
    column: &Column,
    offset: usize,
    overrides: &Overrides,
    records: &mut [Record],
) -> Result<(), Error> {
    let place = |error: Error, row: usize| {
        error.at_line(table.line(row)).in_column(&column.name).in_file(table.name())
    };
    let Some(cells) = table.column(&column.name).and_then(Cells::new) else {
        let error = Error::new(ErrorKind::NotANumber, "its type holds neither numbers nor words");
        return Err(place(error, 0));
    };
    for (row, (cell, record)) in cells.iter().zip(records).enumerate() {
        let features = &mut record.values[offset..][..column.kind.features()];
        match &column.kind {
            Kind::Numeric => {
                let value = number(cell, overrides).map_err(|e| place(e, row))?;
                features[0] = value.unwrap_or(f32::NAN);
            }
            Kind::Categorical { levels } => {
                if let Some(word) = word(cell, overrides) {
                    one_hot(levels, &word, features);
                }
            }
        }
    }
    Ok(())
}

/// The number in a cell, or `None` where it is missing.
pub(crate) fn number(cell: Cell<'_>, overrides: &Overrides) -> Result<Option<f32>, Error> {
    let not_finite = |found: &str| {
        let wanted = match found.eq_ignore_ascii_case("nan") {
            true => "a finite number (`--missing NaN` takes it for a missing one)",
            false => "a finite number",
        };
        Error::wanted(ErrorKind::NotFinite, wanted, found)
    };
    let value = match cell {
        Cell::Missing => return Ok(None),
        // Before it is read as a number: `-9999` may stand for a missing value as well.
        Cell::Text(text) if overrides.is_missing(text) => return Ok(None),
        Cell::Text(text) => match text.parse::<f64>() {
            Ok(value) if value.is_finite() => value,
            Ok(_) => return Err(not_finite(text)),
            Err(_) => return Err(no_number(text)),
        },
        Cell::Number(value) if value.is_nan() && overrides.is_missing("NaN") => return Ok(None),
        Cell::Number(value) => value,
        Cell::Integer(value) => value as f64,
        Cell::Bool(value) => f64::from(u8::from(value)),
        Cell::Instant(_) => {
            return Err(Error::wanted(ErrorKind::NotANumber, "a number", "an instant"));
        }
    };
    feature(value).map(Some).ok_or_else(|| not_finite(&value.to_string()))
}

/// Signs alone, such as `-` and `?`, often stand for what is missing.
fn no_number(text: &str) -> Error {
    let kind = ErrorKind::NotANumber;
    if text.chars().any(char::is_alphanumeric) {
        return Error::wanted(kind, "a number", text);
    }
    let wanted = format!("a number (`--missing {text}` if that is what it stands for)");
    Error::wanted(kind, wanted, text)
}

/// The word in a cell, or `None` where it is missing.
pub(crate) fn word<'a>(cell: Cell<'a>, overrides: &Overrides) -> Option<std::borrow::Cow<'a, str>> {
    match cell {
        Cell::Missing | Cell::Instant(_) => None,
        Cell::Text(text) if overrides.is_missing(text) => None,
        Cell::Text(text) => Some(text.into()),
        Cell::Number(n) => Some(n.to_string().into()),
        Cell::Integer(n) => Some(n.to_string().into()),
        Cell::Bool(b) => Some(b.to_string().into()),
    }
}
