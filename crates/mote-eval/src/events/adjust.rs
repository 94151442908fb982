//! Point adjustment, which many papers report and which flatters.

use serde::Serialize;

use super::{Confusion, F1, ranges};
use crate::Result;

/// F1 without and with point adjustment. They come as one value, so that the adjusted number cannot
/// be quoted alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PointAdjusted {
    /// Every sample counted as it was predicted.
    pub raw: F1,
    /// An event with one alarm counts as if each of its samples had alarmed.
    pub adjusted: F1,
}

/// F1 as it is, and after marking the whole of each event as detected once any alarm falls inside
/// it (Xu et al., WWW 2018).
///
/// With long events a random detector reaches an adjusted F1 near 1 (Kim et al., AAAI 2022), so
/// only the raw value says how good a detector is; the adjusted one is for comparison with older
/// papers.
///
/// # Errors
///
/// Lengths that differ.
pub fn point_adjusted(labels: &[bool], alarms: &[bool]) -> Result<PointAdjusted> {
    let raw = Confusion::of(labels, alarms)?;
    let mut adjusted = alarms.to_vec();
    for event in ranges(labels) {
        if alarms[event.clone()].contains(&true) {
            adjusted[event].fill(true);
        }
    }
    Ok(PointAdjusted { raw: raw.f1(), adjusted: Confusion::of(labels, &adjusted)?.f1() })
}
