//! Generated tables of mixed columns, judged as SDV's quality report does.
//!
//! Two tables are compared column by column ([`ks_complement`], [`tv_complement`]) and pair by pair
//! ([`correlation_similarity`], [`contingency_similarity`]); [`TableQuality`] is the mean of the means.
//! All are similarities from 0 to 1. They see pairs only, and a table that repeats its training rows
//! gets 1: `generation::memorization` on the rows says whether it does.
//!
//! Missing values are the caller's: drop them, or make them a category.

mod quality;
mod similarity;

pub use quality::{PairTrend, TableQuality};
pub use similarity::{
    contingency_similarity, correlation_similarity, ks_complement, tv_complement,
};

/// One column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Column<'a> {
    /// Numbers, all of them finite.
    Numerical(&'a [f64]),
    /// Codes of categories; the same code is the same category in both tables.
    Categorical(&'a [u32]),
}

impl Column<'_> {
    /// Rows.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Numerical(values) => values.len(),
            Self::Categorical(codes) => codes.len(),
        }
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
