//! Chooses the threshold on held-back, unlabelled data, with the program that will run.

use mote_data::Runs;
use mote_eval::{Tail, extreme::Fit, quantile};
use mote_format::{Model, manifest::Detector};
use serde::Serialize;

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

/// Runs the model in `file` over held-back data and fits the tail of its scores by extreme-value
/// theory (peaks over threshold, Siffer et al. 2017).
///
/// # Errors
///
/// [`Error::Evaluate`] with what is wrong if there are too few scores.
///
/// # Panics
///
/// If `file` is not a model that this library wrote.
pub fn calibrate(file: &[u8], held: &Runs, false_alarm_rate: f64) -> Result<Calibration, Error> {
    let model = Model::open(file).expect("written a moment ago");
    let features = model.manifest.schema.features();
    let mut scores = Vec::new();
    let mut usual = vec![Moments::default(); features];
    for series in held.series() {
        let mut detector = mote_runtime::Detector::new(&model)?;
        for segment in series.segments() {
            for t in segment {
                let row = t * features..(t + 1) * features;
                let (values, mask) = (&series.values()[row.clone()], &series.mask()[row]);
                let sample = mote_runtime::Sample { values, mask };
                if let Some(scored) = detector.push(sample) {
                    scores.push(scored.score);
                    usual.iter_mut().zip(detector.shares()).for_each(|(m, &s)| m.add(s.into()));
                }
            }
            detector.reset();
        }
    }
    let what = "the threshold from held-back data";
    let tail = Tail::fit(&scores, BODY).map_err(|e| Error::evaluate(what, e))?;
    let threshold = tail.threshold(false_alarm_rate).map_err(|e| Error::evaluate(what, e))?;
    let above = scores.iter().filter(|&&s| s > threshold).count();
    let quantiles = (0..=100).map(|q| quantile(&scores, f64::from(q) / 100.0));
    Ok(Calibration {
        detector: Detector {
            threshold,
            false_alarm_rate,
            feature_mean: usual.iter().map(|m| m.mean as f32).collect(),
            feature_deviation: usual.iter().map(Moments::deviation).collect(),
            score_quantiles: quantiles
                .collect::<Result<_, _>>()
                .map_err(|e| Error::evaluate(what, e))?,
        },
        scores: scores.len(),
        method: match tail.fit {
            Fit::MaximumLikelihood => "generalized Pareto tail by maximum likelihood".into(),
            Fit::Endpoint => "generalized Pareto tail with an estimated endpoint".into(),
            Fit::Exponential => "exponential tail, because few scores lie in it".into(),
        },
        alarms_on_validation: above as f64 / scores.len() as f64,
    })
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
