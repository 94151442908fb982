//! Products of bytes by AMX: twice sixteen rows times two panels at a time, and 64 bytes of each.
//!
//! A panel is what such a product wants of weights as it lies, and rows are read in place. Only what is left of a
//! run behind its whole steps of 64 bytes is copied, with zeros behind it.

#![allow(
    unsafe_code,
    reason = "instructions that the compiler has no name for, and pointers into matrices whose size was checked"
)]

use core::{
    arch::{asm, x86_64::_mm512_loadu_si512},
    ptr,
};

use super::{
    integer::NEAR,
    sums::{biased, put},
};
use crate::fast::{
    panels::{LANES, PANEL_BYTES, STEP_BYTES},
    tile::{Integer, Store},
};

/// Rows of a tile.
const ROWS: usize = 16;
/// Bytes of a row of a tile, and of the weights of a step.
const WIDTH: usize = 64;
/// Steps of weights in a tile.
const STEPS: usize = WIDTH / STEP_BYTES;
/// Fewer rows, a shorter window, or fewer products in all take as long without tiles, whose shapes take time to
/// set, or longer.
const LEAST_ROWS: usize = 8;
const LEAST_WINDOW: usize = 96;
const LEAST_PRODUCTS: usize = 1 << 18;

/// The shapes of the eight tiles, as the processor reads them.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// Memory for what tiles write, and for what they read at the end of a run.
#[repr(C, align(64))]
struct Near {
    /// Of each panel and each row.
    sums: [[[i32; LANES]; 2 * ROWS]; 2],
    x: [[u8; WIDTH]; 2 * ROWS],
    w: [[[u8; PANEL_BYTES]; STEPS]; 2],
}

/// Whether tiles are worth it.
pub(super) fn suit(job: &Integer<'_>) -> bool {
    let window = job.taps * job.bytes;
    job.rows >= LEAST_ROWS
        && window >= LEAST_WINDOW
        && job.rows * window * job.outputs >= LEAST_PRODUCTS
}

/// All rows of a job.
///
/// # Safety
///
/// The machine has AVX-512 and AMX for bytes, this process may use it, and the slices are as long as the job
/// says, also the biases of signed rows.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn rows(job: &Integer<'_>, store: &mut Store<'_>) {
    let mut near = Near {
        sums: [[[0; LANES]; 2 * ROWS]; 2],
        x: [[0; WIDTH]; 2 * ROWS],
        w: [[[0; PANEL_BYTES]; STEPS]; 2],
    };
    let panels = job.panels().count();
    let pairs = (NEAR / (2 * job.panels().steps * PANEL_BYTES)).max(1);
    let mut shaped = 0;
    for first in (0..panels).step_by(2 * pairs) {
        for row in (0..job.rows).step_by(2 * ROWS) {
            let count = (job.rows - row).min(2 * ROWS);
            if shaped != count {
                // SAFETY: the caller vouches for the machine.
                unsafe { shape(count) };
                shaped = count;
            }
            for panel in (first..panels.min(first + 2 * pairs)).step_by(2) {
                let own = (panel + 1 < panels, count > ROWS);
                // SAFETY: rows and panels are those of the job, and tiles have the shape for both.
                unsafe {
                    match own {
                        (true, true) => product::<2, 2>(job, (row, count), panel, &mut near),
                        (true, false) => product::<2, 1>(job, (row, count), panel, &mut near),
                        (false, true) => product::<1, 2>(job, (row, count), panel, &mut near),
                        (false, false) => product::<1, 1>(job, (row, count), panel, &mut near),
                    }
                    finish(job, (row, count), panel, &near, store);
                }
            }
        }
    }
    // SAFETY: nobody needs the tiles any more.
    unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) };
}

