//! `SplineFlow`: a coupling flow of windows, after Dinh et al. 2017 (arXiv 1605.08803, RealNVP) and
//! Durkan et al. 2019 (arXiv 1906.04032, neural spline flows), conditional on what is shown.
//!
//! Each layer keeps one half of a window and moves each number of the other by a shift, a scale and a
//! monotone spline, which a network decides from the kept half. So both directions take one evaluation,
//! and `-ln p(x) = Σ ½ z² + ½ ln 2π - ln |slope|` is exact. What is shown moves through no layer and is
//! told to all: the flow is then the exact density of the rest given that. It is trained with
//! everything asked for, the future, or parts: so the same weights score, generate, forecast and impute.

use burn::{
    module::Module,
    tensor::{Device, Tensor, activation::tanh},
};
use serde::{Deserialize, Serialize};

use super::{Batch, Complete, Density, Family, Generation, Objective, Score, Scores};
use crate::{
    parts::{Mixer, MixerSize, Spline},
    random::Random,
};

/// The size of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SplineFlowConfig {
    /// Channels inside the network of a layer.
    pub hidden: usize,
    /// Layers of the flow. Four keep each half once, in time and among the features.
    pub layers: usize,
    /// Blocks of the network of a layer.
    pub blocks: usize,
    /// Bins of the splines, two or more; 0 for shifts and scales alone, which is RealNVP.
    pub bins: usize,
    /// Scales of a layer stay within `e^±bound`: a sensor that stands still must not make infinite
    /// density, and what is drawn has to come back.
    pub scale_bound: f32,
}

impl Default for SplineFlowConfig {
    fn default() -> Self {
        Self { hidden: 64, layers: 4, blocks: 1, bins: 8, scale_bound: 3.0 }
    }
}

/// `½ ln 2π`
const HALF_LN_TAU: f32 = 0.918_938_5;

/// A coupling flow of windows `(time, features)`.
#[derive(Module, Debug)]
pub struct SplineFlow {
    layers: Vec<Coupling>,
    #[module(skip)]
    shape: [usize; 2],
}

impl SplineFlow {
    /// A flow that is the identity at first, for windows of `length` samples.
    ///
    /// # Panics
    ///
    /// If a window cannot be halved: an odd number of samples of one feature.
    #[must_use]
    pub fn new(
        config: &SplineFlowConfig,
        length: usize,
        features: usize,
        rng: &mut Random,
        device: &Device,
    ) -> Self {
        let halvings: &[Split] = match (length.is_multiple_of(2), features > 1) {
            (true, true) => &[Split::Time, Split::Features],
            (true, false) => &[Split::Time],
            (false, true) => &[Split::Features],
            (false, false) => panic!("{length} samples of one feature cannot be halved"),
        };
        let layer = |i: usize| {
            let split = halvings[i / 2 % halvings.len()];
            Coupling::new(config, split, i % 2 == 1, [length, features], rng, device)
        };
        Self { layers: (0..config.layers).map(layer).collect(), shape: [length, features] }
    }

    /// The latent `z` of what is `present` and not `shown`, and for each the logarithm of the slope that
    /// leads there; all `(batch, time, features)`. Where it is shown, `z` is `x`.
    #[must_use]
    pub fn transform(
        &self,
        x: Tensor<3>,
        present: Tensor<3>,
        shown: Tensor<3>,
    ) -> (Tensor<3>, Tensor<3>) {
        let mut z = x * present.clone();
        let mut log_slope = present.clone() * 0.0;
        for layer in &self.layers {
            let moved;
            (z, moved) = layer.forward(z, &present, &shown);
            log_slope = log_slope + moved;
        }
        (z, log_slope)
    }

    /// The windows whose latents are `z`: the way back.
    #[must_use]
    pub fn invert(&self, z: Tensor<3>, present: Tensor<3>, shown: Tensor<3>) -> Tensor<3> {
        let layers = self.layers.iter().rev();
        layers.fold(z, |z, layer| layer.inverse(z, &present, &shown))
    }

    /// `-ln p` of each value that is `present` and not `shown`, given what is; zero elsewhere.
    fn nll(&self, x: Tensor<3>, present: Tensor<3>, shown: Tensor<3>) -> Tensor<3> {
        let (z, log_slope) = self.transform(x, present.clone(), shown.clone());
        (z.clone() * z * 0.5 + HALF_LN_TAU - log_slope) * (present - shown)
    }
}

