//! `TimeVae`: a convolutional variational autoencoder of windows, after Desai et al. 2021
//! (arXiv 2111.08095), with a learned variance per feature (σ-VAE, Rybkin et al. 2021).

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, activation::relu},
};
use serde::{Deserialize, Serialize};

use super::{
    Batch, Complete, Density, Encode, Family, Generation, Objective, Score, Scores, per_observed,
};
use crate::{
    parts::{
        Dense, PatchConv, PatchConvTranspose, gaussian_nll, kl_between, kl_from_standard_normal,
        reparameterize, vector,
    },
    random::Random,
};

/// The size of the model and what keeps its posterior from collapsing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeVaeConfig {
    /// Channels of the convolutions. 32 keeps the whole model near 30,000 weights.
    pub hidden: usize,
    /// Width of the latent space. 8 dimensions are more than most machines have states.
    pub latent: usize,
    /// Halvings of the time axis; each doubles what one latent sees. 3 fits windows of 16 to 128.
    pub halvings: usize,
    /// Weight of the KL term once annealing is over. 1 is the evidence bound itself.
    pub beta: f32,
    /// Share of the training over which the weight of the KL term grows from 0: the decoder learns
    /// to listen before silence is rewarded (Bowman et al. 2016).
    pub annealing: f32,
    /// Nats per latent dimension that cost nothing (Kingma et al. 2016); the repair for collapse.
    pub free_bits: f32,
}

impl Default for TimeVaeConfig {
    fn default() -> Self {
        Self { hidden: 32, latent: 8, halvings: 3, beta: 1.0, annealing: 0.2, free_bits: 0.0 }
    }
}

/// Log-variances are kept within these: a sensor that stands still must not make infinite density.
const LOG_VARIANCE: [f32; 2] = [-8.0, 6.0];

/// A convolutional VAE of windows `(time, features)`.
#[derive(Module, Debug)]
pub struct TimeVae {
    down: Vec<PatchConv>,
    posterior: Dense,
    expand: Dense,
    up: Vec<PatchConvTranspose>,
    mean: Dense,
    /// `(features,)`
    log_variance: Param<Tensor<1>>,
    #[module(skip)]
    config: TimeVaeConfig,
    #[module(skip)]
    shape: [usize; 2],
}

impl TimeVae {
    /// A model with random weights for windows of `length` samples.
    ///
    /// # Panics
    ///
    /// If `length` is no multiple of `2^halvings`.
    #[must_use]
    pub fn new(
        config: &TimeVaeConfig,
        length: usize,
        features: usize,
        rng: &mut Random,
        device: &Device,
    ) -> Self {
        let TimeVaeConfig { hidden, latent, halvings, .. } = *config;
        assert_eq!(
            length % (1 << halvings),
            0,
            "{length} samples cannot be halved {halvings} times"
        );
        let rows = length >> halvings;
        let inputs = |i| if i == 0 { 2 * features } else { hidden };
        Self {
            down: (0..halvings)
                .map(|i| PatchConv::new(inputs(i), hidden, 2, rng, device))
                .collect(),
            posterior: Dense::new(rows * hidden, 2 * latent, rng, device),
            expand: Dense::new(latent, rows * hidden, rng, device),
            up: (0..halvings)
                .map(|_| PatchConvTranspose::new(hidden, hidden, 2, rng, device))
                .collect(),
            mean: Dense::new(hidden, features, rng, device),
            log_variance: vector(features, 0.0, device),
            config: config.clone(),
            shape: [length, features],
        }
    }

    fn decode(&self, z: Tensor<2>) -> Tensor<3> {
        let [batch, _] = z.dims();
        let hidden = self.config.hidden;
        let rows = relu(self.expand.forward(z));
        let count = rows.dims()[1] / hidden;
        let mut h = rows.reshape([batch, count, hidden]);
        for up in &self.up {
            h = relu(up.forward(h));
        }
        self.mean.forward_series(h)
    }

    /// Windows at places `(batch, latent)`, with the noise of each value, `(batch, time · features)`.
    pub(super) fn draw(&self, place: Tensor<2>, noise: Tensor<2>) -> Tensor<3> {
        let mean = self.decode(place);
        let [low, high] = LOG_VARIANCE;
        let deviation = (self.log_variance.val().clamp(low, high) * 0.5).exp().unsqueeze::<3>();
        let noise = noise.reshape(mean.dims());
        mean + noise * deviation
    }

    /// `ln p(x, z) - ln q(z|x)` for one draw of `z` for each window, `(batch,)`: its mean is the
    /// evidence bound, the logarithm of the mean of K exponentials is the importance-weighted one.
    #[must_use]
    pub fn log_weights(&self, x: Tensor<3>, mask: Tensor<3>, noise: Tensor<2>) -> Tensor<1> {
        let (mean, log_variance) = self.encode(x.clone(), mask.clone());
        let z = reparameterize(mean.clone(), log_variance.clone(), noise);
        let likelihood = -self.nll(x, mask, self.decode(z.clone())).sum_dims(&[1, 2]);
        let [batch, _, _] = likelihood.dims();
        let prior = -gaussian_nll(z.clone(), z.zeros_like(), z.zeros_like()).sum_dim(1);
        let posterior = -gaussian_nll(z, mean, log_variance).sum_dim(1);
        likelihood.reshape([batch]) + (prior - posterior).reshape([batch])
    }

