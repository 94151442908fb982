//! Imputation and forecasting on public data, beside what needs no model: makes
//! `docs/results/completion.md`.
//!
//! `cargo run --release -p mote --example completion -- [--data FOLDER] [--sets etth1,ettm1,skab]
//! [--models diffusion] [--seeds 3]` trains and measures what is not measured yet (each result is a file
//! under `target/completion`, so it can be interrupted), then writes the table. With `--on validation` it
//! judges on the held-back part instead of the test part: what is chosen is chosen there. FOLDER holds
//! the sets as they are published.

mod forecasting;
mod imputation;
mod table;

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Instant,
};

use clap::{Parser, ValueEnum};
use mote::{
    Error,
    completion::judge::Errors,
    files,
    source::{Reading, dataset},
    training::{Model, Recipe, Report, Task, run},
};
use mote_data::{
    Runs, Scaling,
    split::{Split, Train, split},
};
use mote_learn::{
    device::Device,
    families::{AutoregressiveConfig, DiffusionConfig, SplineFlowConfig, TimeVaeConfig},
    train::TrainConfig,
};
use serde::{Deserialize, Serialize};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What promises a coverage promises this one.
const CONFIDENCE: f64 = 0.9;
/// Draws of each stretch.
const DRAWS: usize = 32;
/// The families that can be measured here.
const FAMILIES: [&str; 4] = ["diffusion", "vae", "spline-flow", "autoregressive"];

/// What one model of one seed reached on one data set, or what needs no model.
#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    set: String,
    model: String,
    seed: u64,
    steps: u64,
    /// Seconds of training.
    seconds: f64,
    /// Errors by task and method.
    errors: BTreeMap<String, BTreeMap<String, Errors>>,
}

/// A data set and how it is divided in time.
struct Set {
    name: &'static str,
    title: &'static str,
    file: &'static str,
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
        title: "ETTh1 (7 columns, hourly)",
        file: "ett/ETTh1.csv.gz",
        toml: "ett",
        split: None,
        window: 96,
        season: 24,
        every: 24,
        steps: 800,
    },
    Set {
        name: "ettm1",
        title: "ETTm1 (7 columns, every 15 minutes)",
        file: "ett/ETTm1.csv.gz",
        toml: "ett",
        split: None,
        window: 192,
        season: 96,
        every: 96,
        steps: 600,
    },
    Set {
        name: "skab",
        title: "SKAB, the recording without anomalies (8 columns, 1 Hz)",
        file: "skab/anomaly-free/anomaly-free.csv.gz",
        toml: "skab",
        split: Some(Train::Fraction(0.7)),
        window: 96,
        season: 1,
        every: 24,
        steps: 800,
    },
];

/// Trains and measures what is not measured yet, and writes the table.
#[derive(Parser)]
struct Options {
    /// Where the sets lie as they are published
    #[arg(long, default_value = "../shared/data")]
    data: PathBuf,
    #[arg(long, value_delimiter = ',', default_values = SETS.map(|set| set.name))]
    sets: Vec<String>,
    #[arg(long, value_delimiter = ',', default_values = ["diffusion"])]
    models: Vec<String>,
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// Steps of training [default: of each set its own]
    #[arg(long)]
    steps: Option<u64>,
    /// Which part is judged
    #[arg(long, default_value = "test")]
    on: Judged,
}

/// A part that may be judged.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Judged {
    Validation,
    Test,
}

/// The three parts of a data set, one after another in time.
struct Parts {
    train: Runs,
    validation: Runs,
    test: Runs,
}

fn main() -> Result<(), Error> {
    let options = Options::parse();
    let store = Path::new("target/completion");
    std::fs::create_dir_all(store).map_err(|e| Error::io("create", store, e))?;
    for set in SETS.iter().filter(|s| options.sets.iter().any(|n| n == s.name)) {
        for model in &options.models {
            for seed in 0..options.seeds {
                let part = match options.on {
                    Judged::Validation => "validation",
                    Judged::Test => "test",
                };
                let path = store.join(format!("{part}-{}-{model}-{seed}.json", set.name));
                if path.exists() {
                    continue;
                }
                let outcome = measure(set, model, seed, &options)?;
                table::say(&outcome);
                let text = serde_json::to_string_pretty(&outcome).expect("plain data");
                files::write(&path, text.as_bytes())?;
            }
        }
    }
    let text = table::make(store)?;
    files::write(Path::new("docs/results/completion.md"), text.as_bytes())
}

/// The families, and how large: the list that grows.
fn model_of(name: &str, set: &Set) -> Model {
    match name {
        "vae" => Model::Vae(TimeVaeConfig { hidden: 64, latent: 32, ..Default::default() }),
        "diffusion" => Model::Diffusion(DiffusionConfig {
            season: if set.season > 1 { set.season } else { 0 },
            ..Default::default()
        }),
        "spline-flow" => Model::SplineFlow(SplineFlowConfig::default()),
        "autoregressive" => Model::Autoregressive(AutoregressiveConfig::default()),
        other => panic!("wanted vae, diffusion, spline-flow or autoregressive, found {other}"),
    }
}

fn measure(set: &Set, name: &str, seed: u64, options: &Options) -> Result<Outcome, Error> {
    let toml = format!("datasets/{}.toml", set.toml);
    let mut reading = Reading { dataset: dataset(Path::new(&toml))? };
    reading.dataset.split.train = set.split.unwrap_or(reading.dataset.split.train);
    let source = reading.learn(&[options.data.join(set.file)])?;
    let parts = divide(&source.runs, &reading.dataset.split)?;
    let tasks = [Task::Impute, Task::Forecast];
    let usual = Recipe::for_tasks(reading, &source, model_of(name, set), &tasks)?;
    let steps = options.steps.unwrap_or(set.steps);
    let recipe = Recipe {
        window: Some(set.window),
        train: TrainConfig {
            seed,
            steps,
            batch: 64,
            learning_rate: 1e-3,
            evaluate_every: steps / 10,
            patience: u32::MAX,
            ..usual.train.clone()
        },
        ..usual
    };
    let began = Instant::now();
    // Intervals are calibrated below, on the same data, for horizons that are longer.
    let finished = run(&source, &recipe, Device::Cpu, None, &mut |report| match report {
        Report::Margins(..) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let model = mote_format::Model::open(&finished.file).expect("written a moment ago");
    let scaling = Scaling::fit(&parts.train, Default::default());
    let units: Vec<f64> = scaling.scale.iter().map(|&s| s.into()).collect();
    let (calibrate, judge) = match options.on {
        Judged::Validation => (&parts.train, &parts.validation),
        Judged::Test => (&parts.validation, &parts.test),
    };
    let mut errors = imputation::errors(&model, judge, &units, seed)?;
    let judged = (&source.runs, calibrate, judge);
    errors.extend(forecasting::errors(&model, set, judged, &units, seed)?);
    for of in errors.values_mut() {
        for method in ["model", "model, calibrated"] {
            if let Some(errors) = of.remove(method) {
                of.insert(method.replace("model", name), errors);
            }
        }
    }
    Ok(Outcome { set: set.name.into(), model: name.into(), seed, steps, seconds, errors })
}

fn divide(runs: &Runs, how: &Split) -> Result<Parts, Error> {
    let parts = split(runs, how)?;
    let some = |part: Option<Runs>| part.expect("both sets leave something to judge on");
    Ok(Parts { train: parts.train, validation: some(parts.validation), test: some(parts.test) })
}
