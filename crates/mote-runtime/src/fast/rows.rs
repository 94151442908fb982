//! Folds of rows and of columns: several short ones at a time, so that none waits for its own last sum.

#![allow(
    clippy::needless_range_loop,
    reason = "lanes are picked by counters of fixed length, so that they become vectors"
)]

use mote_format::program::Reduction;

use super::{Level, registers::on_registers};
use crate::kernels::{self, greater};

/// Rows that are folded at a time.
const ROWS: usize = 8;
/// Lanes of a sum or a maximum.
const LANES: usize = 8;
/// Columns that are folded at a time where there are so many.
const BROAD: usize = 32;
/// Columns that are worth folding some at a time: rows of more are read one after the other.
const WIDE: usize = 512;

/// As [`kernels::reduce`], bit for bit.
pub(crate) fn reduce(
    level: Level,
    f: Reduction,
    x: &[f32],
    length: usize,
    inner: usize,
    y: &mut [f32],
) {
    match level {
        Level::Plain => kernels::reduce(f, x, length, inner, y),
        _ => reduce_on_level(level, f, x, length, inner, y),
    }
}

/// Whether all of `x` are numbers.
#[inline(always)]
fn all_numbers(x: &[f32]) -> bool {
    let (x, rest) = x.as_chunks::<LANES>();
    let mut none = [true; LANES];
    for x in x {
        for i in 0..LANES {
            none[i] &= !x[i].is_nan();
        }
    }
    none.iter().all(|none| *none) && rest.iter().all(|x| !x.is_nan())
}

on_registers!(
    /// As [`reduced`].
    reduce_on_level(f: Reduction, x: &[f32], length: usize, inner: usize, y: &mut [f32]) = reduced
);

/// Compiled once for each set of instructions. Among numbers alone, a maximum is one instruction.
#[inline(always)]
fn reduced(f: Reduction, x: &[f32], length: usize, inner: usize, y: &mut [f32]) {
    match (length, inner) {
        (0, _) | (_, 0) => {}
        (_, 1) => reduced_rows(f, x, length, y),
        (_, ..=WIDE) => match f {
            Reduction::Sum => columns(x, length, inner, y, |a, b| a + b, |sum| sum),
            Reduction::Mean => {
                columns(x, length, inner, y, |a, b| a + b, |sum| sum / length as f32);
            }
            Reduction::Max if all_numbers(x) => columns(x, length, inner, y, larger, |top| top),
            Reduction::Max => columns(x, length, inner, y, greater, |top| top),
        },
        _ => kernels::reduce(f, x, length, inner, y),
    }
}

#[inline(always)]
fn reduced_rows(f: Reduction, x: &[f32], length: usize, y: &mut [f32]) {
    let (together, rest) = y.as_chunks_mut::<ROWS>();
    let (x, x_rest) = x.split_at(together.len() * ROWS * length);
    for (x, y) in x.chunks_exact(ROWS * length).zip(together) {
        match f {
            Reduction::Sum => *y = fold(x, length, |a, b| a + b),
            Reduction::Mean => {
                *y = fold(x, length, |a, b| a + b);
                for sum in y {
                    *sum /= length as f32;
                }
            }
            Reduction::Max if all_numbers(x) => *y = fold(x, length, larger),
            Reduction::Max => *y = fold(x, length, greater),
        }
    }
    kernels::reduce(f, x_rest, length, 1, rest);
}

