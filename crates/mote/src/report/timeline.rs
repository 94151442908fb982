//! The score of one run over time, with alarms, labels and sensors below on the same axis.
//!
//! Each figure is drawn twice, for wide and for narrow screens, because letters that shrink with
//! the picture cannot be read on a phone. Everything that depends on time lies in an inner picture
//! of its own, so that zooming is a change of its `viewBox`.

use super::{
    Report,
    calendar::{TimeTick, axis_title, time_ticks},
    findings::{Findings, Judged},
    heat::{self, Strip},
    html::{Element, el, words},
    number::{SPACE, count, counted, number, shortened},
    pack::pack,
    scale::{Scale, Stretch, extent},
    svg::{Frame, Path, label, picture, text_width},
};

/// The most points of one run that the script can zoom into.
const ZOOM_POINTS_OF_RUN: usize = 20_000;
/// The same for all runs together, about 500 kB.
const ZOOM_POINTS: usize = 200_000;
/// From this many runs on, plots are drawn in half as many columns.
const MANY_RUNS: usize = 8;

/// How a figure is laid out on one kind of screen.
struct Layout {
    class: &'static str,
    frame: Frame,
    /// Samples of one column of pixels are thinned to two.
    columns: usize,
    heat_columns: usize,
    /// Characters of a sensor's name that fit.
    name_chars: usize,
    /// Names stand left of the strips if true, else above them.
    names_left: bool,
}

const WIDE: Layout = Layout {
    class: "wide",
    frame: Frame { width: 1000.0, height: 230.0, left: 150.0, right: 10.0, top: 30.0, bottom: 0.0 },
    columns: 840,
    heat_columns: 420,
    name_chars: 19,
    names_left: true,
};

const NARROW: Layout = Layout {
    class: "narrow",
    frame: Frame { width: 360.0, height: 210.0, left: 48.0, right: 8.0, top: 30.0, bottom: 0.0 },
    columns: 304,
    heat_columns: 152,
    name_chars: 38,
    names_left: false,
};

/// What all figures of a report share.
pub(super) struct Timeline<'a> {
    report: &'a Report,
    stretch: Stretch,
    drawn: usize,
    /// The sensors that have a strip, in order of their share.
    sensors: &'a [usize],
}

impl<'a> Timeline<'a> {
    pub(super) fn new(report: &'a Report, findings: &Findings<'_>, sensors: &'a [usize]) -> Self {
        let drawn = findings.drawn().len();
        Self { report, stretch: findings.stretch, drawn, sensors }
    }

    /// The figure of one run, the `index`th of the report.
    pub(super) fn figure(&self, index: usize, judged: &Judged<'_>) -> Element {
        let run = judged.run;
        if run.scores.iter().all(|s| s.is_nan()) {
            let what = match run.scores.len() {
                0 => "The run is empty.".to_string(),
                n => format!(
                    "None of its {} has a score: the run is shorter than a window, or nothing in it was measured.",
                    counted(n, "sample")
                ),
            };
            return words("p", what).class("none");
        }
        let (from, to) = run.bounds(judged.period);
        let budget = (ZOOM_POINTS / self.drawn.max(1)).min(ZOOM_POINTS_OF_RUN);
        let scale = self.scale(judged, (1.0, 0.0));
        let packed = pack(run, &scale, budget, judged.period);
        let bend = match self.stretch {
            Stretch::Asinh { centre, unit } => format!("{centre},{unit}"),
            Stretch::Linear | Stretch::Log => String::new(),
        };
        let threshold =
            self.report.threshold.as_ref().map_or(String::new(), |t| t.value.to_string());
        el("div")
            .class("timeline")
            .attr("tabindex", 0)
            .attr("role", "group")
            .attr("aria-label", format!("Score of {} over time", run.name))
            .attr("data-clock", format!("{:?}", run.clock))
            .attr("data-span", format!("{from},{to},{}", judged.period))
            .attr("data-range", format!("{},{}", scale.low, scale.high))
            .attr("data-bend", bend)
            .attr("data-threshold", threshold)
            .attr("data-first", packed.first)
            .attr("data-lines", packed.lines)
            .attr("data-steps", packed.steps)
            .attr("data-places", packed.places)
            .all([WIDE, NARROW].iter().map(|layout| self.draw(index, judged, layout)))
    }

    /// The score axis of one run, which always shows the threshold.
    fn scale(&self, judged: &Judged<'_>, pixels: (f64, f64)) -> Scale {
        let threshold = self.report.threshold.as_ref().map(|t| t.value);
        let values = judged.run.scores.iter().copied().chain(threshold);
        let range = extent(values).unwrap_or((0.0, 1.0));
        Scale::new(self.stretch, range, pixels).padded(0.03, 0.06)
    }

