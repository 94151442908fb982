//! Not a number, infinities and minus zero, through each kernel.

use mote_format::{
    container::f16,
    program::{Binary, Reduction, Unary},
};
use mote_runtime::{kernels, micro::half};

use crate::{
    draft::bits,
    elementwise::{BINARY, UNARY},
};

const NAN: f32 = f32::NAN;
const INF: f32 = f32::INFINITY;

/// Bits have to agree, but any NaN is as good as another.
#[track_caller]
fn check(found: &[f32], wanted: &[f32]) {
    let canonical =
        |v: &[f32]| bits(&v.iter().map(|x| if x.is_nan() { NAN } else { *x }).collect::<Vec<_>>());
    assert_eq!(canonical(found), canonical(wanted), "{found:?}, wanted {wanted:?}");
}

#[track_caller]
fn check_unary(f: Unary, x: f32, wanted: f32) {
    let mut y = [7.0];
    kernels::unary(f, &[x], &mut y);
    check(&y, &[wanted]);
}

#[track_caller]
fn check_binary(f: Binary, a: f32, b: f32, wanted: f32) {
    let mut y = [7.0];
    kernels::binary(f, (&[a], &[1]), (&[b], &[1]), (&mut y, &[1]));
    check(&y, &[wanted]);
}

#[test]
fn functions_of_infinities_are_their_limits() {
    for (f, low, high) in [
        (Unary::Relu, 0.0, INF),
        (Unary::Sigmoid, 0.0, 1.0),
        (Unary::Tanh, -1.0, 1.0),
        (Unary::Softplus, 0.0, INF),
        (Unary::Exp, 0.0, INF),
        (Unary::Log, NAN, INF),
        (Unary::Sqrt, NAN, INF),
        (Unary::Square, INF, INF),
        (Unary::Abs, INF, INF),
        (Unary::Recip, -0.0, 0.0),
        // `-∞ · 0` in the formula.
        (Unary::Silu, NAN, INF),
        (Unary::Gelu, NAN, INF),
    ] {
        check_unary(f, -INF, low);
        check_unary(f, INF, high);
    }
}

#[test]
fn functions_of_both_zeros_are_known() {
    for (f, minus, plus) in [
        (Unary::Relu, -0.0, 0.0),
        (Unary::Silu, -0.0, 0.0),
        (Unary::Gelu, -0.0, 0.0),
        (Unary::Sigmoid, 0.5, 0.5),
        (Unary::Tanh, -0.0, 0.0),
        (Unary::Softplus, std::f32::consts::LN_2, std::f32::consts::LN_2),
        (Unary::Exp, 1.0, 1.0),
        (Unary::Log, -INF, -INF),
        (Unary::Sqrt, -0.0, 0.0),
        (Unary::Square, 0.0, 0.0),
        (Unary::Abs, 0.0, 0.0),
        (Unary::Recip, -INF, INF),
    ] {
        check_unary(f, -0.0, minus);
        check_unary(f, 0.0, plus);
    }
}

#[test]
fn large_arguments_do_not_overflow_where_the_result_is_small() {
    check_unary(Unary::Sigmoid, -200.0, 0.0);
    check_unary(Unary::Sigmoid, 200.0, 1.0);
    check_unary(Unary::Softplus, 200.0, 200.0);
    check_unary(Unary::Softplus, -200.0, 0.0);
    check_unary(Unary::Silu, 200.0, 200.0);
    check_unary(Unary::Silu, -200.0, -0.0);
    check_unary(Unary::Gelu, 200.0, 200.0);
    check_unary(Unary::Gelu, -200.0, -0.0);
    check_unary(Unary::Log, -1.0, NAN);
    check_unary(Unary::Sqrt, -1.0, NAN);
    check_unary(Unary::Log, f32::from_bits(1), -103.278_93);
}

