//! Detection on public data, five seeds, beside published results: makes `docs/results/detection.md`.
//!
//! `cargo run --release --example detection -- [--data FOLDER]
//! [--sets skab,nab,smd,ett,nsl_kdd] [--models vae,flow] [--seeds 5]` trains and measures what is not measured yet (each result is a
//! file under `target/detection`, so it can be interrupted and run in several processes), then
//! writes the table. The data is not part of this repository: FOLDER holds the sets as they are
//! published, and `datasets/*.toml` says how to read them.

mod measure;
mod runs;
mod sets;
mod table;

use std::path::{Path, PathBuf};

use clap::Parser;
use mote::{Error, files};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Trains and measures what is not measured yet, and writes the table.
#[derive(Parser)]
struct Options {
    /// Where the sets lie as they are published
    #[arg(long, default_value = "../shared/data")]
    data: PathBuf,
    #[arg(long, value_delimiter = ',', default_values = ["skab", "nab", "smd", "ett", "nsl_kdd"])]
    sets: Vec<String>,
    #[arg(long, value_delimiter = ',', default_values = ["vae", "flow"])]
    models: Vec<String>,
    #[arg(long, default_value_t = 5)]
    seeds: u64,
}

fn main() -> Result<(), Error> {
    let options = Options::parse();
    let store = Path::new("target/detection");
    std::fs::create_dir_all(store).map_err(|e| Error::io("create", store, e))?;
    for set in &options.sets {
        for model in &options.models {
            for seed in 0..options.seeds {
                let path = store.join(format!("{set}-{model}-{seed}.json"));
                if path.exists() {
                    continue;
                }
                eprintln!("{set} {model} seed {seed}");
                let outcome = match set.as_str() {
                    "nsl_kdd" => measure::connections(model, seed, &options.data)?,
                    "ett" => measure::unlabelled(model, seed, &options.data)?,
                    set => measure::labelled(set, model, seed, &options.data)?,
                };
                let text = serde_json::to_string_pretty(&outcome).expect("plain data");
                files::write(&path, text.as_bytes())?;
                eprintln!("  {:?}", outcome.values);
            }
        }
    }
    let table = table::table(store)?;
    let target = Path::new("docs/results/detection.md");
    std::fs::create_dir_all("docs/results").map_err(|e| Error::io("create", "docs/results", e))?;
    files::write(target, table.as_bytes())?;
    print!("{table}");
    Ok(())
}
