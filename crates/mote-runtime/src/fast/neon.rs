//! Products on 64-bit Arm: a panel is four registers; bytes are multiplied in pairs, or four at a
//! time where the machine has the dot product.

#![allow(
    clippy::needless_range_loop,
    reason = "sums are picked by counters of fixed length, so that they stay in registers"
)]
#![allow(
    unsafe_code,
    reason = "vector instructions and pointers into matrices whose size was checked"
)]

use core::arch::{
    aarch64::{
        float32x4_t, int8x16_t, int32x4_t, vaddq_f32, vaddq_s32, vdupq_n_f32, vdupq_n_s32,
        vfmaq_n_f32, vget_low_s8, vget_low_s16, vld1q_f32, vld1q_s8, vld1q_s16, vld1q_s32,
        vmaxq_f32, vmull_high_s8, vmull_high_s16, vmull_s8, vmull_s16, vpadalq_s16, vpaddq_s32,
        vreinterpretq_s8_s32, vreinterpretq_s16_s32, vst1q_f32, vst1q_s32,
    },
    asm,
};

use super::{
    panels::{LANES, STEP_BYTES},
    tile::{Integer, Numbers, Real, Store},
};
use crate::kernels::quantized::requantize;

/// Numbers in a register.
const WIDTH: usize = 4;
/// Registers of a panel.
const PARTS: usize = LANES / WIDTH;
/// Rows of a tile: sixteen sums, four weights and the inputs fill half of the registers.
const TILE_ROWS: usize = 4;

/// # Safety
///
/// The machine has NEON, and the slices are as long as the job says.
#[target_feature(enable = "neon")]
pub(super) unsafe fn real(job: &Real<'_>, y: &mut [f32]) {
    for panel in 0..job.panels().count() {
        for row in (0..job.rows).step_by(TILE_ROWS) {
            // SAFETY: every tile stays within the rows and panels; the caller vouches for the rest.
            unsafe {
                match job.rows - row {
                    1 => real_tile::<1, 4>(job, row, panel, y),
                    2 => real_tile::<2, 2>(job, row, panel, y),
                    3 => real_tile::<3, 1>(job, row, panel, y),
                    _ => real_tile::<TILE_ROWS, 1>(job, row, panel, y),
                }
            }
        }
    }
}

/// `M` rows, one panel, `U` steps in flight.
///
/// # Safety
///
/// As [`real`], and the rows and the panel exist.
#[target_feature(enable = "neon")]
unsafe fn real_tile<const M: usize, const U: usize>(
    job: &Real<'_>,
    row: usize,
    panel: usize,
    y: &mut [f32],
) {
    let mut sums = [[[vdupq_n_f32(0.0); PARTS]; M]; U];
    // SAFETY: all offsets are of rows and panels that exist, below the lengths of the job.
    unsafe {
        let mut x = job.x.as_ptr().add(row * job.x_stride);
        let (first, stride) = job.panels().place(panel);
        let (mut w, stride) = (job.w.as_ptr().byte_add(first), stride / size_of::<f32>());
        for p in 0..PARTS {
            let bias = vld1q_f32(job.bias.as_ptr().add(panel * LANES + p * WIDTH));
            for sum in &mut sums[0] {
                sum[p] = bias;
            }
        }
        let whole = job.inputs / U * U;
        for _ in 0..job.taps {
            for i in 0..job.inputs {
                let u = if i < whole { i % U } else { 0 };
                for p in 0..PARTS {
                    let w = vld1q_f32(w.add(i * stride + p * WIDTH));
                    for m in 0..M {
                        let x = *x.add(m * job.x_stride + i);
                        sums[u][m][p] = vfmaq_n_f32(sums[u][m][p], w, x);
                    }
                }
            }
            x = job.next_run(x);
            w = w.wrapping_add(job.inputs * stride);
        }
        for m in 0..M {
            let mut sum = sums[0][m];
            for others in &sums[1..] {
                for p in 0..PARTS {
                    sum[p] = vaddq_f32(sum[p], others[m][p]);
                }
            }
            put_real(job, sum, row + m, panel, y);
        }
    }
}

