//! Generated windows beside published ones: makes `docs/results/generation.md`.
//!
//! `cargo run --release -p mote --example generation -- [--data FOLDER] [--sets sines,stocks,energy,etth,etth-64]
//! [--models diffusion,vae] [--seeds 5]` trains and judges what `docs/results/generation.json` does not hold yet
//! (what is found is kept at once, so it can be interrupted), then writes the table.
//! The data is not part of this repository: FOLDER holds `timegan/` and `ett/`.

mod measure;
#[path = "../support/outcomes.rs"]
mod outcomes;
mod sets;
mod store;
mod table;

use std::path::{Path, PathBuf};

use clap::Parser;
use mote::{Error, files};

use store::{Outcome, Store, Values};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is run, unless less is asked for.
const SETS: [&str; 7] = ["sines", "stocks", "energy", "etth", "etth-64", "etth-128", "etth-256"];
const MODELS: [&str; 9] = [
    "diffusion",
    "vae",
    "autoregressive",
    "spline-flow",
    "transformer",
    "latent-diffusion",
    "vq-vae",
    "gan",
    "energy",
];

/// What is found out about a set.
type Measure<'m> = dyn Fn(&sets::Set) -> Result<Values, Error> + 'm;

/// Trains and judges what is not known yet, and writes the table.
#[derive(Parser)]
struct Options {
    /// Where `timegan/` and `ett/` lie
    #[arg(long, default_value = "../shared/data")]
    data: PathBuf,
    #[arg(long, value_delimiter = ',', default_values = SETS)]
    sets: Vec<String>,
    #[arg(long, value_delimiter = ',', default_values = MODELS)]
    models: Vec<String>,
    #[arg(long, default_value_t = 5)]
    seeds: u64,
}

fn main() -> Result<(), Error> {
    let options = Options::parse();
    let mut store = Store::open(Path::new("docs/results/generation.json"))?;
    for seed in 0..options.seeds {
        for name in &options.sets {
            let mut set = None;
            for model in &options.models {
                let mut found = |what: &str, measure: &Measure<'_>| -> Result<(), Error> {
                    if store.holds(name, model, what) {
                        return Ok(());
                    }
                    eprintln!("{name} {model} {what}");
                    let set = match &mut set {
                        Some(set) => set,
                        None => set.insert(sets::read(name, &options.data)?),
                    };
                    let values = measure(set)?;
                    eprintln!("  {values:?}");
                    let (set, model, what) = (name.clone(), model.clone(), what.into());
                    store.keep(Outcome { set, model, what, values })
                };
                found(&seed.to_string(), &|set| measure::measure(set, model, seed))?;
                if seed == 0 {
                    found("memory", &|set| measure::memorizing(set, model, seed))?;
                    if model == "diffusion" {
                        found("undistilled", &measure::undistilled)?;
                    }
                }
            }
        }
    }
    let table = table::table(&store.outcomes);
    let target = Path::new("docs/results/generation.md");
    files::write(target, table.as_bytes())?;
    print!("{table}");
    Ok(())
}
