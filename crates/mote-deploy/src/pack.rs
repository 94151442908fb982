//! Weights in the orders in which the kernels read them.

use mote_runtime::micro::{
    dsp::{BLOCK, CHUNK},
    dsp4, groups,
    integer::TILE,
    mve::VECTOR,
    mve4,
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

/// For `micro::real` and `micro::half`: groups of four outputs, side by side for each input.
pub(crate) fn reals<T: Copy + Default>(w: &Rows<T>) -> Vec<T> {
    let groups = (0..w.outputs).step_by(GROUP);
    groups
        .flat_map(|first| {
            (0..w.inputs).flat_map(move |i| (first..first + GROUP).map(move |o| w.padded(o, i)))
        })
        .collect()
}

/// For `micro::half`: two numbers in a word. There are four for each input, so none is left over.
pub(crate) fn pairs(bits: &[u16]) -> Vec<u32> {
    bits.chunks_exact(2).map(|two| u32::from(two[0]) | u32::from(two[1]) << 16).collect()
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

/// Four-bit weights that share a factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The factor.
    pub factor: u8,
    /// At most 32, from -8 to 7.
    pub weights: Vec<i8>,
}

/// Four-bit weights of each output; all outputs have groups of the same lengths.
pub(crate) fn native4(outputs: &[Vec<Group>]) -> Native {
    Native {
        rows: outputs.iter().flat_map(|groups| nibbles(groups)).collect(),
        dsp: chunks(outputs, dsp4::group_words, 2, dsp4_group),
        mve: chunks(outputs, |_| mve4::GROUP_WORDS, 4, mve4_group),
    }
}

/// For `micro::nibbles`: the groups of one output.
fn nibbles(groups: &[Group]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for group in groups {
        bytes.extend([group.factor, group.weights.len() as u8]);
        let nibble = |w: Option<&i8>| w.map_or(0, |&w| w as u8 & 15);
        bytes.extend(group.weights.chunks(2).map(|w| nibble(w.first()) | nibble(w.get(1)) << 4));
    }
    bytes
}

/// Tiles of outputs, in each chunks of groups, in each `side` outputs side by side.
fn chunks(
    outputs: &[Vec<Group>],
    words: impl Fn(usize) -> usize,
    side: usize,
    pack: impl Fn(&[&Group]) -> Vec<u8>,
) -> Vec<u8> {
    let lengths: Vec<usize> =
        outputs.first().into_iter().flatten().map(|group| group.weights.len()).collect();
    let empty = Group { factor: 0, weights: vec![] };
    let mut bytes = Vec::new();
    for tile in outputs.chunks(TILE) {
        let mut first = 0;
        while first < lengths.len() {
            let mut used = 0;
            let fits = |length: &&usize| {
                used += words(**length);
                used <= groups::CHUNK_WORDS
            };
            let end = first + lengths[first..].iter().take_while(fits).count();
            let chunk = bytes.len();
            bytes.push((end - first) as u8);
            bytes.extend(lengths[first..end].iter().map(|&length| length as u8));
            bytes.resize(chunk + (bytes.len() - chunk).next_multiple_of(4), 0);
            for outputs in tile.chunks(side) {
                for g in first..end {
                    let group = |o: usize| outputs.get(o).map_or(&empty, |groups| &groups[g]);
                    bytes.extend(pack(&(0..side).map(group).collect::<Vec<_>>()));
                }
            }
            first = end;
        }
    }
    bytes
}

/// A byte of two weights, the first with eight added; zeros beyond the end of the group.
fn biased(group: &Group, at: usize) -> u8 {
    let weight = |i: usize| group.weights.get(i).copied().unwrap_or(0);
    (16 * weight(at + 1)).wrapping_add(weight(at) + 8) as u8
}

/// Blocks of a word of each output, then both factors.
fn dsp4_group(outputs: &[&Group]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for block in (0..outputs[0].weights.len()).step_by(dsp4::BLOCK) {
        for group in outputs {
            bytes.extend((block..block + dsp4::BLOCK).step_by(2).map(|i| biased(group, i)));
        }
    }
    bytes.extend(outputs.iter().flat_map(|group| u16::from(group.factor).to_le_bytes()));
    bytes
}

/// A vector of each output, then their factors.
fn mve4_group(outputs: &[&Group]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for group in outputs {
        bytes.extend((0..groups::GROUP).step_by(2).map(|i| biased(group, i)));
    }
    bytes.extend(outputs.iter().map(|group| group.factor));
    bytes
}
