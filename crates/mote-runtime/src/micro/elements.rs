//! What is done to each number, or to each pair of numbers.

/// `y = f(x)`
#[inline]
pub fn map(x: &[f32], y: &mut [f32], f: impl Fn(f32) -> f32) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = f(x);
    }
}

/// `y = f(y)`
#[inline]
pub fn map_in_place(y: &mut [f32], f: impl Fn(f32) -> f32) {
    for y in y {
        *y = f(*y);
    }
}

/// `y = f(a, b)`, all of one shape.
#[inline]
pub fn zip(a: &[f32], b: &[f32], y: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
        *y = f(a, b);
    }
}

/// `y = f(a, b)`, where the four axes of `y` have these lengths, and these steps in `a` and `b`:
/// none along axes that repeat.
pub fn broadcast(
    (a, of_a): (&[f32], [usize; 4]),
    (b, of_b): (&[f32], [usize; 4]),
    y: &mut [f32],
    lengths: [usize; 4],
    f: impl Fn(f32, f32) -> f32,
) {
    let mut y = y.iter_mut();
    for i in 0..lengths[0] {
        for j in 0..lengths[1] {
            for k in 0..lengths[2] {
                let at = |of: [usize; 4]| i * of[0] + j * of[1] + k * of[2];
                let (a, b) = (&a[at(of_a)..], &b[at(of_b)..]);
                for l in 0..lengths[3] {
                    if let Some(y) = y.next() {
                        *y = f(a[l * of_a[3]], b[l * of_b[3]]);
                    }
                }
            }
        }
    }
}

/// The larger of both; a NaN stays.
#[must_use]
pub fn larger(a: f32, b: f32) -> f32 {
    if a < b || b.is_nan() { b } else { a }
}

/// The smaller of both; a NaN stays.
#[must_use]
pub fn smaller(a: f32, b: f32) -> f32 {
    if b < a || b.is_nan() { b } else { a }
}
