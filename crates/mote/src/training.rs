//! From data to a model file: split, scale, train, repair, capture, calibrate.

mod choice;

use std::{collections::BTreeMap, ops::ControlFlow};

use mote_data::{Runs, Scaling, Series, Windows as Cuts, align::Rules, split::split, windows::Cut};
use mote_eval::{Posterior, Verdict, sliding_window};
use mote_format::{
    Array, Kind, Manifest, Program, Schema, Tensors, Verified,
    manifest::{Density, Lineage, Window},
    model,
};
use mote_learn::{
    device::Device,
    diagnose::{self, Codebook},
    entries::{Entries, entries},
    families::{
        Autoregressive, Diffusion, Distilled, Family, Maf, SplineFlow, TimeVae, Transformer, VqVae,
    },
    layout::Layout,
    parts::Standardize,
    random::{Purpose, Random},
    train::{Checkpoint, End, Look, Progress, TrainConfig, Trained, Windows, train},
};
use serde::{Deserialize, Serialize};

pub use choice::{Model, Task};

use crate::{
    Error,
    calibration::{Alarm, Calibration, calibrate},
    completion,
    source::{Reading, Source},
};

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
        "wanted a model that completes windows (vae, vq-vae, diffusion, autoregressive, transformer or spline-flow), found {family}"
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
    let window = window(&parts.train, held, recipe)?;
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
        return finish(source, recipe, model, outcome, held, observe);
    }
}

/// One training of one model.
struct Attempt<'t> {
    recipe: &'t Recipe,
    model: &'t Model,
    layout: &'t Layout,
    window: Window,
    device: Device,
    stage: Stage,
    training: &'t Standardized<'t>,
    validation: &'t Standardized<'t>,
    standardize: &'t Standardize,
}

/// What is left of a training once nobody needs to know the family any more.
struct Outcome {
    entries: Entries,
    outline: Outline,
    history: Vec<Look>,
    best: usize,
    end: End,
    posterior: Option<Posterior>,
    codebook: Option<Codebook>,
}

impl Attempt<'_> {
    fn train(&self, resume: Option<Checkpoint>, observe: Observer<'_>) -> Result<Outcome, Error> {
        let [length, features] = self.training.shape();
        let mut rng = Random::new(self.recipe.train.seed, Purpose::Weights, 0);
        let cpu = mote_learn::cpu();
        match self.model {
            Model::Vae(config) => {
                self.fit(TimeVae::new(config, length, features, &mut rng, &cpu), resume, observe)
            }
            Model::Flow(config) => {
                self.fit(Maf::new(config, features, &mut rng, &cpu), resume, observe)
            }
            Model::Diffusion(config) => {
                let model = Diffusion::new(config, length, features, &mut rng, &cpu);
                let model = model.around(self.training);
                match self.model.distillation(&self.recipe.train) {
                    None => self.fit(model, resume, observe),
                    Some((strides, second)) => {
                        self.distill(model, strides, &second, resume, observe)
                    }
                }
            }
            Model::Transformer(config) => {
                self.fit(Transformer::new(config, self.layout, &mut rng, &cpu), resume, observe)
            }
            Model::VqVae(config) => {
                self.fit(VqVae::new(config, length, features, &mut rng, &cpu), resume, observe)
            }
            Model::SplineFlow(config) => {
                self.fit(SplineFlow::new(config, length, features, &mut rng, &cpu), resume, observe)
            }
            Model::Autoregressive(config) => {
                let model = Autoregressive::new(config, self.layout, &mut rng, &cpu);
                self.fit(model, resume, observe)
            }
        }
    }

    /// Trains a diffusion model, and then a student of it.
    fn distill(
        &self,
        model: Diffusion,
        strides: usize,
        second: &TrainConfig,
        resume: Option<Checkpoint>,
        observe: Observer<'_>,
    ) -> Result<Outcome, Error> {
        let (teacher, resume) = match resume {
            // The teacher is in there too.
            Some(checkpoint) if checkpoint.config() == second => (model, Some(checkpoint)),
            resume => {
                let trained = self.learn(model, &self.recipe.train, self.stage, resume, observe)?;
                if trained.1.end == End::Interrupted {
                    return self.outcome(trained);
                }
                (trained.1.model, None)
            }
        };
        let student = Distilled::new(teacher, strides);
        self.outcome(self.learn(student, second, Stage::Distillation, resume, observe)?)
    }

    fn fit<M: Family>(
        &self,
        model: M,
        resume: Option<Checkpoint>,
        observe: Observer<'_>,
    ) -> Result<Outcome, Error> {
        self.outcome(self.learn(model, &self.recipe.train, self.stage, resume, observe)?)
    }

    fn learn<M: Family>(
        &self,
        model: M,
        config: &TrainConfig,
        stage: Stage,
        resume: Option<Checkpoint>,
        observe: Observer<'_>,
    ) -> Result<(Outline, Trained<M>), Error> {
        let outline = Outline {
            window: self.window,
            training_windows: self.training.len(),
            validation_windows: self.validation.len(),
            parameters: model.num_params(),
            steps: config.steps,
            stage,
        };
        let _ = observe(Report::Begin(&outline));
        let (training, validation) = (self.training, self.validation);
        let watch = |progress: Progress<'_>| observe(Report::Progress(progress));
        let trained = train(model, self.device, training, validation, config, resume, watch)?;
        if trained.end == End::Interrupted && trained.history.is_empty() {
            return Err(Error::Interrupted(" before anything was learned".into()));
        }
        Ok((outline, trained))
    }

    fn outcome<M: Family>(&self, trained: (Outline, Trained<M>)) -> Result<Outcome, Error> {
        let (outline, Trained { model, history, best, end }) = trained;
        Ok(Outcome {
            entries: entries(&model, self.standardize, self.training.shape())?,
            posterior: diagnose::posterior(&model, self.validation),
            codebook: diagnose::codebook(&model, self.validation),
            outline,
            history,
            best,
            end,
        })
    }
}

