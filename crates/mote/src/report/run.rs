//! One scored file or stream: its samples in time, its alarms, and how they meet the labels.

use std::ops::Range;

use mote_eval::events::ranges;

use super::{
    calendar::{self, Clock},
    envelope::{Kept, envelope},
};

/// One run: everything that happened in one file, in time order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// A short name, such as the file's.
    pub name: String,
    /// What `times` counts.
    pub clock: Clock,
    /// `(samples,)`, rising: seconds or sample numbers, see [`Clock`].
    pub times: Vec<f64>,
    /// `(samples,)`, in [`Report::score_unit`](super::Report::score_unit), higher is stranger; NaN
    /// where there is no score, as while the first window fills.
    pub scores: Vec<f64>,
    /// `(samples,)`, true inside of known anomalies; `None` if nobody labelled this run.
    pub labels: Option<Vec<bool>>,
    /// The first sample that counts for the evaluation. Those before it served training or the
    /// choice of the threshold; they are drawn and not judged.
    pub judged_from: usize,
    /// The events that the detector found, in time order.
    pub events: Vec<Event>,
    /// `(samples, sensors)`, row major: what each sensor added to the score, in the score's unit;
    /// empty if that was not kept.
    pub contributions: Vec<f32>,
}

/// A run of alarms. Positions are samples of the run, counted from 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// The first alarm.
    pub start: usize,
    /// The last alarm.
    pub end: usize,
    /// The sample with the highest score.
    pub peak: usize,
    /// That score.
    pub peak_score: f64,
    /// Whether it was calmer at the peak than normal data ever is.
    pub calm: bool,
    /// `(sensors,)`: how far each was above its usual share at the peak, in standard deviations of
    /// normal data, or below it where it was too calm; empty if unknown.
    pub cause: Vec<f64>,
}

/// How an event meets the labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Meeting {
    /// The run has no labels.
    Unlabelled,
    /// It touches no labelled anomaly.
    FalseAlarm,
    /// It is the first to touch one, so long after that began.
    Detected { delay: f64 },
    /// It touches one that an earlier event touched.
    Again,
    /// It ended in the part that is not judged.
    NotJudged,
}

impl Run {
    pub(super) fn check(&self, sensors: usize) {
        let samples = self.times.len();
        let name = &self.name;
        assert_eq!(self.scores.len(), samples, "scores of run `{name}`");
        if let Some(labels) = &self.labels {
            assert_eq!(labels.len(), samples, "labels of run `{name}`");
        }
        if !self.contributions.is_empty() {
            assert_eq!(self.contributions.len(), samples * sensors, "contributions of `{name}`");
        }
        for event in &self.events {
            let ordered = event.start <= event.peak && event.peak <= event.end;
            assert!(ordered && event.end < samples, "event {event:?} of run `{name}`");
            let known = event.cause.len();
            assert!(known == 0 || known == sensors, "{known} causes of {event:?} of run `{name}`");
        }
    }

    /// The usual time from one sample to the next.
    pub(super) fn period(&self) -> f64 {
        let mut steps: Vec<f64> = self.times.windows(2).map(|t| t[1] - t[0]).collect();
        steps.sort_unstable_by(f64::total_cmp);
        steps.get(steps.len() / 2).copied().filter(|p| p.is_finite() && *p > 0.0).unwrap_or(1.0)
    }

    /// From the first sample to the end of the last one.
    pub(super) fn bounds(&self, period: f64) -> (f64, f64) {
        match (self.times.first(), self.times.last()) {
            (Some(&first), Some(&last)) if last >= first => (first, last + period),
            _ => (0.0, 1.0),
        }
    }

    /// The time of a sample in full.
    pub(super) fn moment(&self, sample: usize, period: f64) -> String {
        calendar::moment(self.clock, self.times[sample], period)
    }

    /// How long an event lasted.
    pub(super) fn length(&self, event: &Event, period: f64) -> f64 {
        self.times[event.end] - self.times[event.start] + period
    }

    /// The labelled anomalies in the part that is judged.
    pub(super) fn anomalies(&self) -> Vec<Range<usize>> {
        let Some(labels) = &self.labels else { return Vec::new() };
        let judged = self.judged_from.min(labels.len());
        let shift = |r: Range<usize>| r.start + judged..r.end + judged;
        ranges(&labels[judged..]).into_iter().map(shift).collect()
    }

