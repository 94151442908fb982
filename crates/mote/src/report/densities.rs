//! How often each score occurs, among normal and among anomalous samples.

use mote_eval::density::{CurvePoint, density_curve};

use super::{
    Report,
    envelope::every,
    findings::Findings,
    html::Element,
    number::number,
    page,
    scale::{Scale, Stretch, extent},
    svg::{Path, SMALL, label, text_width},
};

/// Values of a class from which its density is drawn; kernels cost their number times the places.
const VALUES: usize = 4000;
const PLACES: usize = 240;

/// The plot; `None` where there are no two different scores.
pub(super) fn figure_of(report: &Report, findings: &Findings<'_>) -> Option<Element> {
    let (normal, strange) = samples(report, findings);
    // A class with one value has no density; it then has no curve.
    let calm = density_curve(&normal, PLACES).ok()?;
    let odd = density_curve(&strange, PLACES).unwrap_or_default();
    let threshold = report.threshold.as_ref().map(|t| t.value);
    let plane = Plane::around(&calm, &odd, threshold, findings.stretch)?;

    let title = "Density of the score";
    let about = "Curves over the score: where most normal and most anomalous samples lie.";
    let score = match report.score_unit.as_str() {
        "" => "score".into(),
        unit => format!("score ({unit})"),
    };
    let mut plot = SMALL
        .picture("densities", title, about)
        .add(SMALL.y_axis(&[], "relative frequency"))
        .add(SMALL.x_axis(&plane.x.ticks(64.0), &score))
        .add(plane.curve(&calm, true).element("normal-area"))
        .add(plane.curve(&calm, false).element("normal-line"));
    if !odd.is_empty() {
        plot = plot.add(plane.curve(&odd, false).element("strange-line"));
    }
    let wall = threshold.map(|t| plane.x.at(t));
    if let Some((value, at)) = threshold.zip(wall) {
        let text = format!("threshold {}", number(value));
        let (anchor, shift) = if at > SMALL.width * 0.6 { ("end", -5.0) } else { ("start", 5.0) };
        plot = plot
            .add(SMALL.upright(&plane.x, value))
            .add(label(at + shift, SMALL.top + 2.0, anchor, &text).class("halo"));
    }
    let calm_name = if findings.ranking.is_some() { "normal" } else { "all samples" };
    let names = [
        name_of(&plane.places(&calm), calm_name, wall, Side::Left, "normal-text"),
        name_of(&plane.places(&odd), "anomalous", wall, Side::Right, "strange-text"),
    ];
    let caption = if odd.is_empty() {
        "How often each score occurs."
    } else {
        "How often each score occurs among normal and among labelled samples; both curves hold the \
         same area. The less they overlap, the better."
    };
    Some(page::figure(plot.all(names.into_iter().flatten()), caption))
}

/// Bent scores of both classes; of all samples and nothing where classes are not known.
fn samples(report: &Report, findings: &Findings<'_>) -> (Vec<f64>, Vec<f64>) {
    let class = |wanted: bool| {
        let pairs = findings.scores.iter().zip(&findings.labels);
        pairs.filter(move |(_, label)| **label == wanted).map(|(score, _)| *score)
    };
    if findings.ranking.is_some() {
        return (thinned(class(false), findings.stretch), thinned(class(true), findings.stretch));
    }
    let all = report.runs.iter().flat_map(|r| r.scores.iter().skip(r.judged_from).copied());
    (thinned(all, findings.stretch), Vec::new())
}

/// Values bent like the axis and thinned evenly over their ranks, which keeps their distribution.
fn thinned(values: impl Iterator<Item = f64>, stretch: Stretch) -> Vec<f64> {
    let mut bent: Vec<f64> = values.filter(|v| v.is_finite()).map(|v| stretch.bend(v)).collect();
    bent.sort_unstable_by(f64::total_cmp);
    every(bent.len(), VALUES).map(|i| bent[i]).collect()
}

/// Both axes. The density is that along the axis as it is drawn, so that equal areas look equal
/// even where the axis is bent.
struct Plane {
    x: Scale,
    y: Scale,
}

