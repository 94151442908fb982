//! The outcomes as a picture: a panel for each set, a line for each method, noise from left to right.

use std::fmt::Write as _;

use crate::{
    methods::METHODS,
    sets::SETS,
    table::scores,
    trial::{CONDITIONS, Outcome},
};

/// Conditions with an order.
const NOISE: usize = 5;
const PANEL: [f64; 2] = [260.0, 220.0];
const LEFT: f64 = 46.0;
const TOP: f64 = 34.0;
/// Colours that also differ in lightness (Okabe and Ito 2008), and two greys.
const COLOURS: [&str; 9] = [
    "#000000", "#999999", "#56b4e9", "#0072b2", "#cc79a7", "#e69f00", "#d55e00", "#f0e442",
    "#009e73",
];

pub(crate) fn plot(all: &[Outcome]) -> String {
    let width = LEFT + SETS.len() as f64 * (PANEL[0] + LEFT) + 120.0;
    let height = TOP + PANEL[1] + 46.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    for (i, set) in SETS.iter().enumerate() {
        panel(all, set, LEFT + i as f64 * (PANEL[0] + LEFT), &mut svg);
    }
    let x = width - 150.0;
    for (i, (method, colour)) in METHODS.iter().zip(COLOURS).enumerate() {
        let y = TOP + 8.0 + 18.0 * i as f64;
        let _ = writeln!(
            svg,
            "<line x1=\"{x}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <text x=\"{}\" y=\"{}\">{method}</text>",
            x + 22.0,
            x + 28.0,
            y + 4.0
        );
    }
    svg + "</svg>\n"
}

fn panel(all: &[Outcome], set: &str, left: f64, svg: &mut String) {
    let [width, height] = PANEL;
    let _ = writeln!(
        svg,
        "<text x=\"{left}\" y=\"{}\" font-size=\"13\">{set}: macro F1</text>",
        TOP - 12.0
    );
    let at = |condition: usize, score: f64| {
        let x = left + width * condition as f64 / (NOISE - 1) as f64;
        (x, TOP + height * (1.0 - score))
    };
    for tick in 0..=5 {
        let (_, y) = at(0, f64::from(tick) / 5.0);
        let _ = writeln!(
            svg,
            "<line x1=\"{left}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\" stroke=\"#dddddd\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{:.1}</text>",
            left + width,
            left - 5.0,
            y + 4.0,
            f64::from(tick) / 5.0
        );
    }
    for (i, condition) in CONDITIONS[..NOISE].iter().enumerate() {
        let (x, _) = at(i, 0.0);
        let _ = writeln!(
            svg,
            "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{condition}</text>",
            TOP + height + 16.0
        );
    }
    for (method, colour) in METHODS.iter().zip(COLOURS) {
        let means = CONDITIONS[..NOISE].iter().map(|condition| {
            let found = scores(all, set, 1.0, method, condition);
            (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
        });
        let points: Option<Vec<String>> = means
            .enumerate()
            .map(|(i, mean)| {
                let (x, y) = at(i, mean?);
                Some(format!("{x:.1},{y:.1}"))
            })
            .collect();
        if let Some(points) = points {
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                points.join(" ")
            );
        }
    }
}
