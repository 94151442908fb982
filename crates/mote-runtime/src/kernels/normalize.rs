//! Folds along an axis, and what is normalized by them.

use mote_format::program::Reduction;

use super::{LANES, sum_lanes, whole};

/// Folds an axis of `length` with `inner` elements behind it. A NaN stays.
pub fn reduce(f: Reduction, x: &[f32], length: usize, inner: usize, y: &mut [f32]) {
    if length * inner == 0 {
        return;
    }
    for (x, y) in x.chunks_exact(length * inner).zip(y.chunks_exact_mut(inner)) {
        let (first, rest) = x.split_at(inner);
        y.copy_from_slice(first);
        for x in rest.chunks_exact(inner) {
            for (y, &x) in y.iter_mut().zip(x) {
                match f {
                    Reduction::Sum | Reduction::Mean => *y += x,
                    Reduction::Max => *y = if *y < x || x.is_nan() { x } else { *y },
                }
            }
        }
        if f == Reduction::Mean {
            y.iter_mut().for_each(|y| *y /= length as f32);
        }
    }
}

/// `y[i] = x[0] + .. + x[i]` along an axis of `length` with `inner` numbers behind it, or `x[i] + .. + x[length - 1]`.
#[inline(always)]
pub fn cumulative_sum(x: &[f32], length: usize, inner: usize, reverse: bool, y: &mut [f32]) {
    let block = length * inner;
    if block == 0 {
        return;
    }
    for (x, y) in x.chunks_exact(block).zip(y.chunks_exact_mut(block)) {
        y.copy_from_slice(x);
        match reverse {
            false => (inner..block).for_each(|i| y[i] += y[i - inner]),
            true => (0..block - inner).rev().for_each(|i| y[i] += y[i + inner]),
        }
    }
}

/// `y = e^x / Σ e^x` over rows of `n`.
pub fn softmax(x: &[f32], n: usize, y: &mut [f32]) {
    for (x, y) in x.chunks_exact(n.max(1)).zip(y.chunks_exact_mut(n.max(1))) {
        let top = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for (y, &x) in y.iter_mut().zip(x) {
            *y = libm::expf(x - top);
            sum += *y;
        }
        y.iter_mut().for_each(|y| *y /= sum);
    }
}

/// `y = (x - mean) / √(variance + epsilon) · gain + bias` over rows as long as `gain`.
#[inline(always)]
pub fn layer_norm(x: &[f32], gain: &[f32], bias: Option<&[f32]>, epsilon: f32, y: &mut [f32]) {
    let n = gain.len().max(1);
    for (x, y) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
        let mean = sum(x, |x| x) / n as f32;
        let variance = sum(x, |x| (x - mean) * (x - mean)) / n as f32;
        let scale = 1.0 / super::sqrt(variance + epsilon);
        let normal = y.iter_mut().zip(x.iter().zip(gain));
        match bias {
            Some(bias) => normal
                .zip(bias)
                .for_each(|((y, (&x, &gain)), &bias)| *y = (x - mean) * scale * gain + bias),
            None => normal.for_each(|(y, (&x, &gain))| *y = (x - mean) * scale * gain),
        }
    }
}

/// `Σ f(x[i])`, in lanes as [`dot`](super::dot).
#[inline(always)]
fn sum(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (x, rest) = x.as_chunks::<LANES>();
    for x in x {
        for (lane, &x) in lanes.iter_mut().zip(x) {
            *lane += f(x);
        }
    }
    sum_lanes(whole(lanes)) + rest.iter().map(|&x| f(x)).sum::<f32>()
}
