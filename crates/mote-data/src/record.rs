//! One row of measurements, before it has a place in a series.

use mote_format::{Kind, Schema};

use crate::time::Timestamp;

/// One row of a file or one message, with its values as features of a schema.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// When it was measured; `None` where rows are only counted.
    pub time: Option<Timestamp>,
    /// `(features,)` in the order of [`Schema::feature_names`], in the units of the file; NaN
    /// where missing.
    pub values: Vec<f32>,
    /// Whether it is known to be an anomaly, or known not to be.
    pub label: Option<bool>,
}

impl Record {
    /// A record without a label.
    #[must_use]
    pub fn new(time: Option<Timestamp>, values: Vec<f32>) -> Self {
        Self { time, values, label: None }
    }
}

/// For each feature, whether it is a number (and not one level of a word).
pub(crate) fn numeric_features(schema: &Schema) -> Vec<bool> {
    schema
        .columns
        .iter()
        .flat_map(|c| std::iter::repeat_n(matches!(c.kind, Kind::Numeric), c.kind.features()))
        .collect()
}

/// Writes the features of a word: 1 at its level, 0 elsewhere, also for a word outside the levels.
pub(crate) fn one_hot(levels: &[String], word: &str, features: &mut [f32]) {
    features.fill(0.0);
    if let Ok(at) = levels.binary_search_by(|level| level.as_str().cmp(word)) {
        features[at] = 1.0;
    }
}

/// A number as a feature: `None` where it is not finite or too large for 32 bits.
pub(crate) fn feature(value: f64) -> Option<f32> {
    let narrow = value as f32;
    narrow.is_finite().then_some(narrow)
}

/// The double with the fewest digits that is this float: 0.1 and not 0.10000000149.
pub(crate) fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}
