//! Exact sums of products of integers, and what becomes of them.

#![allow(
    clippy::needless_range_loop,
    reason = "sums are picked by counters of fixed length, so that they stay in registers"
)]
#![allow(
    unsafe_code,
    reason = "vector instructions and pointers into matrices whose size was checked"
)]

use core::arch::x86_64::{
    __m256i, _mm_loadu_si128, _mm_set1_epi32, _mm_storel_epi64, _mm_storeu_si128, _mm256_add_epi32,
    _mm256_add_epi64, _mm256_blend_epi32, _mm256_cvtepi8_epi16, _mm256_cvtepi32_ps,
    _mm256_hadd_epi32, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_max_epi32,
    _mm256_min_epi32, _mm256_mul_epi32, _mm256_mul_ps, _mm256_permute4x64_epi64, _mm256_set1_epi32,
    _mm256_set1_epi64x, _mm256_setzero_si256, _mm256_srli_epi64, _mm256_storeu_ps,
};

use super::{WIDTH, narrowed};
use crate::fast::{
    panels::{LANES, PANEL_BYTES, STEP_BYTES},
    tile::{Integer, Numbers, Store},
};

/// Rows of a tile of bytes: what more there are do not fit the registers.
const BYTE_ROWS: usize = 3;
/// Rows of a tile of words: twelve sums, two weights, one input and a product fill the registers.
const WORD_ROWS: usize = 6;

/// # Safety
///
/// The machine has AVX2, and the slices are as long as the job says.
#[target_feature(enable = "avx2,fma")]
pub(in crate::fast) unsafe fn integer(job: &Integer<'_>, store: &mut Store<'_>) {
    // SAFETY: every tile stays within the rows and panels; the caller vouches for the lengths.
    unsafe {
        for panel in 0..job.panels().count() {
            match job.outputs - panel * LANES {
                ..=WIDTH => rows::<1, 2>(job, panel, store),
                _ => rows::<2, 4>(job, panel, store),
            }
        }
    }
}

/// All rows, the first `R` registers of a panel, which hold `Q` quarters of a step.
///
/// # Safety
///
/// As [`integer`], and the panel exists.
#[target_feature(enable = "avx2,fma")]
unsafe fn rows<const R: usize, const Q: usize>(
    job: &Integer<'_>,
    panel: usize,
    store: &mut Store<'_>,
) {
    let most = if job.numbers == Numbers::Bytes { BYTE_ROWS } else { WORD_ROWS };
    let mut row = 0;
    for left in (1..=job.rows.div_ceil(most)).rev() {
        // Tiles of about the same height: a low one costs nearly as much as a high one.
        let rows = (job.rows - row).div_ceil(left);
        // SAFETY: the rows that are left are rows of the job.
        unsafe {
            match (job.numbers, rows) {
                (Numbers::Bytes, 1) => bytes_tile::<1, R, Q>(job, row, panel, store),
                (Numbers::Bytes, 2) => bytes_tile::<2, R, Q>(job, row, panel, store),
                (Numbers::Bytes, _) => bytes_tile::<BYTE_ROWS, R, Q>(job, row, panel, store),
                (Numbers::Words, 1) => words_tile::<1, R>(job, row, panel, store),
                (Numbers::Words, 2) => words_tile::<2, R>(job, row, panel, store),
                (Numbers::Words, 3) => words_tile::<3, R>(job, row, panel, store),
                (Numbers::Words, 4) => words_tile::<4, R>(job, row, panel, store),
                (Numbers::Words, 5) => words_tile::<5, R>(job, row, panel, store),
                (Numbers::Words, _) => words_tile::<WORD_ROWS, R>(job, row, panel, store),
            }
        }
        row += rows;
    }
}

