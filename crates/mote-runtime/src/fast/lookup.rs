//! Tables of bytes, looked up many at once: a table of 256 is four registers of 64, and two
//! instructions look into two of them each.

#![allow(
    unsafe_code,
    reason = "vector instructions that the level proves, on memory whose size is asserted"
)]

use super::Level;
use crate::kernels::quantized;

/// As [`quantized::lookup`].
///
/// # Panics
///
/// If `x` is longer than `y`, or the table has not 256 bytes.
pub(crate) fn lookup(level: Level, x: &[i8], table: &[i8], y: &mut [i8]) {
    assert!(x.len() <= y.len() && table.len() == 256, "a byte for each of `x`");
    #[cfg(target_arch = "x86_64")]
    if let Level::Avx512(proof) = level
        && proof.shuffles
    {
        // SAFETY: the level proves the instructions, and the lengths were just asserted.
        return unsafe { avx512(x, table, y) };
    }
    let _ = level;
    quantized::lookup(x, table, y);
}

/// # Safety
///
/// The machine has AVX-512 F, BW and VBMI, `y` is as long as `x`, and the table has 256 bytes.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
unsafe fn avx512(x: &[i8], table: &[i8], y: &mut [i8]) {
    use core::arch::x86_64::{
        _mm512_loadu_epi8, _mm512_mask_blend_epi8, _mm512_mask_storeu_epi8,
        _mm512_maskz_loadu_epi8, _mm512_movepi8_mask, _mm512_permutex2var_epi8,
    };

    const WIDTH: usize = 64;
    // SAFETY: 256 bytes are four registers; no mask reaches behind the end of `x`, nor of `y`.
    unsafe {
        let part = |i: usize| _mm512_loadu_epi8(table.as_ptr().add(i * WIDTH));
        let (negative, positive) = ([part(0), part(1)], [part(2), part(3)]);
        for start in (0..x.len()).step_by(WIDTH) {
            let mask = u64::MAX >> (WIDTH - WIDTH.min(x.len() - start));
            let x = _mm512_maskz_loadu_epi8(mask, x.as_ptr().add(start));
            // The low seven bits choose; a byte below zero begins its half of the table at -128.
            let below = _mm512_permutex2var_epi8(negative[0], x, negative[1]);
            let above = _mm512_permutex2var_epi8(positive[0], x, positive[1]);
            let y_new = _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), above, below);
            _mm512_mask_storeu_epi8(y.as_mut_ptr().add(start), mask, y_new);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;

    #[test]
    fn every_byte_finds_its_place_at_every_level_and_length() {
        let table: Vec<i8> = (0..256).map(|i| (i * 37 + 11) as u8 as i8).collect();
        let all: Vec<i8> = (0..512).map(|i| (i * 89 + 3) as u8 as i8).collect();
        for level in Level::available() {
            for length in (0..140).chain([255, 256, 257, 512]) {
                let mut wanted = vec![77; length + 1];
                let mut found = wanted.clone();
                quantized::lookup(&all[..length], &table, &mut wanted);
                lookup(level, &all[..length], &table, &mut found);
                assert_eq!(found, wanted, "{} {length}", level.name());
            }
        }
    }
}
