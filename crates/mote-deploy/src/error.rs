//! Why a program does not become firmware.

use std::{io, path::PathBuf};

use mote_runtime::LoadError;

/// Why a program does not become firmware.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model has no such entry point.
    #[error("wanted a program `{wanted}`, found `{}`", found.join("`, `"))]
    NoProgram {
        /// The name that was asked for.
        wanted: String,
        /// The names that there are.
        found: Vec<String>,
    },
    /// A value has no elements: firmware has no use for it.
    #[error("program `{program}`: value {value} of shape {shape:?} has no elements")]
    Empty {
        /// The entry point.
        program: String,
        /// Which value.
        value: u32,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// An operation of a training program.
    #[error("program `{program}`: firmware has no `{op}`, which gradients are made of")]
    Unsupported {
        /// The entry point.
        program: String,
        /// The operation.
        op: &'static str,
    },
    /// A crate cannot have this name.
    #[error("`{name}` is no name for a crate: wanted letters, digits, `-` and `_`, a letter first")]
    Name {
        /// What was asked for.
        name: String,
    },
    /// A sample for the self-test does not fit the inputs.
    #[error("sample {sample} for the self-test: wanted {wanted}, found {found}")]
    Sample {
        /// Which sample, from zero.
        sample: usize,
        /// The inputs of the program.
        wanted: String,
        /// What was given.
        found: String,
    },
    /// The bytes of the file begin at an odd address.
    #[error(transparent)]
    Misaligned(#[from] LoadError),
    /// The folder is already there.
    #[error("`{}` is there already, and is left as it is", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// The folder cannot be written; nothing of it is left.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
