//! `mote import`: a model that another tool has trained, as a model file.

use std::path::PathBuf;

use clap::Args;
use mote::{
    Error, exchange,
    files::{self, Mapped},
};
use mote_format::Model;
use serde_json::json;

use super::{Style, say, say_json};

#[derive(Args)]
pub(super) struct Import {
    /// A model in ONNX (opset 13 or later) or TFLite, in floats or INT8
    file: PathBuf,
    /// Where to write the model file
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
}

impl Import {
    pub(super) fn run(self, style: Style) -> Result<(), Error> {
        files::apart(&self.out, [&self.file])?;
        let mapped = Mapped::open(&self.file)?;
        let bytes = exchange::import(&self.file, mapped.bytes())?;
        files::write(&self.out, &bytes)?;
        let model = Model::open(&bytes)
            .map_err(|source| Error::Model { path: self.out.clone(), source })?;
        for program in model.programs.values() {
            let (operations, multiply_adds) = (program.ops.len(), program.multiply_adds());
            match style {
                Style::Json => say_json(&json!({
                    "out": self.out,
                    "bytes": bytes.len(),
                    "program": program.name,
                    "operations": operations,
                    "multiply_adds": multiply_adds,
                }))?,
                Style::People => say(format_args!(
                    "{}: program {}, {operations} operations, {multiply_adds} multiply-adds, {} bytes",
                    self.out.display(),
                    program.name,
                    bytes.len()
                ))?,
            }
        }
        Ok(())
    }
}
