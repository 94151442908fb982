//! Gaussian kernel density in any number of dimensions.

use serde::Serialize;

use super::MAX_WIDTH;
use crate::{Error, Result, input};

/// The most reference points; asking for `m` densities costs `m` times as many kernels.
pub const MAX_POINTS: usize = 1_000_000;

/// A share of a column's own variance below which it counts as a combination of the others.
const SINGULAR: f64 = 1e-12;

/// A density made of one Gaussian at each reference point, all of one shape: the covariance of the
/// points times Scott's factor `rows^(−2 / (width + 4))`, as `scipy.stats.gaussian_kde` has it.
///
/// The density follows the points under any linear map, so the units of the columns do not matter.
/// Kernel densities blur quickly as the width grows: above about six columns take them as a ranking
/// only.
#[derive(Clone, Debug)]
pub struct KernelDensity {
    width: usize,
    rows: usize,
    /// `(width, width)` lower triangle of the Cholesky factor of the kernel covariance.
    factor: Vec<f64>,
    /// `(rows, width)` reference points with the factor divided out, so that kernels are round.
    whitened: Vec<f64>,
    /// Log-density of one kernel at its centre.
    log_peak: f64,
}

impl KernelDensity {
    /// Takes reference points `(rows, width)`.
    ///
    /// # Errors
    ///
    /// Empty or non-finite input, no whole number of rows, not more rows than columns, over a
    /// million rows or [`MAX_WIDTH`] columns, or columns that are constant or depend on one
    /// another.
    pub fn fit(points: &[f64], width: usize) -> Result<Self> {
        let rows = input::rows("points", points, width)?;
        input::at_most("columns", width, MAX_WIDTH)?;
        input::at_least("rows", rows, width + 1)?;
        input::at_most("rows", rows, MAX_POINTS)?;
        let scott = (rows as f64).powf(-2.0 / (width as f64 + 4.0));
        let mut covariance = super::principal::covariance(points, width).1;
        // The unbiased estimate, as in SciPy.
        let correction = scott * rows as f64 / (rows - 1) as f64;
        covariance.iter_mut().for_each(|c| *c *= correction);
        let factor = cholesky(&covariance, width)?;
        let log_volume: f64 = (0..width).map(|j| factor[j * width + j].ln()).sum();
        let log_peak = -0.5 * width as f64 * std::f64::consts::TAU.ln() - log_volume;
        let mut density = Self { width, rows, factor, whitened: Vec::new(), log_peak };
        density.whitened = points.chunks_exact(width).flat_map(|p| density.whiten(p)).collect();
        Ok(density)
    }

    /// Log-density at each of `points` `(m, width)`, in nats. `O(m · rows · width)`.
    ///
    /// A point that is itself a reference point is lifted by its own kernel; to compare reference
    /// points with others use [`Self::leave_one_out`] for the former.
    ///
    /// # Errors
    ///
    /// Empty or non-finite input, or no whole number of rows.
    pub fn log_density(&self, points: &[f64]) -> Result<Vec<f64>> {
        input::rows("points", points, self.width)?;
        Ok(points
            .chunks_exact(self.width)
            .map(|p| self.log_sum(&self.whiten(p), None) - (self.rows as f64).ln())
            .collect())
    }

    /// Log-density at each reference point from all the others, `(rows,)`, in nats.
    pub fn leave_one_out(&self) -> Vec<f64> {
        let others = (self.rows as f64 - 1.0).ln();
        let points = self.whitened.chunks_exact(self.width).enumerate();
        points.map(|(i, p)| self.log_sum(p, Some(i)) - others).collect()
    }

    /// Log of the sum of kernels at a whitened point, without kernel `skip`.
    fn log_sum(&self, point: &[f64], skip: Option<usize>) -> f64 {
        let squares = || {
            let kernels = self.whitened.chunks_exact(self.width).enumerate();
            kernels.filter(|(i, _)| Some(*i) != skip).map(|(_, centre)| {
                point.iter().zip(centre).map(|(a, b)| (a - b) * (a - b)).sum::<f64>()
            })
        };
        // The nearest kernel is taken out of the sum, so that far points do not underflow to −∞.
        let nearest = squares().fold(f64::INFINITY, f64::min);
        let sum: f64 = squares().map(|square| (0.5 * (nearest - square)).exp()).sum();
        self.log_peak - 0.5 * nearest + sum.ln()
    }

    /// Solves `factor · w = point`.
    fn whiten(&self, point: &[f64]) -> Vec<f64> {
        let mut w = Vec::with_capacity(self.width);
        for (j, x) in point.iter().enumerate() {
            let row = &self.factor[j * self.width..][..=j];
            let done: f64 = row.iter().zip(&w).map(|(l, w)| l * w).sum();
            w.push((x - done) / row[j]);
        }
        w
    }
}

/// One point of a density curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Where.
    pub x: f64,
    /// Density there, in 1 / units of `x`.
    pub density: f64,
}

/// The density of `values` at `count` evenly spaced places that reach three kernel widths beyond
/// them.
///
/// # Errors
///
/// As [`KernelDensity::fit`], or fewer than two places.
pub fn density_curve(values: &[f64], count: usize) -> Result<Vec<CurvePoint>> {
    input::at_least("places", count, 2)?;
    let density = KernelDensity::fit(values, 1)?;
    let margin = 3.0 * density.factor[0];
    let low = values.iter().copied().fold(f64::INFINITY, f64::min) - margin;
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max) + margin;
    let step = (high - low) / (count - 1) as f64;
    let places: Vec<f64> = (0..count).map(|i| low + step * i as f64).collect();
    let logs = density.log_density(&places)?;
    Ok(places.iter().zip(logs).map(|(&x, log)| CurvePoint { x, density: log.exp() }).collect())
}

/// Lower triangle `L` with `L Lᵀ = matrix`.
fn cholesky(matrix: &[f64], width: usize) -> Result<Vec<f64>> {
    let mut factor = vec![0.0; width * width];
    for i in 0..width {
        for j in 0..=i {
            let (a, b) = (&factor[i * width..][..j], &factor[j * width..][..j]);
            let rest = matrix[i * width + j] - a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            if i != j {
                factor[i * width + j] = rest / factor[j * width + j];
            } else if rest > SINGULAR * matrix[i * width + i] {
                factor[i * width + i] = rest.sqrt();
            } else {
                return Err(Error::Singular { what: "points", column: i });
            }
        }
    }
    Ok(factor)
}
