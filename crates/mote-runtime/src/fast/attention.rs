//! Attention to a window of rows. Rows that follow each other meet nearly the same keys and values, so these are
//! laid along time first, where a register takes several of one number; or, where there are few rows or much is
//! attended to, in one pass: blocks of scores become weights together, and what was summed is scaled down when
//! a greater score comes (Milakov and Gimelshein 2018, arXiv 1805.02867).

use mote_format::program::Unary;

use super::{
    Level,
    registers::on_registers,
    rows::{dot_lanes, fold_lanes, larger},
    unary::exponentials,
    unary_in_place,
};
use crate::kernels::{Attention, greater};

/// Scores that become weights together: a few vector registers of the widest machine.
const BLOCK: usize = 64;
/// Numbers of keys and values, and as many scores, that are laid along time at once.
const NEAR: usize = 2048;
/// Scores that are computed together.
const LANES: usize = 8;
/// Half of them.
const HALF: usize = LANES / 2;
/// So few rows are not worth it.
const FEW: usize = 4;

/// As [`Attention::run`]; the plain level is that.
pub(crate) fn attention(level: Level, a: &Attention<'_>, queries: &[f32], y: &mut [f32]) {
    let rows = y.len() / (a.outputs * a.heads).max(1);
    let widths = [a.width, a.outputs];
    match level {
        Level::Plain => a.run(queries, y),
        _ if attends_along_time(rows, widths, a.window()) => {
            along_time(level, a, queries, rows_at_once(widths, a.window()), y);
        }
        _ => on_level(level, a, queries, y),
    }
}

/// Whether so many rows of attention are computed side by side, with keys and values of these widths laid along time;
/// else each is by itself, which takes another time. Of all levels but the plain one.
#[must_use]
pub fn attends_along_time(rows: usize, widths: [usize; 2], window: usize) -> bool {
    window > 0 && rows.min(rows_at_once(widths, window)) > FEW
}

/// Rows that fit beside each other, keys and values of their windows and weights.
fn rows_at_once(widths: [usize; 2], window: usize) -> usize {
    let most = (NEAR / widths.iter().sum::<usize>().max(1) + 1).saturating_sub(window);
    most.min(NEAR / window.max(1))
}

/// In parts of at most so many rows. By itself, because it needs much of the stack, which others should not pay
/// for.
#[inline(never)]
fn along_time(level: Level, a: &Attention<'_>, queries: &[f32], most: usize, y: &mut [f32]) {
    let rows = y.len() / (a.outputs * a.heads);
    let mut near = Near { along: [0.0; NEAR], weights: [0.0; NEAR] };
    for head in 0..a.heads {
        for first in (0..rows).step_by(most) {
            let part = Part { head, first, rows: most.min(rows - first) };
            score(level, a, part, queries, &mut near);
            let weights = &mut near.weights[..part.rows * a.window()];
            unary_in_place(level, Unary::Exp, weights);
            weigh(level, a, part, &near, y);
        }
    }
}

/// Rows of one head.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    head: usize,
    first: usize,
    rows: usize,
}

/// What a part needs.
pub(crate) struct Near {
    /// `(width + outputs, places)`: keys and values of the places that a row of the part attends to.
    along: [f32; NEAR],
    /// `(rows, window)`
    weights: [f32; NEAR],
}

impl Part {
    /// Places that any row attends to.
    #[inline(always)]
    fn places(self, a: &Attention<'_>) -> usize {
        self.rows + a.window() - 1
    }
}

