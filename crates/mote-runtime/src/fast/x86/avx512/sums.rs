//! What becomes of the sums of a product of integers: real numbers, or bytes again.

#![allow(
    clippy::needless_range_loop,
    reason = "sums are picked by counters of fixed length, so that they stay in registers"
)]
#![allow(unsafe_code, reason = "vector instructions that store what the caller vouches for")]

use core::arch::x86_64::{
    __m128i, __m512i, _mm_max_epi8, _mm_min_epi8, _mm_set1_epi8, _mm512_add_epi32,
    _mm512_add_epi64, _mm512_cvtepi32_ps, _mm512_cvtsepi32_epi8, _mm512_loadu_ps,
    _mm512_loadu_si512, _mm512_mask_blend_epi32, _mm512_mul_epi32, _mm512_mul_ps,
    _mm512_set1_epi32, _mm512_set1_epi64, _mm512_srli_epi64,
};

use super::{lanes, store_bytes, store_real};
use crate::fast::{
    panels::LANES,
    tile::{Integer, Store},
};

/// Stores the results of rows from `row` on and one panel.
///
/// # Safety
///
/// The rows and the panel exist, and the slices are as long as the job says.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn put<const M: usize>(
    sums: [__m512i; M],
    job: &Integer<'_>,
    row: usize,
    panel: usize,
    store: &mut Store<'_>,
) {
    let (first, mask) = (panel * LANES, lanes(job.outputs, panel));
    let at = row * job.y_stride + first;
    match store {
        Store::Real { y, scale } => {
            // SAFETY: the scales fill a panel, and the lanes of a row lie within it.
            unsafe {
                let scale = _mm512_loadu_ps(scale.as_ptr().add(first));
                let mut to = y.as_mut_ptr().add(at);
                for m in 0..M {
                    store_real(to, mask, _mm512_mul_ps(_mm512_cvtepi32_ps(sums[m]), scale));
                    to = to.wrapping_add(job.y_stride);
                }
            }
        }
        Store::Bytes { y, multiplier, zero_point, clamp } => {
            // SAFETY: the multipliers fill a panel, and the lanes of a row lie within it.
            unsafe {
                let multiplier = _mm512_loadu_si512(multiplier.as_ptr().add(first).cast());
                let steps = Steps::new(multiplier, *zero_point, *clamp);
                let mut to = y.as_mut_ptr().add(at);
                for m in 0..M {
                    store_bytes(to, mask, steps.of(sums[m]));
                    to = to.wrapping_add(job.y_stride);
                }
            }
        }
    }
}

/// What makes bytes of sums.
pub(super) struct Steps {
    /// Of even lanes and of odd ones, each in the lower half of its word.
    multipliers: [__m512i; 2],
    zero_point: __m512i,
    clamp: [__m128i; 2],
}

impl Steps {
    /// For sums of sixteen lanes.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    pub(super) fn new(multiplier: __m512i, zero_point: i8, [low, high]: [i8; 2]) -> Self {
        Self {
            multipliers: [multiplier, _mm512_srli_epi64::<32>(multiplier)],
            zero_point: _mm512_set1_epi32(zero_point.into()),
            clamp: [_mm_set1_epi8(low), _mm_set1_epi8(high)],
        }
    }

    /// As [`requantize`](crate::kernels::quantized::requantize), of each lane.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    pub(super) fn of(&self, sums: __m512i) -> __m128i {
        let half = _mm512_set1_epi64(1 << 31);
        let [even, odd] = self.multipliers;
        let even = _mm512_add_epi64(_mm512_mul_epi32(sums, even), half);
        let odd = _mm512_mul_epi32(_mm512_srli_epi64::<32>(sums), odd);
        let odd = _mm512_add_epi64(odd, half);
        // The upper halves of both, each in its lane.
        let steps = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64::<32>(even), odd);
        let bytes = _mm512_cvtsepi32_epi8(_mm512_add_epi32(steps, self.zero_point));
        let [low, high] = self.clamp;
        _mm_min_epi8(_mm_max_epi8(bytes, low), high)
    }
}

/// Sums of rows in registers, with what is added to each of them.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn biased<const M: usize>(sums: &[[i32; LANES]; M], bias: __m512i) -> [__m512i; M] {
    let mut all = [bias; M];
    for m in 0..M {
        // SAFETY: each row of sums fills a register.
        let sum = unsafe { _mm512_loadu_si512(sums[m].as_ptr().cast()) };
        all[m] = _mm512_add_epi32(sum, bias);
    }
    all
}
