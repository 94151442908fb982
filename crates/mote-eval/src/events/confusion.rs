//! Counts of hits, misses and false alarms, sample by sample.

use serde::Serialize;

use crate::{Result, input};

/// The four counts. Sum them over files first and take rates after, as SKAB does; the mean of the
/// rates of files is another number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// Anomalous samples with an alarm.
    pub true_positives: usize,
    /// Normal samples with an alarm.
    pub false_positives: usize,
    /// Anomalous samples without an alarm.
    pub false_negatives: usize,
    /// Normal samples without an alarm.
    pub true_negatives: usize,
}

impl Confusion {
    /// Counts one series. Series without anomalies are welcome: they add normal samples to the sum.
    ///
    /// # Errors
    ///
    /// Lengths that differ.
    pub fn of(labels: &[bool], alarms: &[bool]) -> Result<Self> {
        input::same_length("labels", labels, "alarms", alarms)?;
        let mut counts = Self::default();
        for (&label, &alarm) in labels.iter().zip(alarms) {
            match (label, alarm) {
                (true, true) => counts.true_positives += 1,
                (false, true) => counts.false_positives += 1,
                (true, false) => counts.false_negatives += 1,
                (false, false) => counts.true_negatives += 1,
            }
        }
        Ok(counts)
    }

    /// Precision, recall and F1 of these counts.
    pub fn f1(&self) -> F1 {
        let alarms = self.true_positives + self.false_positives;
        let anomalous = self.true_positives + self.false_negatives;
        F1 {
            precision: share(self.true_positives, alarms),
            recall: share(self.true_positives, anomalous),
            f1: share(2 * self.true_positives, alarms + anomalous),
        }
    }

    /// False alarm rate in percent, `100 · FP / (FP + TN)`: SKAB's FAR. `None` without normal
    /// samples.
    pub fn false_alarm_percent(&self) -> Option<f64> {
        percent(self.false_positives, self.true_negatives)
    }

    /// Missed alarm rate in percent, `100 · FN / (FN + TP)`: SKAB's MAR. `None` without anomalies.
    pub fn missed_alarm_percent(&self) -> Option<f64> {
        percent(self.false_negatives, self.true_positives)
    }
}

impl std::ops::Add for Confusion {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            true_positives: self.true_positives + other.true_positives,
            false_positives: self.false_positives + other.false_positives,
            false_negatives: self.false_negatives + other.false_negatives,
            true_negatives: self.true_negatives + other.true_negatives,
        }
    }
}

impl std::iter::Sum for Confusion {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |a, b| a + b)
    }
}

/// Precision, recall and their harmonic mean, each in `[0, 1]`; a share of nothing is 0, as in
/// scikit-learn with `zero_division=0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct F1 {
    /// Share of alarms that are anomalous.
    pub precision: f64,
    /// Share of anomalous samples with an alarm.
    pub recall: f64,
    /// `2 TP / (2 TP + FP + FN)`.
    pub f1: f64,
}

/// Point-wise precision, recall and F1 of one series: every sample counts alike.
///
/// # Errors
///
/// Lengths that differ.
pub fn point_f1(labels: &[bool], alarms: &[bool]) -> Result<F1> {
    Ok(Confusion::of(labels, alarms)?.f1())
}

pub(super) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

pub(super) fn harmonic(a: f64, b: f64) -> f64 {
    if a + b == 0.0 { 0.0 } else { 2.0 * a * b / (a + b) }
}

fn percent(part: usize, rest: usize) -> Option<f64> {
    (part + rest > 0).then(|| 100.0 * part as f64 / (part + rest) as f64)
}
