//! Products of matrices that are both computed, and the windows that make convolutions of them.

use super::{Window, dot};

/// Terms of a sum that are added together, so that a row of the result is read and written less often.
const TERMS: usize = 4;

/// `y = a · b`, where each may be read turned: `y` is `(m, n)`, and the axis that both share has `k`.
/// Every element of `y` is summed in the order of that axis, or in lanes where `b` alone is turned.
#[inline(always)]
pub fn product(a: &[f32], b: &[f32], [m, k, n]: [usize; 3], turned: [bool; 2], y: &mut [f32]) {
    if m * n == 0 {
        return;
    }
    let at = |i: usize, j: usize| if turned[0] { a[j * m + i] } else { a[i * k + j] };
    for (i, y) in y.chunks_exact_mut(n).enumerate() {
        match turned {
            [_, false] => combine(|j| at(i, j), b, k, y),
            [false, true] => {
                let a = &a[i * k..][..k];
                for (o, y) in y.iter_mut().enumerate() {
                    *y = dot(a, &b[o * k..][..k]);
                }
            }
            [true, true] => {
                for (o, y) in y.iter_mut().enumerate() {
                    *y = (0..k).map(|j| at(i, j) * b[o * k + j]).sum();
                }
            }
        }
    }
}

/// `y = Σ_j a(j) · b[j]` over `k` rows of `b`.
#[inline(always)]
fn combine(a: impl Fn(usize) -> f32, b: &[f32], k: usize, y: &mut [f32]) {
    let n = y.len();
    let row = |j: usize| &b[j * n..][..n];
    y.fill(0.0);
    let whole = k / TERMS * TERMS;
    for j in (0..whole).step_by(TERMS) {
        let a: [f32; TERMS] = core::array::from_fn(|t| a(j + t));
        let [b0, b1, b2, b3] = core::array::from_fn(|t| row(j + t));
        for ((((y, b0), b1), b2), b3) in y.iter_mut().zip(b0).zip(b1).zip(b2).zip(b3) {
            *y = *y + a[0] * b0 + a[1] * b1 + a[2] * b2 + a[3] * b3;
        }
    }
    for j in whole..k {
        let a = a(j);
        y.iter_mut().zip(row(j)).for_each(|(y, b)| *y += a * b);
    }
}

/// `y[t, k, i] = x[t·stride + k·dilation - before, i]`, zero outside.
///
/// `x`: `(time, inputs)`, `y`: `(time', kernel, inputs)`.
pub fn unfold(x: &[f32], g: Window, y: &mut [f32]) {
    for_each_tap(g, y.len(), |from, to| {
        let y = &mut y[to..][..g.inputs];
        match from.and_then(|from| x.get(from..from + g.inputs)) {
            Some(x) => y.copy_from_slice(x),
            None => y.fill(0.0),
        }
    });
}

/// `y[t·stride + k·dilation - before, i] += x[t, k, i]`, begun at zero; what falls outside is cut off.
///
/// `x`: `(time', kernel, inputs)`, `y`: `(time, inputs)`.
pub fn fold(x: &[f32], g: Window, y: &mut [f32]) {
    y.fill(0.0);
    for_each_tap(g, x.len(), |to, from| {
        if let Some(y) = to.and_then(|to| y.get_mut(to..to + g.inputs)) {
            y.iter_mut().zip(&x[from..]).for_each(|(y, x)| *y += x);
        }
    });
}

/// Visits each tap of each window among `unfolded` numbers: where it lies in the series, if it is not
/// before that, and in the windows.
fn for_each_tap(g: Window, unfolded: usize, mut visit: impl FnMut(Option<usize>, usize)) {
    if g.inputs == 0 {
        return;
    }
    for i in 0..unfolded / g.inputs {
        let (t, k) = (i / g.kernel, i % g.kernel);
        let row = (t * g.stride + k * g.dilation).checked_sub(g.before);
        visit(row.map(|row| row * g.inputs), i * g.inputs);
    }
}