/// Shapes tiles 0 to 3 for sums (those of the second panel are 1 and 3, of the second half of rows 2 and 3), 4 and 5
/// for both halves of so many rows, 6 and 7 for the weights of two panels.
///
/// # Safety
///
/// As [`rows`]; there is a row.
unsafe fn shape(rows: usize) {
    let (upper, lower) = (rows.min(ROWS) as u8, rows.saturating_sub(ROWS).max(1) as u8);
    let steps = STEPS as u8;
    let mut shapes =
        Shapes { palette: 1, start: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
    shapes.row_bytes[..8].fill(WIDTH as u16);
    shapes.rows[..8].copy_from_slice(&[upper, upper, lower, lower, upper, lower, steps, steps]);
    // SAFETY: the shapes are those that the processor has, and it only reads them.
    unsafe {
        asm!("ldtilecfg [{0}]", in(reg) ptr::from_ref(&shapes), options(readonly, nostack, preserves_flags));
    }
}

/// The sums of `P` panels and so many rows from `row` on, in `H` halves.
///
/// # Safety
///
/// As [`rows`]; the rows and panels exist, and tiles have their shapes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn product<const P: usize, const H: usize>(
    job: &Integer<'_>,
    (row, count): (usize, usize),
    panel: usize,
    near: &mut Near,
) {
    let (first, stride) = job.panels().place(panel);
    let (whole, rest) = (job.bytes / WIDTH, job.bytes % WIDTH);
    // SAFETY: tiles read rows of the runs, steps of the panels and what was copied of both, and write rows of
    // the sums.
    unsafe {
        let mut w = job.w.as_ptr().add(first);
        let mut x = job.x.as_ptr().add(row * job.x_stride);
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            options(nomem, nostack, preserves_flags),
        );
        for _ in 0..job.taps {
            for k in 0..whole {
                let w = w.add(k * STEPS * stride);
                add::<P, H>((x.add(k * WIDTH), job.x_stride), (w, PANEL_BYTES, stride));
            }
            let steps = rest.div_ceil(STEP_BYTES);
            if rest > 0 {
                for (m, to) in near.x[..count].iter_mut().enumerate() {
                    let from = x.add(m * job.x_stride + whole * WIDTH);
                    ptr::copy_nonoverlapping(from, to.as_mut_ptr(), rest);
                }
                for (p, to) in near.w[..P].iter_mut().enumerate() {
                    for (step, to) in to[..steps].iter_mut().enumerate() {
                        let from = w.add((whole * STEPS + step) * stride + p * PANEL_BYTES);
                        *to = *from.cast();
                    }
                }
                let (x, w) = (near.x.as_ptr().cast(), near.w.as_ptr().cast());
                add::<P, H>((x, WIDTH), (w, STEPS * PANEL_BYTES, PANEL_BYTES));
            }
            // Behind the last run both point nowhere, and are not read.
            x = x.wrapping_add(job.tap_stride);
            w = w.wrapping_add((whole * STEPS + steps) * stride);
        }
        take::<P, H>(near);
    }
}

/// Adds the products of 64 bytes of rows, so far apart, and 16 steps of weights, so far apart, the second panel of
/// which begins so many bytes behind the first.
///
/// # Safety
///
/// As [`product`], and all that is there.
#[inline(always)]
unsafe fn add<const P: usize, const H: usize>(
    (x, x_stride): (*const u8, usize),
    (w, apart, w_stride): (*const u8, usize, usize),
) {
    // SAFETY: the caller vouches for what is read.
    unsafe {
        asm!(
            "tileloadd tmm6, [{w} + {w_stride}*1]",
            "tileloadd tmm4, [{x} + {x_stride}*1]",
            "tdpbssd tmm0, tmm4, tmm6",
            x = in(reg) x, x_stride = in(reg) x_stride, w = in(reg) w, w_stride = in(reg) w_stride,
            options(readonly, nostack, preserves_flags),
        );
        if P == 2 {
            asm!(
                "tileloadd tmm7, [{w} + {w_stride}*1]",
                "tdpbssd tmm1, tmm4, tmm7",
                w = in(reg) w.add(apart), w_stride = in(reg) w_stride,
                options(readonly, nostack, preserves_flags),
            );
        }
        if H == 2 {
            asm!(
                "tileloadd tmm5, [{x} + {x_stride}*1]",
                "tdpbssd tmm2, tmm5, tmm6",
                x = in(reg) x.add(ROWS * x_stride), x_stride = in(reg) x_stride,
                options(readonly, nostack, preserves_flags),
            );
        }
        if P == 2 && H == 2 {
            asm!("tdpbssd tmm3, tmm5, tmm7", options(nomem, nostack, preserves_flags));
        }
    }
}