/// The columns of each block of `length` rows of `inner`, [`LANES`] of them at a time, the last ones with some of those
/// before them; where there are fewer, with some of the next row.
#[inline(always)]
fn columns(
    x: &[f32],
    length: usize,
    inner: usize,
    y: &mut [f32],
    f: impl Fn(f32, f32) -> f32,
    last: impl Fn(f32) -> f32,
) {
    if inner == LANES {
        let blocks = x.as_chunks::<LANES>().0.chunks_exact(length);
        for (block, y) in blocks.zip(y.as_chunks_mut::<LANES>().0) {
            *y = column(block.iter(), &f, &last);
        }
        return;
    }
    if inner < LANES {
        return few_columns(x, length, inner, y, f, last);
    }
    let broad = inner / BROAD * BROAD;
    for (x, y) in x.chunks_exact(length * inner).zip(y.chunks_exact_mut(inner)) {
        for start in (0..broad).step_by(BROAD) {
            strip::<BROAD>(x, inner, start, y, &f, &last);
        }
        for start in (broad..inner).step_by(LANES) {
            strip::<LANES>(x, inner, start.min(inner - LANES), y, &f, &last);
        }
    }
}

/// `N` columns of all rows of a block, from `start` on.
#[inline(always)]
fn strip<const N: usize>(
    x: &[f32],
    inner: usize,
    start: usize,
    y: &mut [f32],
    f: impl Fn(f32, f32) -> f32,
    last: impl Fn(f32) -> f32,
) {
    let mut folded = [0.0; N];
    folded.copy_from_slice(&x[start..][..N]);
    // By place: an iterator of such rows takes longer than to fold them.
    for from in (start + inner..x.len()).step_by(inner) {
        let row = &x[from..][..N];
        for i in 0..N {
            folded[i] = f(folded[i], row[i]);
        }
    }
    let y = &mut y[start..][..N];
    for i in 0..N {
        y[i] = last(folded[i]);
    }
}

/// The columns of each block where a row fills no register: what is folded with them of the next row is written over
/// when the turn of the next block comes.
#[inline(always)]
fn few_columns(
    x: &[f32],
    length: usize,
    inner: usize,
    y: &mut [f32],
    f: impl Fn(f32, f32) -> f32,
    last: impl Fn(f32) -> f32,
) {
    let block = length * inner;
    // Blocks whose last row has a register behind its beginning, here and there.
    let room = |n: usize, row: usize| n.checked_sub(LANES).map_or(0, |n| n / row + 1);
    let whole = room(x.len().saturating_sub(block - inner), block).min(room(y.len(), inner));
    for i in 0..whole {
        let (x, y) = (&x[i * block..], &mut y[i * inner..][..LANES]);
        let mut folded = [0.0; LANES];
        folded.copy_from_slice(&x[..LANES]);
        for row in 1..length {
            let row = &x[row * inner..][..LANES];
            for lane in 0..LANES {
                folded[lane] = f(folded[lane], row[lane]);
            }
        }
        for lane in 0..LANES {
            y[lane] = last(folded[lane]);
        }
    }
    let rest = x[whole * block..].chunks_exact(block);
    for (x, y) in rest.zip(y[whole * inner..].chunks_exact_mut(inner)) {
        for (lane, y) in y.iter_mut().enumerate() {
            let mut folded = x[lane];
            for row in 1..length {
                folded = f(folded, x[row * inner + lane]);
            }
            *y = last(folded);
        }
    }
}

/// [`LANES`] columns of some rows, zero of none.
#[inline(always)]
fn column<'x>(
    mut rows: impl Iterator<Item = &'x [f32; LANES]>,
    f: impl Fn(f32, f32) -> f32,
    last: impl Fn(f32) -> f32,
) -> [f32; LANES] {
    let mut folded = rows.next().copied().unwrap_or_default();
    for row in rows {
        for i in 0..LANES {
            folded[i] = f(folded[i], row[i]);
        }
    }
    for i in 0..LANES {
        folded[i] = last(folded[i]);
    }
    folded
}

/// As [`kernels::cumulative_sum`] from the first number on, bit for bit.
pub(crate) fn cumulative_sum(level: Level, x: &[f32], length: usize, inner: usize, y: &mut [f32]) {
    match level {
        Level::Plain => kernels::cumulative_sum(x, length, inner, false, y),
        _ => cumulative_sum_on_level(level, x, length, inner, y),
    }
}

