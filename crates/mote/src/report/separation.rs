//! How well the score tells anomalies from the rest: ROC, precision-recall, and counts.

use mote_eval::{events::Confusion, precision_recall_curve, roc_curve};

use super::{
    Report, densities,
    envelope::envelope,
    findings::Findings,
    html::{Element, el, words},
    number::{SPACE, UNKNOWN, count, percent, ratio},
    page::{self, Column, figure},
    scale::{Scale, Stretch},
    svg::{Path, SMALL, label, text_width},
};

pub(super) fn section(report: &Report, findings: &Findings<'_>) -> Element {
    let section = page::section("separation", "Does the score tell them apart?");
    let mut pair = el("div").class("pair").all(densities::figure_of(report, findings));
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

/// How many samples of each kind lie on each side of the threshold.
fn at_threshold(report: &Report, findings: &Findings<'_>) -> Option<Element> {
    let threshold = report.threshold.as_ref()?.value;
    let alarms: Vec<bool> = findings.scores.iter().map(|&score| score > threshold).collect();
    let counts = Confusion::of(&findings.labels, &alarms).ok()?;
    let row = |name: &str, alarm: usize, none: usize| {
        let share = if alarm + none == 0 {
            UNKNOWN.into()
        } else {
            percent(alarm as f64 / (alarm + none) as f64)
        };
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
    let at = report
        .threshold
        .as_ref()
        .and_then(|threshold| points.iter().take_while(|p| p.threshold > threshold.value).last());
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
            label(
                x.at(0.02),
                y.at(prevalence) + below,
                "start",
                &format!("chance {}", ratio(prevalence)),
            )
            .class("quiet"),
        )
        .add(big(&format!("AUPRC {}", ratio(auprc)), &places));
    let at = report
        .threshold
        .as_ref()
        .and_then(|threshold| points.iter().take_while(|p| p.threshold > threshold.value).last());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_big(curve: &[(f64, f64)], wanted_right: bool, wanted_low: bool) {
        let mut drawn = String::new();
        big("AUROC 0.900", curve).write(&mut drawn);
        let number = |name: &str| -> f64 {
            let from = drawn.find(name).expect("it is set") + name.len();
            drawn[from..].split('"').next().expect("it ends").parse().expect("a number")
        };
        let (x, y) = (number(" x=\""), number(" y=\""));
        assert_eq!((x > 200.0, y > 150.0), (wanted_right, wanted_low), "{drawn}");
    }

    #[test]
    fn large_letters_keep_clear_of_the_curve() {
        let ((left, right), (base, top)) = (SMALL.across(), SMALL.upward());
        check_big(&[(left, base), (left, top), (right, top)], true, true);
        check_big(&[(left, top), (right - 60.0, top), (right, base)], false, true);
        check_big(&[(left, base - 50.0), (right, base - 50.0)], true, false);
    }

    #[test]
    fn a_threshold_is_marked_where_its_alarms_are() {
        let run = super::super::Run {
            times: vec![0.0, 1.0, 2.0, 3.0],
            scores: vec![0.0, 1.0, 2.0, 3.0],
            labels: Some(vec![false, true, false, true]),
            ..Default::default()
        };
        let threshold = super::super::Threshold { value: 1.0, ..Default::default() };
        let report = Report { runs: vec![run], threshold: Some(threshold), ..Report::default() };
        let mut drawn = String::new();
        section(&report, &Findings::of(&report)).write(&mut drawn);
        // Of the scores 2 and 3, which lie above 1, the second is an anomaly.
        let wanted = "Ours finds 50 % of the anomalous samples and alarms on 50 % of the normal";
        assert!(drawn.replace(SPACE, " ").contains(wanted), "{drawn}");
    }
}
