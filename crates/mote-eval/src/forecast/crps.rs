//! The continuous ranked probability score: how far a forecast distribution is from what happened.

use statrs::function::erf::erfc;

use crate::{Error, Result, input};

/// How the spread of few samples is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// Over all `m²` pairs: the score of the samples taken as the whole forecast, as `properscoring`
    /// and GluonTS have it. It rewards more samples.
    Plain,
    /// Over the `m (m − 1)` pairs of different samples: unbiased for the distribution that they were
    /// drawn from (Ferro, 2014), so that forecasts of different `m` compare. Needs two samples.
    Fair,
}

/// Mean over values of `E|X − y| − ½ E|X − X'|` for samples `(values, samples)` (Gneiting and
/// Raftery, 2007), in the unit of the values; for one sample the absolute error.
///
/// Cost `values · samples · log samples`.
///
/// # Errors
///
/// Empty or non-finite input, samples that are no whole number of rows, one for each value, or a fair
/// spread of one sample.
pub fn crps_samples(truth: &[f64], samples: &[f64], spread: Spread) -> Result<f64> {
    let m = row_width(truth, "samples", samples)?;
    if spread == Spread::Fair {
        input::at_least("samples of a value", m, 2)?;
    }
    let pairs = match spread {
        Spread::Plain => (m * m) as f64,
        Spread::Fair => (m * (m - 1)) as f64,
    };
    let mut sorted = vec![0.0; m];
    let mut total = 0.0;
    for (y, row) in truth.iter().zip(samples.chunks_exact(m)) {
        sorted.copy_from_slice(row);
        sorted.sort_unstable_by(f64::total_cmp);
        let distance = sorted.iter().map(|x| (x - y).abs()).sum::<f64>() / m as f64;
        // Σᵢⱼ |xᵢ − xⱼ| = 2 Σᵢ (2i − m + 1) xᵢ for sorted samples counted from 0.
        let differences =
            sorted.iter().enumerate().map(|(i, x)| (2.0 * i as f64 + 1.0 - m as f64) * x);
        total += distance - differences.sum::<f64>() / pairs;
    }
    Ok(total / truth.len() as f64)
}

/// Mean over values and levels of twice the [pinball loss](pinball) of quantiles `(values, levels)`:
/// with evenly spaced levels an approximation of CRPS.
///
/// GenTS and neuralforecast leave the factor of two out. With the usual nine levels it is off by up
/// to a tenth, and blind beyond the outer ones; compare only at equal levels.
///
/// # Errors
///
/// Empty or non-finite input, lengths that do not fit, or levels outside of (0, 1).
pub fn crps_quantiles(truth: &[f64], levels: &[f64], quantiles: &[f64]) -> Result<f64> {
    input::some("levels", levels)?;
    levels.iter().try_for_each(|&level| input::open_unit("level", level))?;
    let width = row_width(truth, "quantiles", quantiles)?;
    if width != levels.len() {
        return Err(Error::Lengths {
            left: "levels",
            left_len: levels.len(),
            right: "quantiles of a value",
            right_len: width,
        });
    }
    let rows = truth.iter().zip(quantiles.chunks_exact(width));
    let losses =
        rows.flat_map(|(y, row)| row.iter().zip(levels).map(|(q, l)| 2.0 * check(*y, *q, *l)));
    Ok(losses.sum::<f64>() / quantiles.len() as f64)
}

/// Mean over values of the CRPS of normal forecasts:
/// `σ (z (2Φ(z) − 1) + 2φ(z) − 1/√π)` with `z = (y − μ) / σ`.
///
/// # Errors
///
/// Empty or non-finite input, different lengths, or a deviation that is not positive.
pub fn crps_normal(truth: &[f64], mean: &[f64], deviation: &[f64]) -> Result<f64> {
    input::some("truth", truth)?;
    input::finite("truth", truth)?;
    normal(truth, mean, deviation)?;
    let scores = truth.iter().zip(mean).zip(deviation).map(|((y, mean), deviation)| {
        let z = (y - mean) / deviation;
        let density = (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
        let two_sided = 1.0 - erfc(z / std::f64::consts::SQRT_2);
        deviation * (z * two_sided + 2.0 * density - 1.0 / std::f64::consts::PI.sqrt())
    });
    Ok(scores.sum::<f64>() / truth.len() as f64)
}

/// Mean pinball loss `max(q (y − ŷ), (q − 1)(y − ŷ))` of predictions of the `level`-quantile; least,
/// on average, for the true one (Koenker and Bassett, 1978).
///
/// # Errors
///
/// Empty or non-finite input, different lengths, or a level outside of (0, 1).
pub fn pinball(truth: &[f64], predicted: &[f64], level: f64) -> Result<f64> {
    input::some("truth", truth)?;
    input::same_length("truth", truth, "predicted", predicted)?;
    input::finite("truth", truth)?;
    input::finite("predicted", predicted)?;
    input::open_unit("level", level)?;
    let losses = truth.iter().zip(predicted).map(|(y, p)| check(*y, *p, level));
    Ok(losses.sum::<f64>() / truth.len() as f64)
}

fn check(y: f64, predicted: f64, level: f64) -> f64 {
    let error = y - predicted;
    (level * error).max((level - 1.0) * error)
}

/// The width of the rows of a flat `(values, width)` slice.
pub(super) fn row_width(truth: &[f64], what: &'static str, rows: &[f64]) -> Result<usize> {
    input::some("truth", truth)?;
    input::some(what, rows)?;
    input::finite("truth", truth)?;
    input::finite(what, rows)?;
    if !rows.len().is_multiple_of(truth.len()) {
        return Err(Error::Ragged { what, len: rows.len(), width: truth.len() });
    }
    Ok(rows.len() / truth.len())
}

/// Checks normal forecasts of `(values,)`.
pub(super) fn normal(truth: &[f64], mean: &[f64], deviation: &[f64]) -> Result<()> {
    input::same_length("truth", truth, "mean", mean)?;
    input::same_length("truth", truth, "deviation", deviation)?;
    input::finite("mean", mean)?;
    match deviation.iter().position(|d| !(d.is_finite() && *d > 0.0)) {
        None => Ok(()),
        Some(index) => {
            let (what, wanted) = ("deviation", "a finite number above 0");
            Err(Error::BadValue { what, index, value: deviation[index], wanted })
        }
    }
}
