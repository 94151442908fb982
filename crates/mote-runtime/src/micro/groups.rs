//! Groups of four-bit weights, in chunks that fit the scratch of a kernel.

/// Inputs in a group, at most.
pub const GROUP: usize = 32;
/// Words of scratch for the inputs of a chunk.
pub const CHUNK_WORDS: usize = 64;

/// The lengths of the groups of the next chunk, and the weights behind them.
///
/// A chunk begins with a byte with their number, and a byte with the length of each, padded to a
/// whole word.
#[must_use]
pub fn next_chunk(weights: &[u8]) -> (&[u8], &[u8]) {
    let groups = usize::from(weights[0]);
    (&weights[1..=groups], &weights[(groups + 1).next_multiple_of(4)..])
}
