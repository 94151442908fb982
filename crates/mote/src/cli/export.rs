//! `mote export`: one program of a model as firmware source, or for other runtimes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mote::{
    Error, exchange,
    files::{self, Mapped},
};
use mote_deploy::{Language, Options};
use serde_json::json;

use super::{Style, say, say_json};

#[derive(Args)]
pub(super) struct Export {
    /// A model that `mote train` or `mote compress` wrote
    model: PathBuf,
    /// What to write
    #[arg(long, value_enum)]
    target: Target,
    /// Where: for firmware a folder that is not there yet, for ONNX a file
    #[arg(long, short)]
    out: PathBuf,
    /// Which program of the model
    #[arg(long, default_value = "score")]
    program: String,
    /// For firmware the name of the crate, and the beginning of all names in C [default: that of
    /// the folder]
    #[arg(long)]
    name: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Target {
    /// A `no_std` crate
    Rust,
    /// C99 without dependencies
    C,
    /// ONNX, opset 17: integers between QuantizeLinear and DequantizeLinear
    Onnx,
}

impl Export {
    pub(super) fn run(self, style: Style) -> Result<(), Error> {
        match self.target {
            Target::Rust => self.firmware(Language::Rust, style),
            Target::C => self.firmware(Language::C, style),
            Target::Onnx => self.onnx(style),
        }
    }

    fn firmware(self, language: Language, style: Style) -> Result<(), Error> {
        let mapped = Mapped::open(&self.model)?;
        let model = mapped.model()?;
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

    fn onnx(self, style: Style) -> Result<(), Error> {
        if let Some(name) = self.name {
            let why = format!("--name is for firmware: an ONNX file has none, found `{name}`");
            return Err(Error::Usage(why));
        }
        files::apart(&self.out, [&self.model])?;
        let mapped = Mapped::open(&self.model)?;
        let model = mapped.model()?;
        let bytes = exchange::export(&self.model, &model, &self.program)?;
        files::write(&self.out, &bytes)?;
        match style {
            Style::Json => say_json(&json!({
                "program": self.program,
                "out": self.out,
                "bytes": bytes.len(),
            })),
            Style::People => say(format_args!(
                "{}: program {}, {} bytes, a free batch axis in front of each input",
                self.out.display(),
                self.program,
                bytes.len()
            )),
        }
    }
}
