//! Fréchet distance between Gaussians, the distance of FID and Context-FID.

use serde::Serialize;

use crate::{
    Result,
    density::{MAX_WIDTH, covariance},
    input,
    symmetric::{eigen, product, square_root},
};

/// Outcome of [`frechet_distance`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Frechet {
    /// `mean_part + spread_part`, never below 0.
    pub distance: f64,
    /// `‖μ₁ − μ₂‖²`
    pub mean_part: f64,
    /// `tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½)`
    pub spread_part: f64,
}

/// `‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½)` of two sets of embeddings `(rows, width)`: the squared
/// 2-Wasserstein distance of Gaussians with their means and unbiased covariances (Dowson and Landau,
/// 1982; Heusel et al., 2017).
///
/// The trace of the root is taken as that of `(Σ₁^½ Σ₂ Σ₁^½)^½`, which is symmetric; so it is real
/// also where a covariance is singular, where the usual `scipy.linalg.sqrtm(Σ₁ Σ₂)` is off or
/// complex. Estimates are biased upwards by about `width² / rows`: compare only distances of equally
/// many rows, and beside the distance between two halves of real data. Cost `width³`, about one
/// second at 320.
///
/// # Errors
///
/// Empty or non-finite input, no whole number of rows, fewer than two rows, or more than 512 columns.
pub fn frechet_distance(real: &[f64], generated: &[f64], width: usize) -> Result<Frechet> {
    let moments = |what: &'static str, points: &[f64]| {
        let rows = input::rows(what, points, width)?;
        input::at_most("columns", width, MAX_WIDTH)?;
        input::at_least("rows", rows, 2)?;
        let (mean, mut spread) = covariance(points, width);
        spread.iter_mut().for_each(|c| *c *= rows as f64 / (rows - 1) as f64);
        Ok((mean, spread))
    };
    let (mean_a, spread_a) = moments("real", real)?;
    let (mean_b, spread_b) = moments("generated", generated)?;
    let mean_part = mean_a.iter().zip(&mean_b).map(|(a, b)| (a - b) * (a - b)).sum();
    let trace = |m: &[f64]| m.iter().step_by(width + 1).sum::<f64>();
    let traces = trace(&spread_a) + trace(&spread_b);
    let root = square_root(spread_a, width);
    let mut inner = product(&product(&root, &spread_b, width), &root, width);
    // Rounding leaves the halves of a symmetric product unequal, which the rotations do not expect.
    for i in 0..width {
        for j in 0..i {
            let mean = 0.5 * (inner[i * width + j] + inner[j * width + i]);
            inner[i * width + j] = mean;
            inner[j * width + i] = mean;
        }
    }
    let common: f64 = eigen(inner, width).values.iter().map(|v| v.max(0.0).sqrt()).sum();
    let spread_part = (traces - 2.0 * common).max(0.0);
    Ok(Frechet { distance: mean_part + spread_part, mean_part, spread_part })
}
