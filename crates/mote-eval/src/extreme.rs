//! A threshold for a wanted false alarm rate, from the tail of normal scores alone.
//!
//! Peaks over threshold (Siffer et al., KDD 2017): scores above a high quantile exceed it by an
//! amount that is close to generalized Pareto, whatever the bulk looks like (Pickands; Balkema and
//! de Haan). So the rate far out, where no sample has been seen yet, follows from the fit of the
//! excesses.

mod pareto;

use serde::Serialize;

pub use pareto::Fit;

use crate::{Error, Result, input, interval};

/// Scores needed before a tail is fitted at all.
pub const MIN_SCORES: usize = 20;

/// Excesses that a fit rests on at least; the initial quantile is lowered until there are so many.
pub const MIN_EXCESSES: usize = 10;

/// The upper tail of a score: `P(score > u + y) = rate · (1 + shape · y / scale)^(−1 / shape)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tail {
    /// `u`, where the tail begins.
    pub initial_threshold: f64,
    /// `shape`: 0 is exponential, above 0 heavier, below 0 the tail ends somewhere.
    pub shape: f64,
    /// `scale`, in units of the score, above 0.
    pub scale: f64,
    /// Scores the fit has seen.
    pub samples: usize,
    /// Scores above `u`.
    pub excesses: usize,
    /// Which estimator gave shape and scale.
    pub fit: Fit,
}

impl Tail {
    /// Fits the tail of `scores` `(samples,)`, higher meaning more anomalous.
    ///
    /// The scores must come from normal data that the model has not been trained on.
    /// `initial_quantile` says where the tail begins; 0.98 is Siffer's default, and it is lowered
    /// where it would leave fewer than [`MIN_EXCESSES`] scores (so 100 scores begin at their 90th
    /// percentile) or where it falls on scores that are tied with the maximum. Scores are taken as
    /// independent; those of a slow series are not, and the rate then holds on average over longer
    /// spans only.
    ///
    /// # Errors
    ///
    /// Fewer than [`MIN_SCORES`] scores, a score that is not finite, scores that are all the same,
    /// or a quantile outside of (0, 1).
    pub fn fit(scores: &[f64], initial_quantile: f64) -> Result<Self> {
        input::open_unit("initial_quantile", initial_quantile)?;
        input::finite("scores", scores)?;
        input::at_least("scores", scores.len(), MIN_SCORES)?;
        let mut sorted = scores.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
        if low == high {
            return Err(Error::Constant { what: "scores", value: low, count: scores.len() });
        }

        let enough = sorted[sorted.len() - 1 - MIN_EXCESSES];
        let wanted = interval::quantile_of_sorted(&sorted, initial_quantile).min(enough);
        let initial_threshold = with_excesses(&sorted, wanted);
        let above = sorted.partition_point(|&s| s <= initial_threshold);
        let excesses: Vec<f64> = sorted[above..].iter().map(|s| s - initial_threshold).collect();
        let (shape, scale, fit) = pareto::fit(&excesses);
        Ok(Self {
            initial_threshold,
            shape,
            scale,
            samples: scores.len(),
            excesses: excesses.len(),
            fit,
        })
    }

    /// The share of scores at which the tail begins: the highest rate it can answer for.
    pub fn rate(&self) -> f64 {
        self.excesses as f64 / self.samples as f64
    }

    /// The threshold that normal scores exceed at `false_alarm_rate` (a share of samples, not
    /// percent).
    ///
    /// # Errors
    ///
    /// If the rate is not above 0, or above [`Self::rate`], where the bulk and not the tail
    /// decides; fit with a lower `initial_quantile` then.
    pub fn threshold(&self, false_alarm_rate: f64) -> Result<f64> {
        if !(false_alarm_rate > 0.0 && false_alarm_rate <= self.rate()) {
            let wanted = "a rate above 0 and not above the share of scores in the tail";
            return Err(Error::OutOfRange {
                what: "false_alarm_rate",
                value: false_alarm_rate,
                wanted,
            });
        }
        let log_rarity = (self.rate() / false_alarm_rate).ln();
        let excess = if self.shape == 0.0 {
            log_rarity
        } else {
            (self.shape * log_rarity).exp_m1() / self.shape
        };
        Ok(self.initial_threshold + self.scale * excess)
    }

    /// The share of normal scores above `threshold`; 0 beyond the end of a tail that ends.
    ///
    /// # Errors
    ///
    /// If the threshold is NaN or below [`Self::initial_threshold`], where this fit says nothing.
    pub fn false_alarm_rate(&self, threshold: f64) -> Result<f64> {
        if threshold.is_nan() || threshold < self.initial_threshold {
            let wanted = "a threshold not below the one where the tail begins";
            return Err(Error::OutOfRange { what: "threshold", value: threshold, wanted });
        }
        let excess = (threshold - self.initial_threshold) / self.scale;
        let log_survival = if self.shape == 0.0 {
            -excess
        } else {
            -(self.shape * excess).max(-1.0).ln_1p() / self.shape
        };
        Ok(self.rate() * log_survival.exp())
    }
}

/// `wanted` if [`MIN_EXCESSES`] scores lie above it, else the highest score of which that is true,
/// else the lowest score.
///
/// Only ties make this lower anything: where many scores equal the maximum, none lies above a high
/// quantile. Each step down adds at least one excess, so there are at most [`MIN_EXCESSES`] steps.
fn with_excesses(sorted: &[f64], wanted: f64) -> f64 {
    let mut threshold = wanted;
    loop {
        let above = sorted.partition_point(|&s| s <= threshold);
        if sorted.len() - above >= MIN_EXCESSES || threshold <= sorted[0] {
            return threshold;
        }
        let below = sorted.partition_point(|&s| s < threshold);
        threshold = sorted[below.saturating_sub(1)];
    }
}
