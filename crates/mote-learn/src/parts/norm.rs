//! Layer normalization over the last axis (Ba et al. 2016).

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, module::layer_norm},
};

use super::vector;

/// Added to the variance, so that a row of equal numbers stays finite.
const EPSILON: f64 = 1e-5;

/// `y = (x - mean) / √(variance + ε) · gain + bias`
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// `(channels,)`
    pub gain: Param<Tensor<1>>,
    /// `(channels,)`
    pub bias: Param<Tensor<1>>,
}

impl LayerNorm {
    /// A layer that only normalizes at first.
    #[must_use]
    pub fn new(channels: usize, device: &Device) -> Self {
        Self { gain: vector(channels, 1.0, device), bias: vector(channels, 0.0, device) }
    }

    /// Any shape whose last axis has the channels.
    #[must_use]
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        layer_norm(x, self.gain.val(), Some(self.bias.val()), EPSILON)
    }
}
