//! Does the score order anomalies above the rest? AUROC, AUPRC and the best F1.

use serde::Serialize;

use crate::{Result, input};

/// What happens when alarms are the scores at or above one threshold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) threshold: f64,
    pub(crate) true_positives: usize,
    pub(crate) false_positives: usize,
}

/// All places where a threshold changes something, highest threshold first.
#[derive(Debug)]
pub(crate) struct Cuts {
    pub(crate) cuts: Vec<Cut>,
    pub(crate) positives: usize,
    pub(crate) negatives: usize,
}

impl Cuts {
    /// Sorts once, `O(n log n)`; equal scores fall into one cut.
    pub(crate) fn of(scores: &[f64], labels: &[bool]) -> Result<Self> {
        let (positives, negatives) = input::both_classes(scores, labels)?;
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_unstable_by(|&a, &b| scores[b].total_cmp(&scores[a]));

        let mut cuts: Vec<Cut> = Vec::new();
        let (mut true_positives, mut false_positives) = (0, 0);
        for i in order {
            if labels[i] {
                true_positives += 1;
            } else {
                false_positives += 1;
            }
            let cut = Cut { threshold: scores[i], true_positives, false_positives };
            match cuts.last_mut() {
                Some(last) if last.threshold == scores[i] => *last = cut,
                _ => cuts.push(cut),
            }
        }
        Ok(Self { cuts, positives, negatives })
    }
}

/// Area under the receiver operating characteristic: the chance that an anomalous sample scores
/// above a normal one, equal scores counting half.
///
/// `scores` and `labels` are `(samples,)`; higher scores mean more anomalous. Equals
/// `sklearn.metrics.roc_auc_score`. Result in `[0, 1]`; 0.5 is chance.
///
/// # Errors
///
/// Empty input, lengths that differ, NaN scores, or only one class.
pub fn auroc(scores: &[f64], labels: &[bool]) -> Result<f64> {
    let Cuts { cuts, positives, negatives } = Cuts::of(scores, labels)?;
    // Twice the area in counts is an integer below 2⁵³ up to 60 million samples, so the sum is
    // exact.
    let (mut twice_area, mut tp, mut fp) = (0.0, 0, 0);
    for cut in &cuts {
        twice_area += (cut.false_positives - fp) as f64 * (cut.true_positives + tp) as f64;
        (tp, fp) = (cut.true_positives, cut.false_positives);
    }
    Ok(twice_area / 2.0 / positives as f64 / negatives as f64)
}

/// Area under the precision-recall curve (AUPRC) as average precision: `Σ (Rᵢ − Rᵢ₋₁) · Pᵢ` over
/// falling thresholds, without interpolation.
///
/// Equals `sklearn.metrics.average_precision_score`. Result in `(0, 1]`; chance is the share of
/// anomalous samples, so it can only be compared between detectors on the same data.
///
/// # Errors
///
/// As [`auroc`].
pub fn average_precision(scores: &[f64], labels: &[bool]) -> Result<f64> {
    let Cuts { cuts, positives, .. } = Cuts::of(scores, labels)?;
    let (mut area, mut tp) = (0.0, 0);
    for cut in &cuts {
        let alarms = cut.true_positives + cut.false_positives;
        area += (cut.true_positives - tp) as f64 * cut.true_positives as f64 / alarms as f64;
        tp = cut.true_positives;
    }
    Ok(area / positives as f64)
}

/// The threshold at which the point-wise F1 is highest, chosen with the labels in hand.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BestF1 {
    /// Alarms are the scores at or above this.
    pub threshold: f64,
    /// Share of alarms that are anomalous.
    pub precision: f64,
    /// Share of anomalous samples that raise an alarm.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
}

/// Searches all thresholds for the highest point-wise F1; of equals, the highest threshold.
///
/// This is an upper bound that no deployed detector reaches, because it looks at the labels. Report
/// it as such, beside the F1 at a threshold chosen without labels.
///
/// # Errors
///
/// As [`auroc`].
pub fn best_f1(scores: &[f64], labels: &[bool]) -> Result<BestF1> {
    let Cuts { cuts, positives, .. } = Cuts::of(scores, labels)?;
    let at = |cut: &Cut| {
        let (tp, fp) = (cut.true_positives as f64, cut.false_positives as f64);
        BestF1 {
            threshold: cut.threshold,
            precision: tp / (tp + fp),
            recall: tp / positives as f64,
            f1: 2.0 * tp / (tp + fp + positives as f64),
        }
    };
    let mut best = at(&cuts[0]);
    for cut in &cuts[1..] {
        let candidate = at(cut);
        if candidate.f1 > best.f1 {
            best = candidate;
        }
    }
    Ok(best)
}
