//! Points of the ROC and precision-recall curves, for plots.

use serde::Serialize;

use crate::{Result, input, ranking::Cuts};

/// One point of a receiver operating characteristic.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RocPoint {
    /// Alarms are the scores at or above this; infinite for the first point, where nothing alarms
    /// (`null` in JSON).
    pub threshold: f64,
    /// Share of normal samples that raise an alarm.
    pub false_positive_rate: f64,
    /// Share of anomalous samples that raise an alarm.
    pub true_positive_rate: f64,
}

/// One point of a precision-recall curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PrecisionRecallPoint {
    /// Alarms are the scores at or above this.
    pub threshold: f64,
    /// Share of anomalous samples that raise an alarm.
    pub recall: f64,
    /// Share of alarms that are anomalous.
    pub precision: f64,
}

/// The ROC from (0, 0) to (1, 1), one point for each distinct score, thresholds falling.
///
/// Equals `sklearn.metrics.roc_curve(drop_intermediate=False)`.
///
/// # Errors
///
/// Empty input, lengths that differ, NaN scores, or only one class.
pub fn roc_curve(scores: &[f64], labels: &[bool]) -> Result<Vec<RocPoint>> {
    let Cuts { cuts, positives, negatives } = Cuts::of(scores, labels)?;
    let origin =
        RocPoint { threshold: f64::INFINITY, false_positive_rate: 0.0, true_positive_rate: 0.0 };
    let points = cuts.iter().map(|cut| RocPoint {
        threshold: cut.threshold,
        false_positive_rate: cut.false_positives as f64 / negatives as f64,
        true_positive_rate: cut.true_positives as f64 / positives as f64,
    });
    Ok(std::iter::once(origin).chain(points).collect())
}

/// Precision and recall at each distinct score, thresholds falling, so recall rises.
///
/// The same points as `sklearn.metrics.precision_recall_curve` in the opposite order, without the
/// artificial end at recall 0 and precision 1, which no threshold reaches.
///
/// # Errors
///
/// As [`roc_curve`].
pub fn precision_recall_curve(
    scores: &[f64],
    labels: &[bool],
) -> Result<Vec<PrecisionRecallPoint>> {
    let Cuts { cuts, positives, .. } = Cuts::of(scores, labels)?;
    Ok(cuts
        .iter()
        .map(|cut| PrecisionRecallPoint {
            threshold: cut.threshold,
            recall: cut.true_positives as f64 / positives as f64,
            precision: cut.true_positives as f64
                / (cut.true_positives + cut.false_positives) as f64,
        })
        .collect())
}

/// At most `max_points` of the points, evenly spread over the list, first and last always kept.
///
/// # Errors
///
/// If `max_points` is below 2, because then the ends cannot both be kept.
pub fn thin<P: Copy>(points: &[P], max_points: usize) -> Result<Vec<P>> {
    input::at_least("points to keep", max_points, 2)?;
    if points.len() <= max_points {
        return Ok(points.to_vec());
    }
    let last = points.len() - 1;
    Ok((0..max_points).map(|i| points[i * last / (max_points - 1)]).collect())
}
