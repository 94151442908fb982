//! The score of the Numenta Anomaly Benchmark, which rewards early alarms.
//!
//! Each labelled window is worth its weight times a sigmoid of how early the first alarm falls in
//! it; a missed window and each alarm outside cost theirs. Rows, weights and the sweep over
//! thresholds follow `nab/sweeper.py` of numenta/NAB at commit `ea702d7` (Lavin and Ahmad, ICMLA
//! 2015). Rows are indices here: turning time stamps into rows is the reader's task.

mod change_points;
mod sweep;

use std::ops::Range;

use serde::Serialize;

pub use change_points::{ChangePointScore, ChangePointSeries, change_point_score};

use crate::{Error, Result, events::Confusion, input};
use sweep::{Row, Sweep, weighted};

/// Share of each file at its start that is not scored.
const PROBATION_SHARE: f64 = 0.15;

/// Rows after which the probation stops growing.
const PROBATION_ROWS_COUNTED: f64 = 5000.0;

/// What hits, false alarms and misses are worth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Profile {
    /// Gain of a window that is detected at its first row.
    pub true_positive: f64,
    /// Loss of an alarm far from any window.
    pub false_positive: f64,
    /// Loss of a window without an alarm.
    pub false_negative: f64,
}

impl Profile {
    /// NAB's `standard` profile.
    pub const STANDARD: Self =
        Self { true_positive: 1.0, false_positive: 0.11, false_negative: 1.0 };
    /// NAB's `reward_low_FP_rate` profile.
    pub const REWARD_LOW_FP_RATE: Self =
        Self { true_positive: 1.0, false_positive: 0.22, false_negative: 1.0 };
    /// NAB's `reward_low_FN_rate` profile.
    pub const REWARD_LOW_FN_RATE: Self =
        Self { true_positive: 1.0, false_positive: 0.11, false_negative: 2.0 };
}

/// One file of the corpus.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// `(rows,)`, higher is more anomalous.
    pub scores: &'a [f64],
    /// Labelled windows as half-open row ranges: sorted, disjoint, not empty.
    pub windows: &'a [Range<usize>],
}

/// What a detector reaches on a corpus with one threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Alarms are the scores at or above this; infinite if never to alarm is best (NAB writes
    /// 1.1, JSON `null`).
    pub threshold: f64,
    /// Sum over windows and false alarms.
    pub raw: f64,
    /// The raw score of a detector that never alarms.
    pub null: f64,
    /// The raw score of a detector that alarms once, at the first row of each window.
    pub perfect: f64,
    /// `100 · (raw − null) / (perfect − null)`: 0 for the null detector, 100 for the perfect one,
    /// below 0 for detectors that false alarms make worse than silence.
    pub normalized: f64,
    /// Rows after probation, a row inside a window being anomalous.
    pub confusion: Confusion,
}

/// Rows at the start of a file that are not scored: 15 %, and never more than 750.
pub fn probation(rows: usize) -> usize {
    let share = (PROBATION_SHARE * rows as f64).floor();
    share.min(PROBATION_SHARE * PROBATION_ROWS_COUNTED).ceil() as usize
}

/// Scores a corpus at a given threshold.
///
/// # Errors
///
/// An empty corpus or series, NaN in scores or threshold, windows that are empty, unsorted,
/// overlapping or out of range, or no window at all, because then nothing can be normalized.
pub fn score(corpus: &[Series<'_>], profile: Profile, threshold: f64) -> Result<Score> {
    input::no_nan("threshold", &[threshold])?;
    let corpus = Corpus::new(corpus, profile)?;
    let mut sweep = Sweep::new(&corpus.rows, profile);
    for row in corpus.rows.iter().filter(|row| row.score >= threshold) {
        sweep.alarm(row);
    }
    Ok(corpus.score(threshold, &sweep))
}

/// Finds the threshold with the highest raw score over the whole corpus, as NAB does for each
/// detector and profile; of equals, the highest. `O(rows · log rows)`.
///
/// The threshold is chosen with the labels in hand: the number is NAB's, and it is optimistic.
///
/// # Errors
///
/// As [`score`].
pub fn optimize(corpus: &[Series<'_>], profile: Profile) -> Result<Score> {
    let mut corpus = Corpus::new(corpus, profile)?;
    corpus.rows.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut sweep = Sweep::new(&corpus.rows, profile);
    let mut best = corpus.score(f64::INFINITY, &sweep);
    let mut rows = corpus.rows.iter().peekable();
    while let Some(row) = rows.next() {
        sweep.alarm(row);
        // Rows of equal score alarm together, so only the last of them is a threshold.
        if rows.peek().is_none_or(|next| next.score != row.score) && sweep.total() > best.raw {
            best = corpus.score(row.score, &sweep);
        }
    }
    Ok(best)
}

/// What an alarm at each row of one file would be worth by itself, probation included; for plots.
///
/// # Errors
///
/// As [`score`], but a file without windows is welcome.
pub fn row_values(series: Series<'_>, profile: Profile) -> Result<Vec<f64>> {
    check(&series)?;
    Ok(weighted(series, profile).map(|(value, _)| value).collect())
}

/// All scored rows of all files, and the two ends of the scale.
struct Corpus {
    rows: Vec<Row>,
    null: f64,
    perfect: f64,
}

impl Corpus {
    fn new(corpus: &[Series<'_>], profile: Profile) -> Result<Self> {
        input::some("corpus", corpus)?;
        let mut rows = Vec::new();
        let mut windows = 0;
        for series in corpus {
            check(series)?;
            let skip = probation(series.scores.len());
            let scored = weighted(*series, profile).zip(series.scores).skip(skip);
            rows.extend(scored.map(|((value, window), &score)| Row {
                score,
                value,
                window: window.map(|w| windows + w),
            }));
            windows += series.windows.len();
        }
        input::at_least("labelled windows", windows, 1)?;
        // A window that lies wholly in the probation counts towards the perfect score and not
        // towards the null score: so does the reference.
        let null = Sweep::new(&rows, profile).total();
        Ok(Self { rows, null, perfect: windows as f64 * profile.true_positive })
    }

    fn score(&self, threshold: f64, sweep: &Sweep) -> Score {
        let raw = sweep.total();
        Score {
            threshold,
            raw,
            null: self.null,
            perfect: self.perfect,
            normalized: 100.0 * (raw - self.null) / (self.perfect - self.null),
            confusion: sweep.confusion,
        }
    }
}

fn check(series: &Series<'_>) -> Result<()> {
    input::some("scores", series.scores)?;
    input::no_nan("scores", series.scores)?;
    let rows = series.scores.len();
    let mut free = 0;
    for (index, window) in series.windows.iter().enumerate() {
        if window.start < free || window.end <= window.start || window.end > rows {
            return Err(Error::BadWindow { index, start: window.start, end: window.end, rows });
        }
        free = window.end;
    }
    Ok(())
}
