//! Models from other tools as model files, and programs of model files for other tools.

use std::path::Path;

use mote_exchange::{Imported, onnx, tflite};
use mote_format::{
    Column, Kind, Manifest, Model, Program, Schema, limits,
    manifest::{Density, Lineage, Window},
    model,
};

use crate::Error;

/// The bytes of a model file that holds what `bytes` hold: TFLite by its mark, else ONNX.
///
/// Nothing in such a file says what its numbers mean, so the columns are numbered, and there are
/// neither a density nor a threshold.
///
/// # Errors
///
/// [`Error::Exchange`] with `path`.
pub fn import(path: &Path, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let is_tflite = bytes.get(4..8) == Some(b"TFL3");
    let imported = if is_tflite { tflite::import(bytes) } else { onnx::import(bytes) };
    let Imported { program, tensors } =
        imported.map_err(|source| Error::Exchange { path: path.into(), source })?;
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let (schema, length) = shape(&program);
    let manifest = Manifest {
        family: "Imported".into(),
        density: Density::Implicit,
        schema,
        window: Window { length, tail: 1 },
        detector: None,
        generator: None,
        margins: None,
        programs: vec![program.into_inner()],
        lineage: Lineage {
            made_by: format!("mote {}", env!("CARGO_PKG_VERSION")),
            data_digest: blake3::hash(bytes).to_hex().to_string(),
            files: vec![name],
            ..Lineage::default()
        },
    };
    Ok(model::write(&manifest, &tensors))
}

/// Columns and samples of a window from the first input: a series of rows, or one row.
fn shape(program: &Program) -> (Schema, usize) {
    let shape = program.inputs.first().map_or(&[][..], |port| program.shape(port.value));
    let (length, features) = match *shape {
        [length, features] => (length.max(1), features),
        _ => (1, shape.iter().product()),
    };
    let columns = (0..features.min(limits::COLUMNS))
        .map(|i| Column { name: format!("x{i}"), kind: Kind::Numeric })
        .collect();
    (Schema { columns, period_s: None }, length)
}

/// The bytes of an ONNX model that computes the program `name` of `model`.
///
/// # Errors
///
/// [`Error::Load`] if there is no such program, [`Error::Exchange`] with `path`.
pub fn export(path: &Path, model: &Model<'_>, name: &str) -> Result<Vec<u8>, Error> {
    let program = model.programs.get(name).ok_or_else(|| mote_runtime::LoadError::NoProgram {
        wanted: name.into(),
        found: model.programs.keys().cloned().collect(),
    })?;
    onnx::export(program, &model.tensors)
        .map_err(|source| Error::Exchange { path: path.into(), source })
}
