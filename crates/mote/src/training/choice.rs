//! Which family, how large, and what of it decides a training: the list that grows with each family.

use mote_learn::{
    families::{
        AutoregressiveConfig, DiffusionConfig, EnergyConfig, GanConfig, LatentDiffusionConfig,
        MafConfig, Prediction, SplineFlowConfig, TimeVaeConfig, TransformerConfig, VqVaeConfig,
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
    /// An autoencoder, and diffusion in its latent space.
    LatentDiffusion(LatentDiffusionConfig),
    /// A generator and a critic that play against each other.
    Gan(GanConfig),
    /// An energy, followed down by Langevin dynamics.
    Energy(EnergyConfig),
}

impl Model {
    /// All of them in their usual size, by their names on the command line.
    #[must_use]
    pub fn all() -> [(&'static str, Self); 10] {
        [
            ("vae", Self::Vae(TimeVaeConfig::default())),
            ("flow", Self::Flow(MafConfig::default())),
            ("diffusion", Self::Diffusion(DiffusionConfig::default())),
            ("autoregressive", Self::Autoregressive(AutoregressiveConfig::default())),
            ("spline-flow", Self::SplineFlow(SplineFlowConfig::default())),
            ("transformer", Self::Transformer(TransformerConfig::default())),
            ("vq-vae", Self::VqVae(VqVaeConfig::default())),
            ("latent-diffusion", Self::LatentDiffusion(LatentDiffusionConfig::default())),
            ("gan", Self::Gan(GanConfig::default())),
            ("energy", Self::Energy(EnergyConfig::default())),
        ]
    }

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
            Self::LatentDiffusion(_) => "LatentDiffusion",
            Self::Gan(_) => "Gan",
            Self::Energy(_) => "EnergyModel",
        }
    }

    /// The shortest and longest window that the data may choose. Some ask for each sample what the ones
    /// before it make probable; beyond 32 of them that only costs time.
    pub(super) fn windows(&self) -> [usize; 2] {
        match self {
            Self::Vae(_)
            | Self::VqVae(_)
            | Self::Diffusion(_)
            | Self::LatentDiffusion(_)
            | Self::Gan(_)
            | Self::Energy(_) => [16, 64],
            Self::Flow(_)
            | Self::Autoregressive(_)
            | Self::SplineFlow(_)
            | Self::Transformer(_) => [16, 32],
        }
    }

    /// Whether it tells how improbable a window is. Then held-back data has to choose a threshold.
    pub(super) fn has_scores(&self) -> bool {
        match self {
            Self::Diffusion(_) | Self::Gan(_) => false,
            Self::Vae(_)
            | Self::Flow(_)
            | Self::Autoregressive(_)
            | Self::SplineFlow(_)
            | Self::Transformer(_)
            | Self::VqVae(_)
            | Self::LatentDiffusion(_)
            | Self::Energy(_) => true,
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
            Self::LatentDiffusion(config) => 1 << config.vae.halvings,
            // Even and odd samples are its halves.
            Self::SplineFlow(_) => 2,
            Self::Flow(_)
            | Self::Diffusion(_)
            | Self::Autoregressive(_)
            | Self::Transformer(_)
            | Self::Gan(_)
            | Self::Energy(_) => 1,
        }
    }

    /// The usual training for data of so many samples.
    #[must_use]
    pub fn training(&self, samples: usize) -> TrainConfig {
        let usual = TrainConfig::for_samples(samples);
        match self {
            Self::Vae(_) | Self::Flow(_) | Self::Autoregressive(_) | Self::Transformer(_) => usual,
            Self::SplineFlow(_) | Self::VqVae(_) => for_all_tasks(usual),
            // One step sees one moment of the path, so there have to be more of them where data is
            // little.
            Self::Diffusion(_) | Self::Energy(_) => {
                let steps = match self {
                    // A step takes several times as long.
                    Self::Energy(_) => usual.steps.max(600),
                    _ => (usual.steps * 6 / 5).max(1000),
                };
                TrainConfig {
                    steps,
                    evaluate_every: steps / 20,
                    patience: u32::MAX,
                    average: Some(0.999),
                    ..for_all_tasks(usual)
                }
            }
            // Two models learn, the second from what the first has learned.
            Self::LatentDiffusion(_) => {
                let steps = (2 * usual.steps).max(1500);
                TrainConfig {
                    steps,
                    evaluate_every: steps / 20,
                    average: Some(0.999),
                    ..for_all_tasks(usual)
                }
            }
            // A game has no end that its losses would show, so all of it is played, and the look where
            // generated windows were nearest to held-back ones is kept. Momentum makes players circle
            // each other (Gidel et al. 2019), and the mean of the weights is nearer to the middle than
            // any of them (Yazıcı et al. 2019). Weight decay would pull the critic from its slope.
            Self::Gan(_) => TrainConfig {
                steps: (usual.steps * 3 / 2).max(900),
                evaluate_every: (usual.steps * 3 / 2).max(900) / 15,
                // A step is four evaluations of the critic: half as many windows take as long as others'.
                batch: 64,
                patience: u32::MAX,
                learning_rate: 1e-3,
                moments: [0.0, 0.99],
                weight_decay: 0.0,
                average: Some(0.995),
                ..for_all_tasks(usual)
            },
        }
    }

    /// The same model, as it does these tasks best; as it is where there are none.
    #[must_use]
    pub fn made_for(self, tasks: &[Task]) -> Self {
        match self {
            // Where much of the window is known, little is left to say: the window itself is asked for,
            // and a few evaluations are as good as many without a student.
            Self::Diffusion(config) if !tasks.is_empty() && !tasks.contains(&Task::Generate) => {
                let prediction = Prediction::Clean;
                Self::Diffusion(DiffusionConfig {
                    prediction,
                    evaluations: 6,
                    strides: None,
                    ..config
                })
            }
            other => other,
        }
    }

    /// Whether it can be asked to complete windows.
    #[must_use]
    pub fn completes(&self) -> bool {
        !matches!(self, Self::Flow(_))
    }

    /// The same with about this share of the weights: channels go, with them components of mixtures and bins of
    /// splines, whose work no other pass makes less, and what depth there is stays.
    #[must_use]
    pub fn thinner(&self, share: f64) -> Self {
        let mut model = self.clone();
        let (hidden, step) = match &mut model {
            Self::Vae(config) => (&mut config.hidden, 1),
            Self::Flow(config) => (&mut config.hidden, 1),
            Self::Diffusion(config) => (&mut config.hidden, 2),
            Self::Autoregressive(config) => {
                config.components = thinned(config.components, share, 1);
                (&mut config.hidden, 1)
            }
            Self::SplineFlow(config) => {
                if config.bins > 0 {
                    config.bins = thinned(config.bins, share, 1).max(2);
                }
                (&mut config.hidden, 1)
            }
            Self::Transformer(config) => {
                config.components = thinned(config.components, share, 1);
                (&mut config.hidden, config.heads)
            }
            Self::VqVae(config) => (&mut config.hidden, 1),
            Self::LatentDiffusion(config) => {
                config.vae.hidden = channels(config.vae.hidden, share, 1);
                (&mut config.hidden, 2)
            }
            Self::Gan(config) => (&mut config.hidden, 1),
            Self::Energy(config) => (&mut config.hidden, 2),
        };
        *hidden = channels(*hidden, share, step);
        model
    }

    /// The same training for a model that will be asked to complete windows, if any, for these tasks in
    /// equal shares: what is hidden from it while it learns is what it will have to do without.
    #[must_use]
    pub fn training_for(&self, tasks: &[Task], samples: usize) -> TrainConfig {
        let usual = self.training(samples);
        if tasks.is_empty() {
            return usual;
        }
        let share = |task| if tasks.contains(&task) { 1.0 / tasks.len() as f32 } else { 0.0 };
        TrainConfig {
            hide: share(Task::Impute),
            hide_share: 1.0,
            hide_all: share(Task::Generate),
            hide_future: share(Task::Forecast),
            ..usual
        }
    }
}

/// Channels for a share of the weights: a multiple of `step`, and of what a register holds where several registers
/// full of them are left.
fn channels(hidden: usize, share: f64, step: usize) -> usize {
    const REGISTER: usize = 8;
    let left = thinned(hidden, share, step);
    let whole = left >= 2 * REGISTER && REGISTER.is_multiple_of(step);
    if whole { thinned(hidden, share, REGISTER) } else { left }
}

/// How many of a kind are left for a share of the weights, which grow with their square; a multiple of `step`.
fn thinned(count: usize, share: f64, step: usize) -> usize {
    step * (count as f64 * share.sqrt() / step as f64).round().max(1.0) as usize
}

/// Half of the windows for scores and generation, the rest for what is asked of known parts.
fn for_all_tasks(usual: TrainConfig) -> TrainConfig {
    TrainConfig { hide: 0.3, hide_all: 0.5, hide_future: 0.2, ..usual }
}

/// What a model is asked to complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Everything.
    Generate,
    /// Holes, single ones and stretches, of any share of the values.
    Impute,
    /// The future.
    Forecast,
}
