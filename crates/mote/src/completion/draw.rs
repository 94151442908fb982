//! Draws of a stretch of samples of which a part is known: the one way from a question to answers.
//!
//! A stretch may be longer than the windows of the model. Windows then pass over it from its start to
//! its end, and each settles a part: what a draw settled, the next window of the same draw knows. So
//! a draw is one course of things, and not pieces that know nothing of each other.

use std::ops::Range;

use mote_format::{Kind, Model, Schema};
use mote_runtime::{Completer, LoadError, Noise};

use super::Asking;
use crate::{Error, training::completes_nothing};

/// Windows completed at once, at least and at most: enough for the products to be large.
const BATCH: [usize; 2] = [8, 64];
/// And few enough for what is between two operations to stay in the second cache: of larger batches each
/// operation reads from further away what the one before wrote.
const CACHE_BYTES: usize = 1 << 20;

/// Samples of which a part is known.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// `(samples, features)` in raw units; not looked at where unknown.
    pub values: &'a [f32],
    /// `(samples, features)`: 1 where known, 0 where not.
    pub mask: &'a [f32],
}

/// Where windows lie on a stretch, and which part of it each settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passes {
    /// Samples of a window.
    pub length: usize,
    /// Samples from a window to the next, at least 1.
    pub step: usize,
    /// Samples at the end of a window that it leaves to the next, for which it knows too little of
    /// what comes after them.
    pub margin: usize,
}

impl Passes {
    /// For holes: windows half over each other, of which the middle is settled.
    #[must_use]
    pub fn across_holes(length: usize) -> Self {
        Self { length, step: length.div_ceil(2), margin: length / 4 }
    }

    /// The first sample of each window on a stretch of so many `samples`, and the samples that it
    /// settles: together all of them, in order. None where the stretch is shorter than a window.
    pub fn over(self, samples: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
        let Self { length, step, margin } = self;
        let last = samples.checked_sub(length);
        let count = last.map_or(0, |last| last.div_ceil(step) + 1);
        let settled = move |i: usize| match i + 1 == count {
            true => samples,
            false => i * step + length - margin,
        };
        (0..count).map(move |i| {
            let start = (i * step).min(last.unwrap_or(0));
            let from = if i == 0 { 0 } else { settled(i - 1) };
            (start, from..settled(i))
        })
    }
}

/// Makes draws of stretches, window by window. Memory is fixed when it is made.
#[derive(Debug)]
pub struct Drawer<'m> {
    completer: Completer<'m>,
    schema: &'m Schema,
    seed: u64,
    draws: usize,
    /// `(draws, length, features)`: the window, with what each draw settled.
    window: Vec<f32>,
    /// How many samples of it are settled.
    settled: usize,
    /// `(batch, length, features)`
    x: Vec<f32>,
    mask: Vec<f32>,
    y: Vec<f32>,
}

impl<'m> Drawer<'m> {
    /// For so many draws of each stretch, at least 1.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if the model completes no windows, and for no draw or no evaluation;
    /// [`Error::Load`] if its programs do not fit together.
    pub fn new(model: &'m Model<'m>, draws: usize, asking: Asking) -> Result<Self, Error> {
        if draws == 0 || asking.evaluations == Some(0) {
            return Err(Error::Usage("wanted at least one draw and one evaluation".into()));
        }
        let of = |batch| match Completer::new(model, batch, asking.evaluations) {
            Err(LoadError::NoProgram { .. }) => Err(completes_nothing(&model.manifest.family)),
            completer => Ok(completer?.guided(asking.guidance.unwrap_or(1.0))?),
        };
        let one = of(1)?;
        let most = (CACHE_BYTES / one.memory_bytes().max(1)).clamp(BATCH[0], BATCH[1]);
        let batch = draws.div_ceil(draws.div_ceil(most));
        let completer = if batch == 1 { one } else { of(batch)? };
        let [length, features] = completer.shape();
        let zeros = |n| vec![0.0; n * length * features];
        Ok(Self {
            completer,
            schema: &model.manifest.schema,
            seed: asking.seed,
            draws,
            window: zeros(draws),
            settled: 0,
            x: zeros(batch),
            mask: zeros(batch),
            y: zeros(batch),
        })
    }

