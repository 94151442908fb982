//! How long a series remembers: autocorrelation, effective sample size, TSB-AD's window length.

use crate::{Result, input};

/// Lags beyond which the sum of autocorrelations is cut, so that its cost stays bounded.
const MAX_LAG: usize = 4096;

/// Samples, lags and fallback of TSB-AD's `find_length_rank`.
const WINDOW_SAMPLES: usize = 20_000;
const WINDOW_LAGS: usize = 400;
const WINDOW_FIRST_LAG: usize = 3;
const WINDOW_FALLBACK: usize = 125;

/// Autocorrelation at lags `0..=max_lag`, by the biased estimate
/// `Σ (xₜ − x̄)(xₜ₊ₖ − x̄) / Σ (xₜ − x̄)²`.
///
/// Stops at the last lag that the series has. All zero but for lag 0 where the series is constant.
/// Cost `O(samples · max_lag)`.
///
/// # Errors
///
/// Empty or non-finite input.
pub fn autocorrelation(series: &[f64], max_lag: usize) -> Result<Vec<f64>> {
    let centred = Centred::new(series)?;
    Ok((0..=max_lag.min(series.len() - 1)).map(|lag| centred.correlation(lag)).collect())
}

/// How many independent samples a series is worth for its mean: `n / (1 + 2 Σ ρₖ)`, the sum over
/// lags cut where neighbouring pairs of autocorrelations stop being positive (Geyer, 1992).
///
/// Never above `n`. Lags over 4096 are not looked at; with longer memory the result is too high.
///
/// # Errors
///
/// Empty or non-finite input.
pub fn effective_sample_size(series: &[f64]) -> Result<f64> {
    let centred = Centred::new(series)?;
    let last = MAX_LAG.min(series.len() - 1);
    let mut sum = -1.0;
    for lag in (0..last).step_by(2) {
        let pair = centred.correlation(lag) + centred.correlation(lag + 1);
        if pair <= 0.0 {
            break;
        }
        sum += 2.0 * pair;
    }
    Ok(series.len() as f64 / sum.max(1.0))
}

/// The sliding window that TSB-AD derives from a series, in samples: the lag of the highest local
/// maximum of the autocorrelation, or 125 where there is none between lags 6 and 303.
///
/// Equals `find_length_rank(series, rank=1)` of TSB-AD 1.5, which is what its published VUS numbers
/// use, on the first channel of a file. Looks at 20,000 samples and 400 lags at most.
///
/// # Errors
///
/// Empty or non-finite input.
pub fn sliding_window(series: &[f64]) -> Result<usize> {
    input::some("series", series)?;
    let head = &series[..series.len().min(WINDOW_SAMPLES)];
    let correlations = autocorrelation(head, WINDOW_LAGS)?;
    let tail = correlations.get(WINDOW_FIRST_LAG..).unwrap_or_default();
    let mut best: Option<usize> = None;
    for i in 1..tail.len().saturating_sub(1) {
        let is_peak = tail[i] > tail[i - 1] && tail[i] > tail[i + 1];
        if is_peak && best.is_none_or(|b| tail[i] > tail[b]) {
            best = Some(i);
        }
    }
    Ok(match best {
        Some(i) if (3..=300).contains(&i) => i + WINDOW_FIRST_LAG,
        _ => WINDOW_FALLBACK,
    })
}

/// A series without its mean.
struct Centred {
    values: Vec<f64>,
    energy: f64,
}

impl Centred {
    fn new(series: &[f64]) -> Result<Self> {
        input::some("series", series)?;
        input::finite("series", series)?;
        let mean = series.iter().sum::<f64>() / series.len() as f64;
        let values: Vec<f64> = series.iter().map(|x| x - mean).collect();
        let energy = values.iter().map(|x| x * x).sum();
        Ok(Self { values, energy })
    }

    fn correlation(&self, lag: usize) -> f64 {
        if self.energy == 0.0 {
            return if lag == 0 { 1.0 } else { 0.0 };
        }
        let products = self.values.iter().zip(&self.values[lag..]).map(|(a, b)| a * b);
        products.sum::<f64>() / self.energy
    }
}
