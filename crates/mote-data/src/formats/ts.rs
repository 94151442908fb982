//! Series of the UEA and UCR archives in the `.ts` format of aeon and sktime: one recording a line,
//! its dimensions between colons, their samples between commas, its class last.

use arrow_array::ArrayRef;

use crate::{
    error::{Error, ErrorKind},
    source::Limits,
    table::Table,
};

/// The column that tells recordings apart, and that of classes.
const CASE: &str = "case";
const CLASS: &str = "class";

/// Whether the first line that is no comment starts a header.
pub(super) fn is_ts(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    lines.next().is_some_and(|l| l.starts_with('@'))
}

/// What the header says of the data.
#[derive(Default)]
struct Header {
    classes: bool,
}

impl Header {
    fn take(&mut self, line: &str) -> Result<(), Error> {
        let mut words = line.split_ascii_whitespace();
        let key = words.next().unwrap_or_default().to_ascii_lowercase();
        let value = words.next().unwrap_or_default();
        let yes = value.eq_ignore_ascii_case("true");
        match key.as_str() {
            "@timestamps" if yes => {
                let what = "wanted evenly counted samples, found a file with times in its cells";
                Err(Error::new(ErrorKind::Format, what))
            }
            "@targetlabel" if yes => {
                let what = "wanted a file of classes, found one of targets for regression";
                Err(Error::new(ErrorKind::Format, what))
            }
            "@classlabel" => {
                self.classes = yes;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Columns `case`, `d0` to the last dimension and, where there are classes, `class`.
pub(super) fn parse(name: &str, text: &str, limits: &Limits) -> Result<Table, Error> {
    let mut header = Header::default();
    let mut rows = text.lines().enumerate().map(|(i, l)| (i as u64 + 1, l.trim()));
    for (number, line) in rows.by_ref() {
        if line.eq_ignore_ascii_case("@data") {
            break;
        }
        if line.starts_with('@') {
            header.take(line).map_err(|e| e.at_line(number))?;
        } else if !line.is_empty() && !line.starts_with('#') {
            let wanted = "`@data` before the first recording";
            return Err(Error::wanted(ErrorKind::Format, wanted, line).at_line(number));
        }
    }
    let mut columns: Vec<Vec<Option<&str>>> = Vec::new();
    let (mut cases, mut classes, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    let mut case = 0u64;
    for (number, line) in rows.filter(|(_, l)| !l.is_empty() && !l.starts_with('#')) {
        let mut dimensions: Vec<&str> = line.split(':').collect();
        let class = if header.classes { dimensions.pop() } else { None };
        if columns.is_empty() {
            columns = vec![Vec::new(); dimensions.len()];
        }
        let found = dimensions.len();
        if found != columns.len() || found == 0 || found > limits.columns_max {
            let what = format!("wanted {} dimensions, found {found}", columns.len().max(1));
            return Err(Error::new(ErrorKind::Ragged, what).at_line(number));
        }
        let samples = dimensions[0].split(',').count();
        for (dimension, (column, cells)) in columns.iter_mut().zip(dimensions).enumerate() {
            column.extend(cells.split(',').map(|c| Some(c.trim()).filter(|c| *c != "?")));
            if column.len() != lines.len() + samples {
                let found = column.len() - lines.len();
                let what =
                    format!("wanted {samples} samples in dimension {dimension}, found {found}");
                return Err(Error::new(ErrorKind::Ragged, what).at_line(number));
            }
        }
        case += 1;
        cases.extend(std::iter::repeat_n(case.to_string(), samples));
        classes.extend(std::iter::repeat_n(class.map(str::trim), samples));
        lines.extend(std::iter::repeat_n(number, samples));
    }
    if lines.is_empty() {
        return Err(Error::new(ErrorKind::Empty, "wanted recordings behind `@data`, found none"));
    }
    let mut all = vec![(CASE.to_owned(), super::texts(cases.into_iter().map(Some)))];
    let named =
        |(i, cells)| -> (String, ArrayRef) { (format!("d{i}"), super::texts::<&str>(cells)) };
    all.extend(columns.into_iter().enumerate().map(named));
    if header.classes {
        all.push((CLASS.into(), super::texts(classes)));
    }
    Ok(Table::new(name, all, Some(lines))?.of_recordings(CASE))
}
