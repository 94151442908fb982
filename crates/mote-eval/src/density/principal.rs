//! The two directions in which points spread most, for a flat picture of a latent of any width.

use serde::Serialize;

use crate::{Result, input};

/// The widest points that are accepted; the cost grows with the cube of the width.
pub const MAX_WIDTH: usize = 512;

/// Sweeps after which the rotation stops; five to ten are the rule.
const MAX_SWEEPS: usize = 60;

/// Principal components, the first two.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Principal {
    /// `(width,)` mean of the points.
    pub mean: Vec<f64>,
    /// Two unit vectors `(width,)`; the second is zero where the points are one wide. The largest
    /// component of each is positive, so that the picture does not flip from run to run.
    pub axes: [Vec<f64>; 2],
    /// Share of the total variance along each axis.
    pub variance_share: [f64; 2],
}

impl Principal {
    /// Finds the axes of points `(rows, width)` by Jacobi rotations of their covariance.
    ///
    /// # Errors
    ///
    /// Empty or non-finite input, no whole number of rows, one row only, or wider than
    /// [`MAX_WIDTH`].
    pub fn fit(points: &[f64], width: usize) -> Result<Self> {
        let rows = input::rows("points", points, width)?;
        input::at_least("rows", rows, 2)?;
        input::at_most("columns", width, MAX_WIDTH)?;
        let (mean, mut matrix) = covariance(points, width);
        let total: f64 = (0..width).map(|j| matrix[j * width + j]).sum();
        let vectors = jacobi(&mut matrix, width);

        let mut order: Vec<usize> = (0..width).collect();
        let variance = |j: usize| matrix[j * width + j];
        order.sort_by(|&a, &b| variance(b).total_cmp(&variance(a)));
        let axis = |k: usize| match order.get(k) {
            Some(&j) => upright((0..width).map(|i| vectors[i * width + j]).collect()),
            None => vec![0.0; width],
        };
        let share = |k: usize| match order.get(k) {
            Some(&j) if total > 0.0 => variance(j).max(0.0) / total,
            _ => 0.0,
        };
        Ok(Self { mean, axes: [axis(0), axis(1)], variance_share: [share(0), share(1)] })
    }

    /// The picture of points `(rows, width)`: their two coordinates, `(rows,)`.
    ///
    /// # Errors
    ///
    /// Empty or non-finite input, or points of another width.
    pub fn project(&self, points: &[f64]) -> Result<Vec<[f64; 2]>> {
        let width = self.mean.len();
        input::rows("points", points, width)?;
        let along = |point: &[f64], axis: &[f64]| -> f64 {
            point.iter().zip(&self.mean).zip(axis).map(|((x, m), a)| (x - m) * a).sum()
        };
        let [first, second] = &self.axes;
        Ok(points.chunks_exact(width).map(|p| [along(p, first), along(p, second)]).collect())
    }
}

/// Mean `(width,)` and covariance `(width, width)`, divided by the number of rows.
pub(super) fn covariance(points: &[f64], width: usize) -> (Vec<f64>, Vec<f64>) {
    let rows = (points.len() / width) as f64;
    let mut mean = vec![0.0; width];
    for point in points.chunks_exact(width) {
        mean.iter_mut().zip(point).for_each(|(m, x)| *m += x / rows);
    }
    let mut matrix = vec![0.0; width * width];
    for point in points.chunks_exact(width) {
        let centred: Vec<f64> = point.iter().zip(&mean).map(|(x, m)| x - m).collect();
        for (row, a) in matrix.chunks_exact_mut(width).zip(&centred) {
            row.iter_mut().zip(&centred).for_each(|(c, b)| *c += a * b / rows);
        }
    }
    (mean, matrix)
}

/// Cyclic Jacobi: rotates a symmetric matrix until it is diagonal; returns the eigenvectors as
/// columns.
fn jacobi(matrix: &mut [f64], width: usize) -> Vec<f64> {
    let mut vectors = vec![0.0; width * width];
    (0..width).for_each(|j| vectors[j * width + j] = 1.0);
    let scale: f64 = matrix.iter().map(|c| c * c).sum();
    for _ in 0..MAX_SWEEPS {
        let off = |i: usize, j: usize| if i == j { 0.0 } else { matrix[i * width + j] };
        let rest: f64 = (0..width * width).map(|k| off(k / width, k % width).powi(2)).sum();
        if rest <= scale * f64::EPSILON * f64::EPSILON {
            break;
        }
        for p in 0..width {
            for q in p + 1..width {
                rotate(matrix, &mut vectors, width, p, q);
            }
        }
    }
    vectors
}

/// Turns the plane of `p` and `q` so that their covariance vanishes (Golub and Van Loan, 8.5).
fn rotate(matrix: &mut [f64], vectors: &mut [f64], width: usize, p: usize, q: usize) {
    let apq = matrix[p * width + q];
    if apq == 0.0 {
        return;
    }
    let tau = (matrix[q * width + q] - matrix[p * width + p]) / (2.0 * apq);
    let tangent = tau.signum() / (tau.abs() + tau.hypot(1.0));
    let cosine = tangent.hypot(1.0).recip();
    let sine = tangent * cosine;
    let turn = |values: &mut [f64], a: usize, b: usize| {
        let (x, y) = (values[a], values[b]);
        values[a] = cosine * x - sine * y;
        values[b] = sine * x + cosine * y;
    };
    for k in 0..width {
        turn(matrix, k * width + p, k * width + q);
        turn(vectors, k * width + p, k * width + q);
    }
    for k in 0..width {
        turn(matrix, p * width + k, q * width + k);
    }
}

/// The vector or its negative, whichever has its largest component positive.
fn upright(mut vector: Vec<f64>) -> Vec<f64> {
    let largest =
        vector.iter().copied().fold(0.0_f64, |a, b| if b.abs() > a.abs() { b } else { a });
    if largest < 0.0 {
        vector.iter_mut().for_each(|x| *x = -*x);
    }
    vector
}
