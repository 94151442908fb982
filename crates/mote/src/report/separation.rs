//! How well the score tells anomalies from the rest: densities, ROC and precision-recall curves.

use mote_eval::{
    density::{CurvePoint, density_curve},
    events::Confusion,
    precision_recall_curve, roc_curve,
};

use super::{
    Report,
    envelope::{envelope, every},
    findings::Findings,
    html::{Element, el, words},
    number::{SPACE, UNKNOWN, count, number, percent, ratio},
    page::{self, Column, figure},
    scale::{Scale, Stretch, extent},
    svg::{Path, SMALL, label, text_width},
};

/// Values of a class from which its density is drawn; kernels cost their square.
const DENSITY_VALUES: usize = 4000;
const DENSITY_PLACES: usize = 240;

pub(super) fn section(report: &Report, findings: &Findings<'_>) -> Element {
    let section = page::section("separation", "Does the score tell them apart?");
    let mut pair = el("div").class("pair").all(densities(report, findings));
    let Some((auroc, auprc)) = findings.ranking else {
        let why = match (findings.has_labels(), findings.scores.is_empty()) {
            (false, _) => {
                "Nobody labelled these data, so it cannot be said how well the score tells \
                 anomalies from the rest."
            }
            (true, true) => "No judged sample has both a label and a score.",
            (true, false) => {
                "The judged samples are all of one kind, so curves of right and wrong alarms \
                 cannot be drawn."
            }
        };
        return section.add(page::none(why)).add(pair);
    };
    pair = pair
        .all(at_threshold(report, findings))
        .all(roc(report, findings, auroc))
        .all(precision_recall(report, findings, auprc));
    section.add(pair)
}

/// The values of one class, bent like the axis and thinned evenly over their ranks.
fn sample(values: impl Iterator<Item = f64>, stretch: Stretch) -> Vec<f64> {
    let mut bent: Vec<f64> = values.filter(|v| v.is_finite()).map(|v| stretch.bend(v)).collect();
    bent.sort_unstable_by(f64::total_cmp);
    every(bent.len(), DENSITY_VALUES).map(|i| bent[i]).collect()
}

fn densities(report: &Report, findings: &Findings<'_>) -> Option<Element> {
    let labelled = findings.ranking.is_some();
    let class = |wanted: bool| {
        let pairs = findings.scores.iter().zip(&findings.labels);
        pairs.filter(move |(_, label)| **label == wanted).map(|(score, _)| *score)
    };
    let all = || report.runs.iter().flat_map(|r| r.scores.iter().skip(r.judged_from).copied());
    let (normal, strange) = if labelled {
        (sample(class(false), findings.stretch), sample(class(true), findings.stretch))
    } else {
        (sample(all(), findings.stretch), Vec::new())
    };
    // A density takes two different values; a class of one value has none.
    let calm = density_curve(&normal, DENSITY_PLACES).ok()?;
    let odd = density_curve(&strange, DENSITY_PLACES).unwrap_or_default();

    let threshold = report.threshold.as_ref().map(|t| t.value);
    let bent = |c: &CurvePoint| findings.stretch.unbend(c.x);
    let range = extent(calm.iter().chain(&odd).map(bent).chain(threshold))?;
    let x = Scale::new(findings.stretch, range, SMALL.across());
    let highest = calm.iter().chain(&odd).map(|c| c.density).fold(0.0, f64::max);
    let y = Scale::new(Stretch::Linear, (0.0, highest), SMALL.upward()).padded(0.0, 0.12);

    let name = if labelled { "normal" } else { "all samples" };
    let about = "Two curves over the score: where most normal and most anomalous samples lie.";
    let mut plot = SMALL
        .picture("densities", "Density of the score", about)
        .add(SMALL.y_axis(&[], "relative frequency"))
        .add(SMALL.x_axis(&x.ticks(64.0), &axis_name(report)))
        .add(curve(&calm, &x, &y, findings.stretch, true).class_of("normal-area"))
        .add(curve(&calm, &x, &y, findings.stretch, false).class_of("normal-line"));
    if !odd.is_empty() {
        plot = plot.add(curve(&odd, &x, &y, findings.stretch, false).class_of("strange-line"));
    }
    let wall = threshold.map(|t| x.at(t));
    let names = [(&calm, name, "normal-text", false), (&odd, "anomalous", "strange-text", true)];
    let names = names.into_iter().filter_map(|(points, name, class, right)| {
        let places = points.iter().map(|c| (x.at(bent(c)), y.at(c.density))).collect::<Vec<_>>();
        name_of(&places, name, wall, right).map(|label| label.class(class))
    });
    if let Some(value) = threshold {
        let text = format!("threshold {}", number(value));
        let at = x.at(value);
        let (anchor, shift) = if at > SMALL.width * 0.6 { ("end", -5.0) } else { ("start", 5.0) };
        plot = plot
            .add(SMALL.upright(&x, value))
            .add(label(at + shift, SMALL.top + 2.0, anchor, &text).class("halo"));
    }
    plot = plot.all(names);
    let caption = if labelled {
        "How often each score occurs among normal and among labelled samples; both curves hold the \
         same area. The less they overlap, the better."
    } else {
        "How often each score occurs."
    };
    Some(figure(plot, caption))
}

