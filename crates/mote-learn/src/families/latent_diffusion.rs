//! `LatentDiffusion`: diffusion in the latent space of an autoencoder, after Rombach et al. 2022
//! (arXiv 2112.10752) and, with both learned in one training, Vahdat et al. 2021 (arXiv 2106.05931).
//!
//! A [`TimeVae`] says where in its latent space a window lies, and what windows lie at a place. Its prior
//! fills all of that space, its windows do not; so a small network learns from noise where they do, given
//! what is known of a window. It walks its whole path within one program: a step costs a thousandth
//! of a step in data space.

use burn::{
    module::Module,
    tensor::{Device, Tensor, activation::sigmoid},
};
use mote_format::manifest::Path;
use serde::{Deserialize, Serialize};

use super::{
    Batch, Complete, Density, Encode, Family, Generation, Objective, Score, Scores, TimeVae,
    TimeVaeConfig, diffusion::Moments,
};
use crate::{
    parts::{Mixer, MixerSize, Moment, reparameterize},
    random::Random,
};

/// The size of both models and the way from noise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LatentDiffusionConfig {
    /// The autoencoder. It keeps more than one that has to please its prior: the latent space is as wide
    /// as windows need, and the distance to the prior weighs little.
    pub vae: TimeVaeConfig,
    /// Channels of the network in latent space.
    pub hidden: usize,
    /// Blocks of that network.
    pub blocks: usize,
    /// Steps from noise to a place, evenly spaced.
    pub steps: usize,
}

impl Default for LatentDiffusionConfig {
    fn default() -> Self {
        let vae = TimeVaeConfig { latent: 16, beta: 0.1, ..TimeVaeConfig::default() };
        Self { vae, hidden: 64, blocks: 3, steps: 16 }
    }
}

/// Times of training are the logistic function of a normal number with this deviation: nearly uniform.
const TIME_DEVIATION: f32 = 1.7;

/// A diffusion model of places in the latent space of windows `(time, features)`.
#[derive(Module, Debug)]
pub struct LatentDiffusion {
    vae: TimeVae,
    moment: Moment,
    network: Mixer,
    #[module(skip)]
    config: LatentDiffusionConfig,
    #[module(skip)]
    shape: [usize; 2],
}

impl LatentDiffusion {
    /// A model with random weights for windows of `length` samples.
    ///
    /// # Panics
    ///
    /// If `length` is no multiple of `2^halvings`, or there are no steps.
    #[must_use]
    pub fn new(
        config: &LatentDiffusionConfig,
        length: usize,
        features: usize,
        rng: &mut Random,
        device: &Device,
    ) -> Self {
        let LatentDiffusionConfig { hidden, blocks, steps, .. } = *config;
        assert!(steps > 0, "a way in no steps");
        let latent = config.vae.latent;
        // A noisy place, and the posterior given what is known.
        let size = MixerSize { length: 1, inputs: 3 * latent, hidden, outputs: latent, blocks };
        Self {
            vae: TimeVae::new(&config.vae, length, features, rng, device),
            moment: Moment::new(hidden, rng, device),
            network: Mixer::new(&size, rng, device),
            config: config.clone(),
            shape: [length, features],
        }
    }

    /// How a `place` `(batch, 1, latent)` in unit variance moves at `time` `(batch, 1)`, in unit variance
    /// (v-prediction, Salimans and Ho 2022), given what is `known`.
    fn velocity(&self, place: Tensor<3>, time: Tensor<2>, known: &Tensor<3>) -> Tensor<3> {
        let inputs = Tensor::cat(vec![place, known.clone()], 2);
        self.network.forward(inputs, Some(&self.moment.forward(time)))
    }

    /// What the network is told of a window: its posterior given what is `shown`, `(batch, 1, 2·latent)`.
    fn known(vae: &TimeVae, x: Tensor<3>, shown: Tensor<3>) -> Tensor<3> {
        let (mean, log_variance) = vae.encode(x * shown.clone(), shown);
        let known = Tensor::cat(vec![mean, log_variance], 1);
        let [batch, width] = known.dims();
        known.reshape([batch, 1, width])
    }

