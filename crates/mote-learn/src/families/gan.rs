//! `Gan`: a generator that completes windows and a critic that tells them from real ones, after Huang
//! et al. 2024 (arXiv 2501.05441, R3GAN): each real window is compared with a generated one
//! (Jolicoeur-Martineau 2019), and the critic's slope is penalized at both.
//!
//! The critic compares windows that were completed from the same known part, so what it judges is
//! whether the rest belongs to it. Both networks learn in one step from one loss: the critic's weights
//! are constants in the generator's part, generated windows are in the critic's.
//!
//! As in TimeGAN (Yoon et al. 2019) the generator is also told the truth: what it makes of the known part
//! of a window is compared with the window itself. A squared error, as there, would teach it the mean;
//! the energy score (Gneiting and Raftery 2007) of two draws is least for the right distribution and no
//! other, so the game and the lesson have the same end.

use burn::{
    module::Module,
    tensor::{Device, Tensor, activation::softplus},
};
use serde::{Deserialize, Serialize};

use super::{Batch, Complete, Density, Family, Generation, Objective};
use crate::{
    parts::{Mixer, MixerSize, energy_distance},
    random::Random,
};

/// The size of the model and how its critic is held back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GanConfig {
    /// Channels inside both networks.
    pub hidden: usize,
    /// Blocks of both networks.
    pub blocks: usize,
    /// Normal numbers that the generator is given for each sample of a window: at most so many, and no
    /// more than there are features. A map from more dimensions than it ends in has to fold the rest
    /// away, which blurs what is sharp.
    pub noise: usize,
    /// The critic sees each value in so many octaves of waves, the first as long as four deviations.
    pub octaves: usize,
    /// Half of this weighs the squared slope of the critic, at real and at generated windows, when
    /// training begins. With much less the critic wins, and the generator moves between the modes of the
    /// data.
    pub penalty: f32,
    /// The same when training ends; in between it falls by a constant factor in each step, or, where one of both is
    /// zero, by as much in each. A critic that may not be steep cannot see what is small.
    pub last_penalty: f32,
    /// Weight of the energy score in the generator's part; 0 leaves it to the critic alone.
    pub supervision: f32,
}

impl Default for GanConfig {
    fn default() -> Self {
        Self {
            hidden: 64,
            blocks: 3,
            noise: 8,
            octaves: 6,
            penalty: 0.5,
            last_penalty: 0.005,
            supervision: 0.3,
        }
    }
}

impl GanConfig {
    fn penalty_at(&self, progress: f32) -> f32 {
        let (first, last) = (self.penalty, self.last_penalty);
        match first > 0.0 && last > 0.0 {
            true => first * (last / first).powf(progress),
            false => first + (last - first) * progress,
        }
    }
}

/// How far the critic is probed for its slope, in standard units: above what rounding makes of its
/// answer, below what tells windows apart.
const PROBE: f32 = 0.01;

/// A generative adversarial network of windows `(time, features)`.
#[derive(Module, Debug)]
pub struct Gan {
    generator: Mixer,
    critic: Mixer,
    #[module(skip)]
    config: GanConfig,
    #[module(skip)]
    shape: [usize; 2],
}

impl Gan {
    /// A model with random weights for windows of `length` samples.
    #[must_use]
    pub fn new(
        config: &GanConfig,
        length: usize,
        features: usize,
        rng: &mut Random,
        device: &Device,
    ) -> Self {
        let config = GanConfig { noise: config.noise.min(features), ..config.clone() };
        let GanConfig { hidden, blocks, noise, .. } = config;
        // What is known, where, and noise.
        let (inputs, outputs) = (2 * features + noise, features);
        let generator = MixerSize { length, inputs, hidden, outputs, blocks };
        // The window, where it was known, and where it was observed.
        let critic =
            MixerSize { inputs: (3 + 2 * config.octaves) * features, outputs: 1, ..generator };
        Self {
            generator: Mixer::new(&generator, rng, device),
            critic: Mixer::new(&critic, rng, device),
            config,
            shape: [length, features],
        }
    }

    /// How real the critic takes windows to be, `(batch, 1)`; only differences mean something.
    #[must_use]
    pub fn criticize(&self, x: Tensor<3>, shown: Tensor<3>, mask: Tensor<3>) -> Tensor<2> {
        let [batch, _, _] = x.dims();
        let x = x * mask.clone();
        let mut inputs = vec![x.clone(), shown, mask];
        for octave in 0..self.config.octaves {
            let angle = x.clone() * (std::f32::consts::FRAC_PI_2 * (1 << octave) as f32);
            inputs.extend([angle.clone().sin(), angle.cos()]);
        }
        let inputs = Tensor::cat(inputs, 2);
        self.critic.forward(inputs, None).mean_dim(1).reshape([batch, 1])
    }

    /// The squared slope of the critic at each window in the values that are asked for, `(batch, 1)`,
    /// estimated from one `direction` of normal numbers, `(batch, time, features)`: the mean of
    /// `(direction · slope)²` is `‖slope‖²`, and the slope along a direction is a difference of two
    /// answers (Lin et al. 2025, arXiv 2501.08316). No second derivative is needed.
    #[must_use]
    pub fn slope(
        &self,
        x: Tensor<3>,
        shown: Tensor<3>,
        mask: Tensor<3>,
        direction: Tensor<3>,
    ) -> Tensor<2> {
        let here = self.criticize(x.clone(), shown.clone(), mask.clone());
        let asked = shown.clone() * -1.0 + 1.0;
        let there = self.criticize(x + direction * asked * PROBE, shown, mask);
        let rise = (there - here) / PROBE;
        rise.clone() * rise
    }

