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

/// The same where `b` begins again and again, a whole number of times.
#[inline(always)]
fn again(a: &[f32], b: &[f32], y: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    match b.len() {
        n if n == y.len() => both(a, b, y, f),
        1 => {
            for (y, a) in y.iter_mut().zip(a) {
                *y = f(*a, b[0]);
            }
        }
        8 => rows::<1>(a, b, y, f),
        16 => rows::<2>(a, b, y, f),
        24 => rows::<3>(a, b, y, f),
        32 => rows::<4>(a, b, y, f),
        48 => rows::<6>(a, b, y, f),
        ..LONG if y.len() >= 2 * LONG => short_rows(a, b, y, f),
        n => {
            for (a, y) in a.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
                both(a, b, y, &f);
            }
        }
    }
}

/// Rows of `N` registers: one after the other, `b` stays in it while all rows meet it. In a loop over whole rows the
/// compiler would fill registers across rows, number by number.
#[inline(always)]
fn rows<const N: usize>(a: &[f32], b: &[f32], y: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    let (a, y) = (a.as_chunks::<LANES>().0, y.as_chunks_mut::<LANES>().0);
    for (k, b) in b.as_chunks::<LANES>().0.iter().enumerate() {
        let (a, y) = (a.iter().skip(k).step_by(N), y.iter_mut().skip(k).step_by(N));
        for (y, a) in y.zip(a) {
            for i in 0..LANES {
                y[i] = f(a[i], b[i]);
            }
        }
    }
}

/// A row that is no shorter is worth a loop of its own.
const LONG: usize = 32;

/// Rows that fill no registers: these are filled across their ends.
#[inline(always)]
fn short_rows(a: &[f32], b: &[f32], y: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    // So long that a register can be read from any place of the row on.
    let mut on = [0.0; LONG + LANES];
    on.iter_mut().zip(b.iter().cycle()).for_each(|(on, b)| *on = *b);
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (y, y_rest) = y.as_chunks_mut::<LANES>();
    let (step, mut at) = (LANES % b.len(), 0);
    for (y, a) in y.iter_mut().zip(a) {
        let on = &on[at..at + LANES];
        for i in 0..LANES {
            y[i] = f(a[i], on[i]);
        }
        at += step;
        at -= if at >= b.len() { b.len() } else { 0 };
    }
    let rest = a_rest.iter().zip(&on[at..]);
    y_rest.iter_mut().zip(rest).for_each(|(y, (a, b))| *y = f(*a, *b));
}

/// The same for each block of `y`, with a row of `b`.
#[inline(always)]
fn in_blocks(
    a: &[f32],
    b: &[f32],
    [row, block]: [usize; 2],
    y: &mut [f32],
    f: impl Fn(f32, f32) -> f32,
) {
    match (row, block) {
        (1, 4) => return spread::<4>(a, b, y, f),
        (1, 8) => return spread::<8>(a, b, y, f),
        (1, 2..LANES) => return spilled(a, b, block, y, f),
        (2..LANES, ..LONG_BLOCK) => return spilled_rows(a, b, [row, block], y, f),
        _ => {}
    }
    let pairs = a.chunks_exact(block).zip(b.chunks_exact(row));
    for ((a, b), y) in pairs.zip(y.chunks_exact_mut(block)) {
        again(a, b, y, &f);
    }
}

/// A block that is no shorter can fill registers across the ends of its rows.
const LONG_BLOCK: usize = 2 * LONG;

/// The same where blocks are single rows that fill no register: each is worked on with some of the next, whose turn
/// comes after it.
#[inline(always)]
fn spilled(a: &[f32], b: &[f32], n: usize, y: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    let whole = y.len().checked_sub(LANES).map_or(0, |room| room / n + 1).min(b.len());
    let mut at = 0;
    for b in &b[..whole] {
        let (Some(a), Some(y)) = (a.get(at..at + LANES), y.get_mut(at..at + LANES)) else { break };
        for i in 0..LANES {
            y[i] = f(a[i], *b);
        }
        at += n;
    }
    let rest = a[at..].chunks_exact(n).zip(&b[whole..]);
    for ((a, b), y) in rest.zip(y[at..].chunks_exact_mut(n)) {
        for (y, a) in y.iter_mut().zip(a) {
            *y = f(*a, *b);
        }
    }
}

