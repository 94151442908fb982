//! Copies that change only where numbers lie.

const RANK: usize = mote_format::limits::RANK;

/// `y` is `x` from `start` to `start + taken` along an axis of `length`, which has `inner` elements
/// behind it.
pub fn slice<T: Copy>(
    x: &[T],
    length: usize,
    inner: usize,
    start: usize,
    taken: usize,
    y: &mut [T],
) {
    if taken * inner == 0 {
        return;
    }
    let blocks = x.chunks_exact(length * inner).zip(y.chunks_exact_mut(taken * inner));
    for (x, y) in blocks {
        copy(&x[start * inner..][..taken * inner], y);
    }
}

/// Writes `x` into `y` from `start` on along an axis of `length`; `x` has `taken` there.
pub fn concat<T: Copy>(
    x: &[T],
    taken: usize,
    inner: usize,
    start: usize,
    length: usize,
    y: &mut [T],
) {
    if taken * inner == 0 {
        return;
    }
    let blocks = x.chunks_exact(taken * inner).zip(y.chunks_exact_mut(length * inner));
    for (x, y) in blocks {
        copy(x, &mut y[start * inner..][..taken * inner]);
    }
}

/// Writes `x`, with `taken` along an axis of `length`, into `y` from `start` on, and zeros around it.
pub fn pad(x: &[f32], taken: usize, inner: usize, start: usize, length: usize, y: &mut [f32]) {
    y.fill(0.0);
    concat(x, taken, inner, start, length, y);
}

/// `y` is `x`, where axes of length one are repeated and missing ones are added in front.
pub fn expand((x, x_shape): (&[f32], &[usize]), (y, shape): (&mut [f32], &[usize])) {
    let same = (x, x_shape);
    super::elementwise::zip(same, same, (y, shape), |x, _| x);
}

/// Short rows are copied number by number: that takes less than finding out how to copy them.
#[inline(always)]
fn copy<T: Copy>(x: &[T], y: &mut [T]) {
    const SHORT: usize = 16;
    if x.len() > SHORT {
        return y.copy_from_slice(x);
    }
    for (y, x) in y.iter_mut().zip(x) {
        *y = *x;
    }
}

/// `y` has axis `axes[i]` of `x` as its axis `i`.
pub fn permute<T: Copy>(x: &[T], shape: &[usize], axes: &[usize], y: &mut [T]) {
    let rank = shape.len();
    let mut strides = [0; RANK];
    let mut stride = 1;
    for axis in (0..rank).rev() {
        strides[axis] = stride;
        stride *= shape[axis];
    }
    // The walk over `y`: for each of its axes a length and a step in `x`.
    let (mut lengths, mut steps) = ([1; RANK], [0; RANK]);
    for (i, &axis) in axes.iter().enumerate() {
        lengths[RANK - rank + i] = shape[axis];
        steps[RANK - rank + i] = strides[axis];
    }
    let mut rows = y.chunks_exact_mut(lengths[3].max(1));
    for i in 0..lengths[0] {
        for j in 0..lengths[1] {
            for k in 0..lengths[2] {
                let Some(y) = rows.next() else { return };
                let x = &x[i * steps[0] + j * steps[1] + k * steps[2]..];
                match steps[3] {
                    1 => copy(&x[..y.len()], y),
                    step => {
                        let x = x.iter().step_by(step.max(1));
                        y.iter_mut().zip(x).for_each(|(y, x)| *y = *x);
                    }
                }
            }
        }
    }
}
