//! Is generated data worth training on? Classifiers of activities, heartbeats and bearings, trained on
//! real windows alone, with simple augmentations, and with windows that models generated: makes
//! `docs/results/augmentation.md` and its plot.
//!
//! `cargo run --release -p mote --example augmentation -- [--data FOLDER] [--sets activity,heartbeat,bearing]
//! [--methods …] [--seeds 5]` does what `docs/results/augmentation.json` does not hold yet (what is found is kept
//! at once, so it can be interrupted), then writes the table. FOLDER holds `har_geotec/`, `ecg5000/` and `cwru/`.

mod methods;
#[path = "../support/outcomes.rs"]
mod outcomes;
mod plot;
mod sets;
mod store;
mod table;
mod trial;

use std::path::{Path, PathBuf};

use clap::Parser;
use mote::{Error, files};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Shares of the training windows.
const SHARES: [f64; 4] = [0.01, 0.05, 0.2, 1.0];

/// Trains and tests classifiers of what is not done yet, and writes the table.
#[derive(Parser)]
struct Options {
    /// Where `har_geotec/`, `ecg5000/` and `cwru/` lie
    #[arg(long, default_value = "../shared/data")]
    data: PathBuf,
    #[arg(long, value_delimiter = ',', default_values = sets::SETS)]
    sets: Vec<String>,
    #[arg(long, value_delimiter = ',', default_values = methods::METHODS)]
    methods: Vec<String>,
    #[arg(long, default_value_t = 5)]
    seeds: u64,
}

fn main() -> Result<(), Error> {
    let options = Options::parse();
    let mut store = store::Store::open(Path::new("docs/results/augmentation.json"))?;
    for name in &options.sets {
        let set = sets::read(name, &options.data)?;
        for seed in 0..options.seeds {
            for share in SHARES {
                let mut drawn = methods::Drawn::default();
                for method in &options.methods {
                    if store.holds(name, share, method, seed) {
                        continue;
                    }
                    let Some(outcome) = trial::run(&set, share, method, seed, &mut drawn)? else {
                        continue;
                    };
                    eprintln!("{name} {share} {method} {seed}: {:?}", outcome.scores);
                    store.keep(outcome)?;
                }
            }
        }
    }
    let text = table::table(&store.outcomes, &options.data)?;
    files::write(Path::new("docs/results/augmentation.md"), text.as_bytes())?;
    files::write(
        Path::new("docs/results/augmentation.svg"),
        plot::plot(&store.outcomes).as_bytes(),
    )?;
    print!("{text}");
    Ok(())
}
