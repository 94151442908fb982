//! What one step of a series is, found from the times of its rows.

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, ErrorKind},
    time::{SECOND, Timestamp},
};

/// What one step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Pace {
    /// A row, whatever its time.
    Rows,
    /// A row of a regular clock: jitter is tolerated, and lost rows are noticed.
    Steps {
        /// Nanoseconds from one row to the next, at least 1.
        period_ns: i64,
    },
    /// All rows of one period together, for rows that come when they like.
    Bins {
        /// Nanoseconds of one bin, at least 1.
        period_ns: i64,
    },
}

/// A gap is off the beat if it differs from the median by more than half of it: then rounding
/// it to whole steps says nothing about how many rows were lost.
const DEVIATION_MAX: f64 = 0.5;

/// The share of gaps off the beat from which data is irregular. Loggers that lose a tenth of their
/// rows are still regular; where more than a fifth is off, rows come with events and not by clock.
const OFF_BEAT_MAX: f64 = 0.2;

impl Pace {
    /// Regular steps of so many seconds; `None` unless that is a positive time.
    #[must_use]
    pub fn steps(period_s: f64) -> Option<Self> {
        nanoseconds(period_s).map(|period_ns| Self::Steps { period_ns })
    }

    /// Seconds of one step, where it has any.
    #[must_use]
    pub fn period_s(&self) -> Option<f64> {
        match self {
            Self::Rows => None,
            Self::Steps { period_ns } | Self::Bins { period_ns } => {
                Some(*period_ns as f64 / SECOND as f64)
            }
        }
    }
}

fn nanoseconds(period_s: f64) -> Option<i64> {
    Timestamp::from_seconds(period_s).map(|t| t.0).filter(|&ns| ns > 0)
}

/// The pace of runs with these times (each in any order), with the reason as a sentence.
///
/// # Errors
///
/// [`ErrorKind::Settings`] for a period that is not a positive time.
pub fn find_pace(runs: &[Vec<Timestamp>], period_s: Option<f64>) -> Result<(Pace, String), Error> {
    let given = period_s
        .map(|s| {
            nanoseconds(s).ok_or_else(|| {
                Error::wanted(ErrorKind::Settings, "a period of some seconds", &s.to_string())
            })
        })
        .transpose()?;
    let mut gaps = gaps(runs);
    gaps.sort_unstable();
    let Some(&median) = gaps.get(gaps.len().saturating_sub(1) / 2) else {
        let pace = given.map_or(Pace::Rows, |period_ns| Pace::Steps { period_ns });
        return Ok((pace, "no two rows differ in time, so each row is one step".into()));
    };
    let period_ns = given.unwrap_or(median);
    let off = gaps
        .iter()
        .filter(|&&gap| (gap as f64 - period_ns as f64).abs() > DEVIATION_MAX * period_ns as f64)
        .count();
    let share = off as f64 / gaps.len() as f64;
    let seconds = period_ns as f64 / SECOND as f64;
    let origin = if given.is_some() { "as given" } else { "the median" };
    let percent = (share * 1000.0).round() / 10.0;
    if share > OFF_BEAT_MAX {
        let why = format!(
            "rows come irregularly ({percent} % of the steps in time differ by more than half from \
             {seconds} s, {origin}), so they are averaged in bins of {seconds} s"
        );
        return Ok((Pace::Bins { period_ns }, why));
    }
    let why = format!("one row every {seconds} s ({origin}; {percent} % of the steps differ)");
    Ok((Pace::Steps { period_ns }, why))
}

/// The positive differences between neighbours in time.
fn gaps(runs: &[Vec<Timestamp>]) -> Vec<i64> {
    let mut gaps = Vec::new();
    for run in runs {
        let mut run = run.clone();
        run.sort_unstable();
        gaps.extend(run.windows(2).map(|w| w[1].0.saturating_sub(w[0].0)).filter(|&gap| gap > 0));
    }
    gaps
}

/// How many samples are missing between two rows: `round(dt / period) - 1`, at least 0.
pub(super) fn missing(last: Timestamp, next: Timestamp, period_ns: i64) -> u64 {
    let dt = i128::from(next.0) - i128::from(last.0);
    let period = i128::from(period_ns);
    u64::try_from((2 * dt + period) / (2 * period) - 1).unwrap_or(0)
}
