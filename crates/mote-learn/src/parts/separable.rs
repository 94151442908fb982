//! What a Gaussian that is separable in time and features would say of a noisy window.
//!
//! Most of what sensors say is linear in what they just said and in what others say: a window is smooth,
//! and columns go together. A network has to learn that for every size of noise; a Gaussian knows it
//! from one look at the data (Wang and Vastola 2023, arXiv 2311.10892: far from the data, the score
//! of any model is that of its Gaussian). What is left for the network is what is not Gaussian, and in
//! directions in which windows never differ, it has no say.

use burn::tensor::{Device, Tensor, TensorData};
use mote_eval::symmetric::eigen;

use crate::train::Windows;

/// Windows that it is fitted to; an even choice where there are more.
const MOST_WINDOWS: usize = 4096;
/// The least variance, where that of a value is 1: what single precision can tell from none.
const LEAST: f64 = 1e-6;

/// Variance that is left open in each direction where a window is completed: without it, directions in
/// which training windows hardly differ would bind others to the last digit.
const OPEN: f32 = 0.01;
/// Steps of conjugate gradients: on hourly and quarter-hourly loads eight come within 1 % of the exact
/// conditional mean while up to half of a window is hidden, and within 6 % of it at nine tenths.
const STEPS: usize = 8;
/// Squares below this are zero.
const LEAST_SQUARE: f32 = 1e-12;

/// A Gaussian over windows `(time, features)` whose covariance has the eigenvectors `u_i v_jᵀ`, with `u`
/// along time and `v` across features, and a variance for each pair (the matrix normal distribution,
/// with free variances). Never learned by steps.
#[derive(Clone, Debug)]
pub struct Separable {
    shape: [usize; 2],
    /// `(time, features)`
    mean: Vec<f32>,
    /// `(time, time)`, one direction a column.
    along: Vec<f32>,
    /// `(features, features)`, one direction a column.
    across: Vec<f32>,
    /// `(time, features)`, of the directions.
    variance: Vec<f32>,
}

/// Where a state is between noise and data, for each direction: `θ = atan(signal · √variance / noise)`.
///
/// In units of their deviation at every moment, the windows of a Gaussian stand still on the way from
/// noise to data; what moves is what is not Gaussian, and `θ` is the clock by which it does.
#[derive(Clone, Debug)]
pub struct Angle {
    /// `(batch, time, features)`
    pub sine: Tensor<3>,
    /// The same shape.
    pub cosine: Tensor<3>,
    /// The deviation of states.
    deviation: Tensor<3>,
    /// `(batch, 1, 1)`
    signal: Tensor<3>,
}

impl Angle {
    /// `sin(next - self)`
    #[must_use]
    pub fn sine_to(&self, next: &Self) -> Tensor<3> {
        next.sine.clone() * self.cosine.clone() - next.cosine.clone() * self.sine.clone()
    }
}

impl Separable {
    /// Independent values of mean 0 and variance 1: what standard units are where nothing is known.
    #[must_use]
    pub fn standard(length: usize, features: usize) -> Self {
        let unit = |n: usize| (0..n * n).map(|i| f32::from(u8::from(i / n == i % n))).collect();
        Self {
            shape: [length, features],
            mean: vec![0.0; length * features],
            along: unit(length),
            across: unit(features),
            variance: vec![1.0; length * features],
        }
    }

