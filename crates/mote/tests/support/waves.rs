//! Recordings of noisy waves, small models of them, and tables as the command prints them.

use std::{fmt::Write, path::Path};

use super::{run, succeeds};

/// Samples in a wave.
pub(crate) const PERIOD: usize = 12;
/// The pattern of a wave in raw units: far from zero and not of unit size, so that units matter.
pub(crate) fn wave(t: usize) -> f64 {
    200.0 + 30.0 * (std::f64::consts::TAU * t as f64 / PERIOD as f64).sin()
}

/// Noise between −1 and 1, the same for the same place.
pub(crate) fn noise(place: u64) -> f64 {
    // The finalizer of SplitMix64.
    let mut z = place.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// The cells of sample `t`: a wave, the same wave a quarter later and smaller, and whether the first one
/// is high.
pub(crate) fn cells(t: usize) -> [String; 3] {
    let (a, b) = (wave(t) + 3.0 * noise(2 * t as u64), wave(t + PERIOD / 4) / 100.0);
    let b = b + 0.03 * noise(2 * t as u64 + 1);
    let mode = if wave(t) > 200.0 { "high" } else { "low" };
    [format!("{a:.3}"), format!("{b:.5}"), mode.into()]
}

/// When sample `t` is measured: every ten minutes.
pub(crate) fn time(t: usize) -> String {
    let minutes = 10 * t;
    let (day, hour, minute) = (minutes / 1440 + 1, minutes / 60 % 24, minutes % 60);
    format!("2024-01-{day:02}T{hour:02}:{minute:02}:00Z")
}

/// Samples of waves as CSV; `hides` says which cells are empty, by sample and column.
pub(crate) fn csv(samples: std::ops::Range<usize>, hides: impl Fn(usize, usize) -> bool) -> String {
    let mut text = String::from("time,level,flow,mode\n");
    for t in samples {
        text += &time(t);
        for (column, cell) in cells(t).into_iter().enumerate() {
            let _ = write!(text, ",{}", if hides(t, column) { "" } else { &cell });
        }
        text.push('\n');
    }
    text
}

/// Trains `model.mote` on `train.csv` in `folder`.
pub(crate) fn train(folder: &Path, model: &str, more: &[&str]) {
    std::fs::write(folder.join("train.csv"), csv(0..1400, |_, _| false)).expect("written");
    let mut arguments = vec!["train", "train.csv", "--out", model, "--window", "24"];
    arguments.extend(more);
    succeeds(&run(folder, &arguments));
}

/// A table of CSV: names, and rows of cells.
pub(crate) fn table(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut lines = text.lines().map(|l| l.split(',').map(str::to_owned).collect::<Vec<_>>());
    let names = lines.next().expect("a header");
    (names, lines.collect())
}

/// A cell as a number.
#[track_caller]
pub(crate) fn number(cell: &str) -> f64 {
    cell.parse().unwrap_or_else(|_| panic!("wanted a number, found `{cell}`"))
}
