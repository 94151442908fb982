//! Attention to a window of rows. Rows that follow each other meet nearly the same keys and values, so all is laid along
//! time first and registers hold rows: what is folded is folded from register to register. Where there are few rows or
//! much is attended to, each is by itself, in one pass: blocks of scores become weights together, and what was summed is
//! scaled down when a greater score comes (Milakov and Gimelshein 2018, arXiv 1805.02867).

use mote_format::program::Unary;

use super::{
    Level,
    registers::on_registers,
    rows::{fold_lanes, larger},
    unary::exponentials,
    unary_in_place,
};
use crate::kernels::{Attention, greater};

/// Scores that become weights together: a few vector registers of the widest machine.
const BLOCK: usize = 64;
/// Numbers of keys and values, as many of queries, and as many scores, that are laid along time at once.
const NEAR: usize = 2048;
/// Rows that a register of the widest machine holds.
const WIDE: usize = 16;
/// Rows that are computed together, at least, and numbers of a key that meet a query at once.
const LANES: usize = 8;
/// Half of them.
const HALF: usize = LANES / 2;
/// So few rows are not worth it.
const FEW: usize = 4;
/// Registers of sums that are filled in one go, so that what they share is read once.
const TOGETHER: usize = 4;

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

/// Rows that fit beside each other, keys and values of their windows and weights: full registers.
fn rows_at_once(widths: [usize; 2], window: usize) -> usize {
    let most = (NEAR / widths.iter().sum::<usize>().max(1) + 1).saturating_sub(window);
    most.min(NEAR / window.max(1)) / LANES * LANES
}

