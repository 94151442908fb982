//! Generated windows beside published ones: makes `docs/results/generation.md`.
//!
//! `cargo run --release -p mote --example generation -- [--data FOLDER] [--sets sines,stocks,energy,etth,etth-64]
//! [--models diffusion,vae] [--seeds 5]` trains and judges what is not judged yet (each result is a file under
//! `target/generation`, so it can be interrupted and run in several processes), then writes the table.
//! The data is not part of this repository: FOLDER holds `timegan/` and `ett/`.

mod measure;
mod sets;
mod table;

use std::path::{Path, PathBuf};

use mote::{Error, files};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is run, unless less is asked for.
const SETS: [&str; 7] = ["sines", "stocks", "energy", "etth", "etth-64", "etth-128", "etth-256"];
const MODELS: [&str; 4] = ["diffusion", "vae", "autoregressive", "spline-flow"];

/// What is found out about a set.
type Measure<'m> = dyn Fn(&sets::Set) -> Result<measure::Outcome, Error> + 'm;

struct Options {
    data: PathBuf,
    sets: Vec<String>,
    models: Vec<String>,
    seeds: u64,
}

fn main() -> Result<(), Error> {
    let options = options();
    let store = Path::new("target/generation");
    std::fs::create_dir_all(store).map_err(|e| Error::io("create", store, e))?;
    for seed in 0..options.seeds {
        for name in &options.sets {
            let mut set = None;
            for model in &options.models {
                let mut found = |what: &str, measure: &Measure<'_>| -> Result<(), Error> {
                    let path = store.join(format!("{name}-{model}-{what}.json"));
                    if path.exists() {
                        return Ok(());
                    }
                    eprintln!("{name} {model} {what}");
                    let set = match &mut set {
                        Some(set) => set,
                        None => set.insert(sets::read(name, &options.data)?),
                    };
                    let outcome = measure(set)?;
                    eprintln!("  {:?}", outcome.values);
                    let text = serde_json::to_string_pretty(&outcome).expect("plain data");
                    files::write(&path, text.as_bytes())
                };
                found(&seed.to_string(), &|set| measure::measure(set, model, seed))?;
                if seed == 0 {
                    found("memory", &|set| measure::memorizing(set, model, seed))?;
                    if model == "diffusion" {
                        found("undistilled", &|set| measure::undistilled(set))?;
                    }
                }
            }
        }
    }
    let table = table::table(store)?;
    let target = Path::new("docs/results/generation.md");
    files::write(target, table.as_bytes())?;
    print!("{table}");
    Ok(())
}

fn options() -> Options {
    let mut options = Options {
        data: "../shared/data".into(),
        sets: SETS.map(String::from).into(),
        models: MODELS.map(String::from).into(),
        seeds: 5,
    };
    let mut arguments = std::env::args().skip(1);
    let list = |text: String| text.split(',').map(String::from).collect();
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("wanted a value behind {name}"));
        match name.as_str() {
            "--data" => options.data = value.into(),
            "--sets" => options.sets = list(value),
            "--models" => options.models = list(value),
            "--seeds" => options.seeds = value.parse().expect("a number of seeds"),
            other => panic!("wanted --data, --sets, --models or --seeds, found {other}"),
        }
    }
    options
}
