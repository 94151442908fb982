//! `VqVae`: a convolutional autoencoder of windows whose latent space is a codebook (van den Oord et
//! al. 2017, arXiv 1711.00937), with a likelihood and a prior over codes that are trained with it.
//!
//! A window becomes one code for each stretch of it. `ln p(x) ≥ ln p(x|z) + ln p(z)` at its codes `z`: a
//! bound without noise. The prior goes code by code (a causal convolution) and is told what of the window
//! is shown; so it draws the codes of windows that never were, of futures and of what is in holes.

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, activation::relu},
};
use serde::{Deserialize, Serialize};

use super::{
    Batch, Complete, Density, Family, Generation, Objective, Quantize, Score, Scores, per_observed,
};
use crate::{
    parts::{
        CausalStack, Codebook, Dense, PatchConv, PatchConvTranspose, delayed, draw_one,
        gaussian_nll, log_softmax, vector,
    },
    random::Random,
};

/// The size of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VqVaeConfig {
    /// Channels of the convolutions.
    pub hidden: usize,
    /// Codes in the book. 64 are 6 bits for a stretch.
    pub codes: usize,
    /// Numbers of a code. Few, or the nearest one is seldom near.
    pub width: usize,
    /// Halvings of the time axis: a code stands for `2^halvings` samples.
    pub halvings: usize,
    /// How much the encoder is drawn to its codes; the authors' 0.25.
    pub commitment: f32,
    /// What of counts and sums a step leaves when codes follow their means. The authors' 0.99 goes with
    /// their small steps; with ours, codes would lag behind the encoder, and the decoder learn that lag.
    pub decay: f32,
}

impl Default for VqVaeConfig {
    fn default() -> Self {
        Self { hidden: 32, codes: 64, width: 8, halvings: 3, commitment: 0.25, decay: 0.9 }
    }
}

/// Log-variances are kept within these: a sensor that stands still must not make infinite density.
const LOG_VARIANCE: [f32; 2] = [-8.0, 6.0];

/// Log-variances in units of what is learned: a step moves every weight about equally far, and these
/// have a way to go that others do not.
const UNIT: f32 = 10.0;

/// Share of the training in which encoder and codes are learned. Behind it they stay, so that what the
/// prior has to tell does: the authors learn it in a training of its own.
const SETTLED: f32 = 0.5;

/// Convolutions of the prior: eight codes are seen, which is a window of the usual length.
const PRIOR: usize = 3;

/// A vector-quantized autoencoder of windows `(time, features)`.
#[derive(Module, Debug)]
pub struct VqVae {
    down: Vec<PatchConv>,
    project: Dense,
    codebook: Codebook,
    expand: Dense,
    up: Vec<PatchConvTranspose>,
    mean: Dense,
    /// `(features,)`, in [`UNIT`]s.
    log_variance: Param<Tensor<1>>,
    prior: Prior,
    #[module(skip)]
    config: VqVaeConfig,
    #[module(skip)]
    shape: [usize; 2],
}

/// Each code given those before it and what is shown of the window.
#[derive(Module, Debug)]
struct Prior {
    shown: Vec<PatchConv>,
    whole: Dense,
    embed: Dense,
    past: CausalStack,
    logits: Dense,
}

