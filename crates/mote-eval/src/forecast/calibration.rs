//! Does what was forecast with a probability happen as often?

use serde::Serialize;
use statrs::{
    distribution::{ChiSquared, ContinuousCDF},
    function::erf::erfc,
};

use super::crps;
use crate::{Error, Result, input, random::SplitMix};

/// Largest p-value that counts as evidence against calibration.
const SIGNIFICANCE: f64 = 0.01;

/// Where each value fell in the distribution forecast for it, `(values,)` in (0, 1): the probability
/// integral transform, for forecasts by samples `(values, samples)`.
///
/// `(#{x < y} + u · (1 + #{x = y})) / (samples + 1)` with a uniform `u`, which is exactly uniform if
/// value and samples come from one distribution, for any number of samples and with ties (Czado,
/// Gneiting and Held, 2009). The same seed gives the same values.
///
/// # Errors
///
/// Empty or non-finite input, or samples that are no whole number of rows, one for each value.
pub fn pit_samples(truth: &[f64], samples: &[f64], seed: u64) -> Result<Vec<f64>> {
    let m = crps::row_width(truth, "samples", samples)?;
    let mut rng = SplitMix::new(seed);
    let place = |(y, row): (&f64, &[f64])| {
        let below = row.iter().filter(|x| *x < y).count() as f64;
        let equal = row.iter().filter(|x| *x == y).count() as f64;
        (below + rng.unit() * (1.0 + equal)) / (m as f64 + 1.0)
    };
    Ok(truth.iter().zip(samples.chunks_exact(m)).map(place).collect())
}

/// As [`pit_samples`], for normal forecasts: `Φ((y − μ) / σ)`.
///
/// # Errors
///
/// Empty or non-finite input, different lengths, or a deviation that is not positive.
pub fn pit_normal(truth: &[f64], mean: &[f64], deviation: &[f64]) -> Result<Vec<f64>> {
    input::some("truth", truth)?;
    input::finite("truth", truth)?;
    crps::normal(truth, mean, deviation)?;
    let scaled = truth.iter().zip(mean).zip(deviation).map(|((y, mean), d)| (y - mean) / d);
    Ok(scaled.map(|z| 0.5 * erfc(-z / std::f64::consts::SQRT_2)).collect())
}

/// What a histogram of the transform looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum PitShape {
    /// Flat: calibrated, as far as so many values can tell.
    Flat,
    /// Too much at both ends: forecasts are too narrow.
    TooNarrow,
    /// Too much in the middle: forecasts are too wide.
    TooWide,
    /// Too much at the upper end: forecasts are too low.
    TooLow,
    /// Too much at the lower end: forecasts are too high.
    TooHigh,
    /// Not flat in another way.
    Uneven,
}

/// A histogram of the transform, and whether it is flat.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pit {
    /// `(bins,)`
    pub counts: Vec<usize>,
    /// Pearson's `Σ (count − n/bins)² / (n/bins)`.
    pub chi_squared: f64,
    /// Chance of such a value or a larger one if the forecast is calibrated and values independent.
    /// Neighbouring forecasts of a series are not: then it is too small.
    pub p: f64,
    /// The verdict, from `p < 0.01` and the mean and variance of the transform.
    pub shape: PitShape,
}

