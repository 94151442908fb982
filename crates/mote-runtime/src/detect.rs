//! Slides a window over a stream, scores each sample and joins alarms into events.
//!
//! The `score` program sees the newest `length` samples and says how improbable each value of them
//! is. The score of a sample is the mean over the newest `tail` samples, in nats per observed value,
//! so that windows with missing values compare. With the sums of `nll` over the tail and of `mask`
//! over the tail and over the window,
//!
//! ```text
//! score = Σ_tail nll / Σ_tail mask + kl / Σ_window mask
//! ```
//!
//! where `kl` is zero for a model that has none. A model that looks back only has a `step` program
//! too: then each sample is scored once, with all that came before it, and not again as part of later
//! windows. Files and streams go through this one machine:
//! that is why they agree sample by sample.
//!
//! A sensor that hangs is more probable than one that works, because a likelihood is highest where
//! nothing moves. So a window that is calmer than normal data ever is ([`manifest::Typical`]) is an
//! alarm too, and its score is raised above the threshold by as much as it is too calm.
//!
//! A score that is no finite number, because an input was out of all bounds or the weights are
//! broken, is an alarm and not silence: it counts as [`UNDEFINED`], and its event says so.

mod scorer;
mod track;

pub use track::Tracker;

use alloc::{vec, vec::Vec};

use mote_format::{Model, manifest};

use crate::load::LoadError;
use scorer::{Means, Scorer};

/// One time step.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// `(features,)`, in the units of the data; anything finite where the mask is 0.
    pub values: &'a [f32],
    /// `(features,)`, 1 where observed, 0 where missing.
    pub mask: &'a [f32],
}

/// What a sample made known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// `None` while the window fills, and where nothing in its tail was observed.
    pub scored: Option<Scored>,
    /// The event that is over with this sample, if one is.
    pub ended: Option<Event>,
}

/// What is known of a sample that has a score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Nats per observed value; higher is stranger. [`UNDEFINED`] where it is no number.
    pub score: f64,
    /// How many deviations it lies above the scores of late, where the model tracks them.
    pub surprise: Option<f64>,
    /// Whether one or the other lies above its threshold, and why.
    pub alarm: Option<Reason>,
}

/// Why a sample is an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is less probable than normal data.
    Improbable,
    /// It is calmer than normal data ever is, as of a sensor that hangs.
    Calm,
    /// Its score is no number, because an input was out of all bounds.
    Undefined,
}

/// Stands for a score that is no finite number: above all others, and still a number, so that
/// rankings, sums and JSON take it.
pub const UNDEFINED: f64 = f64::MAX;

/// A run of alarms. Times are numbers of samples, counted from the first one that was pushed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// The first alarm.
    pub start: u64,
    /// The last alarm.
    pub end: u64,
    /// The sample with the highest score.
    pub peak: u64,
    /// That score.
    pub peak_score: f64,
    /// Why the peak is an alarm.
    pub reason: Reason,
}

/// Samples without an alarm after which an event is over, whether they were calm or had no score:
/// fewer would cut one fault into many events, and nobody knows what happened in a long silence.
const PATIENCE: u64 = 5;

/// Scores a stream with a model. Memory is fixed when it is made.
#[derive(Clone, Debug)]
pub struct Detector<'m> {
    scorer: Scorer<'m>,
    settings: Option<manifest::Detector>,
    tracker: Option<Tracker>,
    features: usize,
    /// Samples pushed, ever.
    seen: u64,
    /// `(features,)`: what each adds to the latest score.
    shares: Vec<f32>,
    /// The mean over the latest window.
    window: f64,
    open: Option<Event>,
    /// `(features,)`: how far each was above its usual share, or too calm, at the peak of the event.
    cause: Vec<f32>,
}

impl<'m> Detector<'m> {
    /// Loads the `score` program: inputs `x` and `mask`, outputs `nll`, all `(length, features)`, and
    /// optionally `kl` with one element; or the `step` program with the same ports of one row.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if there is no such program or its ports differ.
    pub fn new(model: &'m Model<'m>) -> Result<Self, LoadError> {
        let features = model.manifest.schema.features();
        let settings = model.manifest.detector.clone();
        Ok(Self {
            scorer: Scorer::new(model)?,
            tracker: settings.as_ref().and_then(|s| s.tracking).map(Tracker::new),
            settings,
            features,
            seen: 0,
            shares: vec![0.0; features],
            window: f64::NAN,
            open: None,
            cause: vec![0.0; features],
        })
    }