/// Stores the results of one row and panel.
#[inline]
#[target_feature(enable = "neon")]
fn put_real(job: &Real<'_>, sum: [float32x4_t; PARTS], row: usize, panel: usize, y: &mut [f32]) {
    let mut whole = [0.0f32; LANES];
    for p in 0..PARTS {
        // The instruction keeps a NaN.
        let part = if job.relu { vmaxq_f32(sum[p], vdupq_n_f32(0.0)) } else { sum[p] };
        // SAFETY: the part lies within the array.
        unsafe { vst1q_f32(whole.as_mut_ptr().add(p * WIDTH), part) };
    }
    let count = (job.outputs - panel * LANES).min(LANES);
    let at = row * job.y_stride + panel * LANES;
    let y = &mut y[at..][..count];
    y.copy_from_slice(&whole[..count]);
    if let Some(add) = job.add {
        y.iter_mut().zip(&add[at..]).for_each(|(y, add)| *y += add);
    }
}

/// # Safety
///
/// The machine has NEON, and the slices are as long as the job says.
#[target_feature(enable = "neon")]
pub(super) unsafe fn integer(job: &Integer<'_>, store: &mut Store<'_>) {
    for panel in 0..job.panels().count() {
        for row in 0..job.rows {
            // SAFETY: rows and panels exist; the caller vouches for the rest.
            unsafe {
                let sum = match job.numbers {
                    Numbers::Bytes => bytes_row(job, row, panel),
                    Numbers::Words => words_row(job, row, panel),
                };
                put(job, sum, row, panel, store);
            }
        }
    }
}

/// # Safety
///
/// The machine has NEON with the dot product, and the slices are as long as the job says.
#[target_feature(enable = "neon,dotprod")]
pub(super) unsafe fn integer_dot(job: &Integer<'_>, store: &mut Store<'_>) {
    if job.numbers == Numbers::Words {
        // SAFETY: the caller vouches for the same.
        return unsafe { integer(job, store) };
    }
    for panel in 0..job.panels().count() {
        for row in (0..job.rows).step_by(TILE_ROWS) {
            // SAFETY: every tile stays within the rows and panels; the caller vouches for the rest.
            unsafe {
                match job.rows - row {
                    1 => dot_tile::<1>(job, row, panel, store),
                    2 => dot_tile::<2>(job, row, panel, store),
                    3 => dot_tile::<3>(job, row, panel, store),
                    _ => dot_tile::<TILE_ROWS>(job, row, panel, store),
                }
            }
        }
    }
}

/// Step `i` of row `row`, filled up with zeros where the window ends.
///
/// # Safety
///
/// The row exists, and it has step `i`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn step(job: &Integer<'_>, row: usize, i: usize) -> i32 {
    let mut step = [0u8; STEP_BYTES];
    let length = STEP_BYTES.min(job.bytes - i * STEP_BYTES);
    // SAFETY: the bytes lie within the row.
    unsafe {
        let x = job.x.as_ptr().add(row * job.x_stride + i * STEP_BYTES);
        if length == STEP_BYTES {
            return x.cast::<i32>().read_unaligned();
        }
        for (i, step) in step.iter_mut().take(length).enumerate() {
            *step = *x.add(i);
        }
    }
    i32::from_le_bytes(step)
}

/// The sums of a row of bytes; products of pairs fit into words.
///
/// # Safety
///
/// As [`integer`], and the row and the panel exist.
#[target_feature(enable = "neon")]
unsafe fn bytes_row(job: &Integer<'_>, row: usize, panel: usize) -> [int32x4_t; PARTS] {
    let mut halves = [[vdupq_n_s32(0); 2]; PARTS];
    let steps = job.bytes.div_ceil(STEP_BYTES);
    let (first, stride) = job.panels().place(panel);
    for i in 0..steps {
        // SAFETY: the step is one of the row, and its weights lie within the panel.
        unsafe {
            let x = vreinterpretq_s8_s32(vdupq_n_s32(step(job, row, i)));
            let w = job.w.as_ptr().add(first + i * stride).cast::<i8>();
            for (p, half) in halves.iter_mut().enumerate() {
                let w = vld1q_s8(w.add(p * WIDTH * STEP_BYTES));
                half[0] = vpadalq_s16(half[0], vmull_s8(vget_low_s8(w), vget_low_s8(x)));
                half[1] = vpadalq_s16(half[1], vmull_high_s8(w, x));
            }
        }
    }
    halves.map(|[a, b]| vpaddq_s32(a, b))
}