fn finish(
    source: &Source,
    recipe: &Recipe,
    model: Model,
    outcome: Outcome,
    held: &Runs,
    observe: Observer<'_>,
) -> Result<Finished, Error> {
    let Outcome { entries, outline, history, best, mut end, posterior, codebook } = outcome;
    let mut metrics =
        BTreeMap::from([("steps".to_owned(), history.last().map_or(0.0, |l| l.step as f64))]);
    if let Some(look) = history.get(best) {
        metrics.insert("validation_nats".into(), look.validation);
    }
    if let Some(posterior) = &posterior {
        metrics.insert("active_units".into(), posterior.active as f64);
        metrics.insert("posterior_nats".into(), posterior.kl);
    }
    if let Some(codebook) = &codebook {
        metrics.insert("codes_used".into(), codebook.used as f64);
        metrics.insert("code_perplexity".into(), codebook.perplexity);
    }
    metrics.retain(|_, v| v.is_finite());
    let done = Recipe { model: model.clone(), history: history.clone(), ..recipe.clone() };
    let mut manifest = Manifest {
        family: model.family().into(),
        density: entries.density,
        schema: source.plan.schema.clone(),
        window: outline.window,
        detector: None,
        generator: entries.generator,
        margins: None,
        programs: entries.programs.clone(),
        lineage: Lineage {
            made_by: format!("mote {}", env!("CARGO_PKG_VERSION")),
            data_digest: source.digest.clone(),
            files: source.names.clone(),
            config: serde_json::to_value(done).expect("recipes have no maps with keys but strings"),
            seed: recipe.train.seed,
            metrics,
        },
    };
    let tensors = entries.arrays();
    manifest.programs.extend(stepping(&manifest.programs, &tensors));
    let bare = model::write(&manifest, &tensors);
    let opened = mote_format::Model::open(&bare).expect("written a moment ago");
    let calibration = match entries.density {
        Density::Implicit => None,
        _ => Some(calibrate(&opened, held, recipe.false_alarm_rate, recipe.alarm)?),
    };
    manifest.detector = calibration.as_ref().map(|c| c.detector.clone());
    if forecasts(recipe) && manifest.generator.is_some() && end != End::Interrupted {
        let progress = &mut |done, of| observe(Report::Margins(done, of));
        match completion::measure(&opened, held, progress) {
            Ok(margins) => manifest.margins = margins,
            // What was learned is not lost: the model is whole but for its promise.
            Err(Error::Interrupted(_)) => end = End::Interrupted,
            Err(e) => return Err(e),
        }
    }
    let file = model::write(&manifest, &tensors);
    Ok(Finished { file, manifest, outline, history, best, end, posterior, codebook, calibration })
}