impl Pit {
    /// Takes transformed values `(values,)`; ten bins are usual.
    ///
    /// # Errors
    ///
    /// Values outside of [0, 1], fewer than two bins, or fewer than five values for each.
    pub fn of(values: &[f64], bins: usize) -> Result<Self> {
        unit_values("values", values)?;
        input::at_least("bins", bins, 2)?;
        input::at_least("values", values.len(), bins.saturating_mul(5))?;
        let mut counts = vec![0; bins];
        for value in values {
            counts[((value * bins as f64) as usize).min(bins - 1)] += 1;
        }
        let n = values.len() as f64;
        let expected = n / bins as f64;
        let chi_squared =
            counts.iter().map(|&c| (c as f64 - expected).powi(2) / expected).sum::<f64>();
        let p = ChiSquared::new((bins - 1) as f64).map_or(f64::NAN, |chi| chi.sf(chi_squared));
        // In standard errors of a uniform variable: mean ½ ± √(1/12n), variance 1/12 ± √(1/180n).
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - 0.5).powi(2)).sum::<f64>() / n;
        let lean = (mean - 0.5) * (12.0 * n).sqrt();
        let spread = (variance - 1.0 / 12.0) * (180.0 * n).sqrt();
        let shape = if p >= SIGNIFICANCE {
            PitShape::Flat
        } else if lean.abs().max(spread.abs()) < 3.0 {
            PitShape::Uneven
        } else if lean.abs() > spread.abs() {
            if lean > 0.0 { PitShape::TooLow } else { PitShape::TooHigh }
        } else if spread > 0.0 {
            PitShape::TooNarrow
        } else {
            PitShape::TooWide
        };
        Ok(Self { counts, chi_squared, p, shape })
    }
}

/// Mean absolute difference between levels 0.01, 0.02 … 0.99 and the share of transformed values at
/// or below them (after Kuleshov, Fenner and Ermon, 2018, whose squares it replaces): 0 is ideal, ½
/// about the worst, `0.3 / √n` what a calibrated forecast of `n` independent values has.
///
/// # Errors
///
/// Empty input, or values outside of [0, 1].
pub fn quantile_calibration_error(values: &[f64]) -> Result<f64> {
    unit_values("values", values)?;
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let errors = (1..100).map(|percent| {
        let level = f64::from(percent) / 100.0;
        (sorted.partition_point(|v| *v <= level) as f64 / sorted.len() as f64 - level).abs()
    });
    Ok(errors.sum::<f64>() / 99.0)
}

/// Predictions of about one confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CalibrationBin {
    /// Predictions.
    pub count: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// Share of them that was right.
    pub accuracy: f64,
}

/// Outcome of [`calibration_error`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CalibrationError {
    /// Expected calibration error: the mean over predictions of their bin's `|accuracy − confidence|`.
    pub expected: f64,
    /// The largest of those over bins.
    pub largest: f64,
    /// Bins that hold a prediction, in order.
    pub bins: Vec<CalibrationBin>,
}

/// Expected calibration error of a classifier (Naeini et al., 2015; Guo et al., 2017), in equally wide
/// bins `(a, b]` of the confidence in what it predicted; 15 are usual.
///
/// It depends on the number of bins, and is biased upwards by few predictions: compare equal numbers
/// of both.
///
/// # Errors
///
/// Empty input, different lengths, confidences outside of [0, 1], or no bins.
pub fn calibration_error(
    confidence: &[f64],
    correct: &[bool],
    bins: usize,
) -> Result<CalibrationError> {
    unit_values("confidence", confidence)?;
    input::same_length("confidence", confidence, "correct", correct)?;
    input::at_least("bins", bins, 1)?;
    let mut sums = vec![(0_usize, 0.0, 0_usize); bins];
    for (&c, &right) in confidence.iter().zip(correct) {
        let bin = ((c * bins as f64).ceil() as usize).clamp(1, bins) - 1;
        sums[bin].0 += 1;
        sums[bin].1 += c;
        sums[bin].2 += usize::from(right);
    }
    let bins: Vec<CalibrationBin> = sums
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|&(count, sum, right)| {
            let n = count as f64;
            CalibrationBin { count, confidence: sum / n, accuracy: right as f64 / n }
        })
        .collect();
    let gap = |bin: &CalibrationBin| (bin.accuracy - bin.confidence).abs();
    let n = confidence.len() as f64;
    Ok(CalibrationError {
        expected: bins.iter().map(|bin| gap(bin) * bin.count as f64 / n).sum(),
        largest: bins.iter().map(gap).fold(0.0, f64::max),
        bins,
    })
}

fn unit_values(what: &'static str, values: &[f64]) -> Result<()> {
    input::some(what, values)?;
    match values.iter().position(|v| !(0.0..=1.0).contains(v)) {
        None => Ok(()),
        Some(index) => {
            let wanted = "a number from 0 to 1";
            Err(Error::BadValue { what, index, value: values[index], wanted })
        }
    }
}
