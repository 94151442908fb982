//! AVX-512: a panel is one register; bytes are multiplied four at a time by VNNI.

#![allow(
    clippy::needless_range_loop,
    reason = "sums are picked by counters of fixed length, so that they stay in registers"
)]
#![allow(
    unsafe_code,
    reason = "vector instructions and pointers into matrices whose size was checked"
)]

use core::arch::x86_64::{
    __m512, __m512i, _mm_mask_storeu_epi8, _mm_storeu_si128, _mm512_add_epi32, _mm512_add_epi64,
    _mm512_add_ps, _mm512_cvtepi32_epi8, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32,
    _mm512_dpwssd_epi32, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_mask_blend_epi32, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_max_epi32,
    _mm512_max_ps, _mm512_min_epi32, _mm512_mul_epi32, _mm512_mul_ps, _mm512_set1_epi32,
    _mm512_set1_epi64, _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_srli_epi64,
    _mm512_storeu_ps, _mm512_storeu_si512, _mm512_xor_si512,
};

use crate::fast::tile::{
    Integer, LANES, Numbers, PANEL_BYTES, ROWS, Real, STEP_BYTES, Store, panel_place,
};

/// Calls a tile function for the number of rows that are left.
macro_rules! by_rows {
    ($rows:expr, $tile:ident $(::<$($p:tt),*>)?, $($argument:expr),*) => {
        match $rows {
            1 => $tile::<1, $($($p),*)?>($($argument),*),
            2 => $tile::<2, $($($p),*)?>($($argument),*),
            3 => $tile::<3, $($($p),*)?>($($argument),*),
            4 => $tile::<4, $($($p),*)?>($($argument),*),
            5 => $tile::<5, $($($p),*)?>($($argument),*),
            6 => $tile::<6, $($($p),*)?>($($argument),*),
            7 => $tile::<7, $($($p),*)?>($($argument),*),
            _ => $tile::<ROWS, $($($p),*)?>($($argument),*),
        }
    };
}

/// The lanes of a panel that hold outputs.
fn lanes(outputs: usize, panel: usize) -> u16 {
    match outputs - panel * LANES {
        n @ 0..LANES => (1 << n) - 1,
        _ => u16::MAX,
    }
}

/// # Safety
///
/// The machine has AVX-512 F, and the slices are as long as the job says.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::fast) unsafe fn real(job: &Real<'_>, y: &mut [f32]) {
    let panels = job.outputs.div_ceil(LANES);
    if job.rows == 1 {
        let mut panel = 0;
        // SAFETY: every tile stays within the panels, and the caller vouches for the lengths.
        unsafe {
            while panel < panels {
                panel += match panels - panel {
                    8.. => real_row::<8, 1>(job, panel, y),
                    4.. => real_row::<4, 2>(job, panel, y),
                    2.. => real_row::<2, 4>(job, panel, y),
                    _ => real_row::<1, 8>(job, panel, y),
                };
            }
        }
        return;
    }
    for panel in (0..panels).step_by(2) {
        for row in (0..job.rows).step_by(ROWS) {
            // SAFETY: likewise for the rows.
            unsafe {
                if panel + 1 < panels {
                    by_rows!(job.rows - row, real_tile::<2>, job, row, panel, y);
                } else {
                    by_rows!(job.rows - row, real_tile::<1>, job, row, panel, y);
                }
            }
        }
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
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn real_row<const P: usize, const U: usize>(
    job: &Real<'_>,
    panel: usize,
    y: &mut [f32],
) -> usize {
    let mut sums = [[_mm512_setzero_ps(); P]; U];
    // SAFETY: `panel + p` is a panel; a step reads LANES weights of it, and there are `inputs` for
    // each run.
    unsafe {
        for p in 0..P {
            sums[0][p] = _mm512_loadu_ps(job.bias.as_ptr().add((panel + p) * LANES));
        }
        let (mut w, stride) = panels_of(job, panel);
        let mut x = job.x.as_ptr().add(job.first);
        let whole = job.inputs / U * U;
        for _ in 0..job.taps {
            let mut i = 0;
            while i < whole {
                for u in 0..U {
                    let x = _mm512_set1_ps(*x.add(i + u));
                    for p in 0..P {
                        let w = _mm512_loadu_ps(w.add((i + u) * stride + p * LANES));
                        sums[u][p] = _mm512_fmadd_ps(x, w, sums[u][p]);
                    }
                }
                i += U;
            }
            for i in whole..job.inputs {
                let x = _mm512_set1_ps(*x.add(i));
                for p in 0..P {
                    let w = _mm512_loadu_ps(w.add(i * stride + p * LANES));
                    sums[0][p] = _mm512_fmadd_ps(x, w, sums[0][p]);
                }
            }
            // Behind the last run it points nowhere, and is not read.
            x = x.wrapping_offset(job.tap_stride);
            w = w.wrapping_add(job.inputs * stride);
        }
        for p in 0..P {
            if U == 8 {
                for u in 0..4 {
                    sums[u][p] = _mm512_add_ps(sums[u][p], sums[u + 4][p]);
                }
            }
            if U >= 4 {
                for u in 0..2 {
                    sums[u][p] = _mm512_add_ps(sums[u][p], sums[u + 2][p]);
                }
            }
            if U >= 2 {
                sums[0][p] = _mm512_add_ps(sums[0][p], sums[1][p]);
            }
        }
        for p in 0..P {
            finish(job, sums[0][p], 0, panel + p, y);
        }
    }
    P
}

/// `M` rows, `P` panels.
///
/// # Safety
///
/// As [`real`], and the rows and panels exist.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn real_tile<const M: usize, const P: usize>(
    job: &Real<'_>,
    row: usize,
    panel: usize,
    y: &mut [f32],
) {
    let mut sums = [[_mm512_setzero_ps(); P]; M];
    // SAFETY: all offsets are of rows and panels that exist, below the lengths of the job.
    unsafe {
        let mut x = job.x.as_ptr().add(job.first + row * job.x_stride);
        let (mut w, stride) = panels_of(job, panel);
        for p in 0..P {
            let bias = _mm512_loadu_ps(job.bias.as_ptr().add((panel + p) * LANES));
            for m in 0..M {
                sums[m][p] = bias;
            }
        }
        for _ in 0..job.taps {
            for i in 0..job.inputs {
                let mut weights = [_mm512_setzero_ps(); P];
                for p in 0..P {
                    weights[p] = _mm512_loadu_ps(w.add(i * stride + p * LANES));
                }
                for m in 0..M {
                    let x = _mm512_set1_ps(*x.add(m * job.x_stride + i));
                    for p in 0..P {
                        sums[m][p] = _mm512_fmadd_ps(x, weights[p], sums[m][p]);
                    }
                }
            }
            x = x.wrapping_offset(job.tap_stride);
            w = w.wrapping_add(job.inputs * stride);
        }
        for m in 0..M {
            for p in 0..P {
                finish(job, sums[m][p], (row + m) * job.y_stride, panel + p, y);
            }
        }
    }
}