    /// The one of `windows` in standard units; what is missing counts as the mean. [`Self::standard`]
    /// where there are none.
    #[must_use]
    pub fn fit(windows: &dyn Windows) -> Self {
        let [length, features] = windows.shape();
        let count = windows.len().min(MOST_WINDOWS);
        if count == 0 {
            return Self::standard(length, features);
        }
        let width = length * features;
        let mut all = vec![0.0; count * width];
        let mut mask = vec![0.0; width];
        for (n, window) in all.chunks_exact_mut(width).enumerate() {
            windows.fill(n * windows.len() / count, window, &mut mask);
        }
        let mut mean = vec![0.0f64; width];
        for window in all.chunks_exact(width) {
            mean.iter_mut().zip(window).for_each(|(m, &x)| *m += f64::from(x) / count as f64);
        }
        for window in all.chunks_exact_mut(width) {
            window.iter_mut().zip(&mean).for_each(|(x, &m)| *x -= m as f32);
        }
        let (mut rows, mut columns) = (vec![0.0; length * length], vec![0.0; features * features]);
        let mut turned = vec![0.0; width];
        for window in all.chunks_exact(width) {
            add_outer(window, features, &mut columns);
            transpose(window, length, features, &mut turned);
            add_outer(&turned, length, &mut rows);
        }
        let along = directions(rows, length);
        let across = directions(columns, features);
        let mut squares = vec![0.0f64; width];
        for window in all.chunks_exact(width) {
            // `uᵀ x v`: first across, then along.
            let by_row = product(window, &across, features);
            transpose(&by_row, length, features, &mut turned);
            let by_column = product(&turned, &along, length);
            transpose(&by_column, features, length, &mut turned);
            squares.iter_mut().zip(&turned).for_each(|(s, &x)| *s += f64::from(x) * f64::from(x));
        }
        let variance = squares.iter().map(|s| (s / count as f64).max(LEAST) as f32).collect();
        let mean = mean.iter().map(|&m| m as f32).collect();
        Self { shape: [length, features], mean, along, across, variance }
    }

    /// The angle of states `signal · x + noise · ε`; both are `(batch, 1, 1)`.
    #[must_use]
    pub fn angle(&self, signal: Tensor<3>, noise: Tensor<3>) -> Angle {
        let device = signal.device();
        let variance = self.table(&self.variance, &device);
        let total = signal.clone() * signal.clone() * variance + noise.clone() * noise.clone();
        let half = total.log() * 0.5;
        let precision = (half.clone() * -1.0).exp();
        let sine = precision.clone() * signal.clone() * self.deviations(&device);
        Angle { sine, cosine: precision * noise, deviation: half.exp(), signal }
    }

    /// A state in its directions, in units of their deviation.
    #[must_use]
    pub fn whiten(&self, state: Tensor<3>, at: &Angle) -> Tensor<3> {
        let centred = state - self.table(&self.mean, &at.signal.device()) * at.signal.clone();
        self.directions(centred) / at.deviation.clone()
    }

    /// The way back from [`Self::whiten`].
    #[must_use]
    pub fn colour(&self, whitened: Tensor<3>, at: &Angle) -> Tensor<3> {
        let mean = self.table(&self.mean, &at.signal.device()) * at.signal.clone();
        self.back(whitened * at.deviation.clone()) + mean
    }

    /// Clean windows of what is clean in units of their own deviation.
    #[must_use]
    pub fn windows(&self, whitened: Tensor<3>) -> Tensor<3> {
        let device = whitened.device();
        self.back(whitened * self.deviations(&device)) + self.table(&self.mean, &device)
    }

    /// The way back from [`Self::windows`].
    #[must_use]
    pub fn whiten_clean(&self, windows: Tensor<3>) -> Tensor<3> {
        let device = windows.device();
        let centred = windows - self.table(&self.mean, &device);
        self.directions(centred) / self.deviations(&device)
    }

