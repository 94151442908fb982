//! Layers whose weights are of half precision: they take half the flash, and widen on the way.
#![allow(unsafe_code)]

/// Outputs whose sums run side by side.
pub const GROUP: usize = 4;

/// A matrix of numbers.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// The bits of two numbers in a word, the first in its low half. For each group of four outputs its
    /// inputs, four numbers each; the last group is padded with zeros.
    pub weights: &'a [u32],
    /// `(outputs,)`
    pub bias: &'a [f32],
}

/// How the sums of a group are computed: what processors differ in.
pub trait Unit {
    /// Adds to each of four `sums` of zero its products: `group` has two words for each of `x`.
    fn sum_group(x: &[f32], group: &[u32], sums: &mut [f32; GROUP]);
}

/// One row: `y[o] = bias[o] + Σ x[i] · w[o, i]`.
// Once in flash, and not once for each layer.
#[inline(never)]
pub fn product<U: Unit>(x: &[f32], matrix: &Matrix<'_>, y: &mut [f32]) {
    let mut rest = matrix.weights;
    for (y, bias) in y.chunks_mut(GROUP).zip(matrix.bias.chunks(GROUP)) {
        let (group, others) = rest.split_at(GROUP / 2 * x.len());
        let mut sums = [0.0; GROUP];
        U::sum_group(x, group, &mut sums);
        for ((y, &bias), &sum) in y.iter_mut().zip(bias).zip(&sums) {
            *y = bias + sum;
        }
        rest = others;
    }
}

/// Single precision of a processor that has it, as fast as one number after the other can be.
#[derive(Clone, Copy, Debug)]
pub struct HalfFpu;

impl Unit for HalfFpu {
    #[cfg(all(target_arch = "arm", target_os = "none", target_abi = "eabihf"))]
    fn sum_group(x: &[f32], group: &[u32], sums: &mut [f32; GROUP]) {
        unsafe extern "C" {
            fn mote_fpu_half_group(sums: *mut f32, w: *const u32, x: *const f32, inputs: usize);
        }
        assert_eq!(group.len(), GROUP / 2 * x.len());
        // SAFETY: the routine reads all of `x` and two words for each from `group`, which the line above
        // says are there, and writes four sums.
        unsafe { mote_fpu_half_group(sums.as_mut_ptr(), group.as_ptr(), x.as_ptr(), x.len()) };
    }

    /// What `half.s` does, for other machines.
    #[cfg(not(all(target_arch = "arm", target_os = "none", target_abi = "eabihf")))]
    fn sum_group(x: &[f32], group: &[u32], sums: &mut [f32; GROUP]) {
        for (&x, w) in x.iter().zip(group.chunks_exact(GROUP / 2)) {
            let w = w.iter().flat_map(|two| [*two as u16, (two >> 16) as u16]);
            for (sum, w) in sums.iter_mut().zip(w) {
                *sum += x * widen(w);
            }
        }
    }
}

// Bare Arm processors that pass numbers in registers have single precision, which the assembler is
// not told.
#[cfg(all(target_arch = "arm", target_os = "none", target_abi = "eabihf"))]
core::arch::global_asm!(".fpu fpv4-sp-d16", include_str!("half.s"), options(raw));

/// The number that has these bits, if it is finite: exactly, those below the least normal one too.
#[inline]
#[must_use]
pub fn widen(half: u16) -> f32 {
    // Exponent and fraction where single precision has them; what is left is how the exponents count.
    const EXPONENTS: f32 = f32::from_bits((127 + 112) << 23);
    let size = f32::from_bits(u32::from(half & 0x7FFF) << 13) * EXPONENTS;
    f32::from_bits(size.to_bits() | u32::from(half & 0x8000) << 16)
}
