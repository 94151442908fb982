//! Operations on elements in loops that fill vector registers, also where rows are short. Each result
//! is that of the plain kernel, bit for bit.

use mote_format::{Quantization, program::Binary};

use super::{Level, registers::on_registers};
use crate::kernels::quantized::Sum;

/// Numbers that are worked on together, so that short rows fill registers too.
const LANES: usize = 8;

/// `y[i] = f(x[i])`
#[inline(always)]
pub(super) fn each<X: Copy, Y>(x: &[X], y: &mut [Y], f: impl Fn(X) -> Y) {
    let (x, x_rest) = x.as_chunks::<LANES>();
    let (y, y_rest) = y.as_chunks_mut::<LANES>();
    for (y, x) in y.iter_mut().zip(x) {
        for i in 0..LANES {
            y[i] = f(x[i]);
        }
    }
    y_rest.iter_mut().zip(x_rest).for_each(|(y, &x)| *y = f(x));
}

/// `y[i] = f(a[i], b[i])`
#[inline(always)]
fn both<X: Copy, Y>(a: &[X], b: &[X], y: &mut [Y], f: impl Fn(X, X) -> Y) {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let (y, y_rest) = y.as_chunks_mut::<LANES>();
    for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
        for i in 0..LANES {
            y[i] = f(a[i], b[i]);
        }
    }
    for ((y, &a), &b) in y_rest.iter_mut().zip(a_rest).zip(b_rest) {
        *y = f(a, b);
    }
}

/// The same where `b` begins again and again.
#[inline(always)]
fn again(a: &[f32], b: &[f32], y: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    if b.len() == y.len() {
        return both(a, b, y, f);
    }
    for (a, y) in a.chunks_exact(b.len()).zip(y.chunks_exact_mut(b.len())) {
        both(a, b, y, &f);
    }
}

#[inline(always)]
fn binary_each(f: Binary, a: &[f32], b: &[f32], y: &mut [f32]) {
    match f {
        Binary::Add => again(a, b, y, |a, b| a + b),
        Binary::Sub => again(a, b, y, |a, b| a - b),
        Binary::Mul => again(a, b, y, |a, b| a * b),
        Binary::Div => again(a, b, y, |a, b| a / b),
        Binary::Max => again(a, b, y, |a, b| if a < b || b.is_nan() { b } else { a }),
        Binary::Min => again(a, b, y, |a, b| if b < a || b.is_nan() { b } else { a }),
    }
}

#[inline(always)]
fn affine_each(scale: f32, offset: f32, x: &[f32], y: &mut [f32]) {
    each(x, y, |x| x * scale + offset);
}

#[inline(always)]
fn clamp_each(low: f32, high: f32, x: &[f32], y: &mut [f32]) {
    each(x, y, |x| x.clamp(low, high));
}

#[inline(always)]
fn quantize_each(x: &[f32], q: Quantization, y: &mut [i8]) {
    each(x, y, |x| q.quantize(x));
}

#[inline(always)]
fn dequantize_each(x: &[i8], q: Quantization, y: &mut [f32]) {
    each(x, y, |x| q.dequantize(x));
}

#[inline(always)]
fn add_each(sum: &Sum, a: &[i8], b: &[i8], y: &mut [i8]) {
    match sum.narrow() {
        Some(narrow) => both(a, b, y, |a, b| narrow.of(a, b)),
        None => both(a, b, y, |a, b| sum.of(a, b)),
    }
}

on_registers!(
    /// As [`kernels::binary`](crate::kernels::binary), where `b` is as long as `a` or begins again and
    /// again.
    binary(f: Binary, a: &[f32], b: &[f32], y: &mut [f32]) = binary_each
);

on_registers!(
    /// As [`kernels::affine`](crate::kernels::affine).
    affine(scale: f32, offset: f32, x: &[f32], y: &mut [f32]) = affine_each
);

on_registers!(
    /// As [`kernels::clamp`](crate::kernels::clamp).
    clamp(low: f32, high: f32, x: &[f32], y: &mut [f32]) = clamp_each
);

on_registers!(
    /// As [`kernels::layer_norm`](crate::kernels::layer_norm): its sums run in lanes already.
    layer_norm(x: &[f32], gain: &[f32], bias: Option<&[f32]>, epsilon: f32, y: &mut [f32])
        = crate::kernels::layer_norm
);

on_registers!(
    /// As [`kernels::product`](crate::kernels::product).
    product(a: &[f32], b: &[f32], sizes: [usize; 3], turned: [bool; 2], y: &mut [f32])
        = crate::kernels::product
);

on_registers!(
    /// As [`quantized::quantize`](crate::kernels::quantized::quantize).
    quantize(x: &[f32], q: Quantization, y: &mut [i8]) = quantize_each
);

on_registers!(
    /// As [`quantized::dequantize`](crate::kernels::quantized::dequantize).
    dequantize(x: &[i8], q: Quantization, y: &mut [f32]) = dequantize_each
);

on_registers!(
    /// As [`quantized::quantized_add`](crate::kernels::quantized::quantized_add).
    add(sum: &Sum, a: &[i8], b: &[i8], y: &mut [i8]) = add_each
);
