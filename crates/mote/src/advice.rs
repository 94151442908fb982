//! Which family for which wish: what each can do on this data, what it takes, and why one is chosen.
//!
//! Nothing is looked up that can be found out. Each family is built for the data at hand, untrained, and
//! its entry points are captured, so that what it can do, its bytes and its time are those of the model
//! that a training would make. Only how well families do a task comes from a table, [`MERITS`].

use std::fmt;

use mote_format::{Kind, Model as File, manifest::Density};
use mote_runtime::{Completer, Loaded, Noise};
use serde::Serialize;

use crate::{
    Error,
    source::{Reading, Source},
    training::{Model, Recipe, Task, untrained},
};

/// What a model is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// To say how improbable a sample is.
    Detect,
    /// Windows that never were.
    Generate,
    /// Holes filled.
    Impute,
    /// The future.
    Forecast,
    /// Noise taken out.
    Denoise,
    /// A place in a latent space.
    Embed,
}

/// What somebody wants of a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Wish {
    /// What it is for; detection, if nothing is said.
    pub needs: Vec<Need>,
    /// Whether the exact probability of a window is asked for, not a bound or an energy.
    pub exact: bool,
    /// Bytes that weights and activations may take together.
    pub bytes: Option<u64>,
    /// Seconds that an answer may take on this machine.
    pub deadline_s: Option<f64>,
}

/// A family, built for the data.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// Its name on the command line.
    pub name: &'static str,
    /// What is trained.
    #[serde(skip)]
    pub model: Model,
    /// Bytes of weights and activations of a window, in `f32`.
    pub bytes: u64,
    /// The same with weights of eight bits, about.
    pub small_bytes: u64,
    /// Seconds for a score or a completed window on this machine, without the first call.
    pub seconds: f64,
    /// What speaks against it; whoever has nothing here can serve.
    pub against: Vec<String>,
    /// What speaks for it.
    pub reasons: Vec<String>,
    /// The sum of its places in [`MERITS`]; less is better.
    pub place: usize,
}

/// The answer to a wish.
#[derive(Clone, Debug, Serialize)]
pub struct Advice {
    /// What was asked.
    pub wish: Wish,
    /// Samples in a window, as the data suggests for the chosen one.
    pub window: usize,
    /// All families, the best first.
    pub candidates: Vec<Candidate>,
    /// What the data and the wish ask for beside a family, as sentences.
    pub notes: Vec<String>,
}

impl Advice {
    /// The family to take, if one can serve.
    #[must_use]
    pub fn chosen(&self) -> Option<&Candidate> {
        self.candidates.first().filter(|c| c.against.is_empty())
    }
}

/// Families by how well they did each task, the best first, in `docs/results` (`detection.md`,
/// `generation.md`, `completion.md`); a family that stands nowhere was not measured and comes last.
pub const MERITS: [(Need, &[&str]); 6] = [
    (
        Need::Detect,
        &[
            "vae",
            "flow",
            "autoregressive",
            "spline-flow",
            "transformer",
            "energy",
            "vq-vae",
            "latent-diffusion",
        ],
    ),
    (
        Need::Generate,
        &[
            "diffusion",
            "autoregressive",
            "transformer",
            "spline-flow",
            "vae",
            "vq-vae",
            "latent-diffusion",
            "gan",
            "energy",
        ],
    ),
    (Need::Impute, &["diffusion", "spline-flow", "autoregressive", "transformer", "vae"]),
    (Need::Forecast, &["diffusion", "spline-flow", "autoregressive", "transformer", "vae"]),
    (Need::Denoise, &["diffusion", "vae", "energy"]),
    (Need::Embed, &["vae", "latent-diffusion"]),
];

/// Below so many samples a family with many weights learns them by heart.
const FEW_SAMPLES: usize = 1000;

/// Advises on `source`. `clock` tells nanoseconds.
///
/// # Errors
///
/// [`Error::Data`] if the data cannot be divided, [`Error::Compile`] for a mistake of ours.
pub fn advise(
    reading: &Reading,
    source: &Source,
    wish: &Wish,
    clock: &mut dyn FnMut() -> u64,
) -> Result<Advice, Error> {
    let mut wish = wish.clone();
    if wish.needs.is_empty() {
        wish.needs.push(Need::Detect);
    }
    let mut candidates = Vec::new();
    let mut windows = Vec::new();
    for (name, model) in Model::all() {
        let (candidate, window) = candidate((name, model), reading, source, &wish, clock)?;
        windows.push((name, window));
        candidates.push(candidate);
    }
    candidates.sort_by_key(|c| (c.against.len(), c.place));
    let best = candidates[0].name;
    let window = windows.iter().find(|(name, _)| *name == best).map_or(0, |(_, w)| *w);
    let notes = notes(source, &wish);
    Ok(Advice { wish, window, candidates, notes })
}

