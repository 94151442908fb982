//! Functions of one number on many elements at once.
//!
//! The exponential, the logarithm and their kin are polynomials without branches, so that the compiler can
//! keep them in vector registers. All keep a NaN, and are right at
//! infinities and at both zeros.

#![allow(
    unsafe_code,
    reason = "functions are called that need instructions which the level proves"
)]

use mote_format::program::Unary;

use super::{Level, elements, registers::on_registers};
use crate::kernels;

/// `ln 2` in two parts, the first with zeros at its end, so that whole numbers times it are exact.
pub(super) const LN2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// Taylor series of `e^r`, the highest power first.
pub(super) const EXP: [f32; 8] =
    [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
/// Where `e^x` is the least normal number, about.
pub(super) const EXP_LEAST: f32 = -87.3;
/// `(tanh(x) / x - 1) / x²` in `x²` below [`TANH_NEAR`] (coefficients of Moshier's Cephes library, 1989).
pub(super) const TANH: [f32; 5] =
    [-5.704_988_7e-3, 2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1];
pub(super) const TANH_NEAR: f32 = 0.625;
/// Of the tail of a normal distribution, see [`gelu`].
pub(super) const GELU: [f32; 9] = [
    -0.029_725_345,
    0.146_753_07,
    -0.261_353_1,
    0.165_452_69,
    -0.027_288_426,
    0.107_201_084,
    0.119_427_25,
    0.139_914_14,
    0.139_618_64,
];
/// `(ln(1 + m) - m + m²/2) / m³` in `m` (coefficients of Moshier's Cephes library, 1989).
pub(super) const LOG: [f32; 9] = [
    7.037_683_6e-2,
    -1.151_461e-1,
    1.167_699_9e-1,
    -1.242_014_1e-1,
    1.424_932_3e-1,
    -1.666_805_8e-1,
    2.000_071_5e-1,
    -2.499_999_4e-1,
    3.333_333e-1,
];

/// Does something with the function of one number that a name stands for.
macro_rules! on_function {
    ($name:expr, $f:ident => $work:expr) => {
        on_function!(
            $name, $f, $work,
            Exp = exp, Tanh = tanh, Sigmoid = sigmoid, Silu = |x: f32| x * sigmoid(x), Gelu = gelu,
            Softplus = softplus, Log = log, Sqrt = kernels::sqrt,
            Relu = |x: f32| if x < 0.0 { 0.0 } else { x },
            Square = |x: f32| x * x, Abs = f32::abs, Recip = |x: f32| 1.0 / x
        )
    };
    ($name:expr, $f:ident, $work:expr, $($kind:ident = $function:expr),*) => {
        match $name {
            $(Unary::$kind => { let $f = $function; $work })*
        }
    };
}

/// `y[i] = f(y[i])`
pub(crate) fn unary_in_place(level: Level, f: Unary, y: &mut [f32]) {
    match level {
        Level::Plain => kernels::unary_in_place(f, y),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves the instructions.
        Level::Avx512(_) if unsafe { super::x86::functions_avx512(f, None, y) } => {}
        _ => on_level(level, f, y),
    }
}

/// `y[i] = f(x[i])`
pub(crate) fn unary(level: Level, f: Unary, x: &[f32], y: &mut [f32]) {
    match level {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: likewise.
        Level::Avx512(_) if unsafe { super::x86::functions_avx512(f, Some(x), y) } => {}
        _ => copied_on_level(level, f, x, y),
    }
}

on_registers!(
    /// As [`vectorized`].
    on_level(f: Unary, y: &mut [f32]) = vectorized
);

on_registers!(
    /// As [`copied`].
    copied_on_level(f: Unary, x: &[f32], y: &mut [f32]) = copied
);

/// Compiled once for each set of instructions. Not a copy that is worked on in its place: of a rectifier the
/// compiler would make stores of some lanes, which take some processors long.
#[inline(always)]
fn copied(f: Unary, x: &[f32], y: &mut [f32]) {
    on_function!(f, f => elements::each(x, y, f));
}

/// Compiled once for each set of instructions.
#[inline(always)]
fn vectorized(f: Unary, y: &mut [f32]) {
    on_function!(f, f => each(y, f));
}

/// `y[i] = g[i] · f'(x[i])`
pub(crate) fn slope(level: Level, f: Unary, x: &[f32], g: &[f32], y: &mut [f32]) {
    match level {
        Level::Plain => kernels::slope(f, x, g, y),
        _ => slope_on_level(level, f, x, g, y),
    }
}

on_registers!(
    /// As [`vectorized_slope`].
    slope_on_level(f: Unary, x: &[f32], g: &[f32], y: &mut [f32]) = vectorized_slope
);

/// Compiled once for each set of instructions.
#[inline(always)]
fn vectorized_slope(f: Unary, x: &[f32], g: &[f32], y: &mut [f32]) {
    elements::each(x, y, |x| x);
    match f {
        Unary::Exp => each(y, exp),
        Unary::Tanh => each(y, |x| {
            let y = tanh(x);
            1.0 - y * y
        }),
        Unary::Sigmoid => each(y, |x| {
            let s = sigmoid(x);
            s * (1.0 - s)
        }),
        Unary::Silu => each(y, |x| {
            let s = sigmoid(x);
            s + x * s * (1.0 - s)
        }),
        Unary::Softplus => each(y, sigmoid),
        _ => return kernels::slope(f, x, g, y),
    }
    y.iter_mut().zip(g).for_each(|(y, g)| *y *= g);
}

/// `y[i] = f(y[i])`, eight at a time, so that short rows fill registers too.
#[inline(always)]
fn each(y: &mut [f32], f: impl Fn(f32) -> f32) {
    let (y, rest) = y.as_chunks_mut::<8>();
    for y in y {
        for y in y {
            *y = f(*y);
        }
    }
    rest.iter_mut().for_each(|y| *y = f(*y));
}

/// `y[i] = e^y[i]`, in the instructions of who calls it.
#[inline(always)]
pub(super) fn exponentials(y: &mut [f32]) {
    each(y, exp);
}

/// `e^x` as `2^n · e^r` with `|r| ≤ ½ ln 2`; `e^r` is its Taylor series, whose next term is below half
/// a rounding. What is less than about 1.2e-38 is zero.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Adding it rounds to a whole number, which the low bits then hold.
    const ROUND: f32 = 12_582_912.0;
    // Beyond these the result is infinite, or less than any normal number, which takes processors long.
    let held = x.clamp(EXP_LEAST, 89.0);
    let shifted = held * core::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (held - n * LN2[0]) - n * LN2[1];
    let series = series(r, EXP);
    // In two halves, because 2^n itself may be beyond the range of normal numbers.
    let n = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let half = n >> 1;
    let y = series * power_of_two(half) * power_of_two(n.wrapping_sub(half));
    // In this order a NaN stays.
    if x < EXP_LEAST { 0.0 } else { y }
}

