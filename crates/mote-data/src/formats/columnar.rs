//! Parquet and Arrow IPC files, and how the cells of typed columns are looked at.

use std::{io::Cursor, panic::AssertUnwindSafe, sync::Arc};

use arrow_array::{
    Array, ArrayRef, RecordBatch,
    cast::AsArray,
    types::{
        Date32Type, Date64Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type,
        Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
        UInt64Type,
    },
};
use arrow_schema::{ArrowError, DataType, Schema, TimeUnit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::{
    error::{Error, ErrorKind},
    source::Limits,
    table::{Cell, Table},
};

/// The magic number at the start of every Parquet file.
pub(crate) fn is_parquet(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PAR1")
}

/// The magic number at the start of every Arrow IPC file (also called Feather 2).
pub(crate) fn is_arrow(bytes: &[u8]) -> bool {
    bytes.starts_with(b"ARROW1")
}

pub(crate) fn parquet(name: &str, bytes: Vec<u8>, limits: &Limits) -> Result<Table, Error> {
    guarded("Parquet", || {
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes))
            .map_err(|e| damaged("Parquet", &e))?;
        let schema = Arc::clone(builder.schema());
        let reader = builder.build().map_err(|e| damaged("Parquet", &e))?;
        collect(name, "Parquet", &schema, reader, limits)
    })
}

pub(crate) fn arrow(name: &str, bytes: Vec<u8>, limits: &Limits) -> Result<Table, Error> {
    guarded("Arrow", || {
        let reader = arrow_ipc::reader::FileReader::try_new(Cursor::new(bytes), None)
            .map_err(|e| damaged("Arrow", &e))?;
        let schema = reader.schema();
        collect(name, "Arrow", &schema, reader, limits)
    })
}

fn damaged(format: &str, why: &dyn std::fmt::Display) -> Error {
    let what = format!("the {format} data is cut short or damaged: {why}");
    Error::new(ErrorKind::Damaged, what)
}

/// Turns a panic of the reader into an error. The Arrow libraries check most offsets in a file,
/// but some damaged ones only by an assertion, and what a file holds must not end the program.
/// Nothing outlives the closure, so no half-made state can be seen afterwards.
fn guarded(format: &str, read: impl FnOnce() -> Result<Table, Error>) -> Result<Table, Error> {
    std::panic::catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(damaged(format, &"an offset points outside the file")))
}

fn collect(
    name: &str,
    format: &str,
    schema: &Arc<Schema>,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    limits: &Limits,
) -> Result<Table, Error> {
    if schema.fields().len() > limits.columns_max {
        let what =
            format!("wanted up to {} columns, found {}", limits.columns_max, schema.fields().len());
        return Err(Error::new(ErrorKind::TooLarge, what));
    }
    let mut parts = Vec::new();
    let mut bytes = 0u64;
    for batch in batches {
        let batch = batch.map_err(|e| damaged(format, &e))?;
        bytes += batch.get_array_memory_size() as u64;
        if bytes > limits.bytes_max {
            let what = format!("more than {} bytes once unpacked", limits.bytes_max);
            return Err(Error::new(ErrorKind::TooLarge, what));
        }
        parts.push(batch);
    }
    let whole =
        arrow_select::concat::concat_batches(schema, &parts).map_err(|e| damaged(format, &e))?;
    let columns = schema
        .fields()
        .iter()
        .zip(whole.columns())
        .map(|(field, array)| {
            Ok((field.name().clone(), plain(array).map_err(|e| damaged(format, &e))?))
        })
        .collect::<Result<_, Error>>()?;
    Table::new(name, columns, None)
}

/// A dictionary (how pandas stores categories) written out, so that its cells can be looked at.
fn plain(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match array.as_any_dictionary_opt() {
        Some(dictionary) => {
            arrow_select::take::take(dictionary.values().as_ref(), dictionary.keys(), None)
        }
        None => Ok(Arc::clone(array)),
    }
}

/// How to look at a cell of this type; `None` where no sensor writes it.
pub(crate) fn reader(data_type: &DataType) -> Option<fn(&dyn Array, usize) -> Cell<'_>> {
    /// One function for each primitive type: `$as` is the Arrow type, `$cell` makes the cell.
    macro_rules! primitive {
        ($type:ty, $cell:expr) => {
            Some(|array, row| $cell(array.as_primitive::<$type>().value(row)))
        };
    }
    /// Out of range becomes missing: such instants are before 1677 or after 2262.
    fn instant(value: i64, unit_ns: i64) -> Cell<'static> {
        value.checked_mul(unit_ns).map_or(Cell::Missing, Cell::Instant)
    }
    match data_type {
        DataType::Utf8 => Some(|a, i| Cell::Text(a.as_string::<i32>().value(i).trim())),
        DataType::LargeUtf8 => Some(|a, i| Cell::Text(a.as_string::<i64>().value(i).trim())),
        DataType::Utf8View => Some(|a, i| Cell::Text(a.as_string_view().value(i).trim())),
        DataType::Boolean => Some(|a, i| Cell::Bool(a.as_boolean().value(i))),
        DataType::Int8 => primitive!(Int8Type, |v| Cell::Integer(i64::from(v))),
        DataType::Int16 => primitive!(Int16Type, |v| Cell::Integer(i64::from(v))),
        DataType::Int32 => primitive!(Int32Type, |v| Cell::Integer(i64::from(v))),
        DataType::Int64 => primitive!(Int64Type, Cell::Integer),
        DataType::UInt8 => primitive!(UInt8Type, |v| Cell::Integer(i64::from(v))),
        DataType::UInt16 => primitive!(UInt16Type, |v| Cell::Integer(i64::from(v))),
        DataType::UInt32 => primitive!(UInt32Type, |v| Cell::Integer(i64::from(v))),
        DataType::UInt64 => primitive!(UInt64Type, |v: u64| Cell::Number(v as f64)),
        DataType::Float16 => primitive!(Float16Type, |v| Cell::Number(f64::from(v))),
        DataType::Float32 => primitive!(Float32Type, |v| Cell::Number(f64::from(v))),
        DataType::Float64 => primitive!(Float64Type, Cell::Number),
        DataType::Date32 => {
            primitive!(Date32Type, |days| instant(i64::from(days), 86_400_000_000_000))
        }
        DataType::Date64 => primitive!(Date64Type, |ms| instant(ms, 1_000_000)),
        DataType::Timestamp(TimeUnit::Second, _) => {
            primitive!(TimestampSecondType, |v| instant(v, 1_000_000_000))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            primitive!(TimestampMillisecondType, |v| instant(v, 1_000_000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            primitive!(TimestampMicrosecondType, |v| instant(v, 1_000))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            primitive!(TimestampNanosecondType, |v| instant(v, 1))
        }
        _ => None,
    }
}
