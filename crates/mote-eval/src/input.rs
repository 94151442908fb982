//! The checks that every metric makes at its door, so that nothing behind it checks again.

use crate::{Error, Result};

/// Refuses an empty slice.
pub(crate) fn some<T>(what: &'static str, values: &[T]) -> Result<()> {
    if values.is_empty() { Err(Error::Empty { what }) } else { Ok(()) }
}

/// Refuses two slices of different length.
pub(crate) fn same_length<A, B>(
    left: &'static str,
    a: &[A],
    right: &'static str,
    b: &[B],
) -> Result<()> {
    if a.len() == b.len() {
        return Ok(());
    }
    Err(Error::Lengths { left, left_len: a.len(), right, right_len: b.len() })
}

/// Refuses NaN. Infinite values pass, because they still have a rank.
pub(crate) fn no_nan(what: &'static str, values: &[f64]) -> Result<()> {
    all(what, values, "a number or an infinity", |v| !v.is_nan())
}

/// Refuses NaN and infinities.
pub(crate) fn finite(what: &'static str, values: &[f64]) -> Result<()> {
    all(what, values, "a finite number", f64::is_finite)
}

fn all(
    what: &'static str,
    values: &[f64],
    wanted: &'static str,
    accept: impl Fn(f64) -> bool,
) -> Result<()> {
    match values.iter().position(|&v| !accept(v)) {
        None => Ok(()),
        Some(index) => Err(Error::BadValue { what, index, value: values[index], wanted }),
    }
}

/// Refuses a number of things above a declared limit.
pub(crate) fn at_most(what: &'static str, found: usize, limit: usize) -> Result<()> {
    if found <= limit { Ok(()) } else { Err(Error::TooMany { what, found, limit }) }
}

/// Refuses a number of things below what the method needs.
pub(crate) fn at_least(what: &'static str, found: usize, wanted: usize) -> Result<()> {
    if found >= wanted { Ok(()) } else { Err(Error::TooFew { what, found, wanted }) }
}

/// Refuses a fraction that is not strictly between 0 and 1.
pub(crate) fn open_unit(what: &'static str, value: f64) -> Result<()> {
    if value > 0.0 && value < 1.0 {
        return Ok(());
    }
    Err(Error::OutOfRange { what, value, wanted: "a fraction above 0 and below 1" })
}

/// Scores and labels of the same samples, scores without NaN; the number of positives.
pub(crate) fn scored(scores: &[f64], labels: &[bool]) -> Result<usize> {
    same_length("scores", scores, "labels", labels)?;
    some("scores", scores)?;
    no_nan("scores", scores)?;
    Ok(labels.iter().filter(|&&l| l).count())
}

/// As [`scored`], and both classes are present. Returns positives and negatives.
pub(crate) fn both_classes(scores: &[f64], labels: &[bool]) -> Result<(usize, usize)> {
    let positives = scored(scores, labels)?;
    let negatives = labels.len() - positives;
    if positives == 0 || negatives == 0 {
        return Err(Error::OneClass { positives, negatives });
    }
    Ok((positives, negatives))
}

/// Rows of a flat `(rows, width)` slice of finite values.
pub(crate) fn rows(what: &'static str, values: &[f64], width: usize) -> Result<usize> {
    some(what, values)?;
    if width == 0 || !values.len().is_multiple_of(width) {
        return Err(Error::Ragged { what, len: values.len(), width });
    }
    finite(what, values)?;
    Ok(values.len() / width)
}
