//! Layers of integers: exact sums of products, one rounding for each result.
//!
//! A layer is a matrix that meets one window of bytes after the other. The zero point of the window
//! is already part of the bias. In which order the weights lie, and with which instructions they
//! are multiplied, is the business of an [`Order`]; all of them give the same bits.

/// Outputs that are summed up before they are rounded; a multiple of four.
pub const TILE: usize = 64;

/// An order of weights, and the instructions that read them.
pub trait Order {
    /// Words that it needs beside the sums.
    const SCRATCH: usize;

    /// `sums[o] += Σ x[i] · w[o, i]` for the first `outputs` sums, modulo 2³², and what follows
    /// these weights. The sums up to the next multiple of four may be overwritten.
    fn accumulate<'w>(
        x: &[i8],
        weights: &'w [u8],
        outputs: usize,
        sums: &mut [i32],
        scratch: &mut [i32],
    ) -> &'w [u8];

    /// `y[o] = clamp(zero_point + ((sums[o] · multiplier[o] + 2³¹) >> 32))`
    fn requantize(sums: &[i32], multiplier: &[i32], range: Range, y: &mut [i8]) {
        for ((y, &sum), &multiplier) in y.iter_mut().zip(sums).zip(multiplier) {
            let product = i64::from(sum) * i64::from(multiplier) + (1 << 31);
            let q = (product >> 32) as i32 + range.zero_point;
            *y = q.max(range.low).min(range.high) as i8;
        }
    }
}

/// Which byte stands for zero, and the least and the largest one.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Range {
    /// The byte for zero.
    pub zero_point: i32,
    /// The least byte.
    pub low: i32,
    /// The largest byte.
    pub high: i32,
}

/// A matrix of integers.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// In the order that its reader wants.
    pub weights: &'a [u8],
    /// `(outputs,)`: what each sum begins with.
    pub bias: &'a [i32],
}

/// Sums for [`TILE`] outputs and what an order needs: the words of scratch of a layer.
#[must_use]
pub const fn scratch_words<O: Order>() -> usize {
    TILE + O::SCRATCH
}

/// The larger of both, for scratch that two orders share.
#[must_use]
pub const fn larger(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

/// One row of bytes: `y[o] = requantize(bias[o] + Σ x[i] · w[o, i])`.
pub fn to_bytes<O: Order>(
    x: &[i8],
    matrix: &Matrix<'_>,
    multiplier: &[i32],
    range: Range,
    scratch: &mut [i32],
    y: &mut [i8],
) {
    sum_tiles::<O>(x, matrix, scratch, |first, sums| {
        let end = first + sums.len();
        O::requantize(sums, &multiplier[first..end], range, &mut y[first..end]);
    });
}

/// One row of real numbers: `y[o] = (bias[o] + Σ x[i] · w[o, i]) · scale[o]`.
pub fn to_reals<O: Order>(
    x: &[i8],
    matrix: &Matrix<'_>,
    scale: &[f32],
    scratch: &mut [i32],
    y: &mut [f32],
) {
    sum_tiles::<O>(x, matrix, scratch, |first, sums| {
        let end = first + sums.len();
        for ((y, &sum), &scale) in y[first..end].iter_mut().zip(sums).zip(&scale[first..end]) {
            *y = sum as f32 * scale;
        }
    });
}

fn sum_tiles<O: Order>(
    x: &[i8],
    matrix: &Matrix<'_>,
    scratch: &mut [i32],
    mut finish: impl FnMut(usize, &[i32]),
) {
    let (sums, scratch) = scratch.split_at_mut(TILE);
    let (mut weights, mut first) = (matrix.weights, 0);
    for bias in matrix.bias.chunks(TILE) {
        sums[..bias.len()].copy_from_slice(bias);
        if !x.is_empty() {
            weights = O::accumulate(x, weights, bias.len(), sums, scratch);
        }
        finish(first, &sums[..bias.len()]);
        first += bias.len();
    }
}
