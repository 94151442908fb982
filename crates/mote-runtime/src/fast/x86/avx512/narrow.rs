//! Products of integers with at most eight outputs: two rows share the registers that a row of a whole panel fills.

#![allow(
    clippy::needless_range_loop,
    reason = "sums are picked by counters of fixed length, so that they stay in registers"
)]
#![allow(
    unsafe_code,
    reason = "vector instructions and pointers into matrices whose size was checked"
)]

use core::arch::x86_64::{
    __m256, __m512, __m512i, _mm_storeu_si128, _mm_unpackhi_epi64, _mm256_castpd_ps,
    _mm256_mask_storeu_ps, _mm256_storeu_ps, _mm512_castps_pd, _mm512_castps512_ps256,
    _mm512_cvtepi32_ps, _mm512_extractf64x4_pd, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_mask_set1_epi32, _mm512_mul_ps, _mm512_set1_epi32, _mm512_shuffle_f32x4,
    _mm512_shuffle_i64x2,
};

use super::{
    by_rows,
    integer::{integer_tile, multiply, rest, unsigned},
    store_bytes,
    sums::Steps,
};
use crate::fast::{
    panels::{LANES, STEP_BYTES},
    tile::{Integer, ROWS, Store},
};

/// Outputs of a row in half a register.
const HALF: usize = LANES / 2;
/// The lanes of the second row.
const SECOND: u16 = 0xFF00;

/// Whether two rows fit into a register.
pub(super) fn suits(job: &Integer<'_>) -> bool {
    job.outputs <= HALF
}

/// All rows of a job.
///
/// # Safety
///
/// The machine has AVX-512 with VNNI, the slices are as long as the job says, and it [suits].
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn rows<const KIND: u8>(job: &Integer<'_>, store: &mut Store<'_>) {
    let pairs = job.rows / 2;
    // SAFETY: the rows exist, and the caller vouches for the rest.
    unsafe {
        for pair in (0..pairs).step_by(ROWS) {
            by_rows!(pairs - pair, tile::<KIND>, job, 2 * pair, store);
        }
        if job.rows % 2 == 1 {
            integer_tile::<1, 1, KIND>(job, job.rows - 1, 0, store);
        }
    }
}

/// `M` pairs of rows.
///
/// # Safety
///
/// As [`rows`], and the rows exist.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn tile<const M: usize, const KIND: u8>(
    job: &Integer<'_>,
    row: usize,
    store: &mut Store<'_>,
) {
    let whole = job.bytes / STEP_BYTES;
    // SAFETY: all offsets are of rows and steps that exist, below the lengths of the job; a whole step reads
    // STEP_BYTES bytes of a row, and what is left is read byte by byte.
    unsafe {
        let mut x = job.x.as_ptr().add(row * job.x_stride);
        let (first, stride) = job.panels().place(0);
        let mut w = job.w.as_ptr().add(first);
        let mut sums = [twice(_mm512_loadu_si512(job.bias.as_ptr().cast())); M];
        for _ in 0..job.taps {
            for i in 0..whole {
                let weights = twice(_mm512_loadu_si512(w.add(i * stride).cast()));
                for m in 0..M {
                    let step = |row: usize| {
                        let from = x.add(row * job.x_stride + i * STEP_BYTES);
                        from.cast::<i32>().read_unaligned()
                    };
                    let x = pair::<KIND>(step(2 * m), step(2 * m + 1));
                    sums[m] = multiply::<KIND>(sums[m], x, weights);
                }
            }
            x = x.wrapping_add(job.tap_stride);
            w = w.wrapping_add(whole * stride);
        }
        if !job.bytes.is_multiple_of(STEP_BYTES) {
            let weights = twice(_mm512_loadu_si512(w.cast()));
            for m in 0..M {
                let [a, b] = rest::<2>(job, row + 2 * m);
                sums[m] = multiply::<KIND>(sums[m], pair::<KIND>(a, b), weights);
            }
        }
        put(sums, job, row, store);
    }
}

/// The lower half, in both halves.
#[inline]
#[target_feature(enable = "avx512f")]
fn twice(x: __m512i) -> __m512i {
    _mm512_shuffle_i64x2::<0x44>(x, x)
}

/// Four bytes of a row in every lane of the first half, and of the next row in the second.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn pair<const KIND: u8>(a: i32, b: i32) -> __m512i {
    unsigned::<KIND>(_mm512_mask_set1_epi32(_mm512_set1_epi32(a), SECOND, b))
}

/// Stores the results of pairs of rows from `row` on.
///
/// # Safety
///
/// As [`tile`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn put<const M: usize>(
    sums: [__m512i; M],
    job: &Integer<'_>,
    row: usize,
    store: &mut Store<'_>,
) {
    let (stride, mask) = (job.y_stride, ((1u16 << job.outputs) - 1) as u8);
    match store {
        Store::Real { y, scale } => {
            // SAFETY: the scales fill a panel, and the lanes of a row lie within it.
            unsafe {
                let scale = _mm512_loadu_ps(scale.as_ptr());
                let scale = _mm512_shuffle_f32x4::<0x44>(scale, scale);
                let mut to = y.as_mut_ptr().add(row * stride);
                for m in 0..M {
                    let real = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[m]), scale);
                    store_half(to, mask, _mm512_castps512_ps256(real));
                    store_half(to.add(stride), mask, upper(real));
                    to = to.wrapping_add(2 * stride);
                }
            }
        }
        Store::Bytes { y, multiplier, zero_point, clamp } => {
            // SAFETY: the multipliers fill a panel, and the lanes of a row lie within it.
            unsafe {
                let multiplier = twice(_mm512_loadu_si512(multiplier.as_ptr().cast()));
                let steps = Steps::new(multiplier, *zero_point, *clamp);
                let mut to = y.as_mut_ptr().add(row * stride);
                for m in 0..M {
                    let bytes = steps.of(sums[m]);
                    if stride == HALF && job.outputs == HALF {
                        _mm_storeu_si128(to.cast(), bytes);
                    } else {
                        store_bytes(to, mask.into(), bytes);
                        let second = _mm_unpackhi_epi64(bytes, bytes);
                        store_bytes(to.add(stride), mask.into(), second);
                    }
                    to = to.wrapping_add(2 * stride);
                }
            }
        }
    }
}

/// The upper half.
#[inline]
#[target_feature(enable = "avx512f")]
fn upper(x: __m512) -> __m256 {
    _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(x)))
}

/// Stores the lanes of `mask`, the first ones.
///
/// # Safety
///
/// These lie behind `to`.
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
unsafe fn store_half(to: *mut f32, mask: u8, x: __m256) {
    // SAFETY: the caller vouches for the lanes.
    unsafe {
        match mask {
            u8::MAX => _mm256_storeu_ps(to, x),
            _ => _mm256_mask_storeu_ps(to, mask, x),
        }
    }
}
