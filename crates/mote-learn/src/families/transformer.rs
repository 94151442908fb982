//! `Transformer`: each sample given those before it, by causal attention (Vaswani et al. 2017, arXiv
//! 1706.03762; layers normalized at their inputs, Xiong et al. 2020, arXiv 2002.04745) and a mixture
//! density (Bishop 1994), with a mixture of experts where it is asked for (Fedus et al. 2022, arXiv
//! 2101.03961).
//!
//! A sample is a token. `-ln p(x) = Σ_t -ln p(x[t] | x[..t])` is exact, where a sample sees so many
//! before it in each layer as the window of attention has; on a stream the keys and values of these are
//! all that is remembered.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use serde::{Deserialize, Serialize};

use super::{Batch, Density, Family, Generation, Next, Objective, Score, Scores, per_observed};
use crate::{
    layout::Layout,
    parts::{CausalAttention, Dense, Experts, LayerNorm, MixtureHead, Routes, delayed},
    random::Random,
};

/// The size of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TransformerConfig {
    /// Channels of a token; a multiple of the heads.
    pub hidden: usize,
    /// Heads of attention.
    pub heads: usize,
    /// Blocks of attention and a network behind it.
    pub blocks: usize,
    /// Samples that a layer of attention sees, the present one among them.
    pub window: usize,
    /// Networks of which each token takes a few; 1 for the usual transformer.
    pub experts: usize,
    /// How many of them it takes.
    pub active: usize,
    /// Components of the mixture.
    pub components: usize,
}

impl Default for TransformerConfig {
    fn default() -> Self {
        Self { hidden: 48, heads: 4, blocks: 2, window: 32, experts: 1, active: 1, components: 8 }
    }
}

/// Weight of how unevenly experts are used, as in Fedus et al.: too little to be felt elsewhere.
const UNEVENNESS: f32 = 0.01;

/// A transformer over windows `(time, features)` of any length.
#[derive(Module, Debug)]
pub struct Transformer {
    embed: Dense,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: MixtureHead,
}

#[derive(Module, Debug)]
struct Block {
    attention_norm: LayerNorm,
    attention: CausalAttention,
    experts_norm: LayerNorm,
    experts: Experts,
}

impl Transformer {
    /// A model with random weights.
    ///
    /// # Panics
    ///
    /// If `hidden` is no multiple of `heads`, anything of its size is zero, or more experts are taken than
    /// there are.
    #[must_use]
    pub fn new(
        config: &TransformerConfig,
        layout: &Layout,
        rng: &mut Random,
        device: &Device,
    ) -> Self {
        let TransformerConfig { hidden, heads, blocks, window, experts, active, components } =
            *config;
        let embed = Dense::new(2 * layout.features(), hidden, rng, device);
        let mut block = || Block {
            attention_norm: LayerNorm::new(hidden, device),
            attention: CausalAttention::new(hidden, heads, window, rng, device),
            experts_norm: LayerNorm::new(hidden, device),
            experts: Experts::new(hidden, [experts, active], rng, device),
        };
        let blocks = (0..blocks).map(|_| block()).collect();
        let norm = LayerNorm::new(hidden, device);
        Self {
            embed,
            blocks,
            norm,
            head: MixtureHead::new(hidden, components, layout, rng, device),
        }
    }

    /// What the samples before each tell, `(batch, time, hidden)`, and the experts that they were sent to
    /// in each block that has several. A row of `before` is the sample before and what of it is known.
    fn context(&self, before: Tensor<3>) -> (Tensor<3>, Vec<Routes>) {
        let mut h = self.embed.forward_series(before);
        let mut routes = Vec::new();
        for block in &self.blocks {
            h = h.clone() + block.attention.forward(block.attention_norm.forward(h));
            let (said, taken) = block.experts.forward(block.experts_norm.forward(h.clone()));
            h = h + said;
            routes.extend(taken);
        }
        (self.norm.forward(h), routes)
    }

    fn nll(&self, x: Tensor<3>, mask: Tensor<3>) -> (Tensor<3>, Vec<Routes>) {
        let before = delayed(Tensor::cat(vec![x.clone(), mask.clone()], 2), 1);
        let (context, routes) = self.context(before);
        (self.head.score(context, x, mask), routes)
    }

    /// The experts that the samples of windows `(batch, time, features)` are sent to, for each block; none
    /// where there is one expert.
    #[must_use]
    pub fn routes(&self, x: Tensor<3>, mask: Tensor<3>) -> Vec<Routes> {
        self.nll(x, mask).1
    }
}

impl Family for Transformer {
    fn noise_width(&self) -> usize {
        0
    }

    fn objective(&self, batch: Batch, _progress: f32) -> Objective {
        // There is no density of a value that was not shown, so what is hidden is missing.
        let (nll, routes) = self.nll(batch.x * batch.shown.clone(), batch.shown.clone());
        let bound = per_observed(nll.sum(), batch.shown);
        let loss = routes
            .iter()
            .fold(bound.clone(), |loss, routes| loss + routes.unevenness() * UNEVENNESS);
        Objective { loss, bound }
    }

    fn density(&self) -> Density<'_> {
        Density::Exact(self)
    }

    fn generation(&self) -> Generation<'_> {
        Generation::Sequential(self)
    }
}

impl Score for Transformer {
    fn score(&self, x: Tensor<3>, mask: Tensor<3>) -> Scores {
        Scores { nll: self.nll(x, mask).0, kl: None }
    }
}

impl Next for Transformer {
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
        self.head.draw(self.context(before).0, x, shown, noise)
    }
}