/// Writes sums to memory.
///
/// # Safety
///
/// As [`product`].
#[inline(always)]
unsafe fn take<const P: usize, const H: usize>(near: &mut Near) {
    let stride = size_of::<[i32; LANES]>();
    let [first, second] = &mut near.sums;
    // SAFETY: a tile writes no more than its half of the rows of a panel.
    unsafe {
        asm!(
            "tilestored [{y} + {stride}*1], tmm0",
            y = in(reg) first.as_mut_ptr(), stride = in(reg) stride,
            options(nostack, preserves_flags),
        );
        if P == 2 {
            asm!(
                "tilestored [{y} + {stride}*1], tmm1",
                y = in(reg) second.as_mut_ptr(), stride = in(reg) stride,
                options(nostack, preserves_flags),
            );
        }
        if H == 2 {
            asm!(
                "tilestored [{y} + {stride}*1], tmm2",
                y = in(reg) first.as_mut_ptr().add(ROWS), stride = in(reg) stride,
                options(nostack, preserves_flags),
            );
        }
        if P == 2 && H == 2 {
            asm!(
                "tilestored [{y} + {stride}*1], tmm3",
                y = in(reg) second.as_mut_ptr().add(ROWS), stride = in(reg) stride,
                options(nostack, preserves_flags),
            );
        }
    }
}

/// Rounds of products of tiles, and how many multiply-adds those were, for [`peak`](crate::fast::peak).
///
/// # Safety
///
/// The machine has AMX for bytes, and this process may use it.
pub(in crate::fast) unsafe fn peak(rounds: u64) -> u64 {
    // SAFETY: the caller vouches for the machine; only tiles change.
    unsafe {
        shape(2 * ROWS);
        asm!("tilezero tmm4", "tilezero tmm6", options(nomem, nostack, preserves_flags));
        for _ in 0..rounds {
            asm!(
                "tdpbssd tmm0, tmm4, tmm6",
                "tdpbssd tmm1, tmm4, tmm6",
                "tdpbssd tmm2, tmm4, tmm6",
                "tdpbssd tmm3, tmm4, tmm6",
                options(nomem, nostack, preserves_flags),
            );
        }
        asm!("tilerelease", options(nomem, nostack, preserves_flags));
    }
    rounds * 4 * (ROWS * LANES * WIDTH) as u64
}

/// What becomes of the sums of a panel, and of the one beside it.
///
/// # Safety
///
/// As [`product`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn finish(
    job: &Integer<'_>,
    (row, count): (usize, usize),
    panel: usize,
    near: &Near,
    store: &mut Store<'_>,
) {
    let panels = panel..job.panels().count().min(panel + 2);
    for (panel, sums) in panels.zip(&near.sums) {
        let (some, rest) = sums[..count].as_chunks::<4>();
        // SAFETY: the panel has its biases, and the rows and outputs exist.
        unsafe {
            let bias = _mm512_loadu_si512(job.signed.as_ptr().add(panel * LANES).cast());
            for (i, sums) in some.iter().enumerate() {
                put(biased(sums, bias), job, row + 4 * i, panel, store);
            }
            for (i, sum) in rest.iter().enumerate() {
                put(biased(&[*sum], bias), job, row + 4 * some.len() + i, panel, store);
            }
        }
    }
}