/// Windows are learned with holes where a normal number is below this: a quarter of them, so that
/// missing values are nothing new.
const HOLED_BELOW: f32 = -0.6745;
/// And there, each value is a hole where another is below this: a fifth of them.
const HOLE_BELOW: f32 = -0.8416;

impl Family for SplineFlow {
    /// A number that says whether a window has holes, and one for each value that says where.
    fn noise_width(&self) -> usize {
        let [length, features] = self.shape;
        1 + length * features
    }

    fn objective(&self, batch: Batch, _progress: f32) -> Objective {
        let Batch { x, mask, shown, noise } = batch;
        let [windows, length, features] = x.dims();
        let n = length * features;
        let holed = noise.clone().slice([0..windows, 0..1]).lower_elem(HOLED_BELOW).float();
        let holes = noise.slice([0..windows, 1..n + 1]).lower_elem(HOLE_BELOW).float();
        let kept = (holes * holed).reshape([windows, length, features]) * -1.0 + 1.0;
        let (present, shown) = (mask * kept.clone(), shown * kept);
        let asked = (present.clone() - shown.clone()).sum().clamp_min(1.0);
        let loss = self.nll(x, present, shown).sum() / asked;
        Objective { bound: loss.clone(), loss }
    }

    fn density(&self) -> Density<'_> {
        Density::Exact(self)
    }

    fn generation(&self) -> Generation<'_> {
        Generation::Direct(self)
    }
}

impl Score for SplineFlow {
    fn score(&self, x: Tensor<3>, mask: Tensor<3>) -> Scores {
        let shown = mask.clone() * 0.0;
        Scores { nll: self.nll(x, mask, shown), kl: None }
    }
}

impl Complete for SplineFlow {
    fn noise_width(&self) -> usize {
        let [length, features] = self.shape;
        length * features
    }

    fn complete(&self, x: Tensor<3>, shown: Tensor<3>, noise: Tensor<2>) -> Tensor<3> {
        let noise = noise.reshape(x.dims());
        let present = shown.clone() * 0.0 + 1.0;
        let z = x * shown.clone() + noise * (present.clone() - shown.clone());
        self.invert(z, present, shown)
    }
}

/// How a window `(time, features)` falls into two halves.
#[derive(Clone, Copy, Debug)]
enum Split {
    /// Samples of even and of odd number, side by side.
    Time,
    /// The first features and the others.
    Features,
}

impl Split {
    /// The rows and columns of which it takes the first `half` columns and the others.
    fn rows(self, [length, features]: [usize; 2]) -> ([usize; 2], usize) {
        match self {
            Self::Time => ([length / 2, 2 * features], features),
            Self::Features => ([length, features], features / 2),
        }
    }
}

/// One layer: the half that it keeps decides how the other moves.
#[derive(Module, Debug)]
struct Coupling {
    network: Mixer,
    #[module(skip)]
    split: Split,
    /// Whether it keeps the second half.
    #[module(skip)]
    second: bool,
    #[module(skip)]
    shape: [usize; 2],
    #[module(skip)]
    bins: usize,
    #[module(skip)]
    scale_bound: f32,
}

/// How the numbers of a half move.
struct Movement {
    shift: Tensor<3>,
    log_scale: Tensor<3>,
    spline: Option<Spline>,
}

impl Coupling {
    fn new(
        config: &SplineFlowConfig,
        split: Split,
        second: bool,
        shape: [usize; 2],
        rng: &mut Random,
        device: &Device,
    ) -> Self {
        let ([rows, columns], half) = split.rows(shape);
        let moving = if second { half } else { columns - half };
        let size = MixerSize {
            length: rows,
            // What is kept, what of the rest is shown, and where both are present and shown.
            inputs: 3 * columns,
            hidden: config.hidden,
            outputs: moving * (2 + spline_parameters(config.bins)),
            blocks: config.blocks,
        };
        let SplineFlowConfig { bins, scale_bound, .. } = *config;
        Self { network: Mixer::new(&size, rng, device), split, second, shape, bins, scale_bound }
    }

