//! The table of events: when, how strong, which sensors, and whether anybody knew.

use super::{
    Report, calendar,
    findings::{Findings, Judged, ranked},
    html::{Element, el, words},
    number::{SPACE, UNKNOWN, count, counted, number},
    page::{self, Column},
    run::{Event, Meeting},
};

/// The most events that are listed: more than anybody reads.
pub const MAX_EVENTS_LISTED: usize = 200;
/// So many stand in sight, the others behind a line to open.
const IN_SIGHT: usize = 20;
/// Sensors named for each event.
const CAUSES: usize = 3;
/// Further sensors are named from so many standard deviations on; less is noise.
const NOTABLE: f64 = 3.0;

pub(super) fn section(report: &Report, findings: &Findings<'_>) -> Element {
    let section = page::section("events", "Events");
    let all: Vec<(usize, usize)> = listed(findings);
    let found = findings.events();
    if found == 0 {
        let why = match (&report.threshold, report.runs.is_empty()) {
            (_, true) => "No run was scored, so there are no events.",
            (None, _) => "There is no threshold, so no sample raised an alarm.",
            (Some(_), _) => "No score rose above the threshold: there are no events.",
        };
        return section.add(page::none(why)).all(missed(findings));
    }
    let (first, rest) = all.split_at(all.len().min(IN_SIGHT));
    let mut section = section.add(table(report, findings, first));
    if !rest.is_empty() {
        let more = format!("Show the other {}", counted(rest.len(), "event"));
        let more = el("details").add(words("summary", more));
        section = section.add(more.add(table(report, findings, rest)));
    }
    if all.len() < found {
        let text = format!(
            "These are the {} with the highest peaks, out of {}.",
            counted(all.len(), "event"),
            count(found)
        );
        section = section.add(words("p", text));
    }
    let calm = findings.runs.iter().any(|judged| judged.run.events.iter().any(|e| e.calm));
    let mut how = "Causes are the sensors whose share of the score was farthest above its usual one \
                   at the peak, in standard deviations (SD) of normal data. They say where the data \
                   are strange, not what is broken."
        .to_string();
    if calm {
        how.push_str(
            " What is too calm is more probable than normal data ever was, as of sensors that hang; \
             then it counts how far a share was below the usual one.",
        );
    }
    if findings.has_labels() {
        how.push_str(
            " The delay runs from the start of a labelled anomaly to the first alarm in it.",
        );
    }
    section.all(missed(findings)).add(words("p", how).class("note"))
}

/// The events to list as (run, event): all, or those with the highest peaks, in order of time.
fn listed(findings: &Findings<'_>) -> Vec<(usize, usize)> {
    let runs = findings.runs.iter().enumerate();
    let mut all: Vec<(usize, usize)> =
        runs.flat_map(|(r, judged)| (0..judged.run.events.len()).map(move |e| (r, e))).collect();
    let peak = |&(r, e): &(usize, usize)| findings.runs[r].run.events[e].peak_score;
    all.sort_by(|a, b| peak(b).total_cmp(&peak(a)));
    all.truncate(MAX_EVENTS_LISTED);
    all.sort_unstable();
    all
}

fn table(report: &Report, findings: &Findings<'_>, events: &[(usize, usize)]) -> Element {
    let several = findings.runs.len() > 1;
    let mut columns = vec![Column::text("Start")];
    if several {
        columns.push(Column::text("Run"));
    }
    columns.extend([Column::text("End"), Column::number("Duration")]);
    columns.extend([Column::number("Peak score"), Column::text("Peak at"), Column::text("Cause")]);
    if findings.has_labels() {
        columns.push(Column::text("Labelled?"));
    }
    let rows = events.iter().map(|&(r, e)| {
        let judged = &findings.runs[r];
        row(report, judged, e, several, findings.has_labels())
    });
    page::table("Events in order of time", &columns, rows)
}

fn row(
    report: &Report,
    judged: &Judged<'_>,
    e: usize,
    several: bool,
    labelled: bool,
) -> Vec<Element> {
    let (run, period) = (judged.run, judged.period);
    let event = &run.events[e];
    let start = run.moment(event.start, period);
    let mut cells = vec![words("span", &start).class("when")];
    // On the day on which the event began, the time alone says when.
    let moment = |sample| {
        let text = run.moment(sample, period);
        let day = start.split_once(SPACE).filter(|_| run.clock == calendar::Clock::Dated);
        let same = day.and_then(|(day, _)| text.strip_prefix(day)?.strip_prefix(SPACE));
        words("span", same.unwrap_or(&text)).class("when")
    };
    if several {
        cells.push(words("span", &run.name));
    }
    cells.extend([
        moment(event.end),
        words("span", calendar::span(run.clock, run.length(event, period))),
        words("b", number(event.peak_score)),
        moment(event.peak),
        causes(report, event),
    ]);
    if labelled {
        cells.push(match judged.meetings[e] {
            Meeting::Unlabelled => words("span", UNKNOWN),
            Meeting::FalseAlarm => words("span", "✕ no: false alarm").class("bad"),
            Meeting::Detected { delay } => {
                words("span", format!("✓ yes, after {}", calendar::span(run.clock, delay)))
            }
            Meeting::Again => words("span", "✓ yes, found before"),
            Meeting::NotJudged => words("span", "not judged"),
        });
    }
    cells
}

fn causes(report: &Report, event: &Event) -> Element {
    let order = ranked(&event.cause);
    let named = order.iter().enumerate().take(CAUSES);
    let named = named.filter(|(place, i)| *place == 0 || event.cause[**i] >= NOTABLE);
    let items: Vec<Element> = named
        .map(|(_, &i)| {
            let how = if event.calm { "too calm, " } else { "" };
            let size = format!(" {how}{}{SPACE}SD", number(event.cause[i]));
            el("li").add(words("span", &report.sensors[i].name)).add(words("i", size))
        })
        .collect();
    if items.is_empty() { words("span", UNKNOWN) } else { el("ol").class("causes").all(items) }
}

/// The labelled anomalies that nothing noticed.
fn missed(findings: &Findings<'_>) -> Option<Element> {
    let total = findings.missed();
    if total == 0 {
        return None;
    }
    let places = findings.runs.iter().flat_map(|judged| {
        judged.missed.iter().map(move |anomaly| {
            let run = judged.run;
            let from = run.moment(anomaly.start, judged.period);
            let length = run.times[anomaly.end - 1] - run.times[anomaly.start] + judged.period;
            let length = calendar::span(run.clock, length);
            if findings.runs.len() > 1 {
                format!("{from} for {length} ({})", run.name)
            } else {
                format!("{from} for {length}")
            }
        })
    });
    let shown: Vec<String> = places.take(IN_SIGHT).collect();
    let more = match total - shown.len() {
        0 => String::new(),
        more => format!("; and {} more", count(more)),
    };
    let text = format!(
        "Missed: {} of {} labelled anomalies raised no alarm: {}{more}.",
        count(total),
        count(findings.anomalies()),
        shown.join("; ")
    );
    Some(words("p", text).class("warning"))
}
