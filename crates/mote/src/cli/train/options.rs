//! What to train and how long, as a person says it.

use clap::{Args, ValueEnum};
use mote::{
    Error,
    advice::Need,
    calibration::Alarm,
    source::Source,
    training::{FALSE_ALARM_RATE, Model, Recipe, Task},
};
use mote_learn::{
    device::Device,
    families::{
        AutoregressiveConfig, DiffusionConfig, EnergyConfig, GanConfig, LatentDiffusionConfig,
        MafConfig, SplineFlowConfig, TimeVaeConfig, TransformerConfig, VqVaeConfig,
    },
    train::TrainConfig,
};

use crate::cli::advise::Wishes;

/// What to train and how long; also for the demo.
#[derive(Args, Clone)]
pub(in crate::cli) struct Options {
    /// Which family of models
    #[arg(long, value_name = "MODEL", default_value = "vae")]
    pub(in crate::cli) model: Family,
    /// What windows will be asked for: it learns to do without what is hidden then [default: what suits
    /// the family]
    #[arg(long = "for", value_name = "TASKS", value_delimiter = ',')]
    tasks: Vec<Purpose>,
    /// Samples in a window [default: found from the data]
    #[arg(long, value_name = "SAMPLES")]
    window: Option<usize>,
    /// The newest samples that a score speaks of [default: half a window]
    #[arg(long, value_name = "SAMPLES")]
    tail: Option<usize>,
    /// The share of normal samples that may be alarms
    #[arg(long, value_name = "SHARE", default_value_t = FALSE_ALARM_RATE)]
    false_alarms: f64,
    /// Samples that the alarm remembers, to follow drift; 0 for a fixed threshold [default: fixed if
    /// held-back data is long enough to promise the share of false alarms]
    #[arg(long, value_name = "SAMPLES")]
    memory: Option<usize>,
    /// Where randomness comes from
    #[arg(long, default_value_t = 0)]
    pub(in crate::cli) seed: u64,
    /// Training steps at most
    #[arg(long, value_name = "STEPS")]
    pub(in crate::cli) steps: Option<u64>,
    /// Windows in a step
    #[arg(long, value_name = "WINDOWS")]
    batch: Option<usize>,
    /// Peak of the learning rate
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Networks of which each sample takes a few, for the transformer (mixture of experts) [default: 1]
    #[arg(long, value_name = "COUNT")]
    experts: Option<usize>,
    /// Experts that each sample takes [default: 1]
    #[arg(long, value_name = "COUNT", requires = "experts")]
    active_experts: Option<usize>,
    /// Where to train
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: String,
    #[command(flatten)]
    wishes: Wishes,
}

#[derive(Clone, Copy, ValueEnum)]
pub(in crate::cli) enum Family {
    /// The one that `mote advise` would take for what is asked with --for, or else for detection
    Auto,
    /// A convolutional variational autoencoder
    Vae,
    /// A masked autoregressive flow
    Flow,
    /// Diffusion on a straight path (flow matching): generates, imputes and forecasts
    Diffusion,
    /// Sample by sample, causal convolutions with a mixture density: scores, generates, forecasts, and
    /// imputes from the past
    Autoregressive,
    /// A coupling flow with splines: exact scores, and generates, imputes and forecasts in one evaluation
    SplineFlow,
    /// Sample by sample, causal attention with a mixture density: what `autoregressive` does, of a longer
    /// past
    Transformer,
    /// A convolutional autoencoder whose latent space is a codebook: scores, generates, imputes and
    /// forecasts
    VqVae,
    /// A variational autoencoder, and diffusion in its latent space: scores, generates, imputes and
    /// forecasts
    LatentDiffusion,
    /// A generator and a critic that play against each other: generates, imputes and forecasts in one
    /// evaluation, without scores
    Gan,
    /// An energy of windows: scores, denoises, and generates, imputes and forecasts by Langevin dynamics
    Energy,
}

/// What a model will be asked for.
#[derive(Clone, Copy, ValueEnum)]
enum Purpose {
    /// Windows that never were
    Generate,
    /// Holes, single ones and stretches
    Impute,
    /// The future
    Forecast,
}

impl Purpose {
    fn need(self) -> Need {
        match self {
            Self::Generate => Need::Generate,
            Self::Impute => Need::Impute,
            Self::Forecast => Need::Forecast,
        }
    }

    fn task(self) -> Task {
        match self {
            Self::Generate => Task::Generate,
            Self::Impute => Task::Impute,
            Self::Forecast => Task::Forecast,
        }
    }
}

