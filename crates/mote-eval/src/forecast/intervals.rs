//! Coverage, width and score of prediction intervals.

use serde::Serialize;

use crate::{Error, Result, input};

/// Outcome of [`interval_quality`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct IntervalQuality {
    /// Share of values inside, ends included; to be compared with the confidence.
    pub coverage: f64,
    /// Mean width, in the unit of the values.
    pub mean_width: f64,
    /// Mean of width plus `2/α` times the distance of values outside (Winkler, 1972): lower is better,
    /// and least for the true quantiles.
    pub interval_score: f64,
    /// Share of values below, which is `α/2` for central intervals.
    pub below: f64,
    /// Share of values above.
    pub above: f64,
}

/// Judges intervals `low..=high`, `(values,)` each, that promise a coverage of `confidence = 1 − α`.
///
/// # Errors
///
/// Empty or non-finite input, different lengths, a low end above its high end, or a confidence outside
/// of (0, 1).
pub fn interval_quality(
    truth: &[f64],
    low: &[f64],
    high: &[f64],
    confidence: f64,
) -> Result<IntervalQuality> {
    input::some("truth", truth)?;
    input::open_unit("confidence", confidence)?;
    input::finite("truth", truth)?;
    for (what, ends) in [("low", low), ("high", high)] {
        input::same_length("truth", truth, what, ends)?;
        input::finite(what, ends)?;
    }
    if let Some(index) = low.iter().zip(high).position(|(l, h)| l > h) {
        let (what, value, wanted) = ("low", low[index], "at most the high end");
        return Err(Error::BadValue { what, index, value, wanted });
    }
    let n = truth.len() as f64;
    let rows = || truth.iter().zip(low.iter().zip(high));
    let share = |count: usize| count as f64 / n;
    let below = share(rows().filter(|(y, (l, _))| y < l).count());
    let above = share(rows().filter(|(y, (_, h))| y > h).count());
    let mean_width = rows().map(|(_, (l, h))| h - l).sum::<f64>() / n;
    let outside = rows().map(|(y, (l, h))| (l - y).max(y - h).max(0.0)).sum::<f64>() / n;
    Ok(IntervalQuality {
        coverage: 1.0 - below - above,
        mean_width,
        interval_score: mean_width + 2.0 / (1.0 - confidence) * outside,
        below,
        above,
    })
}
