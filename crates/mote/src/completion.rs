//! What a generative model is asked for: windows that never were, holes filled, futures.
//!
//! All three are one question to the model, "complete this stretch of samples", with more or less of it
//! known: nothing, everything but holes, or the past. Many draws are made for each stretch, so that
//! what is not certain comes as a range. [`draw`] is the one way from a question to draws.

mod calibrate;
mod denoise;
pub mod draw;
mod follow;
mod forecast;
mod generate;
mod impute;
pub mod judge;
mod live;
mod margins;
mod told;

pub use calibrate::{Calibrator, MEMORY};
pub use denoise::denoise;
pub use follow::{Follower, Forecast, Question};
pub use forecast::Forecaster;
pub use generate::generate;
pub use impute::{Filled, Hole, Seen, calibrated, fill, fill_series};
pub use live::{Filling, Forecasting, Whole};
pub use margins::{calibrate, measure};
pub use told::{Told, columns, table};

/// How a model is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Asking {
    /// What all randomness is drawn from.
    pub seed: u64,
    /// Evaluations for a window, where the model takes several; `None` for its usual number.
    pub evaluations: Option<usize>,
    /// How much what is given counts, where the model goes along a path; `None` for as it was learned.
    pub guidance: Option<f32>,
}
