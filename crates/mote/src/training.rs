//! From data to a model file: split, scale, train, repair, capture, calibrate.

mod attempt;
mod build;
mod choice;
mod finish;
pub mod health;
mod window;

use std::ops::ControlFlow;

use mote_data::{Scaling, Windows as Cuts, align::Rules, split::split, windows::Cut};
use mote_eval::{Posterior, Verdict};
use mote_format::{Kind, Manifest, Schema, manifest::Window};
use mote_learn::{
    device::Device,
    diagnose::Codebook,
    layout::Layout,
    parts::Standardize,
    train::{Checkpoint, End, Look, Progress, TrainConfig},
};
use serde::{Deserialize, Serialize};

pub use choice::{Model, Task};
pub use finish::untrained;
pub(crate) use finish::{SCORE, STEP, blank, stepping};

use crate::{
    Error,
    calibration::{Alarm, Calibration},
    source::{Reading, Source},
};
use attempt::Attempt;
use health::{Resemblance, Sign};
use window::Standardized;

/// Everything that decides a training but the data itself. Stored in the model file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// How the files were read and divided.
    pub reading: Reading,
    /// How rows become samples; chosen from the data.
    pub rules: Rules,
    /// Which model.
    pub model: Model,
    /// The only tasks that it is made for; none for all that the family can do.
    #[serde(default)]
    pub tasks: Vec<Task>,
    /// How it is trained.
    pub train: TrainConfig,
    /// Samples in a window; `None` lets the data choose.
    pub window: Option<usize>,
    /// The newest samples that a score speaks of; `None` for half a window.
    pub tail: Option<usize>,
    /// The share of normal samples that may be alarms.
    pub false_alarm_rate: f64,
    /// How the alarm is found.
    #[serde(default)]
    pub alarm: Alarm,
    /// The looks at held-back data, once trained.
    #[serde(default)]
    pub history: Vec<Look>,
}

/// One false alarm in a thousand samples: at one sample a minute, about one a day.
pub const FALSE_ALARM_RATE: f64 = 1e-3;

impl Recipe {
    /// A recipe with the usual values for the data of `source`.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if the data cannot be divided as `reading` says.
    pub fn new(reading: Reading, source: &Source, model: Model) -> Result<Self, Error> {
        Self::for_tasks(reading, source, model, &[])
    }

    /// The same for a model that will be asked to complete windows, for these tasks in equal shares.
    ///
    /// # Errors
    ///
    /// As [`Self::new`], [`Error::Usage`] if the family completes no windows.
    pub fn for_tasks(
        reading: Reading,
        source: &Source,
        model: Model,
        tasks: &[Task],
    ) -> Result<Self, Error> {
        if !tasks.is_empty() && !model.completes() {
            return Err(completes_nothing(model.family()));
        }
        let model = model.made_for(tasks);
        let samples = split(&source.runs, &reading.dataset.split)?.train.samples();
        let train = model.training_for(tasks, samples);
        let given = if train.hide_all > 0.0 { words(&source.plan.schema) } else { Vec::new() };
        Ok(Self {
            reading,
            rules: source.plan.rules,
            train: TrainConfig { given, ..train },
            model,
            tasks: tasks.into(),
            window: None,
            tail: None,
            false_alarm_rate: FALSE_ALARM_RATE,
            alarm: Alarm::Auto,
            history: Vec::new(),
        })
    }

    /// The recipe that a model was made by.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if the model was made by something else.
    pub fn of(manifest: &Manifest) -> Result<Self, Error> {
        serde_json::from_value(manifest.lineage.config.clone()).map_err(|e| {
            Error::Usage(format!("this model does not say how its data was read: {e}"))
        })
    }
}

/// The features of each column of words: what somebody may want windows for.
fn words(schema: &Schema) -> Vec<[usize; 2]> {
    let mut at = 0;
    let ranges = schema.columns.iter().map(|column| {
        at += column.kind.features();
        (&column.kind, [at - column.kind.features(), at])
    });
    ranges.filter(|(kind, _)| matches!(kind, Kind::Categorical { .. })).map(|(_, r)| r).collect()
}

/// Says of a family that it cannot, and which ones can.
pub(crate) fn completes_nothing(family: &str) -> Error {
    Error::Usage(format!(
        "wanted a model that completes windows (vae, vq-vae, diffusion, latent-diffusion, autoregressive, transformer, spline-flow, gan or energy), found {family}"
    ))
}