    fn generated(&self, x: Tensor<3>, shown: Tensor<3>, noise: Tensor<2>) -> Tensor<3> {
        let ([batch, _], [length, _]) = (noise.dims(), self.shape);
        let noise = noise.reshape([batch, length, self.config.noise]);
        let known = x * shown.clone();
        let inputs = Tensor::cat(vec![known.clone(), shown.clone(), noise], 2);
        known + self.generator.forward(inputs, None) * (shown * -1.0 + 1.0)
    }

    /// The energy score of two draws `[a, b]` for windows `x` in what is `asked` of each, `(1,)`:
    /// `E‖a - x‖ - ½ E‖a - b‖` with the root of the mean square as the norm.
    fn energy_score(x: &Tensor<3>, [a, b]: [&Tensor<3>; 2], asked: &Tensor<3>) -> Tensor<1> {
        let count = asked.clone().sum_dims(&[1, 2]).clamp_min(1.0);
        let norm = |difference: Tensor<3>| {
            let square = difference.clone() * difference * asked.clone();
            // The root has no slope at zero.
            (square.sum_dims(&[1, 2]) / count.clone() + 1e-6).sqrt().mean()
        };
        (norm(a.clone() - x.clone()) + norm(b.clone() - x.clone()) - norm(a.clone() - b.clone()))
            * 0.5
    }
}

impl Family for Gan {
    /// For the generator, twice, and a direction for the slope at a real and at a generated window.
    fn noise_width(&self) -> usize {
        let [length, features] = self.shape;
        length * 2 * (self.config.noise + features)
    }

    fn objective(&self, batch: Batch, progress: f32) -> Objective {
        let Batch { x, mask, shown, noise } = batch;
        let [windows, length, features] = x.dims();
        let (own, n) = (length * self.config.noise, length * features);
        let part =
            |from: usize, width: usize| noise.clone().slice([0..windows, from..from + width]);
        let direction = |from| part(from, n).reshape([windows, length, features]);

        let fake = self.generated(x.clone(), shown.clone(), part(0, own));
        let judged = self.clone().no_grad().criticize(fake.clone(), shown.clone(), mask.clone());
        let asked = shown.clone() * -1.0 + 1.0;
        let lesson = (self.config.supervision > 0.0).then(|| {
            let second = self.generated(x.clone(), shown.clone(), part(own + 2 * n, own));
            let observed = mask.clone() * asked.clone();
            Self::energy_score(&x, [&fake, &second], &observed) * self.config.supervision
        });
        let fake = fake.detach();
        // All that the critic is asked in one evaluation: it costs less than four.
        let beside = |x: Tensor<3>, direction| x + direction * asked.clone() * PROBE;
        let answers = self.criticize(
            Tensor::cat(
                vec![
                    x.clone(),
                    fake.clone(),
                    beside(x.clone(), direction(own)),
                    beside(fake.clone(), direction(own + n)),
                ],
                0,
            ),
            shown.repeat_dim(0, 4),
            mask.clone().repeat_dim(0, 4),
        );
        let answer = |i: usize| answers.clone().slice([i * windows..(i + 1) * windows, 0..1]);
        let (real, own_fake) = (answer(0), answer(1));
        let slope = |there: Tensor<2>, here: Tensor<2>| {
            let rise = (there - here) / PROBE;
            (rise.clone() * rise).mean()
        };
        let slopes = slope(answer(2), real.clone()) + slope(answer(3), own_fake.clone());
        let game = softplus(real.clone().detach() - judged, 1.0).mean();
        let generator = match lesson {
            Some(lesson) => game + lesson,
            None => game,
        };
        let critic = softplus(own_fake - real, 1.0).mean()
            + slopes * (0.5 * self.config.penalty_at(progress));

        Objective { loss: generator + critic, bound: energy_distance(x, fake * mask) }
    }

    fn density(&self) -> Density<'_> {
        Density::Implicit
    }

    fn generation(&self) -> Generation<'_> {
        Generation::Direct(self)
    }
}

impl Complete for Gan {
    fn noise_width(&self) -> usize {
        self.shape[0] * self.config.noise
    }

    fn complete(&self, x: Tensor<3>, shown: Tensor<3>, noise: Tensor<2>) -> Tensor<3> {
        self.generated(x, shown, noise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_penalty_goes_from_the_first_to_the_last() {
        for [penalty, last_penalty] in [[0.5, 0.005], [0.0, 0.005], [0.5, 0.0], [0.0, 0.0]] {
            let config = GanConfig { penalty, last_penalty, ..Default::default() };
            let all: Vec<f32> = (0..=10).map(|i| config.penalty_at(i as f32 / 10.0)).collect();
            assert_eq!(all[0], penalty);
            assert!((all[10] - last_penalty).abs() <= 1e-6 * penalty, "{all:?}");
            let ordered =
                all.is_sorted_by(|a, b| if penalty > last_penalty { a > b } else { a <= b });
            assert!(ordered, "{all:?}");
        }
    }
}
