//! SKAB's variant of the NAB score for change points.
//!
//! A change point is found if an alarm falls within `window_s` seconds after it. The worth of the
//! first such alarm falls from the hit weight to the false-alarm weight along a hyperbolic tangent.
//! Follows `chp_score(metric="nab", window_width="60s", anomaly_window_destination="righter")` of
//! waico/SKAB's `core/metrics.py` at commit `f3d94c4`, of which PyPI `tsad` holds the same
//! function.

use std::f64::consts::FRAC_PI_2;

use serde::Serialize;

use super::Profile;
use crate::{Error, Result, input};

/// Steps of the table that SKAB reads the falling worth from.
const STEPS: usize = 1000;

/// One file: when its samples were taken, where it changes, and where the detector says so.
#[derive(Clone, Copy, Debug)]
pub struct ChangePointSeries<'a> {
    /// `(samples,)`, seconds, not falling.
    pub times_s: &'a [f64],
    /// `(samples,)`, true at the samples where the state changes.
    pub truth: &'a [bool],
    /// `(samples,)`, true where the detector reports a change. SKAB takes the samples at which the
    /// alarm switches on or off.
    pub predicted: &'a [bool],
}

/// The three profiles, normalized to 0 for silence and 100 for the perfect detector, and the
/// counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ChangePointScore {
    /// With the weights of [`Profile::STANDARD`].
    pub standard: f64,
    /// With the weights of [`Profile::REWARD_LOW_FP_RATE`].
    pub low_fp: f64,
    /// With the weights of [`Profile::REWARD_LOW_FN_RATE`].
    pub low_fn: f64,
    /// Labelled change points.
    pub change_points: usize,
    /// Change points without an alarm in their window.
    pub missed: usize,
    /// Alarms outside of all windows.
    pub false_positives: usize,
}

/// Scores change points over all files together. SKAB uses `window_s` = 60.
///
/// Where two windows overlap, the later one begins at the end of the earlier.
///
/// # Errors
///
/// No series, lengths that differ, times that are not finite or fall, a window that is not a
/// positive number of seconds, or no change point in any file.
pub fn change_point_score(
    corpus: &[ChangePointSeries<'_>],
    window_s: f64,
) -> Result<ChangePointScore> {
    input::some("corpus", corpus)?;
    if !(window_s > 0.0 && window_s.is_finite()) {
        let wanted = "a positive number of seconds";
        return Err(Error::OutOfRange { what: "window_s", value: window_s, wanted });
    }
    let mut tally = Tally::default();
    for series in corpus {
        check(series)?;
        tally.add(series, window_s);
    }
    input::at_least("change points", tally.change_points, 1)?;
    Ok(ChangePointScore {
        standard: tally.normalized(Profile::STANDARD),
        low_fp: tally.normalized(Profile::REWARD_LOW_FP_RATE),
        low_fn: tally.normalized(Profile::REWARD_LOW_FN_RATE),
        change_points: tally.change_points,
        missed: tally.missed,
        false_positives: tally.false_positives,
    })
}

/// What happened, before any profile weighs it.
#[derive(Default)]
struct Tally {
    /// For each found change point how far into its window the alarm came, as a step of the table.
    found: Vec<usize>,
    change_points: usize,
    missed: usize,
    false_positives: usize,
}

impl Tally {
    fn add(&mut self, series: &ChangePointSeries<'_>, window_s: f64) {
        let times = |marks: &[bool]| -> Vec<f64> {
            series.times_s.iter().zip(marks).filter(|(_, m)| **m).map(|(t, _)| *t).collect()
        };
        let alarms = times(series.predicted);
        let mut windows: Vec<(f64, f64)> = Vec::new();
        for t in times(series.truth) {
            let left = windows.last().map_or(t, |&(_, right)| right.max(t));
            windows.push((left, t + window_s));
        }
        self.change_points += windows.len();

        let mut covered = vec![false; alarms.len()];
        for &(left, right) in &windows {
            let first = alarms.partition_point(|&t| t < left);
            let after = alarms.partition_point(|&t| t <= right);
            covered[first..after].fill(true);
            if first == after {
                self.missed += 1;
            } else {
                let step = ((alarms[first] - left) / (right - left) * STEPS as f64) as usize;
                self.found.push(step.min(STEPS - 1));
            }
        }
        self.false_positives += covered.iter().filter(|&&covered| !covered).count();
    }

    fn normalized(&self, profile: Profile) -> f64 {
        let hits: f64 = self.found.iter().map(|&step| worth(step, profile)).sum();
        let raw = hits
            - self.missed as f64 * profile.false_negative
            - self.false_positives as f64 * profile.false_positive;
        let null = -(self.change_points as f64) * profile.false_negative;
        let perfect = self.change_points as f64 * profile.true_positive;
        100.0 * (raw - null) / (perfect - null)
    }
}

/// Falls from the hit weight at step 0 to minus the false-alarm weight at the last step.
fn worth(step: usize, profile: Profile) -> f64 {
    let x = (2.0 * step as f64 / (STEPS - 1) as f64 - 1.0) * FRAC_PI_2;
    let fall = 0.5 - 0.5 * x.tanh() / FRAC_PI_2.tanh();
    (profile.true_positive + profile.false_positive) * fall - profile.false_positive
}

fn check(series: &ChangePointSeries<'_>) -> Result<()> {
    input::some("times_s", series.times_s)?;
    input::same_length("times_s", series.times_s, "truth", series.truth)?;
    input::same_length("times_s", series.times_s, "predicted", series.predicted)?;
    input::finite("times_s", series.times_s)?;
    match series.times_s.windows(2).position(|pair| pair[1] < pair[0]) {
        None => Ok(()),
        Some(i) => Err(Error::BadValue {
            what: "times_s",
            index: i + 1,
            value: series.times_s[i + 1],
            wanted: "a time not before the one ahead of it",
        }),
    }
}