/// Whether a model was trained to tell the future, and data was held back to see how well it does.
pub(crate) fn forecasts(recipe: &Recipe) -> bool {
    recipe.train.hide_future > 0.0 && recipe.reading.dataset.split.validation > 0.0
}

/// The program that scores one more sample, where `score` looks back only.
pub(crate) fn stepping(programs: &[Program], tensors: &Tensors) -> Option<Program> {
    let score = programs.iter().find(|p| p.name == SCORE)?.clone();
    let score = Verified::new(score, |name| tensors.get(name).map(Array::stored));
    let score = score.expect("captured a moment ago");
    mote_runtime::step(&score, STEP, |name| tensors.get(name).map(Array::tensor)).ok()
}

/// The entry point that scores a window.
pub(crate) const SCORE: &str = "score";
/// The entry point that scores one more sample.
pub(crate) const STEP: &str = "step";

/// Windows of raw data, brought to standard units as they are read.
struct Standardized<'a> {
    cuts: Cuts<'a>,
    standardize: &'a Standardize,
}

impl Windows for Standardized<'_> {
    fn len(&self) -> usize {
        self.cuts.len()
    }

    fn shape(&self) -> [usize; 2] {
        [self.cuts.cut().length, self.standardize.mean.len()]
    }

    fn fill(&self, i: usize, values: &mut [f32], mask: &mut [f32]) {
        let window = self.cuts.get(i);
        values.copy_from_slice(window.values);
        mask.copy_from_slice(window.mask);
        self.standardize.apply(values, mask);
    }
}

/// The window: as asked for, or as long as the data's own period, within bounds, and short enough
/// that held-back data gives some dozen scores.
fn window(train: &Runs, held: &Runs, recipe: &Recipe) -> Result<Window, Error> {
    let step = recipe.model.granularity();
    let length = match recipe.window {
        Some(length) if length > 0 && length % step == 0 => length,
        Some(length) => {
            let family = recipe.model.family();
            return Err(Error::Usage(format!(
                "wanted a window of a multiple of {step} samples for {family}, found {length}"
            )));
        }
        None => {
            let longest = held.series().iter().map(Series::len).max().unwrap_or(0);
            let periods = train.series().iter().filter_map(period);
            let period = mote_eval::median(&periods.collect::<Vec<_>>()).unwrap_or(0.0) as usize;
            let [shortest, most] = recipe.model.windows();
            let unbroken = usual_stretch(train).min(usual_stretch(held));
            let period = period.clamp(shortest, most).min(longest / 2).min(unbroken);
            (period / step).max(1) * step
        }
    };
    let tail = recipe.tail.unwrap_or(length.div_ceil(2));
    if tail == 0 || tail > length {
        return Err(Error::Usage(format!("wanted a tail of 1 to {length} samples, found {tail}")));
    }
    Ok(Window { length, tail })
}

/// Half of the samples lie in unbroken stretches at least as long as this.
fn usual_stretch(runs: &Runs) -> usize {
    let mut lengths: Vec<usize> =
        runs.series().iter().flat_map(Series::segments).map(|s| s.len()).collect();
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    let mut covered = 0;
    let reaching = lengths.iter().find(|&&length| {
        covered += length;
        2 * covered >= runs.samples()
    });
    reaching.copied().unwrap_or(0)
}

/// The period of a run: the median over its features of the strongest lag of autocorrelation.
fn period(series: &Series) -> Option<f64> {
    let features = series.features();
    let periods: Vec<f64> = (0..features)
        .filter_map(|c| {
            let column: Vec<f64> =
                series.values().iter().skip(c).step_by(features).map(|&v| f64::from(v)).collect();
            sliding_window(&column).ok().map(|w| w as f64)
        })
        .collect();
    mote_eval::median(&periods).ok()
}
