//! AVX2 with FMA: a panel is two registers; bytes are widened to words and multiplied in pairs.

#![allow(
    clippy::needless_range_loop,
    reason = "sums are picked by counters of fixed length, so that they stay in registers"
)]
#![allow(
    unsafe_code,
    reason = "vector instructions and pointers into matrices whose size was checked"
)]

use core::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_loadu_si128, _mm_packs_epi16, _mm_set1_epi32, _mm_storeu_si128,
    _mm256_add_epi32, _mm256_add_epi64, _mm256_add_ps, _mm256_blend_epi32, _mm256_castsi256_si128,
    _mm256_cvtepi8_epi16, _mm256_cvtepi32_ps, _mm256_extracti128_si256, _mm256_fmadd_ps,
    _mm256_hadd_epi32, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_max_epi32,
    _mm256_max_ps, _mm256_min_epi32, _mm256_mul_epi32, _mm256_mul_ps, _mm256_packs_epi32,
    _mm256_permute4x64_epi64, _mm256_set1_epi32, _mm256_set1_epi64x, _mm256_set1_ps,
    _mm256_setzero_ps, _mm256_setzero_si256, _mm256_srli_epi64, _mm256_storeu_ps,
};

use crate::fast::tile::{
    Integer, LANES, Numbers, PANEL_BYTES, Real, STEP_BYTES, Store, panel_place,
};

/// Numbers in a register.
const WIDTH: usize = 8;
/// Rows of a tile of real numbers: twelve sums, two weights and one input fill the registers.
const REAL_ROWS: usize = 6;

/// # Safety
///
/// The machine has AVX2 and FMA, and the slices are as long as the job says.
#[target_feature(enable = "avx2,fma")]
pub(in crate::fast) unsafe fn real(job: &Real<'_>, y: &mut [f32]) {
    let panels = job.outputs.div_ceil(LANES);
    // SAFETY: every tile stays within the rows and panels; the caller vouches for the lengths.
    unsafe {
        if job.rows == 1 {
            let mut panel = 0;
            while panel < panels {
                panel += match panels - panel {
                    4.. => real_row::<4, 1>(job, panel, y),
                    2.. => real_row::<2, 2>(job, panel, y),
                    _ => real_row::<1, 4>(job, panel, y),
                };
            }
            return;
        }
        for panel in 0..panels {
            match job.outputs - panel * LANES {
                ..=WIDTH => real_tiles::<1>(job, panel, y),
                _ => real_tiles::<2>(job, panel, y),
            }
        }
    }
}

/// All rows, the first `R` registers of a panel.
///
/// # Safety
///
/// As [`real`], and the panel exists.
#[target_feature(enable = "avx2,fma")]
unsafe fn real_tiles<const R: usize>(job: &Real<'_>, panel: usize, y: &mut [f32]) {
    let mut row = 0;
    for left in (1..=job.rows.div_ceil(REAL_ROWS)).rev() {
        // Tiles of about the same height: a low one costs nearly as much as a high one.
        let rows = (job.rows - row).div_ceil(left);
        // SAFETY: the rows that are left are rows of the job.
        unsafe {
            match rows {
                1 => real_tile::<1, R>(job, row, panel, y),
                2 => real_tile::<2, R>(job, row, panel, y),
                3 => real_tile::<3, R>(job, row, panel, y),
                4 => real_tile::<4, R>(job, row, panel, y),
                5 => real_tile::<5, R>(job, row, panel, y),
                _ => real_tile::<REAL_ROWS, R>(job, row, panel, y),
            }
        }
        row += rows;
    }
}

/// The first weight of a panel, and how far apart two of its steps are.
///
/// # Safety
///
/// As [`real`], and the panel exists.
#[inline(always)]
unsafe fn panels_of(job: &Real<'_>, panel: usize) -> (*const f32, usize) {
    let steps = job.taps * job.inputs;
    let (first, stride) = panel_place(job.outputs.div_ceil(LANES), panel, steps);
    // SAFETY: the panel lies within the weights.
    (unsafe { job.w.as_ptr().byte_add(first) }, stride / size_of::<f32>())
}

