//! The section that shows each run over time, with a table of all runs above.

use super::{
    Report,
    attribution::MAX_SENSORS_DRAWN,
    calendar,
    findings::{Findings, Judged, MAX_RUNS_DRAWN},
    heat,
    html::{Element, el, words},
    number::{UNKNOWN, count, counted, number},
    page::{self, Column, swatch},
    scale::Stretch,
    timeline::Timeline,
};

/// So many runs are open when the page opens; of more, only those with events, up to as many.
const OPEN_RUNS: usize = 3;

pub(super) fn section(report: &Report, findings: &Findings<'_>, sensors: &[usize]) -> Element {
    let section = page::section("time", "Score over time");
    if report.runs.is_empty() {
        return section
            .add(page::none("No run was scored, so there is nothing to draw over time."));
    }
    let drawn = findings.drawn();
    let timeline = Timeline::new(report, findings, sensors);
    let mut section = section.add(legend(report, findings)).add(notes(report, findings));
    if findings.runs.len() > 1 {
        section = section.add(overview(findings, &drawn));
    }
    if drawn.len() < findings.runs.len() {
        let left = findings.runs.len() - drawn.len();
        let text = format!(
            "Of {}, the {MAX_RUNS_DRAWN} with the highest scores are drawn; the other {} count in \
             all numbers.",
            counted(findings.runs.len(), "run"),
            count(left)
        );
        section = section.add(words("p", text));
    }
    let mut open = OPEN_RUNS;
    for &index in &drawn {
        let judged = &findings.runs[index];
        let eventful = drawn.len() <= OPEN_RUNS || !judged.run.events.is_empty();
        let now = open > 0 && eventful;
        open -= usize::from(now);
        section = section.add(figure(index, judged, timeline.figure(index, judged), now));
    }
    section
}

fn figure(index: usize, judged: &Judged<'_>, drawing: Element, open: bool) -> Element {
    let run = judged.run;
    let (from, to) = run.bounds(judged.period);
    let mut about =
        format!("{}, {}", calendar::span(run.clock, to - from), counted(run.events.len(), "event"));
    if run.clock == calendar::Clock::Samples {
        about = format!(
            "{}, {}",
            counted(run.scores.len(), "sample"),
            counted(run.events.len(), "event")
        );
    }
    let head = el("summary").add(words("b", &run.name)).add(words("span", format!(" {about}")));
    let details = el("details").attr("id", format!("run-{index}"));
    let details = if open { details.attr("open", "") } else { details };
    let tools = el("p")
        .class("tools")
        .add(words("output", ""))
        .add(words("button", "Show all").attr("type", "button").attr("hidden", ""));
    details.class("run").add(head).add(tools).add(drawing)
}

fn legend(report: &Report, findings: &Findings<'_>) -> Element {
    let mut list = el("ul").class("legend").add(swatch("score", "score"));
    if report.threshold.is_some() {
        list = list.add(swatch("threshold", "threshold"));
    }
    list = list.add(swatch("event", "alarms (bar, and shaded above)"));
    if findings.has_labels() {
        list = list.add(swatch("truth", "labelled anomalies"));
    }
    if report.runs.iter().any(|r| r.judged_from > 0) {
        list = list.add(swatch("unjudged", "before the part that is judged"));
    }
    if report.runs.iter().any(|r| !r.contributions.is_empty()) {
        let steps = heat::legend().map(|(class, text)| swatch(class, text));
        let name = words("li", "sensor above usual, in standard deviations:");
        list = list.add(name).all(steps);
    }
    list
}

fn notes(report: &Report, findings: &Findings<'_>) -> Element {
    let mut said = Vec::new();
    if let Stretch::Asinh { centre, unit } = findings.stretch {
        said.push(format!(
            "The score axis is even up to about {} and logarithmic above, so that peaks stay on the page.",
            number(centre + unit)
        ));
    }
    let sensors = report.sensors.len();
    if sensors > MAX_SENSORS_DRAWN && report.runs.iter().any(|r| !r.contributions.is_empty()) {
        said.push(format!(
            "Of {sensors} sensors, the {MAX_SENSORS_DRAWN} with the largest share in the events have a strip.",
        ));
    }
    let script = words(
        "span",
        "Point at a plot to read it; drag across to zoom; with the keyboard, use the arrows, + and −, and Esc.",
    );
    let said = format!("{} ", said.join(" "));
    words("p", said).class("note").add(script.class("scripted"))
}

fn overview(findings: &Findings<'_>, drawn: &[usize]) -> Element {
    let mut columns = vec![
        Column::text("Run"),
        Column::number("Length"),
        Column::number("Events"),
        Column::number("Highest score"),
    ];
    let labelled = findings.has_labels();
    if labelled {
        columns.push(Column::number("Labelled anomalies found"));
        columns.push(Column::number("False alarms"));
    }
    let rows = findings.runs.iter().enumerate().map(|(index, judged)| {
        let run = judged.run;
        let (from, to) = run.bounds(judged.period);
        let name = if drawn.contains(&index) {
            words("a", &run.name).attr("href", format!("#run-{index}"))
        } else {
            words("span", &run.name)
        };
        let highest = run.scores.iter().copied().filter(|s| !s.is_nan()).reduce(f64::max);
        let length = if run.times.is_empty() { 0.0 } else { to - from };
        let mut cells = vec![
            name,
            words("span", calendar::span(run.clock, length)),
            words("span", count(run.events.len())),
            words("span", highest.map_or(UNKNOWN.into(), number)),
        ];
        if labelled {
            let (found, wrong) = match run.labels {
                Some(_) => {
                    let wrong = judged.meetings.iter();
                    let wrong = wrong.filter(|m| **m == super::run::Meeting::FalseAlarm).count();
                    let found = judged.anomalies - judged.missed.len();
                    (format!("{} of {}", count(found), count(judged.anomalies)), count(wrong))
                }
                None => (UNKNOWN.into(), UNKNOWN.into()),
            };
            cells.extend([words("span", found), words("span", wrong)]);
        }
        cells
    });
    page::table("Runs", &columns, rows)
}
