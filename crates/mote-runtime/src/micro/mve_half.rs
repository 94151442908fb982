//! Weights of half precision on the vectors (Helium, MVE) of a Cortex-M55 or M85 with floating point.
#![allow(unsafe_code)]

use super::half::{GROUP, Unit};

/// Four sums in a vector.
#[derive(Clone, Copy, Debug)]
pub struct MveHalf;

impl Unit for MveHalf {
    #[cfg(target_arch = "arm")]
    fn sum_group(x: &[f32], group: &[u32], sums: &mut [f32; GROUP]) {
        unsafe extern "C" {
            fn mote_mve_half_group(sums: *mut f32, w: *const u32, x: *const f32, inputs: usize);
        }
        assert_eq!(group.len(), GROUP / 2 * x.len());
        // SAFETY: the routine reads all of `x` and two words for each from `group`, which the line
        // above says are there, and writes four sums.
        unsafe { mote_mve_half_group(sums.as_mut_ptr(), group.as_ptr(), x.as_ptr(), x.len()) };
    }

    /// What `mve_half.s` does but for its roundings, for machines without these instructions.
    #[cfg(not(target_arch = "arm"))]
    fn sum_group(x: &[f32], group: &[u32], sums: &mut [f32; GROUP]) {
        super::half::HalfFpu::sum_group(x, group, sums);
    }
}

// The assembler is not told which processor the compiler builds for.
#[cfg(target_arch = "arm")]
core::arch::global_asm!(".cpu cortex-m55", include_str!("mve_half.s"), options(raw));