/// One row, `P` panels, `U` steps in flight. Returns `P`.
///
/// # Safety
///
/// As [`real`], and the panels exist.
#[target_feature(enable = "avx2,fma")]
unsafe fn real_row<const P: usize, const U: usize>(
    job: &Real<'_>,
    panel: usize,
    y: &mut [f32],
) -> usize {
    let mut sums = [[[_mm256_setzero_ps(); 2]; P]; U];
    // SAFETY: `panel + p` is a panel; a step reads LANES weights of it, and there are `inputs`.
    unsafe {
        let mut x = job.x.as_ptr();
        let (mut w, stride) = panels_of(job, panel);
        let whole = job.inputs / U * U;
        for _ in 0..job.taps {
            for i in (0..whole).step_by(U) {
                for u in 0..U {
                    let x = _mm256_set1_ps(*x.add(i + u));
                    for p in 0..P {
                        let w = w.add((i + u) * stride + p * LANES);
                        accumulate(&mut sums[u][p], x, w);
                    }
                }
            }
            for i in whole..job.inputs {
                let x = _mm256_set1_ps(*x.add(i));
                for p in 0..P {
                    accumulate(&mut sums[0][p], x, w.add(i * stride + p * LANES));
                }
            }
            x = job.next_run(x);
            w = w.wrapping_add(job.inputs * stride);
        }
        for p in 0..P {
            let bias = job.bias.as_ptr().add((panel + p) * LANES);
            let mut sum = [_mm256_loadu_ps(bias), _mm256_loadu_ps(bias.add(WIDTH))];
            for u in 0..U {
                sum[0] = _mm256_add_ps(sum[0], sums[u][p][0]);
                sum[1] = _mm256_add_ps(sum[1], sums[u][p][1]);
            }
            put_real(job, sum, 0, panel + p, y);
        }
    }
    P
}

/// # Safety
///
/// `w` points at LANES weights.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn accumulate(sum: &mut [__m256; 2], x: __m256, w: *const f32) {
    // SAFETY: the caller vouches for the weights.
    unsafe {
        sum[0] = _mm256_fmadd_ps(x, _mm256_loadu_ps(w), sum[0]);
        sum[1] = _mm256_fmadd_ps(x, _mm256_loadu_ps(w.add(WIDTH)), sum[1]);
    }
}

/// `M` rows, the first `R` registers of a panel.
///
/// # Safety
///
/// As [`real`], and the rows and the panel exist.
#[inline(never)]
#[target_feature(enable = "avx2,fma")]
unsafe fn real_tile<const M: usize, const R: usize>(
    job: &Real<'_>,
    row: usize,
    panel: usize,
    y: &mut [f32],
) {
    // SAFETY: all offsets are of rows and panels that exist, below the lengths of the job.
    unsafe {
        let mut x = job.x.as_ptr().add(row * job.x_stride);
        let (mut w, stride) = panels_of(job, panel);
        let bias = job.bias.as_ptr().add(panel * LANES);
        let mut sums = [[_mm256_setzero_ps(); R]; M];
        for m in 0..M {
            for r in 0..R {
                sums[m][r] = _mm256_loadu_ps(bias.add(r * WIDTH));
            }
        }
        for _ in 0..job.taps {
            for i in 0..job.inputs {
                let mut all = [_mm256_setzero_ps(); R];
                for r in 0..R {
                    all[r] = _mm256_loadu_ps(w.add(r * WIDTH));
                }
                for m in 0..M {
                    let x = _mm256_set1_ps(*x.add(m * job.x_stride + i));
                    for r in 0..R {
                        sums[m][r] = _mm256_fmadd_ps(x, all[r], sums[m][r]);
                    }
                }
                w = w.wrapping_add(stride);
            }
            x = job.next_run(x);
        }
        for m in 0..M {
            put_real(job, sums[m], (row + m) * job.y_stride, panel, y);
        }
    }
}

