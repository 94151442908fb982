//! What follows from the runs, counted once for all sections that speak of it.

use std::ops::Range;

use mote_eval::{auroc, average_precision};

use super::{
    Report,
    run::{Meeting, Run},
    scale::Stretch,
};

/// The most runs that are drawn; of the others only the counts are told.
pub const MAX_RUNS_DRAWN: usize = 24;

/// One run with what was counted in it.
#[derive(Debug)]
pub(super) struct Judged<'a> {
    pub(super) run: &'a Run,
    pub(super) period: f64,
    /// One for each event.
    pub(super) meetings: Vec<Meeting>,
    /// Labelled anomalies that no event touches.
    pub(super) missed: Vec<Range<usize>>,
    /// Labelled anomalies in the part that is judged.
    pub(super) anomalies: usize,
}

/// All runs together.
#[derive(Debug)]
pub(super) struct Findings<'a> {
    pub(super) runs: Vec<Judged<'a>>,
    /// Scores of the judged samples, of runs with labels.
    pub(super) scores: Vec<f64>,
    /// Their labels.
    pub(super) labels: Vec<bool>,
    /// How the score axis is bent, the same in all plots.
    pub(super) stretch: Stretch,
    /// AUROC and AUPRC, where both classes were seen.
    pub(super) ranking: Option<(f64, f64)>,
}

impl<'a> Findings<'a> {
    pub(super) fn of(report: &'a Report) -> Self {
        let runs: Vec<Judged<'a>> = report.runs.iter().map(judge).collect();
        let (scores, labels): (Vec<f64>, Vec<bool>) =
            report.runs.iter().flat_map(Run::judged).unzip();
        let all: Vec<f64> = report.runs.iter().flat_map(|r| &r.scores).copied().collect();
        let threshold = report.threshold.as_ref().map(|t| t.value);
        let ranking = auroc(&scores, &labels).ok().zip(average_precision(&scores, &labels).ok());
        Self { runs, stretch: Stretch::of_scores(&all, threshold), scores, labels, ranking }
    }

    pub(super) fn events(&self) -> usize {
        self.runs.iter().map(|r| r.run.events.len()).sum()
    }

    pub(super) fn has_labels(&self) -> bool {
        self.runs.iter().any(|r| r.run.labels.is_some())
    }

    pub(super) fn anomalies(&self) -> usize {
        self.runs.iter().map(|r| r.anomalies).sum()
    }

    pub(super) fn missed(&self) -> usize {
        self.runs.iter().map(|r| r.missed.len()).sum()
    }

    pub(super) fn false_alarms(&self) -> usize {
        let meetings = self.runs.iter().flat_map(|r| &r.meetings);
        meetings.filter(|m| **m == Meeting::FalseAlarm).count()
    }

    /// For each sensor, the events in which it deviates most.
    pub(super) fn leads(&self, sensors: usize) -> Vec<usize> {
        let mut leads = vec![0; sensors];
        for event in self.runs.iter().flat_map(|r| &r.run.events) {
            if let Some(&first) = ranked(&event.cause).first() {
                leads[first] += 1;
            }
        }
        leads
    }

    /// The runs that are drawn: all, or those with the highest scores, in their order.
    pub(super) fn drawn(&self) -> Vec<usize> {
        let highest = |i: usize| {
            let scores = self.runs[i].run.scores.iter().copied();
            scores.filter(|s| !s.is_nan()).fold(f64::NEG_INFINITY, f64::max)
        };
        let mut order: Vec<usize> = (0..self.runs.len()).collect();
        order.sort_by(|&a, &b| highest(b).total_cmp(&highest(a)));
        order.truncate(MAX_RUNS_DRAWN);
        order.sort_unstable();
        order
    }
}

fn judge(run: &Run) -> Judged<'_> {
    let (meetings, missed) = run.meetings();
    Judged { run, period: run.period(), meetings, missed, anomalies: run.anomalies().len() }
}

/// Sensors by how much they deviate, most first; those that do not are left out.
pub(super) fn ranked(cause: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..cause.len()).filter(|&i| cause[i] > 0.0).collect();
    order.sort_by(|&a, &b| cause[b].total_cmp(&cause[a]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Event, Sensor};

    #[test]
    fn causes_are_ranked_without_the_calm_and_the_unknown() {
        assert_eq!(ranked(&[1.0, -3.0, 7.0, f64::NAN, 0.0]), [2, 0]);
        assert_eq!(ranked(&[]), [] as [usize; 0]);
    }

    #[test]
    fn counts_are_summed_over_runs() {
        let event = |at, cause: [f64; 2]| Event {
            start: at,
            end: at,
            peak: at,
            peak_score: 1.0,
            calm: false,
            cause: cause.to_vec(),
        };
        let run = Run {
            times: vec![0.0, 1.0, 2.0, 3.0],
            scores: vec![0.0, 9.0, 0.0, 1.0],
            labels: Some(vec![false, true, false, true]),
            events: vec![event(1, [0.5, 4.0]), event(2, [3.0, 4.0])],
            ..Run::default()
        };
        let sensors = vec![Sensor::default(), Sensor::default()];
        let report = Report { runs: vec![run.clone(), run], sensors, ..Report::default() };
        let found = Findings::of(&report);
        assert_eq!((found.events(), found.anomalies(), found.missed()), (4, 4, 2));
        assert_eq!((found.false_alarms(), found.leads(2)), (2, vec![0, 4]));
        assert_eq!(found.ranking, Some((1.0, 1.0)));
    }

    #[test]
    fn of_very_many_runs_the_loudest_are_drawn() {
        let run = |i: usize| Run { times: vec![0.0], scores: vec![i as f64], ..Run::default() };
        let report = Report { runs: (0..30).map(run).collect(), ..Report::default() };
        assert_eq!(Findings::of(&report).drawn(), (6..30).collect::<Vec<_>>());
    }
}
