//! Products of real numbers: a panel is two registers.

#![allow(
    clippy::needless_range_loop,
    reason = "sums are picked by counters of fixed length, so that they stay in registers"
)]
#![allow(
    unsafe_code,
    reason = "vector instructions and pointers into matrices whose size was checked"
)]

use core::arch::x86_64::{
    __m256, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_set1_ps,
    _mm256_setzero_ps, _mm256_storeu_ps,
};

use super::WIDTH;
use crate::fast::{panels::LANES, tile::Real};

/// Rows of a tile of real numbers: twelve sums, two weights and one input fill the registers.
const REAL_ROWS: usize = 6;

/// # Safety
///
/// The machine has AVX2 and FMA, and the slices are as long as the job says.
#[target_feature(enable = "avx2,fma")]
pub(in crate::fast) unsafe fn real(job: &Real<'_>, y: &mut [f32]) {
    let panels = job.panels().count();
    // SAFETY: every tile stays within the rows and panels; the caller vouches for the lengths.
    unsafe {
        if job.rows == 1 {
            let mut panel = 0;
            while panel < panels {
                panel += match job.panels().beside(panel) {
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
    let (first, stride) = job.panels().place(panel);
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
            if job.relu {
                sum = sum.map(|sum| _mm256_max_ps(_mm256_setzero_ps(), sum));
            }
            let at = (panel + p) * LANES;
            let count = (job.outputs - at).min(LANES);
            if count == LANES {
                let y = y[at..][..LANES].as_mut_ptr();
                _mm256_storeu_ps(y, sum[0]);
                _mm256_storeu_ps(y.add(WIDTH), sum[1]);
            } else {
                put_some(sum, &mut y[at..][..count]);
            }
            if let Some(add) = job.add {
                add_to(&mut y[at..][..count], &add[at..][..count]);
            }
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
        if job.relu {
            for m in 0..M {
                for r in 0..R {
                    // In this order a NaN stays.
                    sums[m][r] = _mm256_max_ps(_mm256_setzero_ps(), sums[m][r]);
                }
            }
        }
        let (at, count) = (panel * LANES, (job.outputs - panel * LANES).min(R * WIDTH));
        for m in 0..M {
            let at = (row + m) * job.y_stride + at;
            if count == R * WIDTH {
                let y = y[at..][..R * WIDTH].as_mut_ptr();
                for r in 0..R {
                    _mm256_storeu_ps(y.add(r * WIDTH), sums[m][r]);
                }
            } else {
                put_some(sums[m], &mut y[at..][..count]);
            }
        }
        if let Some(add) = job.add {
            for m in 0..M {
                let at = (row + m) * job.y_stride + at;
                add_to(&mut y[at..][..count], &add[at..][..count]);
            }
        }
    }
}

/// Stores as many of the sums as `y` takes.
#[target_feature(enable = "avx2,fma")]
fn put_some<const R: usize>(sums: [__m256; R], y: &mut [f32]) {
    let mut whole = [0.0f32; LANES];
    for (sum, whole) in sums.iter().zip(whole.chunks_exact_mut(WIDTH)) {
        // SAFETY: a chunk is as long as a register.
        unsafe { _mm256_storeu_ps(whole.as_mut_ptr(), *sum) };
    }
    y.copy_from_slice(&whole[..y.len()]);
}

fn add_to(y: &mut [f32], add: &[f32]) {
    y.iter_mut().zip(add).for_each(|(y, add)| *y += add);
}