    /// Moves the half that is not kept, and says the logarithms of the slopes.
    fn forward(
        &self,
        x: Tensor<3>,
        present: &Tensor<3>,
        shown: &Tensor<3>,
    ) -> (Tensor<3>, Tensor<3>) {
        let [kept, moving] = self.halves(x);
        let Movement { shift, log_scale, spline } = self.movement(&kept, &moving, present, shown);
        let asked = self.asked(present, shown);
        let placed = (moving.clone() - shift) * (-log_scale.clone()).exp();
        let (moved, bent) = match spline {
            Some(spline) => {
                let shape = placed.dims();
                let (moved, bent) = spline.forward(in_one_row(placed));
                (moved.reshape(shape), bent.reshape(shape))
            }
            None => (placed.clone(), placed * 0.0),
        };
        let y = moving.clone() + (moved - moving) * asked.clone();
        let log_slope = (bent - log_scale) * asked;
        (self.joined(kept.clone(), y), self.joined(kept * 0.0, log_slope))
    }

    fn inverse(&self, y: Tensor<3>, present: &Tensor<3>, shown: &Tensor<3>) -> Tensor<3> {
        let [kept, moved] = self.halves(y);
        let Movement { shift, log_scale, spline } = self.movement(&kept, &moved, present, shown);
        let placed = match spline {
            Some(spline) => spline.inverse(in_one_row(moved.clone())).reshape(moved.dims()),
            None => moved.clone(),
        };
        let moving = placed * log_scale.exp() + shift;
        let x = moved.clone() + (moving - moved) * self.asked(present, shown);
        self.joined(kept, x)
    }

    fn movement(
        &self,
        kept: &Tensor<3>,
        other: &Tensor<3>,
        present: &Tensor<3>,
        shown: &Tensor<3>,
    ) -> Movement {
        let [_, shown_there] = self.halves(shown.clone());
        let [masks, shown] = [present, shown].map(|mask| self.in_rows(mask.clone()));
        let told = other.clone() * shown_there;
        let said =
            self.network.forward(Tensor::cat(vec![kept.clone(), told, masks, shown], 2), None);
        let [batch, rows, columns] = other.dims();
        let each = 2 + spline_parameters(self.bins);
        let numbers = rows * columns;
        let said = said.reshape([batch, numbers, each]).swap_dims(1, 2);
        let part = |from, to| said.clone().slice([0..batch, from..to, 0..numbers]);
        let one = |i| part(i, i + 1).reshape([batch, rows, columns]);
        Movement {
            shift: one(0),
            log_scale: tanh(one(1) / self.scale_bound) * self.scale_bound,
            spline: (self.bins > 0).then(|| Spline::new(part(2, each), self.bins)),
        }
    }

    /// Where the moving half moves.
    fn asked(&self, present: &Tensor<3>, shown: &Tensor<3>) -> Tensor<3> {
        let [_, asked] = self.halves(present.clone() - shown.clone());
        asked
    }

    fn in_rows(&self, x: Tensor<3>) -> Tensor<3> {
        let ([rows, columns], _) = self.split.rows(self.shape);
        let [batch, ..] = x.dims();
        x.reshape([batch, rows, columns])
    }

    /// The half that is kept, and the one that moves.
    fn halves(&self, x: Tensor<3>) -> [Tensor<3>; 2] {
        let ([rows, columns], half) = self.split.rows(self.shape);
        let [batch, ..] = x.dims();
        let x = self.in_rows(x);
        let part = |from, to| x.clone().slice([0..batch, 0..rows, from..to]);
        let (first, other) = (part(0, half), part(half, columns));
        if self.second { [other, first] } else { [first, other] }
    }

    /// The window of both.
    fn joined(&self, kept: Tensor<3>, moved: Tensor<3>) -> Tensor<3> {
        let [batch, ..] = kept.dims();
        let [length, features] = self.shape;
        let halves = if self.second { vec![moved, kept] } else { vec![kept, moved] };
        Tensor::cat(halves, 2).reshape([batch, length, features])
    }
}

fn in_one_row(x: Tensor<3>) -> Tensor<3> {
    let [batch, rows, columns] = x.dims();
    x.reshape([batch, 1, rows * columns])
}

fn spline_parameters(bins: usize) -> usize {
    if bins == 0 { 0 } else { Spline::parameters(bins) }
}
