//! `Diffusion`: windows from noise by small steps, after Ho et al. 2020 (arXiv 2006.11239) on the
//! cosine path and Lipman et al. 2023 (arXiv 2210.02747, flow matching) on the straight one.
//!
//! Both are one model: `x_t = α(t) · x + σ(t) · ε` with `t` from 0, noise, to 1, data, and a network
//! that estimates `x` from `x_t`. Paths differ in `α` and `σ`, predictions in what of the estimate the
//! network has to say. The network also sees what of the window is known, and is trained with all of
//! it hidden, the future, or parts: so the same weights generate, forecast and impute.
//!
//! What is Gaussian in the data, such as that windows are smooth and columns go together, is not left to
//! the network: it speaks in the directions of a [`Separable`] Gaussian, in units of what that leaves
//! open (the preconditioning of Karras et al. 2022, arXiv 2206.00364, for each direction).

use burn::{
    module::Module,
    tensor::{Device, Tensor, activation::sigmoid},
};
use mote_format::manifest::{Generator, Path, Solver};
use serde::{Deserialize, Serialize};

use super::{Batch, Denoise, Density, Family, Generation, Objective};
use crate::{
    parts::{Angle, Guess, Mixer, MixerSize, Moment, Separable},
    random::Random,
    train::Windows,
};

/// What the network says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prediction {
    /// The clean window itself, as it differs from a first guess ([`Guess`]) by what is known: best where
    /// much is.
    Clean,
    /// How it changes along the path (v-prediction, Salimans and Ho 2022): the part of the window
    /// that `x_t` does not tell, in unit variance at every `t` and in every direction.
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
    /// Samples after which things come back, such as those of a day; 0 if nothing does. It is only where
    /// the first guess of [`Prediction::Clean`] begins.
    pub season: usize,
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
            season: 0,
            strides: Some(5),
        }
    }
}

/// A diffusion model of windows `(time, features)`.
#[derive(Module, Debug)]
pub struct Diffusion {
    moment: Moment,
    /// Where the network says the window itself.
    guess: Option<Guess>,
    network: Mixer,
    #[module(skip)]
    config: DiffusionConfig,
    /// What is Gaussian in the data, so that the network need not learn it.
    #[module(skip)]
    gaussian: Separable,
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
        let (guess, inputs) = match config.prediction {
            // The noisy window without its guess, what is known or guessed, and where it is known.
            Prediction::Clean => (Some(Guess::new(length, config.season, device)), 3 * features),
            // The noisy window, what a Gaussian makes of it, what is known, and where.
            Prediction::Velocity => (None, 4 * features),
        };
        let size = MixerSize {
            length,
            inputs,
            hidden: config.hidden,
            outputs: features,
            blocks: config.blocks,
        };
        Self {
            moment: Moment::new(config.hidden, rng, device),
            guess,
            network: Mixer::new(&size, rng, device),
            config: config.clone(),
            gaussian: Separable::standard(length, features),
            shape: [length, features],
        }
    }

    /// Takes from `windows` what is Gaussian in them.
    #[must_use]
    pub fn around(self, windows: &dyn Windows) -> Self {
        Self { gaussian: Separable::fit(windows), ..self }
    }

    /// The state at `time` `(batch, 1)` of windows and noise `(batch, time, features)`.
    #[must_use]
    pub fn diffuse(&self, x: Tensor<3>, noise: Tensor<3>, time: Tensor<2>) -> Tensor<3> {
        let moments = self.moments(time);
        x * moments.signal + noise * moments.noise
    }

    /// A state `(batch, time, features)` and how it changes, at `time` `(batch, 1)`.
    pub(super) fn motion(
        &self,
        state: Tensor<3>,
        time: Tensor<2>,
        known: Tensor<3>,
        shown: Tensor<3>,
    ) -> Motion {
        let Moments { signal, noise, inverse_deviation } = self.moments(time.clone());
        let hidden = shown.clone() * -1.0 + 1.0;
        // What is known is as good as a state without noise.
        let known = known * shown.clone();
        let whole = state.clone() * hidden.clone() + known.clone() * signal.clone();
        let angle = self.gaussian.angle(signal, noise);
        let place = self.gaussian.whiten(whole, &angle);
        let estimate = place.clone() * angle.sine.clone();
        let velocity = if let Some(guess) = &self.guess {
            let clean = self.clean(guess, state, time, known, shown);
            (self.gaussian.whiten_clean(clean) - estimate) / angle.cosine.clone()
        } else {
            let estimate = self.gaussian.windows(estimate);
            let inputs = vec![state * inverse_deviation * hidden, estimate, known, shown];
            let moment = self.moment.forward(time);
            self.gaussian.directions(self.network.forward(Tensor::cat(inputs, 2), Some(&moment)))
        };
        Motion { place, velocity, angle }
    }

    /// The clean window of a network that says it.
    ///
    /// It sees the state without a first guess from what is known, the conditional mean of the Gaussian,
    /// and says how the window differs from it; and what is known without its mean. So a level that training never saw is no more than a
    /// shift (as in RevIN, Kim et al. 2022), and a network that says nothing interpolates.
    fn clean(
        &self,
        guess: &Guess,
        state: Tensor<3>,
        time: Tensor<2>,
        known: Tensor<3>,
        shown: Tensor<3>,
    ) -> Tensor<3> {
        let Moments { signal, inverse_deviation, .. } = self.moments(time.clone());
        let hidden = shown.clone() * -1.0 + 1.0;
        let start = guess.forward(known.clone(), shown.clone());
        let guess = self.gaussian.complete(known.clone(), shown.clone(), start);
        let state = (state - guess.clone() * signal) * inverse_deviation * hidden.clone();
        let filled = known * shown.clone() + guess.clone() * hidden;
        let filled = filled.clone() - filled.mean_dim(1);
        let inputs = Tensor::cat(vec![state, filled, shown], 2);
        self.network.forward(inputs, Some(&self.moment.forward(time))) + guess
    }

    /// Where a motion leads by `next` `(batch, 1)`, if its velocity stays.
    pub(super) fn follow(&self, motion: &Motion, next: Tensor<2>) -> Tensor<3> {
        let Moments { signal, noise, .. } = self.moments(next);
        let then = self.gaussian.angle(signal, noise);
        let place = motion.place.clone() + motion.velocity.clone() * motion.angle.sine_to(&then);
        self.gaussian.colour(place, &then)
    }

    /// The clean window that, told at `time`, leads from `state` to `end` at `next` (DDIM, Song et al.
    /// 2021).
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
        let least = match self.config.prediction {
            Prediction::Clean => 0.1,
            Prediction::Velocity => 1e-3,
        };
        (noise * inverse_deviation).clamp_min(least)
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

    fn moments(&self, time: Tensor<2>) -> Moments {
        Moments::at(self.config.path, time)
    }
}

