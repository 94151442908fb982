//! Weights in the order in which fast kernels read them.

use alloc::{vec, vec::Vec};

use super::{
    geometry::{Geometry, Phase},
    tile::{LANES, Numbers, STEP_BYTES},
};

/// Where weight `i` of a window lies for output `o`, counted in weights of the layer.
fn place(g: &Geometry, phase: &Phase, o: usize, i: usize) -> usize {
    phase.taps[i / g.channels] * g.tap_stride + o * g.output_stride + i % g.channels
}

/// `(panels, inputs, LANES)`
pub(crate) fn real(g: &Geometry, phase: &Phase, w: &[f32]) -> Vec<f32> {
    let inputs = phase.taps.len() * g.channels;
    let mut packed = vec![0.0; g.outputs.div_ceil(LANES) * inputs * LANES];
    for o in 0..g.outputs {
        let panel = &mut packed[o / LANES * inputs * LANES..];
        for i in 0..inputs {
            panel[i * LANES + o % LANES] = w[place(g, phase, o, i)];
        }
    }
    packed
}

/// `(panels, ⌈inputs / n⌉, LANES, n)` with four bytes or two words in a step.
pub(crate) fn integers<T: bytemuck::Pod>(g: &Geometry, phase: &Phase, w: &[T]) -> Vec<u8> {
    let inputs = phase.taps.len() * g.channels;
    let per_step = STEP_BYTES / size_of::<T>();
    let steps = inputs.div_ceil(per_step);
    let mut packed = vec![T::zeroed(); g.outputs.div_ceil(LANES) * steps * LANES * per_step];
    for o in 0..g.outputs {
        let panel = &mut packed[o / LANES * steps * LANES * per_step..];
        for i in 0..inputs {
            let step = i / per_step * LANES * per_step;
            panel[step + o % LANES * per_step + i % per_step] = w[place(g, phase, o, i)];
        }
    }
    bytemuck::cast_slice(&packed).to_vec()
}

/// `values` with `fill` up to whole panels.
pub(crate) fn lanes<T: Copy>(values: impl Iterator<Item = T>, outputs: usize, fill: T) -> Vec<T> {
    let mut lanes: Vec<T> = values.take(outputs).collect();
    lanes.resize(outputs.div_ceil(LANES) * LANES, fill);
    lanes
}

/// `Σ_i w[o, i]` over a window.
pub(crate) fn window_sum<T: Copy + Into<i32>>(
    g: &Geometry,
    phase: &Phase,
    w: &[T],
    o: usize,
) -> i32 {
    (0..phase.taps.len() * g.channels)
        .fold(0i32, |sum, i| sum.wrapping_add(w[place(g, phase, o, i)].into()))
}

/// Bytes of a window as a kernel reads it.
pub(crate) fn window_bytes(numbers: Numbers, inputs: usize) -> usize {
    match numbers {
        Numbers::Bytes => inputs,
        Numbers::Words => (2 * inputs).next_multiple_of(STEP_BYTES),
    }
}