    fn draw(&self, index: usize, judged: &Judged<'_>, layout: &Layout) -> Element {
        let frame = &layout.frame;
        let (left, right) = frame.across();
        let (base, top) = frame.upward();
        let scale = self.scale(judged, (base - top, 0.0));
        let rows = Rows::place(self, judged, layout);
        let (height, id) = (rows.bottom + 62.0, format!("run-{index}-{}", layout.class));
        let (title, about) = (format!("Score over time: {}", judged.run.name), describe(judged));
        let offset = |mut tick: super::scale::Tick| {
            tick.at += top;
            tick
        };
        let ticks: Vec<_> = scale.ticks(34.0).into_iter().map(offset).collect();
        let unit = &self.report.score_unit;
        let name = if unit.is_empty() { "score".into() } else { format!("score ({unit})") };

        let inner = rows.bottom - top + 2.0;
        let moving = el("svg")
            .class("moving")
            .attr("x", left)
            .attr("y", top)
            .attr("width", right - left)
            .attr("height", inner)
            .attr("viewBox", format!("0 0 {} {inner}", right - left))
            .attr("preserveAspectRatio", "none")
            .all(self.moving(judged, layout, &scale, &rows));
        picture(&id, frame.width, height, &title, &about)
            .class(layout.class)
            .attr("data-plot", format!("{left},{right},{top},{base},{}", rows.bottom))
            .add(frame.y_axis(&ticks, &name))
            // The ground of the strips lies below what moves.
            .all(rows.names)
            .add(moving)
            .all(self.threshold(&scale, layout))
            .add(time_axis(judged, layout, rows.bottom))
    }

    /// Everything that moves when the plot is zoomed.
    fn moving(
        &self,
        judged: &Judged<'_>,
        layout: &Layout,
        scale: &Scale,
        rows: &Rows,
    ) -> Vec<Element> {
        let (run, period) = (judged.run, judged.period);
        let (left, right) = layout.frame.across();
        let (base, top) = layout.frame.upward();
        let (width, tall) = (right - left, base - top);
        let bounds = run.bounds(period);
        let x = |time: f64| (time - bounds.0) / (bounds.1 - bounds.0) * width;
        let mut elements = Vec::new();

        let judged_from = run.times.get(run.judged_from.saturating_sub(1));
        if let Some(&time) = judged_from.filter(|_| run.judged_from > 0) {
            let mut shade = Path::default();
            shade.bar(0.0, 0.0, x(time + period), tall);
            elements.push(shade.element("unjudged"));
        }
        let mut alarms = Path::default();
        for event in &run.events {
            let (from, to) = (x(run.times[event.start]), x(run.times[event.end] + period));
            alarms.bar(from, 0.0, to - from, tall);
        }
        let mut marks = Path::default();
        for event in &run.events {
            let (from, to) = (x(run.times[event.start]), x(run.times[event.end] + period));
            marks.bar(from, rows.events - top, to - from, rows.thick);
        }
        let mut truth = Path::default();
        for anomaly in run.labels.iter().flat_map(|l| mote_eval::events::ranges(l)) {
            let (from, to) = (x(run.times[anomaly.start]), x(run.times[anomaly.end - 1] + period));
            truth.bar(from, rows.truth - top, to - from, rows.thick);
        }
        let mut line = Path::default();
        let columns = if self.drawn > MANY_RUNS { layout.columns / 2 } else { layout.columns };
        let kept = run.thinned(columns, period);
        for (i, k) in kept.iter().enumerate() {
            let (x, y) = (x(run.times[k.index]), scale.at(run.scores[k.index]));
            if i == 0 || k.pen_up {
                line.move_to(x, y);
            } else {
                line.line_to(x, y);
            }
            // A sample without neighbours would be a line without length.
            if kept.get(i + 1).is_none_or(|next| next.pen_up) && (i == 0 || k.pen_up) {
                line.line_to(x + 0.5, y);
            }
        }
        let paths = [(alarms, "alarm"), (line, "score"), (marks, "event"), (truth, "truth")];
        let drawn = paths.iter().filter(|(path, _)| !path.is_empty());
        elements.extend(drawn.map(|(path, class)| path.element(class)));
        if !rows.strips.is_empty() {
            let columns =
                if self.drawn > MANY_RUNS { layout.heat_columns / 2 } else { layout.heat_columns };
            let strips: Vec<Strip> =
                rows.strips.iter().map(|s| Strip { top: s.top - top, ..*s }).collect();
            let levels = heat::levels(run, &self.report.sensors, &strips, columns, bounds);
            elements.extend(heat::boxes(&levels, &strips, columns, width));
        }
        elements
    }

