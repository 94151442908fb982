//! Products of integers: bytes are multiplied four at a time by VNNI, words two at a time.

#![allow(
    clippy::needless_range_loop,
    reason = "sums are picked by counters of fixed length, so that they stay in registers"
)]
#![allow(
    unsafe_code,
    reason = "vector instructions and pointers into matrices whose size was checked"
)]

use core::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_dpbusd_epi32, _mm512_dpwssd_epi32, _mm512_loadu_si512,
    _mm512_set1_epi8, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_xor_si512,
};

use super::{by_rows, narrow, sums::put, tiles};
use crate::fast::{
    level::Proof,
    panels::{LANES, PANEL_BYTES, STEP_BYTES},
    tile::{Integer, Numbers, ROWS, Store},
};

/// Words.
const WORDS: u8 = 0;
/// Bytes as they are.
const BYTES: u8 = 1;
/// Bytes whose sign was moved away.
const SHIFTED: u8 = 2;

/// # Safety
///
/// The machine has AVX-512 with VNNI and what else `proof` says, and the slices are as long as the job says.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::fast) unsafe fn integer(job: &Integer<'_>, store: &mut Store<'_>, proof: Proof) {
    // SAFETY: the caller vouches for what `products` needs.
    unsafe {
        match job.numbers {
            Numbers::Bytes if job.shifted => products::<SHIFTED>(job, store),
            Numbers::Bytes if proof.tiles && tiles::suit(job) => tiles::rows(job, store),
            Numbers::Bytes => products::<BYTES>(job, store),
            Numbers::Words => products::<WORDS>(job, store),
        }
    }
}

/// # Safety
///
/// As [`integer`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn products<const KIND: u8>(job: &Integer<'_>, store: &mut Store<'_>) {
    if job.rows > 1 && narrow::suits(job) {
        // SAFETY: the caller vouches for the lengths.
        return unsafe { narrow::rows::<KIND>(job, store) };
    }
    let panels = job.panels().count();
    if job.rows == 1 {
        let mut panel = 0;
        // SAFETY: every tile stays within the panels, and the caller vouches for the lengths.
        unsafe {
            while panel < panels {
                panel += match job.panels().beside(panel) {
                    8.. => integer_row::<8, 1, KIND>(job, panel, store),
                    4.. => integer_row::<4, 2, KIND>(job, panel, store),
                    2.. => integer_row::<2, 4, KIND>(job, panel, store),
                    _ => integer_row::<1, 4, KIND>(job, panel, store),
                };
            }
        }
        return;
    }
    // SAFETY: the caller vouches for the same.
    unsafe { rows::<KIND>(job, store) }
}

/// Several rows. By itself, because it needs much of the stack, which takes time where a single row does not.
///
/// # Safety
///
/// As [`integer`].
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn rows<const KIND: u8>(job: &Integer<'_>, store: &mut Store<'_>) {
    let (panels, window) = (job.panels().count(), job.taps * job.bytes);
    if KIND == BYTES && window * panels >= WORTH {
        // SAFETY: the caller vouches for the same.
        unsafe {
            match window {
                ..=128 => return shifted::<{ 128 + APART }>(job, store),
                129..=1024 => return shifted::<{ 1024 + APART }>(job, store),
                1025..=4096 => return shifted::<{ 4096 + APART }>(job, store),
                _ => {}
            }
        }
    }
    for panel in (0..panels).step_by(2) {
        for row in (0..job.rows).step_by(ROWS) {
            // SAFETY: the row and the panel exist; the caller vouches for the lengths.
            unsafe { integer_tiles::<KIND>(job, row, panel, store) };
        }
    }
}

/// Bytes between two windows that are copied, so that they do not meet in the same places of a cache.
const APART: usize = 64;
/// Bytes of a window times panels that it meets, from which on a copy saves more than it takes.
const WORTH: usize = 1024;
/// Bytes of weights that all rows meet one after the other: a quarter of the second memory, about.
pub(super) const NEAR: usize = 1 << 18;

/// The windows of a tile, with their signs moved away.
#[repr(align(64))]
struct Windows<const N: usize>([[u8; N]; ROWS]);

/// Rows of bytes: the windows of a tile are copied with their signs moved away, once for many panels.
///
/// # Safety
///
/// As [`integer`].
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn shifted<const N: usize>(job: &Integer<'_>, store: &mut Store<'_>) {
    let mut windows = Windows([[0; N]; ROWS]);
    let panels = job.panels().count();
    let bytes = (job.taps * job.bytes).next_multiple_of(STEP_BYTES);
    let pairs = (NEAR / (2 * bytes / STEP_BYTES * PANEL_BYTES)).max(1);
    for first in (0..panels).step_by(2 * pairs) {
        for row in (0..job.rows).step_by(ROWS) {
            let rows = ROWS.min(job.rows - row);
            for (m, window) in windows.0[..rows].iter_mut().enumerate() {
                shift(job, row + m, window);
            }
            let x = windows.0.as_flattened();
            let tile = Integer { x, x_stride: N, rows, taps: 1, bytes, ..*job };
            let (_, mut store) = store.all().split(row * job.y_stride, 0);
            for panel in (first..panels.min(first + 2 * pairs)).step_by(2) {
                // SAFETY: the rows of the tile were just copied, and the panels are those of the job.
                unsafe { integer_tiles::<SHIFTED>(&tile, 0, panel, &mut store) };
            }
        }
    }
}

