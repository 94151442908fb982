//! Attention to a window of rows: along time where rows follow each other; where there are few or much is attended to,
//! each by itself, in one pass: blocks of scores become weights together, and what was summed is scaled down when a
//! greater score comes (Milakov and Gimelshein 2018, arXiv 1805.02867).

mod along;

use super::{Level, registers::on_registers, rows::fold_lanes, unary::exponentials};
use crate::kernels::{Attention, greater};
use along::{along_time, rows_at_once};

/// Scores that become weights together: a few vector registers of the widest machine.
const BLOCK: usize = 64;
/// Numbers of a key that meet a query at once.
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
        // A row that is there meets at least itself.
        _ if attends_along_time(rows, widths, a.window()) && a.before < a.window() => {
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
