//! `mote embed`: where windows lie in the latent space.

use std::path::PathBuf;

use clap::Args;
use mote::{Error, files::Mapped, latent::embed, training::Recipe};
use mote_data::{Table, write::Values};
use serde_json::json;

use super::{Style, answer::Destination, data::Data, say, say_json};

#[derive(Args)]
pub(super) struct Embed {
    /// A model that `mote train` wrote, of a family with a latent space
    model: PathBuf,
    /// The files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Samples from one window to the next
    #[arg(long, value_name = "SAMPLES", default_value_t = 1)]
    stride: usize,
    /// Write to this file: .csv, .jsonl or .parquet [default: CSV to standard output]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    data: Data,
}

impl Embed {
    pub(super) fn run(self, style: Style) -> Result<(), Error> {
        let mapped = Mapped::open(&self.model)?;
        let model = mapped.model()?;
        let read = self.files.iter().chain([&self.model]);
        let destination = Destination::of(self.out.as_deref(), read, style)?;
        let recipe = Recipe::of(&model.manifest)?;
        let reading = self.data.reading(Some(recipe.reading))?;
        let runs = reading.apply(&self.files, &model.manifest.schema, recipe.rules)?;
        let at = embed(&model, &runs, self.stride)?;
        let run = |i: usize| &runs.series()[i];
        let mut table = vec![
            (
                "file".to_owned(),
                Values::Words(at.samples.iter().map(|s| Some(run(s.0).name().into())).collect()),
            ),
            (
                "sample".to_owned(),
                Values::Integers(at.samples.iter().map(|s| s.1 as i64).collect()),
            ),
        ];
        if runs.series().iter().any(|s| s.times().is_some()) {
            let time = |s: &(usize, usize)| run(s.0).times().map(|t| t[s.1].to_string());
            table.push(("time".to_owned(), Values::Words(at.samples.iter().map(time).collect())));
        }
        table.extend((0..at.width).map(|d| {
            let values = at.points.iter().skip(d).step_by(at.width);
            (format!("z{}", d + 1), Values::Numbers(values.copied().collect()))
        }));
        destination.write(&Table::of_values(self.model.display().to_string(), table)?)?;
        let Some(out) = &self.out else { return Ok(()) };
        let (windows, width) = (at.samples.len(), at.width);
        match style {
            Style::Json => say_json(&json!({ "out": out, "windows": windows, "width": width })),
            Style::People => say(format_args!(
                "{}: {windows} windows in {width} dimensions; `sample` is the last of each",
                out.display()
            )),
        }
    }
}
