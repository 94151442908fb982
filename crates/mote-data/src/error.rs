//! What can be wrong with data, told with the place and the values that explain it.

use std::fmt;

/// Why data was refused: a kind to branch on, a place, and one sentence.
///
/// Shown as ``pump.csv:17: column `pressure`: wanted a number, found `abc` ``; parts of the place
/// that do not apply are left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(Box<Facts>);

/// Boxed, so that a `Result` stays one pointer wide on the path that succeeds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    kind: ErrorKind,
    file: Option<String>,
    line: Option<u64>,
    column: Option<String>,
    what: String,
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file cannot be opened or read.
    Io,
    /// A declared limit on size, columns or nesting is exceeded.
    TooLarge,
    /// Compressed or columnar bytes are cut short or damaged.
    Damaged,
    /// Text is not UTF-8.
    Encoding,
    /// The bytes are of no format that is read here, or break their format's rules.
    Format,
    /// There is no row of data.
    Empty,
    /// Too few rows for what was asked.
    TooFewRows,
    /// A row has more or fewer fields than the header.
    Ragged,
    /// Two columns have one name, or names do not fit the columns.
    Header,
    /// A value of a number column is not a number.
    NotANumber,
    /// A value of a number column is `NaN` or infinite, or too large for a 32-bit float.
    NotFinite,
    /// A column has no value at all.
    AllMissing,
    /// A column has one value only.
    Constant,
    /// A timestamp cannot be read, is missing, ambiguous, or of another format than the others.
    Time,
    /// A label is not one of the expected values, or labels do not fit the rows.
    Label,
    /// Columns that a model or a setting asks for are absent, or none is left.
    Columns,
    /// Settings contradict each other or cannot be read.
    Settings,
    /// A message is not what the schema expects.
    Payload,
}

impl Error {
    /// An error of a kind with its sentence: lower case, no final dot, values in backticks.
    #[must_use]
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self(Box::new(Facts { kind, file: None, line: None, column: None, what: what.into() }))
    }

    /// An error that says what was wanted and what was found.
    #[must_use]
    pub fn wanted(kind: ErrorKind, wanted: impl fmt::Display, found: &str) -> Self {
        Self::new(kind, format!("wanted {wanted}, found {}", Quoted(found)))
    }

    /// The same error with the file, unless it has one.
    #[must_use]
    pub fn in_file(mut self, file: &str) -> Self {
        self.0.file.get_or_insert_with(|| file.to_owned());
        self
    }

    /// The same error with the line, counted from 1, unless it has one.
    #[must_use]
    pub fn at_line(mut self, line: u64) -> Self {
        self.0.line.get_or_insert(line);
        self
    }

    /// The same error with the column's name, unless it has one.
    #[must_use]
    pub fn in_column(mut self, column: &str) -> Self {
        self.0.column.get_or_insert_with(|| column.to_owned());
        self
    }

    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The file that it happened in, as it was named by the caller.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.0.file.as_deref()
    }

    /// The line (text) or row (columnar files) that it happened in, from 1.
    #[must_use]
    pub fn line(&self) -> Option<u64> {
        self.0.line
    }

    /// The column that it happened in.
    #[must_use]
    pub fn column(&self) -> Option<&str> {
        self.0.column.as_deref()
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{file}:{line}: ")?,
            (Some(file), None) => write!(f, "{file}: ")?,
            (None, Some(line)) => write!(f, "line {line}: ")?,
            (None, None) => {}
        }
        if let Some(column) = &self.column {
            write!(f, "column {}: ", Quoted(column))?;
        }
        f.write_str(&self.what)
    }
}

/// A value in backticks, cut to a length that fits a message and with control characters escaped.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

/// A message stays readable on one terminal line; nobody needs more of a damaged cell.
const QUOTED_CHARS_MAX: usize = 60;

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        f.write_str("`")?;
        let mut chars = self.0.chars();
        for c in chars.by_ref().take(QUOTED_CHARS_MAX) {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        if chars.next().is_some() {
            f.write_str("…")?;
        }
        f.write_str("`")
    }
}

/// Names in backticks with commas between, at most `QUOTED_NAMES_MAX` of them.
pub(crate) fn names<S: AsRef<str>>(names: &[S]) -> String {
    /// A wide table has hundreds of columns; the first ones show which table it is.
    const QUOTED_NAMES_MAX: usize = 12;
    if names.is_empty() {
        return "none".into();
    }
    let shown: Vec<String> =
        names.iter().take(QUOTED_NAMES_MAX).map(|n| Quoted(n.as_ref()).to_string()).collect();
    match names.len().saturating_sub(QUOTED_NAMES_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_place_and_the_values() {
        let error = Error::wanted(ErrorKind::NotANumber, "a number", "abc")
            .in_column("pressure")
            .at_line(17)
            .in_file("pump.csv");
        assert_eq!(
            error.to_string(),
            "pump.csv:17: column `pressure`: wanted a number, found `abc`"
        );
        assert_eq!(error.kind(), ErrorKind::NotANumber);
    }

    #[test]
    fn cuts_long_values_and_escapes_control_characters() {
        assert_eq!(Quoted("a\u{1b}b").to_string(), "`a\\u{1b}b`");
        assert_eq!(Quoted(&"x".repeat(80)).to_string().chars().count(), 63);
        assert_eq!(Quoted("").to_string(), "nothing");
    }
}