/// Stores the results of a row, which begins at `start`, for one panel.
///
/// # Safety
///
/// The outputs of the panel lie within `y`.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn put_real<const R: usize>(
    job: &Real<'_>,
    mut sums: [__m256; R],
    start: usize,
    panel: usize,
    y: &mut [f32],
) {
    if job.relu {
        for r in 0..R {
            // In this order a NaN stays.
            sums[r] = _mm256_max_ps(_mm256_setzero_ps(), sums[r]);
        }
    }
    let count = (job.outputs - panel * LANES).min(R * WIDTH);
    let at = start + panel * LANES;
    let y = &mut y[at..][..count];
    let mut whole = [0.0f32; LANES];
    // SAFETY: all registers lie within the array; or, where they are full, within `y`.
    unsafe {
        let to = if count == R * WIDTH { y.as_mut_ptr() } else { whole.as_mut_ptr() };
        for r in 0..R {
            _mm256_storeu_ps(to.add(r * WIDTH), sums[r]);
        }
    }
    if count < R * WIDTH {
        y.copy_from_slice(&whole[..count]);
    }
    if let Some(add) = job.add {
        y.iter_mut().zip(&add[at..]).for_each(|(y, add)| *y += add);
    }
}

/// # Safety
///
/// The machine has AVX2, and the slices are as long as the job says.
#[target_feature(enable = "avx2,fma")]
pub(in crate::fast) unsafe fn integer(job: &Integer<'_>, store: &mut Store<'_>) {
    // SAFETY: every tile stays within the rows and panels; the caller vouches for the lengths.
    unsafe {
        for panel in 0..job.outputs.div_ceil(LANES) {
            let mut row = 0;
            while row < job.rows {
                row += match (job.numbers, job.rows - row) {
                    (Numbers::Bytes, 1) => bytes_tile::<1>(job, row, panel, store),
                    (Numbers::Bytes, 2) => bytes_tile::<2>(job, row, panel, store),
                    (Numbers::Bytes, _) => bytes_tile::<3>(job, row, panel, store),
                    (Numbers::Words, 1) => words_tile::<1>(job, row, panel, store),
                    (Numbers::Words, 2 | 3) => words_tile::<2>(job, row, panel, store),
                    (Numbers::Words, _) => words_tile::<4>(job, row, panel, store),
                };
            }
        }
    }
}

/// `M` rows of bytes, one panel: each register of sums holds two halves of four outputs. Returns `M`.
///
/// # Safety
///
/// As [`integer`], and the rows and the panel exist.
#[target_feature(enable = "avx2,fma")]
unsafe fn bytes_tile<const M: usize>(
    job: &Integer<'_>,
    row: usize,
    panel: usize,
    store: &mut Store<'_>,
) -> usize {
    let mut sums = [[_mm256_setzero_si256(); 4]; M];
    let (whole, rest) = (job.bytes / STEP_BYTES, job.bytes % STEP_BYTES);
    let steps = job.taps * job.bytes.div_ceil(STEP_BYTES);
    // SAFETY: all offsets are of rows and panels that exist, below the lengths of the job.
    unsafe {
        let (first, stride) = panel_place(job.outputs.div_ceil(LANES), panel, steps);
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
            // Adds the halves; they come out as outputs 0 1 4 5 2 3 6 7.
            let a = _mm256_hadd_epi32(sums[0], sums[1]);
            let b = _mm256_hadd_epi32(sums[2], sums[3]);
            let a = _mm256_permute4x64_epi64::<0b11_01_10_00>(a);
            let b = _mm256_permute4x64_epi64::<0b11_01_10_00>(b);
            put(job, [a, b], row + m, panel, store);
        }
    }
    M
}

/// Four bytes of each row times those of sixteen outputs, `w`.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn bytes_step<const M: usize>(sums: &mut [[__m256i; 4]; M], x: [i32; M], w: &[u8; PANEL_BYTES]) {
    let mut words = [_mm256_setzero_si256(); M];
    for m in 0..M {
        // The same four four times over.
        words[m] = _mm256_cvtepi8_epi16(_mm_set1_epi32(x[m]));
    }
    for q in 0..4 {
        // SAFETY: four times 16 bytes are 64.
        let w = unsafe { _mm_loadu_si128(w.as_ptr().add(16 * q).cast()) };
        let w = _mm256_cvtepi8_epi16(w);
        for m in 0..M {
            sums[m][q] = _mm256_add_epi32(sums[m][q], _mm256_madd_epi16(words[m], w));
        }
    }
}

