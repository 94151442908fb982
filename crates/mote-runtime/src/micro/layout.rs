//! Copies that change only where numbers lie.

/// Copies blocks of `n` numbers, which lie `x_step` apart in `x` and `y_step` in `y`: slices, and
/// parts of what is joined.
#[inline(never)]
pub fn copy_blocks<T: Copy>(x: &[T], x_step: usize, y: &mut [T], y_step: usize, n: usize) {
    for (x, y) in x.chunks(x_step).zip(y.chunks_mut(y_step)) {
        y[..n].copy_from_slice(&x[..n]);
    }
}

/// Copies numbers in the order of `y`, whose four axes have these lengths, and these steps in `x`.
#[inline(never)]
pub fn permute<T: Copy>(x: &[T], lengths: [usize; 4], steps: [usize; 4], y: &mut [T]) {
    let n = lengths[3];
    let mut runs = y.chunks_exact_mut(n);
    for i in 0..lengths[0] {
        for j in 0..lengths[1] {
            for k in 0..lengths[2] {
                let Some(run) = runs.next() else { return };
                let x = &x[i * steps[0] + j * steps[1] + k * steps[2]..];
                if steps[3] == 1 {
                    run.copy_from_slice(&x[..n]);
                } else {
                    for (l, y) in run.iter_mut().enumerate() {
                        *y = x[l * steps[3]];
                    }
                }
            }
        }
    }
}