/// `M` rows of bytes, the first `R` registers of a panel: each of the `Q` registers of sums holds two halves
/// of four outputs.
///
/// # Safety
///
/// As [`integer`], and the rows and the panel exist.
#[target_feature(enable = "avx2,fma")]
unsafe fn bytes_tile<const M: usize, const R: usize, const Q: usize>(
    job: &Integer<'_>,
    row: usize,
    panel: usize,
    store: &mut Store<'_>,
) {
    let mut sums = [[_mm256_setzero_si256(); Q]; M];
    let (whole, rest) = (job.bytes / STEP_BYTES, job.bytes % STEP_BYTES);
    // SAFETY: all offsets are of rows and panels that exist, below the lengths of the job.
    unsafe {
        let (first, stride) = job.panels().place(panel);
        let mut w = job.w.as_ptr().add(first);
        let mut x = job.x.as_ptr().add(row * job.x_stride);
        for _ in 0..job.taps {
            for i in 0..whole {
                let mut four = [0; M];
                for m in 0..M {
                    let at = x.add(m * job.x_stride + i * STEP_BYTES);
                    four[m] = at.cast::<i32>().read_unaligned();
                }
                bytes_step(&mut sums, four, &*w.cast());
                w = w.wrapping_add(stride);
            }
            if rest > 0 {
                // Zeros where the window ends.
                let mut last = [0; M];
                for m in 0..M {
                    let at = x.add(m * job.x_stride + whole * STEP_BYTES);
                    let mut bytes = [0; STEP_BYTES];
                    core::ptr::copy_nonoverlapping(at, bytes.as_mut_ptr(), rest);
                    last[m] = i32::from_le_bytes(bytes);
                }
                bytes_step(&mut sums, last, &*w.cast());
                w = w.wrapping_add(stride);
            }
            x = x.wrapping_add(job.tap_stride);
        }
        for (m, sums) in sums.iter().enumerate() {
            let mut whole = [_mm256_setzero_si256(); R];
            for r in 0..R {
                // Adds the halves; they come out as outputs 0 1 4 5 2 3 6 7.
                let halves = _mm256_hadd_epi32(sums[2 * r], sums[2 * r + 1]);
                whole[r] = _mm256_permute4x64_epi64::<0b11_01_10_00>(halves);
            }
            put(job, whole, row + m, panel, store);
        }
    }
}

/// Four bytes of each row times those of four outputs for each of `Q`, `w`.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn bytes_step<const M: usize, const Q: usize>(
    sums: &mut [[__m256i; Q]; M],
    x: [i32; M],
    w: &[u8; PANEL_BYTES],
) {
    let mut words = [_mm256_setzero_si256(); M];
    for m in 0..M {
        // The same four four times over.
        words[m] = _mm256_cvtepi8_epi16(_mm_set1_epi32(x[m]));
    }
    for q in 0..Q {
        // SAFETY: four times 16 bytes are 64, and there are no more.
        let w = unsafe { _mm_loadu_si128(w.as_ptr().add(16 * q).cast()) };
        let w = _mm256_cvtepi8_epi16(w);
        for m in 0..M {
            sums[m][q] = _mm256_add_epi32(sums[m][q], _mm256_madd_epi16(words[m], w));
        }
    }
}

/// `M` rows of words, the first `R` registers of a panel.
///
/// # Safety
///
/// As [`integer`], and the rows and the panel exist.
#[inline(never)]
#[target_feature(enable = "avx2,fma")]
unsafe fn words_tile<const M: usize, const R: usize>(
    job: &Integer<'_>,
    row: usize,
    panel: usize,
    store: &mut Store<'_>,
) {
    debug_assert!(job.bytes.is_multiple_of(STEP_BYTES), "whole steps");
    let mut sums = [[_mm256_setzero_si256(); R]; M];
    let steps = job.bytes / STEP_BYTES;
    // SAFETY: all offsets are of rows and panels that exist, below the lengths of the job.
    unsafe {
        let (first, stride) = job.panels().place(panel);
        let mut w = job.w.as_ptr().add(first);
        let mut x = job.x.as_ptr().add(row * job.x_stride);
        for _ in 0..job.taps {
            for i in 0..steps {
                let mut all = [_mm256_setzero_si256(); R];
                for r in 0..R {
                    all[r] = _mm256_loadu_si256(w.add(32 * r).cast());
                }
                for m in 0..M {
                    let two = x.add(m * job.x_stride + i * STEP_BYTES).cast::<i32>();
                    let x = _mm256_set1_epi32(two.read_unaligned());
                    for r in 0..R {
                        sums[m][r] = _mm256_add_epi32(sums[m][r], _mm256_madd_epi16(x, all[r]));
                    }
                }
                w = w.wrapping_add(stride);
            }
            x = x.wrapping_add(job.tap_stride);
        }
        for (m, sums) in sums.iter().enumerate() {
            put(job, *sums, row + m, panel, store);
        }
    }
}

