//! Earth mover's distances: of one value, of each feature, and of whole windows in random directions.

use serde::Serialize;

use crate::{Result, Windows, input, random::SplitMix};

/// The `order`-Wasserstein distance of two samples of numbers, `(∫₀¹ |F⁻¹ − G⁻¹|ᵖ)^(1/p)`, exact for
/// samples of any sizes.
///
/// # Errors
///
/// Empty or non-finite input, or an order below 1.
pub fn wasserstein(a: &[f64], b: &[f64], order: f64) -> Result<f64> {
    for (what, values) in [("a", a), ("b", b)] {
        input::some(what, values)?;
        input::finite(what, values)?;
    }
    check_order(order)?;
    let [mut a, mut b] = [a.to_vec(), b.to_vec()];
    Ok(power(&mut a, &mut b, order).powf(1.0 / order))
}

fn check_order(order: f64) -> Result<()> {
    if order >= 1.0 && order.is_finite() {
        return Ok(());
    }
    Err(crate::Error::OutOfRange { what: "order", value: order, wanted: "at least 1" })
}

/// `∫₀¹ |F⁻¹ − G⁻¹|ᵖ`; sorts both.
fn power(a: &mut [f64], b: &mut [f64], order: f64) -> f64 {
    a.sort_unstable_by(f64::total_cmp);
    b.sort_unstable_by(f64::total_cmp);
    let (n, m) = (a.len() as u128, b.len() as u128);
    let (mut i, mut j, mut done, mut sum) = (0, 0, 0u128, 0.0);
    // Both quantile functions are constant between multiples of 1/n and of 1/m; in units of 1/(nm).
    while i < a.len() && j < b.len() {
        let until = ((i as u128 + 1) * m).min((j as u128 + 1) * n);
        let gap = (a[i] - b[j]).abs();
        let cost = if order == 1.0 {
            gap
        } else if order == 2.0 {
            gap * gap
        } else {
            gap.powf(order)
        };
        sum += (until - done) as f64 * cost;
        i += usize::from(until == (i as u128 + 1) * m);
        j += usize::from(until == (j as u128 + 1) * n);
        done = until;
    }
    sum / (n * m) as f64
}

/// How one feature is distributed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Marginal {
    /// 1-Wasserstein distance of all values, in deviations of the real ones.
    pub wasserstein: f64,
    /// Largest difference of the two distribution functions (Kolmogorov and Smirnov), 0 to 1.
    pub largest_gap: f64,
    /// Generated mean less real mean, in deviations of the real values.
    pub mean_shift: f64,
    /// Generated deviation over the real one: below 1, spread was lost.
    pub deviation_ratio: f64,
}

/// Outcome of [`marginal_distance`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Marginals {
    /// Mean of [`Marginal::wasserstein`] over features.
    pub distance: f64,
    /// `(features,)`
    pub features: Vec<Marginal>,
}

/// Compares the distribution of each feature, over all windows and times.
///
/// Unlike the histogram differences of TSGBench (MDD) it has no bins to choose. Where a real feature
/// is constant, its deviation is taken as 1.
///
/// # Errors
///
/// Sets of different numbers of features.
pub fn marginal_distance(real: Windows<'_>, generated: Windows<'_>) -> Result<Marginals> {
    real.same_shape(&generated)?;
    let features: Vec<Marginal> =
        (0..real.features()).map(|j| marginal(real.feature(j), generated.feature(j))).collect();
    let distance = features.iter().map(|f| f.wasserstein).sum::<f64>() / features.len() as f64;
    Ok(Marginals { distance, features })
}

fn marginal(mut real: Vec<f64>, mut generated: Vec<f64>) -> Marginal {
    let moments = |values: &[f64]| {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (mean, (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n).sqrt())
    };
    let ((mean, spread), (mean_b, spread_b)) = (moments(&real), moments(&generated));
    let scale = if spread > 0.0 { spread } else { 1.0 };
    let distance = power(&mut real, &mut generated, 1.0);
    Marginal {
        wasserstein: distance / scale,
        largest_gap: largest_gap(&real, &generated),
        mean_shift: (mean_b - mean) / scale,
        deviation_ratio: spread_b / scale,
    }
}

/// The Kolmogorov-Smirnov statistic of two sorted samples.
pub(crate) fn largest_gap(a: &[f64], b: &[f64]) -> f64 {
    let (mut i, mut j, mut largest) = (0, 0, 0.0_f64);
    while i < a.len() && j < b.len() {
        let value = a[i].min(b[j]);
        i += a[i..].iter().take_while(|v| **v == value).count();
        j += b[j..].iter().take_while(|v| **v == value).count();
        largest = largest.max((i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs());
    }
    largest
}

/// The sliced 2-Wasserstein distance, `√(E_θ W₂²(θ·x, θ·y))` over random unit vectors `θ` (Bonneel
/// et al., 2015), of windows taken as points with `length · features` coordinates.
///
/// 100 directions or more are usual; its spread falls with their square root. The same seed takes the
/// same directions. Cost `directions · windows · (width + log windows)`.
///
/// # Errors
///
/// Sets of different shape, or no directions.
pub fn sliced_wasserstein(
    real: Windows<'_>,
    generated: Windows<'_>,
    directions: usize,
    seed: u64,
) -> Result<f64> {
    real.same_shape(&generated)?;
    input::at_least("directions", directions, 1)?;
    let mut rng = SplitMix::new(seed);
    let mut total = 0.0;
    for _ in 0..directions {
        let direction: Vec<f64> = (0..real.width()).map(|_| rng.normal()).collect();
        let norm = direction.iter().map(|d| d * d).sum::<f64>().sqrt();
        let [mut a, mut b] = [real, generated].map(|windows| -> Vec<f64> {
            let along = |w: &[f32]| w.iter().zip(&direction).map(|(x, d)| f64::from(*x) * d).sum();
            let rows = windows.data().chunks_exact(windows.width());
            rows.map(|w| -> f64 { along(w) }).map(|x| x / norm).collect()
        });
        total += power(&mut a, &mut b, 2.0);
    }
    Ok((total / directions as f64).sqrt())
}
