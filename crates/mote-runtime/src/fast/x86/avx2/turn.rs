//! Tiles of eight rows, whose numbers change places from register to register.

#![allow(unsafe_code, reason = "functions that need instructions which the level proves")]

use core::arch::x86_64::{
    __m128i, __m256, _mm_unpackhi_epi16, _mm_unpackhi_epi32, _mm_unpacklo_epi8, _mm_unpacklo_epi16,
    _mm_unpacklo_epi32, _mm256_permute2f128_ps, _mm256_shuffle_ps, _mm256_unpackhi_ps,
    _mm256_unpacklo_ps,
};

use bytemuck::cast;

use crate::fast::{
    Level,
    turn::{TILE, starts},
};

/// As [`turn_real`](crate::fast::turn_real), where there are [`TILE`] rows and columns at least.
///
/// # Panics
///
/// If the level is none of x86-64, or as there.
pub(in crate::fast) fn turned_real(level: Level, x: &[f32], sizes: [usize; 2], y: &mut [f32]) {
    assert!(matches!(level, Level::Avx2(_) | Level::Avx512(_)), "{level:?}");
    // SAFETY: the level proves the instructions.
    unsafe { real(x, sizes, y) }
}

/// The same of bytes.
///
/// # Panics
///
/// As [`turned_real`].
pub(in crate::fast) fn turned_bytes(level: Level, x: &[i8], sizes: [usize; 2], y: &mut [i8]) {
    assert!(matches!(level, Level::Avx2(_) | Level::Avx512(_)), "{level:?}");
    // SAFETY: the level proves the instructions.
    unsafe { bytes(x, sizes, y) }
}

#[target_feature(enable = "avx2")]
fn real(x: &[f32], [rows, columns]: [usize; 2], y: &mut [f32]) {
    for i in starts(rows) {
        for j in starts(columns) {
            let mut tile = [[0.0; TILE]; TILE];
            for (k, row) in tile.iter_mut().enumerate() {
                row.copy_from_slice(&x[(i + k) * columns + j..][..TILE]);
            }
            for (k, row) in turned_tile(tile).iter().enumerate() {
                y[(j + k) * rows + i..][..TILE].copy_from_slice(row);
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn turned_tile(tile: [[f32; TILE]; TILE]) -> [[f32; TILE]; TILE] {
    let r: [__m256; TILE] = cast(tile);
    // Pairs of rows, number by number.
    let [mut low, mut high] = [[r[0]; 4]; 2];
    for k in 0..4 {
        low[k] = _mm256_unpacklo_ps(r[2 * k], r[2 * k + 1]);
        high[k] = _mm256_unpackhi_ps(r[2 * k], r[2 * k + 1]);
    }
    // Four rows of each column; a register holds column `c` and column `c + 4`.
    let [mut first, mut last] = [[r[0]; 4]; 2];
    for (k, four) in [&mut first, &mut last].into_iter().enumerate() {
        let (low, high) = (&low[2 * k..], &high[2 * k..]);
        *four = [
            _mm256_shuffle_ps::<0b01_00_01_00>(low[0], low[1]),
            _mm256_shuffle_ps::<0b11_10_11_10>(low[0], low[1]),
            _mm256_shuffle_ps::<0b01_00_01_00>(high[0], high[1]),
            _mm256_shuffle_ps::<0b11_10_11_10>(high[0], high[1]),
        ];
    }
    let mut turned = r;
    for c in 0..4 {
        turned[c] = _mm256_permute2f128_ps::<0x20>(first[c], last[c]);
        turned[c + 4] = _mm256_permute2f128_ps::<0x31>(first[c], last[c]);
    }
    cast(turned)
}

#[target_feature(enable = "avx2")]
fn bytes(x: &[i8], [rows, columns]: [usize; 2], y: &mut [i8]) {
    for i in starts(rows) {
        for j in starts(columns) {
            let mut tile = [[0i8; 16]; TILE];
            for (k, row) in tile.iter_mut().enumerate() {
                row[..TILE].copy_from_slice(&x[(i + k) * columns + j..][..TILE]);
            }
            for (k, row) in turned_bytes_of(tile).as_chunks::<TILE>().0.iter().enumerate() {
                y[(j + k) * rows + i..][..TILE].copy_from_slice(row);
            }
        }
    }
}

/// The columns of eight bytes each, two in each register, of rows that fill one half of theirs.
#[inline]
#[target_feature(enable = "avx2")]
fn turned_bytes_of(tile: [[i8; 16]; TILE]) -> [i8; TILE * TILE] {
    let r: [__m128i; TILE] = cast(tile);
    let pair = |k: usize| _mm_unpacklo_epi8(r[2 * k], r[2 * k + 1]);
    let (a, b, c, d) = (pair(0), pair(1), pair(2), pair(3));
    let four = [_mm_unpacklo_epi16(a, b), _mm_unpackhi_epi16(a, b)];
    let last = [_mm_unpacklo_epi16(c, d), _mm_unpackhi_epi16(c, d)];
    cast([
        _mm_unpacklo_epi32(four[0], last[0]),
        _mm_unpackhi_epi32(four[0], last[0]),
        _mm_unpacklo_epi32(four[1], last[1]),
        _mm_unpackhi_epi32(four[1], last[1]),
    ])
}
