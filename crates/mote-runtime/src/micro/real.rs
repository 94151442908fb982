//! Layers in single precision: a matrix that meets one window of numbers after the other.
#![allow(unsafe_code)]

/// Outputs whose sums run side by side.
pub const GROUP: usize = 4;

/// A matrix of numbers.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// For each group of four outputs its inputs, four numbers each; the last group is padded with
    /// zeros.
    pub weights: &'a [f32],
    /// `(outputs,)`
    pub bias: &'a [f32],
}

/// How the sums of a group are computed: what processors differ in.
pub trait Unit {
    /// Adds to each of four `sums` of zero its products: `group` has four weights for each of `x`.
    fn sum_group(x: &[f32], group: &[f32], sums: &mut [f32; GROUP]);
}

/// One row: `y[o] = bias[o] + Σ x[i] · w[o, i]`.
// Once in flash, and not once for each layer.
#[inline(never)]
pub fn product<U: Unit>(x: &[f32], matrix: &Matrix<'_>, y: &mut [f32]) {
    let mut rest = matrix.weights;
    for (y, bias) in y.chunks_mut(GROUP).zip(matrix.bias.chunks(GROUP)) {
        let (group, others) = rest.split_at(GROUP * x.len());
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
pub struct Fpu;

impl Unit for Fpu {
    #[cfg(all(target_arch = "arm", target_os = "none", target_abi = "eabihf"))]
    fn sum_group(x: &[f32], group: &[f32], sums: &mut [f32; GROUP]) {
        unsafe extern "C" {
            fn mote_fpu_group(sums: *mut f32, w: *const f32, x: *const f32, inputs: usize);
        }
        assert_eq!(group.len(), GROUP * x.len());
        // SAFETY: the routine reads all of `x` and four numbers for each from `group`, which the line
        // above says are there, and writes four sums.
        unsafe { mote_fpu_group(sums.as_mut_ptr(), group.as_ptr(), x.as_ptr(), x.len()) };
    }

    /// What `fpu.s` does, for other machines.
    #[cfg(not(all(target_arch = "arm", target_os = "none", target_abi = "eabihf")))]
    fn sum_group(x: &[f32], group: &[f32], sums: &mut [f32; GROUP]) {
        for (&x, w) in x.iter().zip(group.chunks_exact(GROUP)) {
            for (sum, &w) in sums.iter_mut().zip(w) {
                *sum += x * w;
            }
        }
    }
}

// Bare Arm processors that pass numbers in registers have single precision, which the assembler is
// not told.
#[cfg(all(target_arch = "arm", target_os = "none", target_abi = "eabihf"))]
core::arch::global_asm!(".fpu fpv4-sp-d16", include_str!("fpu.s"), options(raw));
