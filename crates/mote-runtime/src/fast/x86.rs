//! Products on x86-64, with AVX2 and with AVX-512.
//!
//! A tile of rows and panels keeps its sums in registers while it runs along the windows once. With
//! one row, several panels (or several steps) are in flight, so that sums do not wait for each other.

#![allow(unsafe_code, reason = "the processor is told what will be read")]

mod avx2;
mod avx512;

use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

pub(super) use avx2::{integer as integer_avx2, narrowed, real as real_avx2};
pub(super) use avx512::{
    functions as functions_avx512, integer as integer_avx512, real as real_avx512,
};

/// Weights of a layer from so many bytes on do not stay in the second cache of any processor. A single row
/// reads them but once, so that the next ones are [asked for](ask_ahead) in time: a processor looks ahead
/// itself, but not beyond a page.
const FAR: usize = 1 << 22;
/// Bytes between the weights that are multiplied and those that are asked for: a page.
const AHEAD: usize = 4096;

/// Asks for the weights [`AHEAD`] of these. Behind the last ones nothing is read, and nothing goes wrong.
#[inline(always)]
fn ask_ahead<T>(w: *const T) {
    // SAFETY: asking is allowed for any address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(w.cast::<i8>().wrapping_add(AHEAD)) };
}
