//! Fully connected layer on the last axis.

use burn::{module::Module, module::Param, tensor::Device, tensor::Tensor};

use super::{vector, weight};
use crate::random::Random;

/// `y = x · w + b`
#[derive(Module, Debug)]
pub struct Dense {
    /// `(inputs, outputs)`
    pub weight: Param<Tensor<2>>,
    /// `(outputs,)`
    pub bias: Param<Tensor<1>>,
}

impl Dense {
    /// A layer with random weights and no bias yet.
    #[must_use]
    pub fn new(inputs: usize, outputs: usize, rng: &mut Random, device: &Device) -> Self {
        Self { weight: weight(inputs, outputs, rng, device), bias: vector(outputs, 0.0, device) }
    }

    /// A layer that answers `0` at first, whatever it is given: what follows starts at its prior.
    #[must_use]
    pub fn silent(inputs: usize, outputs: usize, device: &Device) -> Self {
        let zeros = Tensor::zeros([inputs, outputs], device);
        Self { weight: Param::from_tensor(zeros), bias: vector(outputs, 0.0, device) }
    }

    /// `(rows, inputs)` to `(rows, outputs)`.
    #[must_use]
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.weight.val()) + self.bias.val().unsqueeze()
    }

    /// `(batch, time, inputs)` to `(batch, time, outputs)`.
    #[must_use]
    pub fn forward_series(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, time, inputs] = x.dims();
        let y = self.forward(x.reshape([batch * time, inputs]));
        let outputs = y.dims()[1];
        y.reshape([batch, time, outputs])
    }
}
