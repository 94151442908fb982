//! `mote export`: a program of a model for other runtimes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mote::{
    Error, exchange,
    files::{self, Mapped},
};
use serde_json::json;

use super::{Style, say, say_json};

#[derive(Args)]
pub(super) struct Export {
    /// A model file
    model: PathBuf,
    /// For whom
    #[arg(long, value_enum)]
    target: Target,
    /// Which program of it
    #[arg(long, default_value = "score")]
    program: String,
    /// Where to write it
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Target {
    /// ONNX, opset 17: integers between QuantizeLinear and DequantizeLinear
    Onnx,
}

impl Export {
    pub(super) fn run(self, style: Style) -> Result<(), Error> {
        let Target::Onnx = self.target;
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
