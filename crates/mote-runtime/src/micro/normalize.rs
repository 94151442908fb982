//! Folds along an axis, and what is normalized by them.

use super::root::sqrt;

/// `y = f(f(x[0], x[1]), ..)` along an axis of `length` with `inner` numbers behind it.
pub fn fold(x: &[f32], length: usize, inner: usize, y: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    for (x, y) in x.chunks_exact(length * inner).zip(y.chunks_exact_mut(inner)) {
        let (first, rest) = x.split_at(inner);
        y.copy_from_slice(first);
        for x in rest.chunks_exact(inner) {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = f(*y, x);
            }
        }
    }
}

/// `y[i] = x[0] + .. + x[i]` along an axis of `length` with `inner` numbers behind it, or `x[i] + .. + x[length - 1]`.
pub fn cumulative_sum(x: &[f32], length: usize, inner: usize, reverse: bool, y: &mut [f32]) {
    let block = length * inner;
    for (x, y) in x.chunks_exact(block).zip(y.chunks_exact_mut(block)) {
        y.copy_from_slice(x);
        if reverse {
            for i in (0..block - inner).rev() {
                y[i] += y[i + inner];
            }
        } else {
            for i in inner..block {
                y[i] += y[i - inner];
            }
        }
    }
}

/// `y = e^x / Σ e^x` over rows of `n`.
pub fn softmax(x: &[f32], n: usize, y: &mut [f32]) {
    for (x, y) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
        let top = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for (y, &x) in y.iter_mut().zip(x) {
            *y = libm::expf(x - top);
            sum += *y;
        }
        for y in y {
            *y /= sum;
        }
    }
}

/// `y = (x - mean) / √(variance + epsilon) · gain + bias` over rows as long as `gain`.
pub fn layer_norm(x: &[f32], gain: &[f32], bias: &[f32], epsilon: f32, y: &mut [f32]) {
    let n = gain.len();
    for (x, y) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
        let mean = x.iter().sum::<f32>() / n as f32;
        let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / n as f32;
        let scale = 1.0 / sqrt(variance + epsilon);
        for (((y, &x), &gain), &bias) in y.iter_mut().zip(x).zip(gain).zip(bias) {
            *y = (x - mean) * scale * gain + bias;
        }
    }
}