impl Plane {
    fn around(
        calm: &[CurvePoint],
        odd: &[CurvePoint],
        threshold: Option<f64>,
        stretch: Stretch,
    ) -> Option<Self> {
        let scores = calm.iter().chain(odd).map(|c| stretch.unbend(c.x)).chain(threshold);
        let x = Scale::new(stretch, extent(scores)?, SMALL.across());
        let highest = calm.iter().chain(odd).map(|c| c.density).fold(0.0, f64::max);
        let y = Scale::new(Stretch::Linear, (0.0, highest), SMALL.upward()).padded(0.0, 0.12);
        Some(Self { x, y })
    }

    fn places(&self, points: &[CurvePoint]) -> Vec<(f64, f64)> {
        let place = |c: &CurvePoint| (self.x.at(self.x.stretch.unbend(c.x)), self.y.at(c.density));
        points.iter().map(place).collect()
    }

    fn curve(&self, points: &[CurvePoint], filled: bool) -> Path {
        let mut path = Path::default();
        let places = self.places(points);
        path.through(places.iter().copied());
        if let Some((first, last)) = places.first().zip(places.last()).filter(|_| filled) {
            path.line_to(last.0, self.y.at(0.0));
            path.line_to(first.0, self.y.at(0.0));
            path.close();
        }
        path
    }
}

/// On which side of the threshold a name belongs.
#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

/// The name of a curve above its highest point, on its own side of the threshold if there is room.
fn name_of(
    places: &[(f64, f64)],
    name: &str,
    wall: Option<f64>,
    side: Side,
    class: &'static str,
) -> Option<Element> {
    let half = text_width(name) / 2.0;
    let (from, to) = SMALL.across();
    let (from, to) = (from + half, to - half);
    let (low, high) = match (wall, side) {
        (Some(wall), Side::Right) if wall + half + 8.0 < to => (wall + half + 8.0, to),
        (Some(wall), Side::Left) if wall - half - 8.0 > from => (from, wall - half - 8.0),
        _ => (from, to),
    };
    let near = places.iter().filter(|(x, _)| (low - half..=high + half).contains(x));
    let (x, y) = near.min_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(label(x.clamp(low, high), y - 7.0, "middle", name).class(class))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Run;

    #[track_caller]
    fn check(scores: Vec<f64>, labels: Option<Vec<bool>>, curves: Option<usize>) {
        let times = (0..scores.len()).map(|i| i as f64).collect();
        let run = Run { times, scores, labels, ..Run::default() };
        let report = Report { runs: vec![run], ..Report::default() };
        let figure = figure_of(&report, &Findings::of(&report));
        let drawn = figure.map(|f| {
            let mut page = String::new();
            f.write(&mut page);
            assert!(!page.contains("NaN"), "{page}");
            page.matches("-line\"").count()
        });
        assert_eq!(drawn, curves);
    }

    #[test]
    fn each_class_with_two_values_has_a_curve() {
        let labels = |text: &str| Some(text.bytes().map(|b| b == b'x').collect());
        check(vec![1.0, 2.0, 3.0, 4.0], labels("..xx"), Some(2));
        check(vec![1.0, 2.0, 3.0, 3.0], labels("..xx"), Some(1));
        check(vec![1.0, 2.0, 3.0, 4.0], labels("...."), Some(1));
        check(vec![1.0, 2.0, f64::INFINITY, 4.0], None, Some(1));
        check(vec![1.0, 1.0], None, None);
        check(vec![], None, None);
    }

    #[test]
    fn names_keep_to_their_side() {
        let places: Vec<(f64, f64)> = (52..440).map(|x| (f64::from(x), 100.0)).collect();
        let at = |side| {
            let mut drawn = String::new();
            name_of(&places, "name", Some(200.0), side, "a").expect("room").write(&mut drawn);
            let x = drawn.split("x=\"").nth(1).and_then(|t| t.split('"').next());
            x.and_then(|x| x.parse::<f64>().ok()).expect("a place")
        };
        assert!(at(Side::Left) < 190.0 && at(Side::Right) > 210.0);
    }
}
