//! Fills a report with what was measured, so that the page and the command line show one truth.

use mote_data::{Runs, infer::Role};
use mote_eval::{density::Principal, events::Confusion, events::point_adjusted};
use mote_format::{
    Model,
    manifest::{Density, Detector},
};
use mote_runtime::Reason;

use crate::{
    Error,
    evaluation::{Metrics, Rarity, Run as Evaluated},
    latent::positions,
    report::{
        Clock, Column, ColumnKind, Event, File, Header, Latent, LowDensity, Method, Metric,
        MetricUnit, Projection, Report, Run, Sensor, Threshold, Training,
    },
    source::Source,
    training::{Finished, Recipe},
};
use mote_learn::train::{End, Look};

/// Points of the latent space that are drawn: more only cover each other.
const POINTS: usize = 3000;
/// What the score counts.
const UNIT: &str = "nats per value";

/// A report of a model on the runs that it was evaluated on. The header has no time and no command
/// yet: only a binary knows them.
///
/// # Errors
///
/// [`Error::Load`] or [`Error::Evaluate`].
pub fn describe(
    model: &Model<'_>,
    recipe: &Recipe,
    runs: &[Evaluated],
    metrics: &[Metrics],
    rarity: Option<&Rarity>,
) -> Result<Report, Error> {
    let manifest = &model.manifest;
    let mut report = Report {
        header: Header {
            title: format!("{} on {}", manifest.family, titles(runs)),
            family: manifest.family.clone(),
            density: density(manifest.density).into(),
            version: manifest.lineage.made_by.clone(),
            seed: manifest.lineage.seed,
            ..Header::default()
        },
        sensors: sensors(model),
        score_unit: UNIT.into(),
        threshold: threshold(model, metrics),
        runs: runs.iter().map(run).collect(),
        latent: latent(model, runs)?,
        low_density: rarity.map(|r| LowDensity {
            latent: r.latent.as_ref().map(|s| s.test()),
            data: r.data.as_ref().map(|s| s.test()),
        }),
        metrics: table(metrics),
        f1: adjusted(runs)?,
        training: Some(training(&recipe.history)),
        ..Report::default()
    };
    report.method = method(model, recipe);
    report.data.files = runs.iter().map(|r| file(r, "test")).collect();
    report.data.columns = columns(model, runs);
    Ok(report)
}

/// Adds what only the training itself knows: decisions about columns, time and latent health.
pub fn describe_training(report: &mut Report, finished: &Finished, source: &Source, seconds: f64) {
    let mut training = training(&finished.history);
    training.best_step = finished.history.get(finished.best).map(|l| l.step as f64);
    training.stopped = match finished.end {
        End::Steps => "All steps were done.".into(),
        End::Patience => "The held-back data saw no improvement any more.".into(),
        End::Interrupted => "It was interrupted.".into(),
    };
    training.duration_s = Some(seconds);
    training.parameters = Some(finished.outline.parameters);
    training.device = "CPU".into();
    training.posterior = finished.posterior.clone();
    training.signs = finished.signs.clone();
    report.training = Some(training);
    report.data.notes = source.plan.notes.clone();
    let trained =
        source.runs.series().iter().map(|s| file_of(s.name(), "training and validation", s));
    report.data.files.splice(0..0, trained);
    for decision in &source.plan.decisions {
        let known = report.data.columns.iter_mut().find(|c| c.name == decision.column);
        match known {
            Some(column) => column.why.clone_from(&decision.why),
            None => report.data.columns.push(Column {
                name: decision.column.clone(),
                kind: kind(&decision.role),
                why: decision.why.clone(),
                ..Column::default()
            }),
        }
    }
    if let (Some(threshold), Some(calibration)) = (&mut report.threshold, &finished.calibration) {
        threshold.how = format!(
            "Peaks over threshold (extreme-value theory) on {} unlabelled held-back scores: {}.{}",
            calibration.scores,
            calibration.method,
            follows(&calibration.detector)
        );
    }
}

