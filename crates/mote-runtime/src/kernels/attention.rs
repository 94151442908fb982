//! Attention to a window of rows.

use core::ops::Range;

use super::dot;

/// What attention reads beside queries, and how they lie.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a> {
    /// `(time, heads, width)`
    pub keys: &'a [f32],
    /// `(time, heads, outputs)`
    pub values: &'a [f32],
    /// `(heads, window)`
    pub bias: &'a [f32],
    /// Numbers of a query or key.
    pub width: usize,
    /// Numbers of a value.
    pub outputs: usize,
    /// Heads.
    pub heads: usize,
    /// Rows of zeros before the first.
    pub before: usize,
}

impl<'a> Attention<'a> {
    /// Rows of a window.
    #[inline]
    #[must_use]
    pub fn window(&self) -> usize {
        self.bias.len() / self.heads.max(1)
    }

    /// Of `places` of the window of row `t`, from the place `start` on, those that are not outside.
    #[inline]
    pub(crate) fn there(&self, t: usize, start: usize, places: usize) -> Range<usize> {
        let time = self.values.len() / (self.heads * self.outputs).max(1);
        let first = t + start;
        let begin = self.before.saturating_sub(first).min(places);
        begin..(time + self.before).saturating_sub(first).clamp(begin, places)
    }

    /// How well `query` of row `t` and head `h` meets place `j` of its window; outside, only the bias
    /// counts.
    #[inline]
    pub(crate) fn score(&self, query: &[f32], t: usize, h: usize, j: usize) -> f32 {
        let met = self.key(t, h, j).map_or(0.0, |key| dot(query, key));
        met + self.bias[h * self.window() + j]
    }

    /// The key at place `j` of a window, if it is not outside.
    #[inline]
    pub(crate) fn key(&self, t: usize, h: usize, j: usize) -> Option<&'a [f32]> {
        self.row(self.keys, self.width, t, h, j)
    }

    /// The value at place `j` of a window, if it is not outside.
    #[inline]
    pub(crate) fn value(&self, t: usize, h: usize, j: usize) -> Option<&'a [f32]> {
        self.row(self.values, self.outputs, t, h, j)
    }

    #[inline]
    fn row(
        &self,
        rows: &'a [f32],
        width: usize,
        t: usize,
        h: usize,
        j: usize,
    ) -> Option<&'a [f32]> {
        let at = (t + j).checked_sub(self.before)?;
        rows.get((at * self.heads + h) * width..)?.get(..width)
    }

    /// `y` `(rows, heads, outputs)` of `queries` `(rows, heads, width)`, in the order of the formula:
    /// the greatest score, then weights and their sum, then the quotient.
    pub fn run(&self, queries: &[f32], y: &mut [f32]) {
        for (i, y) in y.chunks_exact_mut(self.outputs.max(1)).enumerate() {
            let (t, h) = (i / self.heads, i % self.heads);
            let query = &queries[i * self.width..][..self.width];
            let scores = (0..self.window()).map(|j| self.score(query, t, h, j));
            let top = scores.clone().fold(f32::NEG_INFINITY, greater);
            let mut sum = 0.0;
            y.fill(0.0);
            for (j, score) in scores.enumerate() {
                let weight = libm::expf(score - top);
                sum += weight;
                let Some(value) = self.value(t, h, j) else { continue };
                y.iter_mut().zip(value).for_each(|(y, v)| *y += weight * v);
            }
            y.iter_mut().for_each(|y| *y /= sum);
        }
    }
}

/// The greater of both; a NaN stays.
#[inline]
pub(crate) fn greater(a: f32, b: f32) -> f32 {
    if a >= b || a.is_nan() { a } else { b }
}
