//! Copies that change only where numbers lie.

/// Copies blocks of `n` numbers, which lie `x_step` apart in `x` and `y_step` in `y`: slices, and
/// parts of what is joined.
pub fn copy_blocks<T: Copy>(x: &[T], x_step: usize, y: &mut [T], y_step: usize, n: usize) {
    for (x, y) in x.chunks(x_step).zip(y.chunks_mut(y_step)) {
        y[..n].copy_from_slice(&x[..n]);
    }
}

/// Copies numbers in the order of `y`, whose four axes have these lengths, and these steps in `x`.
pub fn permute<T: Copy>(x: &[T], lengths: [usize; 4], steps: [usize; 4], y: &mut [T]) {
    let mut y = y.iter_mut();
    for i in 0..lengths[0] {
        for j in 0..lengths[1] {
            for k in 0..lengths[2] {
                let start = i * steps[0] + j * steps[1] + k * steps[2];
                for l in 0..lengths[3] {
                    if let Some(y) = y.next() {
                        *y = x[start + l * steps[3]];
                    }
                }
            }
        }
    }
}
