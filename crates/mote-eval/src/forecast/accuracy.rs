//! Errors of point forecasts.

use serde::Serialize;

use crate::{Result, input};

/// Outcome of [`point_errors`], in the unit of the values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PointErrors {
    /// Root of the mean squared error; least for the mean of the true distribution.
    pub rmse: f64,
    /// Mean absolute error; least for its median.
    pub mae: f64,
    /// Mean of predicted less true.
    pub bias: f64,
    /// Values that were compared.
    pub count: usize,
}

/// Errors of predictions `(values,)`.
///
/// # Errors
///
/// Empty or non-finite input, or different lengths.
pub fn point_errors(truth: &[f64], predicted: &[f64]) -> Result<PointErrors> {
    input::some("truth", truth)?;
    input::same_length("truth", truth, "predicted", predicted)?;
    input::finite("truth", truth)?;
    input::finite("predicted", predicted)?;
    let n = truth.len() as f64;
    let mean = |f: &dyn Fn(f64) -> f64| {
        truth.iter().zip(predicted).map(|(t, p)| f(p - t)).sum::<f64>() / n
    };
    Ok(PointErrors {
        rmse: mean(&|e| e * e).sqrt(),
        mae: mean(&f64::abs),
        bias: mean(&|e| e),
        count: truth.len(),
    })
}