/// A model that has lost its mind must not look healthy.
#[test]
fn a_nan_stays_wherever_it_stands() {
    for f in UNARY {
        check_unary(f, NAN, NAN);
    }
    for f in BINARY {
        for (a, b) in [(NAN, 1.0), (1.0, NAN), (NAN, NAN), (NAN, INF), (-INF, NAN)] {
            check_binary(f, a, b, NAN);
        }
    }
    let mut y = [7.0; 3];
    kernels::affine(2.0, 1.0, &[NAN, 1.0, NAN], &mut y);
    check(&y, &[NAN, 3.0, NAN]);
    kernels::clamp(-1.0, 1.0, &[NAN, 5.0, -5.0], &mut y);
    check(&y, &[NAN, 1.0, -1.0]);
    kernels::softmax(&[1.0, NAN, 2.0], 3, &mut y);
    check(&y, &[NAN; 3]);
    kernels::layer_norm(&[1.0, NAN, 2.0], &[1.0; 3], None, 1e-5, &mut y);
    check(&y, &[NAN; 3]);
    for f in [Reduction::Sum, Reduction::Mean, Reduction::Max] {
        for at in 0..3 {
            let mut x = [1.0, 3.0, 2.0];
            x[at] = NAN;
            let mut y = [7.0];
            kernels::reduce(f, &x, 3, 1, &mut y);
            check(&y, &[NAN]);
        }
    }
    // Even against a weight of zero.
    kernels::linear(&[NAN, 1.0], &[0.0, 1.0, 1.0, 0.0, 1.0, 1.0], None, 2, &mut y);
    check(&y, &[NAN; 3]);
}

#[test]
fn arithmetic_on_infinities_is_that_of_the_processor() {
    for (f, a, b, wanted) in [
        (Binary::Add, INF, -INF, NAN),
        (Binary::Sub, INF, INF, NAN),
        (Binary::Mul, INF, 0.0, NAN),
        (Binary::Div, 1.0, -0.0, -INF),
        (Binary::Div, 0.0, 0.0, NAN),
        (Binary::Max, -INF, -1.0, -1.0),
        (Binary::Max, INF, 1.0, INF),
        (Binary::Min, INF, 1.0, 1.0),
        (Binary::Min, -INF, -1.0, -INF),
        (Binary::Add, -0.0, -0.0, -0.0),
        (Binary::Sub, 0.0, 0.0, 0.0),
    ] {
        check_binary(f, a, b, wanted);
    }
    let mut y = [7.0];
    kernels::reduce(Reduction::Max, &[-INF, -INF], 2, 1, &mut y);
    check(&y, &[-INF]);
    kernels::reduce(Reduction::Mean, &[INF, 1.0], 2, 1, &mut y);
    check(&y, &[INF]);
    let mut y = [7.0; 2];
    kernels::clamp(-INF, INF, &[-INF, INF], &mut y);
    check(&y, &[-INF, INF]);
    kernels::clamp(-1.0, 1.0, &[-0.0, 0.0], &mut y);
    check(&y, &[-0.0, 0.0]);
}

#[test]
fn softmax_shares_by_distance_from_the_largest() {
    let mut y = [7.0; 3];
    kernels::softmax(&[-INF, 0.0, 0.0], 3, &mut y);
    check(&y, &[0.0, 0.5, 0.5]);
    kernels::softmax(&[f32::MAX, f32::MAX, f32::MIN], 3, &mut y);
    check(&y, &[0.5, 0.5, 0.0]);
    kernels::softmax(&[1e38, -1e38, 0.0], 3, &mut y);
    check(&y, &[1.0, 0.0, 0.0]);
    // `∞ / ∞` and `0 / 0` in the formula.
    kernels::softmax(&[INF, 0.0, 0.0], 3, &mut y);
    check(&y, &[NAN; 3]);
    kernels::softmax(&[-INF; 3], 3, &mut y);
    check(&y, &[NAN; 3]);
}

/// The bit pattern of every finite number of half precision, those below the least normal one too.
#[test]
fn half_precision_widens_exactly() {
    for bits in 0..=u16::MAX {
        let wanted = f16::from_bits(bits);
        if wanted.is_finite() {
            assert_eq!(half::widen(bits).to_bits(), wanted.to_f32().to_bits(), "{bits:#x}");
        }
    }
}
