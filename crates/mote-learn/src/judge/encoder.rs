//! The encoder of TS2Vec: dilated convolutions with residuals (Yue et al., 2022).

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, TensorData, activation::gelu},
};

use super::ContextConfig;
use crate::{
    parts::{Dense, weight},
    random::Random,
};

/// Taps of a convolution: one before, one at, one after.
const TAPS: usize = 3;

/// `(batch, time, features)` to `(batch, time, outputs)`.
#[derive(Module, Debug)]
pub(super) struct Encoder {
    input: Dense,
    blocks: Vec<Block>,
}

/// `y = conv(gelu(conv(gelu(x)))) + x`, with `x` projected where the width changes.
#[derive(Module, Debug)]
struct Block {
    first: SameConv,
    second: SameConv,
    projection: Option<Dense>,
}

/// `y[t] = x[t − d] · w₀ + x[t] · w₁ + x[t + d] · w₂ + b`, zero beyond the ends.
#[derive(Module, Debug)]
struct SameConv {
    /// `(3 · inputs, outputs)`, oldest tap first.
    weight: Param<Tensor<2>>,
    /// `(outputs,)`
    bias: Param<Tensor<1>>,
    #[module(skip)]
    dilation: usize,
}

impl Encoder {
    pub(super) fn new(
        config: &ContextConfig,
        features: usize,
        rng: &mut Random,
        device: &Device,
    ) -> Self {
        let hidden = config.hidden;
        let block = |i: usize, rng: &mut Random| {
            let outputs = if i == config.depth { config.outputs } else { hidden };
            Block {
                first: SameConv::new(hidden, outputs, 1 << i, rng, device),
                second: SameConv::new(outputs, outputs, 1 << i, rng, device),
                projection: (i == config.depth).then(|| dense(hidden, outputs, rng, device)),
            }
        };
        Self {
            input: dense(features, hidden, rng, device),
            blocks: (0..=config.depth).map(|i| block(i, rng)).collect(),
        }
    }

    /// As in training: `shown` `(batch, time, 1)` hides whole samples behind the first layer, and
    /// `kept`, of the shape of the result, is what dropout multiplies it with.
    pub(super) fn learn(&self, x: Tensor<3>, shown: Tensor<3>, kept: Tensor<3>) -> Tensor<3> {
        self.convolve(self.input.forward_series(x) * shown) * kept
    }

    /// `(batch, time, features)` to `(batch, outputs)`, the maximum over time.
    pub(super) fn embed(&self, x: Tensor<3>) -> Tensor<2> {
        let y = self.convolve(self.input.forward_series(x));
        let [batch, _, outputs] = y.dims();
        y.max_dim(1).reshape([batch, outputs])
    }

    fn convolve(&self, x: Tensor<3>) -> Tensor<3> {
        self.blocks.iter().fold(x, |x, block| block.forward(x))
    }
}

impl Block {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let around = match &self.projection {
            Some(projection) => projection.forward_series(x.clone()),
            None => x.clone(),
        };
        self.second.forward(gelu(self.first.forward(gelu(x)))) + around
    }
}

impl SameConv {
    fn new(
        inputs: usize,
        outputs: usize,
        dilation: usize,
        rng: &mut Random,
        device: &Device,
    ) -> Self {
        let bias = bias(TAPS * inputs, outputs, rng, device);
        Self { weight: weight(TAPS * inputs, outputs, rng, device), bias, dilation }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, time, inputs] = x.dims();
        let (weight, d) = (self.weight.val(), self.dilation);
        let (taps, weight) = if d >= time {
            // The outer taps see nothing but what is beyond the ends.
            (x, weight.narrow(0, inputs, inputs))
        } else {
            let beyond = Tensor::zeros([batch, d, inputs], &x.device());
            let before = Tensor::cat(vec![beyond.clone(), x.clone().narrow(1, 0, time - d)], 1);
            let after = Tensor::cat(vec![x.clone().narrow(1, d, time - d), beyond], 1);
            (Tensor::cat(vec![before, x, after], 2), weight)
        };
        let [_, _, width] = taps.dims();
        let y = taps.reshape([batch * time, width]).matmul(weight) + self.bias.val().unsqueeze();
        let outputs = y.dims()[1];
        y.reshape([batch, time, outputs])
    }
}

/// A dense layer as PyTorch starts it, its bias random too.
fn dense(inputs: usize, outputs: usize, rng: &mut Random, device: &Device) -> Dense {
    let bias = bias(inputs, outputs, rng, device);
    Dense { weight: weight(inputs, outputs, rng, device), bias }
}

fn bias(inputs: usize, outputs: usize, rng: &mut Random, device: &Device) -> Param<Tensor<1>> {
    let data = rng.uniform(outputs, 1.0 / (inputs as f32).sqrt());
    Param::from_data(TensorData::new(data, [outputs]), device)
}
