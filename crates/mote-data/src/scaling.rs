//! Brings every feature to a common scale: `(x - mean) / scale`.

use serde::{Deserialize, Serialize};

use crate::{record::numeric_features, series::Runs};

/// One shift and one factor for each feature, fitted on training data and stored with a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// `(features,)`, in the units of the file
    pub mean: Vec<f32>,
    /// `(features,)`, in the units of the file, more than 0
    pub scale: Vec<f32>,
}

/// What stands for the middle and the width of a feature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Mean and standard deviation: the best for clean training data.
    #[default]
    Standard,
    /// Median and interquartile range, which a few wild values do not move.
    Robust,
}

/// The interquartile range of a normal distribution, in standard deviations: 2 Φ⁻¹(3/4). Dividing
/// by it lets both methods agree on normal data.
const NORMAL_IQR: f64 = 1.348_979_5;

/// The least scale, relative to the greatest magnitude. Values are 32-bit floats with about seven
/// digits; a spread below the sixth is mostly rounding, which must not be blown up to a signal.
const RELATIVE_SCALE_MIN: f64 = 1e-6;

impl Scaling {
    /// Fits on the observed values of the runs, which should be the training part only.
    ///
    /// Features of words stay 0 and 1 (mean 0, scale 1). So does the unit of a feature that never
    /// changes or was never seen (its mean, scale 1): in service, a change of such a feature then
    /// counts in its own unit instead of being divided by nothing.
    #[must_use]
    pub fn fit(runs: &Runs, method: Method) -> Self {
        let features = runs.schema().features();
        let numeric = numeric_features(runs.schema());
        let mut scaling = Self { mean: vec![0.0; features], scale: vec![1.0; features] };
        for feature in (0..features).filter(|&f| numeric[f]) {
            let mut values = observed(runs, feature);
            let (mean, scale) = match method {
                Method::Standard => mean_and_deviation(&values),
                Method::Robust => median_and_width(&mut values),
            };
            let magnitude = values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            scaling.mean[feature] = mean as f32;
            scaling.scale[feature] = match scale {
                0.0 => 1.0,
                scale => {
                    scale.max(RELATIVE_SCALE_MIN * magnitude).max(f64::from(f32::MIN_POSITIVE))
                        as f32
                }
            };
        }
        scaling
    }

    /// Scales rows in place; where `mask` is 0 the value becomes 0, the mean.
    ///
    /// # Panics
    ///
    /// If `values` and `mask` do not hold the same whole number of rows.
    pub fn apply(&self, values: &mut [f32], mask: &[f32]) {
        self.each(values, mask, |x, mean, scale| (x - mean) / scale);
    }

    /// Brings rows back to the units of the file, in place; where `mask` is 0 the value becomes 0.
    ///
    /// # Panics
    ///
    /// As [`Scaling::apply`].
    pub fn invert(&self, values: &mut [f32], mask: &[f32]) {
        self.each(values, mask, |x, mean, scale| x * scale + mean);
    }

    fn each(&self, values: &mut [f32], mask: &[f32], f: impl Fn(f32, f32, f32) -> f32) {
        let features = self.mean.len();
        assert_eq!(values.len(), mask.len(), "a mask for each value");
        assert_eq!(values.len() % features.max(1), 0, "whole rows");
        for (row, mask) in values.chunks_exact_mut(features).zip(mask.chunks_exact(features)) {
            for (i, x) in row.iter_mut().enumerate() {
                *x = if mask[i] > 0.0 { f(*x, self.mean[i], self.scale[i]) } else { 0.0 };
            }
        }
    }
}

/// All measured values of a feature.
fn observed(runs: &Runs, feature: usize) -> Vec<f64> {
    let features = runs.schema().features();
    let of = |rows: &[f32]| -> Vec<f32> {
        rows.iter().skip(feature).step_by(features).copied().collect()
    };
    runs.series()
        .iter()
        .flat_map(|s| of(s.values()).into_iter().zip(of(s.mask())))
        .filter(|(_, mask)| *mask > 0.0)
        .map(|(value, _)| f64::from(value))
        .collect()
}

/// In two passes, because one pass loses all digits where the mean is far from 0.
fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    // The mean of equal values may be off by one rounding, which is no spread.
    let constant = values.windows(2).all(|w| w[0] == w[1]);
    (mean, if constant { 0.0 } else { variance.sqrt() })
}

/// Falls back on the standard deviation where the middle half of the values is all the same, as
/// with a feature that moves rarely.
fn median_and_width(values: &mut [f64]) -> (f64, f64) {
    values.sort_unstable_by(f64::total_cmp);
    let width = (quantile(values, 0.75) - quantile(values, 0.25)) / NORMAL_IQR;
    let width = if width > 0.0 { width } else { mean_and_deviation(values).1 };
    (quantile(values, 0.5), width)
}

/// Linear between neighbours; 0 of nothing.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = q * last as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}
