//! The outcomes as Markdown.

use std::{fmt::Write as _, path::Path};

use mote::Error;
use mote_eval::mean_interval;

use crate::{
    SHARES,
    methods::METHODS,
    sets,
    trial::{CONDITIONS, Outcome},
};

/// Scores of one method and condition.
pub(crate) fn scores(
    all: &[Outcome],
    set: &str,
    share: f64,
    method: &str,
    condition: &str,
) -> Vec<f64> {
    let of = |o: &&Outcome| o.set == set && o.share == share && o.method == method;
    all.iter().filter(of).filter_map(|o| o.scores.get(condition)).copied().collect()
}

pub(crate) fn table(all: &[Outcome], data: &Path) -> Result<String, Error> {
    let mut text = String::from(
        "# Is generated data worth training on?\n\n\
         Made by `cargo run --release -p mote --example augmentation`. A small convolutional classifier, 600 \
         steps whatever it is trained on, on a share of the real windows of 64 samples: alone, with \
         augmentations that need no model, and with as many windows again that a model drew for each class \
         (`mote train --for generate --steps 1000`, then `mote generate --given class=…`). Classes are made even in all but \
         `real`, `jitter` and `noise`. `noise` adds noise up to the deviation of the data each time that a window \
         is shown, and is what has to be beaten; SMOTE is Chawla et al. 2002. Cells are macro F1, the \
         mean over seeds with half of its 95 % interval (Student's t); a seed draws other windows, models \
         and disturbances. The test windows are clean, have noise of so many decibels below the signal, \
         lose a fifth of their samples, or drift by a deviation. Where fewer than 30 windows are left no model \
         was trained.\n\n![Macro F1 by noise, with all windows](augmentation.svg)\n",
    );
    let seeds = all.iter().map(|o| o.seed + 1).max().unwrap_or(0);
    let _ =
        writeln!(text, "\nThere are {seeds} seeds; a cell without an interval has one of them.");
    text.push_str(&verdict(all));
    for name in sets::SETS {
        if !all.iter().any(|o| o.set == name) {
            continue;
        }
        let set = sets::read(name, data)?;
        let _ = write!(text, "\n## {}\n", set.title);
        for share in SHARES {
            let windows = all.iter().find(|o| o.set == name && o.share == share).map(|o| o.windows);
            let Some(windows) = windows else { continue };
            let _ = write!(
                text,
                "\n{:.0} % of the windows ({windows}):\n\n| method | {} |\n|---|{}\n",
                100.0 * share,
                CONDITIONS.join(" | "),
                "---|".repeat(CONDITIONS.len())
            );
            for method in METHODS {
                let found = CONDITIONS.map(|c| scores(all, name, share, method, c));
                if found.iter().any(|scores| !scores.is_empty()) {
                    let cells = found.map(|scores| cell(&scores));
                    let _ = writeln!(text, "| {method} | {} |", cells.join(" | "));
                }
            }
        }
    }
    Ok(text)
}

/// For each method in how many cells it is clearly better and worse than real windows alone, and than noise: where the
/// 95 % interval of the difference, seed by seed, has zero outside.
fn verdict(all: &[Outcome]) -> String {
    let mut text = String::from(
        "\n## Is it better?\n\nIn how many of the cells below a method is clearly better / worse than another: the 95 % \
         interval of the difference, seed by seed, leaves zero out. One in forty would be so by chance on either \
         side.\n\n| method | cells | than `real` | than `noise` |\n|---|---:|---:|---:|\n",
    );
    for method in METHODS {
        let mut counts = [0; 5];
        for set in sets::SETS {
            for share in SHARES {
                for condition in CONDITIONS {
                    let against = ["real", "noise"].map(|other| {
                        mean_interval(
                            &differences(all, (set, share, condition), [method, other]),
                            0.95,
                        )
                    });
                    for (i, found) in against.iter().enumerate() {
                        let Ok(interval) = found else { continue };
                        counts[4] += usize::from(i == 0);
                        counts[2 * i] += usize::from(interval.low > 0.0);
                        counts[2 * i + 1] += usize::from(interval.high < 0.0);
                    }
                }
            }
        }
        let [real_better, real_worse, noise_better, noise_worse, cells] = counts;
        if cells > 0 {
            let _ = writeln!(
                text,
                "| {method} | {cells} | {real_better} / {real_worse} | {noise_better} / {noise_worse} |"
            );
        }
    }
    text
}

/// What a method is better by than another, for each seed of both.
fn differences(
    all: &[Outcome],
    (set, share, condition): (&str, f64, &str),
    [method, other]: [&str; 2],
) -> Vec<f64> {
    let score = |method: &str, seed| {
        let same =
            |o: &&Outcome| o.set == set && o.share == share && o.method == method && o.seed == seed;
        all.iter().find(same)?.scores.get(condition).copied()
    };
    (0..).map_while(|seed| Some(score(method, seed)? - score(other, seed)?)).collect()
}

fn cell(values: &[f64]) -> String {
    match (mean_interval(values, 0.95), values) {
        (Ok(i), _) => format!("{:.3} ± {:.3}", i.mean, (i.high - i.low) / 2.0),
        (Err(_), [one]) => format!("{one:.3}"),
        _ => "–".into(),
    }
}
