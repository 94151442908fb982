//! The newest rows of a series, where each new one takes the place of the oldest.

/// Puts the row `x` where the oldest one lies, at `oldest`; where the oldest one lies then.
pub fn push<T: Copy>(x: &[T], ring: &mut [T], oldest: usize) -> usize {
    ring[oldest..][..x.len()].copy_from_slice(x);
    let next = oldest + x.len();
    if next < ring.len() { next } else { 0 }
}

/// Rows of `inputs` numbers side by side, from the oldest on, `step` numbers apart, until `gathered`
/// is full; no step is longer than the ring.
pub fn window<'a, T: Copy>(
    ring: &[T],
    oldest: usize,
    inputs: usize,
    step: usize,
    gathered: &'a mut [T],
) -> &'a [T] {
    let mut at = oldest;
    for row in gathered.chunks_exact_mut(inputs) {
        row.copy_from_slice(&ring[at..][..inputs]);
        at += step;
        if at >= ring.len() {
            at -= ring.len();
        }
    }
    gathered
}
