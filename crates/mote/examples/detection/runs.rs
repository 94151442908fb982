//! Scores of whole files as benchmarks want them: onsets for NAB, change points for SKAB.

use std::path::Path;

use mote::{
    Error,
    calibration::{Alarm, calibrate},
    evaluation::{Run, judge},
    source::Source,
    training::Recipe,
};
use mote_data::split::split;
use mote_eval::nab::{
    ChangePointScore, ChangePointSeries, Profile, Series, change_point_score, optimize,
};

use crate::sets::reading;

/// Scores of the rows of a file, and its labelled windows.
pub(crate) type Rows = (Vec<f64>, Vec<std::ops::Range<usize>>);

pub(crate) fn rows(run: &Run, scores: &[Option<f64>]) -> Rows {
    let lowest = scores.iter().flatten().copied().fold(f64::INFINITY, f64::min);
    let of = |sample: &Option<usize>| sample.and_then(|s| scores[s]).unwrap_or(lowest);
    let labels = run.series.row_labels().unwrap_or_default();
    (run.series.sample_of_row().iter().map(of).collect(), mote_eval::events::ranges(labels))
}

/// Samples that the detector of onsets remembers, and the samples in which it says a thing once.
pub(crate) const ONSET: usize = 100;

/// The surprises of the newest sample alone beside the last hundred, each told once: what `mote
/// train --tail 1 --memory 100` makes. NAB wants few alarms at the beginning of what is new, and
/// counts every row of a longer one. Both numbers were chosen on other series (docs/decisions/0003).
pub(crate) fn onsets(
    mut model: mote_format::Model<'_>,
    source: &Source,
    recipe: &Recipe,
) -> Result<Rows, Error> {
    model.manifest.window.tail = 1;
    let parts = split(&source.runs, &recipe.reading.dataset.split)?;
    let held = parts.validation.expect("a fifth of the training part");
    let alarm = Alarm::Tracking(ONSET);
    let calibration = calibrate(&model, [&parts.train, &held], recipe.false_alarm_rate, alarm)?;
    model.manifest.detector = Some(calibration.detector);
    let run = judge(&model, &source.runs, None)?.remove(0);
    let (surprises, windows) = rows(&run, &run.scores.surprises);
    let highest = |i: usize| {
        let before = &surprises[i.saturating_sub(ONSET)..i];
        before.iter().all(|s| *s < surprises[i])
    };
    let told = 0..surprises.len();
    let told = told.map(|i| if highest(i) { surprises[i] } else { f64::NEG_INFINITY });
    Ok((told.collect(), windows))
}

/// The score of the Numenta benchmark over all files, its threshold optimized as it does itself.
pub(crate) fn nab(files: &[Rows], profile: Profile) -> Result<f64, Error> {
    let series: Vec<Series<'_>> =
        files.iter().map(|(scores, windows)| Series { scores, windows }).collect();
    Ok(optimize(&series, profile).map_err(|e| Error::evaluate("the NAB score", e))?.normalized)
}

/// Scores in robust standard units of the probationary part of the file, which is never scored: one
/// threshold has to serve all files, and their scores have different scales.
pub(crate) fn standardized((scores, windows): Rows) -> Rows {
    let known = &scores[..mote_eval::nab::probation(scores.len()).max(2).min(scores.len())];
    let quantile = |q| mote_eval::quantile(known, q).unwrap_or(0.0);
    let (middle, width) = (quantile(0.5), (quantile(0.95) - quantile(0.5)).max(1e-9));
    (scores.iter().map(|s| (s - middle) / width).collect(), windows)
}

/// For each row of a SKAB file whether the state of the testbed changes there.
pub(crate) fn change_points(file: &Path) -> Result<Vec<bool>, Error> {
    let mut reading = reading("skab")?;
    reading.dataset.read.label = Some("changepoint".into());
    reading.dataset.read.drop = vec!["anomaly".into()];
    let source = reading.learn(&[file.to_owned()])?;
    Ok(source.runs.series()[0].row_labels().unwrap_or_default().to_vec())
}

/// SKAB's score of change points: the alarm, switching on or off, is what the detector reports.
pub(crate) fn change_score(runs: &[(Run, Vec<bool>)]) -> Result<ChangePointScore, Error> {
    let prepared: Vec<Vec<f64>> = runs
        .iter()
        .filter_map(|(run, _)| {
            let judged = run.judged.as_ref()?;
            let time = |&row: &usize| {
                let sample = run.series.sample_of_row()[row]?;
                Some(run.series.times()?[sample].seconds())
            };
            Some(judged.rows.iter().filter_map(time).collect())
        })
        .collect();
    let marks: Vec<(Vec<bool>, Vec<bool>)> = runs
        .iter()
        .filter_map(|(run, truth)| {
            let judged = run.judged.as_ref()?;
            let switch = |i: usize| i > 0 && judged.alarms[i] != judged.alarms[i - 1];
            let predicted = (0..judged.alarms.len()).map(switch).collect();
            Some((judged.rows.iter().map(|&row| truth[row]).collect(), predicted))
        })
        .collect();
    let series: Vec<ChangePointSeries<'_>> = prepared
        .iter()
        .zip(&marks)
        .map(|(times_s, (truth, predicted))| ChangePointSeries { times_s, truth, predicted })
        .collect();
    change_point_score(&series, 60.0).map_err(|e| Error::evaluate("the change points", e))
}
