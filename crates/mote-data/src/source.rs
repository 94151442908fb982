//! The bytes of a file: plain, gzip or Zstandard, within a limit, and as text where text is wanted.

use std::{fs::File, io::Read, path::Path};

use crate::error::{Error, ErrorKind, Quoted};

/// How much is read at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a file once unpacked. 2 GiB holds a day of 100 sensors at 20 Hz as text and still
    /// fits a laptop's memory; a larger file is better split or stored as Parquet. It also bounds
    /// what a small compressed file can grow to.
    pub bytes_max: u64,
    /// Bytes of one line of text. A line of 16 MiB is no table of sensors but a file without line
    /// ends, which is worth a clear message.
    pub line_bytes_max: usize,
    /// Columns of a table: 16,384, as in a spreadsheet.
    pub columns_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes_max: 2 << 30, line_bytes_max: 16 << 20, columns_max: 16_384 }
    }
}

/// Reads a whole file and unpacks it where its first bytes say that it is compressed.
///
/// # Errors
///
/// [`ErrorKind::Io`], [`ErrorKind::TooLarge`], [`ErrorKind::Damaged`].
pub fn read(path: &Path, limits: &Limits) -> Result<Vec<u8>, Error> {
    let name = path.display().to_string();
    let io = |e: std::io::Error| Error::new(ErrorKind::Io, format!("cannot read: {e}"));
    let file = File::open(path).map_err(|e| io(e).in_file(&name))?;
    if file.metadata().is_ok_and(|m| m.is_dir()) {
        let error = Error::new(ErrorKind::Io, "wanted a file, found a folder");
        return Err(error.in_file(&name));
    }
    let bytes = bounded(file, limits.bytes_max)
        .map_err(io)
        .and_then(|bytes| bytes.ok_or_else(|| too_large(limits.bytes_max)))
        .map_err(|e| e.in_file(&name))?;
    unpack(&name, bytes, limits)
}

/// Unpacks bytes that are gzip or Zstandard by their magic number and returns all others as they
/// are. `name` is for messages.
///
/// # Errors
///
/// [`ErrorKind::Damaged`] where the stream is cut or broken, [`ErrorKind::TooLarge`].
pub fn unpack(name: &str, bytes: Vec<u8>, limits: &Limits) -> Result<Vec<u8>, Error> {
    let max = limits.bytes_max;
    let (what, unpacked) = match bytes.as_slice() {
        [0x1f, 0x8b, ..] => {
            ("gzip", bounded(flate2::read::MultiGzDecoder::new(bytes.as_slice()), max))
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => (
            "zstd",
            zstd::stream::read::Decoder::new(bytes.as_slice()).and_then(|d| bounded(d, max)),
        ),
        _ => return Ok(bytes),
    };
    match unpacked {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(too_large(max).in_file(name)),
        Err(e) => {
            let what = format!("the {what} data is cut short or damaged: {e}");
            Err(Error::new(ErrorKind::Damaged, what).in_file(name))
        }
    }
}

/// All of a reader, or `None` where it holds more than `max` bytes.
fn bounded(reader: impl Read, max: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    reader.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= max).then_some(bytes))
}

fn too_large(max: u64) -> Error {
    Error::new(ErrorKind::TooLarge, format!("more than {max} bytes once unpacked"))
}

/// The bytes as text without a byte order mark.
///
/// # Errors
///
/// [`ErrorKind::Encoding`] with the line and byte offset where the text is not UTF-8, and
/// [`ErrorKind::Format`] where the bytes are no text at all.
pub fn text<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a str, Error> {
    let error = |kind, what: String| Error::new(kind, what).in_file(name);
    if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] = bytes {
        let what = "wanted UTF-8 text, found UTF-16 (by its byte order mark)";
        return Err(error(ErrorKind::Encoding, what.into()));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if looks_like_utf16(bytes) {
        let what = "wanted UTF-8 text, found what looks like UTF-16 without a byte order mark";
        return Err(error(ErrorKind::Encoding, what.into()));
    }
    // A zero byte is legal UTF-8, yet no table has one; formats that are not text do.
    if let Some(at) = bytes.iter().position(|&b| b == 0) {
        let what = format!("wanted text, found a zero byte at offset {at}");
        return Err(error(ErrorKind::Format, what).at_line(line_of(bytes, at)));
    }
    std::str::from_utf8(bytes).map_err(|e| {
        let at = e.valid_up_to();
        let what = format!(
            "wanted UTF-8 text, found byte 0x{:02x} at offset {at} (after {})",
            bytes[at],
            Quoted(tail(bytes, at))
        );
        error(ErrorKind::Encoding, what).at_line(line_of(bytes, at))
    })
}

/// In UTF-16 every other byte of plain text is zero.
fn looks_like_utf16(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(256) & !1];
    if head.len() < 4 {
        return false;
    }
    let zeros = |odd: usize| head.iter().skip(odd).step_by(2).filter(|&&b| b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let most = head.len() / 2 * 9 / 10;
    (odd >= most && even == 0) || (even >= most && odd == 0)
}

fn line_of(bytes: &[u8], at: usize) -> u64 {
    1 + bytes[..at].iter().filter(|&&b| b == b'\n').count() as u64
}

/// Up to 16 characters of the same line before an offset, so that a person finds the place.
fn tail(bytes: &[u8], at: usize) -> &str {
    let valid = std::str::from_utf8(&bytes[..at]).unwrap_or_default();
    let line = valid.rsplit('\n').next().unwrap_or_default();
    let start = line.char_indices().rev().take(16).last().map_or(0, |(i, _)| i);
    &line[start..]
}