on_registers!(
    /// As [`summed_up`].
    cumulative_sum_on_level(x: &[f32], length: usize, inner: usize, y: &mut [f32]) = summed_up
);

/// Compiled once for each set of instructions.
#[inline(always)]
fn summed_up(x: &[f32], length: usize, inner: usize, y: &mut [f32]) {
    match (length, inner) {
        (0, _) | (_, 0) => {}
        (_, 1) => {
            let whole = y.len() / (ROWS * length) * (ROWS * length);
            let ((x, x_rest), (y, y_rest)) = (x.split_at(whole), y.split_at_mut(whole));
            let blocks = x.chunks_exact(ROWS * length).zip(y.chunks_exact_mut(ROWS * length));
            for (x, y) in blocks {
                summed_up_rows(x, length, y);
            }
            kernels::cumulative_sum(x_rest, length, 1, false, y_rest);
        }
        _ => {
            for (x, y) in x.chunks_exact(length * inner).zip(y.chunks_exact_mut(length * inner)) {
                y[..inner].copy_from_slice(&x[..inner]);
                for (i, x) in x.chunks_exact(inner).enumerate().skip(1) {
                    let (before, y) = y.split_at_mut(i * inner);
                    let before = &before[(i - 1) * inner..];
                    for ((y, before), x) in y.iter_mut().zip(before).zip(x) {
                        *y = before + x;
                    }
                }
            }
        }
    }
}

/// [`ROWS`] rows side by side.
#[inline(always)]
fn summed_up_rows(x: &[f32], length: usize, y: &mut [f32]) {
    let x = rows_of(x, length);
    let mut rows = y.chunks_exact_mut(length);
    let mut y: [&mut [f32]; ROWS] = Default::default();
    let mut sums = [0.0; ROWS];
    for r in 0..ROWS {
        y[r] = rows.next().expect("as many rows");
        sums[r] = x[r][0];
        y[r][0] = sums[r];
    }
    for i in 1..length {
        for r in 0..ROWS {
            sums[r] += x[r][i];
            y[r][i] = sums[r];
        }
    }
}

/// [`ROWS`] rows of `length`.
#[inline(always)]
fn rows_of(x: &[f32], length: usize) -> [&[f32]; ROWS] {
    let mut rows: [&[f32]; ROWS] = [&[]; ROWS];
    for r in 0..ROWS {
        rows[r] = &x[r * length..][..length];
    }
    rows
}

/// Each of [`ROWS`] rows of `length`, in order.
#[inline(always)]
fn fold(x: &[f32], length: usize, f: impl Fn(f32, f32) -> f32) -> [f32; ROWS] {
    let rows = rows_of(x, length);
    let mut folded = [0.0; ROWS];
    for r in 0..ROWS {
        folded[r] = rows[r][0];
    }
    for i in 1..length {
        for r in 0..ROWS {
            folded[r] = f(folded[r], rows[r][i]);
        }
    }
    folded
}

/// The larger of both. What is not a number counts as less, and makes the whole row so later.
#[inline(always)]
pub(super) fn larger(a: f32, b: f32) -> f32 {
    if a < b { b } else { a }
}

/// A fold in any order: of halves, quarters and so on. `N` is a power of two.
#[inline(always)]
pub(super) fn halved<const N: usize>(mut x: [f32; N], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = N / 2;
    while half > 0 {
        for i in 0..half {
            x[i] = f(x[i], x[i + half]);
        }
        half /= 2;
    }
    x[0]
}

/// A fold in any order, beginning with `first` in every lane.
#[inline(always)]
pub(super) fn fold_lanes(x: &[f32], first: f32, f: impl Fn(f32, f32) -> f32) -> f32 {
    let (x, rest) = x.as_chunks::<LANES>();
    let mut lanes = [first; LANES];
    for x in x {
        for i in 0..LANES {
            lanes[i] = f(lanes[i], x[i]);
        }
    }
    rest.iter().fold(halved(kernels::whole(lanes), &f), |folded, x| f(folded, *x))
}
