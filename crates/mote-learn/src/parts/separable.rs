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