/// `first · xⁿ + … + last`
#[inline(always)]
fn series<const N: usize>(x: f32, terms: [f32; N]) -> f32 {
    terms[1..].iter().fold(terms[0], |sum, term| sum * x + term)
}

/// `2^n` for `n` from -126 to 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `x · Φ(x)`, where the normal distribution's tail is `Φ(-|x|) = e^(-x²/2) · t · Σ c[i] tⁱ` with
/// `t = 1 / (1 + 0.35 |x|)`: smooth, and small terms only, so that nothing cancels. The coefficients go
/// through Chebyshev's nodes up to where the tail vanishes, and are off by 6e-8 of it.
#[inline(always)]
fn gelu(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.35 * x.abs());
    let tail = exp(-0.5 * x * x) * (series(t, GELU) * t);
    // A NaN goes the second way, and stays.
    x * if x < 0.0 { tail } else { 1.0 - tail }
}

/// Near zero a polynomial in `x²`, elsewhere
/// `1 - 2 / (e^2|x| + 1)` with the sign of `x`.
#[inline(always)]
fn tanh(x: f32) -> f32 {
    let size = x.abs();
    let square = x * x;
    let near = x + x * square * series(square, TANH);
    let far = 1.0 - 2.0 / (exp(2.0 * size) + 1.0);
    // A NaN goes the second way, and stays; a zero keeps its sign.
    select(size < TANH_NEAR, near, far).copysign(x)
}

