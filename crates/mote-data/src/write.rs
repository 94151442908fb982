//! Tables to files: CSV, JSON lines and Parquet.

use std::{path::Path, sync::Arc};

use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray};
use parquet::arrow::ArrowWriter;
use serde_json::{Map, Value};

use crate::{
    error::{Error, ErrorKind},
    table::{Cell, Cells, Table},
    time::Timestamp,
};

/// What a table is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Commas, a header, and quotes where they are needed.
    Csv,
    /// An object a line.
    JsonLines,
    /// Parquet, compressed with Snappy.
    Parquet,
}

impl Format {
    /// The format that the ending of a file's name asks for.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Settings`] naming the endings that there are.
    pub fn of(path: &Path) -> Result<Self, Error> {
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("csv") => Ok(Self::Csv),
            Some("jsonl" | "ndjson") => Ok(Self::JsonLines),
            Some("parquet") => Ok(Self::Parquet),
            _ => {
                let wanted = "a name that ends in .csv, .jsonl, .ndjson or .parquet";
                let found = path.display().to_string();
                Err(Error::wanted(ErrorKind::Settings, wanted, &found))
            }
        }
    }

    /// The ending of files of this format.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::Parquet => "parquet",
        }
    }
}

/// The values of a column of a table that is made to be written.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Whole numbers.
    Integers(Vec<i64>),
    /// Numbers; what is not finite is missing.
    Numbers(Vec<f64>),
    /// Words.
    Words(Vec<Option<String>>),
}

impl From<Values> for ArrayRef {
    fn from(values: Values) -> Self {
        match values {
            Values::Integers(values) => Arc::new(Int64Array::from(values)),
            Values::Numbers(values) => {
                let known = values.into_iter().map(|v| v.is_finite().then_some(v));
                Arc::new(known.collect::<Float64Array>())
            }
            Values::Words(values) => Arc::new(StringArray::from(values)),
        }
    }
}

impl Table {
    /// A table of columns that hold one value a row.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Header`] where two columns share a name or lengths differ, [`ErrorKind::Empty`]
    /// without a row.
    pub fn of_values(
        name: impl Into<String>,
        columns: Vec<(String, Values)>,
    ) -> Result<Self, Error> {
        Self::new(name, columns.into_iter().map(|(n, v)| (n, v.into())).collect(), None)
    }

    /// The bytes of a file that holds it. Reading them gives the same values.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`] for a column of a type that no sensor writes.
    pub fn to_bytes(&self, format: Format) -> Result<Vec<u8>, Error> {
        match format {
            Format::Csv => self.csv(),
            Format::JsonLines => self.json_lines(),
            Format::Parquet => self.parquet(),
        }
    }

    fn cells(&self) -> Result<Vec<Cells<'_>>, Error> {
        let of = |(name, array)| {
            Cells::new(array).ok_or_else(|| {
                let what = "its type holds neither numbers nor words";
                Error::new(ErrorKind::Format, what).in_column(name).in_file(self.name())
            })
        };
        self.columns().into_iter().zip(self.batch().columns()).map(of).collect()
    }

    fn csv(&self) -> Result<Vec<u8>, Error> {
        let cells = self.cells()?;
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        let error = |e: ::csv::Error| Error::new(ErrorKind::Format, e.to_string());
        writer.write_record(self.columns()).map_err(error)?;
        for row in 0..self.rows() {
            writer.write_record(cells.iter().map(|c| text(c.get(row)))).map_err(error)?;
        }
        writer.into_inner().map_err(|e| Error::new(ErrorKind::Format, e.to_string()))
    }

    fn json_lines(&self) -> Result<Vec<u8>, Error> {
        let cells = self.cells()?;
        let mut lines = Vec::new();
        for row in 0..self.rows() {
            let fields = self.columns().into_iter().zip(&cells);
            let object: Map<String, Value> =
                fields.map(|(name, cells)| (name.to_owned(), value(cells.get(row)))).collect();
            lines.extend_from_slice(Value::Object(object).to_string().as_bytes());
            lines.push(b'\n');
        }
        Ok(lines)
    }

    fn parquet(&self) -> Result<Vec<u8>, Error> {
        let error = |e: parquet::errors::ParquetError| {
            Error::new(ErrorKind::Format, e.to_string()).in_file(self.name())
        };
        let mut bytes = Vec::new();
        let mut writer =
            ArrowWriter::try_new(&mut bytes, self.batch().schema(), None).map_err(error)?;
        writer.write(self.batch()).map_err(error)?;
        writer.close().map_err(error)?;
        Ok(bytes)
    }
}

fn text(cell: Cell<'_>) -> String {
    match cell {
        Cell::Missing => String::new(),
        Cell::Text(text) => text.to_owned(),
        Cell::Number(n) => n.to_string(),
        Cell::Integer(n) => n.to_string(),
        Cell::Bool(b) => b.to_string(),
        Cell::Instant(ns) => Timestamp(ns).to_string(),
    }
}

fn value(cell: Cell<'_>) -> Value {
    match cell {
        Cell::Missing => Value::Null,
        Cell::Text(text) => text.into(),
        Cell::Number(n) => n.into(),
        Cell::Integer(n) => n.into(),
        Cell::Bool(b) => b.into(),
        Cell::Instant(ns) => Timestamp(ns).to_string().into(),
    }
}
