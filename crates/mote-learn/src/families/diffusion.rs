//! `Diffusion`: windows from noise by small steps, after Ho et al. 2020 (arXiv 2006.11239) on the
//! cosine path and Lipman et al. 2023 (arXiv 2210.02747, flow matching) on the straight one.
//!
//! Both are one model: `x_t = α(t) · x + σ(t) · ε` with `t` from 0, noise, to 1, data, and a network
//! that estimates `x` from `x_t`. Paths differ in `α` and `σ`, predictions in what of the estimate the
//! network has to say. The network also sees what of the window is known, and is trained with all of
//! it hidden, the future, or parts: so the same weights generate, forecast and impute.

use burn::{
    module::Module,
    tensor::{Device, Tensor, activation::sigmoid},
};
use mote_format::manifest::{Generator, Path, Solver};
use serde::{Deserialize, Serialize};

use super::{Batch, Denoise, Density, Family, Generation, Objective};
use crate::{
    parts::{Mixer, MixerSize, Moment},
    random::Random,
};

/// What the network says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prediction {
    /// The clean window itself.
    Clean,
    /// How it changes along the path (v-prediction, Salimans and Ho 2022): the part of the window
    /// that `x_t` does not tell, in unit variance at every `t`.
    #[default]
    Velocity,
}

/// The size of the model and its path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiffusionConfig {
    /// Channels inside the network. 64 keep a step of training near 50 ms on one core.
    pub hidden: usize,
    /// Blocks of the network.
    pub blocks: usize,
    /// From noise to data.
    pub path: Path,
    /// What the network says.
    pub prediction: Prediction,
    /// Times of training are the logistic function of a normal number with this deviation. Narrow (Esser
    /// et al. 2024 take 1), the middle of the path is learned best, where a window as a whole is
    /// decided; beyond 1.6, its ends, where details are: a grid of narrow Gaussians wants that.
    pub time_deviation: f32,
    /// Evaluations for a window, by default, of a model that was not distilled.
    pub evaluations: usize,
    /// Evaluations that it is distilled to once it is trained, if it is.
    pub strides: Option<usize>,
}

impl Default for DiffusionConfig {
    fn default() -> Self {
        Self {
            hidden: 64,
            blocks: 3,
            path: Path::Straight,
            prediction: Prediction::Velocity,
            time_deviation: 1.0,
            evaluations: 20,
            strides: Some(5),
        }
    }
}

/// A diffusion model of windows `(time, features)`.
#[derive(Module, Debug)]
pub struct Diffusion {
    moment: Moment,
    network: Mixer,
    #[module(skip)]
    config: DiffusionConfig,
    #[module(skip)]
    shape: [usize; 2],
}

impl Diffusion {
    /// A model with random weights for windows of `length` samples.
    #[must_use]
    pub fn new(
        config: &DiffusionConfig,
        length: usize,
        features: usize,
        rng: &mut Random,
        device: &Device,
    ) -> Self {
        let size = MixerSize {
            length,
            // The noisy window, what is known, and where.
            inputs: 3 * features,
            hidden: config.hidden,
            outputs: features,
            blocks: config.blocks,
        };
        Self {
            moment: Moment::new(config.hidden, rng, device),
            network: Mixer::new(&size, rng, device),
            config: config.clone(),
            shape: [length, features],
        }
    }

    /// The state at `time` `(batch, 1)` of windows and noise `(batch, time, features)`.
    #[must_use]
    pub fn diffuse(&self, x: Tensor<3>, noise: Tensor<3>, time: Tensor<2>) -> Tensor<3> {
        let moments = self.moments(time);
        x * moments.signal + noise * moments.noise
    }

    /// The state at `next` of one that is `state` at `time`, both `(batch, 1)`, on the way to the clean
    /// window `estimate`: DDIM (Song et al. 2021), exact where the estimate stays.
    pub(super) fn advance(
        &self,
        state: Tensor<3>,
        estimate: Tensor<3>,
        time: Tensor<2>,
        next: Tensor<2>,
    ) -> Tensor<3> {
        let (now, next) = (self.moments(time), self.moments(next));
        let kept = next.noise / now.noise;
        state * kept.clone() + estimate * (next.signal - now.signal * kept)
    }

    /// The estimate that leads from `state` at `time` to `end` at `next`.
    pub(super) fn estimate_between(
        &self,
        state: Tensor<3>,
        end: Tensor<3>,
        time: Tensor<2>,
        next: Tensor<2>,
    ) -> Tensor<3> {
        let (now, next) = (self.moments(time), self.moments(next));
        let kept = next.noise / now.noise;
        (end - state * kept.clone()) / (next.signal - now.signal * kept)
    }

    /// How much of a clean window, in deviations, its state at `time` leaves open: `(batch, 1, 1)`.
    pub(super) fn open(&self, time: Tensor<2>) -> Tensor<3> {
        let Moments { noise, inverse_deviation, .. } = self.moments(time);
        (noise * inverse_deviation).clamp_min(LEAST_OPEN)
    }

