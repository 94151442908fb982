//! Programs in, smaller programs out.
//!
//! Compression is a function on programs: it knows neither the family that a program was captured
//! from nor the device that will run it. [`prune`] takes whole channels out, [`factorize`] writes layers
//! as two thinner ones, [`sparsify`] makes zeros of single weights, [`quantize`] turns layers of real numbers
//! into layers of integers, with ranges that were [observed](Ranges) on data, [`halve`] into such of half
//! precision; [`repair`] trains what is left to give again what the program
//! gave, and [`fidelity`] tells what all that cost. The programs of a model are [joined](join) into one
//! first, so that what they share is changed once.
#![forbid(unsafe_code)]

mod adapters;
mod cholesky;
mod clip;
mod equalize;
mod error;
mod fidelity;
mod gram;
mod half;
mod importance;
mod integers;
mod join;
mod low_rank;
mod prune;
mod quantize;
mod ranges;
mod repair;
mod sparse;
mod spread;
mod stack;

pub use clip::Clip;
pub use error::Error;
pub use fidelity::{Fidelity, fidelity};
pub use half::halve;
pub use importance::Importance;
pub use integers::Bits;
pub use join::{join, side_by_side, split};
pub use low_rank::{LowRank, Metric, Ranks, factorize};
pub use prune::{Ports, Pruned, Pruning, Spread, prune};
pub use quantize::{Rounding, Scheme, Shown, Width, quantize};
pub use ranges::{Ranges, unfuse};
pub use repair::{Lesson, Repair, Repaired, Update, repair};
pub use sparse::{Choice, Pattern, Sparsity, sparsify};
pub use stack::{Numbers, Stack, Stacked};

use mote_format::{Dtype, Op, Program, Tensors, Verified, container::Tensor};

/// Tensors of a file, or of one that is being made, by name.
pub type Found<'a> = std::collections::BTreeMap<String, mote_format::container::Tensor<'a>>;

/// Tensors that are being made, as such of a file.
pub(crate) fn found(tensors: &Tensors) -> Found<'_> {
    tensors.iter().map(|(name, array)| (name.clone(), array.tensor())).collect()
}

/// One sample: for each input of a program its elements, row major.
pub type Sample = Vec<Vec<f32>>;

/// Checks what a pass made.
fn verified(program: Program, tensors: &Tensors) -> Result<Verified, Error> {
    Ok(Verified::new(program, |name| tensors.get(name).map(|array| array.stored()))?)
}

/// The elements of a tensor of real numbers, wherever its bytes lie.
fn elements(tensor: &Tensor<'_>) -> Vec<f32> {
    let read = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    tensor.bytes.chunks_exact(4).map(read).collect()
}

/// Passes on real numbers come before those that make others of them.
fn refuse_integers(program: &Program) -> Result<(), Error> {
    let real = |op: &Op| {
        let mut real = program.dtype(op.result()) == Dtype::F32;
        op.for_each_operand(|id| real &= program.dtype(id) == Dtype::F32);
        real
    };
    match program.ops.iter().enumerate().find(|(_, op)| !real(op)) {
        Some((at, op)) => {
            Err(Error::Quantized { program: program.name.clone(), at, op: op.name() })
        }
        None => Ok(()),
    }
}
