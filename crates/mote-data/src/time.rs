//! Instants, and the ways in which files and messages write them.

use std::fmt;

use jiff::{civil::DateTime, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

mod calendar;
#[cfg(feature = "files")]
mod guess;
mod unit;

#[cfg(feature = "files")]
pub(crate) use guess::guess;
pub(crate) use unit::guess_unit;

/// An instant: nanoseconds since 1970-01-01T00:00:00Z, from the year 1677 to 2262.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// Nanoseconds in a second.
pub(crate) const SECOND: i64 = 1_000_000_000;

impl Timestamp {
    /// The instant this many seconds after the epoch, to the nanosecond as far as the float goes;
    /// `None` outside the range or for NaN.
    #[must_use]
    pub fn from_seconds(seconds: f64) -> Option<Self> {
        scale(seconds, SECOND)
    }

    /// Seconds since the epoch.
    #[must_use]
    pub fn seconds(self) -> f64 {
        // Split, because the whole nanoseconds exceed the 53 bits of a float.
        (self.0.div_euclid(SECOND)) as f64 + self.0.rem_euclid(SECOND) as f64 / SECOND as f64
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(t) => t.fmt(f),
            Err(_) => write!(f, "{} ns", self.0),
        }
    }
}

/// `value · unit` nanoseconds, rounded; whole and fraction apart, so that the whole stays exact.
fn scale(value: f64, unit: i64) -> Option<Timestamp> {
    /// The largest power of two below the range of an `i64` in whole units.
    const EXACT_MAX: f64 = 9.2e18;
    if !value.is_finite() || (value * unit as f64).abs() > EXACT_MAX {
        return None;
    }
    let whole = (value.trunc() as i64).checked_mul(unit)?;
    whole.checked_add((value.fract() * unit as f64).round() as i64).map(Timestamp)
}

/// How the times of one column are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TimeFormat {
    /// Year, month, day; then perhaps a clock, a fraction and an offset: ISO 8601, RFC 3339 and
    /// their kin with other separators (`2019.11.24_12.19.13`).
    Iso,
    /// Day, month, year, as in Europe: `24.11.2019 12:19`.
    DayFirst,
    /// Month, day, year, as in the USA: `11/24/2019 12:19 PM`.
    MonthFirst,
    /// A number of seconds since the epoch, or since the start of a recording.
    Seconds,
    /// A number of milliseconds.
    Milliseconds,
    /// A number of microseconds.
    Microseconds,
    /// A number of nanoseconds.
    Nanoseconds,
    /// A pattern of `strptime`, such as `%d-%b-%y %H:%M:%S`.
    Pattern(String),
}

/// The names of the formats that are no pattern.
const NAMED: [(&str, TimeFormat); 7] = [
    ("iso", TimeFormat::Iso),
    ("day_first", TimeFormat::DayFirst),
    ("month_first", TimeFormat::MonthFirst),
    ("seconds", TimeFormat::Seconds),
    ("milliseconds", TimeFormat::Milliseconds),
    ("microseconds", TimeFormat::Microseconds),
    ("nanoseconds", TimeFormat::Nanoseconds),
];

impl std::str::FromStr for TimeFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if let Some((_, format)) = NAMED.iter().find(|(name, _)| *name == text) {
            return Ok(format.clone());
        }
        if text.contains('%') {
            return Ok(Self::Pattern(text.into()));
        }
        let named = NAMED.map(|(name, _)| name).join(", ");
        let wanted = format!("a time format ({named}, or a pattern such as %Y-%m-%d)");
        Err(Error::wanted(ErrorKind::Settings, wanted, text))
    }
}

impl TryFrom<String> for TimeFormat {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<TimeFormat> for String {
    fn from(format: TimeFormat) -> Self {
        format.to_string()
    }
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, NAMED.iter().find(|(_, format)| format == self)) {
            (Self::Pattern(pattern), _) => f.write_str(pattern),
            (_, Some((name, _))) => f.write_str(name),
            (_, None) => Ok(()),
        }
    }
}

impl TimeFormat {
    /// Reads one time; `None` where the text is not of this format or out of range.
    #[must_use]
    pub fn parse(&self, text: &str) -> Option<Timestamp> {
        match self {
            Self::Iso | Self::DayFirst | Self::MonthFirst => calendar::parse(text, self),
            Self::Pattern(pattern) => with_pattern(pattern, text),
            _ => self.parse_number(text),
        }
    }

    /// Nanoseconds of one unit, for the formats that are numbers.
    #[must_use]
    pub fn unit_ns(&self) -> Option<i64> {
        match self {
            Self::Seconds => Some(SECOND),
            Self::Milliseconds => Some(1_000_000),
            Self::Microseconds => Some(1_000),
            Self::Nanoseconds => Some(1),
            _ => None,
        }
    }

    /// The instant that a number of this unit stands for.
    #[must_use]
    pub fn of_number(&self, value: f64) -> Option<Timestamp> {
        scale(value, self.unit_ns()?)
    }

    /// The instant that a whole number of this unit stands for, exactly.
    #[must_use]
    pub fn of_integer(&self, value: i64) -> Option<Timestamp> {
        value.checked_mul(self.unit_ns()?).map(Timestamp)
    }

    fn parse_number(&self, text: &str) -> Option<Timestamp> {
        match text.parse::<i64>() {
            Ok(value) => self.of_integer(value),
            Err(_) => self.of_number(text.parse().ok()?),
        }
    }
}

fn with_pattern(pattern: &str, text: &str) -> Option<Timestamp> {
    let parts = jiff::fmt::strtime::parse(pattern, text).ok()?;
    if let Ok(time) = parts.to_timestamp() {
        return i64::try_from(time.as_nanosecond()).ok().map(Timestamp);
    }
    let civil = parts.to_datetime().or_else(|_| parts.to_date().map(|d| d.at(0, 0, 0, 0)));
    utc(civil.ok()?)
}

fn utc(civil: DateTime) -> Option<Timestamp> {
    let time = TimeZone::UTC.to_timestamp(civil).ok()?;
    i64::try_from(time.as_nanosecond()).ok().map(Timestamp)
}
