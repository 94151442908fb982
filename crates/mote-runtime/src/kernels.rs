//! What each operation does, in plain `f32`.
//!
//! These are the oracle: short, in the order of the formula, the same bits on every machine.
//! Sums run in eight lanes that are added at the end; that order is part of the definition, and
//! lets compilers use vector registers without changing a result.

mod attention;
mod conv;
mod elementwise;
mod layout;
mod matrix;
mod normalize;
pub mod quantized;

pub use attention::Attention;
pub(crate) use attention::greater;
pub use conv::{Window, conv_transpose1d, conv1d, linear};
pub use elementwise::{affine, binary, clamp, slope, unary, unary_in_place};
pub use layout::{concat, expand, pad, permute, slice};
pub use matrix::{fold, product, unfold};
pub use normalize::{cumulative_sum, layer_norm, reduce, softmax};

const LANES: usize = 8;

/// `Σ a[i] · b[i]` over the shorter of both.
#[inline]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for i in 0..LANES {
            lanes[i] += a[i] * b[i];
        }
    }
    sum_lanes(lanes) + tail
}

/// `√x`, rounded correctly, so that it is the same everywhere. That of `std` becomes the instruction of whatever
/// vectors surround it: another one among those of AVX takes some processors a hundred times as long.
#[inline(always)]
pub(crate) fn sqrt(x: f32) -> f32 {
    #[cfg(feature = "std")]
    return x.sqrt();
    #[cfg(not(feature = "std"))]
    return libm::sqrtf(x);
}

/// The same lanes, through memory: else the compiler takes the pairs that are added last for its vectors, and these
/// are short.
#[inline(always)]
pub(crate) fn whole<const N: usize>(lanes: [f32; N]) -> [f32; N] {
    core::hint::black_box(lanes)
}

#[inline(always)]
pub(crate) fn sum_lanes(l: [f32; LANES]) -> f32 {
    ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
}
