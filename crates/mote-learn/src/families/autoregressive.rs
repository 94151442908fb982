//! `Autoregressive`: each sample given all before it, by dilated causal convolutions (WaveNet, van den
//! Oord et al. 2016, arXiv 1609.03499) and a mixture density (Bishop 1994).
//!
//! `-ln p(x) = Σ_t -ln p(x[t] | x[..t])` is exact. What is missing is left out of the sample that it
//! belongs to, exactly, and shown as missing to the samples behind it.

use burn::{
    module::Module,
    tensor::{Device, Tensor, activation::relu},
};
use serde::{Deserialize, Serialize};

use super::{Batch, Density, Family, Generation, Next, Objective, Score, Scores, per_observed};
use crate::{
    layout::Layout,
    parts::{CausalStack, Dense, MixtureHead, delayed},
    random::Random,
};

/// The size of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AutoregressiveConfig {
    /// Channels of the convolutions over the past.
    pub hidden: usize,
    /// Convolutions over the past, with dilation 1, 2, 4, …: the last sees `2^convolutions` samples.
    pub convolutions: usize,
    /// Components of the mixture. 8 are more than most machines have next states.
    pub components: usize,
}

impl Default for AutoregressiveConfig {
    fn default() -> Self {
        Self { hidden: 48, convolutions: 5, components: 8 }
    }
}

/// An autoregressive model of windows `(time, features)` of any length.
#[derive(Module, Debug)]
pub struct Autoregressive {
    past: CausalStack,
    context: Dense,
    head: MixtureHead,
}

impl Autoregressive {
    /// A model with random weights.
    #[must_use]
    pub fn new(
        config: &AutoregressiveConfig,
        layout: &Layout,
        rng: &mut Random,
        device: &Device,
    ) -> Self {
        let AutoregressiveConfig { hidden, convolutions, components } = *config;
        Self {
            past: CausalStack::new(2 * layout.features(), hidden, convolutions, rng, device),
            context: Dense::new(hidden, hidden, rng, device),
            head: MixtureHead::new(hidden, components, layout, rng, device),
        }
    }

    /// What the samples before each tell, `(batch, time, hidden)`. A row of `before` is the sample
    /// before and what of it is known.
    fn context(&self, before: Tensor<3>) -> Tensor<3> {
        relu(self.context.forward_series(self.past.forward(before)))
    }
}

impl Family for Autoregressive {
    fn noise_width(&self) -> usize {
        0
    }

    fn objective(&self, batch: Batch, _progress: f32) -> Objective {
        // There is no density of a value that was not shown, so what is hidden is missing.
        let nll = self.score(batch.x * batch.shown.clone(), batch.shown.clone()).nll.sum();
        let loss = per_observed(nll, batch.shown);
        Objective { bound: loss.clone(), loss }
    }

    fn density(&self) -> Density<'_> {
        Density::Exact(self)
    }

    fn generation(&self) -> Generation<'_> {
        Generation::Sequential(self)
    }
}

impl Score for Autoregressive {
    fn score(&self, x: Tensor<3>, mask: Tensor<3>) -> Scores {
        let before = delayed(Tensor::cat(vec![x.clone(), mask.clone()], 2), 1);
        Scores { nll: self.head.score(self.context(before), x, mask), kl: None }
    }
}

impl Next for Autoregressive {
    fn noise_width(&self) -> usize {
        self.head.noise_width()
    }

    fn next(
        &self,
        before: Tensor<3>,
        x: Tensor<3>,
        shown: Tensor<3>,
        noise: Tensor<3>,
    ) -> Tensor<3> {
        self.head.draw(self.context(before), x, shown, noise)
    }
}
