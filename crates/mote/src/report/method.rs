//! How the numbers came about, what they do not say, and how to get them again.

use super::{
    Report,
    html::{Element, el, words},
    number::{SPACE, number, percent},
    page::{self, facts},
};

/// How scores are made and what limits them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Method {
    /// Samples in a window; 0 if the model sees one sample at a time.
    pub window: usize,
    /// The newest samples of the window, over which the score is averaged.
    pub tail: usize,
    /// Further settings: name and value.
    pub settings: Vec<(String, String)>,
    /// What the results do not say, in sentences.
    pub limits: Vec<String>,
    /// Commands that make this report again, in order.
    pub reproduce: Vec<String>,
}

/// The threshold and where it comes from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Threshold {
    /// Scores above it are alarms.
    pub value: f64,
    /// How it was chosen, in a sentence.
    pub how: String,
    /// The share of normal samples that may alarm, as asked for.
    pub rate_asked: Option<f64>,
    /// The share that did.
    pub rate_measured: Option<f64>,
    /// What that was measured on: `12,000 held-back normal samples`.
    pub measured_on: String,
}

/// The measured rate is called higher than asked for from this factor on; less is chance in most
/// validation parts.
pub(super) const CLEARLY_HIGHER: f64 = 2.0;

pub(super) fn section(report: &Report) -> Element {
    let section = page::section("method", "Method and limits");
    let method = &report.method;
    let mut said: Vec<(String, Element)> = Vec::new();
    let mut say = |name: &str, value: String| said.push((name.into(), words("span", value)));
    if method.window > 0 {
        say("Window", format!("{} samples", method.window));
        say("Score of a sample", score(method));
    }
    for (name, value) in &method.settings {
        say(name, value.clone());
    }
    let mut section = section;
    if !said.is_empty() {
        section = section.add(facts(said));
    }
    section = section.add(words("h3", "Threshold"));
    section = match &report.threshold {
        Some(t) => section.add(words("p", threshold(t, &report.score_unit))),
        None => section.add(page::none("No threshold was chosen, so nothing raises an alarm.")),
    };
    section = section.add(words("h3", "Limits"));
    let limits = method.limits.iter().map(|limit| words("li", limit));
    let own = words(
        "li",
        "Strange is not the same as broken: the model knows only what it was trained on, and a new \
         but harmless way of running is strange to it.",
    );
    section = section.add(el("ul").all(limits).add(own));
    if method.reproduce.is_empty() {
        return section;
    }
    let commands = method.reproduce.join("\n");
    section
        .add(words("h3", "Do it again"))
        .add(el("pre").attr("tabindex", 0).add(words("code", commands)))
        .add(words("p", "The same data, version and seed give the same report.").class("note"))
}

fn score(method: &Method) -> String {
    match method.tail {
        0 | 1 => "how improbable the newest sample of its window is".into(),
        tail => format!("how improbable the newest {tail} samples of its window are, on average"),
    }
}

fn threshold(threshold: &Threshold, unit: &str) -> String {
    let value = number(threshold.value);
    let space = if unit.is_empty() { String::new() } else { format!("{SPACE}{unit}") };
    let mut text = format!("A score above {value}{space} is an alarm. {}", threshold.how);
    if let Some(asked) = threshold.rate_asked {
        text.push_str(&format!(" Asked for: {} of normal samples may alarm.", percent(asked)));
    }
    if let Some(measured) = threshold.rate_measured {
        let on = if threshold.measured_on.is_empty() {
            String::new()
        } else {
            format!(" of {}", threshold.measured_on)
        };
        text.push_str(&format!(" Measured: {}{on} did.", percent(measured)));
        if threshold.rate_asked.is_some_and(|asked| measured > asked * CLEARLY_HIGHER) {
            text.push_str(
                " That is clearly more than asked for: the normal data changed since training, or \
                 the part that set the threshold was too short.",
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(asked: Option<f64>, measured: Option<f64>, ends: &str) {
        let threshold_of = Threshold {
            value: 3.2,
            how: "By POT.".into(),
            rate_asked: asked,
            rate_measured: measured,
            measured_on: "900 samples".into(),
        };
        let text = threshold(&threshold_of, "nats").replace(SPACE, " ");
        assert!(text.starts_with("A score above 3.2 nats is an alarm. By POT."), "{text}");
        assert!(text.ends_with(ends), "{text}");
    }

    #[test]
    fn the_stated_and_the_measured_rate_stand_side_by_side() {
        check(None, None, "By POT.");
        check(Some(0.001), None, "Asked for: 0.1 % of normal samples may alarm.");
        check(Some(0.001), Some(0.0015), "Measured: 0.15 % of 900 samples did.");
        check(Some(0.001), Some(0.02), "was too short.");
    }
}
