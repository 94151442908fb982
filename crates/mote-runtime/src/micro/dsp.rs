//! Weights of eight bits for the DSP instructions of a Cortex-M4, M7 or M33.
//!
//! `dsp.s` tells how three instructions yield four products. Inputs come in chunks, so that what
//! they are widened to fits a small scratch, and 256 times their sum fits a word.
#![allow(unsafe_code)]

use super::integer::Order;

/// Inputs in a chunk: 256 · 127 · 128 · this stays below 2³¹.
pub const CHUNK: usize = 128;
/// Inputs are padded to a multiple of this, with weights of zero.
pub const BLOCK: usize = 8;

/// For each tile of outputs its chunks of inputs, for each chunk its groups of four outputs, as
/// `dsp.s` reads them. Weights are -127 to 127.
#[derive(Clone, Copy, Debug)]
pub struct Dsp;

impl Order for Dsp {
    const SCRATCH: usize = CHUNK / 2;

    fn accumulate<'w>(
        x: &[i8],
        mut weights: &'w [u8],
        outputs: usize,
        sums: &mut [i32],
        scratch: &mut [i32],
    ) -> &'w [u8] {
        let sums = &mut sums[..outputs.next_multiple_of(4)];
        for x in x.chunks(CHUNK) {
            let words = x.len().next_multiple_of(BLOCK) / 2;
            let widened = &mut scratch[..words];
            widen(x, widened);
            // Four words of start, and two words for each word that was widened.
            let (groups, rest) = weights.split_at(sums.len() / 4 * (16 + 8 * words));
            add_groups(sums, groups, widened);
            weights = rest;
        }
        weights
    }
}

/// Four inputs become the pair of the odd ones, and the pair of `256 · even - odd + 127`.
fn widen(x: &[i8], widened: &mut [i32]) {
    let mut pairs = widened.chunks_exact_mut(2);
    let blocks = x.chunks_exact(4);
    let rest = blocks.remainder();
    for (x, pair) in blocks.zip(&mut pairs) {
        widen_block([x[0], x[1], x[2], x[3]], pair);
    }
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    for pair in pairs {
        widen_block(last, pair);
        last = [0; 4];
    }
}

fn widen_block(x: [i8; 4], pair: &mut [i32]) {
    let [a, b, c, d] = x.map(i32::from);
    let both = |low: i32, high: i32| (low & 0xFFFF) | (high << 16);
    pair[0] = both(b, d);
    pair[1] = both(256 * a - b + 127, 256 * c - d + 127);
}

#[cfg(target_arch = "arm")]
core::arch::global_asm!(include_str!("dsp.s"), options(raw));

#[cfg(target_arch = "arm")]
unsafe extern "C" {
    fn mote_dsp_groups(sums: *mut i32, w: *const u8, x: *const i32, bytes: usize, end: *mut i32);
}

#[cfg(target_arch = "arm")]
fn add_groups(sums: &mut [i32], groups: &[u8], x: &[i32]) {
    let end = sums.as_mut_ptr_range().end;
    debug_assert_eq!(groups.len(), sums.len() / 4 * (16 + 8 * x.len()));
    // SAFETY: the routine reads 16 bytes and two words for each word of `x` from `groups` for each
    // four sums, which is the length that `accumulate` cut off; tables of weights begin at a
    // multiple of four bytes, and every part of them is a multiple of four long.
    unsafe { mote_dsp_groups(sums.as_mut_ptr(), groups.as_ptr(), x.as_ptr(), x.len() * 4, end) };
}

/// What `dsp.s` does, for machines without these instructions.
#[cfg(not(target_arch = "arm"))]
fn add_groups(sums: &mut [i32], groups: &[u8], x: &[i32]) {
    let half = |word: i32, i: usize| if i == 0 { i32::from(word as i16) } else { word >> 16 };
    let word = |at: usize| i32::from_le_bytes([0, 1, 2, 3].map(|i| groups[4 * at + i]));
    let group_words = 4 + 2 * x.len();
    for (o, sum) in sums.iter_mut().enumerate() {
        let first = o / 4 * group_words + o % 4;
        let mut scaled = word(first);
        for (block, pair) in x.chunks_exact(2).enumerate() {
            let w = word(first + 4 + 4 * block);
            for i in 0..2 {
                let both = half(w, i);
                let even = i32::from(both as i8);
                scaled = scaled
                    .wrapping_add(both * half(pair[0], i))
                    .wrapping_add(even * half(pair[1], i));
            }
        }
        *sum = sum.wrapping_add(scaled >> 8);
    }
}
