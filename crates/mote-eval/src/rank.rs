//! Are the anomalies really lower, or higher, than the rest? Rank tests.
//!
//! [`mann_whitney`] is the textbook test and takes every sample as independent. Samples of a series
//! are not: ten thousand of them may hold the information of a hundred, and the textbook p-value is
//! then far too small. [`shift_test`] and [`auroc_interval`] keep the order in time and answer for
//! that.

mod block;

use serde::Serialize;
use statrs::function::erf::erfc;

pub use block::{
    AurocInterval, BlockBootstrap, Labelled, MAX_RESAMPLES, ShiftTest, auroc_interval, shift_test,
};

use crate::{Result, input};

/// What the test would show about the first sample, or the anomalous ones, against the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Alternative {
    /// They differ in either direction.
    TwoSided,
    /// The first tends to be lower.
    Less,
    /// The first tends to be higher.
    Greater,
}

/// Outcome of a Mann-Whitney U test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MannWhitney {
    /// Pairs in which the first sample is higher, ties counting half.
    pub u: f64,
    /// Standardized, with continuity and tie correction; its sign favours the alternative if
    /// positive.
    pub z: f64,
    /// Chance of such a `u` or a more extreme one if both samples had one distribution.
    pub p: f64,
    /// Effect size `u / (n · m)`: the chance that a value of the first sample is above one of the
    /// second.
    pub auroc: f64,
}

/// Mann-Whitney U test of `first` against `second`, normal approximation with tie and continuity
/// correction.
///
/// Equals `scipy.stats.mannwhitneyu(first, second, method="asymptotic")`. The approximation is good
/// from about eight values in each sample. It holds for independent samples only.
///
/// # Errors
///
/// Either sample empty, or NaN.
pub fn mann_whitney(
    first: &[f64],
    second: &[f64],
    alternative: Alternative,
) -> Result<MannWhitney> {
    for (what, sample) in [("first", first), ("second", second)] {
        input::some(what, sample)?;
        input::no_nan(what, sample)?;
    }
    let pooled: Vec<f64> = first.iter().chain(second).copied().collect();
    let (ranks, tie_term) = midranks(&pooled);
    let (n, m) = (first.len() as f64, second.len() as f64);
    let u = ranks[..first.len()].iter().sum::<f64>() - n * (n + 1.0) / 2.0;

    let total = n + m;
    let variance = n * m / 12.0 * (total + 1.0 - tie_term / (total * (total - 1.0)));
    let towards = match alternative {
        Alternative::TwoSided => u.max(n * m - u),
        Alternative::Less => n * m - u,
        Alternative::Greater => u,
    };
    let z = (towards - n * m / 2.0 - 0.5) / variance.max(0.0).sqrt();
    let sides = if alternative == Alternative::TwoSided { 2.0 } else { 1.0 };
    let p = (sides * 0.5 * erfc(z / std::f64::consts::SQRT_2)).min(1.0);
    Ok(MannWhitney { u, z, p, auroc: u / (n * m) })
}

/// Ranks from 1, equal values sharing the mean of theirs, and `Σ (t³ − t)` over groups of equals.
fn midranks(values: &[f64]) -> (Vec<f64>, f64) {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut tie_term = 0.0;
    let mut before = 0;
    for group in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let size = group.len() as f64;
        for &i in group {
            ranks[i] = before as f64 + (size + 1.0) / 2.0;
        }
        tie_term += size * size * size - size;
        before += group.len();
    }
    (ranks, tie_term)
}
