//! The report of a model as one HTML file that people like to look at.
//!
//! [`render`] turns a [`Report`] into a page that holds everything it needs: its style, its plots
//! as SVG, and a small script without which it is still complete. It fetches nothing, so it can be
//! mailed, archived and opened from a disk; it follows the light or dark theme of its reader and
//! prints well. The same report gives the same bytes.
//!
//! The caller fills in what was measured, above all the [`Run`]s with their scores, labels and
//! events. Everything that follows from these is worked out here: curves, AUROC, delays, causes,
//! what was missed, and the [`verdict`] on whether anomalies lie in low-density regions. So the
//! plots and the sentences cannot disagree. What is absent is said to be absent, in a sentence in
//! place of an empty plot.
//!
//! Nothing here reads a file or a clock, and nothing here knows a model.
//!
//! ```
//! use mote::report::{Event, Header, Report, Run, Threshold, render};
//!
//! let run = Run {
//!     name: "pump 3".into(),
//!     times: (0..100).map(f64::from).collect(),
//!     scores: (0..100).map(|i| if i == 70 { 9.0 } else { f64::from(i % 5) * 0.1 }).collect(),
//!     events: vec![Event { start: 70, end: 70, peak: 70, peak_score: 9.0, ..Event::default() }],
//!     ..Run::default()
//! };
//! let page = render(&Report {
//!     header: Header { title: "Pump 3 in May".into(), ..Header::default() },
//!     runs: vec![run],
//!     threshold: Some(Threshold { value: 2.0, ..Threshold::default() }),
//!     ..Report::default()
//! });
//! assert!(page.starts_with("<!doctype html>") && page.contains("1\u{a0}event"));
//! ```

mod attribution;
mod calendar;
mod contour;
mod data;
mod densities;
mod envelope;
mod events;
mod findings;
mod heat;
mod html;
mod latent;
mod low_density;
mod method;
mod metrics;
mod number;
mod pack;
mod page;
mod roofline;
mod run;
mod scale;
mod separation;
mod series;
mod summary;
mod svg;
mod theme;
mod timeline;
mod training;
mod verdict;

#[cfg(test)]
mod example;
#[cfg(test)]
mod tests;

pub use attribution::{MAX_SENSORS_DRAWN, Sensor};
pub use calendar::Clock;
pub use data::{Column, ColumnKind, Data, File};
pub use events::MAX_EVENTS_LISTED;
pub use findings::MAX_RUNS_DRAWN;
pub use latent::{Latent, Projection};
pub use low_density::LowDensity;
pub use method::{Method, Threshold};
pub use metrics::{Interval, Metric, MetricUnit};
pub use roofline::roofline;
pub use run::{Event, Run};
pub use summary::Header;
pub use training::{LossAxis, Training};
pub use verdict::{Answer, SpaceTest, Verdict, verdict};

use findings::Findings;
use html::{Element, el, words};

/// Everything that a report shows. All parts may be left empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// What it is about.
    pub header: Header,
    /// Sentences for the top, before those that follow from the runs.
    pub summary: Vec<String>,
    /// What went in.
    pub data: Data,
    /// How the model came about.
    pub training: Option<Training>,
    /// The inputs of the model, in the order of [`Run::contributions`] and [`Event::cause`].
    pub sensors: Vec<Sensor>,
    /// The unit of all scores, such as `nats per value`; empty if they have none.
    pub score_unit: String,
    /// Where the alarm is.
    pub threshold: Option<Threshold>,
    /// What was scored.
    pub runs: Vec<Run>,
    /// Samples in latent space.
    pub latent: Option<Latent>,
    /// Whether anomalies lie in low-density regions.
    pub low_density: Option<LowDensity>,
    /// Numbers for the table.
    pub metrics: Vec<Metric>,
    /// F1 without and with point adjustment.
    pub f1: Option<mote_eval::events::PointAdjusted>,
    /// How scores are made, and what they do not say.
    pub method: Method,
}

/// The parts of the page with the sections in each, as the table of contents names them.
const CONTENTS: [(&str, &[(&str, &str)]); 3] = [
    (
        "What happened",
        &[
            ("short", "In short"),
            ("time", "Score over time"),
            ("events", "Events"),
            ("sensors", "Which sensors"),
        ],
    ),
    (
        "How far to trust it",
        &[
            ("separation", "Does the score tell them apart?"),
            ("metrics", "Numbers"),
            ("low-density", "Low-density regions"),
            ("latent", "Latent space"),
        ],
    ),
    (
        "How it was made",
        &[("data", "Data"), ("training", "Training"), ("method", "Method and limits")],
    ),
];

/// Writes the page.
///
/// Cost is about that of sorting the scores; the file stays near a megabyte whatever the length of
/// the runs, because plots are thinned to what can be seen, peaks kept.
///
/// # Panics
///
/// If vectors that describe the same samples or sensors differ in length, or an event lies outside
/// of its run: then the caller mixed up runs, and the page would be wrong.
pub fn render(report: &Report) -> String {
    report.runs.iter().for_each(|run| run.check(report.sensors.len()));
    let findings = Findings::of(report);
    let excess = attribution::excess(report);
    let foremost = attribution::foremost(&excess);

    let part = |i: usize| words("p", CONTENTS[i].0).class("part");
    let main = el("main")
        .add(summary::header(&report.header))
        .add(summary::in_short(report, &findings, &excess))
        .add(series::section(report, &findings, &foremost))
        .add(events::section(report, &findings))
        .add(attribution::section(report, &findings, &excess))
        .add(part(1))
        .add(separation::section(report, &findings))
        .add(metrics::section(report))
        .add(low_density::section(report.low_density.as_ref()))
        .add(latent::section(report.latent.as_ref()))
        .add(part(2))
        .add(data::section(&report.data))
        .add(training::section(report.training.as_ref()))
        .add(method::section(report))
        .add(words("footer", "This file holds everything it shows and fetches nothing."));
    document(&report.header.title, el("div").class("layout").add(contents()).add(main))
}

fn contents() -> Element {
    let parts = CONTENTS.iter().flat_map(|(part, sections)| {
        let link = |(id, name): &(&str, &str)| {
            el("li").add(words("a", name).attr("href", format!("#{id}")))
        };
        [words("b", part), el("ul").all(sections.iter().map(link))]
    });
    el("nav").attr("aria-label", "Contents").all(parts)
}

fn document(title: &str, body: Element) -> String {
    let title = if title.is_empty() { "Mote report" } else { title };
    // Should text ever get past the escaping, the browser still refuses to fetch or send anything.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
    let head = el("head")
        .add(el("meta").attr("charset", "utf-8"))
        .add(el("meta").attr("http-equiv", "Content-Security-Policy").attr("content", policy))
        .add(
            el("meta")
                .attr("name", "viewport")
                .attr("content", "width=device-width, initial-scale=1"),
        )
        .add(words("title", title))
        .add(el("style").verbatim(theme::STYLE));
    let body = el("body").add(body).add(el("script").verbatim(theme::SCRIPT));
    let mut page = String::from("<!doctype html>\n");
    el("html").attr("lang", "en").add(head).add(body).write(&mut page);
    page.push('\n');
    page
}