fn candidate(
    (name, model): (&'static str, Model),
    reading: &Reading,
    source: &Source,
    wish: &Wish,
    clock: &mut dyn FnMut() -> u64,
) -> Result<(Candidate, usize), Error> {
    let tasks: Vec<Task> = wish.needs.iter().filter_map(|n| n.task()).collect();
    let model = if model.completes() { model.made_for(&tasks) } else { model };
    let recipe = Recipe::new(reading.clone(), source, model.clone())?;
    let bytes = untrained(source, &recipe)?;
    let file = File::open(&bytes).expect("written a moment ago");
    let weights = file.tensor_bytes() as u64;
    let arena = file.programs.keys().try_fold(0, |most, program| {
        Ok::<_, Error>(Loaded::new(&file, program)?.arena_bytes().max(most))
    })? as u64;
    let mut candidate = Candidate {
        name,
        model,
        bytes: weights + arena,
        small_bytes: weights / 4 + arena / 4,
        seconds: seconds(&file, wish, clock)?,
        against: Vec::new(),
        reasons: Vec::new(),
        place: 0,
    };
    for need in &wish.needs {
        match need.lacking(&file) {
            Some(lack) if candidate.against.iter().any(|known| known == lack) => {}
            Some(lack) => candidate.against.push(lack.into()),
            None => candidate.rank(*need),
        }
    }
    candidate.weigh(&file, source, wish);
    Ok((candidate, file.manifest.window.length))
}

impl Candidate {
    /// Its place among those that can do it.
    fn rank(&mut self, need: Need) {
        let (_, order) = MERITS[need as usize];
        let place = order.iter().position(|name| *name == self.name);
        self.place += place.unwrap_or(order.len());
        match place {
            Some(0) => self.reasons.push(format!("it measured best at {need}")),
            Some(1) => self.reasons.push(format!("it measured second best at {need}")),
            _ => {}
        }
    }

    /// What the wish and the data ask beside the task.
    fn weigh(&mut self, file: &File<'_>, source: &Source, wish: &Wish) {
        let density = file.manifest.density;
        if wish.exact {
            match density {
                Density::Exact => self.reasons.push("its probabilities are exact".into()),
                Density::Bound => {
                    self.against.push("it knows only a bound of a probability".into());
                }
                Density::Energy => {
                    self.against.push("it knows probabilities only up to a factor".into());
                }
                Density::Implicit => self.against.push("it knows no probabilities".into()),
            }
        }
        if let Some(bytes) = wish.bytes {
            if self.bytes <= bytes {
                self.reasons.push(format!("its {} fit", Size(self.bytes)));
            } else if self.small_bytes <= bytes {
                self.reasons.push(format!(
                    "its {} fit once weights have eight bits (`mote compress`)",
                    Size(self.small_bytes)
                ));
                self.place += 1;
            } else {
                self.against
                    .push(format!("it takes {} even with eight bits", Size(self.small_bytes)));
            }
        }
        if let Some(deadline) = wish.deadline_s {
            let took = Seconds(self.seconds);
            if self.seconds <= deadline {
                self.reasons.push(format!("it answers in {took} here"));
            } else {
                self.against.push(format!("it takes {took} for an answer here"));
            }
        }
        let words = source.plan.schema.columns.iter().any(|c| c.kind != Kind::Numeric);
        if words && matches!(self.name, "autoregressive" | "transformer") {
            self.reasons.push("it gives words probabilities of their own".into());
            self.place = self.place.saturating_sub(1);
        }
        if source.runs.samples() < FEW_SAMPLES
            && matches!(self.name, "gan" | "transformer" | "energy")
        {
            self.reasons.push(format!("but {} samples are few for it", source.runs.samples()));
            self.place += 2;
        }
    }
}

impl Need {
    /// The task of training that it is, if it is one.
    #[must_use]
    pub fn task(self) -> Option<Task> {
        match self {
            Self::Generate => Some(Task::Generate),
            Self::Impute => Some(Task::Impute),
            Self::Forecast => Some(Task::Forecast),
            Self::Detect | Self::Denoise | Self::Embed => None,
        }
    }

    /// What a model lacks for it, if something.
    fn lacking(self, file: &File<'_>) -> Option<&'static str> {
        let generator = file.manifest.generator.is_some();
        match self {
            Self::Detect => (file.manifest.density == Density::Implicit)
                .then_some("it cannot say how improbable a sample is"),
            Self::Generate | Self::Impute | Self::Forecast => {
                (!generator).then_some("it completes no windows")
            }
            Self::Denoise => {
                (mote_runtime::Denoiser::new(file).is_err()).then_some("it takes out no noise")
            }
            Self::Embed => {
                (!file.programs.contains_key("encode")).then_some("it has no latent space")
            }
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Detect => "detection",
            Self::Generate => "generation",
            Self::Impute => "filling holes",
            Self::Forecast => "forecasts",
            Self::Denoise => "taking out noise",
            Self::Embed => "embedding",
        })
    }
}

/// Calls that are timed, of which the fastest counts: whatever disturbs one makes it slower.
const CALLS: usize = 5;

/// Seconds of the slowest answer that is wanted.
fn seconds(file: &File<'_>, wish: &Wish, clock: &mut dyn FnMut() -> u64) -> Result<f64, Error> {
    let mut timed = |call: &mut dyn FnMut()| {
        call();
        let once = |_| {
            let began = clock();
            call();
            clock() - began
        };
        (0..CALLS).map(once).min().unwrap_or(0) as f64 * 1e-9
    };
    let mut slowest = 0.0f64;
    let completes = wish.needs.iter().any(|n| n.task().is_some());
    if completes && file.manifest.generator.is_some() {
        let mut completer = Completer::new(file, 1, None)?;
        let [length, features] = completer.shape();
        let nothing = vec![0.0; length * features];
        let mut y = nothing.clone();
        let mut noise = Noise::new(0, 0);
        slowest = timed(&mut || completer.complete(&nothing, &nothing, &mut noise, &mut y));
    }
    // `step` scores one more sample where a model looks back only.
    let scorer = ["step", "score"].into_iter().find(|name| file.programs.contains_key(*name));
    if let Some(name) = scorer.filter(|_| wish.needs.contains(&Need::Detect) || !completes) {
        let mut instance = Loaded::new(file, name)?.batch(1);
        slowest = slowest.max(timed(&mut || instance.run()));
    }
    Ok(slowest)
}

fn notes(source: &Source, wish: &Wish) -> Vec<String> {
    let mut notes = Vec::new();
    let samples = source.runs.samples();
    if samples < FEW_SAMPLES {
        notes.push(format!(
            "{samples} samples are few: held-back data will tell little, and a threshold will promise little."
        ));
    }
    let labelled: usize =
        source.runs.series().iter().filter_map(|s| s.labels()).flatten().filter(|l| **l).count();
    let known = source.runs.series().iter().any(|s| s.labels().is_some());
    match (known, labelled) {
        (false, _) if wish.needs.contains(&Need::Detect) => notes.push(
            "No labels are needed to learn what is normal; with some, `mote eval` measures the detector."
                .into(),
        ),
        (true, 1..) => notes.push(format!(
            "{labelled} samples are labelled as anomalies: keep them out of training with \
             `anomalies = \"cut_out\"` in [split], and measure with `mote eval`."
        )),
        _ => {}
    }
    let values = source.runs.series().iter().flat_map(|s| s.mask());
    let (missing, all) =
        values.fold((0usize, 0usize), |(m, n), v| (m + usize::from(*v == 0.0), n + 1));
    if 20 * missing > all {
        notes.push(format!(
            "{:.0} % of the values are missing: all families see a mask, so nothing has to be filled first.",
            100.0 * missing as f64 / all as f64
        ));
    }
    notes
}

/// Bytes, for people.
#[derive(Clone, Copy, Debug)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes @ ..1024 => write!(f, "{bytes} B"),
            bytes @ ..1_048_576 => write!(f, "{:.0} KB", bytes as f64 / 1024.0),
            bytes => write!(f, "{:.1} MB", bytes as f64 / 1_048_576.0),
        }
    }
}

/// Seconds, for people.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub f64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            s if s < 1e-3 => write!(f, "{:.0} µs", s * 1e6),
            s if s < 1.0 => write!(f, "{:.1} ms", s * 1e3),
            s => write!(f, "{s:.1} s"),
        }
    }
}
