//! How long each event lasted before the first alarm.

use serde::Serialize;

use super::ranges;
use crate::{Result, input};

/// One labelled event and when it was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Delay {
    /// First sample of the event.
    pub start: usize,
    /// One past its last sample.
    pub end: usize,
    /// Samples from the start to the first alarm inside the event; 0 is at once, `None` is missed.
    pub samples: Option<usize>,
}

/// The delay of each event, in order. An alarm that began before the event and still stands at its
/// start counts as no delay.
///
/// # Errors
///
/// Lengths that differ.
pub fn detection_delays(labels: &[bool], alarms: &[bool]) -> Result<Vec<Delay>> {
    input::same_length("labels", labels, "alarms", alarms)?;
    Ok(ranges(labels)
        .into_iter()
        .map(|event| Delay {
            start: event.start,
            end: event.end,
            samples: alarms[event].iter().position(|&alarm| alarm),
        })
        .collect())
}