/// In parts of at most so many rows. By itself, because it needs much of the stack, which others should not pay
/// for.
#[inline(never)]
fn along_time(level: Level, a: &Attention<'_>, queries: &[f32], most: usize, y: &mut [f32]) {
    let rows = y.len() / (a.outputs * a.heads);
    let mut near = Near { along: [0.0; NEAR], asked: [0.0; NEAR], weights: [0.0; NEAR] };
    for head in 0..a.heads {
        for first in (0..rows).step_by(most) {
            let part = Part { head, first, rows: most.min(rows - first) };
            score(level, a, part, queries, &mut near);
            let weights = &mut near.weights[..a.window() * part.lanes()];
            unary_in_place(level, Unary::Exp, weights);
            weigh(level, a, part, &mut near, y);
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
    /// `(width, lanes)` of queries, later `(outputs, lanes)` of results.
    asked: [f32; NEAR],
    /// `(window, lanes)`
    weights: [f32; NEAR],
}

impl Part {
    /// The rows, with those that fill the last register.
    #[inline(always)]
    fn lanes(self) -> usize {
        self.rows.next_multiple_of(LANES)
    }

    /// Places that any row attends to.
    #[inline(always)]
    fn places(self, a: &Attention<'_>) -> usize {
        self.lanes() + a.window() - 1
    }
}

on_registers!(
    /// Lays queries, keys and values of a part along time, and writes its scores less the greatest of each row.
    score(a: &Attention<'_>, part: Part, queries: &[f32], near: &mut Near) = scored
);

on_registers!(
    /// The rows of a part: values by their weights, which become shares.
    weigh(a: &Attention<'_>, part: Part, near: &mut Near, y: &mut [f32]) = weighed
);

#[inline(always)]
fn scored(a: &Attention<'_>, part: Part, queries: &[f32], near: &mut Near) {
    let (places, lanes) = (part.places(a), part.lanes());
    let (keys, values) = near.along.split_at_mut(a.width * places);
    let values = &mut values[..a.outputs * places];
    let queries_along = &mut near.asked[..a.width * lanes];
    let begin = a.before.saturating_sub(part.first);
    let first = (part.first + begin).saturating_sub(a.before);
    lay_along((a.keys, a.width, a.heads), part.head, first, (keys, places, begin));
    lay_along((a.values, a.outputs, a.heads), part.head, first, (values, places, begin));
    lay_along((queries, a.width, a.heads), part.head, part.first, (queries_along, lanes, 0));
    let bias = &a.bias[part.head * a.window()..][..a.window()];
    let mut from = 0;
    while from < lanes {
        let (keys, scores) = ((&*keys, places), (&mut near.weights[..], lanes));
        from += match lanes - from {
            WIDE.. => score_lanes::<WIDE>(from, queries_along, keys, bias, scores),
            _ => score_lanes::<LANES>(from, queries_along, keys, bias, scores),
        };
    }
}

/// Lays rows of one head, from the `first` on, along time: number by number, from the place `begin` on, with zeros around
/// what is there.
#[inline(always)]
fn lay_along(
    (rows, width, heads): (&[f32], usize, usize),
    head: usize,
    first: usize,
    (along, places, begin): (&mut [f32], usize, usize),
) {
    let stride = heads * width;
    let begin = begin.min(places);
    let rows = rows.get(first * stride..).unwrap_or_default();
    let there = (rows.len() / stride.max(1)).min(places - begin);
    for (number, along) in along.chunks_exact_mut(places).enumerate() {
        along[..begin].fill(0.0);
        along[begin + there..].fill(0.0);
        let along = &mut along[begin..begin + there];
        if let Some(rows) = rows.get(head * width + number..) {
            for (y, x) in along.iter_mut().zip(rows.iter().step_by(stride)) {
                *y = *x;
            }
        }
    }
}

/// The numbers of `N` rows at a place.
#[inline(always)]
fn lanes_at<const N: usize>(all: &[f32], at: usize) -> &[f32; N] {
    all[at..].first_chunk().expect("as many rows as lanes")
}

/// Numbers of several rows, each with as many numbers behind one another.
type Along<'a> = (&'a [f32], usize);

/// The scores of `N` rows from the row `from` on, less the greatest of each. Says how many.
#[inline(always)]
fn score_lanes<const N: usize>(
    from: usize,
    queries: &[f32],
    (keys, places): Along<'_>,
    bias: &[f32],
    (scores, lanes): (&mut [f32], usize),
) -> usize {
    let mut top = [f32::NEG_INFINITY; N];
    let (groups, rest) = bias.as_chunks::<TOGETHER>();
    let mut at = 0;
    for bias in groups {
        let scores = &mut scores[at * lanes + from..];
        meet((queries, lanes, from), (keys, places, from + at), bias, scores, &mut top);
        at += TOGETHER;
    }
    for bias in rest.as_chunks::<1>().0 {
        let scores = &mut scores[at * lanes + from..];
        meet((queries, lanes, from), (keys, places, from + at), bias, scores, &mut top);
        at += 1;
    }
    for j in 0..bias.len() {
        let scores = &mut scores[j * lanes + from..][..N];
        for i in 0..N {
            scores[i] -= top[i];
        }
    }
    N
}

/// The scores of `N` rows of queries with as many keys, and with those one, two and so on places later.
#[inline(always)]
fn meet<const N: usize, const G: usize>(
    (queries, lanes, from): (&[f32], usize, usize),
    (keys, places, at): (&[f32], usize, usize),
    bias: &[f32; G],
    scores: &mut [f32],
    top: &mut [f32; N],
) {
    let mut met = [[0.0; N]; G];
    for (queries, keys) in queries.chunks_exact(lanes).zip(keys.chunks_exact(places)) {
        let query = lanes_at::<N>(queries, from);
        for k in 0..G {
            let keys = lanes_at::<N>(keys, at + k);
            for i in 0..N {
                met[k][i] += query[i] * keys[i];
            }
        }
    }
    for k in 0..G {
        let scores = &mut scores[k * lanes..][..N];
        for i in 0..N {
            scores[i] = met[k][i] + bias[k];
            top[i] = larger(top[i], scores[i]);
        }
    }
}

#[inline(always)]
fn weighed(a: &Attention<'_>, part: Part, near: &mut Near, y: &mut [f32]) {
    let (places, lanes) = (part.places(a), part.lanes());
    let values = &near.along[a.width * places..][..a.outputs * places];
    let results = &mut near.asked[..a.outputs * lanes];
    let weights = &near.weights[..a.window() * lanes];
    let mut from = 0;
    while from < lanes {
        let results = (&mut *results, lanes);
        from += match lanes - from {
            WIDE.. => weigh_lanes::<WIDE>(from, weights, (values, places), results),
            _ => weigh_lanes::<LANES>(from, weights, (values, places), results),
        };
    }
    let stride = a.heads * a.outputs;
    for (row, y) in y[part.first * stride..].chunks_exact_mut(stride).take(part.rows).enumerate() {
        let y = &mut y[part.head * a.outputs..][..a.outputs];
        for (y, results) in y.iter_mut().zip(results.chunks_exact(lanes)) {
            *y = results[row];
        }
    }
}

/// The results of `N` rows from the row `from` on. Says how many.
#[inline(always)]
fn weigh_lanes<const N: usize>(
    from: usize,
    weights: &[f32],
    (values, places): (&[f32], usize),
    (results, lanes): (&mut [f32], usize),
) -> usize {
    let mut share = [0.0; N];
    for weights in weights.chunks_exact(lanes) {
        let weights = lanes_at::<N>(weights, from);
        for i in 0..N {
            share[i] += weights[i];
        }
    }
    for i in 0..N {
        share[i] = 1.0 / share[i];
    }
    let outputs = results.len() / lanes;
    let mut number = 0;
    while number < outputs {
        let values = (&values[number * places..], places, from);
        let results = &mut results[number * lanes + from..];
        number += match outputs - number {
            TOGETHER.. => add_up::<N, TOGETHER>((weights, lanes), values, &share, results),
            _ => add_up::<N, 1>((weights, lanes), values, &share, results),
        };
    }
    N
}

/// `G` numbers of the values of `N` rows, by their weights and shares. Says how many numbers.
#[inline(always)]
fn add_up<const N: usize, const G: usize>(
    (weights, lanes): Along<'_>,
    (values, places, from): (&[f32], usize, usize),
    share: &[f32; N],
    results: &mut [f32],
) -> usize {
    let mut sums = [[0.0; N]; G];
    for (j, weights) in weights.chunks_exact(lanes).enumerate() {
        let weights = lanes_at::<N>(weights, from);
        for k in 0..G {
            let values = lanes_at::<N>(values, k * places + from + j);
            for i in 0..N {
                sums[k][i] += weights[i] * values[i];
            }
        }
    }
    for k in 0..G {
        let results = &mut results[k * lanes..][..N];
        for i in 0..N {
            results[i] = sums[k][i] * share[i];
        }
    }
    G
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
