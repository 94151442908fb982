//! Products of real numbers: a panel is one register.

#![allow(
    clippy::needless_range_loop,
    reason = "sums are picked by counters of fixed length, so that they stay in registers"
)]
#![allow(
    unsafe_code,
    reason = "vector instructions and pointers into matrices whose size was checked"
)]

use core::arch::x86_64::{
    __m512, _MM_HINT_T1, _mm_prefetch, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_maskz_loadu_ps, _mm512_max_ps, _mm512_set1_ps, _mm512_setzero_ps,
};

use super::{by_rows, lanes, store_real};
use crate::fast::{
    panels::LANES,
    tile::{ROWS, Real},
};

/// # Safety
///
/// The machine has AVX-512 F, and the slices are as long as the job says.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::fast) unsafe fn real(job: &Real<'_>, y: &mut [f32]) {
    let panels = job.panels().count();
    if job.rows == 1 {
        let mut panel = 0;
        // SAFETY: every tile stays within the panels, and the caller vouches for the lengths.
        unsafe {
            while panel < panels {
                panel += match job.panels().beside(panel) {
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
        for part in parts(job) {
            for row in (0..job.rows).step_by(ROWS) {
                // SAFETY: likewise for the rows and the parts of their windows.
                unsafe {
                    if panel + 1 < panels {
                        by_rows!(job.rows - row, real_tile::<2>, job, part, row, panel, y);
                    } else {
                        by_rows!(job.rows - row, real_tile::<1>, job, part, row, panel, y);
                    }
                }
            }
        }
    }
}

/// What a tile asks for of the weights behind those of its part, its share of two lines a step: one every few steps,
/// because many at a time would make the sums wait.
struct Ahead {
    next: *const f32,
    stride: usize,
    /// The line that is asked for next.
    line: usize,
    steps_between: usize,
    steps_left: usize,
}

impl Ahead {
    /// Nothing where there is but one part. `w` is the first weight of the panels, and `stride` how far apart two of
    /// their steps are.
    #[inline(always)]
    fn new(
        job: &Real<'_>,
        part: Part,
        row: usize,
        (w, stride): (*const f32, usize),
    ) -> Option<Self> {
        if part.first && part.last {
            return None;
        }
        let Part { taps: [tap, last_tap], inputs: [from, to], .. } = part;
        let steps = (last_tap - tap) * (to - from);
        let share = (2 * steps).div_ceil(job.rows.div_ceil(ROWS)).max(1);
        let steps_between = (steps / share).max(1);
        Some(Self {
            next: w.wrapping_add(((last_tap - 1) * job.inputs + to) * stride),
            stride,
            line: row / ROWS * share,
            steps_between,
            steps_left: steps_between,
        })
    }

    /// Called in each step.
    #[inline(always)]
    fn step(&mut self) {
        self.steps_left -= 1;
        if self.steps_left == 0 {
            let line = self.next.wrapping_add(self.line / 2 * self.stride + self.line % 2 * LANES);
            // SAFETY: asking is allowed for any address.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(line.cast()) };
            self.line += 1;
            self.steps_left = self.steps_between;
        }
    }
}

/// Part of the windows: whose weights stay in the nearest memory while all rows meet them.
#[derive(Clone, Copy)]
struct Part {
    taps: [usize; 2],
    inputs: [usize; 2],
    /// It begins with the biases, and not with the results of the part before.
    first: bool,
    last: bool,
}

/// Weights of so many bytes come from memory, or from a cache that others use too: while rows meet a part of them,
/// the next one is asked for.
const FAR: usize = 1 << 22;
/// Steps of a part: 32 KiB of two panels.
const PART: usize = 256;

/// The parts that windows are multiplied in: one of everything, or some taps, or some inputs of a tap each.
fn parts(job: &Real<'_>) -> impl Iterator<Item = Part> {
    let (taps, inputs) = (job.taps, job.inputs);
    let whole = size_of_val(job.w) < FAR || taps * inputs <= 2 * PART || job.rows <= ROWS;
    let (taps, inputs) = (taps.max(1), inputs.max(1));
    let (each, length) = if whole { (taps, inputs) } else { ((PART / inputs).max(1), PART) };
    (0..taps).step_by(each).flat_map(move |tap| {
        (0..inputs).step_by(length).map(move |from| Part {
            taps: [tap, (tap + each).min(job.taps)],
            inputs: [from, (from + length).min(job.inputs)],
            first: tap == 0 && from == 0,
            last: tap + each >= taps && from + length >= inputs,
        })
    })
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
        let mut x = job.x.as_ptr();
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
            x = job.next_run(x);
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

/// `M` rows, `P` panels, a part of the windows.
///
/// # Safety
///
/// As [`real`], and the part, the rows and the panels exist.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn real_tile<const M: usize, const P: usize>(
    job: &Real<'_>,
    part: Part,
    row: usize,
    panel: usize,
    y: &mut [f32],
) {
    let mut sums = [[_mm512_setzero_ps(); P]; M];
    let Part { taps: [tap, last_tap], inputs: [from, to], first, last } = part;
    // SAFETY: all offsets are of rows and panels that exist, below the lengths of the job.
    unsafe {
        let mut x = job.x.as_ptr().add(row * job.x_stride + tap * job.tap_stride + from);
        let (w, stride) = panels_of(job, panel);
        let mut ahead = Ahead::new(job, part, row, (w, stride));
        let mut w = w.add((tap * job.inputs + from) * stride);
        for p in 0..P {
            let bias = _mm512_loadu_ps(job.bias.as_ptr().add((panel + p) * LANES));
            for m in 0..M {
                sums[m][p] = bias;
            }
        }
        if !first {
            for m in 0..M {
                for p in 0..P {
                    let at = (row + m) * job.y_stride + (panel + p) * LANES;
                    let mask = lanes(job.outputs, panel + p);
                    sums[m][p] = _mm512_maskz_loadu_ps(mask, y.as_ptr().add(at));
                }
            }
        }
        for _ in tap..last_tap {
            for i in 0..to - from {
                if let Some(ahead) = &mut ahead {
                    ahead.step();
                }
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
            x = job.next_run(x);
            w = w.wrapping_add(job.inputs * stride);
        }
        for m in 0..M {
            for p in 0..P {
                let (start, panel) = ((row + m) * job.y_stride, panel + p);
                if last {
                    finish(job, sums[m][p], start, panel, y);
                } else {
                    let to = y.as_mut_ptr().add(start + panel * LANES);
                    store_real(to, lanes(job.outputs, panel), sums[m][p]);
                }
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