/// The sums of a row of words.
///
/// # Safety
///
/// As [`integer`], and the row and the panel exist.
#[target_feature(enable = "neon")]
unsafe fn words_row(job: &Integer<'_>, row: usize, panel: usize) -> [int32x4_t; PARTS] {
    let mut sums = [vdupq_n_s32(0); PARTS];
    let steps = job.bytes.div_ceil(STEP_BYTES);
    let (first, stride) = job.panels().place(panel);
    for i in 0..steps {
        // SAFETY: the step is one of the row, and its weights lie within the panel.
        unsafe {
            let x = vreinterpretq_s16_s32(vdupq_n_s32(step(job, row, i)));
            let w = job.w.as_ptr().add(first + i * stride).cast::<i16>();
            for (p, sum) in sums.iter_mut().enumerate() {
                let w = vld1q_s16(w.add(p * WIDTH * 2));
                let low = vmull_s16(vget_low_s16(w), vget_low_s16(x));
                *sum = vaddq_s32(*sum, vpaddq_s32(low, vmull_high_s16(w, x)));
            }
        }
    }
    sums
}

/// `M` rows of bytes, one panel.
///
/// # Safety
///
/// As [`integer_dot`], and the rows and the panel exist.
#[target_feature(enable = "neon,dotprod")]
unsafe fn dot_tile<const M: usize>(
    job: &Integer<'_>,
    row: usize,
    panel: usize,
    store: &mut Store<'_>,
) {
    let mut sums = [[vdupq_n_s32(0); PARTS]; M];
    let steps = job.bytes.div_ceil(STEP_BYTES);
    let (first, stride) = job.panels().place(panel);
    for i in 0..steps {
        // SAFETY: the step is one of the rows, and its weights lie within the panel.
        unsafe {
            let w = job.w.as_ptr().add(first + i * stride).cast::<i8>();
            let mut weights = [vld1q_s8(w); PARTS];
            for (p, weights) in weights.iter_mut().enumerate().skip(1) {
                *weights = vld1q_s8(w.add(p * WIDTH * STEP_BYTES));
            }
            for (m, sums) in sums.iter_mut().enumerate() {
                let x = vreinterpretq_s8_s32(vdupq_n_s32(step(job, row + m, i)));
                for p in 0..PARTS {
                    sums[p] = dot(sums[p], weights[p], x);
                }
            }
        }
    }
    for (m, sums) in sums.iter().enumerate() {
        put(job, *sums, row + m, panel, store);
    }
}

/// Adds to each sum the products of its four bytes. Written as an instruction, because the
/// compiler's name for it is not stable.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot(mut sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: the instruction reads and writes registers only.
    unsafe {
        asm!(
            "sdot {sum:v}.4s, {a:v}.16b, {b:v}.16b",
            sum = inout(vreg) sum,
            a = in(vreg) a,
            b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

/// Adds the bias and stores the results of one row and panel.
#[inline]
#[target_feature(enable = "neon")]
fn put(
    job: &Integer<'_>,
    sum: [int32x4_t; PARTS],
    row: usize,
    panel: usize,
    store: &mut Store<'_>,
) {
    let mut sums = [0i32; LANES];
    let first = panel * LANES;
    let bias = &job.bias[first..][..LANES];
    for (p, sum) in sum.iter().enumerate() {
        // SAFETY: the part lies within both arrays.
        unsafe {
            let sum = vaddq_s32(*sum, vld1q_s32(bias.as_ptr().add(p * WIDTH)));
            vst1q_s32(sums.as_mut_ptr().add(p * WIDTH), sum);
        }
    }
    let count = (job.outputs - first).min(LANES);
    let at = row * job.y_stride + first;
    match store {
        Store::Real { y, scale } => {
            for ((y, sum), scale) in y[at..][..count].iter_mut().zip(sums).zip(&scale[first..]) {
                *y = sum as f32 * scale;
            }
        }
        Store::Bytes { y, multiplier, zero_point, clamp } => {
            let results = y[at..][..count].iter_mut().zip(sums).zip(&multiplier[first..]);
            for ((y, sum), multiplier) in results {
                *y = requantize(sum, *multiplier, *zero_point, *clamp);
            }
        }
    }
}
