//! A network over whole windows that mixes along time and along channels in turns (`MLP-Mixer`,
//! Tolstikhin et al. 2021; for series `TSMixer`, Chen et al. 2023).
//!
//! Every sample of a window reaches every other in one product whose size does not depend on how
//! many there are at once. That is what a CPU computes fastest, and enough for windows of fixed
//! length.

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, TensorData, activation::relu},
};

use super::{Dense, LayerNorm};
use crate::random::Random;

/// The size of a [`Mixer`].
#[derive(Clone, Copy, Debug)]
pub struct MixerSize {
    /// Samples of a window.
    pub length: usize,
    /// Channels that come in.
    pub inputs: usize,
    /// Channels inside.
    pub hidden: usize,
    /// Channels that go out.
    pub outputs: usize,
    /// Pairs of mixing along time and along channels.
    pub blocks: usize,
}

/// `(batch, time, inputs)` to `(batch, time, outputs)`, for one length.
#[derive(Module, Debug)]
pub struct Mixer {
    lift: Dense,
    /// `(time, hidden)`: where in the window a row is.
    position: Param<Tensor<2>>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    out: Dense,
}

impl Mixer {
    /// A network that answers zero at first.
    #[must_use]
    pub fn new(size: &MixerSize, rng: &mut Random, device: &Device) -> Self {
        let MixerSize { length, inputs, hidden, outputs, blocks } = *size;
        let position = TensorData::new(rng.uniform(length * hidden, 0.1), [length, hidden]);
        Self {
            lift: Dense::new(inputs, hidden, rng, device),
            position: Param::from_data(position, device),
            blocks: (0..blocks).map(|_| Block::new(length, hidden, rng, device)).collect(),
            norm: LayerNorm::new(hidden, device),
            out: Dense::silent(hidden, outputs, device),
        }
    }

    /// `context` `(batch, hidden)` is told to every block: the time of a diffusion, say.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>, context: Option<&Tensor<2>>) -> Tensor<3> {
        let mut h = self.lift.forward_series(x) + self.position.val().unsqueeze();
        for block in &self.blocks {
            h = block.forward(h, context);
        }
        self.out.forward_series(self.norm.forward(h))
    }
}

/// Once along time, once along channels, each added to what was there.
#[derive(Module, Debug)]
struct Block {
    time_norm: LayerNorm,
    time_widen: Dense,
    time_narrow: Dense,
    context: Dense,
    channel_norm: LayerNorm,
    channel_widen: Dense,
    channel_narrow: Dense,
}

impl Block {
    fn new(length: usize, hidden: usize, rng: &mut Random, device: &Device) -> Self {
        Self {
            time_norm: LayerNorm::new(hidden, device),
            time_widen: Dense::new(length, 2 * length, rng, device),
            time_narrow: Dense::new(2 * length, length, rng, device),
            context: Dense::new(hidden, hidden, rng, device),
            channel_norm: LayerNorm::new(hidden, device),
            channel_widen: Dense::new(hidden, 2 * hidden, rng, device),
            channel_narrow: Dense::new(2 * hidden, hidden, rng, device),
        }
    }

    fn forward(&self, h: Tensor<3>, context: Option<&Tensor<2>>) -> Tensor<3> {
        let mut x = self.time_norm.forward(h.clone());
        if let Some(context) = context {
            let [batch, channels] = context.dims();
            x = x + self.context.forward(context.clone()).reshape([batch, 1, channels]);
        }
        let x = self.time_widen.forward_series(x.swap_dims(1, 2));
        let h = h + self.time_narrow.forward_series(relu(x)).swap_dims(1, 2);
        let x = self.channel_widen.forward_series(self.channel_norm.forward(h.clone()));
        h + self.channel_narrow.forward_series(relu(x))
    }
}
