//! A first guess of what is hidden, from what is shown: kernel regression along time (Nadaraya 1964,
//! Watson 1964) with a kernel that is learned, so that it finds neighbours and seasons.

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, TensorData},
};

/// Logarithms of weights are this times what is learned, so that a kernel over many samples can move as
/// far in a training as weights near one do.
const SPEED: f32 = 4.0;
/// At first a sample counts as this power of its distance less: close to a straight line between two
/// neighbours, and close to the mean of the last samples far behind them.
const POWER: f32 = 3.0;
/// How far away the same place in the next season is, in samples.
const SEASON: usize = 2;
/// Where less than this weight is shown, the guess is zero.
const LEAST_WEIGHT: f32 = 1e-8;

/// `Σₛ k(s, t) · xₛ / Σₛ k(s, t)` over the shown samples `s` of a feature, in windows of one length.
#[derive(Module, Debug)]
pub struct Guess {
    /// `(from, to)`
    kernel: Param<Tensor<2>>,
}

impl Guess {
    /// For windows of `length` samples of what comes back after `season` samples; 0 if nothing does.
    #[must_use]
    pub fn new(length: usize, season: usize, device: &Device) -> Self {
        let log = |i: usize| {
            let distance = distance((i / length).abs_diff(i % length), season);
            -POWER * (1.0 + distance as f32).ln() / SPEED
        };
        let logs = (0..length * length).map(log).collect::<Vec<_>>();
        Self { kernel: Param::from_data(TensorData::new(logs, [length, length]), device) }
    }

    /// The guess for every sample, also for those that are shown; both are `(batch, time, features)`.
    /// Zero where nothing of a feature is shown.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>, shown: Tensor<3>) -> Tensor<3> {
        let kernel = (self.kernel.val() * SPEED).exp();
        let along = |x: Tensor<3>| {
            let [batch, time, features] = x.dims();
            let rows = x.swap_dims(1, 2).reshape([batch * features, time]);
            rows.matmul(kernel.clone()).reshape([batch, features, time]).swap_dims(1, 2)
        };
        along(x * shown.clone()) / (along(shown) + LEAST_WEIGHT)
    }
}

/// From a sample to one so many samples away, where whole seasons are short cuts.
fn distance(samples: usize, season: usize) -> usize {
    if season == 0 {
        return samples;
    }
    let seasons = |count: usize| count * SEASON + samples.abs_diff(count * season);
    (0..=samples / season + 1).map(seasons).min().unwrap_or(samples)
}
