//! What a model is for, what it is measured by, and what of that a smaller one loses.

use mote_format::Model;
use serde::{Deserialize, Serialize};

use crate::training::{Recipe, Task};

/// What a model is for, which decides what it is measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// To tell what is wrong: [`Metric::VusPr`].
    Detection,
    /// To tell how improbable something is: [`Metric::Nats`] and [`Metric::RareNats`].
    Density,
    /// To tell what comes: [`Metric::ForecastCrps`].
    Forecast,
    /// To fill holes: [`Metric::ImputationCrps`].
    Imputation,
    /// To draw windows: [`Metric::ContextFid`] and [`Metric::Tails`].
    Generation,
}

/// A quality of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The volume under the surface of precision-recall curves, over held-back data with planted faults.
    VusPr,
    /// Nats for each observed value of held-back windows.
    Nats,
    /// The same of those tenth of them that the whole model finds rarest.
    RareNats,
    /// The continuous ranked probability score of the second half of held-back windows, from the first, in
    /// standard deviations of columns.
    ForecastCrps,
    /// The same of a third of the values, in blocks, from the others.
    ImputationCrps,
    /// The Fréchet distance of drawn windows from those of the data, in the eyes of an encoder that learned
    /// the data by contrast (Jeha et al. 2022).
    ContextFid,
    /// Of the values beyond the first and last hundredth of the data, the share that is drawn.
    Tails,
}

impl Purpose {
    /// What a model was made for.
    #[must_use]
    pub fn of(model: &Model<'_>, recipe: &Recipe) -> Self {
        match recipe.tasks.first() {
            Some(Task::Generate) => Self::Generation,
            Some(Task::Impute) => Self::Imputation,
            Some(Task::Forecast) => Self::Forecast,
            None if model.manifest.detector.is_some() => Self::Detection,
            None => Self::Generation,
        }
    }

    /// What it is measured by. The first decides.
    #[must_use]
    pub fn metrics(self) -> &'static [Metric] {
        match self {
            Self::Detection => &[Metric::VusPr],
            Self::Density => &[Metric::Nats, Metric::RareNats],
            Self::Forecast => &[Metric::ForecastCrps],
            Self::Imputation => &[Metric::ImputationCrps],
            Self::Generation => &[Metric::ContextFid, Metric::Tails],
        }
    }
}

impl Metric {
    /// What is lost, as a share of what was there: of the density at a value, where nats are counted.
    /// Below zero where something is won.
    #[must_use]
    pub fn loss(self, before: f64, after: f64) -> f64 {
        match self {
            Self::VusPr | Self::Tails => 1.0 - after / before,
            Self::Nats | Self::RareNats => -f64::exp_m1(before - after),
            Self::ForecastCrps | Self::ImputationCrps | Self::ContextFid => after / before - 1.0,
        }
    }

    /// The name for machines.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::VusPr => "vus_pr",
            Self::Nats => "nats",
            Self::RareNats => "rare_nats",
            Self::ForecastCrps => "forecast_crps",
            Self::ImputationCrps => "imputation_crps",
            Self::ContextFid => "context_fid",
            Self::Tails => "tails",
        }
    }

    /// The name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::VusPr => "VUS-PR on planted faults",
            Self::Nats => "nats for each value",
            Self::RareNats => "nats for each value of rare windows",
            Self::ForecastCrps => "CRPS of forecasts",
            Self::ImputationCrps => "CRPS of imputations",
            Self::ContextFid => "Context-FID",
            Self::Tails => "rare values drawn",
        }
    }
}

/// A quality of a model, and of a smaller one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quality {
    /// Which.
    pub metric: Metric,
    /// Of the model.
    pub before: f64,
    /// Of the smaller one.
    pub after: f64,
    /// See [`Metric::loss`].
    pub loss: f64,
}
