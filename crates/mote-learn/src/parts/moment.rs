//! What a network is told of a number between 0 and 1: how near it is to each of a row of centres.

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};

use super::Dense;
use crate::random::Random;

/// Centres, evenly spaced. Between two of them a layer behind can still tell an eighth of a step.
const CENTRES: usize = 16;

/// `(batch, 1)` in `[0, 1]` to `(batch, channels)`: Gaussian bumps and one hidden layer. Bumps are
/// made of operations that programs have; sines would need one more.
#[derive(Module, Debug)]
pub struct Moment {
    dense: Dense,
}

impl Moment {
    /// A layer with random weights.
    #[must_use]
    pub fn new(channels: usize, rng: &mut Random, device: &Device) -> Self {
        Self { dense: Dense::new(CENTRES, channels, rng, device) }
    }

    /// `time` is `(batch, 1)`.
    #[must_use]
    pub fn forward(&self, time: Tensor<2>) -> Tensor<2> {
        let step = 1.0 / (CENTRES - 1) as f32;
        let centres: Vec<f32> = (0..CENTRES).map(|i| i as f32 * step).collect();
        let centres: Tensor<2> =
            Tensor::from_data(TensorData::new(centres, [1, CENTRES]), &time.device());
        // Each bump is as wide as the step to the next one.
        let distance = (time - centres) * (1.0 / step);
        let bumps = (distance.clone() * distance * -0.5).exp();
        burn::tensor::activation::relu(self.dense.forward(bumps))
    }
}
