//! Weights of eight bits for the vectors (Helium, MVE) of a Cortex-M55 or M85.
#![allow(unsafe_code)]

use super::integer::Order;
#[cfg(target_arch = "arm")]
use super::integer::Range;

/// Inputs in a vector; rows are padded to a multiple with zeros.
pub const VECTOR: usize = 16;

/// For each group of four outputs its vectors of inputs: one vector of each output, then the next.
#[derive(Clone, Copy, Debug)]
pub struct Mve;

impl Order for Mve {
    const SCRATCH: usize = 0;

    fn accumulate<'w>(
        x: &[i8],
        weights: &'w [u8],
        outputs: usize,
        sums: &mut [i32],
        _: &mut [i32],
    ) -> &'w [u8] {
        let sums = &mut sums[..outputs.next_multiple_of(4)];
        let (groups, rest) = weights.split_at(sums.len() * x.len().next_multiple_of(VECTOR));
        add_groups(sums, groups, x);
        rest
    }

    #[cfg(target_arch = "arm")]
    fn requantize(sums: &[i32], multiplier: &[i32], range: Range, y: &mut [i8]) {
        let n = y.len().min(sums.len()).min(multiplier.len());
        // SAFETY: the routine reads `n` words of both tables and writes `n` bytes, and all three
        // are at least as long.
        unsafe {
            mote_mve_requantize(sums.as_ptr(), multiplier.as_ptr(), y.as_mut_ptr(), n, &range);
        }
    }
}

// The assembler is not told which processor the compiler builds for.
#[cfg(target_arch = "arm")]
core::arch::global_asm!(".cpu cortex-m55", include_str!("mve.s"), options(raw));

#[cfg(target_arch = "arm")]
unsafe extern "C" {
    fn mote_mve_groups(sums: *mut i32, w: *const u8, x: *const i8, inputs: usize, end: *mut i32);
    fn mote_mve_requantize(
        sums: *const i32,
        multiplier: *const i32,
        y: *mut i8,
        outputs: usize,
        range: *const Range,
    );
}

#[cfg(target_arch = "arm")]
fn add_groups(sums: &mut [i32], groups: &[u8], x: &[i8]) {
    let end = sums.as_mut_ptr_range().end;
    // SAFETY: the routine reads four padded rows from `groups` for each four sums, which is the
    // length that `accumulate` cut off, and of `x` no byte beyond its length.
    unsafe { mote_mve_groups(sums.as_mut_ptr(), groups.as_ptr(), x.as_ptr(), x.len(), end) };
}

/// What `mve.s` does, for machines without these instructions.
#[cfg(not(target_arch = "arm"))]
fn add_groups(sums: &mut [i32], groups: &[u8], x: &[i8]) {
    let group_bytes = 4 * x.len().next_multiple_of(VECTOR);
    for (o, sum) in sums.iter_mut().enumerate() {
        let group = &groups[o / 4 * group_bytes..][..group_bytes];
        for (i, &x) in x.iter().enumerate() {
            let w = group[(i / VECTOR * 4 + o % 4) * VECTOR + i % VECTOR];
            *sum = sum.wrapping_add(i32::from(x) * i32::from(w as i8));
        }
    }
}
