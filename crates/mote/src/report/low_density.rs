//! The section on the question "Do anomalies lie in low-density regions?".

use super::{
    html::{Element, el, words},
    number::{SPACE, UNKNOWN, count, counted, number, probability, ratio},
    page::{self, Column, figure},
    scale::{Scale, Stretch},
    svg::{Frame, Path, label},
    verdict::{Answer, SpaceTest, verdict},
};

/// The question in both spaces.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LowDensity {
    /// In the latent space of the model.
    pub latent: Option<SpaceTest>,
    /// In the space of the data, as scaled for the model.
    pub data: Option<SpaceTest>,
}

impl LowDensity {
    /// The spaces that were tested, with their names.
    pub(super) fn spaces(&self) -> impl Iterator<Item = (&'static str, &SpaceTest)> {
        let latent = self.latent.as_ref().map(|test| ("latent space", test));
        let data = self.data.as_ref().map(|test| ("data space", test));
        latent.into_iter().chain(data)
    }
}

const FRAME: Frame =
    Frame { width: 460.0, height: 0.0, left: 124.0, right: 30.0, top: 12.0, bottom: 46.0 };

pub(super) fn section(question: Option<&LowDensity>) -> Element {
    let section = page::section("low-density", "Do anomalies lie in low-density regions?");
    let tests: Vec<_> = question.iter().flat_map(|q| q.spaces()).collect();
    if tests.is_empty() {
        let why = "This was not tested: it takes a model with a density and labelled anomalies.";
        return section.add(page::none(why));
    }
    let answers = tests.iter().map(|(space, test)| {
        let verdict = verdict(test, space);
        let (word, class) = match verdict.answer {
            Answer::Yes => ("Yes", "card yes"),
            Answer::No => ("No", "card no"),
            Answer::NotShown => ("Not shown", "card open"),
        };
        el("div")
            .class(class)
            .add(words("h3", capital(space)))
            .add(words("p", word).class("value"))
            .add(words("p", after_answer(&verdict.sentence)))
    });
    let wrong = el("div")
        .add(words("h3", "What would make this wrong").class("first"))
        .add(el("ul").class("doubts").all(doubts().map(|doubt| words("li", doubt))));
    section
        .add(el("div").class("cards").all(answers))
        .add(el("div").class("pair").add(intervals(&tests)).add(wrong))
        .add(table(&tests))
}

/// The sentence without the answer in front, which stands above it in large letters.
fn after_answer(sentence: &str) -> String {
    sentence.split_once(": ").map_or_else(|| sentence.into(), |(_, rest)| capital(rest))
}

/// A dot with its interval for each space, beside chance.
fn intervals(tests: &[(&str, &SpaceTest)]) -> Element {
    let height = FRAME.top + FRAME.bottom + 44.0 * tests.len() as f64;
    let frame = Frame { height, ..FRAME };
    // Without a surprise below chance, the left half of the axis would be empty.
    let least =
        tests.iter().map(|(_, t)| t.interval.map_or(t.auroc, |i| i.low)).fold(0.5, f64::min);
    let low = if least < 0.4 { 0.0 } else { 0.4 };
    let x = Scale::new(Stretch::Linear, (low, 1.0), frame.across());
    let about = "For each space, the AUROC of the negative log-density with its interval.";
    let mut plot = frame
        .picture("low-density-intervals", "How much less densely anomalies lie", about)
        .add(frame.x_axis(&x.ticks(50.0), "AUROC of low density (0.5 is chance)"))
        .add(frame.upright(&x, 0.5));
    for (row, (space, test)) in tests.iter().enumerate() {
        let y = frame.top + 26.0 + 44.0 * row as f64;
        if let Some(interval) = test.interval {
            let mut whisker = Path::default();
            whisker.line((x.at(interval.low), y), (x.at(interval.high), y));
            plot = plot.add(whisker.element("whisker"));
        }
        let at = x.at(test.auroc);
        plot = plot
            .add(label(frame.left - 12.0, y + 4.0, "end", &capital(space)))
            .add(
                el("circle")
                    .class("mark")
                    .attr("cx", format!("{at:.1}"))
                    .attr("cy", y)
                    .attr("r", 5),
            )
            .add(label(at, y - 11.0, "middle", &ratio(test.auroc)).class("halo"));
    }
    figure(plot, "Dots are the measured values, lines their intervals, the dashed line is chance.")
}

fn table(tests: &[(&str, &SpaceTest)]) -> Element {
    let mut columns = vec![Column::text("")];
    columns.extend(tests.iter().map(|(space, _)| Column::number(&capital(space))));
    let value = |row: usize, test: &SpaceTest| match row {
        0 => ratio(test.auroc),
        1 => test
            .interval
            .map_or(UNKNOWN.into(), |i| format!("{} to {}", ratio(i.low), ratio(i.high))),
        2 => test.shift.map_or(UNKNOWN.into(), |s| probability(s.p)),
        3 => test.rank.map_or(UNKNOWN.into(), |r| probability(r.p)),
        4 => number(2.0 * test.auroc - 1.0),
        5 => test.interval.map_or(UNKNOWN.into(), |i| count(i.events)),
        _ => test.density.clone(),
    };
    let resamples = tests.iter().find_map(|(_, t)| t.shift).map(|s| s.resamples);
    let shift = match resamples {
        Some(n) => format!("Shift test ({}), keeps the order in time", counted(n, "shift")),
        None => "Shift test, keeps the order in time".into(),
    };
    let cover = tests.iter().find_map(|(_, t)| t.interval).map_or(95.0, |i| i.confidence * 100.0);
    let names = [
        "AUROC of low density".to_string(),
        format!("Its {cover:.0}{SPACE}% interval, from resampled events"),
        shift,
        "Mann-Whitney test, takes samples as independent".into(),
        "Effect: rank-biserial correlation, −1 to 1".into(),
        "Labelled anomalies".into(),
        "Density".into(),
    ];
    let rows = names.iter().enumerate().map(|(row, name)| {
        let values = tests.iter().map(|(_, test)| words("span", value(row, test)));
        std::iter::once(words("span", name)).chain(values).collect()
    });
    page::table("The numbers behind the answer", &columns, rows)
}

/// What the tests cannot see.
fn doubts() -> [&'static str; 4] {
    [
        "Labels that are off: where they are too wide, normal samples count as anomalous, and where \
         they are too narrow, anomalous ones as normal. Either makes the effect look smaller than it \
         is.",
        "A trend that the anomalies share, such as all of them late in a warming run: then any \
         late sample would have looked strange, and the tests cannot tell.",
        "Few anomalies of few kinds: the answer holds for these and says little of others.",
        "The density estimate itself: kernels blur in many dimensions, and a model can give high \
         density to data that it has never seen. That is why both spaces are shown.",
    ]
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
