//! The formats of files that hold tables, each a module that knows nothing of the others.

use std::path::Path;

use crate::{
    error::{Error, ErrorKind},
    overrides::Overrides,
    source::{self, Limits},
    table::Table,
};

mod blocks;
mod candump;
pub(crate) mod columnar;
mod csv;
mod jsonl;
mod ts;
mod wfdb;

/// Reads a file; what it holds is found from its bytes. Only a WFDB header is known by its ending,
/// `.hea`, because it names the file that holds the samples.
pub(crate) fn read(path: &Path, overrides: &Overrides, limits: &Limits) -> Result<Table, Error> {
    let name = path.display().to_string();
    let bytes = source::read(path, limits)?;
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("hea")) {
        let text = source::text(&name, &bytes)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        return wfdb::read(&name, text, folder, limits).map_err(|e| e.in_file(&name));
    }
    parse(&name, bytes, overrides, limits)
}

/// The same from bytes in memory, compressed or not.
pub(crate) fn parse(
    name: &str,
    bytes: Vec<u8>,
    overrides: &Overrides,
    limits: &Limits,
) -> Result<Table, Error> {
    let bytes = source::unpack(name, bytes, limits)?;
    let table = if columnar::is_parquet(&bytes) {
        columnar::parquet(name, bytes, limits)
    } else if columnar::is_arrow(&bytes) {
        columnar::arrow(name, bytes, limits)
    } else {
        text(name, source::text(name, &bytes)?, overrides, limits)
    };
    table.map_err(|e| e.in_file(name))
}

fn text(name: &str, text: &str, overrides: &Overrides, limits: &Limits) -> Result<Table, Error> {
    let start = text.trim_start();
    if start.is_empty() {
        return Err(Error::new(ErrorKind::Empty, "wanted rows, found an empty file"));
    }
    if let Some((i, line)) =
        text.lines().enumerate().find(|(_, line)| line.len() > limits.line_bytes_max)
    {
        return Err(too_long(line.len(), limits).at_line(i as u64 + 1));
    }
    if let Some(class) = &overrides.blocks {
        return blocks::parse(name, text, class, overrides, limits);
    }
    if start.starts_with('{') {
        jsonl::parse(name, text, limits)
    } else if ts::is_ts(text) {
        ts::parse(name, text, limits)
    } else if candump::is_candump(start) {
        candump::parse(name, text)
    } else {
        csv::parse(name, text, overrides, limits)
    }
}

fn too_long(bytes: usize, limits: &Limits) -> Error {
    let what = format!(
        "wanted lines of at most {} bytes, found one of {bytes}; is this a table?",
        limits.line_bytes_max
    );
    Error::new(ErrorKind::TooLarge, what)
}

/// A column of text.
fn texts<S: AsRef<str>>(cells: impl IntoIterator<Item = Option<S>>) -> arrow_array::ArrayRef {
    std::sync::Arc::new(cells.into_iter().collect::<arrow_array::StringArray>())
}
