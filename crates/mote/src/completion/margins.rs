//! How far forecasts of held-back data are off, so that later ones cover what they promise.

use std::ops::ControlFlow;

use mote_data::{Runs, Series};
use mote_format::{
    Model,
    manifest::{Generator, Margins},
};

use super::{Asking, Follower, Question};
use crate::Error;

/// Coverages that are asked for most often.
const COVERAGES: [f64; 4] = [0.5, 0.8, 0.9, 0.95];
/// Draws of each future: those of `mote forecast` if nothing else is said, for quantiles of fewer draws
/// are off by more.
const DRAWS: usize = 100;

/// Forecasts that are compared: with so many the coverage of 90 % is known to 3 % at each place, and
/// better on the whole; more would cost as long as a training.
const FORECASTS: usize = 100;
/// And where a window takes more than [`MANY`] evaluations: 6 % at each place.
const FORECASTS_SLOWLY: usize = 30;
const MANY: usize = 20;

/// Measures the margins of a model on data that it was not trained on, for as many samples ahead as one
/// window can hold beside as much past. Forecasts of fewer samples see more of the past, so their
/// intervals come out rather too wide than too narrow. `None` if the data is too short to promise
/// anything. `progress` is told how many of so many samples are done, and may break off.
///
/// # Errors
///
/// As [`Follower::new`], [`Error::Interrupted`] if it was broken off.
pub fn measure(
    model: &Model<'_>,
    held: &Runs,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Option<Margins>, Error> {
    let horizon = model.manifest.window.length / 2;
    let mut levels: Vec<f64> =
        COVERAGES.iter().flat_map(|c| [0.5 - c / 2.0, 0.5 + c / 2.0]).collect();
    levels.sort_unstable_by(f64::total_cmp);
    let asking = Asking { seed: model.manifest.lineage.seed, ..Default::default() };
    let question = Question { horizon, levels, draws: DRAWS, asking };
    let mut follower = Follower::new(model, &question)?.calibrating()?;
    let most = match model.manifest.generator {
        Some(Generator::Iterative { evaluations, .. }) if evaluations > MANY => FORECASTS_SLOWLY,
        _ => FORECASTS,
    };
    calibrate(&mut follower, held, most, progress)?;
    let mut learned = follower.learned();
    learned.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let named = |found: f64| COVERAGES.into_iter().find(|c| (c - found).abs() < 1e-9);
    let coverages: Vec<f64> = learned.iter().filter_map(|(c, _)| named(*c)).collect();
    let values = learned.into_iter().flat_map(|(_, margins)| margins).collect();
    Ok((!coverages.is_empty()).then_some(Margins { coverages, horizon, values }))
}

/// Forecasts along series only to learn how far off that is; answers how many forecasts it made. They are
/// as far apart as leaves no more than `most` of them, at least 1.
///
/// # Errors
///
/// [`Error::Interrupted`] if `progress`, which is told how many of so many samples are done, broke off.
pub fn calibrate(
    follower: &mut Follower<'_>,
    runs: &Runs,
    most: usize,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<usize, Error> {
    let needed = follower.context() + follower.horizon();
    let segments = || runs.series().iter().flat_map(Series::segments);
    let judged: usize = segments().map(|s| s.len().saturating_sub(needed)).sum();
    let stride = judged.div_ceil(most).max(1);
    let (mut made, mut done) = (0, 0);
    for series in runs.series() {
        for segment in series.segments() {
            follower.forget();
            // The last forecasts would only be compared with what the first steps become.
            let last = segment.end.saturating_sub(follower.horizon());
            for t in segment {
                follower.push_of(series, t);
                if t < last && follower.is_ready() && done % stride == 0 {
                    made += usize::from(follower.forecast().is_some());
                }
                done += 1;
                if progress(done, runs.samples()).is_break() {
                    return Err(Error::Interrupted(": nothing was written".into()));
                }
            }
        }
    }
    Ok(made)
}
