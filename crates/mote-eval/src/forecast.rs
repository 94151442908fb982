//! Are forecasts, imputations and their uncertainty right? Errors, CRPS, calibration, conformal
//! intervals, and the baselines to beat.
//!
//! Forecasts of one value at a time: `truth` is `(values,)`, and a forecast of a distribution has a
//! row of samples or quantiles for each. What a value is (which step of which series) is up to the
//! caller; errors are means over values, so pool only what has one unit.
//!
//! A forecast may be sharp and wrong, or right and useless. [`crps_samples`] weighs both; [`Pit`] and
//! [`interval_quality`] say which it is; [`Conformal`] repairs the coverage, and nothing repairs the
//! sharpness. No number means much without that of [`baseline`] beside it.

mod accuracy;
pub mod baseline;
mod calibration;
mod conformal;
mod crps;
mod intervals;

pub use accuracy::{PointErrors, point_errors};
pub use calibration::{
    CalibrationBin, CalibrationError, Pit, PitShape, calibration_error, pit_normal, pit_samples,
    quantile_calibration_error,
};
pub use conformal::Conformal;
pub use crps::{Spread, crps_normal, crps_quantiles, crps_samples, pinball};
pub use intervals::{IntervalQuality, interval_quality};
