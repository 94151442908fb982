//! Imputation and forecasting on public data, beside what needs no model: makes
//! `docs/results/completion.md`.
//!
//! `cargo run --release -p mote --example completion -- [--data FOLDER] [--sets etth1,ettm1,skab]
//! [--models vae,diffusion] [--seeds 3]` trains and measures what is not measured yet (each result is a
//! file under `target/completion`, so it can be interrupted and run in several processes), then writes
//! the table. With `--on validation` it judges on the held-back part instead of the test part and
//! prints only: what is chosen is chosen there. FOLDER holds the sets as they are published.

mod forecasting;
mod imputation;
mod table;

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Instant,
};

use mote::{
    Error,
    completion::judge::Errors,
    files,
    source::{Reading, dataset},
    training::{Model, Recipe, Task, run},
};
use mote_data::{
    Runs, Scaling,
    split::{Split, Train, split},
};
use mote_learn::{
    device::Device,
    families::{AutoregressiveConfig, DiffusionConfig, Prediction, SplineFlowConfig, TimeVaeConfig},
    train::TrainConfig,
};
use serde::{Deserialize, Serialize};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What promises a coverage promises this one.
const CONFIDENCE: f64 = 0.9;

/// What one model of one seed reached on one data set, or what needs no model.
#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    set: String,
    seed: u64,
    /// Seconds of training, on one core of the machine that it ran on.
    seconds: BTreeMap<String, f64>,
    /// Errors by task and method.
    errors: BTreeMap<String, BTreeMap<String, Errors>>,
}

/// A data set and how it is divided in time.
struct Set {
    name: &'static str,
    files: &'static [&'static str],
    toml: &'static str,
    split: Option<Train>,
    /// Samples in a window: long enough to hold two seasons where that can be trained in minutes.
    window: usize,
    /// Samples in a season; 1 where there is none.
    season: usize,
    /// Samples from one forecast to the next.
    every: usize,
    steps: u64,
}

const SETS: [Set; 3] = [
    Set {
        name: "etth1",
        files: &["ett/ETTh1.csv.gz"],
        toml: "ett",
        split: None,
        window: 96,
        season: 24,
        every: 24,
        steps: 2500,
    },
    Set {
        name: "ettm1",
        files: &["ett/ETTm1.csv.gz"],
        toml: "ett",
        split: None,
        window: 192,
        season: 96,
        every: 96,
        steps: 1500,
    },
    Set {
        name: "skab",
        files: &["skab/anomaly-free", "skab/valve1", "skab/valve2", "skab/other"],
        toml: "skab",
        split: Some(Train::Fraction(0.7)),
        window: 96,
        season: 1,
        every: 24,
        steps: 2500,
    },
];

struct Options {
    data: PathBuf,
    sets: Vec<String>,
    models: Vec<String>,
    seeds: Vec<u64>,
    on_validation: bool,
    steps: Option<u64>,
    rate: f64,
}

/// The three parts of a data set, one after another in time.
struct Parts {
    train: Runs,
    validation: Runs,
    test: Runs,
}

fn main() -> Result<(), Error> {
    let options = options();
    let store = Path::new("target/completion");
    std::fs::create_dir_all(store).map_err(|e| Error::io("create", store, e))?;
    for set in SETS.iter().filter(|s| options.sets.iter().any(|n| n == s.name)) {
        for model in &options.models {
            for &seed in &options.seeds {
                let path = store.join(format!("{}-{model}-{seed}.json", set.name));
                if path.exists() && !options.on_validation {
                    continue;
                }
                let outcome = measure(set, model, seed, &options)?;
                table::say(&outcome);
                if !options.on_validation {
                    let text = serde_json::to_string_pretty(&outcome).expect("plain data");
                    files::write(&path, text.as_bytes())?;
                }
            }
        }
    }
    if options.on_validation {
        return Ok(());
    }
    let text = table::make(store)?;
    files::write(Path::new("docs/results/completion.md"), text.as_bytes())
}

fn options() -> Options {
    let mut options = Options {
        data: "../shared/data".into(),
        sets: SETS.iter().map(|s| s.name.to_owned()).collect(),
        models: ["vae", "diffusion"].map(String::from).into(),
        seeds: (0..3).collect(),
        on_validation: false,
        steps: None,
        rate: 1e-3,
    };
    let mut arguments = std::env::args().skip(1);
    let list = |text: String| text.split(',').map(String::from).collect();
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("wanted a value behind {name}"));
        match name.as_str() {
            "--data" => options.data = value.into(),
            "--sets" => options.sets = list(value),
            "--models" => options.models = list(value),
            "--seeds" => options.seeds = (0..value.parse().expect("a number of seeds")).collect(),
            "--steps" => options.steps = Some(value.parse().expect("a number of steps")),
            "--rate" => options.rate = value.parse().expect("a learning rate"),
            "--on" => options.on_validation = value == "validation",
            other => panic!("wanted --data, --sets, --models, --seeds, --steps or --on, found {other}"),
        }
    }
    options
}

