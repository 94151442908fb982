//! A small input in words, with what is outside of it around: then no window is at an end, and each phase is one
//! product.

use super::kind::{IntegerPhase, Results};
use crate::fast::{
    Level,
    geometry::{Geometry, Phase},
    tile::{self, Integer, Numbers},
};

/// Numbers of an input that becomes words at once, at most: a quarter of the nearest memory.
const MOST: usize = 4096;

/// Rows of the input, and around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    before: usize,
    time: usize,
    after: usize,
    channels: usize,
}

impl Whole {
    /// That of a layer of bytes that are multiplied as words; nothing where the kernel cannot read its windows
    /// as they lie, a phase has none, or the input is large.
    pub(super) fn new(level: Level, g: &Geometry) -> Option<Self> {
        let reads = |phase: &Phase| {
            let (_, run) = phase.runs(g.channels);
            !phase.taps.is_empty() && tile::joins_runs(level, Numbers::Words, 2 * run)
        };
        if !g.phases.iter().all(reads) {
            return None;
        }
        let end = |phase: &Phase| {
            let reach = (phase.rows - 1) * phase.step + (phase.taps.len() - 1) * phase.dilation;
            phase.first + reach as isize + 1
        };
        let before = g.phases.iter().map(|phase| -phase.first).max()?.max(0).unsigned_abs();
        let end = g.phases.iter().map(end).max()?;
        let after = (end - g.time as isize).max(0).unsigned_abs();
        let whole = Self { before, time: g.time, after, channels: g.channels };
        (whole.numbers() <= MOST).then_some(whole)
    }

    fn numbers(&self) -> usize {
        (self.before + self.time + self.after) * self.channels
    }

    /// Bytes of scratch.
    pub(super) fn bytes(&self) -> usize {
        2 * self.numbers()
    }

    /// Runs all phases of a sample.
    pub(super) fn run(
        &self,
        level: Level,
        (g, parts, group): (&Geometry, &[IntegerPhase], usize),
        zero_point: i8,
        results: &Results,
        (x, y, scratch): (&[u8], &mut [u8], &mut [u8]),
    ) {
        let channels = self.channels;
        let words: &mut [i16] = &mut bytemuck::cast_slice_mut(scratch)[..self.numbers()];
        let (outside, rest) = words.split_at_mut(self.before * channels);
        let (inside, behind) = rest.split_at_mut(self.time * channels);
        outside.fill(zero_point.into());
        behind.fill(zero_point.into());
        tile::widen(level, x, inside);
        for (phase, part) in g.phases.iter().zip(parts) {
            let (taps, run) = phase.runs(channels);
            let first = (phase.first + self.before as isize).unsigned_abs() * channels;
            let job = Integer {
                numbers: Numbers::Words,
                x: bytemuck::cast_slice(&words[first..]),
                x_stride: 2 * phase.step * channels,
                rows: phase.rows,
                taps,
                tap_stride: 2 * phase.dilation * channels,
                bytes: 2 * run,
                outputs: g.outputs,
                w: &part.w,
                group,
                bias: &part.bias,
                signed: &part.signed,
                y_stride: phase.out_step * g.outputs,
            };
            tile::integer(level, &job, &mut results.store(y, phase.out_first * g.outputs));
        }
    }
}
