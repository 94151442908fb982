//! Weights in the order in which fast kernels read them.

use alloc::{vec, vec::Vec};

use super::{
    geometry::{Geometry, Phase},
    panels::{LANES, PANEL_BYTES, Panels, STEP_BYTES},
    tile::Numbers,
};

/// Where weight `i` of a window lies for output `o`, counted in weights of the layer.
fn place(g: &Geometry, phase: &Phase, o: usize, i: usize) -> usize {
    phase.taps[i / g.channels] * g.tap_stride + o * g.output_stride + i % g.channels
}

/// Weights of one number, two words or four bytes in a step, `group` panels side by side, as [`super::panels`]
/// says.
pub(crate) fn weights<T: bytemuck::Pod>(
    g: &Geometry,
    phase: &Phase,
    w: &[T],
    group: usize,
) -> Vec<T> {
    let inputs = phase.taps.len() * g.channels;
    let per_step = STEP_BYTES / size_of::<T>();
    let panels = Panels { outputs: g.outputs, group, steps: inputs.div_ceil(per_step) };
    let mut packed = vec![T::zeroed(); panels.bytes() / size_of::<T>()];
    for o in 0..g.outputs {
        let (first, stride) = panels.place(o / LANES);
        for i in 0..inputs {
            let step = (first + i / per_step * stride) / size_of::<T>();
            packed[step + o % LANES * per_step + i % per_step] = w[place(g, phase, o, i)];
        }
    }
    packed
}

/// Packed weights in groups of another size: from the first of two to the second.
pub(crate) fn regrouped<T: bytemuck::Pod>(w: &[T], outputs: usize, groups: [usize; 2]) -> Vec<T> {
    let length = PANEL_BYTES / size_of::<T>();
    let steps = w.len() / (outputs.div_ceil(LANES) * length);
    let mut packed = vec![T::zeroed(); w.len()];
    for panel in 0..outputs.div_ceil(LANES) {
        let [old, new] = groups.map(|group| Panels { outputs, group, steps }.place(panel));
        for step in 0..steps {
            let [old, new] =
                [old, new].map(|(first, stride)| (first + step * stride) / size_of::<T>());
            packed[new..][..length].copy_from_slice(&w[old..][..length]);
        }
    }
    packed
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
