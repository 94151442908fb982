//! Seeded randomness: each use has a stream of its own, so that nothing depends on call order.

use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// What the numbers are for. Each purpose and index is an independent stream of one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Initial weights.
    Weights = 1,
    /// The order of samples in an epoch.
    Order = 2,
    /// Noise that a model draws in a training step.
    Noise = 3,
    /// Which values are hidden in a training step.
    Hiding = 4,
    /// Noise for measuring on held-back data.
    Validation = 5,
}

/// A source of random numbers.
#[derive(Clone, Debug)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream of `seed` for a purpose; `index` tells steps or epochs apart.
    #[must_use]
    pub fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream((purpose as u64) << 48 | index & ((1 << 48) - 1));
        Self(rng)
    }

    /// A number in `[0, 1)`.
    pub fn unit(&mut self) -> f32 {
        self.0.random()
    }

    /// `n` numbers in `[-bound, bound)`.
    pub fn uniform(&mut self, n: usize, bound: f32) -> Vec<f32> {
        (0..n).map(|_| (2.0 * self.unit() - 1.0) * bound).collect()
    }

    /// `n` standard normal numbers.
    pub fn normal(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.0.sample(StandardNormal)).collect()
    }

    /// The numbers `0..n` in random order.
    pub fn order(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        order.shuffle(&mut self.0);
        order
    }
}
