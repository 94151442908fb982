//! Logs of a CAN bus as `candump -l` of can-utils writes them: `(seconds) interface id#data`.

use std::fmt::Write as _;

use crate::{
    error::{Error, ErrorKind},
    table::Table,
};

/// Bytes of a frame: 8 of classic CAN, 64 of CAN FD.
const BYTES_MAX: usize = 64;
/// Marks that other tools append to a line.
const FLAGS_MAX: usize = 8;

/// A line, taken apart.
struct Frame<'a> {
    time: &'a str,
    interface: &'a str,
    id: &'a str,
    /// Two digits a byte; `None` for a remote frame, which asks for data and has none.
    data: Option<&'a str>,
    flags: Vec<&'a str>,
}

impl<'a> Frame<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let time = words.next()?.strip_prefix('(')?.strip_suffix(')')?;
        time.parse::<f64>().ok()?;
        let (interface, frame) = (words.next()?, words.next()?);
        let (id, data) = frame.split_once('#')?;
        let hex = |s: &str| s.bytes().all(|b| b.is_ascii_hexdigit());
        let data = match data.strip_prefix('#') {
            // CAN FD: one digit of flags before the data.
            Some(fd) => Some(fd.get(1..)?),
            None if data.starts_with(['R', 'r']) => None,
            None => Some(data),
        };
        let even = data.is_none_or(|d| d.len() % 2 == 0 && d.len() <= 2 * BYTES_MAX && hex(d));
        (!id.is_empty() && hex(id) && even).then(|| Self {
            time,
            interface,
            id,
            data,
            flags: words.collect(),
        })
    }
}

/// Whether the first line is a frame.
pub(super) fn is_candump(text: &str) -> bool {
    text.lines().next().and_then(Frame::of).is_some()
}

/// Columns `time`, `interface` where there are several, `id`, the bytes `b0` to as many as there are,
/// missing where a frame is shorter, and `flag0` on for what stands behind.
pub(super) fn parse(name: &str, text: &str) -> Result<Table, Error> {
    let (mut frames, mut lines) = (Vec::new(), Vec::new());
    for (i, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let wrong = || {
            Error::wanted(ErrorKind::Format, "a frame, `(seconds) interface id#data`", line)
                .at_line(i as u64 + 1)
        };
        frames.push(Frame::of(line).filter(|f| f.flags.len() <= FLAGS_MAX).ok_or_else(wrong)?);
        lines.push(i as u64 + 1);
    }
    let mut columns = vec![("time".to_owned(), super::texts(frames.iter().map(|f| Some(f.time))))];
    if frames.windows(2).any(|w| w[0].interface != w[1].interface) {
        let interfaces = super::texts(frames.iter().map(|f| Some(f.interface)));
        columns.push(("interface".into(), interfaces));
    }
    // With 0x, because most of them would pass as numbers.
    let ids = frames.iter().map(|f| Some(format!("0x{}", f.id)));
    columns.push(("id".into(), super::texts(ids)));
    let bytes = |f: &Frame<'_>| f.data.map_or(0, |d| d.len() / 2);
    for b in 0..frames.iter().map(bytes).max().unwrap_or(0) {
        let byte = |f: &Frame<'_>| {
            let digits = f.data?.get(2 * b..2 * b + 2)?;
            let mut text = String::new();
            write!(text, "{}", u8::from_str_radix(digits, 16).ok()?).ok()?;
            Some(text)
        };
        columns.push((format!("b{b}"), super::texts(frames.iter().map(byte))));
    }
    for i in 0..frames.iter().map(|f| f.flags.len()).max().unwrap_or(0) {
        let flag = |f: &Frame<'_>| f.flags.get(i).map(|s| s.to_string());
        columns.push((format!("flag{i}"), super::texts(frames.iter().map(flag))));
    }
    Table::new(name, columns, Some(lines))
}
