//! The table of numbers, each with what it means and how sure it is.

use mote_eval::{MeanInterval, events::PointAdjusted, rank::AurocInterval};

use super::{
    Report,
    html::{Element, el, words},
    number::{SPACE, UNKNOWN, duration, fixed, number, percent, ratio},
    page::{self, Column},
};

/// One number of the table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metric {
    /// Its name in the field: `AUROC`.
    pub name: String,
    /// The number; NaN if it could not be had.
    pub value: f64,
    /// How it is written.
    pub unit: MetricUnit,
    /// How sure it is.
    pub interval: Option<Interval>,
    /// What it means, in a sentence.
    pub explanation: String,
}

/// How a metric is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricUnit {
    /// Three decimals: AUROC, F1.
    #[default]
    Ratio,
    /// A share from 0 to 1, written in percent.
    Percent,
    /// A length of time, given in seconds.
    Seconds,
    /// Three significant digits.
    Plain,
}

/// A range that holds the true value in so many of all cases.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Coverage in (0, 1).
    pub confidence: f64,
    /// What it was taken over: `5 seeds`.
    pub over: String,
}

impl From<MeanInterval> for Interval {
    fn from(mean: MeanInterval) -> Self {
        let MeanInterval { low, high, confidence, count, .. } = mean;
        Self { low, high, confidence, over: format!("{count} seeds") }
    }
}

impl From<AurocInterval> for Interval {
    fn from(auroc: AurocInterval) -> Self {
        let AurocInterval { low, high, confidence, events, .. } = auroc;
        Self { low, high, confidence, over: format!("{events} events, resampled") }
    }
}

impl MetricUnit {
    fn write(self, value: f64) -> String {
        match self {
            _ if value.is_nan() => UNKNOWN.into(),
            Self::Ratio => ratio(value),
            Self::Percent => percent(value),
            Self::Seconds => duration(value),
            Self::Plain => number(value),
        }
    }
}

pub(super) fn section(report: &Report) -> Element {
    let section = page::section("metrics", "Numbers");
    if report.metrics.is_empty() && report.f1.is_none() {
        return section.add(page::none("Nothing was measured against labels."));
    }
    let mut section = section;
    if !report.metrics.is_empty() {
        let columns = [
            Column::text("Measure"),
            Column::number("Value"),
            Column::text("Interval"),
            Column::text("What it says"),
        ];
        let rows = report.metrics.iter().map(|metric| {
            let interval = match &metric.interval {
                Some(i) => interval(i, metric.unit),
                None => words("span", UNKNOWN),
            };
            vec![
                words("span", &metric.name),
                words("b", metric.unit.write(metric.value)),
                interval,
                words("span", &metric.explanation),
            ]
        });
        section = section.add(page::table("Measures", &columns, rows));
    }
    section.all(report.f1.map(adjusted))
}

fn interval(interval: &Interval, unit: MetricUnit) -> Element {
    let Interval { low, high, confidence, over } = interval;
    let cover = fixed(confidence * 100.0, 0);
    let range = format!("{} to {}", unit.write(*low), unit.write(*high));
    el("span")
        .add(words("span", range).class("range"))
        .add(words("i", format!(" {cover}{SPACE}%, {over}")))
}

/// Both F1 side by side, so that the flattering one cannot be quoted alone.
fn adjusted(f1: PointAdjusted) -> Element {
    let card = |name: &str, value: f64, text: String| {
        el("div")
            .class("card")
            .add(words("h4", name))
            .add(words("p", ratio(value)).class("value"))
            .add(words("p", text))
    };
    let parts = |f: mote_eval::events::F1| {
        format!("Precision {}, recall {}.", ratio(f.precision), ratio(f.recall))
    };
    let raw = format!("Every sample counts as it was predicted. {}", parts(f1.raw));
    let flattering = format!(
        "One alarm inside of an anomaly counts as if all of it had been found. {}",
        parts(f1.adjusted)
    );
    let warning = format!(
        "The adjusted F1 flatters, here by {}: on long anomalies even random alarms come near 1. \
         Use it to compare with older papers only; judge by the plain one.",
        fixed(f1.adjusted.f1 - f1.raw.f1, 3)
    );
    el("div")
        .add(words("h3", "F1, plain and point-adjusted"))
        .add(el("div").class("cards").add(card("F1", f1.raw.f1, raw)).add(card(
            "F1, point-adjusted",
            f1.adjusted.f1,
            flattering,
        )))
        .add(words("p", warning).class("warning"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_written_for_people() {
        let written = [
            MetricUnit::Ratio.write(0.9),
            MetricUnit::Percent.write(0.0123),
            MetricUnit::Seconds.write(90.0),
            MetricUnit::Plain.write(12_345.0),
            MetricUnit::Ratio.write(f64::NAN),
        ];
        let wanted = ["0.900", "1.23 %", "1 min 30 s", "12,300", "–"];
        assert_eq!(written.map(|w| w.replace(SPACE, " ")), wanted);
    }

    #[test]
    fn the_adjusted_f1_never_stands_without_the_plain_one() {
        let f1 = |f1| mote_eval::events::F1 { precision: 0.5, recall: 0.5, f1 };
        let report = Report {
            f1: Some(PointAdjusted { raw: f1(0.4), adjusted: f1(0.95) }),
            ..Report::default()
        };
        let mut page = String::new();
        section(&report).write(&mut page);
        let plain = page.find("0.400").expect("the plain value");
        let adjusted = page.find("0.950").expect("the adjusted value");
        assert!(plain < adjusted && page.contains("flatters, here by 0.550"));
    }
}
