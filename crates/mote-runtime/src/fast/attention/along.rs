//! Rows that follow each other meet nearly the same keys and values, so all is laid along time first, and registers hold
//! rows: what is folded is folded from register to register. Outside of what is there keys are zeros, so that only the
//! bias counts; a query that is infinite makes no number of that too, as of most of what it meets.

#![allow(
    clippy::needless_range_loop,
    reason = "lanes and sums are picked by counters of fixed length, so that they become vectors"
)]

use mote_format::program::Unary;

use crate::{
    fast::{Level, registers::on_registers, rows::larger, unary_in_place},
    kernels::Attention,
};

/// Numbers of keys and values, as many of queries, and as many scores, that are laid along time at once.
const NEAR: usize = 2048;
/// Rows that a register of the widest machine holds.
const WIDE: usize = 16;
/// Rows that are computed together, at least.
const LANES: usize = 8;
/// Registers of sums that are filled in one go, so that what they share is read once.
const TOGETHER: usize = 4;

/// Rows that fit beside each other, keys and values of their windows and weights: full registers.
pub(super) fn rows_at_once(widths: [usize; 2], window: usize) -> usize {
    let most = (NEAR / widths.iter().sum::<usize>().max(1) + 1).saturating_sub(window);
    most.min(NEAR / window.max(1)) / LANES * LANES
}

/// In parts of at most so many rows. By itself, because it needs much of the stack, which others should not pay
/// for.
#[inline(never)]
pub(super) fn along_time(
    level: Level,
    a: &Attention<'_>,
    queries: &[f32],
    most: usize,
    y: &mut [f32],
) {
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