/// The same where blocks have several such rows.
#[inline(always)]
fn spilled_rows(
    a: &[f32],
    b: &[f32],
    [n, block]: [usize; 2],
    y: &mut [f32],
    f: impl Fn(f32, f32) -> f32,
) {
    let mut at = 0;
    for b in (0..b.len()).step_by(n).map_while(|from| b[from..].first_chunk::<LANES>()) {
        let end = (at + block).min((y.len() + 1).saturating_sub(LANES));
        while at < end {
            let (Some(a), Some(y)) = (a.get(at..at + LANES), y.get_mut(at..at + LANES)) else {
                break;
            };
            for i in 0..LANES {
                y[i] = f(a[i], b[i]);
            }
            at += n;
        }
        if at % block != 0 {
            break;
        }
    }
    for (a, y) in a[at..].chunks_exact(n).zip(y[at..].chunks_exact_mut(n)) {
        let b = &b[at / block * n..];
        for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
            *y = f(*a, *b);
        }
        at += n;
    }
}

/// The same where each number of `b` meets `N` of `a`.
#[inline(always)]
fn spread<const N: usize>(a: &[f32], b: &[f32], y: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    for ((y, a), b) in y.as_chunks_mut::<N>().0.iter_mut().zip(a.as_chunks::<N>().0).zip(b) {
        for i in 0..N {
            y[i] = f(a[i], *b);
        }
    }
}

/// A function of two values, where each row of the second meets a block of as many rows of the first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocks {
    pub(crate) f: Binary,
    /// Numbers of a row.
    pub(crate) row: usize,
    /// Numbers of a block.
    pub(crate) block: usize,
    /// The function takes the second value first.
    pub(crate) turned: bool,
}

/// Does something with the function of two numbers that a name stands for.
macro_rules! on_function {
    ($name:expr, $f:ident => $work:expr) => {
        on_function!(
            $name, $f, $work,
            Add = |a: f32, b: f32| a + b,
            Sub = |a: f32, b: f32| a - b,
            Mul = |a: f32, b: f32| a * b,
            Div = |a: f32, b: f32| a / b,
            Max = |a: f32, b: f32| if a < b || b.is_nan() { b } else { a },
            Min = |a: f32, b: f32| if b < a || b.is_nan() { b } else { a }
        )
    };
    ($name:expr, $f:ident, $work:expr, $($kind:ident = $function:expr),*) => {
        match $name {
            $(Binary::$kind => { let $f = $function; $work })*
        }
    };
}

#[inline(always)]
fn binary_each(f: Binary, a: &[f32], b: &[f32], y: &mut [f32]) {
    on_function!(f, f => again(a, b, y, f));
}

#[inline(always)]
fn blocks_each(how: Blocks, a: &[f32], b: &[f32], y: &mut [f32]) {
    let sizes = [how.row, how.block];
    on_function!(how.f, f => match how.turned {
        true => in_blocks(a, b, sizes, y, |a, b| f(b, a)),
        false => in_blocks(a, b, sizes, y, f),
    });
}

#[inline(always)]
fn affine_each(scale: f32, offset: f32, x: &[f32], y: &mut [f32]) {
    each(x, y, |x| x * scale + offset);
}

#[inline(always)]
fn clamp_each(low: f32, high: f32, x: &[f32], y: &mut [f32]) {
    // As one loop: of eight selects side by side the compiler makes no vectors.
    x.iter().zip(y).for_each(|(x, y)| *y = x.clamp(low, high));
}

#[inline(always)]
fn quantize_each(x: &[f32], q: Quantization, y: &mut [i8]) {
    // As one loop, of which the compiler makes better vectors than of eight numbers side by side.
    x.iter().zip(y).for_each(|(x, y)| *y = q.quantize(*x));
}

#[inline(always)]
fn dequantize_each(x: &[i8], q: Quantization, y: &mut [f32]) {
    // Likewise.
    x.iter().zip(y).for_each(|(x, y)| *y = q.dequantize(*x));
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
    /// As [`kernels::binary`](crate::kernels::binary), where `b` is repeated in blocks.
    blocks(how: Blocks, a: &[f32], b: &[f32], y: &mut [f32]) = blocks_each
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
