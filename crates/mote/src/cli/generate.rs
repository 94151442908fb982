//! `mote generate`: windows that never were, as a table.

use std::path::PathBuf;

use clap::Args;
use mote::{
    Error,
    completion::{columns, generate},
    files::Mapped,
};
use mote_data::{Table, write::Values};
use serde_json::json;

use super::{
    Style,
    answer::{Asking, Destination, Watcher},
    say, say_json,
};

#[derive(Args)]
pub(super) struct Generate {
    /// A model that `mote train` wrote
    model: PathBuf,
    /// How many windows
    #[arg(long, short = 'n', value_name = "WINDOWS", default_value_t = 100)]
    count: usize,
    /// A column that has this value throughout; may be given several times
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = pair)]
    given: Vec<(String, String)>,
    /// Write to this file: .csv, .jsonl or .parquet [default: CSV to standard output]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    asking: Asking,
}

impl Generate {
    pub(super) fn run(self, style: Style) -> Result<(), Error> {
        let mapped = Mapped::open(&self.model)?;
        let model = mapped.model()?;
        let destination = Destination::of(self.out.as_deref(), [&self.model], style)?;
        if self.count == 0 {
            return Err(Error::Usage("wanted at least one window, found 0".into()));
        }
        let watcher = Watcher::new(self.count, "windows");
        let progress = |done| watcher.at(done);
        let windows = generate(&model, self.count, &self.given, self.asking.asking(), progress)?;
        drop(watcher);
        let length = model.manifest.window.length;
        let rows = self.count * length;
        let number = |f: &dyn Fn(usize) -> usize| {
            Values::Integers((0..rows).map(|row| f(row) as i64 + 1).collect())
        };
        let mut table = vec![
            ("window".to_owned(), number(&|row| row / length)),
            ("step".to_owned(), number(&|row| row % length)),
        ];
        table.extend(columns(&model.manifest.schema, &windows));
        destination.write(&Table::of_values(self.model.display().to_string(), table)?)?;
        let Some(out) = &self.out else { return Ok(()) };
        match style {
            Style::Json => say_json(&json!({
                "out": out, "windows": self.count, "length": length, "seed": self.asking.seed,
            })),
            Style::People => {
                say(format_args!("{}: {} windows of {length} samples", out.display(), self.count))
            }
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (column, value) = text.split_once('=').ok_or("wanted COLUMN=VALUE")?;
    Ok((column.into(), value.into()))
}
