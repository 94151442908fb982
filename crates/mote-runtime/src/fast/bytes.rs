//! Tables and sums of bytes on the widest registers, where the compiler finds no good way by itself.

#![allow(
    unsafe_code,
    reason = "vector instructions that the level proves, on memory whose size is asserted"
)]

use super::{Level, elements};
use crate::kernels::quantized::{self, Sum};

/// As [`quantized::quantized_add`].
///
/// # Panics
///
/// If `a` and `b` are not as long as `y`.
pub(super) fn add(level: Level, sum: &Sum, a: &[i8], b: &[i8], y: &mut [i8]) {
    assert!(a.len() == y.len() && b.len() == y.len(), "two bytes for each of `y`");
    #[cfg(target_arch = "x86_64")]
    if let Some(narrow) = sum.narrow() {
        match level {
            // SAFETY: the level proves the instructions, and the lengths were just asserted.
            Level::Avx512(_) => return unsafe { add_avx512(&narrow, a, b, y) },
            // SAFETY: likewise.
            Level::Avx2(_) => return unsafe { add_avx2(&narrow, a, b, y) },
            _ => {}
        }
    }
    elements::add(level, sum, a, b, y);
}

/// # Safety
///
/// The machine has AVX-512 F, BW and VL, and all three have one length.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn add_avx512(sum: &quantized::NarrowSum, a: &[i8], b: &[i8], y: &mut [i8]) {
    use core::arch::x86_64::{
        __m128i, _mm_loadu_si128, _mm_mask_storeu_epi8, _mm_maskz_loadu_epi8, _mm_storeu_si128,
        _mm512_add_epi32, _mm512_cvtepi8_epi32, _mm512_cvtepi32_epi8, _mm512_max_epi32,
        _mm512_min_epi32, _mm512_mullo_epi32, _mm512_set1_epi32, _mm512_srai_epi32,
    };

    const WIDTH: usize = 16;
    let [ma, mb] = sum.factors.map(|factor| _mm512_set1_epi32(factor));
    let (offset, zero) = (_mm512_set1_epi32(sum.offset), _mm512_set1_epi32(sum.zero_point));
    let [low, high] = sum.clamp.map(|bound| _mm512_set1_epi32(bound));
    let added = |a: __m128i, b: __m128i| {
        let a = _mm512_mullo_epi32(_mm512_cvtepi8_epi32(a), ma);
        let b = _mm512_mullo_epi32(_mm512_cvtepi8_epi32(b), mb);
        let steps = _mm512_srai_epi32::<20>(_mm512_add_epi32(_mm512_add_epi32(a, offset), b));
        let steps = _mm512_max_epi32(_mm512_add_epi32(steps, zero), low);
        _mm512_cvtepi32_epi8(_mm512_min_epi32(steps, high))
    };
    let whole = y.len() / WIDTH * WIDTH;
    // SAFETY: whole registers and the mask of the rest lie within all three.
    unsafe {
        for at in (0..whole).step_by(WIDTH) {
            let a = _mm_loadu_si128(a.as_ptr().add(at).cast());
            let b = _mm_loadu_si128(b.as_ptr().add(at).cast());
            _mm_storeu_si128(y.as_mut_ptr().add(at).cast(), added(a, b));
        }
        if whole < y.len() {
            let mask = (1 << (y.len() - whole)) - 1;
            let a = _mm_maskz_loadu_epi8(mask, a.as_ptr().add(whole));
            let b = _mm_maskz_loadu_epi8(mask, b.as_ptr().add(whole));
            _mm_mask_storeu_epi8(y.as_mut_ptr().add(whole), mask, added(a, b));
        }
    }
}

