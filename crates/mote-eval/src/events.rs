//! Alarms against labelled events: confusion counts, event-wise F1, point adjustment, delays.
//!
//! Everything here needs a decision, an alarm or none for each sample; the choice of the threshold
//! is elsewhere ([`crate::Tail`], or [`crate::best_f1`] as the upper bound).

mod adjust;
mod confusion;
mod delay;

use std::ops::Range;

use serde::Serialize;

pub use adjust::{PointAdjusted, point_adjusted};
pub use confusion::{Confusion, F1, point_f1};
pub use delay::{Delay, detection_delays};

use crate::{Result, input};

/// The runs of `true`, in order, as half-open ranges of samples.
pub fn ranges(labels: &[bool]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = None;
    for (i, &label) in labels.iter().enumerate() {
        match (label, start) {
            (true, None) => start = Some(i),
            (false, Some(s)) => {
                found.push(s..i);
                start = None;
            }
            _ => {}
        }
    }
    if let Some(s) = start {
        found.push(s..labels.len());
    }
    found
}

/// Event-wise counts that can be summed over files, and what follows from them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EventCounts {
    /// Labelled events.
    pub true_events: usize,
    /// Labelled events that at least one alarm touches.
    pub detected_events: usize,
    /// Runs of alarms.
    pub predicted_events: usize,
    /// Runs of alarms that touch at least one labelled event.
    pub confirmed_events: usize,
}

impl EventCounts {
    /// Share of alarm runs that touch a labelled event; 0 where nothing alarmed.
    pub fn precision(&self) -> f64 {
        confusion::share(self.confirmed_events, self.predicted_events)
    }

    /// Share of labelled events that an alarm touches; 0 where there is no event.
    pub fn recall(&self) -> f64 {
        confusion::share(self.detected_events, self.true_events)
    }

    /// Harmonic mean of [`Self::precision`] and [`Self::recall`]; 0 where both are.
    pub fn f1(&self) -> f64 {
        confusion::harmonic(self.precision(), self.recall())
    }
}

impl std::ops::Add for EventCounts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            true_events: self.true_events + other.true_events,
            detected_events: self.detected_events + other.detected_events,
            predicted_events: self.predicted_events + other.predicted_events,
            confirmed_events: self.confirmed_events + other.confirmed_events,
        }
    }
}

impl std::iter::Sum for EventCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |a, b| a + b)
    }
}

/// Counts events, not samples. The definition, because several are in use:
///
/// - an *event* is a maximal run of anomalous labels, a *predicted event* a maximal run of alarms;
/// - a predicted event is a true positive if it shares at least one sample with any event;
/// - an event is detected if any alarm falls inside it.
///
/// Precision is taken over predicted events and recall over events, so one long alarm that spans
/// three events is one confirmed prediction and three detections. One alarm over the whole series
/// scores 1.0: read this beside [`Confusion`], which charges for every sample.
///
/// # Errors
///
/// Lengths that differ.
pub fn event_counts(labels: &[bool], alarms: &[bool]) -> Result<EventCounts> {
    input::same_length("labels", labels, "alarms", alarms)?;
    let touched = |runs: &[Range<usize>], by: &[bool]| {
        runs.iter().filter(|run| by[(*run).clone()].contains(&true)).count()
    };
    let (events, predictions) = (ranges(labels), ranges(alarms));
    Ok(EventCounts {
        true_events: events.len(),
        detected_events: touched(&events, alarms),
        predicted_events: predictions.len(),
        confirmed_events: touched(&predictions, labels),
    })
}