    fn threshold(&self, scale: &Scale, layout: &Layout) -> Vec<Element> {
        let Some(threshold) = &self.report.threshold else { return Vec::new() };
        let (left, right) = layout.frame.across();
        let y = layout.frame.top + scale.at(threshold.value);
        let mut path = Path::default();
        path.line((left, y), (right, y));
        let text = format!("threshold {}", number(threshold.value));
        vec![path.element("threshold"), label(right - 4.0, y - 5.0, "end", &text).class("halo")]
    }
}

/// Where the strips below the score lie.
struct Rows {
    events: f64,
    truth: f64,
    thick: f64,
    strips: Vec<Strip>,
    names: Vec<Element>,
    bottom: f64,
}

impl Rows {
    fn place(timeline: &Timeline<'_>, judged: &Judged<'_>, layout: &Layout) -> Self {
        let frame = &layout.frame;
        let (height, thick) = if layout.names_left { (17.0, 12.0) } else { (27.0, 10.0) };
        let mut rows = Self {
            events: 0.0,
            truth: 0.0,
            thick,
            strips: Vec::new(),
            names: Vec::new(),
            bottom: frame.height + 12.0,
        };
        rows.events = rows.next(layout, height, "alarms", "alarms");
        if judged.run.labels.is_some() {
            rows.truth = rows.next(layout, height, "labelled anomalies", "labelled anomalies");
        }
        if !judged.run.contributions.is_empty() {
            rows.bottom += 10.0;
            for &sensor in timeline.sensors {
                let name = &timeline.report.sensors[sensor].name;
                let top = rows.next(layout, height, &shortened(name, layout.name_chars), name);
                rows.strips.push(Strip { sensor, top, height: thick });
            }
        }
        rows
    }

    /// Adds a strip at the bottom and says where its top is.
    fn next(&mut self, layout: &Layout, height: f64, name: &str, full: &str) -> f64 {
        let top = self.bottom + height - self.thick - 2.0;
        let frame = &layout.frame;
        let (left, right) = frame.across();
        let text = if layout.names_left {
            label(left - 7.0, top + 10.5, "end", name)
        } else {
            label(left, top - 4.0, "start", name)
        };
        let text = if name == full { text } else { text.add(words("title", full)) };
        let mut ground = Path::default();
        ground.bar(left, top, right - left, self.thick);
        self.names.push(ground.element("ground"));
        self.names.push(text.class("row"));
        self.bottom += height;
        top
    }
}

/// The axis at the bottom, with dates on a second line.
fn time_axis(judged: &Judged<'_>, layout: &Layout, base: f64) -> Element {
    let (left, right) = layout.frame.across();
    let run = judged.run;
    let (from, to) = run.bounds(judged.period);
    let wanted = if layout.names_left { 9 } else { 3 };
    let x = |time: f64| left + (time - from) / (to - from) * (right - left);
    let mut marks = Path::default();
    marks.line((left, base), (right, base));
    let ticks = time_ticks(run.clock, from, to, wanted);
    for tick in &ticks {
        marks.line((x(tick.time), base), (x(tick.time), base + 4.0));
    }
    let texts = ticks.iter().flat_map(|TimeTick { time, label: text, below }| {
        let place = |text: &str| {
            let half = text_width(text) / 2.0;
            x(*time).clamp(half, layout.frame.width - half)
        };
        let clock = label(place(text), base + 18.0, "middle", text);
        let date = below.as_ref().map(|d| label(place(d), base + 34.0, "middle", d));
        std::iter::once(clock).chain(date)
    });
    let ticks = el("g").class("ticks").add(marks.element("base")).all(texts);
    let name = axis_title(run.clock, to - from);
    let name = label((left + right) / 2.0, base + 53.0, "middle", &name).class("name");
    el("g").class("axis").add(ticks).add(name)
}

/// What a screen reader says.
fn describe(judged: &Judged<'_>) -> String {
    let run = judged.run;
    let highest = run.events.iter().max_by(|a, b| a.peak_score.total_cmp(&b.peak_score));
    let peak = highest.map_or(String::new(), |event| {
        let when = run.moment(event.peak, judged.period);
        format!(" The highest score, {}, is at {when}.", number(event.peak_score))
    });
    let truth = match run.labels {
        Some(_) => format!(" Labelled anomalies: {}.", count(judged.anomalies)),
        None => String::new(),
    };
    let events = counted(run.events.len(), "event").replace(SPACE, " ");
    format!("{} samples with {events}.{peak}{truth}", count(run.scores.len()))
}
