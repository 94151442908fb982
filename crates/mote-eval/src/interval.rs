//! Means with intervals over seeds, and quantiles.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::{Error, Result, input};

/// A mean over few independent runs, with its Student-t interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MeanInterval {
    /// Runs.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Standard deviation of the runs, with `count − 1`.
    pub std_dev: f64,
    /// Coverage, 0.95 for most reports.
    pub confidence: f64,
}

/// `mean ± t · s / √n`, with `t` the quantile of Student's distribution with `n − 1` degrees of
/// freedom.
///
/// The interval is about the mean over seeds; it says nothing of other data sets.
///
/// # Errors
///
/// Fewer than two values, a value that is not finite, or a confidence outside of (0, 1).
pub fn mean_interval(values: &[f64], confidence: f64) -> Result<MeanInterval> {
    input::at_least("values", values.len(), 2)?;
    input::finite("values", values)?;
    input::open_unit("confidence", confidence)?;
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
    let std_dev = (squares / (n - 1.0)).sqrt();
    let student = StudentsT::new(0.0, 1.0, n - 1.0).map_err(|_| Error::TooFew {
        what: "values",
        found: values.len(),
        wanted: 2,
    })?;
    let half = student.inverse_cdf(0.5 + confidence / 2.0) * std_dev / n.sqrt();
    let count = values.len();
    Ok(MeanInterval { count, mean, low: mean - half, high: mean + half, std_dev, confidence })
}

/// The `q`-quantile, linear between neighbours (type 7 of Hyndman and Fan, the default of NumPy).
///
/// # Errors
///
/// Empty input, NaN, or `q` outside of `[0, 1]`.
pub fn quantile(values: &[f64], q: f64) -> Result<f64> {
    let sorted = sorted(values)?;
    if !(0.0..=1.0).contains(&q) {
        return Err(Error::OutOfRange { what: "q", value: q, wanted: "a fraction from 0 to 1" });
    }
    Ok(quantile_of_sorted(&sorted, q))
}

/// The middle value, or the mean of the two middle ones.
///
/// # Errors
///
/// Empty input or NaN.
pub fn median(values: &[f64]) -> Result<f64> {
    quantile(values, 0.5)
}

/// Times of single calls, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Calls.
    pub count: usize,
    /// Mean.
    pub us_mean: f64,
    /// Median.
    pub us_p50: f64,
    /// 95th percentile.
    pub us_p95: f64,
    /// 99th percentile; with fewer than 100 calls it is little else than the maximum.
    pub us_p99: f64,
    /// The slowest call.
    pub us_max: f64,
}

impl Latency {
    /// Summarizes the times of single calls, `(calls,)` in microseconds.
    ///
    /// # Errors
    ///
    /// Empty input, or a time that is not finite.
    pub fn of(call_us: &[f64]) -> Result<Self> {
        input::finite("call_us", call_us)?;
        let sorted = sorted(call_us)?;
        Ok(Self {
            count: sorted.len(),
            us_mean: sorted.iter().sum::<f64>() / sorted.len() as f64,
            us_p50: quantile_of_sorted(&sorted, 0.50),
            us_p95: quantile_of_sorted(&sorted, 0.95),
            us_p99: quantile_of_sorted(&sorted, 0.99),
            us_max: sorted[sorted.len() - 1],
        })
    }
}

fn sorted(values: &[f64]) -> Result<Vec<f64>> {
    input::some("values", values)?;
    input::no_nan("values", values)?;
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    Ok(sorted)
}

/// Type-7 quantile of sorted, non-empty values; `q` in `[0, 1]`.
pub(crate) fn quantile_of_sorted(sorted: &[f64], q: f64) -> f64 {
    let position = q * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let (low, high) = (sorted[below], sorted[above]);
    // Equal neighbours may both be infinite, and their difference is not a number.
    if low == high { low } else { low + (position - below as f64) * (high - low) }
}
