//! Split conformal prediction: intervals with the promised coverage, whatever the model.

use serde::Serialize;

use crate::{Error, Result, input};

/// By how much a forecast has to be widened to cover as promised.
///
/// If the values that it was calibrated on and the next one are exchangeable, the next one is covered
/// with a probability of at least the confidence, and of at most `1 / (n + 1)` more without ties, on
/// average over calibration sets (Vovk, Gammerman and Shafer, 2005; Lei et al., 2018). With one
/// calibration set the coverage is spread around that by about `√(c (1 − c) / n)`. A series that
/// drifts is not exchangeable: calibrate on its newest part, and again and again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Conformal {
    /// The `⌈(n + 1) · confidence⌉`-th smallest score; negative where quantile forecasts were too wide.
    pub margin: f64,
    /// The promised coverage.
    pub confidence: f64,
    /// Values that it was calibrated on.
    pub count: usize,
}

impl Conformal {
    /// Calibrates on scores `(values,)` that are larger the worse a forecast was.
    ///
    /// # Errors
    ///
    /// Empty or non-finite scores, a confidence outside of (0, 1), or fewer than
    /// `confidence / (1 − confidence)` of them: then only an infinite interval keeps the promise.
    pub fn from_scores(scores: &[f64], confidence: f64) -> Result<Self> {
        input::some("scores", scores)?;
        input::finite("scores", scores)?;
        input::open_unit("confidence", confidence)?;
        let count = scores.len();
        // A rounding step must not ask for one rank more where the product is whole.
        let rank = ((count + 1) as f64 * confidence - 1e-9).ceil().max(1.0) as usize;
        if rank > count {
            let wanted = (confidence / (1.0 - confidence) - 1e-9).ceil() as usize;
            return Err(Error::TooFew { what: "scores", found: count, wanted });
        }
        let mut scores = scores.to_vec();
        let (_, margin, _) = scores.select_nth_unstable_by(rank - 1, f64::total_cmp);
        Ok(Self { margin: *margin, confidence, count })
    }

    /// Calibrates point forecasts by `|y − ŷ|`; the intervals are equally wide everywhere.
    ///
    /// # Errors
    ///
    /// As [`Self::from_scores`], or different lengths.
    pub fn of_points(truth: &[f64], predicted: &[f64], confidence: f64) -> Result<Self> {
        input::same_length("truth", truth, "predicted", predicted)?;
        let scores: Vec<f64> = truth.iter().zip(predicted).map(|(y, p)| (y - p).abs()).collect();
        Self::from_scores(&scores, confidence)
    }

    /// Calibrates quantile forecasts by `max(low − y, y − high)` (Romano, Patterson and Candès, 2019);
    /// the intervals keep their different widths.
    ///
    /// # Errors
    ///
    /// As [`Self::from_scores`], or different lengths.
    pub fn of_quantiles(truth: &[f64], low: &[f64], high: &[f64], confidence: f64) -> Result<Self> {
        input::same_length("truth", truth, "low", low)?;
        input::same_length("truth", truth, "high", high)?;
        let rows = truth.iter().zip(low.iter().zip(high));
        let scores: Vec<f64> = rows.map(|(y, (l, h))| (l - y).max(y - h)).collect();
        Self::from_scores(&scores, confidence)
    }

    /// The interval around a point forecast.
    #[must_use]
    pub fn around(&self, predicted: f64) -> (f64, f64) {
        self.widen(predicted, predicted)
    }

    /// The interval for a quantile forecast. Where a negative margin would turn it around, its middle.
    #[must_use]
    pub fn widen(&self, low: f64, high: f64) -> (f64, f64) {
        let (wide_low, wide_high) = (low - self.margin, high + self.margin);
        if wide_low <= wide_high {
            return (wide_low, wide_high);
        }
        let middle = 0.5 * (low + high);
        (middle, middle)
    }
}