/// The window of a row in one piece, with 128 added to each byte.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn shift(job: &Integer<'_>, row: usize, window: &mut [u8]) {
    let runs = window.chunks_exact_mut(job.bytes).take(job.taps);
    for (tap, to) in runs.enumerate() {
        let from = &job.x[row * job.x_stride + tap * job.tap_stride..][..job.bytes];
        let (to, to_rest) = to.as_chunks_mut::<PANEL_BYTES>();
        let (from, from_rest) = from.as_chunks::<PANEL_BYTES>();
        to.iter_mut().zip(from).for_each(|(to, x)| *to = x.map(|x| x ^ 0x80));
        to_rest.iter_mut().zip(from_rest).for_each(|(to, x)| *to = x ^ 0x80);
    }
}

/// A tile of as many rows and panels as there are from these on.
///
/// # Safety
///
/// As [`integer`], and the row and the panel exist.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn integer_tiles<const KIND: u8>(
    job: &Integer<'_>,
    row: usize,
    panel: usize,
    store: &mut Store<'_>,
) {
    // SAFETY: the caller vouches for the same.
    unsafe {
        if panel + 1 < job.panels().count() {
            by_rows!(job.rows - row, integer_tile::<2, KIND>, job, row, panel, store);
        } else {
            by_rows!(job.rows - row, integer_tile::<1, KIND>, job, row, panel, store);
        }
    }
}

/// One row, `P` panels, `U` steps in flight. Returns `P`.
///
/// # Safety
///
/// As [`integer`], and the panels exist.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn integer_row<const P: usize, const U: usize, const KIND: u8>(
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
        let (first, stride) = job.panels().place(panel);
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
                    let x = broadcast::<KIND>(x);
                    for p in 0..P {
                        let w = w.add((i + u) * stride + p * PANEL_BYTES);
                        sums[u][p] = multiply::<KIND>(sums[u][p], x, _mm512_loadu_si512(w.cast()));
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
                let x = broadcast::<KIND>(x);
                for p in 0..P {
                    let w = w.add(i * stride + p * PANEL_BYTES);
                    sums[0][p] = multiply::<KIND>(sums[0][p], x, _mm512_loadu_si512(w.cast()));
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
            put([sums[0][p]], job, 0, panel + p, store);
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
pub(super) unsafe fn integer_tile<const M: usize, const P: usize, const KIND: u8>(
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
        let (first, stride) = job.panels().place(panel);
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
                    let x = broadcast::<KIND>(x);
                    for p in 0..P {
                        sums[m][p] = multiply::<KIND>(sums[m][p], x, weights[p]);
                    }
                }
            }
            x = x.wrapping_add(job.tap_stride);
            w = w.wrapping_add(whole * stride);
        }
        if whole < steps {
            let rest = rest::<M>(job, row);
            for m in 0..M {
                let x = broadcast::<KIND>(rest[m]);
                for p in 0..P {
                    let w = w.add(p * PANEL_BYTES);
                    sums[m][p] = multiply::<KIND>(sums[m][p], x, _mm512_loadu_si512(w.cast()));
                }
            }
        }
        for p in 0..P {
            let mut column = [_mm512_setzero_si512(); M];
            for m in 0..M {
                column[m] = sums[m][p];
            }
            put(column, job, row, panel + p, store);
        }
    }
}

/// For each row what is left behind its last whole step, filled up with zeros.
pub(super) fn rest<const M: usize>(job: &Integer<'_>, row: usize) -> [i32; M] {
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
fn broadcast<const KIND: u8>(x: i32) -> __m512i {
    unsigned::<KIND>(_mm512_set1_epi32(x))
}

/// Bytes with their sign moved away.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn unsigned<const KIND: u8>(x: __m512i) -> __m512i {
    if KIND == BYTES { _mm512_xor_si512(x, _mm512_set1_epi8(i8::MIN)) } else { x }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn multiply<const KIND: u8>(sum: __m512i, x: __m512i, w: __m512i) -> __m512i {
    if KIND == WORDS { _mm512_dpwssd_epi32(sum, x, w) } else { _mm512_dpbusd_epi32(sum, x, w) }
}