    /// What the encoder sees in training, and which windows, `(batch, 1)`, it does not see as they are shown,
    /// if there are any: those of which less than half is shown. From so little it cannot know the place
    /// of a window, and a decoder that is told to draw it from there learns the mean of all of them.
    /// Instead the encoder learns what the place may be, `KL(q(z|window) ‖ q(z|shown))`, as the prior
    /// of VAEAC does (Ivanov et al. 2019, arXiv 1806.02382).
    fn seen(&self, mask: &Tensor<3>, shown: &Tensor<3>) -> (Tensor<3>, Option<Tensor<2>>) {
        let [batch, _, _] = mask.dims();
        let count = |of: &Tensor<3>| of.clone().sum_dims(&[1, 2]).reshape([batch, 1]);
        let unsure = count(shown).lower(count(mask) * 0.5).float();
        if unsure.clone().sum().into_scalar::<f32>() == 0.0 {
            return (shown.clone(), None);
        }
        let whole = unsure.clone().reshape([batch, 1, 1]);
        let seen = shown.clone() + (mask.clone() - shown.clone()) * whole;
        (seen, Some(unsure))
    }

    fn nll(&self, x: Tensor<3>, mask: Tensor<3>, mean: Tensor<3>) -> Tensor<3> {
        let [low, high] = LOG_VARIANCE;
        let log_variance = self.log_variance.val().clamp(low, high).unsqueeze::<3>();
        gaussian_nll(x, mean, log_variance) * mask
    }
}

impl Family for TimeVae {
    fn noise_width(&self) -> usize {
        self.config.latent
    }

    fn objective(&self, batch: Batch, progress: f32) -> Objective {
        let Batch { x, mask, shown, noise } = batch;
        let (seen, unsure) = self.seen(&mask, &shown);
        let (mean, log_variance) = self.encode(x.clone() * seen.clone(), seen);
        let guessed = unsure.map(|unsure| {
            let (guess, spread) = self.encode(x.clone() * shown.clone(), shown);
            let known = (mean.clone().detach(), log_variance.clone().detach());
            (kl_between(known, (guess, spread)).sum_dim(1) * unsure).sum()
        });
        let z = reparameterize(mean.clone(), log_variance.clone(), noise);
        let nll = self.nll(x, mask.clone(), self.decode(z)).sum();
        let kl = kl_from_standard_normal(mean, log_variance);

        let annealed = (progress / self.config.annealing.max(f32::EPSILON)).min(1.0);
        let weight = self.config.beta * annealed;
        let windows = kl.dims()[0] as f32;
        let charged = if self.config.free_bits > 0.0 {
            (kl.clone().mean_dim(0).clamp_min(self.config.free_bits) * windows).sum()
        } else {
            kl.clone().sum()
        };
        let asked = guessed.map_or(nll.clone(), |guessed| nll.clone() + guessed);
        Objective {
            loss: per_observed(asked + charged * weight, mask.clone()),
            bound: per_observed(nll + kl.sum(), mask),
        }
    }

    fn density(&self) -> Density<'_> {
        Density::Bound(self)
    }

    fn encoder(&self) -> Option<&dyn Encode> {
        Some(self)
    }

    fn generation(&self) -> Generation<'_> {
        Generation::Direct(self)
    }
}

impl Complete for TimeVae {
    /// A point of the latent space, and the noise of each value.
    fn noise_width(&self) -> usize {
        let [length, features] = self.shape;
        self.config.latent + length * features
    }

    /// Draws from the posterior given what is shown, which is about the prior where nothing is, and
    /// then from the likelihood.
    fn complete(&self, x: Tensor<3>, shown: Tensor<3>, noise: Tensor<2>) -> Tensor<3> {
        let ([batch, width], latent) = (noise.dims(), self.config.latent);
        let (mean, log_variance) = self.encode(x * shown.clone(), shown);
        let point = noise.clone().slice([0..batch, 0..latent]);
        let point = reparameterize(mean, log_variance, point);
        self.draw(point, noise.slice([0..batch, latent..width]))
    }
}

impl Score for TimeVae {
    /// The evidence bound at the mean of the posterior: a function without noise, as streaming
    /// wants it. It estimates the bound from one point instead of an average over the posterior.
    fn score(&self, x: Tensor<3>, mask: Tensor<3>) -> Scores {
        let (mean, log_variance) = self.encode(x.clone(), mask.clone());
        let nll = self.nll(x, mask, self.decode(mean.clone()));
        Scores { nll, kl: Some(kl_from_standard_normal(mean, log_variance).sum_dim(1)) }
    }
}

impl Encode for TimeVae {
    fn encode(&self, x: Tensor<3>, mask: Tensor<3>) -> (Tensor<2>, Tensor<2>) {
        let mut h = Tensor::cat(vec![x, mask], 2);
        for down in &self.down {
            h = relu(down.forward(h));
        }
        let [batch, rows, hidden] = h.dims();
        let posterior = self.posterior.forward(h.reshape([batch, rows * hidden]));
        let latent = self.config.latent;
        let mean = posterior.clone().slice([0..batch, 0..latent]);
        let [low, high] = LOG_VARIANCE;
        (mean, posterior.slice([0..batch, latent..2 * latent]).clamp(low, high))
    }
}
