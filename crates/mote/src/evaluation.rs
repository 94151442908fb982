//! Measures a model against labels: how well it detects, and whether anomalies lie where it says
//! that data is rare.

use mote_data::{Runs, Series, split::Split, split::split};
use mote_eval::{
    VolumeConfig, auroc, average_precision, best_f1,
    density::KernelDensity,
    events::{Confusion, EventCounts, detection_delays, event_counts, point_adjusted},
    rank::{
        Alternative, AurocInterval, BlockBootstrap, Labelled, MannWhitney, ShiftTest,
        auroc_interval, mann_whitney, shift_test,
    },
    sliding_window, volume_under_surface,
};
use mote_format::Model;
use serde::Serialize;

use crate::{
    Error,
    latent::positions,
    report::SpaceTest,
    scoring::{Scores, score},
};

/// One run with everything that was measured on it, row by row of its file.
#[derive(Clone, Debug)]
pub struct Run {
    /// The name of the file.
    pub name: String,
    /// The samples that were scored.
    pub series: Series,
    /// Their scores and events.
    pub scores: Scores,
    /// The rows that count: not trained on, and labelled.
    pub judged: Option<Judged>,
}

/// Rows of a file that count, with the verdict on each. All of one length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    /// The numbers of the rows.
    pub rows: Vec<usize>,
    /// The scores; the lowest of all where there is none.
    pub scores: Vec<f64>,
    /// Whether the detector alarmed.
    pub alarms: Vec<bool>,
    /// Whether it is an anomaly.
    pub labels: Vec<bool>,
}

/// What was measured on one run. Absent where it is not defined, as with one class only.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metrics {
    /// The name of the file.
    pub name: String,
    /// Rows that count.
    pub rows: usize,
    /// Those that are anomalies.
    pub anomalies: usize,
    /// Area under the receiver operating characteristic.
    pub auroc: Option<f64>,
    /// Average precision.
    pub auprc: Option<f64>,
    /// Volume under the surface of ROC curves with buffers (Paparrizos et al. 2022).
    pub vus_roc: Option<f64>,
    /// Volume under the surface of precision-recall curves with buffers.
    pub vus_pr: Option<f64>,
    /// The best F1 that any threshold reaches: a bound, for nobody knows that threshold.
    pub best_f1: Option<f64>,
    /// Counts at the model's own threshold.
    pub confusion: Confusion,
    /// Row-wise F1 at the model's own threshold.
    pub f1: f64,
    /// The same after whole events are credited for one hit. It flatters; never quote it alone.
    pub f1_point_adjusted: f64,
    /// Event-wise F1 at the model's own threshold.
    pub event_f1: f64,
    /// Events, true and predicted.
    pub events: EventCounts,
    /// Share of normal rows that are alarms, in per cent.
    pub false_alarms_percent: Option<f64>,
    /// Share of anomalous rows that are not, in per cent.
    pub missed_alarms_percent: Option<f64>,
    /// Median rows from the start of an event to its first alarm, over the events that were found.
    pub delay: Option<f64>,
}

/// Scores `runs`; labels count from where the training part of each ends, as `how` divides them.
///
/// # Errors
///
/// [`Error::Load`] or [`Error::Data`].
pub fn judge(model: &Model<'_>, runs: &Runs, how: Option<&Split>) -> Result<Vec<Run>, Error> {
    runs.series()
        .iter()
        .map(|series| {
            let scores = score(model, series)?;
            let test = match how {
                Some(how) => {
                    split(&Runs::new(runs.schema().clone(), vec![series.clone()])?, how)?.test
                }
                None => Some(Runs::new(runs.schema().clone(), vec![series.clone()])?),
            };
            let judged = test.and_then(|test| judged(series, &test.series()[0], &scores));
            Ok(Run { name: series.name().into(), series: series.clone(), scores, judged })
        })
        .collect()
}