/// What a training is about to do.
#[derive(Clone, Debug, Serialize)]
pub struct Outline {
    /// What its score will speak of.
    pub window: Window,
    /// Windows to learn from.
    pub training_windows: usize,
    /// Windows held back.
    pub validation_windows: usize,
    /// Numbers that are learned.
    pub parameters: usize,
    /// Steps at most.
    pub steps: u64,
    /// Which training of the model it is.
    pub stage: Stage,
}

/// Which training of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The first, and for most models the only one.
    #[default]
    First,
    /// Once more, because the latent space of the first one collapsed.
    Repair,
    /// A student learns to do in a few evaluations what the first one does in many.
    Distillation,
}

/// What the observer of a training is told.
pub enum Report<'a> {
    /// It begins.
    Begin(&'a Outline),
    /// A step or a look.
    Progress(Progress<'a>),
    /// The model is trained, and forecasts of held-back data are compared with it to make intervals keep
    /// their promise: so many samples are done, of so many.
    Margins(usize, usize),
}

/// Whom a training tells; `Break` asks it to end.
pub type Observer<'o> = &'o mut dyn FnMut(Report<'_>) -> ControlFlow<()>;

/// A finished model.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The bytes of the model file.
    pub file: Vec<u8>,
    /// What the file says of itself.
    pub manifest: Manifest,
    /// The outline of the training that it is from.
    pub outline: Outline,
    /// The looks at held-back data, and which one the weights are from.
    pub history: Vec<Look>,
    /// The number of that look.
    pub best: usize,
    /// Why training ended.
    pub end: End,
    /// The health of the latent space, where there is one.
    pub posterior: Option<Posterior>,
    /// How much of the codebook is used, where there is one.
    pub codebook: Option<Codebook>,
    /// How the threshold was chosen, where the model has scores.
    pub calibration: Option<Calibration>,
    /// How the windows that it draws resemble the data, where it was trained to draw any.
    pub resemblance: Option<Resemblance>,
    /// What went wrong; empty where nothing did.
    pub signs: Vec<Sign>,
}

/// Nats per latent dimension that cost nothing in a repair: the smallest rate at which a dimension
/// has to carry something (Kingma et al. 2016 use values around it).
const REPAIR_FREE_BITS: f32 = 0.25;

/// Trains a model on `source` as `recipe` says, and calibrates its detector.
///
/// # Errors
///
/// Any [`Error`] of data, training or calibration; [`Error::Interrupted`] if the observer broke off
/// before anything was learned.
pub fn run(
    source: &Source,
    recipe: &Recipe,
    device: Device,
    resume: Option<Checkpoint>,
    observe: Observer<'_>,
) -> Result<Finished, Error> {
    let parts = split(&source.runs, &recipe.reading.dataset.split)?;
    let held = match &parts.validation {
        Some(held) => held,
        None if !recipe.model.has_scores() => &parts.train,
        None => {
            let why = "a threshold needs held-back data: the validation share is 0";
            return Err(Error::Usage(why.into()));
        }
    };
    let scaling = Scaling::fit(&parts.train, Default::default());
    let standardize = Standardize { mean: scaling.mean, scale: scaling.scale };
    let window = window::window(&parts.train, held, recipe)?;
    let cut = Cut::new(window.length);
    let training = Standardized { cuts: Cuts::new(&parts.train, cut)?, standardize: &standardize };
    let validation = Standardized { cuts: Cuts::new(held, cut)?, standardize: &standardize };

    let layout = Layout::of(&source.plan.schema);
    let mut model = recipe.model.clone();
    let mut resume = resume;
    let mut stage = Stage::First;
    loop {
        let attempt = Attempt {
            recipe,
            model: &model,
            layout: &layout,
            window,
            device,
            stage,
            training: &training,
            validation: &validation,
            standardize: &standardize,
        };
        let outcome = attempt.train(resume.take(), observe)?;
        let collapsed = outcome.posterior.as_ref().is_some_and(|p| p.verdict == Verdict::Collapsed);
        if let (true, Stage::First, Model::Vae(config)) = (collapsed, stage, &mut model) {
            config.free_bits = REPAIR_FREE_BITS;
            config.annealing = 0.5;
            stage = Stage::Repair;
            continue;
        }
        return finish::finish(source, recipe, model, outcome, [&parts.train, held], observe);
    }
}
