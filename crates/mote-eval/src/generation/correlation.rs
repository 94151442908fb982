//! Do generated windows remember, and move together, as real ones do?

use serde::Serialize;

use crate::{Result, Windows, input};

/// Lags of [`autocorrelation_error`] at most, as in TSGBench.
const MAX_LAGS: usize = 64;

/// Outcome of [`autocorrelation_error`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AutocorrelationError {
    /// Mean over features.
    pub error: f64,
    /// `(features,)`: the Euclidean distance of the two autocorrelation functions.
    pub features: Vec<f64>,
    /// Lags that were compared, from 0.
    pub lags: usize,
}

/// The distance between the autocorrelation functions of real and generated windows, as TSGBench's
/// ACD has it (Ang et al., 2023; after Ni et al.): for each feature `√(Σ_k (ρ_k − ρ̂_k)²)` over lags
/// `0..min(64, length)`, then the mean over features.
///
/// `ρ_k` is the mean of `(x_t − x̄)(x_{t+k} − x̄)` over windows and the `length − k` pairs in each,
/// over the variance; `x̄` and variance (divided by `n`) are of all windows. So windows that differ in
/// level correlate, and `ρ` does not tend to zero within a window. A feature that is constant in a
/// set counts as without correlation there.
///
/// # Errors
///
/// Sets of different shape, or windows of one sample.
pub fn autocorrelation_error(
    real: Windows<'_>,
    generated: Windows<'_>,
) -> Result<AutocorrelationError> {
    real.same_shape(&generated)?;
    input::at_least("samples in a window", real.length(), 2)?;
    let lags = real.length().min(MAX_LAGS);
    let features: Vec<f64> = (0..real.features())
        .map(|j| {
            let [a, b] = [real, generated].map(|w| correlations(w, j, lags));
            a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
        })
        .collect();
    let error = features.iter().sum::<f64>() / features.len() as f64;
    Ok(AutocorrelationError { error, features, lags })
}

/// Autocorrelation of feature `j` at lags `0..lags`.
fn correlations(windows: Windows<'_>, j: usize, lags: usize) -> Vec<f64> {
    let values = standard(windows, j, 0.0);
    let length = windows.length();
    let at = |lag: usize| {
        let sum: f64 = values
            .chunks_exact(length)
            .map(|w| w.iter().zip(&w[lag..]).map(|(a, b)| a * b).sum::<f64>())
            .sum();
        sum / (windows.count() * (length - lag)) as f64
    };
    (0..lags).map(at).collect()
}

/// Outcome of [`cross_correlation_error`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CrossCorrelationError {
    /// The sum over pairs, divided by 10: the "correlational score" of Diffusion-TS.
    pub error: f64,
    /// Mean absolute difference of a pair of different features; 0 where there is one feature.
    pub mean: f64,
    /// The largest such difference.
    pub largest: f64,
    /// The features that it is between.
    pub pair: (usize, usize),
}

/// How much the correlations between features differ: `1/10 Σ_{i ≥ j} |c_ij − ĉ_ij|`, the
/// correlational score of Diffusion-TS (Yuan and Qiao, 2024; after Liao et al., 2020).
///
/// `c_ij` is the mean over windows and time of `x_i x_j` in standard units, with mean and unbiased
/// deviation of all windows. The divisor of ten is Diffusion-TS's, and the sum grows with the square
/// of the number of features: compare it within one data set only, or take
/// [`CrossCorrelationError::mean`]. Published code takes equally many windows of both sets; here each
/// set is averaged by itself. A feature that is constant in a set counts as without correlation
/// there, where published code gives NaN.
///
/// # Errors
///
/// Sets of different shape, or with fewer than two samples.
pub fn cross_correlation_error(
    real: Windows<'_>,
    generated: Windows<'_>,
) -> Result<CrossCorrelationError> {
    real.same_shape(&generated)?;
    for windows in [real, generated] {
        input::at_least("samples", windows.count() * windows.length(), 2)?;
    }
    let [a, b] = [real, generated].map(|windows| -> Vec<Vec<f64>> {
        (0..windows.features()).map(|j| standard(windows, j, 1.0)).collect()
    });
    let mean_product =
        |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>() / x.len() as f64;
    let mut result = CrossCorrelationError { error: 0.0, mean: 0.0, largest: 0.0, pair: (0, 0) };
    let mut pairs = 0;
    for i in 0..a.len() {
        for j in 0..=i {
            let difference = (mean_product(&a[i], &a[j]) - mean_product(&b[i], &b[j])).abs();
            result.error += difference / 10.0;
            if i != j {
                pairs += 1;
                result.mean += difference;
                if difference > result.largest {
                    (result.largest, result.pair) = (difference, (j, i));
                }
            }
        }
    }
    result.mean /= f64::from(pairs.max(1));
    Ok(result)
}

/// All values of feature `j` with mean 0 and variance 1, divided by `n − freedom`; zeros if it is
/// constant.
fn standard(windows: Windows<'_>, j: usize, freedom: f64) -> Vec<f64> {
    let mut values = windows.feature(j);
    let constant = values.iter().all(|v| *v == values[0]);
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    let scale = if constant { 0.0 } else { ((n - freedom) / squares).sqrt() };
    values.iter_mut().for_each(|v| *v = (*v - mean) * scale);
    values
}
