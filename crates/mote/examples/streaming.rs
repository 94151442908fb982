//! What a sample costs on a stream: makes `docs/results/streaming.md`.
//!
//! `cargo run --release -p mote --example streaming` trains both families shortly on the
//! simulated pump (12 sensors), then pushes records one by one through aligner and detector, as
//! `mote run` does, and times each push. Five runs; the table shows their medians and extremes. A second table
//! sets what one more sample costs beside a share of the whole window.

use std::{fmt::Write as _, ops::ControlFlow, path::Path, time::Instant};

use mote::{
    Error, files,
    profile::{Effort, How, profile},
    source::Reading,
    stream::Live,
    training::{Model, Recipe, run},
};
use mote_data::pump;
use mote_eval::{Latency, median};
use mote_learn::{
    device::Device,
    families::{AutoregressiveConfig, MafConfig, TimeVaeConfig},
};
use mote_runtime::Level;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RUNS: usize = 5;

fn main() -> Result<(), Error> {
    let folder = Path::new("target/streaming");
    std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, e))?;
    let file = folder.join("pump.csv");
    let simulation = pump::simulate(&pump::Config { samples: 7200, ..pump::Config::default() });
    files::write(&file, simulation.csv().as_bytes())?;
    let mut reading = Reading::default();
    reading.dataset.read.label = Some("anomaly".into());
    let source = reading.learn(std::slice::from_ref(&file))?;

    let mut text = String::from(
        "# Streaming\n\nMade by `cargo run --release -p mote --example streaming`: records of the \
         simulated pump (12 sensors, windows chosen from the data) pushed one by one through aligner \
         and detector on one thread, with the fastest kernels of the machine. Medians of five runs, extremes in brackets.\n\n\
         | model | multiply-adds a sample | samples / s | p50, µs | p99, µs | detector memory, KiB | weights, KiB | peak of the process, MiB |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    let mut steps = String::new();
    for model in models() {
        let mut recipe = Recipe::new(reading.clone(), &source, model)?;
        recipe.train.steps = 200;
        let made = run(&source, &recipe, Device::Cpu, None, &mut |_| ControlFlow::Continue(()))?;
        let loaded = mote_format::Model::open(&made.file).expect("written a moment ago");
        let records = reading.records(&file, &loaded.manifest.schema)?;
        let (mut rates, mut p50, mut p99, mut memory) = (vec![], vec![], vec![], 0);
        for _ in 0..RUNS {
            let mut live = Live::new(&loaded, recipe.rules)?;
            let mut out = Vec::new();
            let mut times = Vec::with_capacity(records.len());
            let began = Instant::now();
            for record in records.iter().cloned() {
                let start = Instant::now();
                live.push(record, &mut out);
                times.push(start.elapsed().as_secs_f64() * 1e6);
                out.clear();
            }
            rates.push(records.len() as f64 / began.elapsed().as_secs_f64());
            let latency = Latency::of(&times).map_err(|e| Error::evaluate("latency", e))?;
            p50.push(latency.us_p50);
            p99.push(latency.us_p99);
            memory = live.memory_bytes();
        }
        let _ = writeln!(
            text,
            "| {} ({} samples) | {} | {} | {} | {} | {:.1} | {:.1} | {:.1} |",
            loaded.manifest.family,
            loaded.manifest.window.length,
            loaded.programs["score"].multiply_adds(),
            spread(&rates, 0),
            spread(&p50, 1),
            spread(&p99, 1),
            memory as f64 / 1024.0,
            loaded.tensor_bytes() as f64 / 1024.0,
            peak_mib(),
        );
        for level in [Level::Plain, Level::best()] {
            steps += &step_row(&loaded, level)?;
        }
    }
    text.push_str("\nThe peak includes training in the same process; a process that only runs a model needs its weights, the detector and the binary.\n");
    text.push_str(STEPS);
    text.push_str(&steps);
    files::write(Path::new("docs/results/streaming.md"), text.as_bytes())?;
    print!("{text}");
    Ok(())
}

const STEPS: &str = "\n## One more sample\n\nA causal model advances by one sample where it would compute its window again: the multiply-adds of a step are \
    those of a window over its length, and on microcontrollers so are the instructions (firmware.md). Fast kernels of a processor \
    like this one read each weight of a window once for several samples, but those of a step for one: the last column \
    is the least that a step can take here, by its multiply-adds and by what it reads from the cache. Medians.\n\n\
    | model | kernels | multiply-adds, step over window ÷ length | window ÷ length, µs | step, µs | ratio | least that a step takes, µs |\n|---|---|---|---|---|---|---|\n";

fn models() -> [Model; 3] {
    [
        Model::Vae(TimeVaeConfig::default()),
        Model::Flow(MafConfig::default()),
        Model::Autoregressive(AutoregressiveConfig::default()),
    ]
}

/// The row of a model that has a program `step`; nothing of another.
fn step_row(model: &mote_format::Model<'_>, level: Level) -> Result<String, Error> {
    if !model.programs.contains_key("step") {
        return Ok(String::new());
    }
    let start = Instant::now();
    let mut clock = || start.elapsed().as_nanos() as u64;
    let how = How { level, batch: 1, threads: None };
    let effort = Effort { rounds: 9, round_ns: 20_000_000 };
    let window = profile(model, "score", how, effort, &mut clock)?;
    let step = profile(model, "step", how, effort, &mut clock)?;
    let length = model.manifest.window.length as f64;
    let [share, one] = [window.call_ns.median / length / 1e3, step.call_ns.median / 1e3];
    Ok(format!(
        "| {} ({length} samples) | {} | {:.2} | {share:.2} | {one:.2} | {:.2} | {:.2} |\n",
        model.manifest.family,
        level.name(),
        step.multiply_adds as f64 * length / window.multiply_adds as f64,
        one / share,
        step.limit_ns / 1e3,
    ))
}

fn spread(values: &[f64], digits: usize) -> String {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let middle = median(values).unwrap_or(f64::NAN);
    format!("{middle:.digits$} ({low:.digits$} – {high:.digits$})")
}

/// The largest resident memory of this process so far, as Linux counts it; zero elsewhere.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}
