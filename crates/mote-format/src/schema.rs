//! What a model expects of its data: which columns, in which order, at which pace.
//!
//! The schema is chosen when a model is trained and travels in its file, so that the same columns
//! are found again by name in other files, in messages and on a device. A *column* is what a person
//! sees; a *feature* is one number that the model sees. A numeric column is one feature, a
//! categorical column is one feature for each of its levels.

use alloc::{format, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

/// The columns of a model, in the order of its input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// What is measured; names are unique.
    pub columns: Vec<Column>,
    /// Seconds between two samples, or `None` where rows have no time.
    pub period_s: Option<f64>,
}

/// One measured quantity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// As it stands in the header of a file or the key of a message.
    pub name: String,
    /// How its values become features.
    pub kind: Kind,
}

/// How the values of a column become features.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A number: one feature.
    Numeric,
    /// A word out of a known set: one feature for each level, 1 where it matches. A word outside
    /// the set sets none of them.
    Categorical {
        /// The words seen in training, sorted.
        levels: Vec<String>,
    },
}

impl Kind {
    /// How many features one value becomes.
    #[must_use]
    pub fn features(&self) -> usize {
        match self {
            Self::Numeric => 1,
            Self::Categorical { levels } => levels.len(),
        }
    }
}

impl Schema {
    /// The number of features in one row.
    #[must_use]
    pub fn features(&self) -> usize {
        self.columns.iter().map(|c| c.kind.features()).sum()
    }

    /// A name for each feature: the column's, or `column=level`.
    #[must_use]
    pub fn feature_names(&self) -> Vec<String> {
        self.columns
            .iter()
            .flat_map(|column| match &column.kind {
                Kind::Numeric => alloc::vec![column.name.clone()],
                Kind::Categorical { levels } => {
                    levels.iter().map(|level| format!("{}={level}", column.name)).collect()
                }
            })
            .collect()
    }

    /// For each feature, the index of the column that it belongs to.
    #[must_use]
    pub fn feature_columns(&self) -> Vec<usize> {
        self.columns
            .iter()
            .enumerate()
            .flat_map(|(i, column)| core::iter::repeat_n(i, column.kind.features()))
            .collect()
    }
}