impl VqVae {
    /// A model with random weights for windows of `length` samples.
    ///
    /// # Panics
    ///
    /// If `length` is no multiple of `2^halvings`, or there are no codes.
    #[must_use]
    pub fn new(
        config: &VqVaeConfig,
        length: usize,
        features: usize,
        rng: &mut Random,
        device: &Device,
    ) -> Self {
        let VqVaeConfig { hidden, codes, width, halvings, .. } = *config;
        assert!(codes > 0, "no codes");
        assert_eq!(
            length % (1 << halvings),
            0,
            "{length} samples cannot be halved {halvings} times"
        );
        let rows = length >> halvings;
        let halve = |rng: &mut Random| -> Vec<PatchConv> {
            let inputs = |i| if i == 0 { 2 * features } else { hidden };
            (0..halvings).map(|i| PatchConv::new(inputs(i), hidden, 2, rng, device)).collect()
        };
        let channels = if halvings == 0 { 2 * features } else { hidden };
        Self {
            down: halve(rng),
            project: Dense::new(channels, width, rng, device),
            codebook: Codebook::new(codes, width, rng, device),
            expand: Dense::new(width, hidden, rng, device),
            up: (0..halvings)
                .map(|_| PatchConvTranspose::new(hidden, hidden, 2, rng, device))
                .collect(),
            mean: Dense::new(hidden, features, rng, device),
            log_variance: vector(features, 0.0, device),
            prior: Prior {
                shown: halve(rng),
                whole: Dense::new(rows * channels, hidden, rng, device),
                embed: Dense::new(codes, hidden, rng, device),
                past: CausalStack::new(2 * hidden + channels, hidden, PRIOR, rng, device),
                logits: Dense::silent(hidden, codes, device),
            },
            config: config.clone(),
            shape: [length, features],
        }
    }

    /// Codes of a window.
    fn places(&self) -> usize {
        self.shape[0] >> self.config.halvings
    }

    /// What the codes are chosen for, `(batch, places, width)`.
    fn latent(&self, x: Tensor<3>, mask: Tensor<3>) -> Tensor<3> {
        self.project.forward_series(halved(&self.down, x, mask))
    }

    /// The mean of the windows that vectors of codes `(batch, places, width)` stand for.
    fn decode(&self, vectors: Tensor<3>) -> Tensor<3> {
        let mut h = relu(self.expand.forward_series(vectors));
        for up in &self.up {
            h = relu(up.forward(h));
        }
        self.mean.forward_series(h)
    }

    /// `-ln p(z)` of choices `(batch, places, codes)` given what is `shown` of `x`, `(batch, 1)`.
    fn code_nll(&self, choice: Tensor<3>, x: Tensor<3>, shown: Tensor<3>) -> Tensor<2> {
        let before = delayed(choice.clone(), 1);
        let log = self.prior.log_probabilities(before, self.prior.context(x, shown));
        let [batch, ..] = choice.dims();
        -(choice * log).sum_dims(&[1, 2]).reshape([batch, 1])
    }

    /// `(1, 1, features)`
    fn log_variance(&self) -> Tensor<3> {
        let [low, high] = LOG_VARIANCE;
        (self.log_variance.val() * UNIT).clamp(low, high).unsqueeze::<3>()
    }
}

/// `(batch, time / 2^n, channels)` of a window and of where it is known.
fn halved(layers: &[PatchConv], x: Tensor<3>, mask: Tensor<3>) -> Tensor<3> {
    layers.iter().fold(Tensor::cat(vec![x, mask], 2), |h, layer| relu(layer.forward(h)))
}

impl Prior {
    /// What is shown, around each place and as a whole: `(batch, places, channels + hidden)`.
    fn context(&self, x: Tensor<3>, shown: Tensor<3>) -> Tensor<3> {
        let here = halved(&self.shown, x * shown.clone(), shown);
        let [batch, places, channels] = here.dims();
        let whole = relu(self.whole.forward(here.clone().reshape([batch, places * channels])));
        let [_, hidden] = whole.dims();
        let whole = whole.reshape([batch, 1, hidden]);
        // Not fresh zeros: a recorded program has to see that they belong to the batch.
        let everywhere = here.clone().sum_dim(2) * 0.0 + whole;
        Tensor::cat(vec![here, everywhere], 2)
    }

    /// `ln p` of each code at each place; a row of `before` is the choice at the place before.
    fn log_probabilities(&self, before: Tensor<3>, context: Tensor<3>) -> Tensor<3> {
        let h = Tensor::cat(vec![self.embed.forward_series(before), context], 2);
        log_softmax(self.logits.forward_series(self.past.forward(h)), 2)
    }
}

impl Family for VqVae {
    fn noise_width(&self) -> usize {
        0
    }

