//! `mote train`: files to a model file, with progress, checkpoints and a second chance after Ctrl-C.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::Instant,
};

use clap::{Args, ValueEnum};
use mote::{
    Error,
    advice::Need,
    calibration::Alarm,
    files,
    source::Source,
    training::{FALSE_ALARM_RATE, Finished, Model, Recipe, Report, Task, run},
};
use mote_learn::{
    device::Device,
    families::{
        AutoregressiveConfig, DiffusionConfig, EnergyConfig, GanConfig, LatentDiffusionConfig,
        MafConfig, SplineFlowConfig, TimeVaeConfig, TransformerConfig, VqVaeConfig,
    },
    train::{Checkpoint, End, Progress, TrainConfig},
};
use serde_json::json;

use super::{
    Style,
    advise::Wishes,
    data::{Data, Division},
    interrupt,
    progress::Bar,
    say, say_json,
};

#[derive(Args)]
pub(super) struct Train {
    /// CSV, JSON lines, Parquet or Arrow files, plain or compressed
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Where to write the model
    #[arg(long, short, value_name = "FILE", default_value = "model.mote")]
    out: PathBuf,
    /// Begin anew, also where an interrupted training could go on
    #[arg(long)]
    fresh: bool,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    division: Division,
}

/// What to train and how long; also for the demo.
#[derive(Args, Clone)]
pub(super) struct Options {
    /// Which family of models
    #[arg(long, value_name = "MODEL", default_value = "vae")]
    pub(super) model: Family,
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
    pub(super) seed: u64,
    /// Training steps at most
    #[arg(long, value_name = "STEPS")]
    pub(super) steps: Option<u64>,
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
pub(super) enum Family {
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
    pub(super) fn demo(model: Family, seed: u64) -> Self {
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

    pub(super) fn recipe(
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
            Error::Usage(format!(
                "wanted a family that can do all that was asked, found none; the nearest is {}, but {lacks}",
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

    pub(super) fn device(&self) -> Result<Device, Error> {
        let known = Device::ALL.iter().find(|(name, _)| *name == self.device);
        known.map(|(_, device)| *device).ok_or_else(|| {
            let names: Vec<&str> = Device::ALL.iter().map(|(name, _)| *name).collect();
            let (names, found) = (names.join(", "), &self.device);
            Error::Usage(format!("wanted a device of this build ({names}), found `{found}`"))
        })
    }
}

impl Train {
    pub(super) fn run(self, style: Style) -> Result<(), Error> {
        let began = Instant::now();
        let mut reading = self.data.reading(None)?;
        self.division.apply(&mut reading);
        let device = self.options.device()?;
        writable(&self.out)?;
        let source = reading.learn(&self.files)?;
        let recipe = self.options.recipe(reading, &source)?;
        if style == Style::People {
            decisions(&source);
        }
        let store = Store::new(&self.out, &source, &recipe);
        let resume = if self.fresh { None } else { store.load()? };
        if let Some(checkpoint) = &resume {
            eprintln!(
                "Going on from step {} of an interrupted training (--fresh begins anew).",
                checkpoint.step()
            );
        }
        let finished = train(&source, &recipe, device, resume, Some(&store))?;
        files::write(&self.out, &finished.file)?;
        if finished.end != End::Interrupted {
            store.remove();
        }
        summary(&finished, &self.out, began.elapsed().as_secs_f64(), style)?;
        if finished.end == End::Interrupted {
            let what = format!(
                ": {} holds the best weights so far; the same command goes on from the last look",
                self.out.display()
            );
            return Err(Error::Interrupted(what));
        }
        Ok(())
    }
}

/// Trains with a progress bar, checkpoints at each look, and stops at Ctrl-C.
pub(super) fn train(
    source: &Source,
    recipe: &Recipe,
    device: Device,
    resume: Option<Checkpoint>,
    store: Option<&Store>,
) -> Result<Finished, Error> {
    let interrupted = interrupt::flag();
    let mut bar = Bar::new();
    let mut failure = None;
    let finished = run(source, recipe, device, resume, &mut |report| {
        bar.show(&report);
        if let (Report::Progress(Progress::Look { checkpoint, .. }), Some(store)) = (&report, store)
            && let Err(e) = store.save(checkpoint())
        {
            failure = Some(e);
            return ControlFlow::Break(());
        }
        if interrupted.load(Ordering::SeqCst) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    bar.end();
    match failure {
        Some(failure) => Err(failure),
        None => finished,
    }
}

/// Finds out before the work, not after it, that the model cannot be written.
fn writable(out: &Path) -> Result<(), Error> {
    let folder = match out.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    if out.is_dir() {
        let found = std::io::Error::other("wanted a file, found a folder");
        return Err(Error::io("write", out, found));
    }
    match folder.metadata() {
        Ok(m) if m.is_dir() => Ok(()),
        Ok(_) => Err(Error::io("write", out, std::io::Error::other("its folder is a file"))),
        Err(e) => Err(Error::io("write", out, e)),
    }
}

/// The checkpoint beside the model file.
pub(super) struct Store {
    path: PathBuf,
    purpose: String,
}

impl Store {
    fn new(out: &Path, source: &Source, recipe: &Recipe) -> Self {
        let mut name = out.as_os_str().to_owned();
        name.push(".checkpoint");
        let purpose = json!({ "data": source.digest, "recipe": recipe }).to_string();
        let purpose = blake3::hash(purpose.as_bytes()).to_hex().to_string();
        Self { path: name.into(), purpose }
    }

    /// The checkpoint, if there is one of this very training.
    fn load(&self) -> Result<Option<Checkpoint>, Error> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io("read", &self.path, e)),
        };
        let path = self.path.display();
        match Checkpoint::from_bytes(&bytes) {
            Ok(checkpoint) if checkpoint.purpose() == self.purpose => Ok(Some(checkpoint)),
            Ok(_) => {
                eprintln!("note: {path} is of another training and will be replaced");
                Ok(None)
            }
            Err(e) => {
                eprintln!("note: {path} cannot be used and will be replaced: {e}");
                Ok(None)
            }
        }
    }

    fn save(&self, checkpoint: Checkpoint) -> Result<(), Error> {
        files::write(&self.path, &checkpoint.for_purpose(&self.purpose).to_bytes())
    }

    fn remove(&self) {
        // It may never have been written; what is left behind is only replaced next time.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Says what was decided about the data.
pub(super) fn decisions(source: &Source) {
    for note in &source.plan.notes {
        eprintln!("{note}");
    }
    for decision in &source.plan.decisions {
        eprintln!("  {decision}");
    }
}

fn summary(finished: &Finished, out: &Path, seconds: f64, style: Style) -> Result<(), Error> {
    let Finished { manifest, outline, calibration, history, best, end, .. } = finished;
    let (posterior, codebook) = (&finished.posterior, &finished.codebook);
    let validation = history.get(*best).map(|l| l.validation);
    if style == Style::Json {
        return say_json(&json!({
            "model": out,
            "bytes": finished.file.len(),
            "family": manifest.family,
            "density": manifest.density,
            "parameters": outline.parameters,
            "window": outline.window,
            "steps": history.last().map(|l| l.step),
            "end": end,
            "validation_nats": validation,
            "posterior": posterior,
            "codebook": codebook,
            "resemblance": finished.resemblance,
            "signs": finished.signs,
            "threshold": calibration.as_ref().map(|c| c.detector.threshold),
            "false_alarm_rate": calibration.as_ref().map(|c| c.detector.false_alarm_rate),
            "calibration": calibration,
            "stage": outline.stage,
            "seconds": seconds,
        }));
    }
    let kib = finished.file.len() as f64 / 1024.0;
    say(format_args!(
        "{}: {} with {} numbers, {kib:.1} KiB, trained in {seconds:.1} s",
        out.display(),
        manifest.family,
        outline.parameters,
    ))?;
    if let Some(validation) = validation {
        say(format_args!("  held-back data: {validation:.3} nats per value"))?;
    }
    if let Some(posterior) = posterior {
        say(format_args!("  latent space: {}", posterior.explanation()))?;
    }
    if let Some(codebook) = codebook {
        say(format_args!(
            "  codebook: {} of {} codes used, as much as {:.1} used alike",
            codebook.used, codebook.codes, codebook.perplexity,
        ))?;
    }
    if let Some(resemblance) = &finished.resemblance {
        say(format_args!("  drawn windows: {}", resemblance.explanation()))?;
    }
    for sign in &finished.signs {
        say(format_args!("  sign of {}: {}", sign.name, sign.words))?;
        say(format_args!("    {}", sign.repair))?;
    }
    let Some(calibration) = calibration else { return Ok(()) };
    say(format_args!(
        "  threshold: {:.3} nats, for {} false alarms in 1000 samples, from {} held-back scores ({})",
        calibration.detector.threshold,
        1000.0 * calibration.detector.false_alarm_rate,
        calibration.scores,
        calibration.method,
    ))?;
    if let Some(tracking) = &calibration.detector.tracking {
        say(format_args!(
            "  alarms follow the scores of the last {} samples ({:.1} deviations above them): {}",
            tracking.memory, tracking.threshold, "held-back data is short, or it was asked for",
        ))?;
    }
    Ok(())
}
