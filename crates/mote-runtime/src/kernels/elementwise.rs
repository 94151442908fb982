//! Functions of one or two numbers, applied to each element.

use mote_format::program::{Binary, Unary};

/// `y[i] = f(x[i])`. Transcendental functions come from `libm`, so that every machine agrees.
pub fn unary(f: Unary, x: &[f32], y: &mut [f32]) {
    y.copy_from_slice(x);
    unary_in_place(f, y);
}

/// `y[i] = f(y[i])`, as [`unary`].
pub fn unary_in_place(f: Unary, y: &mut [f32]) {
    let each = |y: &mut [f32], f: fn(f32) -> f32| y.iter_mut().for_each(|y| *y = f(*y));
    match f {
        Unary::Relu => each(y, |x| if x < 0.0 { 0.0 } else { x }),
        Unary::Silu => each(y, |x| x * sigmoid(x)),
        Unary::Gelu => {
            each(y, |x| 0.5 * x * (1.0 + libm::erff(x * core::f32::consts::FRAC_1_SQRT_2)));
        }
        Unary::Sigmoid => each(y, sigmoid),
        Unary::Tanh => each(y, libm::tanhf),
        Unary::Softplus => each(y, |x| x.max(0.0) + libm::log1pf(libm::expf(-x.abs()))),
        Unary::Exp => each(y, libm::expf),
        Unary::Log => each(y, libm::logf),
        Unary::Sqrt => each(y, super::sqrt),
        Unary::Square => each(y, |x| x * x),
        Unary::Abs => each(y, f32::abs),
        Unary::Recip => each(y, |x| 1.0 / x),
    }
}

/// `y[i] = g[i] · f'(x[i])`
pub fn slope(f: Unary, x: &[f32], g: &[f32], y: &mut [f32]) {
    let mut each = |slope: fn(f32) -> f32| {
        for ((y, &x), &g) in y.iter_mut().zip(x).zip(g) {
            *y = g * slope(x);
        }
    };
    match f {
        Unary::Relu => each(|x| if x > 0.0 { 1.0 } else { 0.0 }),
        Unary::Silu => each(|x| {
            let s = sigmoid(x);
            s + x * s * (1.0 - s)
        }),
        Unary::Gelu => each(|x| {
            let below = 0.5 * (1.0 + libm::erff(x * core::f32::consts::FRAC_1_SQRT_2));
            below + x * NORMAL_PEAK * libm::expf(-0.5 * x * x)
        }),
        Unary::Sigmoid => each(|x| {
            let s = sigmoid(x);
            s * (1.0 - s)
        }),
        Unary::Tanh => each(|x| {
            let y = libm::tanhf(x);
            1.0 - y * y
        }),
        Unary::Softplus => each(sigmoid),
        Unary::Exp => each(libm::expf),
        Unary::Log => each(|x| 1.0 / x),
        Unary::Sqrt => each(|x| 0.5 / super::sqrt(x)),
        Unary::Square => each(|x| 2.0 * x),
        Unary::Abs => each(|x| if x == 0.0 { 0.0 } else { x.signum() }),
        Unary::Recip => each(|x| -1.0 / (x * x)),
    }
}

/// `1 / √(2π)`: the density of the standard normal distribution at zero.
const NORMAL_PEAK: f32 = 0.398_942_3;

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-x))
}

/// `y[i] = x[i] · scale + offset`.
pub fn affine(scale: f32, offset: f32, x: &[f32], y: &mut [f32]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = x * scale + offset;
    }
}

/// `y[i] = min(max(x[i], low), high)`; a NaN stays.
pub fn clamp(low: f32, high: f32, x: &[f32], y: &mut [f32]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = x.clamp(low, high);
    }
}

/// `y = f(a, b)`, where axes of length one repeat and missing axes are added in front. A NaN in either
/// operand stays.
pub fn binary(f: Binary, a: (&[f32], &[usize]), b: (&[f32], &[usize]), y: (&mut [f32], &[usize])) {
    match f {
        Binary::Add => zip(a, b, y, |a, b| a + b),
        Binary::Sub => zip(a, b, y, |a, b| a - b),
        Binary::Mul => zip(a, b, y, |a, b| a * b),
        Binary::Div => zip(a, b, y, |a, b| a / b),
        Binary::Max => zip(a, b, y, |a, b| if a < b || b.is_nan() { b } else { a }),
        Binary::Min => zip(a, b, y, |a, b| if b < a || b.is_nan() { b } else { a }),
    }
}

const RANK: usize = mote_format::limits::RANK;

pub(super) fn zip(
    (a, a_shape): (&[f32], &[usize]),
    (b, b_shape): (&[f32], &[usize]),
    (y, shape): (&mut [f32], &[usize]),
    f: impl Fn(f32, f32) -> f32,
) {
    if a.len() == y.len() && b.len() == y.len() {
        for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
            *y = f(a, b);
        }
        return;
    }
    // One row against all rows, which biases and scales are.
    let width = shape.last().copied().unwrap_or(1).max(1);
    if a.len() == y.len() && b.len() == width && b_shape.last() == Some(&width) {
        for (y, a) in y.chunks_exact_mut(width).zip(a.chunks_exact(width)) {
            for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
                *y = f(a, b);
            }
        }
        return;
    }
    let (shape, a_step, b_step) = (padded(shape), steps(a_shape), steps(b_shape));
    let mut rows = y.chunks_exact_mut(shape[RANK - 1].max(1));
    for i in 0..shape[0] {
        for j in 0..shape[1] {
            for k in 0..shape[2] {
                let at = |s: &[usize; RANK]| i * s[0] + j * s[1] + k * s[2];
                let (mut ia, mut ib) = (at(&a_step), at(&b_step));
                let Some(row) = rows.next() else { return };
                for y in row {
                    *y = f(a[ia], b[ib]);
                    ia += a_step[RANK - 1];
                    ib += b_step[RANK - 1];
                }
            }
        }
    }
}

/// `shape` with ones in front.
fn padded(shape: &[usize]) -> [usize; RANK] {
    let mut padded = [1; RANK];
    padded[RANK - shape.len()..].copy_from_slice(shape);
    padded
}

/// How far apart two neighbours along each axis lie; zero where the axis repeats.
fn steps(shape: &[usize]) -> [usize; RANK] {
    let shape = padded(shape);
    let mut steps = [0; RANK];
    let mut step = 1;
    for axis in (0..RANK).rev() {
        if shape[axis] != 1 {
            steps[axis] = step;
        }
        step *= shape[axis];
    }
    steps
}