    fn objective(&self, batch: Batch, progress: f32) -> Objective {
        let Batch { x, mask, shown, .. } = batch;
        // What no gradient is taken of is computed without: what is kept for one would pile up.
        let constant = self.clone().no_grad();
        let learning = if progress < SETTLED { self } else { &constant };
        let z = learning.latent(x.clone(), mask.clone());
        let choice = self.codebook.nearest(z.clone());
        let vectors = self.codebook.vectors(choice.clone());
        // The gradient goes straight through the choice (their section 3.2).
        let through = z.clone() + (vectors.clone() - z.clone()).detach();
        let mean = self.decode(through);
        let nll = (gaussian_nll(x.clone(), mean, self.log_variance()) * mask.clone()).sum();
        let apart = z - vectors;
        let commitment = (apart.clone() * apart).sum() * self.config.commitment;
        let told = self.code_nll(choice.clone(), x.clone(), shown.clone()).sum();
        let nothing = shown.zeros_like();
        let untold = constant.code_nll(choice, x, nothing).sum();
        Objective {
            loss: per_observed(nll.clone() + commitment + told, mask.clone()),
            bound: per_observed(nll + untold, mask),
        }
    }

    fn settled(self, batch: &Batch, step: u64, progress: f32) -> Self {
        if progress >= SETTLED {
            return self;
        }
        let z = self.clone().no_grad().latent(batch.x.clone(), batch.mask.clone());
        Self { codebook: self.codebook.follow(z, self.config.decay, step), ..self }
    }

    fn density(&self) -> Density<'_> {
        Density::Bound(self)
    }

    fn quantizer(&self) -> Option<&dyn Quantize> {
        Some(self)
    }

    fn generation(&self) -> Generation<'_> {
        Generation::Direct(self)
    }
}

impl Score for VqVae {
    fn score(&self, x: Tensor<3>, mask: Tensor<3>) -> Scores {
        let choice = self.quantize(x.clone(), mask.clone());
        let mean = self.decode(self.codebook.vectors(choice.clone()));
        let nothing = mask.clone() * 0.0;
        let kl = Some(self.code_nll(choice, x.clone(), nothing));
        Scores { nll: gaussian_nll(x, mean, self.log_variance()) * mask, kl }
    }
}

impl Quantize for VqVae {
    fn quantize(&self, x: Tensor<3>, mask: Tensor<3>) -> Tensor<3> {
        self.codebook.nearest(self.latent(x, mask))
    }
}

impl Complete for VqVae {
    /// For each code two numbers for each that it may be, and the noise of each value.
    fn noise_width(&self) -> usize {
        let [length, features] = self.shape;
        2 * self.codebook.len() * self.places() + length * features
    }

    /// Draws code after code, and then from the likelihood.
    fn complete(&self, x: Tensor<3>, shown: Tensor<3>, noise: Tensor<2>) -> Tensor<3> {
        let ([length, features], n) = (self.shape, self.codebook.len());
        let ([batch, width], places) = (noise.dims(), self.places());
        let context = self.prior.context(x, shown);
        let [.., channels] = context.dims();
        let of_place = |at: usize| {
            let noise = noise.clone().slice([0..batch, 2 * n * at..2 * n * (at + 1)]);
            noise.reshape([batch, 1, 2 * n])
        };
        // Nothing is before the first. Not fresh zeros, as above.
        let mut before = of_place(0).slice([0..batch, 0..1, 0..n]) * 0.0;
        for at in 0..places {
            let context = context.clone().slice([0..batch, 0..at + 1, 0..channels]);
            let log = self.prior.log_probabilities(before.clone(), context);
            let drawn = draw_one(log.slice([0..batch, at..at + 1, 0..n]), of_place(at));
            before = Tensor::cat(vec![before, drawn], 1);
        }
        let choice = before.slice([0..batch, 1..places + 1, 0..n]);
        let mean = self.decode(self.codebook.vectors(choice));
        let noise = noise.slice([0..batch, 2 * n * places..width]);
        mean + noise.reshape([batch, length, features]) * (self.log_variance() * 0.5).exp()
    }
}