/// Where a state is, in units that a Gaussian does not move in, and how it moves.
pub(super) struct Motion {
    /// `(batch, time, features)`
    pub(super) place: Tensor<3>,
    /// `(batch, time, features)`, for each unit of the angle.
    pub(super) velocity: Tensor<3>,
    angle: Angle,
}

/// A moment of the path, each `(batch, 1, 1)`.
pub(super) struct Moments {
    /// `α`
    pub(super) signal: Tensor<3>,
    /// `σ`
    pub(super) noise: Tensor<3>,
    /// `1 / √(α² + σ²)`: data in standard units then has unit variance at every time.
    pub(super) inverse_deviation: Tensor<3>,
}

impl Moments {
    /// Where `path` is at `time` `(batch, 1)`.
    pub(super) fn at(path: Path, time: Tensor<2>) -> Self {
        let [batch, _] = time.dims();
        let time = time.reshape([batch, 1, 1]);
        match path {
            Path::Straight => {
                let (signal, noise) = (time.clone(), time * -1.0 + 1.0);
                let variance = signal.clone() * signal.clone() + noise.clone() * noise.clone();
                let inverse_deviation = (variance.log() * -0.5).exp();
                Self { signal, noise, inverse_deviation }
            }
            Path::Cosine => {
                let (signal, noise) = quarter_turn(time);
                // Not fresh ones: a recorded program has to see that they belong to the batch.
                let inverse_deviation = signal.clone() * 0.0 + 1.0;
                Self { signal, noise, inverse_deviation }
            }
        }
    }
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
        let state = self.diffuse(x.clone(), noise, time.clone());
        let found = self.denoise(state, time.clone(), x.clone(), shown.clone());
        // In units of what `x_t` leaves open.
        let error = (found - x) / self.open(time);
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

impl Denoise for Diffusion {
    fn denoise(
        &self,
        state: Tensor<3>,
        time: Tensor<2>,
        known: Tensor<3>,
        shown: Tensor<3>,
    ) -> Tensor<3> {
        if let Some(guess) = &self.guess {
            return self.clean(guess, state, time, known, shown);
        }
        let Motion { place, velocity, angle } = self.motion(state, time, known, shown);
        self.gaussian.windows(place * angle.sine + velocity * angle.cosine)
    }

    fn generator(&self) -> Generator {
        Generator::Iterative {
            path: self.config.path,
            solver: Solver::Multistep,
            evaluations: self.config.evaluations,
        }
    }
}