/// A curve of densities that still wants its class.
struct Curve(Path);

impl Curve {
    fn class_of(&self, class: &'static str) -> Element {
        self.0.element(class)
    }
}

fn curve(points: &[CurvePoint], x: &Scale, y: &Scale, stretch: Stretch, filled: bool) -> Curve {
    let mut path = Path::default();
    let place = |c: &CurvePoint| (x.at(stretch.unbend(c.x)), y.at(c.density));
    let ends = points.first().zip(points.last()).filter(|_| filled);
    let ground = |c: &CurvePoint| (place(c).0, y.at(0.0));
    let start = ends.map(|(first, _)| ground(first));
    let end = ends.map(|(_, last)| ground(last));
    path.through(start.into_iter().chain(points.iter().map(place)).chain(end));
    if filled {
        path.close();
    }
    Curve(path)
}

/// The name of a curve above its highest point, on its own side of the threshold if there is room.
fn name_of(places: &[(f64, f64)], name: &str, wall: Option<f64>, right: bool) -> Option<Element> {
    let half = text_width(name) / 2.0;
    let (from, to) = SMALL.across();
    let (from, to) = (from + half, to - half);
    let (low, high) = match wall {
        Some(wall) if right && wall + half + 6.0 < to => (wall + half + 6.0, to),
        Some(wall) if !right && wall - half - 6.0 > from => (from, wall - half - 6.0),
        _ => (from, to),
    };
    let near = places.iter().filter(|(x, _)| (low - half..=high + half).contains(x));
    let (x, y) = near.min_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(label(x.clamp(low, high), y - 7.0, "middle", name))
}

/// How many samples of each kind lie on each side of the threshold.
fn at_threshold(report: &Report, findings: &Findings<'_>) -> Option<Element> {
    let threshold = report.threshold.as_ref()?.value;
    let alarms: Vec<bool> = findings.scores.iter().map(|&score| score > threshold).collect();
    let counts = Confusion::of(&findings.labels, &alarms).ok()?;
    let row = |name: &str, alarm: usize, none: usize| {
        let share = if alarm + none == 0 { UNKNOWN.into() } else { percent(alarm as f64 / (alarm + none) as f64) };
        let cells = [name.into(), count(alarm), count(none), share];
        cells.map(|text: String| words("span", text)).to_vec()
    };
    let columns = [
        Column::text("Samples"),
        Column::number("Alarm"),
        Column::number("No alarm"),
        Column::number("Share that alarms"),
    ];
    let rows = [
        row("Anomalous", counts.true_positives, counts.false_negatives),
        row("Normal", counts.false_positives, counts.true_negatives),
    ];
    let right = counts.f1().precision;
    let text = match counts.true_positives + counts.false_positives {
        0 => "No sample lies above the threshold.".to_string(),
        _ => format!("Of all samples above the threshold, {} are anomalous.", percent(right)),
    };
    Some(
        el("div")
            .add(words("h3", "At our threshold").class("first"))
            .add(page::table("Samples at our threshold", &columns, rows))
            .add(words("p", text).class("note")),
    )
}

fn axis_name(report: &Report) -> String {
    match report.score_unit.as_str() {
        "" => "score".into(),
        unit => format!("score ({unit})"),
    }
}

/// The share axes of both curves, 0 to 1.
fn share_axes() -> (Scale, Scale) {
    let x = Scale::new(Stretch::Linear, (0.0, 1.0), SMALL.across());
    (x, Scale::new(Stretch::Linear, (0.0, 1.0), SMALL.upward()))
}

fn roc(report: &Report, findings: &Findings<'_>, auroc: f64) -> Option<Element> {
    let points = roc_curve(&findings.scores, &findings.labels).ok()?;
    let (x, y) = share_axes();
    let mut places: Vec<(f64, f64)> =
        points.iter().map(|p| (x.at(p.false_positive_rate), y.at(p.true_positive_rate))).collect();
    // The curve only rises, so one point a pixel draws it exactly.
    places.dedup_by_key(|(x, y)| (x.round() as i64, y.round() as i64));
    places.push((x.at(1.0), y.at(1.0)));
    let mut line = Path::default();
    line.through(places.iter().copied());
    let mut chance = Path::default();
    chance.line((x.at(0.0), y.at(0.0)), (x.at(1.0), y.at(1.0)));
    let about = format!("The curve encloses an area of {}; chance would be 0.5.", ratio(auroc));
    let mut plot = SMALL
        .picture("roc", "ROC curve", &about)
        .add(SMALL.y_axis(&y.ticks(40.0), "anomalous samples that alarm (true positive rate)"))
        .add(SMALL.x_axis(&x.ticks(60.0), "normal samples that alarm (false positive rate)"))
        .add(chance.element("chance"))
        .add(line.element("curve"))
        .add(label(x.at(0.66), y.at(0.58), "start", "chance").class("quiet"))
        .add(big(&format!("AUROC {}", ratio(auroc)), &places));
    let at = report.threshold.as_ref().and_then(|threshold| {
        points.iter().take_while(|p| p.threshold > threshold.value).last()
    });
    let mut caption = "Each point of the curve is one threshold.".to_string();
    if let Some(at) = at {
        let (px, py) = (x.at(at.false_positive_rate), y.at(at.true_positive_rate));
        plot = plot.add(mark(px, py)).add(mark_label(px, py, "our threshold"));
        caption.push_str(&format!(
            " Ours finds {} of the anomalous samples and alarms on {} of the normal ones.",
            percent(at.true_positive_rate),
            percent(at.false_positive_rate)
        ));
    }
    Some(figure(plot, &caption))
}

