//! Tail coverage: are rare values as frequent, and as extreme, as they are in the data?

use serde::Serialize;

use crate::{Result, Windows, input, interval::quantile_of_sorted};

/// One feature.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tails {
    /// The real quantiles beyond which a value is extreme.
    pub low_threshold: f64,
    /// The upper one.
    pub high_threshold: f64,
    /// Share of generated values below the lower threshold, over the share of real ones: 1 is ideal,
    /// 0 no tail at all. None where no real value is below, as in a feature with many equal values.
    pub low_ratio: Option<f64>,
    /// The same above the upper one.
    pub high_ratio: Option<f64>,
}

/// Outcome of [`tail_coverage`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TailCoverage {
    /// Mean of `min(ratio, 1)` over all tails that real values have; 1 is ideal, and what is left out
    /// of it the share of rare values that the model does not make. None where no feature has tails.
    pub recall: Option<f64>,
    /// `(features,)`
    pub features: Vec<Tails>,
    /// Share of windows that hold at least one extreme value, generated over real. Above 1 where
    /// extremes are strewn singly, and in the data come together.
    pub window_ratio: Option<f64>,
}

/// Compares how often values lie beyond the quantiles `tail` and `1 − tail` of the real ones; 0.01 is
/// usual.
///
/// Too frequent extremes do not lower `recall`: read the ratios, which then exceed 1. With few real
/// extremes (fewer than about 50 a tail) ratios are noise.
///
/// # Errors
///
/// Sets of different shape, or a tail outside of (0, 0.5].
pub fn tail_coverage(real: Windows<'_>, generated: Windows<'_>, tail: f64) -> Result<TailCoverage> {
    real.same_shape(&generated)?;
    input::open_unit("tail", tail)?;
    if tail > 0.5 {
        let wanted = "a fraction above 0 and up to one half";
        return Err(crate::Error::OutOfRange { what: "tail", value: tail, wanted });
    }
    let features: Vec<Tails> =
        (0..real.features()).map(|j| tails(real.feature(j), generated.feature(j), tail)).collect();
    let ratios: Vec<f64> =
        features.iter().flat_map(|f| [f.low_ratio, f.high_ratio]).flatten().collect();
    let recall = (!ratios.is_empty())
        .then(|| ratios.iter().map(|r| r.min(1.0)).sum::<f64>() / ratios.len() as f64);
    let [of_real, of_generated] = [real, generated].map(|w| extreme_share(w, &features));
    let window_ratio = (of_real > 0.0).then(|| of_generated / of_real);
    Ok(TailCoverage { recall, features, window_ratio })
}

fn tails(mut real: Vec<f64>, generated: Vec<f64>, tail: f64) -> Tails {
    real.sort_unstable_by(f64::total_cmp);
    let [low, high] = [tail, 1.0 - tail].map(|q| quantile_of_sorted(&real, q));
    let ratio = |beyond: &dyn Fn(f64) -> bool| {
        let share = |values: &[f64]| {
            values.iter().filter(|v| beyond(**v)).count() as f64 / values.len() as f64
        };
        let expected = share(&real);
        (expected > 0.0).then(|| share(&generated) / expected)
    };
    Tails {
        low_threshold: low,
        high_threshold: high,
        low_ratio: ratio(&|v| v < low),
        high_ratio: ratio(&|v| v > high),
    }
}

fn extreme_share(windows: Windows<'_>, features: &[Tails]) -> f64 {
    let is_extreme = |window: &[f32]| {
        let samples = window.chunks_exact(features.len());
        samples.flat_map(|s| s.iter().zip(features)).any(|(v, tails)| {
            f64::from(*v) < tails.low_threshold || f64::from(*v) > tails.high_threshold
        })
    };
    let extreme = windows.data().chunks_exact(windows.width()).filter(|w| is_extreme(w)).count();
    extreme as f64 / windows.count() as f64
}
