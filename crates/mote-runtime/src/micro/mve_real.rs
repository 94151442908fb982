//! Layers in single precision on the vectors (Helium, MVE) of a Cortex-M55 or M85 with floating point.
#![allow(unsafe_code)]

use super::real::{GROUP, Unit};

/// Four sums in a vector.
#[derive(Clone, Copy, Debug)]
pub struct MveReal;

impl Unit for MveReal {
    #[cfg(target_arch = "arm")]
    fn sum_group(x: &[f32], group: &[f32], sums: &mut [f32; GROUP]) {
        unsafe extern "C" {
            fn mote_mve_real_group(sums: *mut f32, w: *const f32, x: *const f32, inputs: usize);
        }
        assert_eq!(group.len(), GROUP * x.len());
        // SAFETY: the routine reads all of `x` and four numbers for each from `group`, which the line
        // above says are there, and writes four sums.
        unsafe { mote_mve_real_group(sums.as_mut_ptr(), group.as_ptr(), x.as_ptr(), x.len()) };
    }

    /// What `mve_real.s` does but for its roundings, for machines without these instructions.
    #[cfg(not(target_arch = "arm"))]
    fn sum_group(x: &[f32], group: &[f32], sums: &mut [f32; GROUP]) {
        super::real::Fpu::sum_group(x, group, sums);
    }
}

// The assembler is not told which processor the compiler builds for.
#[cfg(target_arch = "arm")]
core::arch::global_asm!(".cpu cortex-m55", include_str!("mve_real.s"), options(raw));
