//! Functions of one number, sixteen at a time: the formulas of [`unary`](crate::fast::unary) with instructions
//! that take powers of two apart and put them together.

#![allow(
    unsafe_code,
    reason = "vectors are read from and written to slices whose length was checked"
)]

use core::arch::x86_64::{
    __m512, _CMP_EQ_OQ, _CMP_LT_OQ, _CMP_NLT_UQ, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT,
    _mm256_storeu_ps, _mm512_abs_ps, _mm512_add_ps, _mm512_and_ps, _mm512_castps512_ps256,
    _mm512_cmp_ps_mask, _mm512_div_ps, _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_getexp_ps,
    _mm512_loadu_ps, _mm512_mask_blend_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps,
    _mm512_maskz_scalef_ps, _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps, _mm512_or_ps,
    _mm512_roundscale_ps, _mm512_scalef_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    _mm512_sub_ps,
};

use mote_format::program::Unary;

use crate::fast::unary::{EXP, EXP_LEAST, GELU, LN2, LOG, TANH, TANH_NEAR};

const LANES: usize = 16;

/// `y[i] = f(x[i])`, in place where `x` is none. Returns whether `f` is one of these functions.
///
/// # Safety
///
/// The machine has AVX-512 F and DQ.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
pub(in crate::fast) unsafe fn functions(f: Unary, x: Option<&[f32]>, y: &mut [f32]) -> bool {
    match f {
        Unary::Exp => each(x, y, |x| exp(x)),
        Unary::Tanh => each(x, y, |x| tanh(x)),
        Unary::Sigmoid => each(x, y, |x| sigmoid(x)),
        Unary::Silu => each(x, y, |x| _mm512_mul_ps(x, sigmoid(x))),
        Unary::Gelu => each(x, y, |x| gelu(x)),
        Unary::Softplus => each(x, y, |x| softplus(x)),
        Unary::Log => each(x, y, |x| log(x)),
        Unary::Sqrt | Unary::Relu | Unary::Square | Unary::Abs | Unary::Recip => return false,
    }
    true
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
fn each(x: Option<&[f32]>, y: &mut [f32], f: impl Fn(__m512) -> __m512) {
    let length = x.map_or(y.len(), |x| x.len().min(y.len()));
    let to = y.as_mut_ptr();
    let from = x.map_or(to.cast_const(), <[f32]>::as_ptr);
    let whole = length / LANES * LANES;
    // SAFETY: all lanes that are read and written are below the lengths of both.
    unsafe {
        for i in (0..whole).step_by(LANES) {
            _mm512_storeu_ps(to.add(i), f(_mm512_loadu_ps(from.add(i))));
        }
        let (from, to, rest) = (from.add(whole), to.add(whole), length - whole);
        let mask = (1 << rest) - 1;
        match rest {
            0 => {}
            // A whole register can be read again before it is in the cache.
            8 => {
                let y = f(_mm512_maskz_loadu_ps(mask, from));
                _mm256_storeu_ps(to, _mm512_castps512_ps256(y));
            }
            _ => _mm512_mask_storeu_ps(to, mask, f(_mm512_maskz_loadu_ps(mask, from))),
        }
    }
}

/// `first · xⁿ + … + last`
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
fn series<const N: usize>(x: __m512, terms: [f32; N]) -> __m512 {
    let mut sum = _mm512_set1_ps(terms[0]);
    for term in &terms[1..] {
        sum = _mm512_fmadd_ps(sum, x, _mm512_set1_ps(*term));
    }
    sum
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
fn exp(x: __m512) -> __m512 {
    const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    // What is not less than the least, a NaN too, which stays: of two numbers the second one is taken then.
    let normal = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(x, _mm512_set1_ps(EXP_LEAST));
    let held = _mm512_min_ps(_mm512_set1_ps(89.0), x);
    let shifted = _mm512_mul_ps(held, _mm512_set1_ps(core::f32::consts::LOG2_E));
    let n = _mm512_roundscale_ps::<NEAREST>(shifted);
    let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN2[0]), held);
    let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN2[1]), r);
    _mm512_maskz_scalef_ps(normal, series(r, EXP), n)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