fn titles(runs: &[Evaluated]) -> String {
    match runs {
        [one] => stem(&one.name),
        many => format!("{} files", many.len()),
    }
}

/// The last part of a path, without its endings.
fn stem(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    last.split('.').next().unwrap_or(last).into()
}

fn density(kind: Density) -> &'static str {
    match kind {
        Density::Exact => "exact log-density",
        Density::Bound => "a bound on the log-density",
        Density::Energy => "an energy: the log-density up to a constant",
        Density::Implicit => "none: samples only",
    }
}

fn sensors(model: &Model<'_>) -> Vec<Sensor> {
    let schema = &model.manifest.schema;
    let mut sensors: Vec<Sensor> = schema
        .columns
        .iter()
        .map(|c| Sensor { name: c.name.clone(), usual_mean: 0.0, usual_deviation: 0.0 })
        .collect();
    if let Some(detector) = &model.manifest.detector {
        for (feature, column) in schema.feature_columns().into_iter().enumerate() {
            sensors[column].usual_mean += f64::from(detector.feature_mean[feature]);
            // Of words, the levels share one column; their deviations are bounded by the sum.
            sensors[column].usual_deviation += f64::from(detector.feature_deviation[feature]);
        }
    }
    sensors
}

fn threshold(model: &Model<'_>, metrics: &[Metrics]) -> Option<Threshold> {
    let detector = model.manifest.detector.as_ref()?;
    let all: Confusion = metrics.iter().map(|m| m.confusion).sum();
    let normal = all.false_positives + all.true_negatives;
    Some(Threshold {
        value: detector.threshold,
        how: format!(
            "Peaks over threshold (extreme-value theory) on unlabelled held-back data.{}",
            follows(detector)
        ),
        rate_asked: Some(detector.false_alarm_rate),
        rate_measured: (normal > 0).then(|| all.false_positives as f64 / normal as f64),
        measured_on: format!("{normal} rows that are labelled as normal"),
    })
}

/// What has to be added to a threshold that is only where a detector begins.
fn follows(detector: &Detector) -> String {
    detector.tracking.as_ref().map_or(String::new(), |tracking| {
        format!(
            " This is where it begins: alarms are scores that stand out from those of the last {} samples.",
            tracking.memory
        )
    })
}

fn run(run: &Evaluated) -> Run {
    let series = &run.series;
    let n = series.len();
    let times = match series.times() {
        Some(times) => times.iter().map(|t| t.seconds()).collect(),
        None => (0..n).map(|i| i as f64).collect(),
    };
    let judged_from = run
        .judged
        .as_ref()
        .and_then(|j| j.rows.first().and_then(|&row| series.sample_of_row()[row]));
    Run {
        name: stem(&run.name),
        clock: if series.times().is_some() { Clock::Dated } else { Clock::Samples },
        times,
        scores: run.scores.scores.iter().map(|s| s.unwrap_or(f64::NAN)).collect(),
        labels: series.labels().map(<[bool]>::to_vec),
        judged_from: judged_from.unwrap_or(0),
        events: run
            .scores
            .events
            .iter()
            .map(|e| Event {
                start: e.start,
                end: e.end,
                peak: e.peak,
                peak_score: e.peak_score,
                calm: e.reason == Reason::Calm,
                cause: e.deviations.iter().map(|&d| f64::from(d)).collect(),
            })
            .collect(),
        contributions: run.scores.shares.clone(),
    }
}

