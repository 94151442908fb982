//! `mote denoise`: what was observed, without noise.

use std::path::PathBuf;

use clap::Args;
use mote::{Error, completion::denoise, files::Mapped};
use mote_data::fill::Filling;
use serde_json::json;

use super::{
    Style,
    answer::{Asking, Destination, Watcher},
    data::{Data, Input},
    say, say_json,
};

#[derive(Args)]
#[command(long_about = "\
What was observed, without noise: the file with its columns replaced.

A VAE answers with its reconstruction, and has learned how much noise there is. A diffusion model takes \
the file for a state on its path from noise to data and answers with the mean of what it may have come \
from; --noise says how far from the data the file is.")]
pub(super) struct Denoise {
    /// A model that `mote train` wrote
    model: PathBuf,
    /// The file
    file: PathBuf,
    /// Standard deviation of the noise, over that of each column; for diffusion models only
    #[arg(long, value_name = "LEVEL", default_value_t = 0.1)]
    noise: f32,
    /// Write to this file: .csv, .jsonl or .parquet [default: CSV to standard output]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    asking: Asking,
    #[command(flatten)]
    data: Data,
}

impl Denoise {
    pub(super) fn run(self, style: Style) -> Result<(), Error> {
        let mapped = Mapped::open(&self.model)?;
        let model = mapped.model()?;
        let destination = Destination::of(self.out.as_deref(), [&self.model, &self.file], style)?;
        let Input { table, series, overrides } = self.data.input(&model, &self.file)?;
        let watcher = Watcher::new(series.len(), "samples");
        let progress = |done| watcher.at(done);
        let clean = denoise(&model, &series, self.noise, self.asking.asking(), progress)?;
        drop(watcher);
        let filling = Filling { values: &clean, range: None };
        let schema = &model.manifest.schema;
        destination.write(&table.replaced(schema, &overrides, &series, filling)?)?;
        let Some(out) = &self.out else { return Ok(()) };
        let samples = series.len();
        match style {
            Style::Json => say_json(&json!({ "out": out, "samples": samples })),
            Style::People => {
                say(format_args!("{}: {samples} samples without noise", out.display()))
            }
        }
    }
}
