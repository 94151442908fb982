//! The top of the page: what this is about, and the result in a few sentences.

use super::{
    Report, calendar,
    findings::Findings,
    html::{Element, el, words},
    method::{CLEARLY_HIGHER, Threshold},
    number::{count, counted, percent, ratio},
    page::facts,
    run::Meeting,
    verdict::verdict,
};

/// What the report is about and who made it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// The title of the page.
    pub title: String,
    /// The family of the model: `TimeVae`.
    pub family: String,
    /// What kind of density its score is, in words: `a bound on the log-density`.
    pub density: String,
    /// When the report was made, as it shall be printed.
    pub made_at: String,
    /// The command line that made it.
    pub command: String,
    /// The version of the program.
    pub version: String,
    /// What all randomness was drawn from.
    pub seed: u64,
}

pub(super) fn header(header: &Header) -> Element {
    let pairs = [
        ("Model", &header.family),
        ("Its score is", &header.density),
        ("Made", &header.made_at),
        ("With", &header.version),
        ("Seed", &header.seed.to_string()),
    ];
    let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    let pairs = pairs.map(|(name, value)| (name.to_string(), words("span", value)));
    let title = if header.title.is_empty() { "Mote report" } else { &header.title };
    let mut top = el("header").add(words("h1", title)).add(facts(pairs));
    if !header.command.is_empty() {
        let command = el("pre").attr("tabindex", 0).add(words("code", &header.command));
        top = top.add(command.attr("aria-label", "Command that made this report"));
    }
    top
}

/// "In short": the sentences that were given, then those that follow from the data.
pub(super) fn in_short(report: &Report, findings: &Findings<'_>, sensors: &[f64]) -> Element {
    let mut said: Vec<String> = report.summary.clone();
    said.push(events(report, findings));
    said.extend(labels(findings));
    said.extend(cause(report, findings, sensors));
    said.extend(report.low_density.iter().flat_map(|question| {
        // One sentence is enough here; the latent is what was asked for first.
        question.spaces().take(1).map(|(space, test)| {
            let sentence = verdict(test, space).sentence;
            let first = sentence.split_inclusive(". ").next().unwrap_or(&sentence);
            format!("Do anomalies lie in low-density regions? {}", first.trim_end())
        })
    }));
    said.extend(report.threshold.iter().filter_map(too_many));
    said.extend(health(report));
    el("section")
        .attr("id", "short")
        .class("short")
        .add(words("h2", "In short"))
        .add(el("ul").all(said.iter().map(|sentence| words("li", sentence))))
}

fn events(report: &Report, findings: &Findings<'_>) -> String {
    let runs = &report.runs;
    if runs.is_empty() {
        return "No run was scored.".into();
    }
    let scored: usize = runs.iter().map(|r| r.scores.iter().filter(|s| !s.is_nan()).count()).sum();
    let timed = runs.iter().all(|r| r.clock != calendar::Clock::Samples);
    let time: f64 = findings.runs.iter().map(|r| r.run.bounds(r.period)).map(|(a, b)| b - a).sum();
    let place = match (runs.len(), timed) {
        (1, true) => format!("in {} of data", super::number::duration(time)),
        (1, false) => format!("in {}", counted(scored, "scored sample")),
        (n, true) => {
            format!("in {}, together {}", counted(n, "run"), super::number::duration(time))
        }
        (n, false) => {
            format!("in {}, together {}", counted(n, "run"), counted(scored, "scored sample"))
        }
    };
    match (findings.events(), report.threshold.is_some()) {
        (0, false) => format!("No threshold was set, so no events were looked for {place}."),
        (0, true) => format!("No event was found {place}."),
        (n, _) => format!(
            "{} found {place}.",
            if n == 1 { "1 event was".into() } else { format!("{} were", counted(n, "event")) }
        ),
    }
}

fn labels(findings: &Findings<'_>) -> Option<String> {
    if !findings.has_labels() {
        let unknown = "Nobody labelled these data, so it is not known which events are real.";
        return (findings.events() > 0).then(|| unknown.into());
    }
    let (all, missed) = (findings.anomalies(), findings.missed());
    if all == 0 {
        return Some("The labels hold no anomaly in the part that is judged.".into());
    }
    let judged = findings.runs.iter().flat_map(|r| &r.meetings);
    let judged = judged.filter(|m| !matches!(m, Meeting::Unlabelled | Meeting::NotJudged)).count();
    let wrong = match findings.false_alarms() {
        0 if judged == 0 => String::new(),
        0 => "; no event was a false alarm".into(),
        1 => format!("; 1 of {} touches none and is a false alarm", counted(judged, "event")),
        n => format!("; {} of {} events touch none and are false alarms", count(n), count(judged)),
    };
    let order = findings.ranking.map_or(String::new(), |(auroc, _)| {
        format!(
            " An anomalous sample scores above a normal one in {} of all pairs (AUROC {}).",
            percent((auroc * 1000.0).round() / 1000.0),
            ratio(auroc)
        )
    });
    let kinds = if all == 1 { "anomaly" } else { "anomalies" };
    Some(format!(
        "{} of {} labelled {kinds} raised an alarm{wrong}.{order}",
        count(all - missed),
        count(all)
    ))
}

/// A warning where many more normal samples alarm than was asked for.
fn too_many(threshold: &Threshold) -> Option<String> {
    let (asked, measured) = threshold.rate_asked.zip(threshold.rate_measured)?;
    (measured > asked * CLEARLY_HIGHER).then(|| {
        format!(
            "More normal samples raise an alarm than was asked for: {} instead of {}.",
            percent(measured),
            percent(asked)
        )
    })
}

/// A warning where the latent is not in use.
fn health(report: &Report) -> Option<String> {
    let posterior = report.training.as_ref()?.posterior.as_ref()?;
    (posterior.verdict != mote_eval::Verdict::Healthy).then(|| posterior.explanation())
}

fn cause(report: &Report, findings: &Findings<'_>, excess: &[f64]) -> Option<String> {
    let leads = findings.leads(report.sensors.len());
    // Of equals the first, so that the sentence does not depend on the order of a search.
    let first = (0..leads.len()).rev().max_by_key(|&i| leads[i]).filter(|&i| leads[i] > 0)?;
    let name = &report.sensors[first].name;
    let total: f64 = excess.iter().sum();
    // Many short events and one long one may speak of different sensors.
    let largest = (0..excess.len()).rev().max_by(|&a, &b| excess[a].total_cmp(&excess[b]));
    let share = match largest.filter(|_| total > 0.0) {
        None => String::new(),
        Some(most) => {
            let whose = if most == first { "it" } else { &report.sensors[most].name };
            let share = percent(excess[most] / total);
            format!("; {whose} adds the largest part of what is unusual in the events, {share}")
        }
    };
    let events = counted(findings.events(), "event");
    Some(format!(
        "The commonest first cause is {name}, in {} of {events}{share}.",
        count(leads[first])
    ))
}
