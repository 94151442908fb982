//! The value of alarms, and the running score while rows alarm one after another.

use super::{Profile, Series};
use crate::events::Confusion;

/// A scored row.
pub(super) struct Row {
    pub(super) score: f64,
    /// What an alarm here is worth.
    pub(super) value: f64,
    /// The window it lies in, counted over the corpus.
    pub(super) window: Option<usize>,
}

/// The score of the set of rows that have alarmed so far.
pub(super) struct Sweep {
    /// Best alarm in each window; `None` where no scored row lies in it.
    best: Vec<Option<f64>>,
    total: f64,
    pub(super) confusion: Confusion,
}

impl Sweep {
    pub(super) fn new(rows: &[Row], profile: Profile) -> Self {
        let windows = rows.iter().filter_map(|row| row.window).max().map_or(0, |last| last + 1);
        let mut best = vec![None; windows];
        for window in rows.iter().filter_map(|row| row.window) {
            best[window] = Some(-profile.false_negative);
        }
        let inside = rows.iter().filter(|row| row.window.is_some()).count();
        Self {
            total: best.iter().flatten().sum(),
            best,
            confusion: Confusion {
                false_negatives: inside,
                true_negatives: rows.len() - inside,
                ..Confusion::default()
            },
        }
    }

    pub(super) fn total(&self) -> f64 {
        self.total
    }

    pub(super) fn alarm(&mut self, row: &Row) {
        let Some(window) = row.window else {
            self.total += row.value;
            self.confusion.false_positives += 1;
            self.confusion.true_negatives -= 1;
            return;
        };
        self.confusion.true_positives += 1;
        self.confusion.false_negatives -= 1;
        if let Some(best) = &mut self.best[window]
            && row.value > *best
        {
            self.total += row.value - *best;
            *best = row.value;
        }
    }
}

/// For each row what an alarm is worth and the window it lies in.
pub(super) fn weighted<'a>(
    series: Series<'a>,
    profile: Profile,
) -> impl Iterator<Item = (f64, Option<usize>)> + 'a {
    let mut next = 0;
    (0..series.scores.len()).map(move |i| {
        while series.windows.get(next).is_some_and(|window| window.end <= i) {
            next += 1;
        }
        match series.windows.get(next) {
            Some(window) if window.contains(&i) => {
                // Position −1 is the first row; the last row is one step before 0.
                let position = -((window.end - i) as f64) / window.len() as f64;
                let gain = sigmoid(position) / sigmoid(-1.0);
                (gain * profile.true_positive, Some(next))
            }
            _ => {
                let past = next.checked_sub(1).map_or(f64::INFINITY, |previous| {
                    let window = &series.windows[previous];
                    // A window of one row has no width to measure by; any distance is far then.
                    (i + 1 - window.end) as f64 / (window.len() - 1) as f64
                });
                (sigmoid(past) * profile.false_positive, None)
            }
        }
    })
}

/// `2 / (1 + exp(5 x)) − 1`, cut off at −1 beyond three window widths.
fn sigmoid(x: f64) -> f64 {
    if x > 3.0 { -1.0 } else { 2.0 / (1.0 + (5.0 * x).exp()) - 1.0 }
}
