//! How large anything in a file may be. Readers refuse more before they allocate for it.

/// Bytes of the JSON header of a file.
pub const HEADER_BYTES: usize = 16 << 20;
/// Tensors in a file.
pub const TENSORS: usize = 1 << 16;
/// Programs in a file.
pub const PROGRAMS: usize = 64;
/// Values in a program.
pub const VALUES: usize = 1 << 16;
/// Operations in a program.
pub const OPS: usize = 1 << 16;
/// Axes of a value.
pub const RANK: usize = 4;
/// Elements of one value, per sample: one gigabyte of `f32`.
pub const ELEMENTS: usize = 1 << 28;
/// Bytes of all values that are no tensors of the file, per sample, as if none took the place of another:
/// two of the largest. No memory plan needs more, so the arena of a run is bounded before it is planned.
pub const VALUE_BYTES: usize = 2 * 4 * ELEMENTS;
/// Columns of a schema.
pub const COLUMNS: usize = 1 << 14;
/// Products in a sum of `i8` weights: 255 · 127 · this stays below 2³¹, with room for the bias.
pub const I8_INPUTS: usize = 1 << 15;
/// Products in a sum of `i4` weights: 255 · 8 · 255 · this stays below 2³¹.
pub const I4_INPUTS: usize = 1 << 12;
/// Evaluations of a network for one generated window.
pub const EVALUATIONS: usize = 10_000;
