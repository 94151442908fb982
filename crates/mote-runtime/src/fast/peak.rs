//! What this machine can do at best: multiply-adds in registers, and bytes read from a cache.
//!
//! A profiler times these to say how far kernels are from the limit. They compute nothing useful.

#![allow(
    unsafe_code,
    reason = "functions are called that need instructions which the level proves"
)]

use core::hint::black_box;

use super::Level;

/// Sums that are in flight at once: more than any processor needs to hide the time of one step.
#[cfg(target_arch = "x86_64")]
const CHAINS: usize = 12;

/// Does at least `rounds` independent rounds of multiply-adds on registers, of bytes or of real
/// numbers, and tells how many multiply-adds that were.
#[must_use]
pub fn multiply_adds(level: Level, bytes: bool, rounds: u64) -> u64 {
    match (level, bytes) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves the instructions.
        (Level::Avx512(_), true) if level.tiles() => unsafe { super::x86::tiles_peak(rounds) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: likewise.
        (Level::Avx512(_), true) => unsafe { avx512_bytes(rounds) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: likewise.
        (Level::Avx512(_), false) => unsafe { avx512_real(rounds) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: likewise.
        (Level::Avx2(_), true) => unsafe { avx2_bytes(rounds) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: likewise.
        (Level::Avx2(_), false) => unsafe { avx2_real(rounds) },
        _ => plain(rounds),
    }
}

/// Reads all of `bytes` once and returns their sum modulo 2⁶⁴, as words of eight bytes.
#[must_use]
pub fn read(level: Level, bytes: &[u64]) -> u64 {
    match level {
        // Two loads of AVX2 bring as much in a cycle as one of AVX-512, which implies it.
        #[cfg(target_arch = "x86_64")]
        // SAFETY: both levels prove the instructions.
        Level::Avx512(_) | Level::Avx2(_) => unsafe { read_avx2(bytes) },
        _ => sum(bytes),
    }
}

/// In as many lanes as four registers of any machine have.
#[inline(always)]
fn sum(bytes: &[u64]) -> u64 {
    let mut lanes = [0u64; 32];
    let chunks = bytes.chunks_exact(32);
    let rest = chunks.remainder().iter().fold(0u64, |sum, x| sum.wrapping_add(*x));
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = lane.wrapping_add(*x);
        }
    }
    lanes.iter().fold(rest, |sum, x| sum.wrapping_add(*x))
}

/// Eight lanes of `f32`, as the plain kernels have them.
fn plain(rounds: u64) -> u64 {
    let (x, y) = (black_box([1.0f32; 8]), black_box([0.5f32; 8]));
    // As many as fit the sixteen registers of the least machine.
    let mut sums = [[0.0f32; 8]; 5];
    for _ in 0..rounds {
        for sum in &mut sums {
            for i in 0..8 {
                sum[i] = sum[i] * y[i] + x[i];
            }
        }
    }
    black_box(sums);
    rounds * 5 * 8
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use core::arch::{
        asm,
        x86_64::{
            _mm256_add_epi32, _mm256_fmadd_ps, _mm256_madd_epi16, _mm256_set1_epi16,
            _mm256_set1_ps, _mm256_setzero_ps, _mm256_setzero_si256, _mm512_dpbusd_epi32,
            _mm512_fmadd_ps, _mm512_set1_epi8, _mm512_set1_ps, _mm512_setzero_ps,
            _mm512_setzero_si512,
        },
    };

    use super::{CHAINS, black_box, sum};

    /// # Safety
    ///
    /// The machine has AVX-512 F.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512_real(rounds: u64) -> u64 {
        let (x, y) = (_mm512_set1_ps(black_box(1.0)), _mm512_set1_ps(black_box(0.5)));
        let mut sums = [_mm512_setzero_ps(); CHAINS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, y, x);
            }
        }
        black_box(sums);
        rounds * CHAINS as u64 * 16
    }

    /// # Safety
    ///
    /// The machine has AVX-512 F and VNNI.
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) unsafe fn avx512_bytes(rounds: u64) -> u64 {
        let (mut x, y) = (_mm512_set1_epi8(black_box(1)), _mm512_set1_epi8(black_box(3)));
        let mut sums = [_mm512_setzero_si512(); CHAINS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_dpbusd_epi32(*sum, x, y);
            }
            // Products of constants would be summed beforehand.
            // SAFETY: nothing is done.
            unsafe {
                asm!("/* {0} */", inout(zmm_reg) x, options(nomem, nostack, preserves_flags));
            };
        }
        black_box(sums);
        rounds * CHAINS as u64 * 64
    }

    /// # Safety
    ///
    /// The machine has AVX2 and FMA.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2_real(rounds: u64) -> u64 {
        let (x, y) = (_mm256_set1_ps(black_box(1.0)), _mm256_set1_ps(black_box(0.5)));
        let mut sums = [_mm256_setzero_ps(); CHAINS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, y, x);
            }
        }
        black_box(sums);
        rounds * CHAINS as u64 * 8
    }

    /// # Safety
    ///
    /// The machine has AVX2.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2_bytes(rounds: u64) -> u64 {
        let y = _mm256_set1_epi16(black_box(3));
        let mut sums = [_mm256_setzero_si256(); CHAINS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(*sum, y));
            }
        }
        black_box(sums);
        rounds * CHAINS as u64 * 16
    }

    /// # Safety
    ///
    /// The machine has AVX2.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn read_avx2(bytes: &[u64]) -> u64 {
        sum(bytes)
    }
}

#[cfg(target_arch = "x86_64")]
use x86::{avx2_bytes, avx2_real, avx512_bytes, avx512_real, read_avx2};

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn every_level_reads_all_bytes() {
        let words: Vec<u64> = (0..1003).map(|i| i * 0x0101_0101_0101).collect();
        let wanted = words.iter().fold(0u64, |sum, x| sum.wrapping_add(*x));
        for level in Level::available() {
            assert_eq!(read(level, &words), wanted);
            assert!(multiply_adds(level, true, 10) >= 10 && multiply_adds(level, false, 10) >= 10);
        }
    }
}
