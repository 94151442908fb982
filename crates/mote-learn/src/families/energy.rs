//! `EnergyModel`: an energy of windows at every level of noise, learned by denoising score matching
//! (Vincent 2011; Song and Ermon 2019) in the form `½ ‖x - f(x)‖²` (Salimans and Ho 2021).
//!
//! With `u` the noisy window in unit variance, `s` and `n` what of it is signal and noise, and a network
//! `g`, the energy is `½ ‖r‖²` with `r = u - s/n · g(u)`. Its gradient, written as operations of its
//! own, has to point to the clean window: `n ∇E = n · u - s · (g + Jᵀr)`, so `g + Jᵀr` is to say what a
//! velocity says in diffusion. Unlike that, it is a gradient of something, and that something scores.
//! A window with nothing learned has the energy of a normal distribution.

use burn::{
    module::Module,
    tensor::{Device, Tensor, activation::sigmoid},
};
use mote_format::manifest::{Generator, Path, Solver};
use serde::{Deserialize, Serialize};

use super::{
    Batch, Denoise, Density, Family, Generation, Objective, Score, Scores, diffusion::Moments,
};
use crate::{
    parts::{MixerSize, Moment, SmoothMixer},
    random::Random,
};

/// The size of the model, and where it is looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnergyConfig {
    /// Channels inside the network.
    pub hidden: usize,
    /// Blocks of the network.
    pub blocks: usize,
    /// From noise to data.
    pub path: Path,
    /// How windows are drawn.
    pub solver: Solver,
    /// Evaluations for a window, by default.
    pub evaluations: usize,
    /// Scores are of data with noise of this deviation, in standard units. Less resolves finer
    /// structure, and fewer values near it to learn that from; it has to be above 0.06.
    pub level: f32,
}

impl Default for EnergyConfig {
    fn default() -> Self {
        Self {
            hidden: 64,
            blocks: 3,
            path: Path::Straight,
            solver: Solver::Langevin,
            evaluations: 100,
            level: 0.3,
        }
    }
}

/// The end of the path: an energy cannot follow data of no width, as its slope has no bound there.
const LAST: f32 = 0.95;

/// Times of training are the logistic function of a normal number with this deviation: nearly uniform.
const TIME_DEVIATION: f32 = 1.7;

/// An energy-based model of windows `(time, features)`.
#[derive(Module, Debug)]
pub struct EnergyModel {
    moment: Moment,
    network: SmoothMixer,
    #[module(skip)]
    config: EnergyConfig,
    #[module(skip)]
    shape: [usize; 2],
}

/// A noisy window and what it is told.
struct Noisy {
    /// `(batch, time, features)`
    state: Tensor<3>,
    /// `(batch, 1)`
    time: Tensor<2>,
    known: Tensor<3>,
    shown: Tensor<3>,
    /// 1 where the energy is of this value.
    asked: Tensor<3>,
}

impl EnergyModel {
    /// A model with random weights for windows of `length` samples.
    #[must_use]
    pub fn new(
        config: &EnergyConfig,
        length: usize,
        features: usize,
        rng: &mut Random,
        device: &Device,
    ) -> Self {
        let size = MixerSize {
            length,
            // The noisy window, what is known, where, and what is asked for.
            inputs: 4 * features,
            hidden: config.hidden,
            outputs: features,
            blocks: config.blocks,
        };
        Self {
            moment: Moment::new(config.hidden, rng, device),
            network: SmoothMixer::new(&size, rng, device),
            config: config.clone(),
            shape: [length, features],
        }
    }

    /// The energy of each value of `state` at `time` `(batch, 1)` given what is `shown` of `known`:
    /// `(batch, time, features)`, zero where it was shown. Their sum is `-ln p(state)` of the data with
    /// the noise of that time, up to a constant. `time` is at most 0.95.
    #[must_use]
    pub fn energy(
        &self,
        state: Tensor<3>,
        time: Tensor<2>,
        known: Tensor<3>,
        shown: Tensor<3>,
    ) -> Tensor<3> {
        let asked = shown.clone() * -1.0 + 1.0;
        let (residual, _) = self.descend(Noisy { state, time, known, shown, asked }, false);
        residual.clone() * residual * 0.5
    }

