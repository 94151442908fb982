//! Are generated windows as good as real ones? Judges, distances, diversity, memorization.
//!
//! No single number answers. The [discriminative](discriminative_score) and
//! [predictive](predictive_score) scores are what papers publish, and both are near their best for a
//! model that repeats its training windows; so look at [`memorization()`] first. *Is it plausible?*
//! [`support()`] (precision, density), [`marginal_distance`]. *Is everything there?* [`support()`]
//! (coverage), [`tail_coverage`], [`vendi_score`], [`birthday`]. *Is its time right?*
//! [`autocorrelation_error`], [`cross_correlation_error`]. *How far is it, in one number?*
//! [`mean_discrepancy`], [`sliced_wasserstein`], and [`frechet_distance`] of embeddings.
//!
//! Every one of them has a value for real windows against other real windows that is not zero. That
//! floor is what a model should be compared with.

mod adam;
mod correlation;
mod discrepancy;
mod discriminative;
mod diversity;
mod frechet;
mod gru;
mod judge;
mod memorization;
mod modes;
mod neighbours;
mod predictive;
mod support;
mod tails;
mod wasserstein;

use std::ops::ControlFlow;

pub use correlation::{
    AutocorrelationError, CrossCorrelationError, autocorrelation_error, cross_correlation_error,
};
pub use discrepancy::{Discrepancy, mean_discrepancy};
pub use discriminative::{Discriminative, discriminative_score};
pub use diversity::{Birthday, MAX_VENDI_WINDOWS, birthday, vendi_score};
pub use frechet::{Frechet, frechet_distance};
pub use memorization::{Closeness, Memorization, memorization};
pub use modes::{ModeCoverage, Modes};
pub use neighbours::MAX_PAIRS;
pub use predictive::{Predictive, predictive_score};
pub use support::{Support, support};
pub use tails::{TailCoverage, Tails, tail_coverage};
pub(crate) use wasserstein::largest_gap;
pub use wasserstein::{Marginal, Marginals, marginal_distance, sliced_wasserstein, wasserstein};

/// How the recurrent network of a score is trained. The defaults are those of TimeGAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JudgeConfig {
    /// Steps of Adam. 2,000 to tell apart and 5,000 to predict in every published score.
    pub iterations: usize,
    /// Windows of a batch; of each kind where two kinds are told apart. 128 in TimeGAN and
    /// Diffusion-TS (GenTS takes 32 to tell apart).
    pub batch: usize,
    /// Units of the GRU; by default [`hidden_units`] of the features.
    pub hidden: Option<usize>,
}

impl JudgeConfig {
    /// What TimeGAN's discriminative score trains.
    #[must_use]
    pub fn tell_apart() -> Self {
        Self { iterations: 2_000, batch: 128, hidden: None }
    }

    /// What TimeGAN's predictive score trains.
    #[must_use]
    pub fn predict() -> Self {
        Self { iterations: 5_000, batch: 128, hidden: None }
    }

    fn units(&self, features: usize) -> crate::Result<usize> {
        let wanted = "at least 1";
        for (what, value) in [("iterations", self.iterations), ("batch", self.batch)] {
            if value == 0 {
                return Err(crate::Error::OutOfRange { what, value: 0.0, wanted });
            }
        }
        match self.hidden.unwrap_or_else(|| hidden_units(features)) {
            0 => Err(crate::Error::OutOfRange { what: "hidden", value: 0.0, wanted }),
            units => Ok(units),
        }
    }
}

/// Units of the network for so many features: half of them, and 16 for a single one.
///
/// TimeGAN and Diffusion-TS write `int(features / 2)`, which is no unit at all for one feature, so
/// neither has a score there. 16 is what GenTS means to use; its code, which asks for
/// `features >= 1`, never gets to it.
#[must_use]
pub fn hidden_units(features: usize) -> usize {
    if features == 1 { 16 } else { features / 2 }
}

/// An iteration of a judge that is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Iterations done.
    pub iteration: usize,
    /// Of so many.
    pub iterations: usize,
    /// Mean loss of this batch.
    pub loss: f64,
}

/// Trains for the configured iterations, and tells the observer of each.
fn train(
    iterations: usize,
    observe: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    mut step: impl FnMut() -> f64,
) -> crate::Result<f64> {
    let mut loss = f64::NAN;
    for iteration in 1..=iterations {
        loss = step();
        if observe(Progress { iteration, iterations, loss }).is_break() {
            return Err(crate::Error::Stopped { iterations: iteration });
        }
    }
    Ok(loss)
}
