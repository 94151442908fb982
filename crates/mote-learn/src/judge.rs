//! Context-FID: the distance between real and generated windows in the eyes of a learned encoder.
//!
//! A TS2Vec encoder learns from the real windows alone, by contrast, what tells them apart; each window
//! becomes the maximum over time of its 320 features; and the two sets are compared by the Fréchet
//! distance of Gaussians (Jeha et al., *PSA-GAN*, 2022, with the settings of Diffusion-TS).

mod contrast;
mod crops;
mod encoder;

use std::ops::ControlFlow;

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    optim::{AdamWConfig, GradientsParams},
    tensor::{Device, Tensor, TensorData},
};
use mote_eval::{
    Error, Result, Windows,
    generation::{Frechet, Progress, frechet_distance},
};

use crate::random::{Purpose, Random};
use crops::Crops;
use encoder::Encoder;

/// Windows that are encoded at a time.
const CHUNK: usize = 64;

/// How the encoder is made and trained. The defaults are those of Diffusion-TS.
#[derive(Clone, Debug, PartialEq)]
pub struct ContextConfig {
    /// Features of an embedding.
    pub outputs: usize,
    /// Channels within.
    pub hidden: usize,
    /// Residual blocks, each of twice the dilation of the one before; one more makes the outputs.
    pub depth: usize,
    /// Learning rate of AdamW, whose weight decay is PyTorch's 0.01.
    pub learning_rate: f64,
    /// Windows of a step; all of them where there are fewer.
    pub batch: usize,
    /// Steps; by default 200 for up to 100,000 values of data, and 600 above.
    pub iterations: Option<usize>,
}

impl Default for ContextConfig {
    fn default() -> Self {
        let (learning_rate, batch) = (1e-3, 8);
        Self { outputs: 320, hidden: 64, depth: 10, learning_rate, batch, iterations: None }
    }
}

/// A trained encoder of windows of one shape.
#[derive(Clone, Debug)]
pub struct ContextEncoder {
    encoder: Encoder,
    outputs: usize,
}

impl ContextEncoder {
    /// Trains an encoder on real windows. `observe` is told of each step and may end it.
    ///
    /// As TS2Vec has it, embeddings come from the mean of all weights along the way, the first ones
    /// included. The same seed gives the same encoder on one machine; sums of other threads or
    /// instructions differ in their last bits.
    ///
    /// # Errors
    ///
    /// Windows of one sample, a setting of zero, or a stop by the observer.
    pub fn fit(
        real: Windows<'_>,
        config: &ContextConfig,
        seed: u64,
        observe: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Self> {
        if real.length() < 2 {
            let what = "samples in a window";
            return Err(Error::TooFew { what, found: real.length(), wanted: 2 });
        }
        let values = real.count() * real.width();
        let iterations = config.iterations.unwrap_or(if values <= 100_000 { 200 } else { 600 });
        for (what, value) in [
            ("outputs", config.outputs),
            ("hidden", config.hidden),
            ("batch", config.batch),
            ("iterations", iterations),
        ] {
            if value == 0 {
                return Err(Error::OutOfRange { what, value: 0.0, wanted: "at least 1" });
            }
        }
        let device = Device::flex().autodiff();
        let mut rng = Random::new(seed, Purpose::Weights, 0);
        let mut encoder = Encoder::new(config, real.features(), &mut rng, &device);
        let mut mean = encoder.clone();
        let decay = AdamWConfig::new().with_weight_decay(0.01).with_epsilon(1e-8);
        let mut optimizer = decay.init();
        let mut crops = Crops::new(real, config.batch, config.outputs, seed);
        for iteration in 1..=iterations {
            let (first, second) = crops.next(&device);
            let [first, second] = [first, second].map(|crop| {
                encoder.learn(crop.x, crop.shown, crop.kept).narrow(1, crop.from, crop.shared)
            });
            let loss = contrast::hierarchical(first, second);
            let value = f64::from(loss.clone().into_scalar::<f32>());
            let gradients = GradientsParams::from_grads(loss.backward(), &encoder);
            encoder = optimizer.step(config.learning_rate, encoder, gradients);
            mean = averaged(mean, &encoder, iteration);
            if observe(Progress { iteration, iterations, loss: value }).is_break() {
                return Err(Error::Stopped { iterations: iteration });
            }
        }
        let encoder = mean.valid().to_device(&Device::flex());
        Ok(Self { encoder, outputs: config.outputs })
    }

    /// The embedding of each window, `(windows, outputs)`: the maximum over time of each feature.
    ///
    /// # Panics
    ///
    /// If the windows have another number of features than those it was trained on.
    #[must_use]
    pub fn embed(&self, windows: Windows<'_>) -> Vec<f64> {
        let (length, features) = (windows.length(), windows.features());
        let mut embeddings = Vec::with_capacity(windows.count() * self.outputs);
        for chunk in windows.data().chunks(CHUNK * windows.width()) {
            let shape = [chunk.len() / windows.width(), length, features];
            let x = Tensor::from_data(TensorData::new(chunk.to_vec(), shape), &Device::flex());
            let data = self.encoder.embed(x).into_data();
            embeddings.extend(data.iter::<f32>().map(f64::from));
        }
        embeddings
    }
}

/// The Context-FID of generated windows: the Fréchet distance of embeddings by an encoder trained on
/// the real ones.
///
/// Published code embeds equally many of both; here all are embedded, and since the distance is biased
/// by about `320² / windows` equally many should be given. The value depends on the encoder, and so on
/// the seed: report the mean over several, and that of one half of the real windows against the other.
/// With windows of 24 samples, 600 steps take about 15 seconds on a core.
///
/// # Errors
///
/// As [`ContextEncoder::fit`], sets of different shape, fewer than two windows in one, or more than
/// 512 outputs.
pub fn context_fid(
    real: Windows<'_>,
    generated: Windows<'_>,
    config: &ContextConfig,
    seed: u64,
    observe: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Frechet> {
    let [left, right] = [real, generated].map(|w| (w.length(), w.features()));
    if left != right {
        return Err(Error::Shapes { left, right });
    }
    let encoder = ContextEncoder::fit(real, config, seed, observe)?;
    frechet_distance(&encoder.embed(real), &encoder.embed(generated), config.outputs)
}

/// `mean + (weights − mean) / (1 + step)`: the mean of first weights and those after each step.
fn averaged(mean: Encoder, weights: &Encoder, step: usize) -> Encoder {
    struct Gather(Vec<TensorData>);
    impl ModuleVisitor for Gather {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(param.val().inner().into_data());
        }
    }
    struct Move {
        weights: std::vec::IntoIter<TensorData>,
        share: f32,
    }
    impl ModuleMapper for Move {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let weights = self.weights.next().expect("both modules have the same parameters");
            let share = self.share;
            param.map(|mean| {
                let mean = mean.inner();
                let weights = Tensor::<D>::from_data(weights, &mean.device());
                let moved = mean.clone() + (weights - mean).mul_scalar(share);
                Tensor::from_inner(moved).require_grad()
            })
        }
    }
    let mut gather = Gather(Vec::new());
    weights.visit(&mut gather);
    mean.map(&mut Move { weights: gather.0.into_iter(), share: 1.0 / (1.0 + step as f32) })
}