    /// Forgets the window, as after a gap in the data. Ends an event that is open. What scores are
    /// usual of late is kept: drift does not wait.
    pub fn reset(&mut self) -> Option<Event> {
        self.scorer.reset();
        self.open.take()
    }

    /// Takes the next sample.
    ///
    /// # Panics
    ///
    /// If the sample does not have as many values as the model has features.
    pub fn push(&mut self, sample: Sample<'_>) -> Step {
        assert_eq!(sample.values.len(), self.features, "values of a sample");
        assert_eq!(sample.mask.len(), self.features, "mask of a sample");
        let index = self.seen;
        self.seen += 1;
        let scored = self.scorer.push(sample, &mut self.shares).map(|means| self.judge(means));
        Step { scored, ended: self.follow(index, scored) }
    }

    /// What each feature adds to the latest score, in nats per observed value.
    #[must_use]
    pub fn shares(&self) -> &[f32] {
        &self.shares
    }

    /// The mean over all values of the latest window with a score, in nats per observed value: what is
    /// compared with [`manifest::Typical::least`].
    #[must_use]
    pub fn window_mean(&self) -> f64 {
        self.window
    }

    /// How far each feature's share was above its usual one at the peak of the latest event, in
    /// standard deviations on normal data; below it, where the event was too calm.
    #[must_use]
    pub fn cause(&self) -> &[f32] {
        &self.cause
    }

    /// The event that is open, if one is.
    #[must_use]
    pub fn open(&self) -> Option<Event> {
        self.open
    }

    /// Bytes that it holds beside the weights.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let own = self.shares.len() + self.cause.len();
        own * size_of::<f32>() + self.scorer.memory_bytes()
    }

    fn judge(&mut self, Means { score, window }: Means) -> Scored {
        self.window = window;
        if !score.is_finite() {
            // What is no number says nothing of what is usual.
            return Scored { score: UNDEFINED, surprise: None, alarm: Some(Reason::Undefined) };
        }
        let mut surprise = self.tracker.as_mut().map(|t| t.surprise(score));
        let Some(settings) = &self.settings else { return Scored { score, surprise, alarm: None } };
        if let Some(typical) = settings.typical.filter(|typical| window < typical.least) {
            let beyond = (typical.least - window) * typical.slope;
            if let (Some(surprise), Some(tracker)) = (&mut surprise, &self.tracker) {
                *surprise = surprise.max(tracker.threshold() + beyond);
            }
            let score = score.max(settings.threshold + beyond);
            return Scored { score, surprise, alarm: Some(Reason::Calm) };
        }
        let above = match (&self.tracker, surprise) {
            (Some(tracker), Some(surprise)) => surprise > tracker.threshold(),
            _ => score > settings.threshold,
        };
        Scored { score, surprise, alarm: above.then_some(Reason::Improbable) }
    }

    /// Opens, prolongs or ends the event.
    fn follow(&mut self, index: u64, scored: Option<Scored>) -> Option<Event> {
        let Some(Scored { score, alarm: Some(reason), .. }) = scored else {
            return match self.open {
                Some(event) if index - event.end >= PATIENCE => self.open.take(),
                _ => None,
            };
        };
        let peak = match &mut self.open {
            Some(event) => {
                event.end = index;
                let higher = score > event.peak_score;
                if higher {
                    (event.peak, event.peak_score, event.reason) = (index, score, reason);
                }
                higher
            }
            None => {
                let (start, end, peak, peak_score) = (index, index, index, score);
                self.open = Some(Event { start, end, peak, peak_score, reason });
                true
            }
        };
        if peak {
            self.blame(reason);
        }
        None
    }

    fn blame(&mut self, reason: Reason) {
        let sign = match reason {
            Reason::Improbable => 1.0,
            Reason::Calm => -1.0,
            Reason::Undefined => 0.0,
        };
        let Some(settings) = self.settings.as_ref().filter(|_| sign != 0.0) else {
            self.cause.fill(0.0);
            return;
        };
        for (i, cause) in self.cause.iter_mut().enumerate() {
            let above = self.shares[i] - settings.feature_mean[i];
            *cause = sign * above / settings.feature_deviation[i];
        }
    }
}
