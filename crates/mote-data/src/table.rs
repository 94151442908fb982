//! A table as it was read: named columns of one length, before anything is decided about them.

use std::{collections::HashMap, fmt, path::Path, sync::Arc};

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema as ArrowSchema};

use crate::{
    error::{Error, ErrorKind, names},
    formats::{self, columnar},
    overrides::Overrides,
    source::Limits,
    wide,
};

/// Rows of named columns. Columns of text formats hold text as it stood in the file, trimmed;
/// columns of Parquet and Arrow files keep the type that they were stored with.
#[derive(Clone, Debug)]
pub struct Table {
    name: String,
    batch: RecordBatch,
    /// The line of each row in its text file; without it rows count from 1.
    lines: Option<Arc<[u64]>>,
    notes: Vec<String>,
    /// For each row whether it is an anomaly, where that stands outside the table.
    labels: Option<Arc<[bool]>>,
    /// The column that tells recordings apart, where the format has one.
    recording: Option<String>,
}

impl Table {
    /// Reads a file of any known format: CSV and its kin, JSON lines, Parquet, Arrow IPC, `.ts`,
    /// logs of a CAN bus; plain or compressed. The format is found from the bytes, never from the
    /// name, but for WFDB, whose header ends in `.hea` and names the file of samples beside it.
    ///
    /// # Errors
    ///
    /// Every kind but those of decisions about columns; see [`ErrorKind`].
    pub fn read(path: &Path, overrides: &Overrides, limits: &Limits) -> Result<Self, Error> {
        formats::read(path, overrides, limits)?.shaped(overrides)
    }

    /// The same from bytes that are already in memory. `name` is for messages.
    ///
    /// # Errors
    ///
    /// As [`Table::read`].
    pub fn parse(
        name: &str,
        bytes: Vec<u8>,
        overrides: &Overrides,
        limits: &Limits,
    ) -> Result<Self, Error> {
        formats::parse(name, bytes, overrides, limits)?.shaped(overrides)
    }

    /// Rows as the settings want them.
    fn shaped(self, overrides: &Overrides) -> Result<Self, Error> {
        let table = self.check()?;
        if overrides.wide { wide::unfold(table, overrides) } else { Ok(table) }
    }