/// The natural logarithm: `x = 2ⁿ · m` with `m` about one, and a polynomial in `m - 1`.
#[inline(always)]
fn log(x: f32) -> f32 {
    /// Half of the bits of the root of two: what is above it is halved.
    const ROOT: u32 = 0x3F35_04F3;
    // Numbers below the least normal one are made larger first.
    let small = x < f32::MIN_POSITIVE;
    let scaled = select(small, x * 8_388_608.0, x);
    let bits = scaled.to_bits().wrapping_sub(ROOT);
    let n = (bits as i32 >> 23) as f32 - select(small, 23.0, 0.0);
    let m = f32::from_bits((bits & 0x007F_FFFF).wrapping_add(ROOT)) - 1.0;
    let square = m * m;
    let tail = (m * square * series(m, LOG) + n * LN2[1]) - 0.5 * square;
    let y = (m + tail) + n * LN2[0];
    // Infinity, zeros, what has no logarithm, and NaN.
    let y = select(x < f32::INFINITY, y, x);
    let y = select(x == 0.0, f32::NEG_INFINITY, y);
    select(x < 0.0, f32::NAN, y)
}

/// `ln(1 + e^x)`, so that nothing is lost where either is small.
#[inline(always)]
fn softplus(x: f32) -> f32 {
    let u = exp(-x.abs());
    let whole = 1.0 + u;
    // What rounding took from the sum is a factor of its logarithm, which is about `u`.
    let lost = select(whole == 1.0, 1.0, u / (whole - 1.0));
    let tail = select(whole == 1.0, u, log(whole) * lost);
    // A NaN stays.
    select(x > 0.0, x, select(x.is_nan(), x, 0.0)) + tail
}

/// `a` where `condition` holds, else `b`, without a branch, which numbers without a pattern would lead astray.
#[inline(always)]
fn select(condition: bool, a: f32, b: f32) -> f32 {
    let mask = u32::from(condition).wrapping_neg();
    f32::from_bits((a.to_bits() & mask) | (b.to_bits() & !mask))
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// Units in the last place between two numbers of one sign.
    fn ulps(a: f32, b: f32) -> u32 {
        a.to_bits().abs_diff(b.to_bits())
    }

    fn numbers() -> Vec<f32> {
        let sweep = (0..40_000).map(|i| (i as f32 - 20_000.0) * 6e-3);
        let small = (0..60).flat_map(|i| [0.7f32.powi(i * 4), -(0.7f32.powi(i * 4))]);
        let ends = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, f32::MIN];
        sweep.chain(small).chain(ends).collect()
    }

    #[test]
    fn every_level_is_within_a_few_ulps_of_the_plain_kernel() {
        for f in [
            Unary::Exp,
            Unary::Tanh,
            Unary::Sigmoid,
            Unary::Silu,
            Unary::Sqrt,
            Unary::Relu,
            Unary::Log,
            Unary::Softplus,
        ] {
            let x = numbers();
            let mut wanted = x.clone();
            kernels::unary_in_place(f, &mut wanted);
            for level in Level::available() {
                let mut found = x.clone();
                unary_in_place(level, f, &mut found);
                for ((x, a), b) in x.iter().zip(&wanted).zip(&found) {
                    // Denormals are zero, and what is computed from them has fewer digits.
                    let near = ulps(*a, *b) <= 4 || (a.abs() < 1e-35 && (a - b).abs() < 1.3e-38);
                    let same = near || (a.is_nan() && b.is_nan());
                    assert!(same, "{} {f:?}({x}) is {b}, wanted {a}", level.name());
                }
            }
        }
    }

    /// The plain kernel subtracts numbers near one where `x` is below zero; this one has digits there.
    #[test]
    fn gelu_is_its_formula_at_every_level() {
        for level in Level::available().filter(|level| *level != Level::Plain) {
            let x = numbers();
            let mut found = x.clone();
            unary_in_place(level, Unary::Gelu, &mut found);
            for (&x, &found) in x.iter().zip(&found).filter(|(x, _)| x.is_finite()) {
                let x = f64::from(x);
                let wanted = 0.5 * x * libm::erfc(-x * core::f64::consts::FRAC_1_SQRT_2);
                // A rounding of the exponent is a relative error as large as the exponent.
                let tail = if x < 0.0 { x * x } else { 0.0 };
                let off = (f64::from(found) - wanted).abs();
                let near = f64::from(f32::EPSILON) * (4.0 + tail) * wanted.abs() + 1e-36;
                assert!(off <= near, "{} gelu({x}) is {found}, wanted {wanted}", level.name());
            }
        }
    }
}
