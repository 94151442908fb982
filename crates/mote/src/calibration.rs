//! Chooses the threshold on held-back, unlabelled data, with the program that will run.

use mote_data::Runs;
use mote_eval::{Tail, extreme::Fit, quantile};
use mote_format::{
    Model,
    manifest::{Detector, Tracking, Typical},
};
use mote_runtime::Tracker;
use serde::{Deserialize, Serialize};

use crate::Error;

/// How the threshold came about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// What goes into the model file.
    #[serde(skip)]
    pub detector: Detector,
    /// Held-back scores that it rests on.
    pub scores: usize,
    /// How the tail beyond the scores was modelled.
    pub method: String,
    /// The share of held-back scores that are above the threshold.
    pub alarms_on_validation: f64,
}

/// The share of scores that counts as body; what lies above is the tail that is extrapolated.
const BODY: f64 = 0.9;

/// How long a tracking detector remembers where nobody says: long enough that a fault of a quarter
/// of it still stands out. Chosen with `CLIP` on other data than is reported, see
/// docs/decisions/0003.
pub const MEMORY: usize = 2000;

/// Deviations beyond which a score moves what is usual no further.
const CLIP: f64 = 4.0;

/// Samples of the training data whose calmness is looked at, at most.
const LOOKED_AT: usize = 20_000;

/// How the alarm is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alarm {
    /// [`Self::Fixed`] if held-back data is long enough to expect one false alarm in it, else
    /// [`Self::Tracking`] with [`MEMORY`]: a rate that was never seen cannot be promised for ever.
    #[default]
    Auto,
    /// A score above a fixed threshold.
    Fixed,
    /// A score that stands out from those of late; so many samples are remembered, at least one.
    Tracking(usize),
}

/// Runs `model` over held-back data and fits the tail of its scores by extreme-value theory (peaks over
/// threshold, Siffer et al. 2017); how calm windows can be, training data tells too. A detector that
/// `model` already has is not looked at.
///
/// # Errors
///
/// [`Error::Evaluate`] with what is wrong if there are too few scores.
pub fn calibrate(
    model: &Model<'_>,
    [train, held]: [&Runs; 2],
    false_alarm_rate: f64,
    alarm: Alarm,
) -> Result<Calibration, Error> {
    let Observed { scores, mut windows, usual } = observe(model, held, usize::MAX)?;
    // How improbable normal data is, only data tells that was not learned; but how calm it can be, all
    // of it does.
    windows.extend(observe(model, train, LOOKED_AT)?.windows);
    let error = |e| Error::evaluate("the threshold from held-back data", e);
    let (threshold, fit) = tail(&scores, false_alarm_rate).map_err(error)?;
    let above = scores.iter().filter(|&&s| s > threshold).count();
    let quantiles = (0..=100).map(|q| quantile(&scores, f64::from(q) / 100.0));
    let quantiles: Vec<f64> = quantiles.collect::<Result<_, _>>().map_err(error)?;
    let memory = match alarm {
        Alarm::Fixed => None,
        Alarm::Tracking(memory) => Some(memory),
        Alarm::Auto => (scores.len() as f64 * false_alarm_rate < 1.0).then_some(MEMORY),
    };
    let mut detector = Detector {
        threshold,
        tracking: memory.map(|memory| levels(&scores, &quantiles, memory.max(1) as f64)),
        typical: typical(&windows, false_alarm_rate, threshold - quantiles[50]),
        false_alarm_rate,
        feature_mean: usual.iter().map(|m| m.mean as f32).collect(),
        feature_deviation: usual.iter().map(Moments::deviation).collect(),
        score_quantiles: quantiles,
    };
    if let Some(tracking) = &mut detector.tracking {
        let mut tracker = Tracker::new(*tracking);
        let surprises: Vec<f64> = scores.iter().map(|&s| tracker.surprise(s)).collect();
        tracking.threshold = tail(&surprises, false_alarm_rate).map_err(error)?.0;
    }
    Ok(Calibration {
        detector,
        scores: scores.len(),
        method: match fit {
            Fit::MaximumLikelihood => "generalized Pareto tail by maximum likelihood".into(),
            Fit::Endpoint => "generalized Pareto tail with an estimated endpoint".into(),
            Fit::Exponential => "exponential tail, because few scores lie in it".into(),
        },
        alarms_on_validation: above as f64 / scores.len() as f64,
    })
}