fn judged(whole: &Series, test: &Series, scores: &Scores) -> Option<Judged> {
    let labels = whole.row_labels()?;
    let lowest = scores.scores.iter().flatten().copied().fold(f64::INFINITY, f64::min);
    let mut judged = Judged::default();
    for (row, sample) in whole.sample_of_row().iter().enumerate() {
        let (Some(sample), Some(_)) = (sample, test.sample_of_row()[row]) else { continue };
        judged.rows.push(row);
        judged.scores.push(scores.scores[*sample].unwrap_or(lowest));
        judged.alarms.push(scores.alarms[*sample]);
        judged.labels.push(labels[row]);
    }
    (!judged.rows.is_empty() && lowest.is_finite()).then_some(judged)
}

/// Measures one run; `None` where nothing is labelled.
///
/// # Errors
///
/// [`Error::Evaluate`] if the numbers break a rule of the metrics.
pub fn metrics(run: &Run) -> Result<Option<Metrics>, Error> {
    let Some(judged) = &run.judged else { return Ok(None) };
    let Judged { scores, alarms, labels, .. } = judged;
    let error = |e| Error::evaluate(format!("metrics of {}", run.name), e);
    let anomalies = labels.iter().filter(|&&l| l).count();
    let both = anomalies > 0 && anomalies < labels.len();
    let volume = if both {
        let window = sliding_window(&first_column(run, judged)).map_err(error)?;
        let config = VolumeConfig { window, ..VolumeConfig::default() };
        Some(volume_under_surface(scores, labels, config).map_err(error)?)
    } else {
        None
    };
    let ranked = |f: fn(&[f64], &[bool]) -> mote_eval::Result<f64>| {
        if both { f(scores, labels).map(Some).map_err(error) } else { Ok(None) }
    };
    let confusion = Confusion::of(labels, alarms).map_err(error)?;
    let adjusted = point_adjusted(labels, alarms).map_err(error)?;
    let events = event_counts(labels, alarms).map_err(error)?;
    let delays: Vec<f64> = detection_delays(labels, alarms)
        .map_err(error)?
        .iter()
        .filter_map(|d| d.samples.map(|s| s as f64))
        .collect();
    Ok(Some(Metrics {
        name: run.name.clone(),
        rows: labels.len(),
        anomalies,
        auroc: ranked(auroc)?,
        auprc: ranked(average_precision)?,
        vus_roc: volume.as_ref().map(|v| v.vus_roc),
        vus_pr: volume.as_ref().map(|v| v.vus_pr),
        best_f1: ranked(|s, l| best_f1(s, l).map(|b| b.f1))?,
        f1: adjusted.raw.f1,
        f1_point_adjusted: adjusted.adjusted.f1,
        event_f1: events.f1(),
        events,
        false_alarms_percent: confusion.false_alarm_percent(),
        missed_alarms_percent: confusion.missed_alarm_percent(),
        confusion,
        delay: mote_eval::median(&delays).ok(),
    }))
}

/// The first feature over the rows that count: what TSB-AD takes the length of its buffers from.
fn first_column(run: &Run, judged: &Judged) -> Vec<f64> {
    let series = &run.series;
    let value = |row: &usize| {
        let sample = series.sample_of_row()[*row].unwrap_or(0);
        f64::from(series.values()[sample * series.features()])
    };
    judged.rows.iter().map(value).collect()
}

/// Whether anomalies lie where data is rare: experiment R1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rarity {
    /// By the score of the model, which is a density of the data itself.
    pub data: Option<Separation>,
    /// By a kernel density of normal data in latent space, where there is one.
    pub latent: Option<Separation>,
}

/// How far anomalies and normal samples are apart, by how rare they are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Separation {
    /// Whose density it is, as half a sentence.
    pub density: String,
    /// Normal samples compared.
    pub normal: usize,
    /// Anomalous samples compared.
    pub anomalous: usize,
    /// One-sided, as if samples were independent, which they are not.
    pub rank: MannWhitney,
    /// One-sided, by shifting the labels along the series, which keeps their runs.
    pub shift: ShiftTest,
    /// The interval of the AUROC, from a bootstrap of whole events; absent with fewer than two.
    pub interval: Option<AurocInterval>,
}

