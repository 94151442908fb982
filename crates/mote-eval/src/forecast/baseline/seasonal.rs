//! Last season again, and how long a season is.

use crate::{Result, autocorrelation, input};

/// Autocorrelation that a season has at least, in standard errors `1/√n` of an uncorrelated series.
const EVIDENCE: f64 = 3.0;

/// The period of a series, in samples: the lag of the highest local maximum of its autocorrelation
/// from 2 to `max_period`, after a straight line was taken out. None where no maximum stands out from
/// noise, and where there are not two whole periods.
///
/// # Errors
///
/// Empty or non-finite input.
pub fn period(series: &[f64], max_period: usize) -> Result<Option<usize>> {
    input::some("series", series)?;
    input::finite("series", series)?;
    let lags = max_period.min(series.len() / 2) + 1;
    let correlations = autocorrelation(&without_line(series), lags)?;
    let threshold = EVIDENCE / (series.len() as f64).sqrt();
    let mut best: Option<usize> = None;
    for lag in 2..correlations.len().saturating_sub(1) {
        let here = correlations[lag];
        let is_peak = here > correlations[lag - 1] && here >= correlations[lag + 1];
        if is_peak && here > threshold && best.is_none_or(|b| here > correlations[b]) {
            best = Some(lag);
        }
    }
    Ok(best)
}

/// Residuals of the least-squares line.
fn without_line(series: &[f64]) -> Vec<f64> {
    let n = series.len() as f64;
    let middle = (n - 1.0) / 2.0;
    let mean = series.iter().sum::<f64>() / n;
    let moment: f64 =
        series.iter().enumerate().map(|(t, x)| (t as f64 - middle) * (x - mean)).sum();
    let squares = (n * n - 1.0) * n / 12.0;
    let slope = if squares > 0.0 { moment / squares } else { 0.0 };
    let line = |t: usize| mean + slope * (t as f64 - middle);
    series.iter().enumerate().map(|(t, x)| x - line(t)).collect()
}

/// The next `horizon` samples: each is the newest one a whole number of periods before. With a period
/// of 1 that is the last value, the naive forecast.
///
/// # Errors
///
/// Non-finite input, a period of zero, or fewer samples than one period.
pub fn seasonal_naive(history: &[f64], period: usize, horizon: usize) -> Result<Vec<f64>> {
    input::finite("history", history)?;
    input::at_least("samples of a period", period, 1)?;
    input::at_least("samples of history", history.len(), period)?;
    Ok(history[history.len() - period..].iter().copied().cycle().take(horizon).collect())
}