/// Stores the results of a row, which begins at `start`, for one panel.
///
/// # Safety
///
/// As [`real`], and the row and the panel exist.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn finish(job: &Real<'_>, sum: __m512, start: usize, panel: usize, y: &mut [f32]) {
    let (at, mask) = (start + panel * LANES, lanes(job.outputs, panel));
    // In this order a NaN stays.
    let mut sum = if job.relu { _mm512_max_ps(_mm512_setzero_ps(), sum) } else { sum };
    // SAFETY: the lanes of the mask are outputs of the row.
    unsafe {
        if let Some(add) = job.add {
            let add = add.as_ptr().add(at);
            let whole = mask == u16::MAX;
            let add = if whole { _mm512_loadu_ps(add) } else { _mm512_maskz_loadu_ps(mask, add) };
            sum = _mm512_add_ps(sum, add);
        }
        store_real(y.as_mut_ptr().add(at), mask, sum);
    }
}

/// Stores the lanes of `mask`. Whole registers are stored without it, because a processor lets the
/// next operation have them before they are in the cache.
///
/// # Safety
///
/// The lanes of `mask` lie behind `to`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn store_real(to: *mut f32, mask: u16, real: __m512) {
    // SAFETY: the caller vouches for the lanes.
    unsafe {
        if mask == u16::MAX {
            _mm512_storeu_ps(to, real);
        } else {
            _mm512_mask_storeu_ps(to, mask, real);
        }
    }
}

/// # Safety
///
/// The machine has AVX-512 with VNNI, and the slices are as long as the job says.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::fast) unsafe fn integer(job: &Integer<'_>, store: &mut Store<'_>) {
    // SAFETY: the caller vouches for what `products` needs.
    unsafe {
        match job.numbers {
            Numbers::Bytes => products::<true>(job, store),
            Numbers::Words => products::<false>(job, store),
        }
    }
}