/// Adds the bias and stores the results of one row, the first `R` registers of a panel.
///
/// # Safety
///
/// The panel has its bias and parameters.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn put<const R: usize>(
    job: &Integer<'_>,
    mut sums: [__m256i; R],
    row: usize,
    panel: usize,
    store: &mut Store<'_>,
) {
    let first = panel * LANES;
    let count = (job.outputs - first).min(R * WIDTH);
    let at = row * job.y_stride + first;
    // SAFETY: bias, scale and multiplier are as long as whole panels; results go into an array of a panel, or
    // into `y` where the registers are full.
    unsafe {
        for r in 0..R {
            let bias = job.bias.as_ptr().add(first + r * WIDTH);
            sums[r] = _mm256_add_epi32(sums[r], _mm256_loadu_si256(bias.cast()));
        }
        match store {
            Store::Real { y, scale } => {
                let y = &mut y[at..][..count];
                let mut whole = [0.0f32; LANES];
                let to = if count == R * WIDTH { y.as_mut_ptr() } else { whole.as_mut_ptr() };
                for r in 0..R {
                    let scale = _mm256_loadu_ps(scale.as_ptr().add(first + r * WIDTH));
                    let real = _mm256_mul_ps(_mm256_cvtepi32_ps(sums[r]), scale);
                    _mm256_storeu_ps(to.add(r * WIDTH), real);
                }
                if count < R * WIDTH {
                    y.copy_from_slice(&whole[..count]);
                }
            }
            Store::Bytes { y, multiplier, zero_point, clamp } => {
                let y = &mut y[at..][..count];
                let zero = _mm256_set1_epi32((*zero_point).into());
                let [low, high] = clamp.map(|bound| _mm256_set1_epi32(bound.into()));
                let mut steps = [zero; 2];
                for r in 0..R {
                    let multiplier = multiplier.as_ptr().add(first + r * WIDTH);
                    let scaled = scaled(sums[r], _mm256_loadu_si256(multiplier.cast()));
                    steps[r] = _mm256_max_epi32(_mm256_add_epi32(scaled, zero), low);
                    steps[r] = _mm256_min_epi32(steps[r], high);
                }
                let bytes = narrowed(steps[0], steps[1]);
                match count {
                    LANES => _mm_storeu_si128(y.as_mut_ptr().cast(), bytes),
                    WIDTH => _mm_storel_epi64(y.as_mut_ptr().cast(), bytes),
                    _ => {
                        let mut whole = [0i8; LANES];
                        _mm_storeu_si128(whole.as_mut_ptr().cast(), bytes);
                        y.copy_from_slice(&whole[..count]);
                    }
                }
            }
        }
    }
}

/// `(sum · multiplier + 2³¹) >> 32` in each lane.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn scaled(sum: __m256i, multiplier: __m256i) -> __m256i {
    let half = _mm256_set1_epi64x(1 << 31);
    let even = _mm256_add_epi64(_mm256_mul_epi32(sum, multiplier), half);
    // The upper lane of each pair, brought down.
    let (a, b) = (_mm256_srli_epi64::<32>(sum), _mm256_srli_epi64::<32>(multiplier));
    let odd = _mm256_add_epi64(_mm256_mul_epi32(a, b), half);
    _mm256_blend_epi32::<0b1010_1010>(_mm256_srli_epi64::<32>(even), odd)
}
