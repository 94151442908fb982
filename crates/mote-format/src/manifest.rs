//! What a model says of itself: programs, schema, window, detector and where it comes from.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

pub use crate::generator::{Generator, Margins, Path, Solver};
use crate::{program::Program, schema::Schema};

/// The part of a file that is not tensors. Stored as JSON in the safetensors metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The name of the family in the literature, `TimeVae` for one.
    pub family: String,
    /// What its score means.
    pub density: Density,
    /// The columns that it was trained on.
    pub schema: Schema,
    /// How many samples one evaluation sees.
    pub window: Window,
    /// Turns scores into alarms; absent until a threshold was chosen.
    pub detector: Option<Detector>,
    /// Completes windows; absent where the family cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator: Option<Generator>,
    /// Makes its forecasts cover what they promise; absent where that was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margins: Option<Margins>,
    /// The entry points.
    pub programs: Vec<Program>,
    /// Where it comes from.
    pub lineage: Lineage,
}

/// What kind of density the family has: what a score may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Density {
    /// The score is `-ln p(x)`.
    Exact,
    /// The score is an upper bound of `-ln p(x)`.
    Bound,
    /// The score is `-ln p(x)` up to a constant that nobody knows.
    Energy,
    /// There are samples and no score.
    Implicit,
}

/// The samples that one evaluation of `score` sees, and those that its score speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Samples in a window.
    pub length: usize,
    /// The newest samples of the window, over which the score is averaged; 1 to `length`.
    pub tail: usize,
}

/// Turns scores into alarms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detector {
    /// Scores above it are alarms, in the unit of the score (nats per observed value).
    pub threshold: f64,
    /// Where it is present, the alarm follows the scores of late and `threshold` is only what it
    /// began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking: Option<Tracking>,
    /// Tells what is calmer than normal data ever is; absent where that was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typical: Option<Typical>,
    /// The share of normal samples that may lie above the threshold, as asked for.
    pub false_alarm_rate: f64,
    /// The mean of each feature's share of the score on held-back normal data.
    pub feature_mean: Vec<f32>,
    /// Its standard deviation, above zero.
    pub feature_deviation: Vec<f32>,
    /// The score of held-back normal data at the quantiles 0, 1/100, …, 1; for reports.
    pub score_quantiles: Vec<f64>,
}

/// What normal windows score from below. A likelihood is highest where signals stand still, whether or
/// not that ever happens: a window that is far more probable than all normal ones is not typical of
/// them (Nalisnick et al. 2019, arXiv 1906.02994).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Typical {
    /// Windows with a lower mean over all of their values are alarms; nats per observed value.
    pub least: f64,
    /// What each nat below it adds to the threshold, to make the score of such a window; above zero.
    pub slope: f64,
}

/// Compares each score with those of late instead of with a fixed threshold. The level of a score
/// is `ln(1 + max(0, score − floor) / unit)`; its surprise is how many deviations of late it lies
/// above the mean of late.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tracking {
    /// Samples after which a score counts a third as much as the newest; 1 or more.
    pub memory: f64,
    /// Deviations beyond which a score moves mean and deviation no further; above zero.
    pub clip: f64,
    /// Scores below it are all the same.
    pub floor: f64,
    /// The scale of scores above it; above zero.
    pub unit: f64,
    /// Mean level on held-back normal data, to begin with.
    pub mean: f64,
    /// Deviation of the level on held-back normal data, to begin with; above zero.
    pub deviation: f64,
    /// Surprises above it are alarms.
    pub threshold: f64,
}

/// Where a model comes from, so that it can be made again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lineage {
    /// The program that wrote the file, with its version.
    pub made_by: String,
    /// BLAKE3 of the training files, in order.
    pub data_digest: String,
    /// The names of the training files.
    pub files: Vec<String>,
    /// The whole configuration of the training.
    pub config: serde_json::Value,
    /// What all randomness was drawn from.
    pub seed: u64,
    /// What was measured at the end of training: `validation_loss`, `active_units`, …
    pub metrics: BTreeMap<String, f64>,
}