/// # Safety
///
/// As [`integer`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn products<const BYTES: bool>(job: &Integer<'_>, store: &mut Store<'_>) {
    let panels = job.outputs.div_ceil(LANES);
    if job.rows == 1 {
        let mut panel = 0;
        // SAFETY: every tile stays within the panels, and the caller vouches for the lengths.
        unsafe {
            while panel < panels {
                panel += match panels - panel {
                    8.. => integer_row::<8, 1, BYTES>(job, panel, store),
                    4.. => integer_row::<4, 2, BYTES>(job, panel, store),
                    2.. => integer_row::<2, 4, BYTES>(job, panel, store),
                    _ => integer_row::<1, 4, BYTES>(job, panel, store),
                };
            }
        }
        return;
    }
    for panel in (0..panels).step_by(2) {
        for row in (0..job.rows).step_by(ROWS) {
            // SAFETY: likewise for the rows.
            unsafe {
                if panel + 1 < panels {
                    by_rows!(job.rows - row, integer_tile::<2, BYTES>, job, row, panel, store);
                } else {
                    by_rows!(job.rows - row, integer_tile::<1, BYTES>, job, row, panel, store);
                }
            }
        }
    }
}

/// One row, `P` panels, `U` steps in flight. Returns `P`.
///
/// # Safety
///
/// As [`integer`], and the panels exist.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn integer_row<const P: usize, const U: usize, const BYTES: bool>(
    job: &Integer<'_>,
    panel: usize,
    store: &mut Store<'_>,
) -> usize {
    let mut sums = [[_mm512_setzero_si512(); P]; U];
    let (steps, whole) = (job.bytes.div_ceil(STEP_BYTES), job.bytes / STEP_BYTES);
    // SAFETY: all offsets are of panels that exist, below the lengths of the job; a whole step reads
    // STEP_BYTES bytes of the row, and what is left is read byte by byte.
    unsafe {
        let mut x = job.x.as_ptr();
        let (first, stride) = panel_place(job.outputs.div_ceil(LANES), panel, job.taps * steps);
        let mut w = job.w.as_ptr().add(first);
        for p in 0..P {
            let bias = job.bias.as_ptr().add((panel + p) * LANES);
            sums[0][p] = _mm512_loadu_si512(bias.cast());
        }
        for _ in 0..job.taps {
            let mut i = 0;
            while i + U <= whole {
                for u in 0..U {
                    let x = x.add((i + u) * STEP_BYTES).cast::<i32>().read_unaligned();
                    let x = broadcast::<BYTES>(x);
                    for p in 0..P {
                        let w = w.add((i + u) * stride + p * PANEL_BYTES);
                        sums[u][p] = multiply::<BYTES>(sums[u][p], x, _mm512_loadu_si512(w.cast()));
                    }
                }
                i += U;
            }
            while i < steps {
                // Where there are several runs, all steps are whole.
                let x = if i < whole {
                    x.add(i * STEP_BYTES).cast::<i32>().read_unaligned()
                } else {
                    rest::<1>(job, 0)[0]
                };
                let x = broadcast::<BYTES>(x);
                for p in 0..P {
                    let w = w.add(i * stride + p * PANEL_BYTES);
                    sums[0][p] = multiply::<BYTES>(sums[0][p], x, _mm512_loadu_si512(w.cast()));
                }
                i += 1;
            }
            // Behind the last run both point nowhere, and are not read.
            x = x.wrapping_add(job.tap_stride);
            w = w.wrapping_add(steps * stride);
        }
        for p in 0..P {
            if U == 8 {
                for u in 0..4 {
                    sums[u][p] = _mm512_add_epi32(sums[u][p], sums[u + 4][p]);
                }
            }
            if U >= 4 {
                for u in 0..2 {
                    sums[u][p] = _mm512_add_epi32(sums[u][p], sums[u + 2][p]);
                }
            }
            if U >= 2 {
                sums[0][p] = _mm512_add_epi32(sums[0][p], sums[1][p]);
            }
        }
        for p in 0..P {
            let (panel, at) = (panel + p, (panel + p) * LANES);
            put(sums[0][p], panel, lanes(job.outputs, panel), at, store);
        }
    }
    P
}