/// The families, and how large: the list that grows.
fn model_of(name: &str, set: &Set) -> Model {
    match name {
        "vae" => Model::Vae(TimeVaeConfig { hidden: 64, latent: 32, ..Default::default() }),
        // The window itself is asked for: where much of it is known, little is left to say.
        "diffusion" => Model::Diffusion(DiffusionConfig {
            prediction: Prediction::Clean,
            evaluations: 6,
            strides: None,
            season: if set.season > 1 { set.season } else { 0 },
            ..Default::default()
        }),
        "spline-flow" => Model::SplineFlow(SplineFlowConfig::default()),
        "autoregressive" => Model::Autoregressive(AutoregressiveConfig::default()),
        other => panic!("wanted vae, diffusion, spline-flow or autoregressive, found {other}"),
    }
}

fn measure(set: &Set, name: &str, seed: u64, options: &Options) -> Result<Outcome, Error> {
    let mut reading = Reading { dataset: dataset(Path::new(&format!("datasets/{}.toml", set.toml)))? };
    reading.dataset.split.train = set.split.unwrap_or(reading.dataset.split.train);
    let files = files_of(set, &options.data)?;
    let source = reading.learn(&files)?;
    let model = model_of(name, set);
    let parts = divide(&source.runs, &reading.dataset.split)?;
    let tasks = [Task::Impute, Task::Forecast];
    let usual = model.training_for(&tasks, parts.train.samples());
    let steps = options.steps.unwrap_or(set.steps);
    let recipe = Recipe {
        window: Some(set.window),
        train: TrainConfig { seed, steps, batch: 64, learning_rate: options.rate, evaluate_every: steps / 10, patience: u32::MAX, ..usual },
        ..Recipe::new(reading, &source, model)?
    };
    let began = Instant::now();
    let finished = run(&source, &recipe, Device::Cpu, None, &mut |_| ControlFlow::Continue(()))?;
    let seconds = began.elapsed().as_secs_f64();
    eprintln!("{} {name} seed {seed}: {seconds:.0} s, best look {} of {}", set.name, finished.best, finished.history.len());
    let looks: Vec<String> = finished.history.iter().map(|l| format!("{:.3}/{:.3}", l.training, l.validation)).collect();
    eprintln!("  {}", looks.join(" "));
    let model = mote_format::Model::open(&finished.file).expect("written a moment ago");
    let units: Vec<f64> =
        Scaling::fit(&parts.train, Default::default()).scale.iter().map(|&s| s.into()).collect();
    let (calibrate, judge) = match options.on_validation {
        true => (&parts.train, &parts.validation),
        false => (&parts.validation, &parts.test),
    };
    let began = Instant::now();
    let mut errors = imputation::errors(&model, (calibrate, judge), &units, seed)?;
    eprintln!("  imputed in {:.0} s", began.elapsed().as_secs_f64());
    let began = Instant::now();
    errors.extend(forecasting::errors(&model, set, &source.runs, (calibrate, judge), &units, seed)?);
    eprintln!("  forecast in {:.0} s", began.elapsed().as_secs_f64());
    let mut outcome = Outcome { set: set.name.into(), seed, seconds: BTreeMap::new(), errors };
    outcome.seconds.insert(name.into(), seconds);
    for of in outcome.errors.values_mut() {
        for method in ["model", "model, calibrated"] {
            if let Some(errors) = of.remove(method) {
                of.insert(method.replace("model", name), errors);
            }
        }
    }
    Ok(outcome)
}

fn divide(runs: &Runs, how: &Split) -> Result<Parts, Error> {
    let parts = split(runs, how)?;
    let some = |part: Option<Runs>| part.expect("both sets leave something to judge on");
    Ok(Parts { train: parts.train, validation: some(parts.validation), test: some(parts.test) })
}

fn files_of(set: &Set, data: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for of in set.files {
        let path = data.join(of);
        if !path.is_dir() {
            found.push(path);
            continue;
        }
        let entries = std::fs::read_dir(&path).map_err(|e| Error::io("read", &path, e))?;
        for entry in entries {
            found.push(entry.map_err(|e| Error::io("read", &path, e))?.path());
        }
    }
    found.sort();
    Ok(found)
}
