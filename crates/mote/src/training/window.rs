//! Windows: how long, and as a training sees them.

use mote_data::{Runs, Series, Windows as Cuts};
use mote_eval::sliding_window;
use mote_format::manifest::Window;
use mote_learn::{parts::Standardize, train::Windows};

use super::Recipe;
use crate::Error;

/// Windows of raw data, brought to standard units as they are read.
pub(super) struct Standardized<'a> {
    pub(super) cuts: Cuts<'a>,
    pub(super) standardize: &'a Standardize,
}

impl Windows for Standardized<'_> {
    fn len(&self) -> usize {
        self.cuts.len()
    }

    fn shape(&self) -> [usize; 2] {
        [self.cuts.cut().length, self.standardize.mean.len()]
    }

    fn fill(&self, i: usize, values: &mut [f32], mask: &mut [f32]) {
        let window = self.cuts.get(i);
        values.copy_from_slice(window.values);
        mask.copy_from_slice(window.mask);
        self.standardize.apply(values, mask);
    }
}

/// The window: as asked for, or as long as the data's own period, within bounds, and short enough
/// that held-back data gives some dozen scores.
pub(super) fn window(train: &Runs, held: &Runs, recipe: &Recipe) -> Result<Window, Error> {
    let step = recipe.model.granularity();
    let length = match recipe.window {
        Some(length) if length > 0 && length % step == 0 => length,
        Some(length) => {
            let family = recipe.model.family();
            return Err(Error::Usage(format!(
                "wanted a window of a multiple of {step} samples for {family}, found {length}"
            )));
        }
        None => {
            let longest = held.series().iter().map(Series::len).max().unwrap_or(0);
            let periods = train.series().iter().filter_map(period);
            let period = mote_eval::median(&periods.collect::<Vec<_>>()).unwrap_or(0.0) as usize;
            let [shortest, most] = recipe.model.windows();
            let unbroken = usual_stretch(train).min(usual_stretch(held));
            let period = period.clamp(shortest, most).min(longest / 2).min(unbroken);
            let stretches: Vec<usize> = stretches(held).collect();
            step * leaving(SCORES, period / step, |n| scores(&stretches, n * step))
        }
    };
    let tail = recipe.tail.unwrap_or(length.div_ceil(2));
    if tail == 0 || tail > length {
        return Err(Error::Usage(format!("wanted a tail of 1 to {length} samples, found {tail}")));
    }
    Ok(Window { length, tail })
}

/// Scores of held-back data that a threshold can be chosen from.
const SCORES: usize = 24;

/// The longest of `most`, `most - 1`, … that leaves `wanted` of what `count` counts; 1 where none does.
fn leaving(wanted: usize, most: usize, count: impl Fn(usize) -> usize) -> usize {
    (1..=most).rev().find(|&n| count(n) >= wanted).unwrap_or(1)
}

/// Windows of `length` samples in unbroken stretches.
fn scores(stretches: &[usize], length: usize) -> usize {
    stretches.iter().map(|&samples| (samples + 1).saturating_sub(length)).sum()
}

fn stretches(runs: &Runs) -> impl Iterator<Item = usize> + '_ {
    runs.series().iter().flat_map(Series::segments).map(|s| s.len())
}

/// Half of the samples lie in unbroken stretches at least as long as this.
fn usual_stretch(runs: &Runs) -> usize {
    let mut lengths: Vec<usize> = stretches(runs).collect();
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    let mut covered = 0;
    let reaching = lengths.iter().find(|&&length| {
        covered += length;
        2 * covered >= runs.samples()
    });
    reaching.copied().unwrap_or(0)
}

/// The period of a run: the median over its features of the strongest lag of autocorrelation.
fn period(series: &Series) -> Option<f64> {
    let features = series.features();
    let periods: Vec<f64> = (0..features)
        .filter_map(|c| {
            let column: Vec<f64> =
                series.values().iter().skip(c).step_by(features).map(|&v| f64::from(v)).collect();
            sliding_window(&column).ok().map(|w| w as f64)
        })
        .collect();
    mote_eval::median(&periods).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest window of a multiple of `step` for stretches of these lengths.
    fn longest(stretches: &[usize], step: usize, most: usize) -> usize {
        step * leaving(SCORES, most / step, |n| scores(stretches, n * step))
    }

    #[test]
    fn windows_are_short_enough_for_a_threshold() {
        assert_eq!(longest(&[100], 8, 64), 64);
        assert_eq!(longest(&[60], 8, 64), 32, "37 - 8 = 29 scores");
        assert_eq!(longest(&[47], 8, 64), 24, "exactly 24 scores");
        assert_eq!(longest(&[20, 20, 20], 1, 16), 13, "3 times 8 scores");
        assert_eq!(longest(&[5, 5], 8, 64), 8, "nothing helps");
    }
}