    /// What the Gaussian would have where nothing is `shown` of clean windows `x`, both `(batch, time,
    /// features)`: the conditional mean, beginning with `start` and approached by steps of conjugate
    /// gradients (Hestenes and Stiefel 1952) on the precision of what is hidden. A start that interpolates
    /// is near enough for eight of them; where much is hidden, what they leave is smooth. Where
    /// something is shown the answer is what is shown, and nothing here is learned by gradients.
    #[must_use]
    pub fn complete(&self, x: Tensor<3>, shown: Tensor<3>, start: Tensor<3>) -> Tensor<3> {
        let device = x.device();
        let start = if device.is_autodiff() { start.detach() } else { start };
        let [batch, length, features] = x.dims();
        let inverse: Vec<f32> = self.variance.iter().map(|v| 1.0 / (v + OPEN)).collect();
        let inverse = self.table(&inverse, &device);
        let hidden = shown.clone() * -1.0 + 1.0;
        let precise = |v: Tensor<3>| self.back(self.directions(v) * inverse.clone());
        let dot = |a: Tensor<3>, b: Tensor<3>| {
            (a * b).reshape([batch, length * features]).sum_dim(1).reshape([batch, 1, 1])
        };
        let mean = self.table(&self.mean, &device);
        let mut away = x * shown + start * hidden.clone() - mean.clone();
        let mut residual = precise(away.clone()) * hidden.clone() * -1.0;
        let mut direction = residual.clone();
        let mut square = dot(residual.clone(), residual.clone());
        for _ in 0..STEPS {
            let moved = precise(direction.clone()) * hidden.clone();
            // Where nothing is hidden, nothing moves.
            let length = square.clone() / (dot(direction.clone(), moved.clone()) + LEAST_SQUARE);
            away = away + direction.clone() * length.clone();
            residual = residual - moved * length;
            let next = dot(residual.clone(), residual.clone());
            direction = residual.clone() + direction * (next.clone() / (square + LEAST_SQUARE));
            square = next;
        }
        away + mean
    }

    /// Anything of the shape of windows in its directions, in the same units.
    #[must_use]
    pub fn directions(&self, x: Tensor<3>) -> Tensor<3> {
        self.turn(x, &self.along, &self.across)
    }

    fn back(&self, x: Tensor<3>) -> Tensor<3> {
        let [length, features] = self.shape;
        let (mut along, mut across) = (self.along.clone(), self.across.clone());
        transpose(&self.along, length, length, &mut along);
        transpose(&self.across, features, features, &mut across);
        self.turn(x, &along, &across)
    }

    fn deviations(&self, device: &Device) -> Tensor<3> {
        let roots: Vec<f32> = self.variance.iter().map(|v| v.sqrt()).collect();
        self.table(&roots, device)
    }

    fn turn(&self, x: Tensor<3>, along: &[f32], across: &[f32]) -> Tensor<3> {
        let [length, features] = self.shape;
        let x = multiplied(x, across, features);
        multiplied(x.swap_dims(1, 2), along, length).swap_dims(1, 2)
    }

    fn table(&self, values: &[f32], device: &Device) -> Tensor<3> {
        let [length, features] = self.shape;
        Tensor::from_data(TensorData::new(values.to_vec(), [1, length, features]), device)
    }
}

/// `(batch, rows, n)` times a constant `(n, n)`.
fn multiplied(x: Tensor<3>, matrix: &[f32], n: usize) -> Tensor<3> {
    let [batch, rows, _] = x.dims();
    let matrix = Tensor::<2>::from_data(TensorData::new(matrix.to_vec(), [n, n]), &x.device());
    x.reshape([batch * rows, n]).matmul(matrix).reshape([batch, rows, n])
}

/// Adds `Σ rowᵀ row` of the rows of `n` numbers.
fn add_outer(rows: &[f32], n: usize, sum: &mut [f64]) {
    for row in rows.chunks_exact(n) {
        for (&a, sum) in row.iter().zip(sum.chunks_exact_mut(n)) {
            sum.iter_mut().zip(row).for_each(|(s, &b)| *s += f64::from(a) * f64::from(b));
        }
    }
}

/// `(rows, columns)` to `(columns, rows)`.
fn transpose(x: &[f32], rows: usize, columns: usize, y: &mut [f32]) {
    for (i, row) in x.chunks_exact(columns).enumerate() {
        for (j, &v) in row.iter().enumerate() {
            y[j * rows + i] = v;
        }
    }
}

/// Rows of `n` numbers times a `(n, n)` matrix.
fn product(rows: &[f32], matrix: &[f32], n: usize) -> Vec<f32> {
    let mut y = vec![0.0; rows.len()];
    for (row, y) in rows.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
        for (&a, weights) in row.iter().zip(matrix.chunks_exact(n)) {
            y.iter_mut().zip(weights).for_each(|(y, &w)| *y += a * w);
        }
    }
    y
}

