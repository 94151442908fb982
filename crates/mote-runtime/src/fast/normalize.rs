//! Rows that are normalized: by their mean and deviation, or so that they add up to one. Short ones stay in
//! registers, and exponentials run across the ends of rows.

#![allow(
    clippy::needless_range_loop,
    reason = "lanes are picked by counters of fixed length, so that they become vectors"
)]

use mote_format::program::Unary;

use super::{
    Level,
    registers::on_registers,
    rows::{fold_lanes, halved, larger},
    unary_in_place,
};
use crate::kernels;

/// Numbers that stay in the nearest memory while they are read several times.
const NEAR: usize = 1024;
/// Lanes of a sum.
const LANES: usize = 8;

/// As [`kernels::softmax`].
pub(crate) fn softmax(level: Level, x: &[f32], n: usize, y: &mut [f32]) {
    let n = n.max(1);
    if level == Level::Plain {
        return kernels::softmax(x, n, y);
    }
    let near = NEAR / n * n;
    let near = near.max(n);
    for (x, y) in x.chunks(near).zip(y.chunks_mut(near)) {
        lower(level, x, n, y);
        unary_in_place(level, Unary::Exp, y);
        share(level, n, y);
    }
}

on_registers!(
    /// As [`kernels::layer_norm`], bit for bit.
    layer_norm(x: &[f32], gain: &[f32], bias: Option<&[f32]>, epsilon: f32, y: &mut [f32])
        = normed
);

on_registers!(
    /// `y` is `x` less the greatest number of its row.
    lower(x: &[f32], n: usize, y: &mut [f32]) = lowered
);

on_registers!(
    /// Divides each row by its sum.
    share(n: usize, y: &mut [f32]) = shared
);

/// Normalizes one row.
macro_rules! norm {
    ($x:ident, $gain:ident, $bias:ident, $epsilon:ident, $y:ident) => {{
        let n = ($gain.len() * LANES) as f32;
        let mut sums = [0.0; LANES];
        for x in $x {
            for i in 0..LANES {
                sums[i] += x[i];
            }
        }
        let mean = kernels::sum_lanes(kernels::whole(sums)) / n;
        let mut squares = [0.0; LANES];
        for x in $x {
            for i in 0..LANES {
                squares[i] += (x[i] - mean) * (x[i] - mean);
            }
        }
        let variance = kernels::sum_lanes(kernels::whole(squares)) / n;
        let scale = 1.0 / kernels::sqrt(variance + $epsilon);
        for (((y, x), gain), bias) in $y.iter_mut().zip($x).zip($gain).zip($bias) {
            for i in 0..LANES {
                y[i] = (x[i] - mean) * scale * gain[i] + bias[i];
            }
        }
    }};
}

/// Sums run in lanes in the plain kernel too; here rows are whole registers, and where there are few of them they stay
/// there. (Six of them the compiler would fill number by number.)
#[inline(always)]
fn normed(x: &[f32], gain: &[f32], bias: Option<&[f32]>, epsilon: f32, y: &mut [f32]) {
    let (gains, rest) = gain.as_chunks();
    let (Some(bias), true) = (bias, rest.is_empty() && !gains.is_empty()) else {
        return kernels::layer_norm(x, gain, bias, epsilon, y);
    };
    let way = [gains, bias.as_chunks().0];
    match gains.len() {
        2 => normed_few::<2>(x, way, epsilon, y),
        3 => normed_few::<3>(x, way, epsilon, y),
        4 => normed_few::<4>(x, way, epsilon, y),
        8 => normed_few::<8>(x, way, epsilon, y),
        _ => normed_rows(x, way, epsilon, y),
    }
}

/// A gain and a bias for each number of a row, in registers.
type Way<'w> = [&'w [[f32; LANES]]; 2];

/// Rows of `N` registers. The compiler has to see arrays: of slices that are as long it makes a loop each.
#[inline(always)]
fn normed_few<const N: usize>(x: &[f32], way: Way<'_>, epsilon: f32, y: &mut [f32]) {
    let [Some(gain), Some(bias)] = way.map(|row| row.first_chunk::<N>()) else { return };
    let x = x.as_chunks::<LANES>().0.as_chunks::<N>().0;
    let y = y.as_chunks_mut::<LANES>().0.as_chunks_mut::<N>().0;
    for (x, y) in x.iter().zip(y) {
        norm!(x, gain, bias, epsilon, y);
    }
}

#[inline(always)]
fn normed_rows(x: &[f32], [gain, bias]: Way<'_>, epsilon: f32, y: &mut [f32]) {
    let x = x.as_chunks::<LANES>().0.chunks_exact(gain.len());
    let y = y.as_chunks_mut::<LANES>().0.chunks_exact_mut(gain.len());
    for (x, y) in x.zip(y) {
        norm!(x, gain, bias, epsilon, y);
    }
}

#[inline(always)]
fn lowered(x: &[f32], n: usize, y: &mut [f32]) {
    match n {
        4 => lowered_rows::<4>(x, y),
        8 => lowered_rows::<8>(x, y),
        _ => {
            for (x, y) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
                let top = fold_lanes(x, f32::NEG_INFINITY, larger);
                y.iter_mut().zip(x).for_each(|(y, x)| *y = x - top);
            }
        }
    }
}

#[inline(always)]
fn lowered_rows<const N: usize>(x: &[f32], y: &mut [f32]) {
    for (x, y) in x.as_chunks::<N>().0.iter().zip(y.as_chunks_mut::<N>().0) {
        let top = halved(*x, larger);
        for i in 0..N {
            y[i] = x[i] - top;
        }
    }
}

#[inline(always)]
fn shared(n: usize, y: &mut [f32]) {
    match n {
        4 => shared_rows::<4>(y),
        8 => shared_rows::<8>(y),
        _ => {
            for y in y.chunks_exact_mut(n) {
                let sum = fold_lanes(y, 0.0, |a, b| a + b);
                y.iter_mut().for_each(|y| *y /= sum);
            }
        }
    }
}

#[inline(always)]
fn shared_rows<const N: usize>(y: &mut [f32]) {
    for y in y.as_chunks_mut::<N>().0 {
        let sum = halved(*y, |a, b| a + b);
        for i in 0..N {
            y[i] /= sum;
        }
    }
}
