//! What any model has to beat: interpolation, the last season, a Kalman filter, exponential smoothing.
//!
//! A series is `(samples,)` with a mark for each sample that was observed; what stands at the others
//! does not matter. Multivariate series go one feature at a time: none of these uses another.

mod interpolate;
mod minimize;
mod seasonal;
mod smoothing;
mod state_space;

use serde::Serialize;
use statrs::function::erf::erf_inv;

pub use interpolate::interpolate;
pub use seasonal::{period, seasonal_naive};
pub use smoothing::{ExponentialSmoothing, Trend};
pub use state_space::{StateSpace, Structure};

use crate::{Error, Result, input};

/// A series with gaps: at least one observed sample, all of them finite.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    values: &'a [f64],
    observed: &'a [bool],
}

impl<'a> Series<'a> {
    /// Takes values and marks, `(samples,)` each.
    ///
    /// # Errors
    ///
    /// Different lengths, nothing observed, or an observed value that is not finite.
    pub fn new(values: &'a [f64], observed: &'a [bool]) -> Result<Self> {
        input::same_length("values", values, "observed", observed)?;
        let series = Self { values, observed };
        input::at_least("observed samples", series.observations().count(), 1)?;
        match series.observations().find(|(_, v)| !v.is_finite()) {
            None => Ok(series),
            Some((index, value)) => {
                let (what, wanted) = ("values", "a finite number where observed");
                Err(Error::BadValue { what, index, value, wanted })
            }
        }
    }

    /// Samples, observed or not.
    fn len(&self) -> usize {
        self.values.len()
    }

    /// Positions and values of observed samples.
    fn observations(&self) -> impl Iterator<Item = (usize, f64)> + 'a {
        let marks = self.observed.iter();
        self.values
            .iter()
            .zip(marks)
            .enumerate()
            .filter(|(_, (_, o))| **o)
            .map(|(i, (v, _))| (i, *v))
    }

    /// Number, mean and variance (over `n`) of what was observed.
    fn moments(&self) -> (usize, f64, f64) {
        let n = self.observations().count();
        let mean = self.observations().map(|(_, v)| v).sum::<f64>() / n as f64;
        let squares: f64 = self.observations().map(|(_, v)| (v - mean) * (v - mean)).sum();
        (n, mean, squares / n as f64)
    }
}

/// Normal forecasts, or imputations, of samples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Normals {
    /// `(samples,)`
    pub mean: Vec<f64>,
    /// `(samples,)`: of what would be observed, noise included.
    pub deviation: Vec<f64>,
}

impl Normals {
    /// The central interval of sample `i` that holds an observation with a probability of `confidence`,
    /// between 0 and 1.
    ///
    /// # Panics
    ///
    /// If there is no such sample.
    #[must_use]
    pub fn interval(&self, i: usize, confidence: f64) -> (f64, f64) {
        let half = std::f64::consts::SQRT_2 * erf_inv(confidence) * self.deviation[i];
        (self.mean[i] - half, self.mean[i] + half)
    }
}
