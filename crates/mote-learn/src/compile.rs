//! From a Burn module to a program: capture, lower, simplify.
//!
//! ```text
//! module ── capture ──► GraphIr ── lower ──► Draft ── passes ──► Program + tensors
//! ```
//!
//! An entry point is a closure over tensors. It is recorded once on Burn's capture device, with a
//! batch of [`BATCH`]: lowering then proves, operation by operation, that no sample of the batch can
//! see another, and drops the batch axis. What depends on weights alone is computed now, by the
//! runtime's own kernels.

mod capture;
mod draft;
mod lower;
mod passes;

use std::collections::BTreeMap;

use mote_format::Program;

pub(crate) use capture::is_recorded;
pub use capture::{Input, capture};
pub use draft::Draft;

/// The batch that is recorded. Three, because it is neither one, which broadcasts, nor a length that
/// series and kernels usually have.
pub const BATCH: usize = 3;

/// Tensors by name: shape and elements, row major.
pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Why a model cannot become a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// Burn refused to record it.
    #[error("capture of `{entry}`: {why}")]
    Capture {
        /// The entry point.
        entry: String,
        /// What Burn says.
        why: String,
    },
    /// There is an operation that programs do not have.
    #[error("`{entry}`, operation {at} ({op}): {why}")]
    Unsupported {
        /// The entry point.
        entry: String,
        /// The number of the recorded operation.
        at: usize,
        /// Burn's name of the operation.
        op: String,
        /// What about it is not supported.
        why: String,
    },
    /// The result does not pass the verifier: a mistake of ours.
    #[error("`{entry}` was compiled to a program that is not valid: {why}")]
    Invalid {
        /// The entry point.
        entry: String,
        /// What the verifier says.
        why: String,
    },
}

/// Adds the tensors of one program to those of a file. Equal ones are stored once; of two different
/// ones with the same name, the second is renamed, in the program too.
pub fn merge(program: &mut Program, tensors: Tensors, file: &mut Tensors) {
    for (name, tensor) in tensors {
        let stored = file.iter().find(|(_, t)| **t == tensor).map(|(name, _)| name.clone());
        let stored = stored.unwrap_or_else(|| {
            let taken = |n: &String| file.contains_key(n);
            let fresh = (0..)
                .map(|i| if i == 0 { name.clone() } else { format!("{name}.{i}") })
                .find(|n| !taken(n))
                .expect("there are more numbers than tensors");
            file.insert(fresh.clone(), tensor);
            fresh
        });
        for value in &mut program.values {
            if value.tensor.as_ref() == Some(&name) {
                // Marked, so that a later tensor with the new name does not take it for its own.
                value.tensor = Some(format!("\0{stored}"));
            }
        }
    }
    for tensor in program.values.iter_mut().filter_map(|v| v.tensor.as_mut()) {
        if let Some(name) = tensor.strip_prefix('\0') {
            *tensor = name.into();
        }
    }
}
