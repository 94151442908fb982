//! Volume under the surface: ranking quality that forgives labels which are a little early or late.
//!
//! Each true event grows a border of falling weight on both sides, and the areas under the range
//! ROC and precision-recall curves are averaged over all border widths from 0 to `window`
//! (Paparrizos et al., VLDB 2022). The numbers equal those of the Python package TSB-AD, version
//! `opt`, but each threshold adds only the points it newly reaches, instead of looking at all.

use std::ops::Range;

use serde::Serialize;

use crate::{Result, events::ranges, input};

/// The widest window that is accepted; the cost grows with `window × samples near events`.
pub const MAX_WINDOW: usize = 10_000;

/// The most thresholds that are accepted.
pub const MAX_THRESHOLDS: usize = 10_000;

/// How the volume is cut into slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeConfig {
    /// Widest border in samples, half of it on each side. 100 is the default of TSB-AD's metrics;
    /// its published tables use [`crate::sliding_window`] of the series instead.
    pub window: usize,
    /// Thresholds on each curve, evenly spread over the sorted scores. 250 is what TSB-AD uses.
    pub thresholds: usize,
}

impl Default for VolumeConfig {
    fn default() -> Self {
        Self { window: 100, thresholds: 250 }
    }
}

/// Volumes, and the areas of their last slice.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Volume {
    /// Mean area under the range ROC over the windows `0..=window` (VUS-ROC).
    pub vus_roc: f64,
    /// Mean area under the range precision-recall curve (VUS-PR).
    pub vus_pr: f64,
    /// Area under the range ROC at the widest window (Range-AUC-ROC).
    pub range_auc_roc: f64,
    /// Area under the range precision-recall curve at the widest window (Range-AUC-PR).
    pub range_auc_pr: f64,
    /// The widest window, in samples.
    pub window: usize,
}

/// Computes VUS-ROC and VUS-PR of `scores` `(samples,)`, in time order.
///
/// Cost `O(n log n + window · (samples near events + thresholds))`.
///
/// # Errors
///
/// Empty input, lengths that differ, NaN scores, only one class, fewer than 2 thresholds, or a
/// window or number of thresholds over the limit.
pub fn volume_under_surface(
    scores: &[f64],
    labels: &[bool],
    config: VolumeConfig,
) -> Result<Volume> {
    input::both_classes(scores, labels)?;
    input::at_least("thresholds", config.thresholds, 2)?;
    input::at_most("thresholds", config.thresholds, MAX_THRESHOLDS)?;
    input::at_most("samples of window", config.window, MAX_WINDOW)?;

    let mut surface = Surface::new(scores, labels, config.thresholds);
    let mut sum = Slice { roc: 0.0, pr: 0.0 };
    let mut last = sum;
    for window in 0..=config.window {
        last = surface.slice(window);
        sum.roc += last.roc;
        sum.pr += last.pr;
    }
    let slices = (config.window + 1) as f64;
    Ok(Volume {
        vus_roc: sum.roc / slices,
        vus_pr: sum.pr / slices,
        range_auc_roc: last.roc,
        range_auc_pr: last.pr,
        window: config.window,
    })
}

/// The areas at one window.
#[derive(Clone, Copy)]
struct Slice {
    roc: f64,
    pr: f64,
}

/// What stays the same from window to window.
///
/// Thresholds fall, so the set of alarms only grows. `first[x]` is the first threshold at which
/// sample `x` alarms; sums over alarms are running sums over thresholds.
struct Surface<'a> {
    labels: &'a [bool],
    events: Vec<Range<usize>>,
    /// `(samples,)`
    first: Vec<usize>,
    /// `(thresholds,)` alarms at each threshold.
    alarms: Vec<usize>,
    /// `(thresholds,)` alarms inside true events.
    hits: Vec<f64>,
    positives: f64,
    /// `(samples,)` weight of the border; zero between calls.
    border: Vec<f64>,
}

