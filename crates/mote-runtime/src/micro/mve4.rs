//! Weights of four bits for the vectors (Helium, MVE) of a Cortex-M55 or M85.
#![allow(unsafe_code)]

use super::{
    groups::{CHUNK_WORDS, GROUP, next_chunk},
    integer::{Order, Range},
    mve::Mve,
};

/// Words of scratch for a group: its beginning, and two vectors.
pub const GROUP_WORDS: usize = 1 + GROUP / 4;
/// Bytes of weights for a group of four outputs: four vectors and as many factors.
const GROUP_BYTES: usize = 4 * GROUP / 2 + 4;

/// For each tile of outputs its chunks, for each chunk its groups of four outputs, as `mve4.s` reads
/// them.
#[derive(Clone, Copy, Debug)]
pub struct Mve4;

impl Order for Mve4 {
    const SCRATCH: usize = CHUNK_WORDS;

    fn accumulate<'w>(
        mut x: &[i8],
        mut weights: &'w [u8],
        outputs: usize,
        sums: &mut [i32],
        scratch: &mut [i32],
    ) -> &'w [u8] {
        let sums = &mut sums[..outputs.next_multiple_of(4)];
        while !x.is_empty() {
            let (lengths, behind) = next_chunk(weights);
            for (&length, words) in lengths.iter().zip(scratch.chunks_exact_mut(GROUP_WORDS)) {
                let (group, others) = x.split_at(length.into());
                split(group, words);
                x = others;
            }
            let (groups, rest) = behind.split_at(sums.len() / 4 * lengths.len() * GROUP_BYTES);
            add_groups(sums, groups, &scratch[..lengths.len() * GROUP_WORDS]);
            weights = rest;
        }
        weights
    }

    fn requantize(sums: &[i32], multiplier: &[i32], range: Range, y: &mut [i8]) {
        Mve::requantize(sums, multiplier, range, y);
    }
}

/// A group of inputs as a vector of even and a vector of odd ones.
fn split(x: &[i8], words: &mut [i32]) {
    let mut sum = 0;
    words.fill(0);
    for (i, pair) in x.chunks(2).enumerate() {
        let put = |word: &mut i32, x: i8| *word |= i32::from(x as u8) << (8 * (i % 4));
        put(&mut words[1 + i / 4], pair[0]);
        put(&mut words[5 + i / 4], pair.get(1).copied().unwrap_or(0));
        sum += i32::from(pair[0]);
    }
    words[0] = -8 * sum;
}

// The assembler is not told which processor the compiler builds for.
#[cfg(target_arch = "arm")]
core::arch::global_asm!(".cpu cortex-m55", include_str!("mve4.s"), options(raw));

#[cfg(target_arch = "arm")]
fn add_groups(sums: &mut [i32], groups: &[u8], x: &[i32]) {
    unsafe extern "C" {
        fn mote_mve4_groups(
            sums: *mut i32,
            w: *const u8,
            x: *const i32,
            groups: usize,
            end: *mut i32,
        );
    }
    let (count, end) = (x.len() / GROUP_WORDS, sums.as_mut_ptr_range().end);
    // SAFETY: for each four sums the routine reads `GROUP_BYTES` from `groups` for each of `count`
    // groups, which is the length that `accumulate` cut off; tables of weights begin at a multiple
    // of four bytes, and every part of them is a multiple of four long.
    unsafe { mote_mve4_groups(sums.as_mut_ptr(), groups.as_ptr(), x.as_ptr(), count, end) };
}

/// What `mve4.s` does, for machines without these instructions.
#[cfg(not(target_arch = "arm"))]
fn add_groups(sums: &mut [i32], groups: &[u8], x: &[i32]) {
    let count = x.len() / GROUP_WORDS;
    let byte = |words: &[i32], i: usize| i32::from((words[i / 4] >> (8 * (i % 4))) as i8);
    for (o, sum) in sums.iter_mut().enumerate() {
        for (g, x) in x.chunks_exact(GROUP_WORDS).enumerate() {
            let group = &groups[(o / 4 * count + g) * GROUP_BYTES..][..GROUP_BYTES];
            let mut total = x[0];
            for i in 0..GROUP / 2 {
                let w = group[o % 4 * GROUP / 2 + i] as i8;
                total +=
                    i32::from(w & 15) * byte(&x[1..], i) + i32::from(w >> 4) * byte(&x[5..], i);
            }
            let factor = i32::from(group[4 * GROUP / 2 + o % 4]);
            *sum = sum.wrapping_add(factor * total);
        }
    }
}
