//! Holes filled: a stretch of which everything is known but them.

use std::ops::{ControlFlow, Range};

use mote_data::Series;

use super::draw::{Drawer, Known, Passes};
use crate::Error;

/// One missing value and what it may have been.
#[derive(Debug, PartialEq)]
pub struct Hole<'d> {
    /// The sample, counted from the first of the series.
    pub sample: usize,
    /// The feature.
    pub feature: usize,
    /// `(draws,)`, ascending.
    pub draws: &'d [f64],
}

/// Fills the holes of a series; `mask` says which of its values are known, `(samples, features)`.
/// `see` is shown each hole, in order, and told after each window how many samples are done; it may
/// break off. Answers how many samples lie in segments that are shorter than a window: their holes
/// are left as they are.
///
/// # Errors
///
/// [`Error::Usage`] if no segment is as long as a window, [`Error::Interrupted`] if it was broken off.
///
/// # Panics
///
/// If the mask does not fit the series.
pub fn fill(
    drawer: &mut Drawer<'_>,
    series: &Series,
    mask: &[f32],
    see: &mut dyn FnMut(Seen<'_>) -> ControlFlow<()>,
) -> Result<usize, Error> {
    let [length, features] = drawer.shape();
    assert_eq!(mask.len(), series.values().len(), "a mask for each value");
    let longest = series.segments().map(|s| s.len()).max().unwrap_or(0);
    if longest < length {
        let name = series.name();
        let what = format!(
            "{name}: wanted {length} samples without a break for a window of the model, found at most {longest}"
        );
        return Err(Error::Usage(what));
    }
    let mut left = 0;
    let mut one = vec![0.0; drawer.draws()];
    for Range { start, end } in series.segments() {
        if end - start < length {
            left += end - start;
            continue;
        }
        let flat = start * features..end * features;
        let known = Known { values: &series.values()[flat.clone()], mask: &mask[flat] };
        let mut noise = drawer.noise(start as u64);
        let mut going = ControlFlow::Continue(());
        drawer.complete(known, Passes::across_holes(length), &mut noise, |range, drawn| {
            let n = range.len() * features;
            let hidden = (0..n).filter(|i| known.mask[range.start * features + i] == 0.0);
            for i in hidden {
                if going.is_break() {
                    return;
                }
                for (to, drawn) in one.iter_mut().zip(drawn.chunks_exact(n)) {
                    *to = f64::from(drawn[i]);
                }
                one.sort_unstable_by(f64::total_cmp);
                let sample = start + range.start + i / features;
                let hole = Hole { sample, feature: i % features, draws: &one };
                going = see(Seen::Hole(hole));
            }
            if going.is_continue() {
                going = see(Seen::Samples(start + range.end));
            }
        });
        if going.is_break() {
            return Err(Error::Interrupted(": nothing was written".into()));
        }
    }
    Ok(left)
}

/// What is seen of the filling of holes.
#[derive(Debug, PartialEq)]
pub enum Seen<'d> {
    /// One is filled.
    Hole(Hole<'d>),
    /// So many samples are done.
    Samples(usize),
}