/// The eigenvectors of a covariance, one a column.
fn directions(covariance: Vec<f64>, n: usize) -> Vec<f32> {
    let vectors: Vec<f32> = eigen(covariance, n).vectors.iter().map(|&v| v as f32).collect();
    let mut columns = vec![0.0; n * n];
    transpose(&vectors, n, n, &mut columns);
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random};

    const SHAPE: [usize; 2] = [4, 2];

    /// Two columns that follow each other, smooth in time.
    struct Smooth;

    impl Windows for Smooth {
        fn len(&self) -> usize {
            2000
        }

        fn shape(&self) -> [usize; 2] {
            SHAPE
        }

        fn fill(&self, i: usize, values: &mut [f32], mask: &mut [f32]) {
            let mut rng = Random::new(3, Purpose::Order, i as u64);
            let mut level = rng.normal(1)[0];
            for row in values.chunks_exact_mut(2) {
                let noise = rng.normal(3);
                level = 0.8 * level + 0.6 * noise[0];
                row.copy_from_slice(&[level + 0.2 * noise[1] + 0.5, 0.7 * level + 0.3 * noise[2]]);
            }
            mask.fill(1.0);
        }
    }

    /// The hidden values solve `Λ_hh (x_h − m_h) = −Λ_hk (x_k − m_k)`, here by elimination.
    fn exact(gaussian: &Separable, x: &[f32], shown: &[f32]) -> Vec<f64> {
        let [length, features] = SHAPE;
        let n = length * features;
        let precision = |a: usize, b: usize| -> f64 {
            (0..n)
                .map(|d| {
                    let (i, j) = (d / features, d % features);
                    let of = |at: usize| {
                        f64::from(gaussian.along[at / features * length + i])
                            * f64::from(gaussian.across[at % features * features + j])
                    };
                    of(a) * of(b) / f64::from(gaussian.variance[d] + OPEN)
                })
                .sum()
        };
        let away = |i: usize| f64::from(x[i]) - f64::from(gaussian.mean[i]);
        let hidden: Vec<usize> = (0..n).filter(|&i| shown[i] == 0.0).collect();
        let known: Vec<usize> = (0..n).filter(|&i| shown[i] == 1.0).collect();
        let mut rows: Vec<Vec<f64>> = hidden
            .iter()
            .map(|&a| {
                let right = -known.iter().map(|&b| precision(a, b) * away(b)).sum::<f64>();
                hidden.iter().map(|&b| precision(a, b)).chain([right]).collect()
            })
            .collect();
        for i in 0..rows.len() {
            let pivot = rows[i].clone();
            for (other, row) in rows.iter_mut().enumerate().filter(|(other, _)| *other != i) {
                let factor = row[i] / pivot[i];
                row.iter_mut().zip(&pivot).for_each(|(r, p)| *r -= factor * p);
                debug_assert_ne!(other, i);
            }
        }
        let mut all: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
        for (i, &at) in hidden.iter().enumerate() {
            all[at] = rows[i][hidden.len()] / rows[i][i] + f64::from(gaussian.mean[at]);
        }
        all
    }

    #[test]
    fn what_is_hidden_gets_its_conditional_mean() {
        let gaussian = Separable::fit(&Smooth);
        let device = Device::flex();
        let tensor =
            |v: &[f32]| Tensor::<3>::from_data(TensorData::new(v.to_vec(), [1, 4, 2]), &device);
        let x = [1.0, 0.9, 0.4, 0.2, -0.5, -0.1, 0.3, 0.8];
        for shown in [
            [1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0],
            [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0],
            [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0],
            [1.0; 8],
            [0.0; 8],
        ] {
            let found = gaussian.complete(tensor(&x), tensor(&shown), tensor(&[0.0; 8]));
            let found = found.into_data().try_to_vec::<f32>().expect("real numbers");
            for (i, (found, wanted)) in found.iter().zip(exact(&gaussian, &x, &shown)).enumerate() {
                let off = (f64::from(*found) - wanted).abs();
                assert!(off < 1e-3, "{shown:?} [{i}]: found {found}, wanted {wanted}");
            }
        }
    }
}
