//! What firmware takes, to the byte, before it is built.

use std::collections::BTreeMap;

use mote_format::{Verified, container::Tensor};
use mote_runtime::micro::{
    dsp::Dsp, dsp4::Dsp4, integer::scratch_words, mve::Mve, mve4::Mve4, nibbles::Nibbles,
    rows::Rows,
};
use serde::{Deserialize, Serialize};

use crate::{
    Error, lower,
    steps::{Firmware, Layer, Order, Product},
    tables::Table,
};

/// Which kernels a processor runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kernels {
    /// Those for any processor.
    Plain,
    /// Those of a Cortex-M4, M7 or M33.
    Dsp,
    /// Those of a Cortex-M55 or M85.
    Mve,
}

/// What the exported crate of a program takes, beside its code and the stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footprint {
    /// Bytes of weights and other constants, in flash.
    pub tables: usize,
    /// Bytes of its `Model`: values, and what kernels use.
    pub memory: usize,
}

/// The footprint of `program` in the crate that [`export_program`](crate::export_program) writes, built for a
/// processor of 32 bits.
///
/// # Errors
///
/// As [`export_program`](crate::export_program).
///
/// # Panics
///
/// If the program was verified against other tensors.
pub fn footprint(
    program: &Verified,
    tensors: &BTreeMap<String, Tensor<'_>>,
    kernels: Kernels,
) -> Result<Footprint, Error> {
    let firmware = lower::lower(program, tensors)?;
    Ok(Footprint { tables: tables(&firmware, kernels), memory: memory(&firmware, kernels) })
}

/// A table's address and length, on 32 bits.
const SLICE: usize = 8;
/// What packed bytes are aligned to.
const ALIGNED: usize = 16;

fn tables(firmware: &Firmware, kernels: Kernels) -> usize {
    let bytes = |table: &Table| match table {
        Table::F32(x) => 4 * x.len(),
        Table::I32(x) => 4 * x.len(),
        Table::Halves(x) => 4 * x.len(),
        Table::I8(x) => x.len(),
        Table::Bytes(x) => x.len().next_multiple_of(ALIGNED),
        Table::Native(native) => {
            let bytes = match kernels {
                Kernels::Plain => &native.rows,
                Kernels::Dsp => &native.dsp,
                Kernels::Mve => &native.mve,
            };
            bytes.len().next_multiple_of(ALIGNED)
        }
    };
    let phases = firmware.layers().filter(|(_, layer)| layer.has_table_of_phases());
    // Weights and biases of each.
    let of_phases = phases.map(|(_, layer)| layer.matrices.len() * 2 * SLICE).sum::<usize>();
    firmware.tables.iter().map(|(_, table)| bytes(table)).sum::<usize>() + of_phases
}

fn memory(firmware: &Firmware, kernels: Kernels) -> usize {
    let words = |order: Order| match (order, kernels) {
        (Order::Rows, _) | (Order::Native, Kernels::Plain) => scratch_words::<Rows>(),
        (Order::Native, Kernels::Dsp) => scratch_words::<Dsp>(),
        (Order::Native, Kernels::Mve) => scratch_words::<Mve>(),
        (Order::Native4, Kernels::Plain) => scratch_words::<Nibbles>(),
        (Order::Native4, Kernels::Dsp) => scratch_words::<Dsp4>(),
        (Order::Native4, Kernels::Mve) => scratch_words::<Mve4>(),
    };
    let order = |layer: &Layer| match layer.product {
        Product::Integer { order, .. } => words(order),
        Product::Real | Product::Half => 0,
    };
    let scratch = 4 * firmware.layers().map(|(_, layer)| order(layer)).max().unwrap_or(0);
    let [arena, gathered] =
        [firmware.arena_bytes, firmware.gathered_bytes].map(|n| n.next_multiple_of(4));
    // Where the oldest row of each ring lies, and whether there was a sample.
    let states = if firmware.states.is_empty() { 0 } else { 4 * firmware.rings + 4 };
    arena + gathered + scratch + states
}
