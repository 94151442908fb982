//! AVX2 with FMA: a panel is two registers; bytes are widened to words and multiplied in pairs.

mod integer;
mod real;
mod turn;

use core::arch::x86_64::{
    __m128i, __m256i, _mm_packs_epi16, _mm256_castsi256_si128, _mm256_extracti128_si256,
    _mm256_packs_epi32, _mm256_permute4x64_epi64,
};

pub(in crate::fast) use integer::integer;
pub(in crate::fast) use real::real;
pub(in crate::fast) use turn::{turned_bytes, turned_real};

/// Numbers in a register.
const WIDTH: usize = 8;

/// Sixteen numbers as bytes, in their order; what is beyond a byte becomes its end.
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::fast) fn narrowed(first: __m256i, second: __m256i) -> __m128i {
    // Packed, the quarters come out as 0 2 1 3.
    let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(first, second));
    _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words))
}
