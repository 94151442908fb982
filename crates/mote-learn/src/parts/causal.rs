//! Dilated causal convolution with two taps, the block of WaveNet (van den Oord et al. 2016).

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, activation::relu, module::conv1d, ops::ConvOptions},
};

use super::{vector, weight};
use crate::random::Random;

/// `y[t] = x[t - dilation] · w₀ + x[t] · w₁ + b`, zero before the start.
#[derive(Module, Debug)]
pub struct CausalConv {
    /// `(2 · inputs, outputs)`, older tap first.
    pub weight: Param<Tensor<2>>,
    /// `(outputs,)`
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    dilation: usize,
}

impl CausalConv {
    /// A layer with random weights.
    #[must_use]
    pub fn new(
        inputs: usize,
        outputs: usize,
        dilation: usize,
        rng: &mut Random,
        device: &Device,
    ) -> Self {
        Self {
            weight: weight(2 * inputs, outputs, rng, device),
            bias: vector(outputs, 0.0, device),
            dilation,
        }
    }

    /// `(batch, time, inputs)` to `(batch, time, outputs)`.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, time, inputs] = x.dims();
        let (dilation, [outputs]) = (self.dilation, self.bias.dims());
        if x.device().is_autodiff() {
            let taps = Tensor::cat(vec![delayed(x.clone(), dilation), x], 2);
            let taps = taps.reshape([batch * time, 2 * inputs]);
            let y = taps.matmul(self.weight.val()) + self.bias.val().unsqueeze();
            return y.reshape([batch, time, outputs]);
        }
        let kernel = self.weight.val().reshape([2, inputs, outputs]).permute([2, 1, 0]);
        let options = ConvOptions::new_with_padding([1], [(dilation, 0)], [dilation], 1);
        conv1d(x.swap_dims(1, 2), kernel, Some(self.bias.val()), options).swap_dims(1, 2)
    }
}

/// Causal convolutions with dilation 1, 2, 4, …, each added to what was there: `n` of them see
/// `2^n` samples, the present one among them.
#[derive(Module, Debug)]
pub struct CausalStack {
    layers: Vec<CausalConv>,
}

impl CausalStack {
    /// Layers with random weights.
    #[must_use]
    pub fn new(
        inputs: usize,
        hidden: usize,
        layers: usize,
        rng: &mut Random,
        device: &Device,
    ) -> Self {
        let width = |i| if i == 0 { inputs } else { hidden };
        let layer = |i: usize| CausalConv::new(width(i), hidden, 1 << i, rng, device);
        Self { layers: (0..layers).map(layer).collect() }
    }

    /// `(batch, time, inputs)` to `(batch, time, hidden)`.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let mut h = x;
        for (i, layer) in self.layers.iter().enumerate() {
            let y = relu(layer.forward(h.clone()));
            h = if i == 0 { y } else { h + y };
        }
        h
    }
}

/// `y[t] = x[t - steps]`, zero before the start.
pub(crate) fn delayed(x: Tensor<3>, steps: usize) -> Tensor<3> {
    let [batch, time, channels] = x.dims();
    if steps >= time {
        // Not fresh zeros: a recorded program has to see that this still belongs to the batch.
        return x * 0.0;
    }
    let zeros = Tensor::zeros([batch, steps, channels], &x.device());
    Tensor::cat(vec![zeros, x.slice([0..batch, 0..time - steps, 0..channels])], 1)
}
