//! Is generated data worth training on? Classifiers of activities, heartbeats and bearings, trained on
//! real windows alone, with simple augmentations, and with windows that models generated: makes
//! `docs/results/augmentation.md` and its plot.
//!
//! `cargo run --release -p mote --example augmentation -- [--data FOLDER] [--sets activity,heartbeat,bearing]
//! [--methods …] [--seeds 5]` does what is not done yet (each result is a file under `target/augmentation`, so
//! it can be interrupted), then writes the table. FOLDER holds `har_geotec/`, `ecg5000/` and `cwru/`.

mod methods;
mod plot;
mod sets;
mod table;
mod trial;

use std::path::{Path, PathBuf};

use mote::{Error, files};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Shares of the training windows.
const SHARES: [f64; 4] = [0.01, 0.05, 0.2, 1.0];

struct Options {
    data: PathBuf,
    sets: Vec<String>,
    methods: Vec<String>,
    seeds: u64,
}

fn main() -> Result<(), Error> {
    let options = options();
    let store = Path::new("target/augmentation");
    std::fs::create_dir_all(store).map_err(|e| Error::io("create", store, e))?;
    for name in &options.sets {
        let set = sets::read(name, &options.data)?;
        for seed in 0..options.seeds {
            for share in SHARES {
                let mut drawn = methods::Drawn::default();
                for method in &options.methods {
                    let path = store.join(format!("{name}-{share}-{method}-{seed}.json"));
                    if path.exists() {
                        continue;
                    }
                    let Some(outcome) = trial::run(&set, share, method, seed, &mut drawn)? else {
                        continue;
                    };
                    eprintln!("{name} {share} {method} {seed}: {:?}", outcome.scores);
                    let text = serde_json::to_string_pretty(&outcome).expect("plain data");
                    files::write(&path, text.as_bytes())?;
                }
            }
        }
    }
    let outcomes = table::outcomes(store)?;
    let text = table::table(&outcomes, &options.data)?;
    files::write(Path::new("docs/results/augmentation.md"), text.as_bytes())?;
    files::write(Path::new("docs/results/augmentation.svg"), plot::plot(&outcomes).as_bytes())?;
    print!("{text}");
    Ok(())
}

fn options() -> Options {
    let mut options = Options {
        data: "../shared/data".into(),
        sets: sets::SETS.map(String::from).into(),
        methods: methods::METHODS.map(String::from).into(),
        seeds: 5,
    };
    let mut arguments = std::env::args().skip(1);
    let list = |text: String| text.split(',').map(String::from).collect();
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("wanted a value behind {name}"));
        match name.as_str() {
            "--data" => options.data = value.into(),
            "--sets" => options.sets = list(value),
            "--methods" => options.methods = list(value),
            "--seeds" => options.seeds = value.parse().expect("a number of seeds"),
            other => panic!("wanted --data, --sets, --methods or --seeds, found {other}"),
        }
    }
    options
}