impl<'a> Surface<'a> {
    fn new(scores: &[f64], labels: &'a [bool], count: usize) -> Self {
        let mut sorted = scores.to_vec();
        sorted.sort_unstable_by(|a, b| b.total_cmp(a));
        let step = (scores.len() - 1) as f64 / (count - 1) as f64;
        let mut thresholds: Vec<f64> =
            (0..count - 1).map(|k| sorted[(k as f64 * step) as usize]).collect();
        thresholds.push(sorted[scores.len() - 1]);

        let first: Vec<usize> =
            scores.iter().map(|score| thresholds.partition_point(|t| t > score)).collect();
        let alarms =
            thresholds.iter().map(|threshold| sorted.partition_point(|s| s >= threshold)).collect();
        let mut hits = vec![0.0; count];
        for (&k, _) in first.iter().zip(labels).filter(|(_, label)| **label) {
            hits[k] += 1.0;
        }
        accumulate(&mut hits);
        Self {
            labels,
            events: ranges(labels),
            first,
            alarms,
            positives: hits[count - 1],
            hits,
            border: vec![0.0; labels.len()],
        }
    }

    /// Areas under both curves with borders of `window / 2` samples on each side.
    fn slice(&mut self, window: usize) -> Slice {
        let reached = self.reached_border(window);
        let (found, segments) = self.found_segments(window);
        let mut previous = (0.0, 0.0);
        let mut areas = Slice { roc: 0.0, pr: 0.0 };
        for k in 0..self.alarms.len() {
            let true_positives = self.hits[k] + reached[k];
            // The package's own denominator: halfway between the plain and the grown positives.
            let positives = self.positives + reached[k] / 2.0;
            let recall = (true_positives / positives).min(1.0);
            let tpr = recall * found[k] / segments;
            let alarms = self.alarms[k] as f64;
            let fpr = (alarms - true_positives) / (self.labels.len() as f64 - positives);
            areas.roc += (fpr - previous.1) * (tpr + previous.0) / 2.0;
            areas.pr += (tpr - previous.0) * true_positives / alarms;
            previous = (tpr, fpr);
        }
        areas.roc += (1.0 - previous.1) * (1.0 + previous.0) / 2.0;
        areas
    }

    /// Summed border weight that alarms at each threshold: `√(1 − distance / window)`, borders of
    /// neighbouring events adding up to at most 1.
    fn reached_border(&mut self, window: usize) -> Vec<f64> {
        let half = window / 2;
        let mut touched = Vec::new();
        for event in &self.events {
            let left = event.start.saturating_sub(half)..event.start;
            let right = event.end..(event.end + half).min(self.labels.len());
            for x in left.chain(right).filter(|&x| !self.labels[x]) {
                let distance = if x < event.start { event.start - x } else { x - (event.end - 1) };
                if self.border[x] == 0.0 {
                    touched.push(x);
                }
                self.border[x] += (1.0 - distance as f64 / window as f64).sqrt();
            }
        }
        let mut reached = vec![0.0; self.alarms.len()];
        for x in touched {
            reached[self.first[x]] += self.border[x].min(1.0);
            self.border[x] = 0.0;
        }
        accumulate(&mut reached);
        reached
    }

    /// How many grown events hold an alarm at each threshold, and how many there are: events whose
    /// borders meet are one.
    fn found_segments(&self, window: usize) -> (Vec<f64>, f64) {
        let half = window / 2;
        let mut found = vec![0.0; self.alarms.len()];
        let mut segments = 0.0;
        let mut start = self.events[0].start.saturating_sub(half);
        for (i, event) in self.events.iter().enumerate() {
            let next = self.events.get(i + 1).map(|event| event.start);
            if next.is_some_and(|next| event.end - 1 + half >= next.saturating_sub(half)) {
                continue;
            }
            let end = (event.end + half).min(self.labels.len());
            if let Some(first) = self.first[start..end].iter().min() {
                found[*first] += 1.0;
            }
            segments += 1.0;
            start = next.unwrap_or(end).saturating_sub(half);
        }
        accumulate(&mut found);
        (found, segments)
    }
}

fn accumulate(values: &mut [f64]) {
    let mut sum = 0.0;
    for value in values {
        sum += *value;
        *value = sum;
    }
}