/// `M` rows of words, one panel. Returns `M`.
///
/// # Safety
///
/// As [`integer`], and the rows and the panel exist.
#[target_feature(enable = "avx2,fma")]
unsafe fn words_tile<const M: usize>(
    job: &Integer<'_>,
    row: usize,
    panel: usize,
    store: &mut Store<'_>,
) -> usize {
    debug_assert!(job.taps == 1 && job.bytes.is_multiple_of(STEP_BYTES), "gathered words");
    let mut sums = [[_mm256_setzero_si256(); 2]; M];
    let steps = job.bytes / STEP_BYTES;
    // SAFETY: all offsets are of rows and panels that exist, below the lengths of the job.
    unsafe {
        let (first, stride) = panel_place(job.outputs.div_ceil(LANES), panel, steps);
        let w = job.w.as_ptr().add(first);
        let x = job.x.as_ptr().add(row * job.x_stride);
        for i in 0..steps {
            let w = w.add(i * stride);
            let w = [_mm256_loadu_si256(w.cast()), _mm256_loadu_si256(w.add(32).cast())];
            for (m, sums) in sums.iter_mut().enumerate() {
                let two = x.add(m * job.x_stride + i * STEP_BYTES).cast::<i32>();
                let x = _mm256_set1_epi32(two.read_unaligned());
                for (sum, w) in sums.iter_mut().zip(w) {
                    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(x, w));
                }
            }
        }
        for (m, sums) in sums.iter().enumerate() {
            put(job, *sums, row + m, panel, store);
        }
    }
    M
}

/// Adds the bias and stores the results of one row and panel.
///
/// # Safety
///
/// The panel has its bias and parameters.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn put(
    job: &Integer<'_>,
    sum: [__m256i; 2],
    row: usize,
    panel: usize,
    store: &mut Store<'_>,
) {
    let first = panel * LANES;
    let count = (job.outputs - first).min(LANES);
    let at = row * job.y_stride + first;
    // SAFETY: bias, scale and multiplier are as long as whole panels; results go into an array of a panel, or
    // into `y` where the panel is full.
    unsafe {
        let bias = job.bias.as_ptr().add(first);
        let sum = [
            _mm256_add_epi32(sum[0], _mm256_loadu_si256(bias.cast())),
            _mm256_add_epi32(sum[1], _mm256_loadu_si256(bias.add(WIDTH).cast())),
        ];
        match store {
            Store::Real { y, scale } => {
                let y = &mut y[at..][..count];
                let mut whole = [0.0f32; LANES];
                let to = if count == LANES { y.as_mut_ptr() } else { whole.as_mut_ptr() };
                let scale = scale.as_ptr().add(first);
                for i in 0..2 {
                    let scale = _mm256_loadu_ps(scale.add(i * WIDTH));
                    let real = _mm256_mul_ps(_mm256_cvtepi32_ps(sum[i]), scale);
                    _mm256_storeu_ps(to.add(i * WIDTH), real);
                }
                if count < LANES {
                    y.copy_from_slice(&whole[..count]);
                }
            }
            Store::Bytes { y, multiplier, zero_point, clamp } => {
                let y = &mut y[at..][..count];
                let multiplier = multiplier.as_ptr().add(first);
                let zero = _mm256_set1_epi32((*zero_point).into());
                let low = _mm256_set1_epi32(clamp[0].into());
                let high = _mm256_set1_epi32(clamp[1].into());
                let mut steps = [zero; 2];
                for i in 0..2 {
                    let multiplier = _mm256_loadu_si256(multiplier.add(i * WIDTH).cast());
                    let scaled = scaled(sum[i], multiplier);
                    steps[i] = _mm256_max_epi32(_mm256_add_epi32(scaled, zero), low);
                    steps[i] = _mm256_min_epi32(steps[i], high);
                }
                let bytes = narrowed(steps[0], steps[1]);
                let mut whole = [0i8; LANES];
                let to = if count == LANES { y.as_mut_ptr() } else { whole.as_mut_ptr() };
                _mm_storeu_si128(to.cast(), bytes);
                if count < LANES {
                    y.copy_from_slice(&whole[..count]);
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

/// Sixteen numbers as bytes, in their order; what is beyond a byte becomes its end.
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::fast) fn narrowed(first: __m256i, second: __m256i) -> __m128i {
    // Packed, the quarters come out as 0 2 1 3.
    let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(first, second));
    _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words))
}