fn precision_recall(report: &Report, findings: &Findings<'_>, auprc: f64) -> Option<Element> {
    let points = precision_recall_curve(&findings.scores, &findings.labels).ok()?;
    let positives = findings.labels.iter().filter(|l| **l).count();
    let prevalence = positives as f64 / findings.labels.len() as f64;
    let (x, y) = share_axes();
    let precisions: Vec<f64> = points.iter().map(|p| p.precision).collect();
    let kept = envelope(&precisions, |i| x.at(points[i].recall) as usize, |_| false);
    let mut line = Path::default();
    let places: Vec<(f64, f64)> = kept
        .iter()
        .map(|k| (x.at(points[k.index].recall), y.at(points[k.index].precision)))
        .collect();
    line.through(places.iter().copied());
    let mut chance = Path::default();
    chance.line((x.at(0.0), y.at(prevalence)), (x.at(1.0), y.at(prevalence)));
    let about = format!(
        "The average precision is {}; chance would be {}.",
        ratio(auprc),
        ratio(prevalence)
    );
    // The name of the line of chance goes where there is room.
    let below = if prevalence > 0.12 { 16.0 } else { -6.0 };
    let mut plot = SMALL
        .picture("pr", "Precision-recall curve", &about)
        .add(SMALL.y_axis(&y.ticks(40.0), "alarms that are right (precision)"))
        .add(SMALL.x_axis(&x.ticks(60.0), "anomalous samples that alarm (recall)"))
        .add(chance.element("chance"))
        .add(line.element("curve"))
        .add(
            label(x.at(0.02), y.at(prevalence) + below, "start", &format!("chance {}", ratio(prevalence)))
                .class("quiet"),
        )
        .add(big(&format!("AUPRC {}", ratio(auprc)), &places));
    let at = report.threshold.as_ref().and_then(|threshold| {
        points.iter().take_while(|p| p.threshold > threshold.value).last()
    });
    if let Some(at) = at {
        let (px, py) = (x.at(at.recall), y.at(at.precision));
        plot = plot.add(mark(px, py)).add(mark_label(px, py, "our threshold"));
    }
    let caption = format!(
        "Chance is the share of anomalous samples, {} of {}{SPACE}judged ones.",
        count(positives),
        count(findings.labels.len())
    );
    Some(figure(plot, &caption))
}

/// The area under a curve in large letters, in the first corner that the curve leaves free.
fn big(text: &str, curve: &[(f64, f64)]) -> Element {
    const HIGH: f64 = 26.0;
    let wide = text.chars().count() as f64 * 12.0;
    let ((left, right), (base, top)) = (SMALL.across(), SMALL.upward());
    let (low, high) = (base - 54.0, top + 30.0);
    let corners = [(right - 10.0 - wide, low), (left + 12.0, low), (right - 10.0 - wide, high)];
    let free = |&(x, y): &(f64, f64)| {
        // Curves are traced in between their points too, where these are far apart.
        let hits = |a: &(f64, f64), b: &(f64, f64)| {
            (0..=20).map(|i| f64::from(i) / 20.0).any(|t| {
                let (px, py) = (a.0 + t * (b.0 - a.0), a.1 + t * (b.1 - a.1));
                (x - 4.0..x + wide + 4.0).contains(&px) && (y - HIGH..y + 8.0).contains(&py)
            })
        };
        !curve.windows(2).any(|pair| hits(&pair[0], &pair[1]))
    };
    let (x, y) = corners.iter().copied().find(free).unwrap_or(corners[0]);
    label(x, y, "start", text).class("big halo")
}

fn mark(x: f64, y: f64) -> Element {
    let place = |v: f64| format!("{v:.1}");
    el("circle").class("mark").attr("cx", place(x)).attr("cy", place(y)).attr("r", 5)
}

/// A name beside a mark, on the side where there is room.
fn mark_label(x: f64, y: f64, text: &str) -> Element {
    let wide = text_width(text) + 14.0;
    let y = (y + 5.0).max(SMALL.top + 12.0);
    if x + wide > SMALL.width - SMALL.right {
        label(x - 10.0, y + 14.0, "end", text).class("halo")
    } else {
        label(x + 10.0, y + 8.0, "start", text).class("halo")
    }
}
