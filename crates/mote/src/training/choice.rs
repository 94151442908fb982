//! Which family, how large, and what of it decides a training: the list that grows with each family.

use mote_learn::{
    families::{
        AutoregressiveConfig, DiffusionConfig, MafConfig, SplineFlowConfig, TimeVaeConfig,
        TransformerConfig, VqVaeConfig,
    },
    train::TrainConfig,
};
use serde::{Deserialize, Serialize};

/// Which family, and how large.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Model {
    /// A convolutional variational autoencoder.
    Vae(TimeVaeConfig),
    /// A masked autoregressive flow.
    Flow(MafConfig),
    /// A diffusion model, or flow matching: the path says which.
    Diffusion(DiffusionConfig),
    /// Sample by sample: causal convolutions and a mixture density.
    Autoregressive(AutoregressiveConfig),
    /// A coupling flow with splines, conditional on what is shown.
    SplineFlow(SplineFlowConfig),
    /// Sample by sample: causal attention and a mixture density.
    Transformer(TransformerConfig),
    /// An autoencoder whose latent space is a codebook.
    VqVae(VqVaeConfig),
}

impl Model {
    /// The name in the literature.
    #[must_use]
    pub fn family(&self) -> &'static str {
        match self {
            Self::Vae(_) => "TimeVae",
            Self::Flow(_) => "Maf",
            Self::Diffusion(_) => "Diffusion",
            Self::Autoregressive(_) => "Autoregressive",
            Self::SplineFlow(_) => "SplineFlow",
            Self::Transformer(_) => "Transformer",
            Self::VqVae(_) => "VqVae",
        }
    }

    /// The shortest and longest window that the data may choose. Some ask for each sample what the ones
    /// before it make probable; beyond 32 of them that only costs time.
    pub(super) fn windows(&self) -> [usize; 2] {
        match self {
            Self::Vae(_) | Self::VqVae(_) | Self::Diffusion(_) => [16, 64],
            Self::Flow(_)
            | Self::Autoregressive(_)
            | Self::SplineFlow(_)
            | Self::Transformer(_) => [16, 32],
        }
    }

    /// Whether it tells how improbable a window is. Then held-back data has to choose a threshold.
    pub(super) fn has_scores(&self) -> bool {
        match self {
            Self::Diffusion(_) => false,
            Self::Vae(_)
            | Self::Flow(_)
            | Self::Autoregressive(_)
            | Self::SplineFlow(_)
            | Self::Transformer(_)
            | Self::VqVae(_) => true,
        }
    }

    /// What comes after a training that is the `first`: into how many evaluations the model is
    /// distilled, and how. The student begins where its teacher is, so it needs less.
    pub(super) fn distillation(&self, first: &TrainConfig) -> Option<(usize, TrainConfig)> {
        let Self::Diffusion(DiffusionConfig { strides: Some(strides), .. }) = self else {
            return None;
        };
        let second = TrainConfig {
            steps: first.steps.div_ceil(2),
            evaluate_every: first.evaluate_every.div_ceil(2),
            learning_rate: 0.5 * first.learning_rate,
            ..first.clone()
        };
        Some((*strides, second))
    }

    /// Windows must be a multiple of this.
    pub(super) fn granularity(&self) -> usize {
        match self {
            Self::Vae(config) => 1 << config.halvings,
            Self::VqVae(config) => 1 << config.halvings,
            // Even and odd samples are its halves.
            Self::SplineFlow(_) => 2,
            Self::Flow(_) | Self::Diffusion(_) | Self::Autoregressive(_) | Self::Transformer(_) => {
                1
            }
        }
    }

    /// The usual training for data of so many samples.
    #[must_use]
    pub fn training(&self, samples: usize) -> TrainConfig {
        let usual = TrainConfig::for_samples(samples);
        match self {
            Self::Vae(_) | Self::Flow(_) | Self::Autoregressive(_) | Self::Transformer(_) => usual,
            // Half of the windows are for scores and generation, the rest for what is asked of known
            // parts.
            Self::SplineFlow(_) | Self::VqVae(_) => {
                TrainConfig { hide: 0.3, hide_all: 0.5, hide_future: 0.2, ..usual }
            }
            // One step sees one moment of the path, so there have to be more of them; half of the
            // windows are for generation, the rest for what is asked of known parts.
            Self::Diffusion(_) => TrainConfig {
                steps: 5 * usual.steps,
                evaluate_every: 5 * usual.evaluate_every,
                patience: u32::MAX,
                hide: 0.3,
                hide_all: 0.5,
                hide_future: 0.2,
                average: Some(0.999),
                ..usual
            },
        }
    }
}