    /// Samples and features of a window.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        self.completer.shape()
    }

    /// The columns.
    #[must_use]
    pub fn schema(&self) -> &'m Schema {
        self.schema
    }

    /// Draws of each stretch.
    #[must_use]
    pub fn draws(&self) -> usize {
        self.draws
    }

    /// Bytes that it holds beside the weights.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let own = self.window.len() + self.x.len() + self.mask.len() + self.y.len();
        self.completer.memory_bytes() + own * size_of::<f32>()
    }

    /// What all randomness is drawn from.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The random numbers of a question: those of one seed and place are always the same.
    #[must_use]
    pub fn noise(&self, place: u64) -> Noise {
        Noise::new(self.seed, place)
    }

    /// Completes a stretch. `see` is shown, in order, ranges of samples and their draws
    /// `(draws, samples of the range, features)`; where they were known, draws are what was known.
    ///
    /// # Panics
    ///
    /// If the stretch is shorter than a window, or values and mask differ in length.
    pub fn complete(
        &mut self,
        known: Known<'_>,
        passes: Passes,
        noise: &mut Noise,
        mut see: impl FnMut(Range<usize>, &[f32]),
    ) {
        let [length, features] = self.shape();
        assert_eq!(known.values.len(), known.mask.len(), "values and mask of a stretch");
        let samples = known.values.len() / features;
        assert!(samples >= length, "a stretch of {samples} samples for windows of {length}");
        self.forget();
        let mut before = 0;
        for (start, settles) in passes.over(samples) {
            let flat = start * features..(start + length) * features;
            let window = Known { values: &known.values[flat.clone()], mask: &known.mask[flat] };
            self.advance(start - before);
            before = start;
            let drawn = self.settle(window, settles.end - start, noise);
            see(settles, &drawn);
        }
    }

    /// Begins a new stretch.
    pub fn forget(&mut self) {
        self.settled = 0;
    }

    /// Moves the window by so many samples; what it settled stays settled.
    pub fn advance(&mut self, samples: usize) {
        let [length, features] = self.shape();
        if samples < length {
            for window in self.window.chunks_exact_mut(length * features) {
                window.copy_within(samples * features.., 0);
            }
        }
        self.settled = self.settled.saturating_sub(samples);
    }

    /// Settles the samples of the window up to `end`, those that are settled already left as they are.
    /// Answers `(draws, samples newly settled, features)`.
    ///
    /// # Panics
    ///
    /// If `known` is no window, or `end` lies before what is settled or after its end.
    pub fn settle(&mut self, known: Known<'_>, end: usize, noise: &mut Noise) -> Vec<f32> {
        let [length, features] = self.shape();
        let n = length * features;
        let settled = self.settled * features;
        assert!(self.settled <= end && end <= length, "{end} after {} in {length}", self.settled);
        for window in self.window.chunks_exact_mut(n) {
            window[settled..].copy_from_slice(&known.values[settled..]);
        }
        let fresh = settled..end * features;
        if known.mask[fresh.clone()].contains(&0.0) {
            self.draw(known.mask, fresh.end, noise);
        }
        self.settled = end;
        self.window.chunks_exact(n).flat_map(|window| &window[fresh.clone()]).copied().collect()
    }

    /// Completes the window of each draw, and keeps the values before `end`.
    fn draw(&mut self, mask: &[f32], end: usize, noise: &mut Noise) {
        let settled = self.settled * self.completer.shape()[1];
        let n = mask.len();
        for mask_of in self.mask.chunks_exact_mut(n) {
            mask_of[..settled].fill(1.0);
            mask_of[settled..].copy_from_slice(&mask[settled..]);
        }
        let batch = self.x.len();
        for windows in self.window.chunks_mut(batch) {
            self.x[..windows.len()].copy_from_slice(windows);
            self.completer.complete(&self.x, &self.mask, noise, &mut self.y);
            for (window, y) in windows.chunks_exact_mut(n).zip(self.y.chunks_exact(n)) {
                window[settled..end].copy_from_slice(&y[settled..end]);
                snap(self.schema, &mask[settled..end], &mut window[settled..end]);
            }
        }
    }
}

/// Makes one level of each drawn word 1 and the others 0: the one that was closest to it.
pub(super) fn snap(schema: &Schema, mask: &[f32], rows: &mut [f32]) {
    let width = schema.features();
    for (row, mask) in rows.chunks_exact_mut(width).zip(mask.chunks_exact(width)) {
        let mut offset = 0;
        for column in &schema.columns {
            let features = offset..offset + column.kind.features();
            offset = features.end;
            let is_word = matches!(column.kind, Kind::Categorical { .. });
            if is_word && mask[features.start] == 0.0 && !row[features.start].is_nan() {
                let levels = &mut row[features];
                let best = largest(levels);
                levels
                    .iter_mut()
                    .enumerate()
                    .for_each(|(i, l)| *l = f32::from(u8::from(i == best)));
            }
        }
    }
}

/// The place of the largest value, the first of equal ones.
pub(super) fn largest(values: &[f32]) -> usize {
    let beats = |best: usize, i: usize| if values[i] > values[best] { i } else { best };
    (0..values.len()).reduce(beats).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(passes: Passes, samples: usize, wanted: &[(usize, Range<usize>)]) {
        assert_eq!(passes.over(samples).collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn windows_settle_every_sample_once() {
        let holes = Passes::across_holes(8);
        check(holes, 7, &[]);
        check(holes, 8, &[(0, 0..8)]);
        check(holes, 9, &[(0, 0..6), (1, 6..9)]);
        check(holes, 16, &[(0, 0..6), (4, 6..10), (8, 10..16)]);
        check(Passes::across_holes(1), 3, &[(0, 0..1), (1, 1..2), (2, 2..3)]);
        let future = Passes { length: 8, step: 3, margin: 0 };
        check(future, 11, &[(0, 0..8), (3, 8..11)]);
        check(future, 13, &[(0, 0..8), (3, 8..11), (5, 11..13)]);
    }
}