on_registers!(
    /// Lays keys and values of a part along time, and writes its scores less the greatest of each row.
    score(a: &Attention<'_>, part: Part, queries: &[f32], near: &mut Near) = scored
);

on_registers!(
    /// The rows of a part: values by their weights, which become shares.
    weigh(a: &Attention<'_>, part: Part, near: &Near, y: &mut [f32]) = weighed
);

#[inline(always)]
fn scored(a: &Attention<'_>, part: Part, queries: &[f32], near: &mut Near) {
    let (head, places, window) = (part.head, part.places(a), a.window());
    let (keys, values) = near.along.split_at_mut(a.width * places);
    let values = &mut values[..a.outputs * places];
    lay_along(a, part, a.keys, a.width, keys);
    lay_along(a, part, a.values, a.outputs, values);
    let bias = &a.bias[head * window..][..window];
    for (row, scores) in near.weights.chunks_exact_mut(window).take(part.rows).enumerate() {
        let query = &queries[((part.first + row) * a.heads + head) * a.width..][..a.width];
        let (blocks, rest) = scores.as_chunks_mut::<LANES>();
        for (i, scores) in blocks.iter_mut().enumerate() {
            let first = i * LANES;
            let mut met = [0.0; LANES];
            for (keys, q) in keys.chunks_exact(places).zip(query) {
                let keys = &keys[row + first..][..LANES];
                for i in 0..LANES {
                    met[i] += q * keys[i];
                }
            }
            for i in 0..LANES {
                scores[i] = met[i] + bias[first + i];
            }
        }
        let first = window - rest.len();
        for (i, score) in rest.iter_mut().enumerate() {
            let keys = keys.chunks_exact(places).map(|keys| keys[row + first + i]);
            *score = bias[first + i] + keys.zip(query).map(|(key, q)| key * q).sum::<f32>();
        }
        // Before the first row only the bias counts, whatever the query is.
        let outside = a.before.saturating_sub(part.first + row).min(window);
        scores[..outside].copy_from_slice(&bias[..outside]);
        let top = fold_lanes(scores, f32::NEG_INFINITY, larger);
        scores.iter_mut().for_each(|score| *score -= top);
    }
}

/// Lays the places of a part along time, number by number of their rows, with zeros outside.
#[inline(always)]
fn lay_along(a: &Attention<'_>, part: Part, rows: &[f32], width: usize, along: &mut [f32]) {
    let (places, stride) = (part.places(a), a.heads * width);
    let time = rows.len() / stride.max(1);
    let begin = a.before.saturating_sub(part.first).min(places);
    let end = (time + a.before).saturating_sub(part.first).clamp(begin, places);
    for (number, along) in along.chunks_exact_mut(places).enumerate() {
        along[..begin].fill(0.0);
        along[end..].fill(0.0);
        if begin < end {
            let first = part.first + begin - a.before;
            let rows = &rows[first * stride + part.head * width + number..];
            for (y, x) in along[begin..end].iter_mut().zip(rows.iter().step_by(stride)) {
                *y = *x;
            }
        }
    }
}

#[inline(always)]
fn weighed(a: &Attention<'_>, part: Part, near: &Near, y: &mut [f32]) {
    let (places, window) = (part.places(a), a.window());
    let values = &near.along[a.width * places..];
    for (row, weights) in near.weights.chunks_exact(window).take(part.rows).enumerate() {
        let share = 1.0 / fold_lanes(weights, 0.0, |a, b| a + b);
        let y = &mut y[((part.first + row) * a.heads + part.head) * a.outputs..][..a.outputs];
        for (y, values) in y.iter_mut().zip(values.chunks_exact(places)) {
            *y = dot_lanes(weights, &values[row..][..window]) * share;
        }
    }
}

on_registers!(
    /// As [`attended`].
    on_level(a: &Attention<'_>, queries: &[f32], y: &mut [f32]) = attended
);

/// In one pass.
#[inline(always)]
fn attended(a: &Attention<'_>, queries: &[f32], y: &mut [f32]) {
    let mut block = [0.0f32; BLOCK];
    for (i, y) in y.chunks_exact_mut(a.outputs.max(1)).enumerate() {
        let (t, h) = (i / a.heads, i % a.heads);
        let query = &queries[i * a.width..][..a.width];
        let bias = &a.bias[h * a.window()..][..a.window()];
        let (mut top, mut sum) = (f32::NEG_INFINITY, 0.0);
        y.fill(0.0);
        for (start, bias) in (0..a.window()).step_by(BLOCK).zip(bias.chunks(BLOCK)) {
            let weights = &mut block[..bias.len()];
            // Outside of what is there only the bias counts.
            let there = a.there(t, start, weights.len());
            weights.copy_from_slice(bias);
            let first = |width| ((t + start + there.start - a.before) * a.heads + h) * width;
            if !there.is_empty() && a.width > 0 {
                let keys = a.keys[first(a.width)..].chunks(a.heads * a.width);
                for (weight, key) in weights[there.clone()].iter_mut().zip(keys) {
                    *weight += met(query, &key[..a.width]);
                }
            }
            let before = top;
            top = greater(top, fold_lanes(weights, f32::NEG_INFINITY, greater));
            // Nothing but negative infinities so far, which weigh nothing.
            if top == f32::NEG_INFINITY {
                continue;
            }
            weights.iter_mut().for_each(|w| *w -= top);
            exponentials(weights);
            if start > 0 {
                let scale = libm::expf(before - top);
                sum *= scale;
                y.iter_mut().for_each(|y| *y *= scale);
            }
            sum += fold_lanes(weights, 0.0, |a, b| a + b);
            if !there.is_empty() {
                let values = &a.values[first(a.outputs)..];
                add_weighted(&weights[there], values, a.heads * a.outputs, y);
            }
        }
        y.iter_mut().for_each(|y| *y /= sum);
    }
}

/// The sum of products, in lanes as wide as they can be filled.
#[inline(always)]
fn met(query: &[f32], key: &[f32]) -> f32 {
    let ((q, q_rest), (k, k_rest)) = (query.as_chunks::<LANES>(), key.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (q, k) in q.iter().zip(k) {
        for i in 0..LANES {
            lanes[i] += q[i] * k[i];
        }
    }
    let ((q, q_rest), (k, k_rest)) = (q_rest.as_chunks::<HALF>(), k_rest.as_chunks::<HALF>());
    let mut half = [0.0; HALF];
    for i in 0..HALF {
        half[i] = lanes[i] + lanes[i + HALF];
    }
    for (q, k) in q.iter().zip(k) {
        for i in 0..HALF {
            half[i] += q[i] * k[i];
        }
    }
    let rest: f32 = q_rest.iter().zip(k_rest).map(|(q, k)| q * k).sum();
    (half[0] + half[2]) + (half[1] + half[3]) + rest
}

/// Adds rows of values, which are `stride` apart, by their weights.
#[inline(always)]
fn add_weighted(weights: &[f32], values: &[f32], stride: usize, y: &mut [f32]) {
    let mut first = 0;
    while first < y.len() {
        let (values, y) = (&values[first..], &mut y[first..]);
        first += match y.len() {
            16.. => add_columns::<16>(weights, values, stride, y),
            12.. => add_columns::<12>(weights, values, stride, y),
            8.. => add_columns::<8>(weights, values, stride, y),
            4.. => add_columns::<4>(weights, values, stride, y),
            _ => add_columns::<1>(weights, values, stride, y),
        };
    }
}

/// Of so many numbers of each row, the first ones; says how many.
#[inline(always)]
fn add_columns<const N: usize>(
    weights: &[f32],
    values: &[f32],
    stride: usize,
    y: &mut [f32],
) -> usize {
    let mut sums = [0.0; N];
    sums.copy_from_slice(&y[..N]);
    for (weight, value) in weights.iter().zip(values.chunks(stride)) {
        let value = &value[..N];
        for i in 0..N {
            sums[i] += weight * value[i];
        }
    }
    y[..N].copy_from_slice(&sums);
    N
}