fn latent(model: &Model<'_>, runs: &[Evaluated]) -> Result<Option<Latent>, Error> {
    let series: Vec<_> = runs.iter().map(|r| r.series.clone()).collect();
    let Ok(all) = Runs::new(model.manifest.schema.clone(), series) else { return Ok(None) };
    let Some(at) = positions(model, &all, POINTS)? else { return Ok(None) };
    let error = |e| Error::evaluate("the picture of the latent space", e);
    let (projection, points) = if at.width == 2 {
        let pairs = at.points.chunks_exact(2).map(|p| [p[0], p[1]]).collect();
        (Projection::Direct, pairs)
    } else {
        // A latent space that does not move has no axes.
        let Ok(principal) = Principal::fit(&at.points, at.width) else { return Ok(None) };
        let variance_share = principal.variance_share;
        let points = principal.project(&at.points).map_err(error)?;
        (Projection::Principal { width: at.width, variance_share }, points)
    };
    let mut latent = Latent { projection, normal: Vec::new(), anomalous: Vec::new() };
    for (point, (run, sample)) in points.into_iter().zip(at.samples) {
        let anomalous = runs[run].series.labels().is_some_and(|l| l[sample]);
        if anomalous { latent.anomalous.push(point) } else { latent.normal.push(point) }
    }
    Ok(Some(latent))
}

fn adjusted(runs: &[Evaluated]) -> Result<Option<mote_eval::events::PointAdjusted>, Error> {
    let judged: Vec<_> = runs.iter().filter_map(|r| r.judged.as_ref()).collect();
    if judged.is_empty() {
        return Ok(None);
    }
    // A normal row between two runs keeps their events apart.
    let join = |f: fn(&crate::evaluation::Judged) -> &[bool]| -> Vec<bool> {
        judged.iter().flat_map(|j| f(j).iter().copied().chain([false])).collect()
    };
    let (labels, alarms) = (join(|j| &j.labels), join(|j| &j.alarms));
    point_adjusted(&labels, &alarms)
        .map(Some)
        .map_err(|e| Error::evaluate("the point-adjusted F1", e))
}

/// A measure of the table: its name, unit, value on one file, and what it means.
type Measure = (&'static str, MetricUnit, fn(&Metrics) -> Option<f64>, &'static str);

const MEASURES: [Measure; 9] = [
    (
        "AUROC",
        MetricUnit::Ratio,
        |m| m.auroc,
        "The chance that an anomalous row scores above a normal one.",
    ),
    ("AUPRC", MetricUnit::Ratio, |m| m.auprc, "Average precision over all thresholds."),
    (
        "VUS-ROC",
        MetricUnit::Ratio,
        |m| m.vus_roc,
        "AUROC with tolerance around the ends of events, averaged over tolerances.",
    ),
    (
        "VUS-PR",
        MetricUnit::Ratio,
        |m| m.vus_pr,
        "The same of precision and recall; the measure of TSB-AD.",
    ),
    (
        "Best F1",
        MetricUnit::Ratio,
        |m| m.best_f1,
        "What the best threshold would reach; nobody knows that one beforehand.",
    ),
    (
        "Event F1",
        MetricUnit::Ratio,
        |m| Some(m.event_f1),
        "F1 of whole events at the model's own threshold.",
    ),
    (
        "False alarms",
        MetricUnit::Percent,
        |m| m.false_alarms_percent.map(|p| p / 100.0),
        "Normal rows above the threshold.",
    ),
    (
        "Missed",
        MetricUnit::Percent,
        |m| m.missed_alarms_percent.map(|p| p / 100.0),
        "Anomalous rows below it.",
    ),
    (
        "Delay",
        MetricUnit::Plain,
        |m| m.delay,
        "Median rows from the start of an anomaly to its first alarm.",
    ),
];

/// The means over all files of what is defined there.
fn table(metrics: &[Metrics]) -> Vec<Metric> {
    let files = metrics.len();
    let over = if files > 1 { format!(" Mean of {files} files.") } else { String::new() };
    let row = |(name, unit, value, explanation): &Measure| {
        let values: Vec<f64> = metrics.iter().filter_map(value).collect();
        (!values.is_empty()).then(|| Metric {
            name: (*name).into(),
            value: values.iter().sum::<f64>() / values.len() as f64,
            unit: *unit,
            interval: None,
            explanation: format!("{explanation}{over}"),
        })
    };
    MEASURES.iter().filter_map(row).collect()
}