fn sigmoid(x: __m512) -> __m512 {
    let one = _mm512_set1_ps(1.0);
    let opposite = _mm512_sub_ps(_mm512_setzero_ps(), x);
    _mm512_div_ps(one, _mm512_add_ps(one, exp(opposite)))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
fn tanh(x: __m512) -> __m512 {
    let (one, two) = (_mm512_set1_ps(1.0), _mm512_set1_ps(2.0));
    let (size, square) = (_mm512_abs_ps(x), _mm512_mul_ps(x, x));
    let near = _mm512_fmadd_ps(_mm512_mul_ps(x, square), series(square, TANH), x);
    let grown = _mm512_add_ps(exp(_mm512_add_ps(size, size)), one);
    let far = _mm512_sub_ps(one, _mm512_div_ps(two, grown));
    // A NaN goes the second way, and stays; a zero keeps its sign.
    let is_near = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(size, _mm512_set1_ps(TANH_NEAR));
    let sign = _mm512_and_ps(x, _mm512_set1_ps(-0.0));
    _mm512_or_ps(_mm512_mask_blend_ps(is_near, far, _mm512_abs_ps(near)), sign)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
fn gelu(x: __m512) -> __m512 {
    let one = _mm512_set1_ps(1.0);
    let t = _mm512_fmadd_ps(_mm512_set1_ps(0.35), _mm512_abs_ps(x), one);
    let t = _mm512_div_ps(one, t);
    let square = _mm512_mul_ps(_mm512_mul_ps(_mm512_set1_ps(-0.5), x), x);
    let tail = _mm512_mul_ps(exp(square), _mm512_mul_ps(series(t, GELU), t));
    // A NaN goes the second way, and stays.
    let below = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(x, _mm512_setzero_ps());
    _mm512_mul_ps(x, _mm512_mask_blend_ps(below, _mm512_sub_ps(one, tail), tail))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
fn log(x: __m512) -> __m512 {
    let zero = _mm512_setzero_ps();
    // The power of two of what is no less than the root of a half and less than that of two.
    let half = _mm512_getexp_ps(_mm512_mul_ps(x, _mm512_set1_ps(core::f32::consts::FRAC_1_SQRT_2)));
    let n = _mm512_add_ps(half, _mm512_set1_ps(1.0));
    let m = _mm512_scalef_ps(x, _mm512_sub_ps(zero, n));
    let m = _mm512_sub_ps(m, _mm512_set1_ps(1.0));
    let square = _mm512_mul_ps(m, m);
    let tail = _mm512_mul_ps(n, _mm512_set1_ps(LN2[1]));
    let tail = _mm512_fmadd_ps(_mm512_mul_ps(m, square), series(m, LOG), tail);
    let tail = _mm512_fnmadd_ps(_mm512_set1_ps(0.5), square, tail);
    let y = _mm512_fmadd_ps(n, _mm512_set1_ps(LN2[0]), _mm512_add_ps(m, tail));
    // Infinity, zeros, what has no logarithm, and NaN.
    let infinity = _mm512_set1_ps(f32::INFINITY);
    let finite = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(x, infinity);
    let y = _mm512_mask_blend_ps(finite, x, y);
    let nothing = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(x, zero);
    let y = _mm512_mask_blend_ps(nothing, y, _mm512_sub_ps(zero, infinity));
    let below = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(x, zero);
    _mm512_mask_blend_ps(below, y, _mm512_set1_ps(f32::NAN))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
fn softplus(x: __m512) -> __m512 {
    let (zero, one) = (_mm512_setzero_ps(), _mm512_set1_ps(1.0));
    let u = exp(_mm512_or_ps(x, _mm512_set1_ps(-0.0)));
    let whole = _mm512_add_ps(one, u);
    // What rounding took from the sum is a factor of its logarithm, which is about `u`.
    let lost = _mm512_div_ps(u, _mm512_sub_ps(whole, one));
    let tiny = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(whole, one);
    let tail = _mm512_mask_blend_ps(tiny, _mm512_mul_ps(log(whole), lost), u);
    // Of two numbers the second is taken where one is NaN, which so stays.
    _mm512_add_ps(_mm512_max_ps(zero, x), tail)
}
