//! A small input of integers with what is outside of it around: then no window is at an end, and each phase is one
//! product.

use super::kind::{IntegerPhase, Results};
use crate::fast::{
    Level,
    geometry::{Geometry, Phase},
    threads::{self, Threads},
    tile::{self, Integer, Numbers},
};

/// Numbers of an input that is copied at once, at most: as words, a quarter of the nearest memory.
const MOST: usize = 4096;

/// The bit that 128 turns.
const SIGN: u8 = 0x80;

/// Rows of the input, and around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    before: usize,
    time: usize,
    after: usize,
    channels: usize,
    /// As what it is copied.
    numbers: Numbers,
}

impl Whole {
    /// That of a layer whose bytes are multiplied as `numbers`; nothing where the kernel cannot read its windows as
    /// they lie, a phase has none, the input is large, or copying it saves nothing.
    pub(super) fn new(level: Level, g: &Geometry, numbers: Numbers) -> Option<Self> {
        let reads = |phase: &Phase| {
            let (runs, run) = phase.runs(g.channels);
            let joins = tile::joins_runs(level, numbers, numbers.bytes() * run);
            !phase.taps.is_empty() && (joins || numbers == Numbers::Bytes && runs == 1)
        };
        let inside = |phase: &Phase| phase.inside(g.time).len() == phase.rows;
        let saves = numbers == Numbers::Words || !g.phases.iter().all(inside);
        if !saves || !g.phases.iter().all(reads) {
            return None;
        }
        let end = |phase: &Phase| {
            let reach = (phase.rows - 1) * phase.step + (phase.taps.len() - 1) * phase.dilation;
            phase.first + reach as isize + 1
        };
        let before = g.phases.iter().map(|phase| -phase.first).max()?.max(0).unsigned_abs();
        let end = g.phases.iter().map(end).max()?;
        let after = (end - g.time as isize).max(0).unsigned_abs();
        let whole = Self { before, time: g.time, after, channels: g.channels, numbers };
        (whole.count() <= MOST).then_some(whole)
    }

    fn count(&self) -> usize {
        (self.before + self.time + self.after) * self.channels
    }

    /// Bytes of scratch.
    pub(super) fn bytes(&self) -> usize {
        self.numbers.bytes() * self.count()
    }

    /// The input between what is outside.
    fn lay<T: Copy>(&self, all: &mut [T], outside: T, copy: impl FnOnce(&mut [T])) {
        let (before, rest) = all.split_at_mut(self.before * self.channels);
        let (inside, behind) = rest.split_at_mut(self.time * self.channels);
        before.fill(outside);
        behind.fill(outside);
        copy(inside);
    }

    /// Runs all phases of a sample.
    pub(super) fn run(
        &self,
        (level, threads): (Level, Option<&dyn Threads>),
        (g, parts, group): (&Geometry, &[IntegerPhase], usize),
        zero_point: i8,
        results: &Results,
        (x, y, scratch): (&[u8], &mut [u8], &mut [u8]),
    ) {
        let all = &mut scratch[..self.bytes()];
        let shifted = tile::shifts_copies(level, self.numbers);
        match self.numbers {
            Numbers::Bytes => {
                let sign = if shifted { SIGN } else { 0 };
                self.lay(all, zero_point as u8 ^ sign, |inside| tile::turn(level, x, sign, inside));
            }
            Numbers::Words => {
                let words: &mut [i16] = bytemuck::cast_slice_mut(all);
                self.lay(words, zero_point.into(), |inside| tile::widen(level, x, inside));
            }
        }
        let (channels, width) = (self.channels, self.numbers.bytes());
        for (phase, part) in g.phases.iter().zip(parts) {
            let (taps, run) = phase.runs(channels);
            let first = (phase.first + self.before as isize).unsigned_abs() * channels;
            let job = Integer {
                numbers: self.numbers,
                shifted,
                x: &all[width * first..],
                x_stride: width * phase.step * channels,
                rows: phase.rows,
                taps,
                tap_stride: width * phase.dilation * channels,
                bytes: width * run,
                outputs: g.outputs,
                w: &part.w,
                group,
                bias: &part.bias,
                signed: &part.signed,
                y_stride: phase.out_step * g.outputs,
            };
            let mut store = results.store(y, phase.out_first * g.outputs);
            threads::integer(threads, level, &job, &mut store);
        }
    }
}