/// # Safety
///
/// The machine has AVX2, and all three have one length.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn add_avx2(sum: &quantized::NarrowSum, a: &[i8], b: &[i8], y: &mut [i8]) {
    use core::arch::x86_64::{
        __m128i, __m256i, _mm_loadu_si128, _mm_srli_si128, _mm_storeu_si128, _mm256_add_epi32,
        _mm256_cvtepi8_epi32, _mm256_max_epi32, _mm256_min_epi32, _mm256_mullo_epi32,
        _mm256_set1_epi32, _mm256_srai_epi32,
    };

    /// Sums of eight bytes, as numbers.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn eight(sum: &quantized::NarrowSum, a: __m128i, b: __m128i) -> __m256i {
        let (a, b) = (_mm256_cvtepi8_epi32(a), _mm256_cvtepi8_epi32(b));
        let a = _mm256_mullo_epi32(a, _mm256_set1_epi32(sum.factors[0]));
        let b = _mm256_mullo_epi32(b, _mm256_set1_epi32(sum.factors[1]));
        let steps = _mm256_add_epi32(_mm256_add_epi32(a, _mm256_set1_epi32(sum.offset)), b);
        let steps = _mm256_srai_epi32::<20>(steps);
        let y = _mm256_add_epi32(steps, _mm256_set1_epi32(sum.zero_point));
        let y = _mm256_max_epi32(y, _mm256_set1_epi32(sum.clamp[0]));
        _mm256_min_epi32(y, _mm256_set1_epi32(sum.clamp[1]))
    }

    const WIDTH: usize = 16;
    let whole = y.len() / WIDTH * WIDTH;
    // SAFETY: whole registers lie within all three.
    unsafe {
        for at in (0..whole).step_by(WIDTH) {
            let a = _mm_loadu_si128(a.as_ptr().add(at).cast());
            let b = _mm_loadu_si128(b.as_ptr().add(at).cast());
            let first = eight(sum, a, b);
            let second = eight(sum, _mm_srli_si128::<8>(a), _mm_srli_si128::<8>(b));
            let bytes = super::x86::narrowed(first, second);
            _mm_storeu_si128(y.as_mut_ptr().add(at).cast(), bytes);
        }
    }
    let rest = a[whole..].iter().zip(&b[whole..]);
    y[whole..].iter_mut().zip(rest).for_each(|(y, (&a, &b))| *y = sum.of(a, b));
}

/// As [`quantized::lookup`].
///
/// # Panics
///
/// If `x` is longer than `y`, or the table has not 256 bytes.
pub(super) fn lookup(level: Level, x: &[i8], table: &[i8], y: &mut [i8]) {
    assert!(x.len() <= y.len() && table.len() == 256, "a byte for each of `x`");
    #[cfg(target_arch = "x86_64")]
    if let Level::Avx512(proof) = level
        && proof.shuffles
    {
        // SAFETY: the level proves the instructions, and the lengths were just asserted.
        return unsafe { lookup_avx512(x, table, y) };
    }
    let _ = level;
    quantized::lookup(x, table, y);
}

/// # Safety
///
/// The machine has AVX-512 F, BW and VBMI, `y` is as long as `x`, and the table has 256 bytes.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
unsafe fn lookup_avx512(x: &[i8], table: &[i8], y: &mut [i8]) {
    use core::arch::x86_64::{
        _mm512_loadu_epi8, _mm512_mask_blend_epi8, _mm512_mask_storeu_epi8,
        _mm512_maskz_loadu_epi8, _mm512_movepi8_mask, _mm512_permutex2var_epi8,
    };

    const WIDTH: usize = 64;
    // A table is four registers, and one instruction looks into two of them.
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

    use mote_format::Quantization;

    use super::*;

    #[test]
    fn sums_are_those_of_the_plain_kernel_at_every_level_and_length() {
        let bytes =
            |step: i32| -> Vec<i8> { (0..300).map(|i| (i * step + 5) as u8 as i8).collect() };
        let (a, b) = (bytes(89), bytes(37));
        let q = |scale, zero_point| Quantization { scale, zero_point };
        // The second needs products of 64 bits, the third is the largest that does not.
        for (one, other, y) in [(0.02, 0.03, 0.05), (9.0, 0.03, 0.05), (4.0, 4.0, 1.0)] {
            let sum = Sum::new([q(one, -128), q(other, 127)], q(y, -3), [-120, 99]);
            for level in Level::available() {
                for length in (0..70).chain([128, 255, 300]) {
                    let (mut wanted, mut found) = (vec![0; length], vec![0; length]);
                    quantized::quantized_add(&sum, &a[..length], &b[..length], &mut wanted);
                    add(level, &sum, &a[..length], &b[..length], &mut found);
                    assert_eq!(found, wanted, "{} {length} of {sum:?}", level.name());
                }
            }
        }
    }

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
