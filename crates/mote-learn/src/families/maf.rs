//! `Maf`: a masked autoregressive flow over time and sensors, after Papamakarios et al. 2017
//! (arXiv 1705.07057), whose conditioner sees the past through dilated causal convolutions.
//!
//! Each layer maps `x[t, c]` to `(x[t, c] - μ) · e^-s`, where `μ` and `s` depend on all earlier
//! samples and on the channels before `c` in this layer's order. The order of the channels is
//! reversed from layer to layer, that of time never is, so the Jacobian is triangular and
//! `-ln p(x) = Σ -ln p(z) + Σ s` is exact, and splits exactly over time.

use burn::{
    module::Module,
    tensor::{
        Device, Tensor,
        activation::{relu, tanh},
    },
};
use serde::{Deserialize, Serialize};

use super::{Batch, Density, Family, Objective, Score, Scores, per_observed};
use crate::{
    parts::{CausalStack, Dense, MaskedDense, delayed},
    random::Random,
};

/// The size of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MafConfig {
    /// Channels of the convolutions over the past.
    pub hidden: usize,
    /// Layers of the flow. Two are the least in which every order of channels is seen.
    pub layers: usize,
    /// Convolutions over the past, with dilation 1, 2, 4, …: the last sees `2^convolutions` samples.
    pub convolutions: usize,
    /// Scales stay within `e^±bound`: a sensor that stands still must not make infinite density.
    pub scale_bound: f32,
}

impl Default for MafConfig {
    fn default() -> Self {
        Self { hidden: 32, layers: 2, convolutions: 4, scale_bound: 4.0 }
    }
}

/// Deviations from which on a latent counts by its size and no longer by its square.
const FAR: f32 = 2.0;
/// What makes the density of latents integrate to one: `ln(√2π · erf(FAR / √2) + 2 / FAR · e^(-FAR² / 2))`.
const LN_WHOLE: f32 = 0.927_393_4;

/// `-ln p` of latents, normal with exponential tails: the density of Huber 1964 (Robust Estimation of a Location
/// Parameter).
///
/// A flow of bounded scales has the tails of its latents (Jaini et al. 2020, arXiv 1907.04481), and sensors have heavier
/// ones than the normal distribution: its squares make a few values beyond all others, of which then a training learns
/// and a score speaks alone. Tails of a power, as of Student's t, tell more of the data and less of a fault.
fn latent_nll(z: Tensor<3>) -> Tensor<3> {
    let size = z.abs();
    let near = size.clone().clamp_max(FAR);
    near.clone() * (size - near * 0.5) + LN_WHOLE
}

/// A masked autoregressive flow of windows `(time, features)`.
#[derive(Module, Debug)]
pub struct Maf {
    layers: Vec<Layer>,
}

impl Maf {
    /// A flow that is the identity at first, for windows of any length.
    #[must_use]
    pub fn new(config: &MafConfig, features: usize, rng: &mut Random, device: &Device) -> Self {
        let layers = (0..config.layers)
            .map(|i| Layer::new(config, features, i % 2 == 1, rng, device))
            .collect();
        Self { layers }
    }

    /// The latent `z` and `Σ s`, both `(batch, time, features)`.
    #[must_use]
    pub fn transform(&self, x: Tensor<3>, mask: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        let mut z = x;
        let mut log_scale: Option<Tensor<3>> = None;
        for layer in &self.layers {
            let (mean, s) = layer.condition(z.clone(), mask.clone());
            z = (z - mean) * (-s.clone()).exp() * mask.clone();
            log_scale = Some(match log_scale {
                Some(sum) => sum + s,
                None => s,
            });
        }
        let log_scale = log_scale.unwrap_or_else(|| z.zeros_like());
        (z, log_scale)
    }
}

impl Family for Maf {
    fn noise_width(&self) -> usize {
        0
    }

    fn objective(&self, batch: Batch, _progress: f32) -> Objective {
        // A flow has no density of a value that it was not shown, so what is hidden is missing.
        let nll = self.score(batch.x * batch.shown.clone(), batch.shown.clone()).nll.sum();
        let loss = per_observed(nll, batch.shown);
        Objective { bound: loss.clone(), loss }
    }

    fn density(&self) -> Density<'_> {
        Density::Exact(self)
    }
}

impl Score for Maf {
    fn score(&self, x: Tensor<3>, mask: Tensor<3>) -> Scores {
        let (z, log_scale) = self.transform(x, mask.clone());
        Scores { nll: (latent_nll(z) + log_scale) * mask, kl: None }
    }
}

/// One layer: the conditioner that tells `μ` and `s` of each value.
#[derive(Module, Debug)]
struct Layer {
    past: CausalStack,
    present: MaskedDense,
    context: Dense,
    from_present: MaskedDense,
    from_past: Dense,
    #[module(skip)]
    scale_bound: f32,
}

impl Layer {
    fn new(
        config: &MafConfig,
        features: usize,
        reversed: bool,
        rng: &mut Random,
        device: &Device,
    ) -> Self {
        // Unit `u` may see the channels of rank below its degree; channel `c` may see the units of
        // a degree up to its own rank. Degree 0 sees the past alone.
        let rank = |c: usize| if reversed { features - 1 - c } else { c };
        let degree = |u: usize| u % features;
        let units = config.hidden.max(2 * features);
        let MafConfig { hidden, convolutions, .. } = *config;
        Self {
            past: CausalStack::new(2 * features, hidden, convolutions, rng, device),
            present: MaskedDense::new(features, units, |c, u| rank(c) < degree(u), rng, device),
            context: Dense::new(config.hidden, units, rng, device),
            from_present: MaskedDense::new(
                units,
                2 * features,
                |u, o| degree(u) <= rank(o % features),
                rng,
                device,
            )
            .silenced(),
            from_past: Dense::silent(config.hidden, 2 * features, device),
            scale_bound: config.scale_bound,
        }
    }

    /// `μ` and `s`, both `(batch, time, features)`.
    fn condition(&self, x: Tensor<3>, mask: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        let [batch, time, features] = x.dims();
        let rows = batch * time;
        let h = self.past.forward(delayed(Tensor::cat(vec![x.clone(), mask], 2), 1));
        let h = h.reshape([rows, self.context.weight.dims()[0]]);
        let present = self.present.forward(x.reshape([rows, features]));
        let units = relu(present + self.context.forward(h.clone()));
        let y = self.from_present.forward(units) + self.from_past.forward(h);
        let y = y.reshape([batch, time, 2 * features]);
        let mean = y.clone().slice([0..batch, 0..time, 0..features]);
        let s = y.slice([0..batch, 0..time, features..2 * features]);
        (mean, tanh(s / self.scale_bound) * self.scale_bound)
    }
}
