//! Model families, and the one seam between them and everything else.
//!
//! A family is a file that composes parts. The training loop, capture and calibration know only the
//! traits here. Whether a model can answer "how probable is this?" is part of its type: only what
//! implements [`Score`] can be put into the variants of [`Density`] that carry a scorer.

mod autoregressive;
mod diffusion;
mod distilled;
mod energy;
mod gan;
mod latent_diffusion;
mod maf;
mod spline_flow;
mod time_vae;
mod transformer;
mod vq_vae;

pub use autoregressive::{Autoregressive, AutoregressiveConfig};
pub use diffusion::{Diffusion, DiffusionConfig, Prediction};
pub use distilled::Distilled;
pub use energy::{EnergyConfig, EnergyModel};
pub use gan::{Gan, GanConfig};
pub use latent_diffusion::{LatentDiffusion, LatentDiffusionConfig};
pub use maf::{Maf, MafConfig};
pub use spline_flow::{SplineFlow, SplineFlowConfig};
pub use time_vae::{TimeVae, TimeVaeConfig};
pub use transformer::{Transformer, TransformerConfig};
pub use vq_vae::{VqVae, VqVaeConfig};

use burn::{module::Module, tensor::Tensor};
use mote_format::manifest::Generator;

/// Windows in standard units. Both tensors are `(batch, time, features)`.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Zero where nothing was observed.
    pub x: Tensor<3>,
    /// 1 where observed, 0 where missing.
    pub mask: Tensor<3>,
    /// Like `mask`, but without the values that the model must do without in this step.
    pub shown: Tensor<3>,
    /// `(batch, noise_width)`, standard normal.
    pub noise: Tensor<2>,
}

/// What a training step minimizes, in nats per observed value.
#[derive(Clone, Debug)]
pub struct Objective {
    /// `(1,)`, what gradients are taken of.
    pub loss: Tensor<1>,
    /// `(1,)`, the same without annealing and free bits: comparable between steps.
    pub bound: Tensor<1>,
}

/// A model that can be trained.
pub trait Family: Module + Clone + Send {
    /// Standard normal numbers that one window needs in a training step.
    fn noise_width(&self) -> usize;

    /// The objective on a batch; `progress` runs from 0 to 1 over the training.
    fn objective(&self, batch: Batch, progress: f32) -> Objective;

    /// The model once it has also learned from the `batch` of step `step` what it learns without
    /// gradients; `progress` is as in the objective.
    #[must_use]
    fn settled(self, _batch: &Batch, _step: u64, _progress: f32) -> Self {
        self
    }

    /// What kind of density it has, with the scorer where there is one.
    fn density(&self) -> Density<'_>;

    /// The latent space, where there is one.
    fn encoder(&self) -> Option<&dyn Encode> {
        None
    }

    /// The codebook, where there is one.
    fn quantizer(&self) -> Option<&dyn Quantize> {
        None
    }

    /// How it completes windows, where it can.
    fn generation(&self) -> Generation<'_> {
        Generation::None
    }
}

/// What may be asked of a model about probability. A family without a likelihood does not implement
/// [`Score`], so it cannot be anything but `Implicit`, and there is nobody to ask.
#[derive(Clone, Copy)]
pub enum Density<'m> {
    /// `-ln p(x)`.
    Exact(&'m dyn Score),
    /// An estimate of an upper bound of `-ln p(x)`.
    Bound(&'m dyn Score),
    /// `-ln p(x)` up to an unknown constant.
    Energy(&'m dyn Score),
    /// Samples only.
    Implicit,
}

/// How a model completes windows of which a part is known, or nothing.
#[derive(Clone, Copy)]
pub enum Generation<'m> {
    /// Not at all.
    None,
    /// In one evaluation.
    Direct(&'m dyn Complete),
    /// In many, along a path from noise.
    Iterative(&'m dyn Denoise),
    /// Sample by sample, each given those before it.
    Sequential(&'m dyn Next),
}

/// A model that completes a window in one evaluation.
pub trait Complete {
    /// Standard normal numbers that one window needs.
    fn noise_width(&self) -> usize;

    /// A window `(batch, time, features)` in standard units, drawn given what is `shown` of `x`; what
    /// was shown may be answered as anything. `noise` is `(batch, noise_width)`.
    fn complete(&self, x: Tensor<3>, shown: Tensor<3>, noise: Tensor<2>) -> Tensor<3>;
}

/// A model that tells where on a path from noise to data a window came from.
pub trait Denoise {
    /// The mean of the windows in standard units from which `state` `(batch, time, features)` may have
    /// come at `time` `(batch, 1)`, given what is `shown` of `known`.
    fn denoise(
        &self,
        state: Tensor<3>,
        time: Tensor<2>,
        known: Tensor<3>,
        shown: Tensor<3>,
    ) -> Tensor<3>;

    /// The path, and how it is best followed.
    fn generator(&self) -> Generator;
}

/// A model that draws a sample given those before it.
///
/// Entry points capture it over a window and turn that into a program that advances by one sample; so
/// it may look back only, as far as it likes.
pub trait Next {
    /// Standard normal numbers that one sample needs.
    fn noise_width(&self) -> usize;

    /// Samples `(batch, time, features)` in standard units, each drawn given what is `shown` of it in `x`
    /// and the samples before it; where it is shown, it is `x`. Row `t` of `before`
    /// `(batch, time, 2·features)` is sample `t - 1`, with ones behind it, or zeros where nothing is
    /// before. `noise` is `(batch, time, noise_width)`.
    fn next(
        &self,
        before: Tensor<3>,
        x: Tensor<3>,
        shown: Tensor<3>,
        noise: Tensor<3>,
    ) -> Tensor<3>;
}

/// How improbable each value of a window is.
#[derive(Clone, Debug)]
pub struct Scores {
    /// `(batch, time, features)` in nats, zero where nothing was observed.
    pub nll: Tensor<3>,
    /// `(batch, 1)` in nats: what belongs to the window as a whole.
    pub kl: Option<Tensor<2>>,
}

/// A model with a likelihood, of whatever kind.
pub trait Score {
    /// Scores windows `(batch, time, features)` in standard units.
    fn score(&self, x: Tensor<3>, mask: Tensor<3>) -> Scores;
}

/// A model with a latent space.
pub trait Encode {
    /// Mean and log-variance of the posterior, each `(batch, latent)`.
    fn encode(&self, x: Tensor<3>, mask: Tensor<3>) -> (Tensor<2>, Tensor<2>);
}

/// A model whose latent space is a codebook.
pub trait Quantize {
    /// Which code each place of a window takes, `(batch, places, codes)`: 1 there and 0 elsewhere; codes
    /// that are equal share.
    fn quantize(&self, x: Tensor<3>, mask: Tensor<3>) -> Tensor<3>;
}

/// `Σ x / Σ mask`, as a tensor of one element.
pub(crate) fn per_observed(x: Tensor<1>, mask: Tensor<3>) -> Tensor<1> {
    x / mask.sum().clamp_min(1.0)
}
