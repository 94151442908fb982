//! Where samples lie in the latent space of a model: the mean of the posterior of each window.

use mote_data::{Runs, Windows, windows::Cut};
use mote_format::Model;
use mote_runtime::{LoadError, Loaded};

use crate::Error;

/// Positions in latent space, one for each window looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Positions {
    /// The number of latent dimensions.
    pub width: usize,
    /// `(windows, width)`, row major.
    pub points: Vec<f64>,
    /// For each window its run and its last sample.
    pub samples: Vec<(usize, usize)>,
}

/// Encodes at most `limit` windows, evenly spread over all runs; `None` if the model has no latent
/// space or no window is long enough.
///
/// # Errors
///
/// [`Error::Load`] if the entry point has another signature.
pub fn positions(model: &Model<'_>, runs: &Runs, limit: usize) -> Result<Option<Positions>, Error> {
    if !model.programs.contains_key("encode") {
        return Ok(None);
    }
    let stride = (runs.samples() / limit.max(1)).max(1);
    match embed(model, runs, stride) {
        Err(Error::Data(_)) => Ok(None),
        positions => positions.map(Some),
    }
}

/// Encodes windows, one beginning every `stride` samples and one at the end of each segment.
///
/// # Errors
///
/// [`Error::Usage`] if the model has no latent space, [`Error::Data`] if no window is long enough or the
/// stride is zero.
pub fn embed(model: &Model<'_>, runs: &Runs, stride: usize) -> Result<Positions, Error> {
    let encode = Loaded::new(model, "encode").map_err(|e| match e {
        LoadError::NoProgram { .. } => Error::Usage(format!(
            "wanted a model with a latent space (vae or latent-diffusion), found {}",
            model.manifest.family
        )),
        other => other.into(),
    });
    let mut encode = encode?.instance();
    let program = encode.program();
    let length = model.manifest.window.length;
    let port = |port, id: Option<_>| {
        id.ok_or(LoadError::Port {
            program: "encode".into(),
            port,
            wanted: vec![length, model.manifest.schema.features()],
            found: None,
        })
    };
    let x = port("x", program.input("x"))?;
    let mask = port("mask", program.input("mask"))?;
    let mean = port("mean", program.output("mean"))?;
    let mut positions = Positions { width: program.elements(mean), ..Positions::default() };
    let windows = Windows::new(runs, Cut { stride, ..Cut::new(length) })?;
    for i in 0..windows.len() {
        let window = windows.get(i);
        encode.input(x).copy_from_slice(window.values);
        encode.input(mask).copy_from_slice(window.mask);
        encode.run();
        positions.points.extend(encode.output(mean).iter().map(|&v| f64::from(v)));
        positions.samples.push((window.run, window.start + length - 1));
    }
    Ok(positions)
}
