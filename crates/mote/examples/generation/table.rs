//! The outcomes as Markdown, beside what was published.

use std::fmt::Write as _;

use mote_eval::mean_interval;

use crate::{MODELS, store::Outcome};

/// A model and its values.
type Published = (&'static str, [Option<f64>; 3]);

/// Published values of a set, by discriminative score, predictive score and Context-FID, where there are:
/// Diffusion-TS (arXiv 2403.01742) for itself, `TimeGAN` and `TimeVAE`; FM-TS (arXiv 2411.07506).
const PUBLISHED: [(&str, &[Published]); 7] = [
    (
        "sines",
        &[
            ("FM-TS", [Some(0.005), None, None]),
            ("Diffusion-TS", [Some(0.006), Some(0.093), Some(0.006)]),
            ("TimeGAN", [Some(0.011), None, Some(0.101)]),
            ("TimeVAE", [Some(0.041), None, Some(0.307)]),
        ],
    ),
    (
        "stocks",
        &[
            ("FM-TS", [Some(0.019), None, None]),
            ("Diffusion-TS", [Some(0.067), Some(0.036), Some(0.147)]),
            ("TimeGAN", [Some(0.102), Some(0.038), Some(0.103)]),
            ("TimeVAE", [Some(0.145), Some(0.039), Some(0.215)]),
        ],
    ),
    (
        "energy",
        &[
            ("FM-TS", [Some(0.053), None, None]),
            ("Diffusion-TS", [Some(0.122), Some(0.250), Some(0.089)]),
            ("TimeGAN", [Some(0.236), Some(0.273), Some(0.767)]),
            ("TimeVAE", [Some(0.499), Some(0.292), Some(1.63)]),
        ],
    ),
    (
        "etth",
        &[
            ("FM-TS", [Some(0.011), None, None]),
            ("Diffusion-TS", [Some(0.061), Some(0.119), Some(0.116)]),
            ("TimeGAN", [Some(0.114), Some(0.124), Some(0.300)]),
            ("TimeVAE", [Some(0.209), Some(0.126), Some(0.805)]),
        ],
    ),
    (
        "etth-64",
        &[
            ("Diffusion-TS", [Some(0.106), None, None]),
            ("TimeGAN", [Some(0.227), None, None]),
            ("TimeVAE", [Some(0.171), None, None]),
        ],
    ),
    (
        "etth-128",
        &[
            ("Diffusion-TS", [Some(0.144), None, None]),
            ("TimeGAN", [Some(0.188), None, None]),
            ("TimeVAE", [Some(0.154), None, None]),
        ],
    ),
    (
        "etth-256",
        &[
            ("Diffusion-TS", [Some(0.060), None, None]),
            ("TimeGAN", [Some(0.442), None, None]),
            ("TimeVAE", [Some(0.178), None, None]),
        ],
    ),
];

/// What is judged as others judge, and what else is.
const JUDGED: [&str; 3] = ["discriminative score", "predictive score", "Context-FID"];
const OTHERS: [&str; 9] = [
    "correlation error",
    "autocorrelation error",
    "marginal distance",
    "precision",
    "coverage",
    "training, CPU s",
    "windows drawn a second",
    "windows drawn a second in 500 evaluations",
    "model, KB",
];
const MEMORY: [&str; 2] = ["nearer than unseen windows, chance", "copies, share"];

pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "# Generated windows\n\n\
         Made by `cargo run --release -p mote --example generation`. All windows of a set train, as many are \
         drawn and judged, in units of 0 to 1 over the set: the protocol of TimeGAN. Mean and 95 % interval \
         (Student's t) over seeds; a seed is one training, one set of drawn windows and one judge. Lower is \
         better, but for precision, coverage and speed. The diffusion model is distilled to five evaluations, \
         where Diffusion-TS takes 500; training counts both. All models and sets have one configuration, that \
         of `mote train`, with 2,400 steps of diffusion and 1,200 of its student. Times are of machines that others \
         used too, not always the same. What a table lacks was not run yet; a model with one seed was run once.\n\n\
         Where the protocol is shaky: the discriminative score is near 0 for a model that repeats its training \
         data, so a second model is trained without every fifth block of a run (of ten windows; of single \
         windows, without every fifth), and its windows' distance to the nearest training window is compared \
         with that of the unseen windows (½ is ideal, near 1 are copies; 5 % of windows should be nearer \
         than 95 % of unseen ones). Both the judge and its \
         test windows are random: scores of 0.01 and 0.02 do not differ. Context-FID depends on its encoder.\n",
    );
    for (set, published) in PUBLISHED {
        let of: Vec<&Outcome> = outcomes.iter().filter(|o| o.set == set).collect();
        if of.is_empty() {
            continue;
        }
        let _ = write!(text, "\n## {}\n\n", title(set));
        judged(&of, published, &mut text);
        others(&of, &mut text);
    }
    text
}

fn title(set: &str) -> String {
    match set.split_once('-') {
        Some((_, length)) => format!("ETTh1, windows of {length}"),
        None if set == "etth" => "ETTh1, windows of 24".into(),
        None => format!("{}{}, windows of 24", set[..1].to_uppercase(), &set[1..]),
    }
}

fn judged(outcomes: &[&Outcome], published: &[Published], text: &mut String) {
    let _ = writeln!(text, "| model | seeds | {} |\n|---|---:|---|---|---|", JUDGED.join(" | "));
    for model in MODELS {
        let of: Vec<&Outcome> = outcomes.iter().copied().filter(|o| o.model == model).collect();
        if of.is_empty() {
            continue;
        }
        let cells = JUDGED.map(|name| cell(&of, name)).join(" | ");
        let seeds = of.iter().filter(|o| o.values.contains_key(JUDGED[0])).count();
        let _ = writeln!(text, "| {model} | {seeds} | {cells} |");
    }
    for (model, values) in published {
        let cells = values.map(|v| v.map_or_else(|| "–".into(), |v| format!("{v:.3}"))).join(" | ");
        let _ = writeln!(text, "| {model}, published | | {cells} |");
    }
}

fn others(outcomes: &[&Outcome], text: &mut String) {
    let models: Vec<&str> =
        MODELS.into_iter().filter(|m| outcomes.iter().any(|o| o.model == *m)).collect();
    let _ = write!(text, "\n| measure | {} |\n|---|", models.join(" | "));
    let _ = writeln!(text, "{}", "---|".repeat(models.len()));
    for name in OTHERS.iter().chain(&MEMORY) {
        let cells: Vec<String> = models
            .iter()
            .map(|m| {
                let of: Vec<&Outcome> =
                    outcomes.iter().copied().filter(|o| o.model == *m).collect();
                cell(&of, name)
            })
            .collect();
        let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
    }
}

fn cell(outcomes: &[&Outcome], name: &str) -> String {
    let values: Vec<f64> = outcomes.iter().filter_map(|o| o.values.get(name).copied()).collect();
    let show = |v: f64| if v >= 100.0 { format!("{v:.0}") } else { format!("{v:.3}") };
    match mean_interval(&values, 0.95) {
        Ok(i) => format!("{} [{}, {}]", show(i.mean), show(i.low), show(i.high)),
        Err(_) => values.first().map_or_else(|| "–".into(), |&v| show(v)),
    }
}
