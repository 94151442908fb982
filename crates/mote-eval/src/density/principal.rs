//! The two directions in which points spread most, for a flat picture of a latent of any width.

use serde::Serialize;

use crate::{
    Result, input,
    symmetric::{self, Eigen},
};

/// The widest points that are accepted; the cost grows with the cube of the width.
pub const MAX_WIDTH: usize = 512;

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
        let (mean, matrix) = covariance(points, width);
        let total: f64 = (0..width).map(|j| matrix[j * width + j]).sum();
        let Eigen { values, vectors } = symmetric::eigen(matrix, width);

        let mut order: Vec<usize> = (0..width).collect();
        let variance = |j: usize| values[j];
        order.sort_by(|&a, &b| variance(b).total_cmp(&variance(a)));
        let axis = |k: usize| match order.get(k) {
            Some(&j) => upright(vectors[j * width..][..width].to_vec()),
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
pub(crate) fn covariance(points: &[f64], width: usize) -> (Vec<f64>, Vec<f64>) {
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

/// The vector or its negative, whichever has its largest component positive.
fn upright(mut vector: Vec<f64>) -> Vec<f64> {
    let largest =
        vector.iter().copied().fold(0.0_f64, |a, b| if b.abs() > a.abs() { b } else { a });
    if largest < 0.0 {
        vector.iter_mut().for_each(|x| *x = -*x);
    }
    vector
}
