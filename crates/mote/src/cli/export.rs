//! `mote export`: firmware source for one program of a model.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mote::{Error, files::Mapped};
use mote_deploy::{Language, Options};
use serde_json::json;

use super::{Style, say, say_json};

#[derive(Args)]
pub(super) struct Export {
    /// A model that `mote train` or `mote compress` wrote
    model: PathBuf,
    /// The language of the firmware
    #[arg(long, value_enum)]
    target: Target,
    /// The folder to write, which must not be there yet
    #[arg(long)]
    out: PathBuf,
    /// Which program of the model
    #[arg(long, default_value = "score")]
    program: String,
    /// The name of the crate, and the beginning of all names in C [default: that of the folder]
    #[arg(long)]
    name: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Target {
    /// A `no_std` crate
    Rust,
    /// C99 without dependencies
    C,
}

impl Export {
    pub(super) fn run(self, style: Style) -> Result<(), Error> {
        let mapped = Mapped::open(&self.model)?;
        let model = mapped.model()?;
        let language = match self.target {
            Target::Rust => Language::Rust,
            Target::C => Language::C,
        };
        let folder = self.out.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = self.name.or(folder).unwrap_or_else(|| "model".into());
        let files = mote_deploy::export(&model, &self.program, &Options::new(language, name))?;
        files.write(&self.out)?;
        let names: Vec<&str> = files.iter().map(|(name, _)| name).collect();
        let bytes: usize = files.iter().map(|(_, content)| content.len()).sum();
        match style {
            Style::Json => say_json(&json!({
                "out": self.out.display().to_string(),
                "program": self.program,
                "files": names,
                "bytes": bytes,
            })),
            Style::People => say(format_args!(
                "{}: {} files, {bytes} bytes; README.md there says how to build and to test it",
                self.out.display(),
                names.len(),
            )),
        }
    }
}
