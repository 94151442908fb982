//! Straight lines across gaps.

use super::Series;

/// The series with its gaps filled: linear between observed neighbours, constant before the first and
/// after the last, as `numpy.interp` has it. `(samples,)`
#[must_use]
pub fn interpolate(series: Series<'_>) -> Vec<f64> {
    let mut filled = Vec::with_capacity(series.len());
    let mut before: Option<(usize, f64)> = None;
    for (at, value) in series.observations() {
        let (from, start) = before.unwrap_or((at, value));
        while filled.len() < at {
            // Before the first observation both ends are that one.
            let share = if before.is_none() { 0.0 } else { share(from, filled.len(), at) };
            filled.push(start + share * (value - start));
        }
        filled.push(value);
        before = Some((at, value));
    }
    let (_, last) = before.expect("a series has an observed sample");
    filled.resize(series.len(), last);
    filled
}

/// How far `at` is from `from` to `until`.
fn share(from: usize, at: usize, until: usize) -> f64 {
    (at - from) as f64 / (until - from) as f64
}