    /// The residual `r`, and `g + Jᵀr` where it is wanted, both `(batch, time, features)` and zero where
    /// not asked for.
    fn descend(&self, noisy: Noisy, slope: bool) -> (Tensor<3>, Option<Tensor<3>>) {
        let Noisy { state, time, known, shown, asked } = noisy;
        let [batch, length, features] = state.dims();
        let moments = Moments::at(self.config.path, time.clone());
        let u = state * moments.inverse_deviation * asked.clone();
        let inputs = vec![u.clone(), known * shown.clone(), shown, asked.clone()];
        let context = self.moment.forward(time);
        let (said, trace) = self.network.forward(Tensor::cat(inputs, 2), &context);
        let residual = (u - said.clone() * (moments.signal / moments.noise)) * asked.clone();
        let slope = slope.then(|| {
            let back = self.network.pullback(&trace, residual.clone());
            (said + back.slice([0..batch, 0..length, 0..features])) * asked
        });
        (residual, slope)
    }

    /// The time at which the noise of the path has the deviation `level`, relative to the data.
    fn time_of(&self, level: f32) -> f32 {
        let time = match self.config.path {
            Path::Straight => 1.0 / (1.0 + level),
            Path::Cosine => 1.0 - level.atan() / std::f32::consts::FRAC_PI_2,
        };
        time.min(LAST)
    }
}

impl Family for EnergyModel {
    fn noise_width(&self) -> usize {
        let [length, features] = self.shape;
        length * features + 1
    }

    fn objective(&self, batch: Batch, _progress: f32) -> Objective {
        let Batch { x, mask, shown, noise } = batch;
        let [windows, length, features] = x.dims();
        let n = length * features;
        let time = noise.clone().slice([0..windows, n..n + 1]);
        let time = sigmoid(time * TIME_DEVIATION) * LAST;
        let noise = noise.slice([0..windows, 0..n]).reshape([windows, length, features]);

        let Moments { signal, noise: sigma, inverse_deviation } =
            Moments::at(self.config.path, time.clone());
        let state = x.clone() * signal.clone() + noise.clone() * sigma.clone();
        let wanted = (x.clone() * sigma - noise * signal) * inverse_deviation;
        let asked = mask * (shown.clone() * -1.0 + 1.0);
        let noisy = Noisy { state, time, known: x, shown, asked: asked.clone() };
        let (_, slope) = self.descend(noisy, true);
        let error = slope.expect("it was wanted") - wanted;
        let loss = (error.clone() * error * asked.clone()).sum() / asked.sum().clamp_min(1.0);
        Objective { bound: loss.clone(), loss }
    }

    fn density(&self) -> Density<'_> {
        Density::Energy(self)
    }

    fn generation(&self) -> Generation<'_> {
        Generation::Iterative(self)
    }
}

impl Score for EnergyModel {
    /// The energy of what was observed in the data with noise of deviation [`EnergyConfig::level`]. It
    /// is a sum over values by construction; the part of a value is how far it lies, in deviations of
    /// the noise, from where the network would have it given all others.
    fn score(&self, x: Tensor<3>, mask: Tensor<3>) -> Scores {
        let [batch, length, features] = x.dims();
        let time = x.clone().reshape([batch, length * features]).slice([0..batch, 0..1]) * 0.0
            + self.time_of(self.config.level);
        let signal = Moments::at(self.config.path, time.clone()).signal;
        let nothing = x.clone() * 0.0;
        let (known, shown) = (nothing.clone(), nothing);
        let noisy = Noisy { state: x * signal, time, known, shown, asked: mask };
        let (residual, _) = self.descend(noisy, false);
        Scores { nll: residual.clone() * residual * 0.5, kl: None }
    }
}

impl Denoise for EnergyModel {
    /// Down the gradient to where noise would have come from: `(state - σ² ∇E) / α` (Robbins 1956).
    fn denoise(
        &self,
        state: Tensor<3>,
        time: Tensor<2>,
        known: Tensor<3>,
        shown: Tensor<3>,
    ) -> Tensor<3> {
        let time = time.clamp_max(LAST);
        let Moments { signal, noise, inverse_deviation } =
            Moments::at(self.config.path, time.clone());
        let asked = shown.clone() * -1.0 + 1.0;
        let along =
            state.clone() * signal * (inverse_deviation.clone() * inverse_deviation.clone());
        let (_, slope) = self.descend(Noisy { state, time, known, shown, asked }, true);
        along + slope.expect("it was wanted") * (noise * inverse_deviation)
    }

    fn generator(&self) -> Generator {
        Generator::Iterative {
            path: self.config.path,
            solver: self.config.solver,
            evaluations: self.config.evaluations,
        }
    }
}
