//! Reads the golden files, see `tests/golden/make_golden.py`.

use std::ops::Range;

use serde_json::Value;

/// Largest difference from a golden value that passes.
pub(crate) const TOLERANCE: f64 = 1e-6;

/// The cases of one golden file.
pub(crate) fn cases(text: &str) -> Vec<Value> {
    let cases: Vec<Value> = serde_json::from_str(text).unwrap();
    assert!(!cases.is_empty());
    cases
}

pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("`{value}` is no number"))
}

pub(crate) fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap_or_else(|| panic!("`{value}` is no count"))).unwrap()
}

pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

pub(crate) fn counts(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(count).collect()
}

pub(crate) fn windows(value: &Value) -> Vec<Range<usize>> {
    value.as_array().unwrap().iter().map(|w| count(&w[0])..count(&w[1])).collect()
}

/// Labels of `samples` samples that are true inside the ranges.
pub(crate) fn labels(samples: usize, events: &[Range<usize>]) -> Vec<bool> {
    (0..samples).map(|i| events.iter().any(|event| event.contains(&i))).collect()
}

#[track_caller]
pub(crate) fn check_close(what: &str, ours: f64, golden: f64) {
    check_within(what, ours, golden, TOLERANCE);
}

#[track_caller]
pub(crate) fn check_within(what: &str, ours: f64, golden: f64, tolerance: f64) {
    assert!(
        (ours - golden).abs() <= tolerance,
        "{what}: ours is `{ours}`, wanted `{golden}` within {tolerance}"
    );
}