impl Separation {
    /// The same as the report takes it.
    #[must_use]
    pub fn test(&self) -> SpaceTest {
        SpaceTest {
            density: self.density.clone(),
            auroc: self.rank.auroc,
            interval: self.interval,
            rank: Some(self.rank),
            shift: Some(self.shift),
        }
    }
}

/// Windows encoded for the latent space: more would only cost time.
const POSITIONS: usize = 3000;
const RESAMPLES: usize = 1000;

/// Compares anomalies with normal samples, in data and in latent space. Latent density is that of
/// `normal`, which should be what the model was trained on.
///
/// # Errors
///
/// [`Error::Evaluate`] or [`Error::Load`].
pub fn rarity(model: &Model<'_>, runs: &[Run], normal: &Runs) -> Result<Rarity, Error> {
    let judged: Vec<&Judged> = runs.iter().filter_map(|r| r.judged.as_ref()).collect();
    let pairs: Vec<_> = judged.iter().map(|j| (j.scores.clone(), j.labels.clone())).collect();
    let density = format!("the score of the model ({})", model.manifest.family);
    Ok(Rarity { data: separation(density, &pairs)?, latent: latent(model, runs, normal)? })
}

fn latent(model: &Model<'_>, runs: &[Run], normal: &Runs) -> Result<Option<Separation>, Error> {
    let Some(reference) = positions(model, normal, POSITIONS)? else { return Ok(None) };
    let error = |e| Error::evaluate("the density of the latent space", e);
    // A latent space that does not move has no density to speak of.
    let Ok(density) = KernelDensity::fit(&reference.points, reference.width) else {
        return Ok(None);
    };
    let mut pairs = Vec::new();
    for run in runs {
        let Some(judged) = &run.judged else { continue };
        let Some(labels) = run.series.labels() else { continue };
        let one = Runs::new(normal.schema().clone(), vec![run.series.clone()])?;
        let Some(at) = positions(model, &one, POSITIONS)? else { continue };
        let rare = density.log_density(&at.points).map_err(error)?;
        let first = judged.rows.first().and_then(|&r| run.series.sample_of_row()[r]).unwrap_or(0);
        let counted: Vec<usize> = (0..rare.len()).filter(|&i| at.samples[i].1 >= first).collect();
        let scores: Vec<f64> = counted.iter().map(|&i| -rare[i]).collect();
        let labels: Vec<bool> = counted.iter().map(|&i| labels[at.samples[i].1]).collect();
        pairs.push((scores, labels));
    }
    let count = reference.samples.len();
    separation(format!("Gaussian kernels around {count} normal latent means"), &pairs)
}

fn separation(
    density: String,
    pairs: &[(Vec<f64>, Vec<bool>)],
) -> Result<Option<Separation>, Error> {
    let error = |e| Error::evaluate("the comparison of anomalies with normal samples", e);
    let of = |wanted: bool| -> Vec<f64> {
        let each = pairs.iter().flat_map(|(s, l)| s.iter().zip(l));
        each.filter(|(_, l)| **l == wanted).map(|(s, _)| *s).collect()
    };
    let (anomalous, normal) = (of(true), of(false));
    if anomalous.is_empty() || normal.is_empty() {
        return Ok(None);
    }
    let filled = pairs.iter().filter(|(s, _)| !s.is_empty());
    let labelled: Vec<Labelled<'_>> =
        filled.map(|(scores, labels)| Labelled { scores, labels }).collect();
    let config = BlockBootstrap { resamples: RESAMPLES, ..BlockBootstrap::default() };
    Ok(Some(Separation {
        density,
        normal: normal.len(),
        anomalous: anomalous.len(),
        rank: mann_whitney(&anomalous, &normal, Alternative::Greater).map_err(error)?,
        shift: shift_test(&labelled, Alternative::Greater, RESAMPLES, 0).map_err(error)?,
        interval: auroc_interval(&labelled, config).ok(),
    }))
}
