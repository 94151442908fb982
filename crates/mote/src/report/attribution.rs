//! Which sensors the events are made of.

use super::{
    Report,
    findings::Findings,
    html::{Element, words},
    number::{UNKNOWN, count, counted, percent},
    page::{self, Column, bar},
};

/// The most sensors that get a strip or a bar of their own.
pub const MAX_SENSORS_DRAWN: usize = 12;

/// One input of the model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sensor {
    /// Its name in the data.
    pub name: String,
    /// What it usually adds to the score: the mean over held-back normal data.
    pub usual_mean: f64,
    /// The standard deviation of that.
    pub usual_deviation: f64,
}

impl Sensor {
    /// How far a contribution is above the usual one, in standard deviations.
    pub(super) fn deviations(&self, contribution: f32) -> f64 {
        let above = f64::from(contribution) - self.usual_mean;
        if self.usual_deviation > 0.0 { above / self.usual_deviation } else { 0.0 }
    }
}

/// What each sensor added above its usual share, or in events that were too calm below it, summed over all
/// samples of events.
pub(super) fn excess(report: &Report) -> Vec<f64> {
    let sensors = report.sensors.len();
    let mut excess = vec![0.0; sensors];
    for run in report.runs.iter().filter(|run| !run.contributions.is_empty()) {
        for event in &run.events {
            let sign = if event.calm { -1.0 } else { 1.0 };
            let rows = &run.contributions[event.start * sensors..(event.end + 1) * sensors];
            for row in rows.chunks_exact(sensors) {
                for ((sum, sensor), &c) in excess.iter_mut().zip(&report.sensors).zip(row) {
                    // A maximum with NaN is the other value, so unknown adds nothing.
                    *sum += (sign * (f64::from(c) - sensor.usual_mean)).max(0.0);
                }
            }
        }
    }
    excess
}

/// The sensors with the largest excess, most first; as they stand where there is none.
pub(super) fn foremost(excess: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..excess.len()).collect();
    order.sort_by(|&a, &b| excess[b].total_cmp(&excess[a]));
    order.truncate(MAX_SENSORS_DRAWN);
    order
}

pub(super) fn section(report: &Report, findings: &Findings<'_>, excess: &[f64]) -> Element {
    let section = page::section("sensors", "Which sensors");
    let total: f64 = excess.iter().sum();
    let leads = findings.leads(report.sensors.len());
    if findings.events() == 0 {
        return section.add(page::none("Without events there is nothing to attribute to sensors."));
    }
    if total <= 0.0 && leads.iter().all(|&n| n == 0) {
        return section
            .add(page::none("What each sensor added to the score was not kept for these runs."));
    }
    let known = total > 0.0;
    let order = if known {
        foremost(excess)
    } else {
        foremost(&leads.iter().map(|&n| n as f64).collect::<Vec<_>>())
    };
    let most = order.first().map_or(1.0, |&i| excess[i]).max(f64::MIN_POSITIVE);
    let rows = order.iter().map(|&i| {
        let share = if known { percent(excess[i] / total) } else { UNKNOWN.into() };
        vec![
            words("span", &report.sensors[i].name),
            bar(excess[i] / most),
            words("span", share),
            words("span", count(leads[i])),
        ]
    });
    let columns = [
        Column::text("Sensor"),
        Column::text("In proportion"),
        Column::number("Share of the excess"),
        Column::number("First cause of events"),
    ];
    let mut section =
        section.add(page::table("Sensors by their share in all events", &columns, rows));
    let others = report.sensors.len() - order.len();
    if others > 0 {
        let rest: f64 = total - order.iter().map(|&i| excess[i]).sum::<f64>();
        let share = if known {
            format!(" Together they hold {}.", percent(rest / total))
        } else {
            String::new()
        };
        let text = format!("{} with less are not listed.{share}", counted(others, "sensor"));
        section = section.add(words("p", text));
    }
    section.add(
        words(
            "p",
            "The excess is what a sensor adds to the score above its usual share, or below it where \
             an event was too calm, summed over all samples of events. A model looks at all sensors at once, so a sensor can also stand \
             out because the others moved and it did not.",
        )
        .class("note"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Event, Run};

    #[test]
    fn excess_is_summed_over_events_only() {
        let sensor = |usual_mean| Sensor { name: "a".into(), usual_mean, usual_deviation: 1.0 };
        let run = Run {
            times: vec![0.0, 1.0, 2.0],
            scores: vec![0.0; 3],
            contributions: vec![9.0, 9.0, 3.0, 0.5, f32::NAN, 2.0],
            events: vec![Event { start: 1, end: 2, peak: 1, ..Event::default() }],
            ..Run::default()
        };
        let mut report = Report {
            sensors: vec![sensor(1.0), sensor(1.0)],
            runs: vec![run],
            ..Report::default()
        };
        assert_eq!(excess(&report), [2.0, 1.0]);
        report.runs[0].events[0].calm = true;
        assert_eq!(excess(&report), [0.0, 0.5], "below the usual where it was too calm");
    }

    #[test]
    fn the_foremost_come_first_and_are_few() {
        assert_eq!(foremost(&[0.0, 3.0, 1.0]), [1, 2, 0]);
        assert_eq!(foremost(&[0.0; 40]), (0..MAX_SENSORS_DRAWN).collect::<Vec<_>>());
        assert_eq!(foremost(&[]), [] as [usize; 0]);
    }

    #[test]
    fn a_sensor_without_spread_is_never_unusual() {
        assert_eq!(Sensor::default().deviations(5.0), 0.0);
    }
}