impl Options {
    /// What the demo trains: short, because someone is watching.
    pub(in crate::cli) fn demo(model: Family, seed: u64) -> Self {
        Self {
            model,
            tasks: Vec::new(),
            window: None,
            tail: None,
            false_alarms: FALSE_ALARM_RATE,
            memory: None,
            seed,
            steps: Some(1000),
            batch: None,
            learning_rate: None,
            experts: None,
            active_experts: None,
            device: "cpu".into(),
            wishes: Wishes::default(),
        }
    }

    pub(in crate::cli) fn recipe(
        &self,
        reading: mote::source::Reading,
        source: &Source,
    ) -> Result<Recipe, Error> {
        if !(self.false_alarms > 0.0 && self.false_alarms < 1.0) {
            let found = self.false_alarms;
            return Err(Error::Usage(format!(
                "wanted --false-alarms between 0 and 1, found {found}"
            )));
        }
        if self.batch == Some(0) || self.steps == Some(0) {
            return Err(Error::Usage("wanted at least one step and one window in a batch".into()));
        }
        let (experts, active) = (self.experts.unwrap_or(1), self.active_experts.unwrap_or(1));
        if active == 0 || active > experts {
            let why = format!("wanted 1 to {experts} active experts, found {active}");
            return Err(Error::Usage(why));
        }
        if self.experts.is_some() && !matches!(self.model, Family::Transformer) {
            return Err(Error::Usage("--experts are for --model transformer".into()));
        }
        let model = match self.model {
            Family::Auto => self.advised(&reading, source)?,
            Family::Vae => Model::Vae(TimeVaeConfig::default()),
            Family::Flow => Model::Flow(MafConfig::default()),
            Family::Diffusion => Model::Diffusion(DiffusionConfig::default()),
            Family::Transformer => Model::Transformer(TransformerConfig {
                experts,
                active,
                ..TransformerConfig::default()
            }),
            Family::VqVae => Model::VqVae(VqVaeConfig::default()),
            Family::SplineFlow => Model::SplineFlow(SplineFlowConfig::default()),
            Family::LatentDiffusion => Model::LatentDiffusion(LatentDiffusionConfig::default()),
            Family::Gan => Model::Gan(GanConfig::default()),
            Family::Energy => Model::Energy(EnergyConfig::default()),
            Family::Autoregressive => Model::Autoregressive(AutoregressiveConfig::default()),
        };
        let tasks: Vec<Task> = self.tasks.iter().map(|t| t.task()).collect();
        let usual = Recipe::for_tasks(reading, source, model, &tasks)?;
        Ok(Recipe {
            train: TrainConfig {
                seed: self.seed,
                steps: self.steps.unwrap_or(usual.train.steps),
                batch: self.batch.unwrap_or(usual.train.batch),
                learning_rate: self.learning_rate.unwrap_or(usual.train.learning_rate),
                ..usual.train.clone()
            },
            window: self.window,
            tail: self.tail,
            false_alarm_rate: self.false_alarms,
            alarm: match self.memory {
                None => Alarm::Auto,
                Some(0) => Alarm::Fixed,
                Some(memory) => Alarm::Tracking(memory),
            },
            ..usual
        })
    }

    /// The model that fits best, and why, on standard error.
    fn advised(&self, reading: &mote::source::Reading, source: &Source) -> Result<Model, Error> {
        let needs: Vec<Need> = self.tasks.iter().map(|t| t.need()).collect();
        let advice = self.wishes.advice(reading, source, needs)?;
        let chosen = advice.chosen().ok_or_else(|| {
            let nearest = &advice.candidates[0];
            let lacks = nearest.against.join(", ");
            Error::Budget(format!(
                "no family can do all that was asked; the nearest is {}, but {lacks}",
                nearest.name
            ))
        })?;
        eprintln!(
            "model: {}, because {} (`mote advise` tells more)",
            chosen.name,
            chosen.reasons.join(", ")
        );
        Ok(chosen.model.clone())
    }

    pub(in crate::cli) fn device(&self) -> Result<Device, Error> {
        let known = Device::ALL.iter().find(|(name, _)| *name == self.device);
        known.map(|(_, device)| *device).ok_or_else(|| {
            let names: Vec<&str> = Device::ALL.iter().map(|(name, _)| *name).collect();
            let (names, found) = (names.join(", "), &self.device);
            Error::Usage(format!("wanted a device of this build ({names}), found `{found}`"))
        })
    }
}
