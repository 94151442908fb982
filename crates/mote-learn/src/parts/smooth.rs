//! A mixer network with its own derivative: the product of a vector with its Jacobian, written as one
//! more evaluation.
//!
//! A training that needs the gradient of a network in its input needs the derivative of that gradient
//! in the weights, and a device that follows a gradient has no automatic differentiation. Where the
//! gradient is made of ordinary operations, both are served.

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, TensorData, activation::sigmoid},
};

use super::{Dense, MixerSize};
use crate::random::Random;

/// `(batch, time, inputs)` to `(batch, time, outputs)`, for one length; smooth everywhere. Like
/// [`super::Mixer`], but with `x · sigmoid(x)` for activation and without norms, whose derivatives cost
/// as much as the network.
#[derive(Module, Debug)]
pub struct SmoothMixer {
    lift: Dense,
    /// `(time, hidden)`: where in the window a row is.
    position: Param<Tensor<2>>,
    blocks: Vec<Block>,
    out: Dense,
}

/// What an evaluation leaves for its derivative: of each block the slopes of both activations.
#[derive(Clone, Debug)]
pub struct Trace(Vec<[Tensor<3>; 2]>);

impl SmoothMixer {
    /// A network that answers zero at first.
    #[must_use]
    pub fn new(size: &MixerSize, rng: &mut Random, device: &Device) -> Self {
        let MixerSize { length, inputs, hidden, outputs, blocks } = *size;
        let position = TensorData::new(rng.uniform(length * hidden, 0.1), [length, hidden]);
        Self {
            lift: Dense::new(inputs, hidden, rng, device),
            position: Param::from_data(position, device),
            blocks: (0..blocks).map(|_| Block::new(length, hidden, rng, device)).collect(),
            out: Dense::silent(hidden, outputs, device),
        }
    }

    /// The answer to `x`; `context` `(batch, hidden)` is told to every block.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>, context: &Tensor<2>) -> (Tensor<3>, Trace) {
        let mut h = self.lift.forward_series(x) + self.position.val().unsqueeze();
        let mut trace = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            let (next, slopes) = block.forward(h, context);
            h = next;
            trace.push(slopes);
        }
        (self.out.forward_series(h), Trace(trace))
    }

    /// `Jᵀ · dy` `(batch, time, inputs)`, where `J` is the derivative of the answer in `x` at the
    /// evaluation that left `trace`, and `dy` is `(batch, time, outputs)`.
    #[must_use]
    pub fn pullback(&self, trace: &Trace, dy: Tensor<3>) -> Tensor<3> {
        let mut dh = pullback(&self.out, dy);
        for (block, slopes) in self.blocks.iter().zip(&trace.0).rev() {
            dh = block.pullback(slopes, dh);
        }
        pullback(&self.lift, dh)
    }
}

/// Once along time, once along channels, each added to what was there.
#[derive(Module, Debug)]
struct Block {
    context: Dense,
    time_widen: Dense,
    time_narrow: Dense,
    channel_widen: Dense,
    channel_narrow: Dense,
}

impl Block {
    fn new(length: usize, hidden: usize, rng: &mut Random, device: &Device) -> Self {
        Self {
            context: Dense::new(hidden, hidden, rng, device),
            time_widen: Dense::new(length, 2 * length, rng, device),
            time_narrow: Dense::silent(2 * length, length, device),
            channel_widen: Dense::new(hidden, 2 * hidden, rng, device),
            // Without norms, blocks begin as the identity (De and Smith 2020).
            channel_narrow: Dense::silent(2 * hidden, hidden, device),
        }
    }

    /// The answer, and the slopes of both activations.
    fn forward(&self, h: Tensor<3>, context: &Tensor<2>) -> (Tensor<3>, [Tensor<3>; 2]) {
        let [batch, channels] = context.dims();
        let told = self.context.forward(context.clone()).reshape([batch, 1, channels]);
        let along_time = self.time_widen.forward_series((h.clone() + told.clone()).swap_dims(1, 2));
        let (along_time, time_slope) = swish(along_time);
        let h = h + self.time_narrow.forward_series(along_time).swap_dims(1, 2);
        let along_channels = self.channel_widen.forward_series(h.clone() + told);
        let (along_channels, channel_slope) = swish(along_channels);
        let h = h + self.channel_narrow.forward_series(along_channels);
        (h, [time_slope, channel_slope])
    }

    fn pullback(&self, slopes: &[Tensor<3>; 2], dh: Tensor<3>) -> Tensor<3> {
        let [time_slope, channel_slope] = slopes;
        let da = pullback(&self.channel_narrow, dh.clone()) * channel_slope.clone();
        let dh = dh + pullback(&self.channel_widen, da);
        let da = pullback(&self.time_narrow, dh.clone().swap_dims(1, 2)) * time_slope.clone();
        dh + pullback(&self.time_widen, da).swap_dims(1, 2)
    }
}

/// `x · sigmoid(x)` (Ramachandran et al. 2017) and its derivative: with `s` for the sigmoid and `y` for the
/// product, `s + y - y · s`.
fn swish(x: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
    let s = sigmoid(x.clone());
    let y = x * s.clone();
    let slope = y.clone() - y.clone() * s.clone() + s;
    (y, slope)
}

/// `dy · wᵀ`
fn pullback(layer: &Dense, dy: Tensor<3>) -> Tensor<3> {
    let [batch, time, outputs] = dy.dims();
    let dx = dy.reshape([batch * time, outputs]).matmul(layer.weight.val().swap_dims(0, 1));
    let inputs = dx.dims()[1];
    dx.reshape([batch, time, inputs])
}
