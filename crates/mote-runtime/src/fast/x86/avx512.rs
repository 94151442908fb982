//! AVX-512: what products of real numbers and of integers share.

#![allow(unsafe_code, reason = "vector instructions that store what the caller vouches for")]

mod functions;
mod integer;
mod narrow;
mod real;
mod sums;
mod tiles;

use core::arch::x86_64::{
    __m128i, __m512, _mm_mask_storeu_epi8, _mm_storel_epi64, _mm_storeu_si32, _mm_storeu_si128,
    _mm_unpackhi_epi64, _mm512_mask_storeu_ps, _mm512_storeu_ps,
};

pub(in crate::fast) use functions::functions;
pub(in crate::fast) use integer::integer;
pub(in crate::fast) use real::real;
pub(in crate::fast) use tiles::peak as tiles_peak;

use crate::fast::panels::LANES;

/// Calls a tile function for the number of rows that are left.
macro_rules! by_rows {
    ($rows:expr, $tile:ident $(::<$($p:tt),*>)?, $($argument:expr),*) => {
        match $rows {
            1 => $tile::<1, $($($p),*)?>($($argument),*),
            2 => $tile::<2, $($($p),*)?>($($argument),*),
            3 => $tile::<3, $($($p),*)?>($($argument),*),
            4 => $tile::<4, $($($p),*)?>($($argument),*),
            5 => $tile::<5, $($($p),*)?>($($argument),*),
            6 => $tile::<6, $($($p),*)?>($($argument),*),
            7 => $tile::<7, $($($p),*)?>($($argument),*),
            _ => $tile::<ROWS, $($($p),*)?>($($argument),*),
        }
    };
}

use by_rows;

/// The lanes of a panel that hold outputs.
fn lanes(outputs: usize, panel: usize) -> u16 {
    match outputs - panel * LANES {
        n @ 0..LANES => (1 << n) - 1,
        _ => u16::MAX,
    }
}

/// Stores the lanes of `mask`, the first ones. Whole registers are stored without it, because a processor lets the
/// next operation have them before they are in the cache.
///
/// # Safety
///
/// The lanes of `mask` lie behind `to`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn store_real(to: *mut f32, mask: u16, real: __m512) {
    // SAFETY: the caller vouches for the lanes.
    unsafe {
        // More ways than these, and the sums of a tile no longer stay in registers.
        if mask == u16::MAX {
            _mm512_storeu_ps(to, real);
        } else {
            _mm512_mask_storeu_ps(to, mask, real);
        }
    }
}

/// The same of bytes, of which some are also whole registers, if shorter ones.
///
/// # Safety
///
/// As [`store_real`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn store_bytes(to: *mut i8, mask: u16, bytes: __m128i) {
    // SAFETY: the caller vouches for the lanes.
    unsafe {
        match mask {
            u16::MAX => _mm_storeu_si128(to.cast(), bytes),
            0xF => _mm_storeu_si32(to.cast(), bytes),
            0xFF => _mm_storel_epi64(to.cast(), bytes),
            0xFFF => {
                _mm_storel_epi64(to.cast(), bytes);
                _mm_storeu_si32(to.add(8).cast(), _mm_unpackhi_epi64(bytes, bytes));
            }
            _ => _mm_mask_storeu_epi8(to, mask, bytes),
        }
    }
}
