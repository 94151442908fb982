//! The memory that all values of a program share, in words.
#![allow(unsafe_code)]

use core::{ops::Range, slice};

/// What an operation writes, at the words `y`, and what it reads, at `xs`.
///
/// # Panics
///
/// If it writes where it reads: no memory plan says so.
pub fn split<const N: usize>(
    arena: &mut [u32],
    y: Range<usize>,
    xs: [Range<usize>; N],
) -> (&mut [u32], [&[u32]; N]) {
    let (before, rest) = arena.split_at_mut(y.start);
    let (result, after) = rest.split_at_mut(y.end - y.start);
    let (before, after) = (&*before, &*after);
    let read = |x: Range<usize>| {
        if x.end <= y.start { &before[x] } else { &after[x.start - y.end..x.end - y.end] }
    };
    (result, xs.map(read))
}

/// The first `n` bytes of `words`.
#[must_use]
pub fn bytes(words: &[u32], n: usize) -> &[i8] {
    assert!(n <= words.len() * 4);
    // SAFETY: the line above says that they are as long; bytes lie at any address.
    unsafe { slice::from_raw_parts(words.as_ptr().cast(), n) }
}

/// The first `n` bytes of `words`, to be written.
pub fn bytes_mut(words: &mut [u32], n: usize) -> &mut [i8] {
    assert!(n <= words.len() * 4);
    // SAFETY: the line above says that they are as long; bytes lie at any address.
    unsafe { slice::from_raw_parts_mut(words.as_mut_ptr().cast(), n) }
}

/// The words as numbers.
#[must_use]
pub fn reals(words: &[u32]) -> &[f32] {
    // SAFETY: both types have one size and alignment, and all bits are valid.
    unsafe { slice::from_raw_parts(words.as_ptr().cast(), words.len()) }
}

/// The words as numbers, to be written.
pub fn reals_mut(words: &mut [u32]) -> &mut [f32] {
    // SAFETY: both types have one size and alignment, and all bits are valid.
    unsafe { slice::from_raw_parts_mut(words.as_mut_ptr().cast(), words.len()) }
}