    /// The mean squared error of the velocity at the drawn moment of the way from `noise` to `place`, both
    /// `(batch, 1, latent)`: `(1,)`.
    fn error(
        &self,
        place: Tensor<3>,
        noise: Tensor<3>,
        drawn: Tensor<2>,
        known: &Tensor<3>,
    ) -> Tensor<1> {
        let time = sigmoid(drawn * TIME_DEVIATION);
        let Moments { signal, noise: sigma, inverse_deviation } =
            Moments::at(Path::Straight, time.clone());
        let state = place.clone() * signal.clone() + noise.clone() * sigma.clone();
        let wanted = (place * sigma - noise * signal) * inverse_deviation.clone();
        let error = self.velocity(state * inverse_deviation, time, known) - wanted;
        (error.clone() * error).mean()
    }

    /// The place in latent space that `noise` becomes, both `(batch, 1, latent)` (DDIM, Song et al. 2021,
    /// in even steps).
    fn walk(&self, noise: Tensor<3>, known: &Tensor<3>) -> Tensor<3> {
        let steps = self.config.steps;
        let [batch, ..] = noise.dims();
        // Not fresh zeros: a recorded program has to see that they belong to the batch.
        let nothing = noise.clone().slice([0..batch, 0..1, 0..1]).reshape([batch, 1]) * 0.0;
        let mut state = noise;
        for i in 0..steps {
            let [now, next] = [i, i + 1].map(|i| i as f32 / steps as f32);
            let (signal, sigma) = (now, 1.0 - now);
            let inverse = 1.0 / signal.hypot(sigma);
            let time = nothing.clone() + now;
            let velocity = self.velocity(state.clone() * inverse, time, known);
            let place =
                state.clone() * (signal * inverse * inverse) + velocity.clone() * (sigma * inverse);
            // What of the state is noise stays noise, as much of it as the next moment has.
            let rest = (state - place.clone() * signal) / sigma;
            state = place * next + rest * (1.0 - next);
        }
        state
    }
}

impl Family for LatentDiffusion {
    /// A draw from the posterior, the noise at its place, and one number to choose the time by.
    fn noise_width(&self) -> usize {
        2 * self.config.vae.latent + 1
    }

    /// The objective of the autoencoder plus the error of the velocity. No gradient of the one reaches
    /// the weights of the other, so their scales do not matter.
    fn objective(&self, batch: Batch, progress: f32) -> Objective {
        let [windows, _, _] = batch.x.dims();
        let latent = self.config.vae.latent;
        let part = |from: usize, to: usize| batch.noise.clone().slice([0..windows, from..to]);
        let draw = part(0, latent);
        let row = |x: Tensor<2>| x.reshape([windows, 1, latent]);

        let encoder = self.vae.clone().no_grad();
        let (mean, log_variance) = encoder.encode(batch.x.clone(), batch.mask.clone());
        let place = row(reparameterize(mean, log_variance, draw.clone()));
        let known = Self::known(&encoder, batch.x.clone(), batch.shown.clone());
        let (noise, time) = (row(part(latent, 2 * latent)), part(2 * latent, 2 * latent + 1));
        let error = self.error(place, noise, time, &known);
        let Objective { loss, bound } =
            self.vae.objective(Batch { noise: draw, ..batch }, progress);
        Objective { loss: loss + error.clone(), bound: bound + error }
    }

    fn density(&self) -> Density<'_> {
        Density::Bound(self)
    }

    fn encoder(&self) -> Option<&dyn Encode> {
        Some(&self.vae)
    }

    fn generation(&self) -> Generation<'_> {
        Generation::Direct(self)
    }
}

impl Complete for LatentDiffusion {
    /// Where the way begins, and the noise of each value.
    fn noise_width(&self) -> usize {
        let [length, features] = self.shape;
        self.config.vae.latent + length * features
    }

    fn complete(&self, x: Tensor<3>, shown: Tensor<3>, noise: Tensor<2>) -> Tensor<3> {
        let ([batch, width], latent) = (noise.dims(), self.config.vae.latent);
        let known = Self::known(&self.vae, x, shown);
        let start = noise.clone().slice([0..batch, 0..latent]).reshape([batch, 1, latent]);
        let place = self.walk(start, &known).reshape([batch, latent]);
        self.vae.draw(place, noise.slice([0..batch, latent..width]))
    }
}

impl Score for LatentDiffusion {
    /// The evidence bound of the autoencoder with its own prior.
    fn score(&self, x: Tensor<3>, mask: Tensor<3>) -> Scores {
        self.vae.score(x, mask)
    }
}
