//! What is done to each number, or to each pair of numbers.
//!
//! Loops over numbers are in flash once for each function that they apply, and not once for each use.

/// Numbers that a loop takes at once: a vector where there are some, and fewer branches elsewhere.
const STEP: usize = 4;

/// `y = f(x)`
#[inline(never)]
pub fn map(x: &[f32], y: &mut [f32], f: impl Fn(f32) -> f32) {
    let (x, last) = x.split_at(x.len() / STEP * STEP);
    let (y, last_y) = y.split_at_mut(x.len());
    for (y, x) in y.chunks_exact_mut(STEP).zip(x.chunks_exact(STEP)) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = f(x);
        }
    }
    for (y, &x) in last_y.iter_mut().zip(last) {
        *y = f(x);
    }
}

/// `y = f(y)`
#[inline(never)]
pub fn map_in_place(y: &mut [f32], f: impl Fn(f32) -> f32) {
    let mut steps = y.chunks_exact_mut(STEP);
    for y in &mut steps {
        for y in y {
            *y = f(*y);
        }
    }
    for y in steps.into_remainder() {
        *y = f(*y);
    }
}

/// `y = x · scale + offset`
pub fn affine(x: &[f32], scale: f32, offset: f32, y: &mut [f32]) {
    map(x, y, |x| x * scale + offset);
}

/// `y = min(max(x, low), high)`; a NaN stays.
pub fn clamp(x: &[f32], low: f32, high: f32, y: &mut [f32]) {
    map(x, y, |x| {
        if x < low {
            low
        } else if x > high {
            high
        } else {
            x
        }
    });
}

/// `y = f(a, b)`, all of one shape.
#[inline(never)]
pub fn zip(a: &[f32], b: &[f32], y: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    let (a, last_a) = a.split_at(a.len() / STEP * STEP);
    let (b, last_b) = b.split_at(a.len());
    let (y, last_y) = y.split_at_mut(a.len());
    let steps = a.chunks_exact(STEP).zip(b.chunks_exact(STEP));
    for (y, (a, b)) in y.chunks_exact_mut(STEP).zip(steps) {
        for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
            *y = f(a, b);
        }
    }
    for ((y, &a), &b) in last_y.iter_mut().zip(last_a).zip(last_b) {
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

/// `max(x, 0)`; a NaN stays.
#[must_use]
pub fn relu(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

/// `x²`
#[must_use]
pub fn square(x: f32) -> f32 {
    x * x
}

/// `1 / x`
#[must_use]
pub fn recip(x: f32) -> f32 {
    1.0 / x
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
