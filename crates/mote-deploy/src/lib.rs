//! Devices: firmware source for a program, in Rust and in C, and what a program takes on a machine.
//!
//! [`export`] turns one entry point of a model into a set of [`Files`]: a `no_std` crate or C99 that
//! holds the kernels which the program needs, its weights as tables for flash, one static arena,
//! and a test of itself against vectors that the runtime computed.
//!
//! The way there: a verified program becomes a list of steps over places in the arena and tables of
//! numbers, in which nothing of a language is left (`steps`); weights are packed in the orders that
//! the kernels read best; then one writer for each language prints it. Kernels are not printed: they
//! are the files that the tests of this workspace run. This crate parses no model and runs none but
//! for the vectors.
mod c;
pub mod cost;
mod error;
mod files;
mod footprint;
mod golden;
mod lower;
mod names;
mod pack;
mod rust;
mod steps;
mod tables;

use std::collections::BTreeMap;

use mote_format::{Model, Verified, container::Tensor};

pub use error::Error;
pub use files::Files;
pub use footprint::{Footprint, Kernels, footprint};
pub use golden::{Sample, Tolerance};

/// The language of the firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// A `no_std` crate.
    Rust,
    /// C99 with nothing but its standard library.
    C,
}

/// What the firmware is to contain.
#[derive(Clone, Debug)]
pub struct Options {
    /// The language.
    pub language: Language,
    /// The name of the crate.
    pub name: String,
    /// Inputs of the self-test, in the order of the ports; without any, a few are generated, which
    /// reach the ends of what bytes can hold.
    pub samples: Vec<Vec<Sample>>,
}

impl Options {
    /// Firmware called `name`, tested with generated inputs.
    #[must_use]
    pub fn new(language: Language, name: impl Into<String>) -> Self {
        Self { language, name: name.into(), samples: Vec::new() }
    }
}

/// The firmware for the entry point `program` of `model`.
///
/// # Errors
///
/// [`Error::NoProgram`], or as [`export_program`].
pub fn export(model: &Model<'_>, program: &str, options: &Options) -> Result<Files, Error> {
    let found = model.programs.get(program).ok_or_else(|| Error::NoProgram {
        wanted: program.into(),
        found: model.programs.keys().cloned().collect(),
    })?;
    export_program(found, &model.tensors, options)
}

/// The firmware for a program that was verified against `tensors`.
///
/// # Errors
///
/// [`Error::Empty`], [`Error::Name`], [`Error::Sample`] or [`Error::Misaligned`].
///
/// # Panics
///
/// If the program was verified against other tensors.
pub fn export_program(
    program: &Verified,
    tensors: &BTreeMap<String, Tensor<'_>>,
    options: &Options,
) -> Result<Files, Error> {
    let firmware = lower::lower(program, tensors)?;
    let golden = golden::compute(program, tensors, &options.samples)?;
    match options.language {
        Language::Rust => rust::write(&firmware, &golden, &options.name),
        Language::C => c::write(&firmware, &golden, &options.name),
    }
}

/// Weights in the orders of the kernels, for their tests.
pub mod packing {
    use crate::pack::{self, Rows};
    pub use crate::{pack::Group, tables::Native};

    /// Packs weights `(outputs, inputs)`, row major; `None` where one is -128.
    #[must_use]
    pub fn eight_bits(weights: &[i8], outputs: usize, inputs: usize) -> Option<Native> {
        pack::native(&Rows { weights: weights.to_vec(), outputs, inputs })
    }

    /// Packs weights of four bits, for each output its groups; those of all have the same lengths.
    #[must_use]
    pub fn four_bits(outputs: &[Vec<Group>]) -> Native {
        pack::native4(outputs)
    }
}
