//! Weights as integers: per output channel in eight bits, or in groups of inputs in four.

use std::collections::BTreeMap;

use mote_format::{Op, Program, ValueId, dtype::GROUP};

use crate::cholesky::Factor;

/// The width of weights; activations have eight bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    /// One scale for each output.
    Eight,
    /// One factor for each group of [`GROUP`] inputs, and one scale for each output.
    Four,
}

/// How the weights of a layer lie: `rows` times `blocks` times `inputs`. The output that a weight
/// belongs to is its block where there are several, and its row otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) rows: usize,
    pub(crate) blocks: usize,
    pub(crate) inputs: usize,
    /// The outputs are the blocks.
    pub(crate) transposed: bool,
}

/// The weights of layers of real numbers among `ops`, by name, and how they lie.
pub(crate) fn layers<'p>(
    program: &'p Program,
    ops: impl Iterator<Item = &'p Op>,
) -> BTreeMap<&'p str, Layout> {
    let one = |op| {
        let (w, layout) = Layout::of(program, op)?;
        Some((program.values[w.index()].tensor.as_deref()?, layout))
    };
    ops.filter_map(one).collect()
}

/// What [`integers`] makes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Integers {
    /// In the order of the weights.
    pub(crate) w: Vec<i8>,
    /// `(outputs,)`
    pub(crate) scale: Vec<f32>,
    /// With four bits, `(rows, blocks, ⌈inputs / GROUP⌉)`.
    pub(crate) groups: Option<Vec<u8>>,
}

impl Layout {
    /// The weights of `op`, if it is a layer of real numbers, and how they lie.
    pub(crate) fn of(program: &Program, op: &Op) -> Option<(ValueId, Self)> {
        let (Op::Linear { w, .. } | Op::Conv1d { w, .. } | Op::ConvTranspose1d { w, .. }) = op
        else {
            return None;
        };
        let (rows, blocks, inputs, transposed) = match (op, program.shape(*w)) {
            (Op::ConvTranspose1d { .. }, &[k, o, i]) => (k, o, i, true),
            (_, shape) => (shape[0], 1, shape[1..].iter().product(), false),
        };
        Some((*w, Self { rows, blocks, inputs, transposed }))
    }

    pub(crate) fn outputs(&self) -> usize {
        if self.transposed { self.blocks } else { self.rows * self.blocks }
    }

    fn output(&self, row: usize, block: usize) -> usize {
        if self.transposed { block } else { row * self.blocks + block }
    }

    /// Every run of inputs: its output and where it begins.
    pub(crate) fn runs(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.rows).flat_map(move |row| {
            (0..self.blocks).map(move |block| {
                (self.output(row, block), (row * self.blocks + block) * self.inputs)
            })
        })
    }
}

impl Integers {
    /// The step of each weight.
    pub(crate) fn steps(&self, layout: Layout) -> Vec<f32> {
        let per_run = layout.inputs.div_ceil(GROUP);
        let mut steps = vec![0.0; self.w.len()];
        for (run, (o, start)) in layout.runs().enumerate() {
            for (i, step) in steps[start..][..layout.inputs].iter_mut().enumerate() {
                let factor = |groups: &Vec<u8>| f32::from(groups[run * per_run + i / GROUP]);
                *step = self.scale[o] * self.groups.as_ref().map_or(1.0, factor);
            }
        }
        steps
    }

    /// What the integers stand for, in the order of the weights.
    pub(crate) fn reals(&self, layout: Layout) -> Vec<f32> {
        let steps = self.steps(layout);
        self.w.iter().zip(steps).map(|(w, step)| f32::from(*w) * step).collect()
    }
}

/// Rounds `w`; no scale is smaller than `least` says for its output. With the `factor` of what the layer
/// reads, weights make up for the errors of each other.
pub(crate) fn integers(
    w: &[f32],
    layout: Layout,
    bits: Bits,
    least: &[f32],
    factor: Option<&Factor>,
) -> Integers {
    let scale = scales(w, layout, bits, least);
    let mut rounded = vec![0; w.len()];
    let mut groups = Vec::new();
    for (o, start) in layout.runs() {
        let run = start..start + layout.inputs;
        let grid = Grid { bits, scale: scale[o] };
        groups.extend(grid.round(&w[run.clone()], factor, &mut rounded[run]));
    }
    Integers { w: rounded, scale, groups: (bits == Bits::Four).then_some(groups) }
}

/// The scale of each output.
pub(crate) fn scales(w: &[f32], layout: Layout, bits: Bits, least: &[f32]) -> Vec<f32> {
    let steps = match bits {
        Bits::Eight => 127.0,
        Bits::Four => 7.0 * 255.0,
    };
    let mut scale = least.to_vec();
    for (o, start) in layout.runs() {
        scale[o] = scale[o].max(largest(&w[start..][..layout.inputs]) / steps);
    }
    scale
}

fn largest(w: &[f32]) -> f32 {
    w.iter().fold(0.0, |m, w| m.max(w.abs()))
}

