//! Tables whose rows are recordings: each row becomes a run, each of its fields a sample.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, UInt32Array};

use crate::{
    error::{Error, ErrorKind},
    overrides::Overrides,
    table::Table,
};

/// The column that tells recordings apart, and the one of samples.
const ROW: &str = "row";
const VALUE: &str = "value";

/// Turns rows into recordings of one column, `value`. The label and columns of words, which a setting
/// must name, hold for all samples of their row; columns that a setting drops are left out.
///
/// # Errors
///
/// [`ErrorKind::Columns`] where no field is left, [`ErrorKind::Header`] where fields are of several
/// types, [`ErrorKind::TooLarge`].
pub(crate) fn unfold(table: Table, overrides: &Overrides) -> Result<Table, Error> {
    let dropped = |n: &str| overrides.drop.iter().any(|d| d == n);
    let kept = |n: &str| {
        overrides.label.as_deref() == Some(n) || overrides.categorical.iter().any(|c| c == n)
    };
    let names: Vec<&str> = table.columns();
    let fields: Vec<&dyn Array> = names
        .iter()
        .filter(|n| !dropped(n) && !kept(n))
        .filter_map(|n| table.column(n).map(AsRef::as_ref))
        .collect();
    let wrong = |kind, what: String| Error::new(kind, what).in_file(table.name());
    if fields.is_empty() {
        return Err(wrong(ErrorKind::Columns, "wanted a field for each sample, found none".into()));
    }
    let (rows, samples) = (table.rows(), fields.len());
    let cells = rows.checked_mul(samples).and_then(|n| u32::try_from(n).ok()).ok_or_else(|| {
        let what = format!("wanted fewer than 2^32 samples, found {rows} rows of {samples}");
        wrong(ErrorKind::TooLarge, what)
    })?;
    let arrow = |e: arrow_schema::ArrowError| wrong(ErrorKind::Header, e.to_string());
    let by_field = arrow_select::concat::concat(&fields).map_err(arrow)?;
    let of = |cell: u32| (cell / samples as u32, cell % samples as u32);
    let by_row = UInt32Array::from_iter_values((0..cells).map(|cell| {
        let (row, sample) = of(cell);
        sample * rows as u32 + row
    }));
    let repeat = UInt32Array::from_iter_values((0..cells).map(|cell| of(cell).0));
    let take =
        |a: &dyn Array, at: &UInt32Array| arrow_select::take::take(a, at, None).map_err(arrow);
    let row: ArrayRef =
        Arc::new(UInt32Array::from_iter_values(repeat.values().iter().map(|r| r + 1)));
    let mut columns = vec![(ROW.to_owned(), row), (VALUE.to_owned(), take(&by_field, &by_row)?)];
    for name in names.iter().filter(|n| kept(n) && !dropped(n)) {
        if let Some(column) = table.column(name) {
            columns.push(((*name).to_owned(), take(column, &repeat)?));
        }
    }
    let lines = repeat.values().iter().map(|&row| table.line(row as usize)).collect();
    let unfolded = Table::new(table.name(), columns, Some(lines))?;
    let note = format!("each row is a recording of {samples} samples");
    let notes = table.notes().iter().cloned().chain([note]);
    Ok(notes.fold(unfolded, Table::with_note).of_recordings(ROW))
}
