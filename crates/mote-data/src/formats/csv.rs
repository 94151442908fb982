//! Tables in text: fields between commas, semicolons, tabs, bars or blanks, with or without names.

use std::sync::Arc;

use arrow_array::{ArrayRef, builder::StringBuilder};

use crate::{
    error::{Error, ErrorKind, Quoted},
    overrides::Overrides,
    source::Limits,
    table::Table,
};

mod dialect;

use dialect::Dialect;

/// Reads the text into a table of text columns; nothing is decided about their types yet.
///
/// Beyond plain CSV, two habits of exporters are understood: rows that end with a delimiter, and
/// row numbers without a name in the header (as R writes them).
pub(crate) fn parse(
    name: &str,
    text: &str,
    overrides: &Overrides,
    limits: &Limits,
) -> Result<Table, Error> {
    let dialect = Dialect::find(text, overrides)?;
    let mut rows = Rows::default();
    dialect.each_row(text, |fields, line| rows.push(fields, line, &dialect, overrides, limits))?;
    rows.table(name, &dialect)
}

/// The columns while they grow.
#[derive(Default)]
struct Rows {
    columns: Vec<Column>,
    lines: Vec<u64>,
    notes: Vec<String>,
    /// How many fields the header has; without a header, the first row.
    header_fields: usize,
}

struct Column {
    name: String,
    /// Whether the file or the settings gave the name.
    named: bool,
    cells: StringBuilder,
    empty: bool,
}

impl Rows {
    fn push(
        &mut self,
        fields: &[&str],
        line: u64,
        dialect: &Dialect,
        overrides: &Overrides,
        limits: &Limits,
    ) -> Result<(), Error> {
        if self.columns.is_empty() {
            self.start(fields, dialect, overrides, limits)?;
            if dialect.header {
                return Ok(());
            }
        }
        let wanted = self.columns.len();
        let fields = match fields {
            [rest @ .., ""] if rest.len() == wanted => rest,
            [first, rest @ ..] if self.lines.is_empty() && self.names_rows(rest.len()) => {
                self.add_row_names();
                self.append(first, rest, dialect);
                self.lines.push(line);
                return Ok(());
            }
            fields => fields,
        };
        if fields.len() != wanted {
            let what = format!("wanted {wanted} fields, found {}", fields.len());
            return Err(Error::new(ErrorKind::Ragged, what).at_line(line));
        }
        if let [first, rest @ ..] = fields {
            self.append(first, rest, dialect);
        }
        self.lines.push(line);
        Ok(())
    }

    /// Columns from the first row.
    fn start(
        &mut self,
        first: &[&str],
        dialect: &Dialect,
        overrides: &Overrides,
        limits: &Limits,
    ) -> Result<(), Error> {
        if first.len() > limits.columns_max {
            let what = format!("wanted up to {} fields, found {}", limits.columns_max, first.len());
            return Err(Error::new(ErrorKind::TooLarge, what).at_line(1));
        }
        let given = &overrides.names;
        if !given.is_empty() && given.len() != first.len() {
            let what = format!(
                "wanted a column for each of the {} given names, found {} columns",
                given.len(),
                first.len()
            );
            return Err(Error::new(ErrorKind::Header, what));
        }
        self.header_fields = first.len();
        self.columns = (0..first.len())
            .map(|i| {
                let name = given.get(i).map(String::as_str).or(dialect.header.then(|| first[i]));
                let named = name.filter(|n| !n.is_empty());
                Column {
                    name: named.map_or_else(|| format!("c{i}"), str::to_owned),
                    named: named.is_some(),
                    cells: StringBuilder::new(),
                    empty: true,
                }
            })
            .collect();
        Ok(())
    }

    /// Whether a first row with one field more than the header starts with a row number.
    fn names_rows(&self, rest: usize) -> bool {
        self.columns.iter().all(|c| c.named) && rest == self.header_fields
    }

    fn add_row_names(&mut self) {
        let row =
            Column { name: "row".into(), named: true, cells: StringBuilder::new(), empty: true };
        self.columns.insert(0, row);
        self.notes.push(
            "rows have one field more than the header, so the first is taken as a row number \
             named `row`"
                .into(),
        );
    }

    fn append(&mut self, first: &str, rest: &[&str], dialect: &Dialect) {
        let fields = std::iter::once(&first).chain(rest);
        for (column, field) in self.columns.iter_mut().zip(fields) {
            column.empty &= field.is_empty();
            match dialect.decimal(field) {
                Some(number) => column.cells.append_value(number),
                None => column.cells.append_value(field),
            }
        }
    }

    fn table(mut self, name: &str, dialect: &Dialect) -> Result<Table, Error> {
        // A delimiter at the end of the header as well makes one more column, always empty.
        if self.columns.last().is_some_and(|c| !c.named && c.empty) && self.columns.len() > 1 {
            self.columns.pop();
        }
        let columns = self
            .columns
            .into_iter()
            .map(|mut c| (c.name, Arc::new(c.cells.finish()) as ArrayRef))
            .collect();
        let table = Table::new(name, columns, Some(self.lines))?;
        let notes = dialect.notes().into_iter().chain(self.notes);
        Ok(notes.fold(table, Table::with_note))
    }
}

/// The sentence that a person reads about the delimiter.
fn named(delimiter: char) -> String {
    match delimiter {
        ' ' => "runs of blanks".into(),
        '\t' => "tabs".into(),
        other => Quoted(&other.to_string()).to_string(),
    }
}