    /// A table of columns that hold one value a row.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Header`] where two columns share a name or lengths differ.
    pub fn new(
        name: impl Into<String>,
        columns: Vec<(String, ArrayRef)>,
        lines: Option<Vec<u64>>,
    ) -> Result<Self, Error> {
        let fields: Vec<Field> =
            columns.iter().map(|(n, a)| Field::new(n, a.data_type().clone(), true)).collect();
        let arrays = columns.into_iter().map(|(_, a)| a).collect();
        let batch = RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), arrays)
            .map_err(|e| Error::new(ErrorKind::Header, e.to_string()))?;
        Self::from_batch(name, batch, lines)
    }

    /// A table from an Arrow batch, for callers that have one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Header`] where two columns share a name, [`ErrorKind::Empty`] without a row.
    pub fn from_batch(
        name: impl Into<String>,
        batch: RecordBatch,
        lines: Option<Vec<u64>>,
    ) -> Result<Self, Error> {
        Self {
            name: name.into(),
            batch,
            lines: lines.map(Arc::from),
            notes: Vec::new(),
            labels: None,
            recording: None,
        }
        .check()
    }

    fn check(self) -> Result<Self, Error> {
        let mut sorted = self.columns();
        sorted.sort_unstable();
        if let Some(twice) = sorted.windows(2).find(|w| w[0] == w[1]) {
            let what = "wanted a name for each column, found this one twice";
            return Err(Error::new(ErrorKind::Header, what).in_column(twice[0]));
        }
        if self.rows() == 0 {
            let found = names(&self.columns());
            let what = format!("wanted rows of data, found only a header with {found}");
            return Err(Error::new(ErrorKind::Empty, what).in_file(&self.name));
        }
        Ok(self)
    }

    pub(crate) fn with_note(mut self, note: String) -> Self {
        self.notes.push(note);
        self
    }

    /// The same table with more columns behind its own.
    pub(crate) fn with_columns(self, more: Vec<(String, ArrayRef)>) -> Result<Self, Error> {
        let fields = self.batch.schema_ref().fields().iter().zip(self.batch.columns());
        let own = fields.map(|(field, array)| (field.name().clone(), array.clone()));
        let lines = self.lines.as_ref().map(|l| l.to_vec());
        let table = Self::new(self.name.clone(), own.chain(more).collect(), lines)?;
        Ok(Self { notes: self.notes, ..table })
    }

    /// The same table, with this column to tell recordings apart.
    pub(crate) fn of_recordings(mut self, column: &str) -> Self {
        self.recording = Some(column.into());
        self
    }

    /// The column that tells recordings apart: the one that the settings name, or the one that the
    /// format has.
    #[must_use]
    pub fn recording<'a>(&'a self, overrides: &'a Overrides) -> Option<&'a str> {
        overrides.recording.as_deref().or(self.recording.as_deref()).filter(|n| !n.is_empty())
    }

    /// For each row the number of its recording, from 0 in the order of the file; `None` where the
    /// table is one recording.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Columns`] where the settings name a column that is absent.
    pub fn recordings(&self, overrides: &Overrides) -> Result<Option<Vec<usize>>, Error> {
        let Some(name) = self.recording(overrides) else { return Ok(None) };
        let Some(cells) = self.column(name).and_then(Cells::new) else {
            let what = format!("wanted this column, found {}", names(&self.columns()));
            return Err(Error::new(ErrorKind::Columns, what).in_column(name).in_file(&self.name));
        };
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut number = |cell: Cell<'_>| {
            let next = known.len();
            *known.entry(cell.to_string()).or_insert(next)
        };
        Ok(Some(cells.iter().map(&mut number).collect()))
    }

    /// How the file was named by whoever read it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the reader decided by itself, as sentences to print: delimiter, header, row numbers.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The number of rows, at least 1.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// The columns' names in the order of the file.
    #[must_use]
    pub fn columns(&self) -> Vec<&str> {
        self.batch.schema_ref().fields().iter().map(|f| f.name().as_str()).collect()
    }

    /// The values of a column, if there is one of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.batch.column_by_name(name)
    }

    /// The Arrow table inside.
    #[must_use]
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// The line of a row in its file, from 1; for files without lines, the row from 1.
    #[must_use]
    pub fn line(&self, row: usize) -> u64 {
        self.lines.as_ref().and_then(|l| l.get(row).copied()).unwrap_or(row as u64 + 1)
    }

    /// The same table with a label for each row that comes from elsewhere; it goes before any
    /// label column.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Label`] where there is not one label a row.
    pub fn with_labels(mut self, labels: Vec<bool>) -> Result<Self, Error> {
        if labels.len() != self.rows() {
            let what =
                format!("wanted a label for each of {} rows, found {}", self.rows(), labels.len());
            return Err(Error::new(ErrorKind::Label, what).in_file(&self.name));
        }
        self.labels = Some(labels.into());
        Ok(self)
    }

    /// The labels given by [`Table::with_labels`].
    #[must_use]
    pub fn labels(&self) -> Option<&[bool]> {
        self.labels.as_deref()
    }

    /// The first `rows` rows (all of them if there are fewer), so that decisions about columns see
    /// nothing but the training part.
    #[must_use]
    pub fn head(&self, rows: usize) -> Self {
        let mut table = self.clone();
        table.batch = self.batch.slice(0, rows.min(self.rows()));
        table.labels = self.labels.as_ref().map(|l| l[..table.batch.num_rows()].into());
        table
    }
}

/// One cell, borrowed, of any type that a file can hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Missing,
    Text(&'a str),
    Number(f64),
    /// Kept apart from numbers, because a 64-bit float has not enough digits for nanoseconds.
    Integer(i64),
    Bool(bool),
    /// Nanoseconds since the epoch.
    Instant(i64),
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => Ok(()),
            Self::Text(text) => f.write_str(text),
            Self::Number(n) => n.fmt(f),
            Self::Integer(n) | Self::Instant(n) => n.fmt(f),
            Self::Bool(b) => b.fmt(f),
        }
    }
}

impl Cell<'_> {
    /// The number that it says, with all its digits.
    pub(crate) fn exact(self) -> Option<f64> {
        match self {
            Self::Text(text) => text.parse().ok(),
            Self::Number(n) => Some(n),
            Self::Integer(n) => Some(n as f64),
            _ => None,
        }
    }
}

/// A column whose cells can be looked at one by one.
pub(crate) struct Cells<'a> {
    array: &'a dyn Array,
    read: fn(&dyn Array, usize) -> Cell<'_>,
}

impl<'a> Cells<'a> {
    /// `None` for types that no sensor writes (lists, maps, binary).
    pub(crate) fn new(array: &'a ArrayRef) -> Option<Self> {
        columnar::reader(array.data_type()).map(|read| Self { array: array.as_ref(), read })
    }

    pub(crate) fn len(&self) -> usize {
        self.array.len()
    }

    /// The cell of a row; empty text and nulls are missing.
    pub(crate) fn get(&self, row: usize) -> Cell<'a> {
        if self.array.is_null(row) {
            return Cell::Missing;
        }
        match (self.read)(self.array, row) {
            Cell::Text("") => Cell::Missing,
            cell => cell,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Cell<'a>> + '_ {
        (0..self.len()).map(|row| self.get(row))
    }
}
