//! How one file writes its table: delimiter, header, decimal sign.

use crate::{
    error::{Error, ErrorKind},
    overrides::Overrides,
    time,
};

/// What was found, or said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialect {
    /// A space stands for runs of blanks.
    delimiter: char,
    pub(super) header: bool,
    decimal_comma: bool,
}

/// Tried in this order where two split equally well: a comma comes last, because it is also a
/// decimal sign.
const DELIMITERS: [char; 4] = [';', '\t', '|', ','];

/// How many lines decide. More would not tell more, and each is looked at once a delimiter.
const SAMPLE_LINES: usize = 100;

impl Dialect {
    pub(super) fn find(text: &str, overrides: &Overrides) -> Result<Self, Error> {
        let lines: Vec<&str> =
            text.lines().filter(|l| !l.trim().is_empty()).take(SAMPLE_LINES).collect();
        let delimiter = match overrides.delimiter {
            Some(c) if !c.is_ascii() || matches!(c, '"' | '\n' | '\r') => {
                let wanted = "one ASCII character as a delimiter";
                return Err(Error::wanted(ErrorKind::Settings, wanted, &c.to_string()));
            }
            Some(c) => c,
            None => delimiter(&lines),
        };
        let mut dialect = Self { delimiter, header: false, decimal_comma: false };
        let mut rows: Vec<Vec<String>> = Vec::new();
        dialect.each_row(&lines.join("\n"), |fields, _| {
            rows.push(fields.iter().map(|&f| f.to_owned()).collect());
            Ok(())
        })?;
        let first = rows.first().map_or(&[][..], Vec::as_slice);
        dialect.header = overrides.header.unwrap_or_else(|| !first.iter().any(|f| is_data(f)));
        dialect.decimal_comma = delimiter != ',' && {
            let with = |sign| rows.iter().flatten().any(|f| is_decimal(f, sign));
            with(b',') && !with(b'.')
        };
        Ok(dialect)
    }

    pub(super) fn notes(&self) -> Vec<String> {
        let header = if self.header { "names the columns" } else { "is data already" };
        let mut notes = vec![format!(
            "fields are separated by {}; the first row {header}",
            super::named(self.delimiter)
        )];
        if self.decimal_comma {
            notes.push("numbers have a decimal comma".into());
        }
        notes
    }

    /// The number with a point, if the file writes decimal commas and the field is such a number.
    pub(super) fn decimal(&self, field: &str) -> Option<String> {
        (self.decimal_comma && is_decimal(field, b',')).then(|| field.replace(',', "."))
    }

    /// Calls back for each row with its trimmed fields and its line, counted from 1.
    pub(super) fn each_row(
        &self,
        text: &str,
        mut row: impl FnMut(&[&str], u64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.delimiter == ' ' {
            for (i, line) in text.lines().enumerate() {
                let fields: Vec<&str> = line.split_ascii_whitespace().collect();
                if !fields.is_empty() {
                    row(&fields, i as u64 + 1)?;
                }
            }
            return Ok(());
        }
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter as u8)
            .from_reader(text.as_bytes());
        let mut record = csv::StringRecord::new();
        let damaged = |e: csv::Error| Error::new(ErrorKind::Format, e.to_string());
        while reader.read_record(&mut record).map_err(damaged)? {
            let line = record.position().map_or(0, csv::Position::line);
            let fields: Vec<&str> = record.iter().map(str::trim).collect();
            row(&fields, line)?;
        }
        Ok(())
    }
}

/// The delimiter that splits most lines into one number of fields; blanks if no other splits.
fn delimiter(lines: &[&str]) -> char {
    let mut best = (0.0, ' ');
    for c in DELIMITERS {
        let counts: Vec<usize> = lines.iter().map(|line| count(line, c)).collect();
        if counts.first().is_none_or(|&n| n == 0) {
            continue;
        }
        let agreement = agreement(&counts);
        if agreement > best.0 {
            best = (agreement, c);
        }
    }
    if best.0 > 0.0 {
        return best.1;
    }
    let words: Vec<usize> = lines.iter().map(|l| l.split_ascii_whitespace().count()).collect();
    // A table between blanks is as wide on nearly every line, or all its words are numbers.
    // Otherwise the blanks belong to a single column, and then any delimiter that does not occur
    // will do.
    let wide = words.first().is_some_and(|&n| n > 1);
    let regular = lines.len() > 1 && agreement(&words) >= 0.9;
    let numbers = || lines.iter().flat_map(|l| l.split_ascii_whitespace()).all(is_data);
    if wide && (regular || numbers()) { ' ' } else { ',' }
}

/// The share of lines that have the most common count.
fn agreement(counts: &[usize]) -> f64 {
    let most = counts.iter().map(|n| counts.iter().filter(|m| *m == n).count()).max();
    most.unwrap_or(0) as f64 / counts.len().max(1) as f64
}

/// How often a character stands outside quotes.
fn count(line: &str, wanted: char) -> usize {
    let mut quoted = false;
    line.chars()
        .filter(|&c| {
            quoted ^= c == '"';
            c == wanted && !quoted
        })
        .count()
}

/// Whether a field cannot be a name: it is a number or a time.
fn is_data(field: &str) -> bool {
    field.parse::<f64>().is_ok_and(f64::is_finite)
        || is_decimal(field, b',')
        || matches!(time::guess(std::iter::once((0, field))), Ok(Some(_)) | Err(_))
}

/// Digits, a decimal sign, digits, perhaps an exponent; with or without a sign in front.
fn is_decimal(field: &str, sign: u8) -> bool {
    let (number, exponent) = field.split_once(['e', 'E']).unwrap_or((field, "0"));
    let [digits, exponent] =
        [number, exponent].map(|t| t.strip_prefix(['-', '+']).unwrap_or(t).as_bytes());
    let Some(at) = digits.iter().position(|&b| b == sign) else { return false };
    let all = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    all(&digits[..at]) && all(&digits[at + 1..]) && all(exponent)
}
