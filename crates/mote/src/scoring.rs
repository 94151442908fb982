//! Scores of whole runs: the detector of the runtime, fed from series instead of a stream.

use mote_data::Series;
use mote_format::{Model, Schema};
use mote_runtime::{Detector, Event, Reason, Sample, Step};
use serde::{Serialize, Serializer};

use crate::Error;

/// The scores of one run, sample by sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// `(samples,)`, in nats per observed value; `None` while the window fills.
    pub scores: Vec<Option<f64>>,
    /// `(samples,)`: how many deviations it lies above the scores of late, where that is tracked.
    pub surprises: Vec<Option<f64>>,
    /// `(samples,)`: whether it is an alarm.
    pub alarms: Vec<bool>,
    /// `(samples, columns)`, row major: what each column adds to the score; zero where there is none.
    pub shares: Vec<f32>,
    /// The alarms, joined.
    pub events: Vec<Found>,
}

/// An event with its causes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// The first alarm, by sample.
    pub start: usize,
    /// The last alarm, by sample.
    pub end: usize,
    /// The sample with the highest score.
    pub peak: usize,
    /// That score.
    pub peak_score: f64,
    /// Why the peak is an alarm.
    #[serde(serialize_with = "reason")]
    pub reason: Reason,
    /// The columns that stood out at the peak, worst first; none if the score was no number.
    pub causes: Vec<Cause>,
    /// `(columns,)`: how far the share of each is above the usual, or below where it was too calm.
    #[serde(skip)]
    pub deviations: Vec<f32>,
}

/// A column that stands out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cause {
    /// Its name.
    pub column: String,
    /// How far its share of the score is above the usual, in standard deviations on normal data; below
    /// it, where that was too calm.
    pub deviations: f32,
}

fn reason<S: Serializer>(reason: &Reason, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(match reason {
        Reason::Improbable => "improbable",
        Reason::Calm => "calm",
        Reason::Undefined => "undefined",
    })
}

/// Columns named as the causes of an event, at most.
const CAUSES: usize = 3;

/// Scores a run. Every segment begins with an empty window.
///
/// # Errors
///
/// [`Error::Load`] if the model has no `score`.
pub fn score(model: &Model<'_>, series: &Series) -> Result<Scores, Error> {
    let mut detector = Detector::new(model)?;
    let schema = &model.manifest.schema;
    let columns = schema.feature_columns();
    let (n, features) = (series.len(), series.features());
    let mut found = Scores {
        scores: Vec::with_capacity(n),
        surprises: Vec::with_capacity(n),
        alarms: Vec::with_capacity(n),
        shares: vec![0.0; n * schema.columns.len()],
        events: Vec::new(),
    };
    for segment in series.segments() {
        let end = |detector: &mut Detector<'_>, event: Event, events: &mut Vec<Found>| {
            events.push(describe(event, detector.cause(), schema));
        };
        for t in segment {
            let row = t * features..(t + 1) * features;
            let sample =
                Sample { values: &series.values()[row.clone()], mask: &series.mask()[row] };
            let Step { scored, ended } = detector.push(sample);
            found.scores.push(scored.map(|s| s.score));
            found.surprises.push(scored.and_then(|s| s.surprise));
            found.alarms.push(scored.is_some_and(|s| s.alarm.is_some()));
            if scored.is_some() {
                let shares = &mut found.shares[t * schema.columns.len()..][..schema.columns.len()];
                for (share, &column) in detector.shares().iter().zip(&columns) {
                    shares[column] += share;
                }
            }
            if let Some(event) = ended {
                end(&mut detector, event, &mut found.events);
            }
        }
        if let Some(event) = detector.reset() {
            end(&mut detector, event, &mut found.events);
        }
    }
    Ok(found)
}

/// An event in the words of the schema: `cause` has one number for each feature.
#[must_use]
pub fn describe(event: Event, cause: &[f32], schema: &Schema) -> Found {
    let mut columns = vec![f32::MIN; schema.columns.len()];
    for (&deviations, column) in cause.iter().zip(schema.feature_columns()) {
        columns[column] = columns[column].max(deviations);
    }
    let mut causes: Vec<Cause> = columns
        .iter()
        .copied()
        .zip(&schema.columns)
        .map(|(deviations, column)| Cause { column: column.name.clone(), deviations })
        .collect();
    causes.sort_by(|a, b| b.deviations.total_cmp(&a.deviations));
    causes.truncate(if event.reason == Reason::Undefined { 0 } else { CAUSES });
    Found {
        start: event.start as usize,
        end: event.end as usize,
        peak: event.peak as usize,
        peak_score: event.peak_score,
        reason: event.reason,
        causes,
        deviations: columns,
    }
}
