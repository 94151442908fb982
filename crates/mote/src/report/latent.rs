//! The latent space as a flat picture: normal samples, anomalies, and where normal is dense.

use super::{
    contour::Cloud,
    envelope::every,
    html::{Element, el, words},
    number::{SPACE, count, counted, percent},
    page::{self, figure, swatch},
    scale::{Scale, Stretch, extent},
    svg::{Frame, Path, label},
};

/// The most points of each class that are drawn; more would be a blot and a heavy file.
const NORMAL_DRAWN: usize = 3000;
const ANOMALOUS_DRAWN: usize = 1500;
/// Shares of the normal samples that the lines enclose.
const SHARES: [f64; 3] = [0.95, 0.8, 0.5];
/// The picture reaches so many times the width of the middle 99 % of normal samples; what lies
/// beyond is drawn at the edge. Without this a few wild anomalies would press all others into a dot.
const REACH: f64 = 2.5;

/// Latent coordinates of samples, in two dimensions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latent {
    /// How the picture was made.
    pub projection: Projection,
    /// Normal samples that were not trained on.
    pub normal: Vec<[f64; 2]>,
    /// Samples inside of labelled anomalies.
    pub anomalous: Vec<[f64; 2]>,
}

/// How points of a latent space came into the plane.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Projection {
    /// The latent has two dimensions.
    #[default]
    Direct,
    /// The two principal components of the posterior means (`mote_eval::density::Principal`).
    Principal {
        /// Dimensions of the latent.
        width: usize,
        /// Share of the variance along each axis.
        variance_share: [f64; 2],
    },
}

const FRAME: Frame =
    Frame { width: 540.0, height: 440.0, left: 44.0, right: 16.0, top: 36.0, bottom: 50.0 };

pub(super) fn section(latent: Option<&Latent>) -> Element {
    let section = page::section("latent", "Latent space");
    let Some(latent) = latent.filter(|l| !(l.normal.is_empty() && l.anomalous.is_empty())) else {
        let why = "This model has no latent space, or none of the samples was encoded.";
        return section.add(page::none(why));
    };
    let (x, y, beyond) = axes(latent);
    let (name_x, name_y) = names(&latent.projection);
    let about = format!(
        "{} and {} in two dimensions.",
        counted(latent.normal.len(), "normal sample"),
        counted(latent.anomalous.len(), "anomalous sample")
    );
    let cloud = Cloud::of(&latent.normal);
    let plot = FRAME
        .picture("latent-plot", "Samples in latent space", &about)
        .add(FRAME.y_axis(&y.ticks(45.0), &name_y))
        .add(FRAME.x_axis(&x.ticks(60.0), &name_x))
        .add(normal(latent, &x, &y))
        .add(anomalous(latent, &x, &y))
        .all(cloud.iter().flat_map(|cloud| lines(cloud, &x, &y)));
    let legend = el("ul")
        .class("legend")
        .add(swatch("normal", drawn("normal", latent.normal.len(), NORMAL_DRAWN)))
        .all((!latent.anomalous.is_empty()).then(|| {
            swatch("strange", drawn("anomalous", latent.anomalous.len(), ANOMALOUS_DRAWN))
        }))
        .all(
            cloud.is_some().then(|| swatch("contour", "encloses 50, 80, 95 % of the normal ones")),
        );
    let section = section.add(legend).add(figure(plot, &caption(latent, beyond)).class("square"));
    if latent.anomalous.is_empty() {
        section.add(words("p", "No labelled anomaly was encoded.").class("note"))
    } else {
        section
    }
}

fn drawn(kind: &str, all: usize, most: usize) -> String {
    if all > most {
        format!("{kind} ({} of {} drawn)", count(most), count(all))
    } else {
        format!("{kind} ({})", count(all))
    }
}

fn names(projection: &Projection) -> (String, String) {
    match projection {
        Projection::Direct => ("first latent dimension".into(), "second latent dimension".into()),
        Projection::Principal { variance_share: [first, second], .. } => (
            format!("first principal component ({} of the variance)", percent(*first)),
            format!("second principal component ({} of the variance)", percent(*second)),
        ),
    }
}

