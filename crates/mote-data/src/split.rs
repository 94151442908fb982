//! Training, validation and test parts of each run: earlier rows train, later rows test.

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, ErrorKind},
    series::{Runs, Series},
};

/// How each run is divided. The parts are runs of their own, so no window crosses a boundary.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Split {
    /// How much of each run, from its start, is for training (and validation).
    pub train: Train,
    /// The share of the training part, at its end, that is held out to choose thresholds and when
    /// to stop. 0.2, because a threshold of one false alarm in a hundred needs some hundred
    /// samples, while most of the data should teach. The end and not a random choice, because
    /// neighbouring samples are nearly copies of each other. Of at least [`MANY`] recordings
    /// that are mostly shorter than [`SHORT`] samples, such as single heartbeats or gestures, whole
    /// ones are held out instead, at even distances: their ends alone hold no window.
    pub validation: f64,
    /// Whether the anomalies of the training part are learned from as well.
    pub anomalies: Anomalies,
}

/// What to do with labelled anomalies in the training and validation parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anomalies {
    /// They stay, unlabelled: the default, because in service nobody labels training data.
    #[default]
    Keep,
    /// They are cut out; the samples before and after are different segments.
    CutOut,
}

/// How much of a run is for training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Train {
    /// All of it: the test data is in other files.
    All,
    /// So many rows of the file. Samples count as training if any of these rows is in them.
    Rows(usize),
    /// This share of the samples, more than 0 and at most 1.
    Fraction(f64),
}

impl Default for Split {
    fn default() -> Self {
        Self { train: Train::All, validation: 0.2, anomalies: Anomalies::Keep }
    }
}

/// From so many short recordings on, whole ones are held out.
pub const MANY: usize = 20;
/// A recording of fewer samples is short: a fifth of it holds no window of 64.
pub const SHORT: usize = 320;

/// The parts of all runs; a part that would be empty is absent.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    /// What a model learns from.
    pub train: Runs,
    /// What thresholds and stopping are chosen on.
    pub validation: Option<Runs>,
    /// What is left.
    pub test: Option<Runs>,
}

/// Divides each run.
///
/// # Errors
///
/// [`ErrorKind::Settings`] for shares outside their range, [`ErrorKind::TooFewRows`] where a run
/// leaves no sample for training.
pub fn split(runs: &Runs, how: &Split) -> Result<Parts, Error> {
    if !(0.0..1.0).contains(&how.validation) {
        let wanted = "a validation share of at least 0 and less than 1";
        return Err(Error::wanted(ErrorKind::Settings, wanted, &how.validation.to_string()));
    }
    let whole = are_short(runs);
    let mut recording = 0;
    let (mut train, mut validation, mut test) = (Vec::new(), Vec::new(), Vec::new());
    for series in runs.series() {
        let end = train_samples(series, how.train)?;
        test.extend(series.slice(end..series.len()));
        let known = match how.anomalies {
            Anomalies::Keep => series.slice(0..end),
            Anomalies::CutOut => series.slice(0..end).and_then(|s| s.normal()),
        };
        let Some(known) = known else {
            if whole {
                continue;
            }
            let what = format!("wanted a sample to train on, found none among the first {end}");
            return Err(Error::new(ErrorKind::TooFewRows, what).in_file(series.name()));
        };
        if whole {
            let mut held = vec![false; known.len()];
            for range in known.recordings() {
                held[range].fill(is_held(recording, how.validation));
                recording += 1;
            }
            train.extend(known.filtered(|sample| !held[sample]));
            validation.extend(known.filtered(|sample| held[sample]));
            continue;
        }
        let held = (known.len() as f64 * how.validation).round() as usize;
        let learned = (known.len() - held).max(1);
        train.extend(known.slice(0..learned));
        validation.extend(known.slice(learned..known.len()));
    }
    let runs = |series: Vec<Series>| Runs::new(runs.schema().clone(), series);
    Ok(Parts { train: runs(train)?, validation: runs(validation).ok(), test: runs(test).ok() })
}

/// Whether there are many recordings, most of them short.
fn are_short(runs: &Runs) -> bool {
    let lengths: Vec<usize> =
        runs.series().iter().flat_map(Series::recordings).map(|range| range.len()).collect();
    let short = lengths.iter().filter(|&&samples| samples < SHORT).count();
    lengths.len() >= MANY && 2 * short > lengths.len()
}

/// Whether this recording is one of the held-out ones: a share of them all, at even distances.
fn is_held(recording: usize, share: f64) -> bool {
    let until = |recordings: usize| (recordings as f64 * share).floor();
    until(recording + 1) > until(recording)
}

/// How many samples, from the start, are for training and validation.
fn train_samples(series: &Series, train: Train) -> Result<usize, Error> {
    match train {
        Train::All => Ok(series.len()),
        Train::Rows(rows) => {
            let found = series.sample_of_row().len();
            if rows > found {
                let what = format!("wanted {rows} rows for training, found {found}");
                return Err(Error::new(ErrorKind::TooFewRows, what).in_file(series.name()));
            }
            let last = series.sample_of_row()[..rows].iter().flatten().max();
            Ok(last.map_or(0, |sample| sample + 1))
        }
        Train::Fraction(share) if share > 0.0 && share <= 1.0 => {
            Ok((series.len() as f64 * share).round() as usize)
        }
        Train::Fraction(share) => {
            let wanted = "a training share of more than 0 and at most 1";
            Err(Error::wanted(ErrorKind::Settings, wanted, &share.to_string()))
        }
    }
}
