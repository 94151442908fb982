//! Products on x86-64, with AVX2 and with AVX-512.
//!
//! A tile of rows and panels keeps its sums in registers while it runs along the windows once. With
//! one row, several panels (or several steps) are in flight, so that sums do not wait for each other.

mod avx2;
mod avx512;

pub(super) use avx2::{
    integer as integer_avx2, narrowed, real as real_avx2, turned_bytes, turned_real,
};
pub(super) use avx512::{
    functions as functions_avx512, integer as integer_avx512, real as real_avx512, tiles_peak,
};
