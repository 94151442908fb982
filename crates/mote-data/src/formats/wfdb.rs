//! Recordings of `PhysioNet` (WFDB): a header in text, `.hea`, that says how the samples lie in another
//! file. Read are the formats 16 (two bytes a sample) and 212 (two samples in three bytes), with
//! one file for all signals; see the manual page `header(5)` and `signal(5)` of WFDB.

use std::{path::Path, sync::Arc};

use arrow_array::{ArrayRef, Float64Array, TimestampNanosecondArray};

use crate::{
    error::{Error, ErrorKind},
    source::{self, Limits},
    table::Table,
};

/// How samples lie in their file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    /// Little-endian, two's complement.
    Words,
    /// Twelve bits each, two in three bytes.
    Packed,
}

/// A line of the header.
struct Signal<'a> {
    file: &'a str,
    format: Format,
    /// Counts of the converter for a unit, and its count for 0.
    gain: f64,
    baseline: f64,
    /// The low 16 bits of the sum of all samples, where the header tells.
    checksum: Option<i32>,
    name: String,
}

/// Reads the header in `text` and the samples in `folder`: a column for each signal in physical units,
/// and `time` from the start of the recording.
pub(super) fn read(name: &str, text: &str, folder: &Path, limits: &Limits) -> Result<Table, Error> {
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(i, l)| (i as u64 + 1, l.trim()))
        .filter(|(_, l)| !l.is_empty() && !l.starts_with('#'));
    let wrong = |wanted: &str, found: &str| Error::wanted(ErrorKind::Format, wanted, found);
    let (number, record) = lines.next().ok_or_else(|| wrong("a record line", ""))?;
    let (count, rate) = record_line(record).map_err(|e| e.at_line(number))?;
    let mut signals = Vec::with_capacity(count.min(64));
    for (number, line) in lines.take(count) {
        signals.push(signal_line(line, signals.len()).map_err(|e| e.at_line(number))?);
    }
    let Some(first) = signals.first().filter(|_| signals.len() == count) else {
        let what = format!("wanted {count} lines of signals, found {}", signals.len());
        return Err(Error::new(ErrorKind::Format, what));
    };
    if signals.iter().any(|s| s.file != first.file || s.format != first.format) {
        let what = "wanted all signals in one file and one format, found several";
        return Err(Error::new(ErrorKind::Format, what));
    }
    let plain = folder.join(first.file);
    let packed = folder.join(format!("{}.gz", first.file));
    let path = if plain.exists() || !packed.exists() { plain } else { packed };
    let counts = samples(&source::read(&path, limits)?, first.format);
    let rows = counts.len() / count;
    let frames = || counts.chunks_exact(count);
    let mut columns: Vec<(String, ArrayRef)> = Vec::with_capacity(count + 1);
    let nanoseconds = (0..rows).map(|i| (i as f64 / rate * 1e9).round() as i64);
    columns
        .push(("time".into(), Arc::new(TimestampNanosecondArray::from_iter_values(nanoseconds))));
    for (i, signal) in signals.iter().enumerate() {
        let sum = frames().fold(0i16, |sum, f| sum.wrapping_add(f[i]));
        if signal.checksum.is_some_and(|wanted| wanted as i16 != sum) {
            let what = format!(
                "the samples of `{}` do not add up to the checksum in the header",
                signal.name
            );
            return Err(Error::new(ErrorKind::Damaged, what).in_file(&path.display().to_string()));
        }
        let unit = |count: i16| {
            let missing = match signal.format {
                Format::Words => i16::MIN,
                Format::Packed => -2048,
            };
            (count != missing).then(|| (f64::from(count) - signal.baseline) / signal.gain)
        };
        let values: Float64Array = frames().map(|f| unit(f[i])).collect();
        columns.push((signal.name.clone(), Arc::new(values)));
    }
    Table::new(name, columns, None)
}

/// The number of signals, and samples a second.
fn record_line(line: &str) -> Result<(usize, f64), Error> {
    let wrong = |wanted: &str, found: &str| Error::wanted(ErrorKind::Format, wanted, found);
    let mut words = line.split_ascii_whitespace();
    if words.next().is_some_and(|name| name.contains('/')) {
        return Err(wrong("a recording of one segment", line));
    }
    let count = words.next().and_then(|w| w.parse().ok()).filter(|&n: &usize| n > 0);
    let count = count.ok_or_else(|| wrong("a name and a number of signals", line))?;
    // 250 a second is what the manual says of a header that does not.
    let rate = words.next().unwrap_or("250");
    let rate = rate.split(['/', '(']).next().and_then(|r| r.parse().ok());
    let rate = rate.filter(|r: &f64| r.is_finite() && *r > 0.0);
    Ok((count, rate.ok_or_else(|| wrong("samples a second", line))?))
}

fn signal_line(line: &str, index: usize) -> Result<Signal<'_>, Error> {
    let wrong = |wanted: &str, found: &str| Error::wanted(ErrorKind::Format, wanted, found);
    let mut words = line.split_ascii_whitespace();
    let file = words.next().filter(|f| !f.contains(['/', '\\']) && *f != "~");
    let file = file.ok_or_else(|| wrong("the name of a file beside the header", line))?;
    let format = match words.next() {
        Some("16") => Format::Words,
        Some("212") => Format::Packed,
        found => return Err(wrong("format 16 or 212", found.unwrap_or_default())),
    };
    let gain = words.next().unwrap_or("200");
    let [_resolution, zero, _first, checksum, _block] = [(); 5].map(|()| words.next());
    let number = |text: Option<&str>| text.and_then(|t| t.parse::<f64>().ok());
    let zero = number(zero).unwrap_or(0.0);
    // GAIN(BASELINE)/UNIT, of which only the gain must be there.
    let gain = gain.split('/').next().unwrap_or_default();
    let (gain, baseline) = match gain.split_once('(') {
        Some((gain, rest)) => (gain, number(rest.strip_suffix(')'))),
        None => (gain, Some(zero)),
    };
    let gain = gain.parse::<f64>().ok().filter(|g| g.is_finite() && *g >= 0.0);
    let (Some(gain), Some(baseline)) = (gain, baseline) else {
        return Err(wrong("a gain such as 200 or 200(1024)/mV", line));
    };
    let name = words.collect::<Vec<_>>().join(" ");
    Ok(Signal {
        file,
        format,
        // 0 says that it is not known.
        gain: if gain == 0.0 { 200.0 } else { gain },
        baseline,
        checksum: checksum.and_then(|c| c.parse().ok()),
        name: if name.is_empty() { format!("signal{index}") } else { name },
    })
}

/// All counts of the converter; bytes at the end that make no sample are ignored.
fn samples(bytes: &[u8], format: Format) -> Vec<i16> {
    match format {
        Format::Words => {
            bytes.as_chunks().0.iter().map(|pair: &[u8; 2]| i16::from_le_bytes(*pair)).collect()
        }
        Format::Packed => {
            let twelve = |low: u8, high: u8| (i16::from_le_bytes([low, high & 0xf]) << 4) >> 4;
            let (whole, rest) = bytes.as_chunks::<3>();
            let mut counts = Vec::with_capacity(2 * whole.len() + 1);
            for &[first, middle, second] in whole {
                counts.extend([twelve(first, middle), twelve(second, middle >> 4)]);
            }
            // An odd number of samples ends within the triple.
            if let [first, middle, ..] = *rest {
                counts.push(twelve(first, middle));
            }
            counts
        }
    }
}
