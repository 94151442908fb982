//! Weights of four bits for the DSP instructions of a Cortex-M4, M7 or M33.
#![allow(unsafe_code)]

use super::{
    groups::{CHUNK_WORDS, next_chunk},
    integer::Order,
};

/// Inputs in a block; groups are padded to a multiple.
pub const BLOCK: usize = 8;

/// Words of scratch for a group of `inputs`: its beginning, its number of blocks, and those.
#[must_use]
pub const fn group_words(inputs: usize) -> usize {
    2 + 4 * inputs.div_ceil(BLOCK)
}

/// For each tile of outputs its chunks, for each chunk its pairs of outputs, as `dsp4.s` reads them.
#[derive(Clone, Copy, Debug)]
pub struct Dsp4;

impl Order for Dsp4 {
    const SCRATCH: usize = CHUNK_WORDS;

    fn accumulate<'w>(
        mut x: &[i8],
        mut weights: &'w [u8],
        outputs: usize,
        sums: &mut [i32],
        scratch: &mut [i32],
    ) -> &'w [u8] {
        let sums = &mut sums[..outputs.next_multiple_of(2)];
        while !x.is_empty() {
            let (lengths, behind) = next_chunk(weights);
            let mut words = 0;
            for &length in lengths {
                let (group, others) = x.split_at(length.into());
                let end = words + group_words(group.len());
                widen(group, &mut scratch[words..end]);
                (x, words) = (others, end);
            }
            // Two words for the four of a block, and one for the two that begin a group.
            let (pairs, rest) = behind.split_at(sums.len() / 2 * 2 * words);
            add_pairs(sums, pairs, &scratch[..words]);
            weights = rest;
        }
        weights
    }
}

/// A group of inputs as pairs: of odd ones, and of `16 · even - odd`.
fn widen(x: &[i8], widened: &mut [i32]) {
    let mut even = 0;
    let both = |low: i32, high: i32| (low & 0xFFFF) | (high << 16);
    for (x, pairs) in x.chunks(BLOCK).zip(widened[2..].chunks_exact_mut(4)) {
        let mut all = [0; BLOCK];
        for (all, &x) in all.iter_mut().zip(x) {
            *all = i32::from(x);
        }
        let [a, b, c, d, e, f, g, h] = all;
        pairs[0] = both(b, f);
        pairs[1] = both(16 * a - b, 16 * e - f);
        pairs[2] = both(d, h);
        pairs[3] = both(16 * c - d, 16 * g - h);
        even += a + c + e + g;
    }
    widened[0] = -128 * even;
    widened[1] = (widened.len() / 4) as i32;
}

#[cfg(target_arch = "arm")]
core::arch::global_asm!(include_str!("dsp4.s"), options(raw));

#[cfg(target_arch = "arm")]
fn add_pairs(sums: &mut [i32], pairs: &[u8], x: &[i32]) {
    unsafe extern "C" {
        fn mote_dsp4_pairs(
            sums: *mut i32,
            w: *const u8,
            x: *const i32,
            x_end: *const i32,
            end: *mut i32,
        );
    }
    let (x, end) = (x.as_ptr_range(), sums.as_mut_ptr_range().end);
    // SAFETY: for each pair of sums the routine reads from `pairs` two words for each block of `x`
    // and one for each group, which is the length that `accumulate` cut off; tables of weights begin
    // at a multiple of four bytes, and every part of them is a multiple of four long.
    unsafe { mote_dsp4_pairs(sums.as_mut_ptr(), pairs.as_ptr(), x.start, x.end, end) };
}

/// What `dsp4.s` does, for machines without these instructions.
#[cfg(not(target_arch = "arm"))]
fn add_pairs(sums: &mut [i32], pairs: &[u8], x: &[i32]) {
    let half = |word: i32, i: usize| if i == 0 { i32::from(word as i16) } else { word >> 16 };
    let word = |at: usize| [0, 1, 2, 3].map(|i| pairs[4 * at + i]);
    let pair_words = pairs.len() / (2 * sums.len());
    for (o, sum) in sums.iter_mut().enumerate() {
        let (mut x, mut at) = (x, o / 2 * pair_words);
        while let [start, blocks, rest @ ..] = x {
            let mut scaled = *start;
            let (group, others) = rest.split_at(4 * *blocks as usize);
            for pair in group.chunks_exact(4) {
                let w = word(at + o % 2).map(|w| i32::from(w as i8));
                for (i, byte) in [(0, 0), (2, 1), (0, 2), (2, 3)] {
                    let (odd, even) = (half(pair[i], byte / 2), half(pair[i + 1], byte / 2));
                    scaled += w[byte] * odd + (w[byte] & 15) * even;
                }
                at += 2;
            }
            let factors = u32::from_le_bytes(word(at));
            let factor = (factors >> (16 * (o % 2)) & 0xFFFF) as i32;
            *sum = sum.wrapping_add(factor * (scaled >> 4));
            (x, at) = (others, at + 1);
        }
    }
}