fn caption(latent: &Latent, beyond: usize) -> String {
    let mut text = match &latent.projection {
        Projection::Direct => "The latent has two dimensions; nothing was projected.".to_string(),
        Projection::Principal { width, variance_share } => {
            let kept = variance_share[0] + variance_share[1];
            format!(
                "Principal components of the posterior means in {width} dimensions; the picture \
                 keeps {} of their variance. What overlaps here may still be apart in the other \
                 dimensions.",
                percent(kept)
            )
        }
    };
    if beyond > 0 {
        text.push_str(&format!(
            " {} outside of the picture and stand at its edge.",
            if beyond == 1 {
                format!("1{SPACE}sample lies")
            } else {
                format!("{} samples lie", count(beyond))
            }
        ));
    }
    text
}

/// Both axes, and how many points lie beyond them.
fn axes(latent: &Latent) -> (Scale, Scale, usize) {
    let axis = |k: usize, pixels: (f64, f64)| {
        let mut normal: Vec<f64> =
            latent.normal.iter().map(|p| p[k]).filter(|v| v.is_finite()).collect();
        normal.sort_unstable_by(f64::total_cmp);
        let all = latent.normal.iter().chain(&latent.anomalous).map(|p| p[k]);
        let (mut low, mut high) = extent(all).unwrap_or((0.0, 1.0));
        if normal.len() >= 100 {
            let (a, b) =
                (normal[normal.len() / 200], normal[normal.len() - 1 - normal.len() / 200]);
            let (middle, half) = ((a + b) / 2.0, (b - a) / 2.0 * REACH);
            if half > 0.0 {
                (low, high) = (low.max(middle - half), high.min(middle + half));
            }
        }
        Scale::new(Stretch::Linear, (low, high), pixels).padded(0.04, 0.04)
    };
    let (x, y) = (axis(0, FRAME.across()), axis(1, FRAME.upward()));
    let points = latent.normal.iter().chain(&latent.anomalous);
    let beyond = points.filter(|p| !(x.contains(p[0]) && y.contains(p[1]))).count();
    (x, y, beyond)
}

fn normal(latent: &Latent, x: &Scale, y: &Scale) -> Element {
    let mut dots = Path::default();
    for i in every(latent.normal.len(), NORMAL_DRAWN) {
        let [a, b] = latent.normal[i];
        dots.dot(x.at(a), y.at(b));
    }
    dots.element("normal")
}

/// Anomalies are crosses, so that they differ in shape and not in colour alone.
fn anomalous(latent: &Latent, x: &Scale, y: &Scale) -> Element {
    const HALF: f64 = 2.6;
    let mut crosses = Path::default();
    for i in every(latent.anomalous.len(), ANOMALOUS_DRAWN) {
        let [a, b] = latent.anomalous[i];
        let (a, b) = (x.at(a), y.at(b));
        crosses.line((a - HALF, b - HALF), (a + HALF, b + HALF));
        crosses.line((a + HALF, b - HALF), (a - HALF, b + HALF));
    }
    crosses.element("strange")
}

fn lines(cloud: &Cloud, x: &Scale, y: &Scale) -> Vec<Element> {
    let mut path = Path::default();
    let mut names = Vec::new();
    for share in SHARES {
        let lines = cloud.enclosing(share);
        for line in &lines {
            path.through(line.iter().map(|p| (x.at(p[0]), y.at(p[1]))));
            path.close();
        }
        // Each name stands at the top of the longest line of its share.
        let longest = lines.iter().max_by_key(|line| line.len());
        let top = longest.and_then(|l| l.iter().max_by(|a, b| a[1].total_cmp(&b[1])));
        names.extend(top.map(|p| {
            label(x.at(p[0]), y.at(p[1]) - 3.0, "middle", &format!("{}{SPACE}%", share * 100.0))
                .class("halo small")
        }));
    }
    std::iter::once(path.element("contour")).chain(names).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wild_anomalies_do_not_press_the_rest_together() {
        let normal: Vec<[f64; 2]> =
            (0..1000).map(|i| [f64::from(i % 100), f64::from(i % 37)]).collect();
        let latent =
            Latent { normal, anomalous: vec![[1e6, 0.0], [50.0, 40.0]], ..Latent::default() };
        let (x, _, beyond) = axes(&latent);
        assert_eq!(beyond, 1);
        assert!(x.high < 500.0, "{}", x.high);
    }

    #[test]
    fn small_and_strange_clouds_are_drawn_anyway() {
        for normal in [vec![], vec![[1.0, 1.0]], vec![[f64::NAN, 1.0], [2.0, 2.0]]] {
            let latent = Latent { normal, anomalous: vec![[0.0, 0.0]], ..Latent::default() };
            let mut page = String::new();
            section(Some(&latent)).write(&mut page);
            assert!(page.contains("latent-plot"));
            assert!(!page.contains("NaN"), "{page}");
        }
    }
}