/// `M` rows, `P` panels.
///
/// # Safety
///
/// As [`integer`], and the rows and panels exist.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn integer_tile<const M: usize, const P: usize, const BYTES: bool>(
    job: &Integer<'_>,
    row: usize,
    panel: usize,
    store: &mut Store<'_>,
) {
    let mut sums = [[_mm512_setzero_si512(); P]; M];
    let (steps, whole) = (job.bytes.div_ceil(STEP_BYTES), job.bytes / STEP_BYTES);
    // SAFETY: all offsets are of rows and panels that exist, below the lengths of the job; a whole
    // step reads STEP_BYTES bytes of a row, and what is left is read byte by byte.
    unsafe {
        let mut x = job.x.as_ptr().add(row * job.x_stride);
        let (first, stride) = panel_place(job.outputs.div_ceil(LANES), panel, job.taps * steps);
        let mut w = job.w.as_ptr().add(first);
        for p in 0..P {
            let bias = _mm512_loadu_si512(job.bias.as_ptr().add((panel + p) * LANES).cast());
            for m in 0..M {
                sums[m][p] = bias;
            }
        }
        for _ in 0..job.taps {
            for i in 0..whole {
                let mut weights = [_mm512_setzero_si512(); P];
                for p in 0..P {
                    let w = w.add(i * stride + p * PANEL_BYTES);
                    weights[p] = _mm512_loadu_si512(w.cast());
                }
                for m in 0..M {
                    let x = x.add(m * job.x_stride + i * STEP_BYTES).cast::<i32>().read_unaligned();
                    let x = broadcast::<BYTES>(x);
                    for p in 0..P {
                        sums[m][p] = multiply::<BYTES>(sums[m][p], x, weights[p]);
                    }
                }
            }
            x = x.wrapping_add(job.tap_stride);
            w = w.wrapping_add(whole * stride);
        }
        if whole < steps {
            let rest = rest::<M>(job, row);
            for m in 0..M {
                let x = broadcast::<BYTES>(rest[m]);
                for p in 0..P {
                    let w = w.add(p * PANEL_BYTES);
                    sums[m][p] = multiply::<BYTES>(sums[m][p], x, _mm512_loadu_si512(w.cast()));
                }
            }
        }
        // Through memory, because sums stay in registers only as long as no loop picks among them.
        let mut stored = [[[0i32; LANES]; P]; M];
        for m in 0..M {
            for p in 0..P {
                _mm512_storeu_si512(stored[m][p].as_mut_ptr().cast(), sums[m][p]);
            }
        }
        for (m, stored) in stored.iter().enumerate() {
            for (p, sum) in stored.iter().enumerate() {
                let at = (row + m) * job.y_stride + (panel + p) * LANES;
                let sum = _mm512_loadu_si512(sum.as_ptr().cast());
                put(sum, panel + p, lanes(job.outputs, panel + p), at, store);
            }
        }
    }
}

/// For each row what is left behind its last whole step, filled up with zeros.
fn rest<const M: usize>(job: &Integer<'_>, row: usize) -> [i32; M] {
    let (start, length) = (job.bytes / STEP_BYTES * STEP_BYTES, job.bytes % STEP_BYTES);
    core::array::from_fn(|m| {
        let x = &job.x[(row + m) * job.x_stride + start..][..length];
        // Byte by byte: so few are not worth a call.
        x.iter().rev().fold(0, |rest, &x| rest << 8 | i32::from(x))
    })
}

/// Four bytes of a row in every lane; their sign is moved away by 128, which the bias knows of.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn broadcast<const BYTES: bool>(x: i32) -> __m512i {
    let x = _mm512_set1_epi32(x);
    if BYTES { _mm512_xor_si512(x, _mm512_set1_epi32(0x8080_8080_u32 as i32)) } else { x }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn multiply<const BYTES: bool>(sum: __m512i, x: __m512i, w: __m512i) -> __m512i {
    if BYTES { _mm512_dpbusd_epi32(sum, x, w) } else { _mm512_dpwssd_epi32(sum, x, w) }
}

/// Stores the results of one row and panel.
///
/// # Safety
///
/// The lanes of `mask` lie within the output from `at` on, and the panel has its parameters.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn put(sum: __m512i, panel: usize, mask: u16, at: usize, store: &mut Store<'_>) {
    match store {
        Store::Real { y, scale } => {
            // SAFETY: the caller vouches for both.
            unsafe {
                let scale = _mm512_loadu_ps(scale.as_ptr().add(panel * LANES));
                let real = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale);
                store_real(y.as_mut_ptr().add(at), mask, real);
            }
        }
        Store::Bytes { y, multiplier, zero_point, clamp: [low, high] } => {
            // SAFETY: the caller vouches for both.
            unsafe {
                let m = _mm512_loadu_si512(multiplier.as_ptr().add(panel * LANES).cast());
                let half = _mm512_set1_epi64(1 << 31);
                let even = _mm512_add_epi64(_mm512_mul_epi32(sum, m), half);
                let (sum, m) = (_mm512_srli_epi64::<32>(sum), _mm512_srli_epi64::<32>(m));
                let odd = _mm512_add_epi64(_mm512_mul_epi32(sum, m), half);
                // The upper halves of both, each in its lane.
                let steps = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64::<32>(even), odd);
                let y32 = _mm512_add_epi32(steps, _mm512_set1_epi32((*zero_point).into()));
                let y32 = _mm512_max_epi32(y32, _mm512_set1_epi32((*low).into()));
                let y32 = _mm512_min_epi32(y32, _mm512_set1_epi32((*high).into()));
                let (to, y) = (y.as_mut_ptr().add(at), _mm512_cvtepi32_epi8(y32));
                if mask == u16::MAX {
                    _mm_storeu_si128(to.cast(), y);
                } else {
                    _mm_mask_storeu_epi8(to, mask, y);
                }
            }
        }
    }
}