/// What data looks like to a model.
struct Observed {
    /// `(samples,)`.
    scores: Vec<f64>,
    /// `(samples,)`: the mean over the window of each.
    windows: Vec<f64>,
    /// `(features,)`: the moments of each one's share of the score.
    usual: Vec<Moments>,
}

/// Looks at about `most` samples at most: as large a part of each segment, from its beginning.
fn observe(model: &Model<'_>, runs: &Runs, most: usize) -> Result<Observed, Error> {
    let features = model.manifest.schema.features();
    let (mut scores, mut windows) = (Vec::new(), Vec::new());
    let all: usize = runs.series().iter().map(|series| series.len()).sum();
    let part = (most as f64 / all as f64).min(1.0);
    let mut usual = vec![Moments::default(); features];
    for series in runs.series() {
        let mut detector = mote_runtime::Detector::new(model)?;
        for segment in series.segments() {
            let count = (segment.len() as f64 * part).ceil() as usize;
            for t in segment.take(count) {
                let row = t * features..(t + 1) * features;
                let (values, mask) = (&series.values()[row.clone()], &series.mask()[row]);
                let sample = mote_runtime::Sample { values, mask };
                if let Some(scored) = detector.push(sample).scored {
                    let defined = scored.score != mote_runtime::UNDEFINED;
                    scores.push(if defined { scored.score } else { f64::INFINITY });
                    windows.push(detector.window_mean());
                    usual.iter_mut().zip(detector.shares()).for_each(|(m, &s)| m.add(s.into()));
                }
            }
            detector.reset();
        }
    }
    Ok(Observed { scores, windows, usual })
}

/// Where windows are calmer than normal data ever was, and rarer than `rate` by the tail of `windows`,
/// their means; `None` where that cannot be said, as of means that are all the same. From the middle
/// down to there is as far as `distance` up to the threshold.
fn typical(windows: &[f64], rate: f64, distance: f64) -> Option<Typical> {
    let calm: Vec<f64> = windows.iter().map(|mean| -mean).filter(|m| m.is_finite()).collect();
    let (rare, _) = tail(&calm, rate).ok()?;
    let least = calm.iter().fold(rare, |least, calm| least.max(*calm));
    let slope = distance / (least - quantile(&calm, 0.5).ok()?);
    (slope > 0.0 && slope.is_finite()).then_some(Typical { least: -least, slope })
}

/// The value that is exceeded at `rate`, and how the tail beyond the body was modelled.
fn tail(values: &[f64], rate: f64) -> mote_eval::Result<(f64, Fit)> {
    let tail = Tail::fit(values, BODY)?;
    Ok((tail.threshold(rate)?, tail.fit))
}

/// Tracking that begins with what is usual on held-back data; the threshold is not known yet.
fn levels(scores: &[f64], quantiles: &[f64], memory: f64) -> Tracking {
    // Between the lowest scores and the middle lies what noise alone makes.
    let (floor, middle) = (quantiles[5], quantiles[50]);
    let unit = (middle - floor).max(1e-6);
    let mut moments = Moments::default();
    scores.iter().for_each(|s| moments.add(((s - floor).max(0.0) / unit).ln_1p()));
    let (mean, deviation) = (moments.mean, moments.deviation().into());
    Tracking { memory, clip: CLIP, floor, unit, mean, deviation, threshold: 0.0 }
}

/// Mean and spread, one value at a time (Welford 1962).
#[derive(Clone, Debug, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, x: f64) {
        self.count += 1.0;
        let d = x - self.mean;
        self.mean += d / self.count;
        self.squares += d * (x - self.mean);
    }

    /// Never zero, so that it can divide.
    fn deviation(&self) -> f32 {
        (self.squares / self.count.max(1.0)).sqrt().max(1e-6) as f32
    }
}