fn training(history: &[Look]) -> Training {
    let best = history.iter().min_by(|a, b| a.validation.total_cmp(&b.validation));
    Training {
        train_loss: history.iter().map(|l| (l.step as f64, l.training)).collect(),
        validation_loss: history.iter().map(|l| (l.step as f64, l.validation)).collect(),
        loss_unit: UNIT.into(),
        best_step: best.map(|l| l.step as f64),
        ..Training::default()
    }
}

fn method(model: &Model<'_>, recipe: &Recipe) -> Method {
    let m = &model.manifest;
    let setting = |name: &str, value: String| (name.to_owned(), value);
    Method {
        window: m.window.length,
        tail: m.window.tail,
        settings: vec![
            setting("Family", m.family.clone()),
            setting("Training steps", recipe.train.steps.to_string()),
            setting("Batch", recipe.train.batch.to_string()),
            setting("Peak learning rate", recipe.train.learning_rate.to_string()),
            setting("Training data (BLAKE3)", m.lineage.data_digest.chars().take(16).collect()),
        ],
        limits: vec![
            "A model knows the states it was trained on. A state of normal work that it never saw scores like an anomaly.".into(),
            "The false-alarm rate is promised for data like the held-back part; it does not hold when the machine, its load or its sensors change for good.".into(),
            "Scores of neighbouring samples share most of their window, so an event starts late and ends late by up to the tail.".into(),
        ],
        reproduce: vec![format!("mote train {} --seed {}", m.lineage.files.join(" "), m.lineage.seed)],
    }
}

fn file(run: &Evaluated, role: &str) -> File {
    file_of(&run.name, role, &run.series)
}

fn file_of(name: &str, role: &str, series: &mote_data::Series) -> File {
    let times = series.times();
    let span = times.and_then(|t| Some(t.last()?.seconds() - t.first()?.seconds()));
    let missing = series.mask().iter().filter(|&&m| m == 0.0).count();
    let gaps = series.gaps();
    File {
        name: stem(name),
        role: role.into(),
        rows: series.sample_of_row().len(),
        duration_s: span,
        period_s: span.filter(|_| series.len() > 1).map(|s| s / (series.len() - 1) as f64),
        missing_share: missing as f64 / series.mask().len().max(1) as f64,
        gaps_inserted: gaps.inserted as usize,
        duplicates: gaps.duplicates as usize,
    }
}

fn columns(model: &Model<'_>, runs: &[Evaluated]) -> Vec<Column> {
    let schema = &model.manifest.schema;
    let Some(series) = runs.first().map(|r| &r.series) else { return Vec::new() };
    let features = series.features();
    let mut offset = 0;
    schema
        .columns
        .iter()
        .map(|column| {
            let feature = offset;
            offset += column.kind.features();
            let each = |flat: &[f32]| -> Vec<f32> {
                flat.iter().skip(feature).step_by(features).copied().collect()
            };
            let (values, mask) = (each(series.values()), each(series.mask()));
            let missing = mask.iter().filter(|&&m| m == 0.0).count();
            let is_numeric = column.kind == mote_format::Kind::Numeric;
            let seen = values.iter().zip(&mask);
            Column {
                name: column.name.clone(),
                unit: String::new(),
                kind: if is_numeric { ColumnKind::Numeric } else { ColumnKind::Categorical },
                why: "it is an input of the model".into(),
                missing_share: missing as f64 / mask.len().max(1) as f64,
                values: if is_numeric {
                    seen.map(|(&v, &m)| if m == 0.0 { f64::NAN } else { v.into() }).collect()
                } else {
                    Vec::new()
                },
            }
        })
        .collect()
}

fn kind(role: &Role) -> ColumnKind {
    match role {
        Role::Time(_) => ColumnKind::Time,
        Role::Label => ColumnKind::Label,
        Role::Numeric => ColumnKind::Numeric,
        Role::Categorical(_) => ColumnKind::Categorical,
        Role::Ignored => ColumnKind::Ignored,
    }
}