    /// Noise `(batch, time, features)` of a training step, and one more normal number `(batch, 1)` to
    /// choose the time by.
    pub(super) fn noise_and_time(&self, noise: Tensor<2>) -> (Tensor<3>, Tensor<2>) {
        let [windows, width] = noise.dims();
        let [length, features] = self.shape;
        let time = noise.clone().slice([0..windows, width - 1..width]);
        let noise = noise.slice([0..windows, 0..width - 1]);
        (noise.reshape([windows, length, features]), time)
    }

    /// From noise to data.
    pub(super) fn path(&self) -> Path {
        self.config.path
    }

    /// What the network says, `(batch, time, features)`; `time` is `(batch, 1)`.
    fn predict(
        &self,
        state: Tensor<3>,
        time: Tensor<2>,
        known: Tensor<3>,
        shown: Tensor<3>,
    ) -> Tensor<3> {
        let scale = self.moments(time.clone()).inverse_deviation;
        let hidden = shown.clone() * -1.0 + 1.0;
        let inputs = Tensor::cat(vec![state * scale * hidden, known * shown.clone(), shown], 2);
        self.network.forward(inputs, Some(&self.moment.forward(time)))
    }

    /// The path at `time` `(batch, 1)`, each `(batch, 1, 1)`.
    fn moments(&self, time: Tensor<2>) -> Moments {
        let [batch, _] = time.dims();
        let time = time.reshape([batch, 1, 1]);
        match self.config.path {
            Path::Straight => {
                let (signal, noise) = (time.clone(), time * -1.0 + 1.0);
                let variance = signal.clone() * signal.clone() + noise.clone() * noise.clone();
                let inverse_deviation = (variance.log() * -0.5).exp();
                Moments { signal, noise, inverse_deviation }
            }
            Path::Cosine => {
                let (signal, noise) = quarter_turn(time);
                // Not fresh ones: a recorded program has to see that they belong to the batch.
                let inverse_deviation = signal.clone() * 0.0 + 1.0;
                Moments { signal, noise, inverse_deviation }
            }
        }
    }
}

/// A moment of the path.
struct Moments {
    /// `α`
    signal: Tensor<3>,
    /// `σ`
    noise: Tensor<3>,
    /// `1 / √(α² + σ²)`: data in standard units then has unit variance at every time.
    inverse_deviation: Tensor<3>,
}

/// `sin` and `cos` of `π/2 · t` for `t` in `[0, 1]`, within 4e-6: Taylor's series around the middle, from
/// operations that programs have.
fn quarter_turn(t: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
    let x = t * std::f32::consts::FRAC_PI_2 - std::f32::consts::FRAC_PI_4;
    let square = x.clone() * x.clone();
    let even = ((square.clone() * (-1.0 / 720.0) + 1.0 / 24.0) * square.clone() - 0.5)
        * square.clone()
        + 1.0;
    let odd = ((square.clone() * (-1.0 / 5040.0) + 1.0 / 120.0) * square.clone() - 1.0 / 6.0)
        * square
        + 1.0;
    let odd = odd * x;
    let half = std::f32::consts::FRAC_1_SQRT_2;
    ((even.clone() + odd.clone()) * half, (even - odd) * half)
}

impl Family for Diffusion {
    fn noise_width(&self) -> usize {
        let [length, features] = self.shape;
        length * features + 1
    }

    fn objective(&self, batch: Batch, _progress: f32) -> Objective {
        let Batch { x, mask, shown, noise } = batch;
        let (noise, drawn) = self.noise_and_time(noise);
        let time = sigmoid(drawn * self.config.time_deviation);
        let state = self.diffuse(x.clone(), noise.clone(), time.clone());
        let said = self.predict(state, time.clone(), x.clone(), shown.clone());
        // In units of what `x_t` leaves open, both predictions have the same loss.
        let error = match self.config.prediction {
            Prediction::Velocity => {
                let Moments { signal, noise: sigma, inverse_deviation } = self.moments(time);
                said - (x * sigma - noise * signal) * inverse_deviation
            }
            Prediction::Clean => (said - x) / self.open(time),
        };
        // What was shown has not to be told.
        let asked = mask * (shown * -1.0 + 1.0);
        let loss = (error.clone() * error * asked.clone()).sum() / asked.sum().clamp_min(1.0);
        Objective { bound: loss.clone(), loss }
    }

    fn density(&self) -> Density<'_> {
        Density::Implicit
    }

    fn generation(&self) -> Generation<'_> {
        Generation::Iterative(self)
    }
}

/// A clean window is asked for with at most this precision, or the last moment of the path would be
/// all that counts.
const LEAST_OPEN: f32 = 0.1;

impl Denoise for Diffusion {
    fn denoise(
        &self,
        state: Tensor<3>,
        time: Tensor<2>,
        known: Tensor<3>,
        shown: Tensor<3>,
    ) -> Tensor<3> {
        let said = self.predict(state.clone(), time.clone(), known, shown);
        match self.config.prediction {
            Prediction::Clean => said,
            Prediction::Velocity => {
                let Moments { signal, noise, inverse_deviation } = self.moments(time);
                let along =
                    state * signal * (inverse_deviation.clone() * inverse_deviation.clone());
                along + said * (noise * inverse_deviation)
            }
        }
    }

    fn generator(&self) -> Generator {
        Generator::Iterative {
            path: self.config.path,
            solver: Solver::Multistep,
            evaluations: self.config.evaluations,
        }
    }
}
