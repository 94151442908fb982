//! The square root, by the instruction of processors that have one; rounded once, so the same bits everywhere.
#![allow(unsafe_code)]

// Bare Arm processors that pass numbers in registers have single precision, which the assembler is
// not told.
#[cfg(all(target_arch = "arm", target_os = "none", target_abi = "eabihf"))]
core::arch::global_asm!(".fpu fpv4-sp-d16", include_str!("root.s"), options(raw));

/// `√x`
#[cfg(all(target_arch = "arm", target_os = "none", target_abi = "eabihf"))]
#[must_use]
pub fn sqrt(x: f32) -> f32 {
    unsafe extern "C" {
        fn mote_fpu_sqrt(x: f32) -> f32;
    }
    // SAFETY: the routine touches nothing but its argument.
    unsafe { mote_fpu_sqrt(x) }
}

/// `√x`
#[cfg(not(all(target_arch = "arm", target_os = "none", target_abi = "eabihf")))]
#[must_use]
pub fn sqrt(x: f32) -> f32 {
    libm::sqrtf(x)
}
