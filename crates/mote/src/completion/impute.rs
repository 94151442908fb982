//! Holes filled: a stretch of which everything is known but them.

use std::ops::{ControlFlow, Range};

use mote_data::Series;
use mote_eval::interval::quantile;
use mote_format::{Column, Kind, Schema};

use super::{
    Calibrator,
    draw::{Drawer, Known, Passes},
    judge::Hiding,
};
use crate::Error;

/// The share of known values that are hidden to see how well they are filled: enough to learn from, and
/// few enough that the holes beside them are about as hard as without.
const PROBED: f64 = 0.1;
/// Scores that calibration remembers of each column: all of a long file.
const SCORES: usize = 4000;

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

/// How well what is known is filled: how far, in each feature, ranges of a coverage of `confidence` have to
/// be widened to keep that promise in this very series, whatever has become different since training. A
/// tenth of what `mask` says is known is hidden, in stretches as long as the holes are, filled and
/// compared (split conformal prediction, where known values stand for the holes: what is missing for a
/// reason that has to do with its value is not promised anything). `progress` is told how many samples
/// are done, and may break off.
///
/// # Errors
///
/// As [`fill`].
pub fn calibrated(
    drawer: &mut Drawer<'_>,
    series: &Series,
    mask: &[f32],
    confidence: f64,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Calibrator, Error> {
    let features = series.features();
    let words = word_features(drawer.schema());
    let mut calibrator = Calibrator::new(features, confidence).remembering(SCORES);
    // Not what a caller has hidden with the same seed.
    let seed = !drawer.seed();
    let hiding = Hiding { share: PROBED, block: usual_hole(mask, features), seed };
    let mut probed = hiding.apply(series, drawer.schema())?;
    probed.iter_mut().zip(mask).for_each(|(p, m)| *p *= m);
    fill(drawer, series, &probed, &mut |seen| {
        let hole = match seen {
            Seen::Samples(done) => return progress(done),
            Seen::Hole(hole) => hole,
        };
        let at = hole.sample * features + hole.feature;
        if mask[at] == 1.0 && !words[hole.feature] {
            let (low, high) = ends(hole.draws, confidence);
            calibrator.learn(hole.feature, f64::from(series.values()[at]), low, high);
        }
        ControlFlow::Continue(())
    })?;
    Ok(calibrator)
}

/// The mean length of a hole, in samples; 1 where there is none.
fn usual_hole(mask: &[f32], features: usize) -> usize {
    let (mut holes, mut samples) = (0, 0);
    for feature in 0..features {
        let column = || mask.iter().skip(feature).step_by(features);
        let before = std::iter::once(&1.0).chain(column());
        holes +=
            before.zip(column()).filter(|(before, now)| **before == 1.0 && **now == 0.0).count();
        samples += column().filter(|m| **m == 0.0).count();
    }
    (samples + holes / 2).checked_div(holes).unwrap_or(1).max(1)
}

/// The central range of a coverage of `confidence` of ascending draws.
fn ends(draws: &[f64], confidence: f64) -> (f64, f64) {
    let level = |q| quantile(draws, q).unwrap_or(f64::NAN);
    (level(0.5 - confidence / 2.0), level(0.5 + confidence / 2.0))
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

/// Fills the holes of a series, with ranges of a coverage of `confidence` where that is asked for; they are
/// [`calibrated`] on what is known of the series. `progress` is told how many samples are done, and may break off.
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
    let unknown = vec![f32::NAN; if confidence.is_some() { values.len() } else { 0 }];
    let mut filled = Filled { values, low: unknown.clone(), high: unknown, holes: 0, left: 0 };
    let words = word_features(drawer.schema());
    let calibrator = match confidence.filter(|_| series.mask().contains(&0.0)) {
        None => None,
        Some(confidence) => {
            let first_half = &mut |done| progress(done / 2);
            Some(calibrated(drawer, series, series.mask(), confidence, first_half)?)
        }
    };
    let before = if calibrator.is_some() { series.len() } else { 0 };
    filled.left = fill(drawer, series, series.mask(), &mut |seen| {
        let hole = match seen {
            Seen::Samples(done) if before > 0 => return progress((before + done) / 2),
            Seen::Samples(done) => return progress(done),
            Seen::Hole(hole) => hole,
        };
        let at = hole.sample * features + hole.feature;
        let level = |q| quantile(hole.draws, q).unwrap_or(f64::NAN) as f32;
        // Of a level, the share of draws that had it: the largest of a word is its likeliest.
        let mean = || hole.draws.iter().sum::<f64>() / hole.draws.len() as f64;
        filled.values[at] = if words[hole.feature] { mean() as f32 } else { level(0.5) };
        if let Some(confidence) = confidence {
            let (low, high) = ends(hole.draws, confidence);
            let kept = calibrator.as_ref().filter(|_| !words[hole.feature]);
            let widened = kept.and_then(|c| c.widen(hole.feature, low, high));
            let (low, high) = widened.unwrap_or((low, high));
            // The answer itself lies in its range, however narrow that is.
            filled.low[at] = (low as f32).min(filled.values[at]);
            filled.high[at] = (high as f32).max(filled.values[at]);
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
