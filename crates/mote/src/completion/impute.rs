//! Holes filled: a stretch of which everything is known but them.

use std::ops::{ControlFlow, Range};

use mote_data::Series;
use mote_eval::interval::quantile;
use mote_format::{Column, Kind, Schema};

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
    long_enough(series, length)?;
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

/// Refuses a series without a segment of so many samples.
pub(super) fn long_enough(series: &Series, length: usize) -> Result<(), Error> {
    let longest = series.segments().map(|s| s.len()).max().unwrap_or(0);
    if longest >= length {
        return Ok(());
    }
    let name = series.name();
    Err(Error::Usage(format!(
        "{name}: wanted {length} samples without a break for a window of the model, found at most {longest}"
    )))
}

/// What is seen of the filling of holes.
#[derive(Debug, PartialEq)]
pub enum Seen<'d> {
    /// One is filled.
    Hole(Hole<'d>),
    /// So many samples are done.
    Samples(usize),
}

/// A series with its holes filled.
#[derive(Clone, Debug, PartialEq)]
pub struct Filled {
    /// `(samples, features)`: medians of the draws, of words the likeliest level; NaN where a hole could
    /// not be filled.
    pub values: Vec<f32>,
    /// Lower ends of ranges, likewise; NaN where nothing was filled, and empty if none were asked for.
    pub low: Vec<f32>,
    /// Upper ends.
    pub high: Vec<f32>,
    /// Holes that were filled, in features.
    pub holes: usize,
    /// Samples in segments shorter than a window, whose holes stay.
    pub left: usize,
}

/// Fills the holes of a series, with ranges of a coverage of `confidence` where that is asked for.
/// `progress` is told how many samples are done, and may break off.
///
/// # Errors
///
/// As [`fill`].
pub fn fill_series(
    drawer: &mut Drawer<'_>,
    series: &Series,
    confidence: Option<f64>,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Filled, Error> {
    let features = series.features();
    let known = series.values().iter().zip(series.mask());
    let values: Vec<f32> = known.map(|(&v, &m)| if m == 1.0 { v } else { f32::NAN }).collect();
    let ends = vec![f32::NAN; if confidence.is_some() { values.len() } else { 0 }];
    let mut filled = Filled { values, low: ends.clone(), high: ends, holes: 0, left: 0 };
    let words = word_features(drawer.schema());
    filled.left = fill(drawer, series, series.mask(), &mut |seen| {
        let hole = match seen {
            Seen::Samples(done) => return progress(done),
            Seen::Hole(hole) => hole,
        };
        let at = hole.sample * features + hole.feature;
        let level = |q| quantile(hole.draws, q).unwrap_or(f64::NAN) as f32;
        // Of a level, the share of draws that had it: the largest of a word is its likeliest.
        let mean = || hole.draws.iter().sum::<f64>() / hole.draws.len() as f64;
        filled.values[at] = if words[hole.feature] { mean() as f32 } else { level(0.5) };
        if let Some(confidence) = confidence {
            filled.low[at] = level(0.5 - confidence / 2.0);
            filled.high[at] = level(0.5 + confidence / 2.0);
        }
        filled.holes += 1;
        ControlFlow::Continue(())
    })?;
    super::draw::snap(drawer.schema(), series.mask(), &mut filled.values);
    Ok(filled)
}

/// For each feature, whether it is a level of a word.
fn word_features(schema: &Schema) -> Vec<bool> {
    let of = |c: &Column| std::iter::repeat_n(c.kind != Kind::Numeric, c.kind.features());
    schema.columns.iter().flat_map(of).collect()
}