/// The numbers that the weights of an output may be.
struct Grid {
    bits: Bits,
    scale: f32,
}

impl Grid {
    /// Rounds the weights of one output from the last to the first, and says the factor of each group.
    fn round(&self, w: &[f32], factor: Option<&Factor>, rounded: &mut [i8]) -> Vec<u8> {
        let size = match self.bits {
            Bits::Eight => w.len().max(1),
            Bits::Four => GROUP,
        };
        let mut errors = vec![0.0f64; w.len()];
        let wanted = |i: usize, errors: &[f64]| {
            w[i] + factor.map_or(0.0, |factor| factor.correction(i, errors) as f32)
        };
        let mut factors = Vec::new();
        for from in (0..w.len()).step_by(size).rev() {
            let group = from..(from + size).min(w.len());
            let step = match self.bits {
                Bits::Eight => self.scale,
                Bits::Four => {
                    let group: Vec<f32> = group.clone().map(|i| wanted(i, &errors)).collect();
                    let factor = best_factor(&group, self.scale);
                    factors.push(factor);
                    self.scale * f32::from(factor)
                }
            };
            for i in group.rev() {
                // What was taken out stays out.
                let q = match w[i] {
                    0.0 => 0.0,
                    _ => self.nearest(wanted(i, &errors), step),
                };
                rounded[i] = q as i8;
                errors[i] = f64::from(w[i]) - f64::from(q) * f64::from(step);
            }
        }
        factors.reverse();
        factors
    }

    fn nearest(&self, w: f32, step: f32) -> f32 {
        match self.bits {
            Bits::Eight => (w / step).round_ties_even().clamp(-127.0, 127.0),
            Bits::Four => nibble(w, step),
        }
    }
}

fn nibble(w: f32, step: f32) -> f32 {
    (w / step).round_ties_even().clamp(-8.0, 7.0)
}

/// The factor with the least squared error: the largest weight may be cut where the others gain.
fn best_factor(w: &[f32], scale: f32) -> u8 {
    let whole = (largest(w) / 7.0 / scale).ceil().clamp(1.0, 255.0);
    let error = |factor: f32| -> f32 {
        let step = scale * factor;
        w.iter().map(|&w| (w - nibble(w, step) * step).powi(2)).sum()
    };
    let candidates = (0..=10).map(|i| (whole * (1.0 - 0.04 * i as f32)).round().max(1.0));
    let best = candidates.min_by(|&a, &b| error(a).total_cmp(&error(b)));
    best.unwrap_or(whole) as u8
}

/// Two weights in a byte, the first in its low half; each of `rows` begins with a new byte.
pub(crate) fn pack(w: &[i8], rows: usize) -> Vec<u8> {
    let half = |w: i8| (w & 15) as u8;
    let pair = |pair: &[i8]| half(pair[0]) | pair.get(1).map_or(0, |&w| half(w) << 4);
    w.chunks(w.len().checked_div(rows).unwrap_or(0).max(1))
        .flat_map(|row| row.chunks(2).map(pair))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weights of many sizes, some of them zero.
    fn weights(n: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7919 % 101) as f32 - 50.0) * (1.0 + (i / 64) as f32) * 1e-3).collect()
    }

    #[test]
    fn eight_bits_are_within_half_a_step() {
        let layout = Layout { rows: 6, blocks: 1, inputs: 33, transposed: false };
        let w = weights(6 * 33);
        let made = integers(&w, layout, Bits::Eight, &[1e-9; 6], None);
        for (i, (q, w)) in made.w.iter().zip(&w).enumerate() {
            let scale = made.scale[i / 33];
            assert!((f32::from(*q) * scale - w).abs() <= 0.501 * scale, "{i}");
        }
    }

    #[test]
    fn four_bits_are_nearer_with_groups_than_without() {
        let layout = Layout { rows: 4, blocks: 1, inputs: 96, transposed: false };
        let w = weights(4 * 96);
        let made = integers(&w, layout, Bits::Four, &[1e-9; 4], None);
        let groups = made.groups.unwrap_or_default();
        let error: f32 = w
            .iter()
            .enumerate()
            .map(|(i, w)| {
                let factor = f32::from(groups[i / 96 * 3 + i % 96 / GROUP]);
                (f32::from(made.w[i]) * factor * made.scale[i / 96] - w).powi(2)
            })
            .sum();
        let plain: f32 = w
            .chunks(96)
            .flat_map(|row| {
                let step = largest(row) / 7.0;
                row.iter().map(move |&w| (nibble(w, step) * step - w).powi(2))
            })
            .sum();
        assert!(error < plain, "{error} {plain}");
    }

    #[test]
    fn odd_rows_end_with_half_a_byte() {
        assert_eq!(pack(&[1, -1, 7, -8, 0, 3], 2), [0xF1, 0x07, 0x08, 0x03]);
        assert_eq!(pack(&[], 0), [0u8; 0]);
    }
}