    /// How each event meets the labels, and the anomalies that no event touches.
    pub(super) fn meetings(&self) -> (Vec<Meeting>, Vec<Range<usize>>) {
        let anomalies = self.anomalies();
        let mut touched = vec![false; anomalies.len()];
        let mut meet = |event: &Event| {
            if self.labels.is_none() {
                return Meeting::Unlabelled;
            }
            if event.end < self.judged_from {
                return Meeting::NotJudged;
            }
            let mut meeting = Meeting::FalseAlarm;
            for (anomaly, touched) in anomalies.iter().zip(&mut touched) {
                if event.start >= anomaly.end || event.end < anomaly.start {
                    continue;
                }
                if meeting == Meeting::FalseAlarm {
                    let late = self.times[event.start] - self.times[anomaly.start];
                    meeting = match *touched {
                        true => Meeting::Again,
                        false => Meeting::Detected { delay: late.max(0.0) },
                    };
                }
                *touched = true;
            }
            meeting
        };
        let meetings = self.events.iter().map(&mut meet).collect();
        let missed = anomalies.iter().zip(&touched).filter(|(_, touched)| !**touched);
        (meetings, missed.map(|(anomaly, _)| anomaly.clone()).collect())
    }

    /// Scores and labels of the samples that are judged and have a score.
    pub(super) fn judged(&self) -> impl Iterator<Item = (f64, bool)> + '_ {
        let labels = self.labels.as_deref().unwrap_or_default();
        let pairs = self.scores.iter().zip(labels).skip(self.judged_from);
        pairs.filter(|(score, _)| !score.is_nan()).map(|(&score, &label)| (score, label))
    }

    /// The scores thinned to `columns` columns of equal time.
    pub(super) fn thinned(&self, columns: usize, period: f64) -> Vec<Kept> {
        let (from, to) = self.bounds(period);
        let column = |i: usize| {
            let share = (self.times[i] - from) / (to - from);
            ((share * columns as f64) as usize).min(columns - 1)
        };
        // Times jitter; a step of three periods is a gap for sure.
        let broken = |i: usize| i > 0 && self.times[i] - self.times[i - 1] > 2.5 * period;
        envelope(&self.scores, column, broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(labels: &str, events: &[(usize, usize)]) -> Run {
        let event = |&(start, end)| Event { start, end, peak: start, ..Event::default() };
        Run {
            times: (0..labels.len()).map(|i| i as f64 * 2.0).collect(),
            scores: vec![0.0; labels.len()],
            labels: Some(labels.bytes().map(|b| b == b'x').collect()),
            events: events.iter().map(event).collect(),
            ..Run::default()
        }
    }

    #[track_caller]
    fn check(run: &Run, wanted: &[Meeting], missed: &[Range<usize>]) {
        run.check(0);
        assert_eq!(run.meetings(), (wanted.to_vec(), missed.to_vec()));
    }

    #[test]
    fn events_meet_labels_once_and_misses_are_named() {
        use Meeting::{Again, Detected, FalseAlarm};
        let labelled = run("..xxxx..xx..xx", &[(0, 0), (3, 3), (5, 6), (9, 12)]);
        let late = |delay| Detected { delay };
        check(&labelled, &[FalseAlarm, late(2.0), Again, late(2.0)], &[]);
        check(&run("..xx..xx", &[(1, 1), (4, 5)]), &[FalseAlarm, FalseAlarm], &[2..4, 6..8]);
        check(&run("..xx..", &[(0, 5)]), &[late(0.0)], &[]);
        check(&run("xx.x", &[]), &[], &[0..2, 3..4]);
    }

    #[test]
    fn nothing_is_judged_before_its_time_or_without_labels() {
        let mut part = run("xx..xx", &[(0, 1), (4, 4)]);
        part.judged_from = 3;
        check(&part, &[Meeting::NotJudged, Meeting::Detected { delay: 0.0 }], &[]);
        assert_eq!(part.judged().count(), 3);
        part.labels = None;
        check(&part, &[Meeting::Unlabelled; 2], &[]);
        assert_eq!(part.judged().count(), 0);
    }

    #[test]
    fn periods_and_bounds_of_short_runs_are_usable() {
        let empty = Run::default();
        assert_eq!((empty.period(), empty.bounds(1.0)), (1.0, (0.0, 1.0)));
        assert_eq!(empty.thinned(100, 1.0), []);
        let one = Run { times: vec![5.0], scores: vec![1.0], ..Run::default() };
        assert_eq!(one.bounds(one.period()), (5.0, 6.0));
        assert_eq!(one.thinned(100, 1.0).len(), 1);
    }

    #[test]
    #[should_panic(expected = "scores of run `a`")]
    fn lengths_that_differ_are_a_bug_of_the_caller() {
        Run { name: "a".into(), times: vec![1.0], ..Run::default() }.check(0);
    }
}
