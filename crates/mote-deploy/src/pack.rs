//! Weights in the orders in which the kernels read them.

use mote_runtime::micro::{
    dsp::{BLOCK, CHUNK},
    integer::TILE,
    mve::VECTOR,
    real::GROUP,
};

use crate::tables::Native;

/// Weights `(outputs, inputs)`, row major.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rows<T> {
    pub(crate) weights: Vec<T>,
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
}

impl<T: Copy + Default> Rows<T> {
    pub(crate) fn row(&self, o: usize) -> &[T] {
        &self.weights[o * self.inputs..][..self.inputs]
    }

    /// A weight, or zero beyond the last output or input.
    fn padded(&self, o: usize, i: usize) -> T {
        if o < self.outputs && i < self.inputs { self.row(o)[i] } else { T::default() }
    }
}

/// For `micro::real`: groups of four outputs, side by side for each input.
pub(crate) fn reals(w: &Rows<f32>) -> Vec<f32> {
    let groups = (0..w.outputs).step_by(GROUP);
    groups
        .flat_map(|first| {
            (0..w.inputs).flat_map(move |i| (first..first + GROUP).map(move |o| w.padded(o, i)))
        })
        .collect()
}

/// In the orders of all processors; `None` where a weight is -128, which `micro::dsp` cannot hold.
pub(crate) fn native(w: &Rows<i8>) -> Option<Native> {
    let fits = !w.weights.contains(&-128);
    fits.then(|| Native { rows: rows(w), dsp: dsp(w), mve: mve(w) })
}

/// For `micro::rows`.
pub(crate) fn rows(w: &Rows<i8>) -> Vec<u8> {
    w.weights.iter().map(|&w| w as u8).collect()
}

/// For `micro::dsp`: by tiles of outputs, chunks of inputs, groups of four outputs.
fn dsp(w: &Rows<i8>) -> Vec<u8> {
    let mut words = Vec::new();
    for tile in (0..w.outputs).step_by(TILE) {
        let outputs = tile..w.outputs.min(tile + TILE);
        for chunk in (0..w.inputs).step_by(CHUNK) {
            let end = w.inputs.min(chunk + CHUNK);
            let end = chunk + (end - chunk).next_multiple_of(BLOCK);
            for group in outputs.clone().step_by(4) {
                let group = group..group + 4;
                words.extend(group.clone().map(|o| dsp_start(w, o, chunk..end)));
                for i in (chunk..end).step_by(4) {
                    words.extend(group.clone().map(|o| dsp_word(w, o, i)));
                }
            }
        }
    }
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Takes back what the 127 in each pair of inputs adds.
fn dsp_start(w: &Rows<i8>, o: usize, inputs: std::ops::Range<usize>) -> i32 {
    -127 * inputs.step_by(2).map(|i| i32::from(w.padded(o, i))).sum::<i32>()
}

/// Four weights as two halves, each `256 · odd + even`.
fn dsp_word(w: &Rows<i8>, o: usize, i: usize) -> i32 {
    let half = |i: usize| 256 * i32::from(w.padded(o, i + 1)) + i32::from(w.padded(o, i));
    (half(i) & 0xFFFF) | half(i + 2) << 16
}

/// For `micro::mve`: groups of four outputs, one vector of each in turn.
fn mve(w: &Rows<i8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for group in (0..w.outputs).step_by(4) {
        for vector in (0..w.inputs).step_by(VECTOR) {
            for o in group..group + 4 {
                bytes.extend((vector..vector + VECTOR).map(|i| w.padded(o, i) as u8));
            }
        }
    }
    bytes
}

/// A group of four-bit weights: its factor, and its weights from -8 to 7.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    pub(crate) factor: u8,
    pub(crate) weights: Vec<i8>,
}

/// For `micro::nibbles`: the groups of all outputs, one output after the other.
pub(crate) fn nibbles(groups: &[Group]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for group in groups {
        bytes.extend([group.factor, group.weights.len() as u8]);
        let nibble = |w: Option<&i8>| w.map_or(0, |&w| w as u8 & 15);
        bytes.extend(group.weights.chunks(2).map(|w| nibble(w.first()) | nibble(w.get(1)) << 4));
    }
    bytes
}
