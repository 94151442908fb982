//! Calendar times written with numbers: one scanner for all orders and separators.
//!
//! Written by hand, because a file must be of one shape throughout: the scanner tells the shape
//! along with the value, which parsers of date libraries do not.

use jiff::civil::DateTime;

use super::{SECOND, TimeFormat, Timestamp, utc};

/// What two times of one file must share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) year_first: bool,
    date_separator: u8,
    /// Between date and clock; `None` for a date alone.
    joint: Option<u8>,
    clock_separator: u8,
    zone: bool,
    meridiem: bool,
}

/// The numbers of one time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    /// As written: year, month, day; or two numbers and the year.
    pub(super) date: [i64; 3],
    clock: [i64; 3],
    nanoseconds: i64,
    offset_s: i64,
}

pub(super) fn parse(text: &str, format: &TimeFormat) -> Option<Timestamp> {
    let (shape, parts) = scan(text)?;
    let [a, b, c] = parts.date;
    let [year, month, day] = match (format, shape.year_first) {
        (TimeFormat::Iso, true) => [a, b, c],
        (TimeFormat::DayFirst, false) => [c, b, a],
        (TimeFormat::MonthFirst, false) => [c, a, b],
        _ => return None,
    };
    let [hour, minute, second] = parts.clock;
    let civil = DateTime::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
        i8::try_from(hour).ok()?,
        i8::try_from(minute).ok()?,
        // RFC 3339 allows the leap second 60; clocks of sensors fold it into the one before.
        i8::try_from(second.min(59)).ok()?,
        i32::try_from(parts.nanoseconds).ok()?,
    );
    let local = utc(civil.ok()?)?;
    local.0.checked_sub(parts.offset_s * SECOND).map(Timestamp)
}

/// Reads date, clock and offset; `None` if anything is left over or does not fit.
pub(super) fn scan(text: &str) -> Option<(Shape, Parts)> {
    let mut rest = Scan(text.as_bytes());
    let (first, digits) = rest.number(1, 4)?;
    let year_first = digits == 4;
    if !year_first && digits > 2 {
        return None;
    }
    let date_separator = rest.one_of(b"-/.")?;
    let (second, _) = rest.number(1, 2)?;
    rest.one_of(&[date_separator])?;
    let (third, digits) = rest.number(1, 4)?;
    if (year_first && digits > 2) || (!year_first && digits != 4) {
        return None;
    }
    let mut shape = Shape {
        year_first,
        date_separator,
        joint: None,
        clock_separator: b':',
        zone: false,
        meridiem: false,
    };
    let mut parts =
        Parts { date: [first, second, third], clock: [0; 3], nanoseconds: 0, offset_s: 0 };
    if rest.0.is_empty() {
        return Some((shape, parts));
    }
    shape.joint = Some(rest.one_of(b"T _t")?);
    clock(&mut rest, &mut shape, &mut parts)?;
    offset(&mut rest, &mut shape, &mut parts)?;
    rest.0.is_empty().then_some((shape, parts))
}

fn clock(rest: &mut Scan<'_>, shape: &mut Shape, parts: &mut Parts) -> Option<()> {
    let (hour, _) = rest.number(1, 2)?;
    shape.clock_separator = rest.one_of(b":.")?;
    let (minute, _) = rest.number(2, 2)?;
    let mut second = 0;
    if rest.one_of(&[shape.clock_separator]).is_some() {
        second = rest.number(2, 2)?.0;
        if rest.one_of(b".,").is_some() {
            parts.nanoseconds = rest.fraction()?;
        }
    }
    parts.clock = [hour, minute, second];
    let spaced = Scan(rest.0.strip_prefix(b" ").unwrap_or(rest.0));
    let noon = match spaced.0.to_ascii_uppercase().as_slice() {
        b"AM" => 0,
        b"PM" => 12,
        _ => return (hour < 24 && minute < 60 && second <= 60).then_some(()),
    };
    rest.0 = &[];
    shape.meridiem = true;
    parts.clock[0] = hour % 12 + noon;
    ((1..=12).contains(&hour) && minute < 60 && second <= 60).then_some(())
}

fn offset(rest: &mut Scan<'_>, shape: &mut Shape, parts: &mut Parts) -> Option<()> {
    if rest.0.is_empty() {
        return Some(());
    }
    rest.one_of(b" ");
    shape.zone = true;
    if rest.one_of(b"Zz").is_some() {
        return Some(());
    }
    let sign = if rest.one_of(b"+-")? == b'-' { -1 } else { 1 };
    let (hours, _) = rest.number(2, 2)?;
    rest.one_of(b":");
    let minutes = rest.number(2, 2).map_or(0, |(m, _)| m);
    parts.offset_s = sign * (hours * 3600 + minutes * 60);
    (hours < 24 && minutes < 60).then_some(())
}

/// The bytes not read yet.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    /// A number of so many digits, and how many it had.
    fn number(&mut self, digits_min: usize, digits_max: usize) -> Option<(i64, usize)> {
        let digits = self.0.iter().take(digits_max).take_while(|b| b.is_ascii_digit()).count();
        if digits < digits_min {
            return None;
        }
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        Some((number.iter().fold(0, |n, b| n * 10 + i64::from(b - b'0')), digits))
    }

    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        bytes.contains(&first).then(|| {
            self.0 = rest;
            first
        })
    }

    /// The digits after the point as nanoseconds; finer digits are cut off.
    fn fraction(&mut self) -> Option<i64> {
        let digits = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let (fraction, rest) = self.0.split_at(digits);
        self.0 = rest;
        Some((0..9).fold(0, |n, i| n * 10 + fraction.get(i).map_or(0, |b| i64::from(b - b'0'))))
    }
}
