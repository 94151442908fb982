//! A likelihood is highest where nothing moves: sensors that hang look better to it than those that
//! work. What is typical says otherwise.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::ops::ControlFlow;

use mote::{
    scoring::score,
    source::{Reading, Source},
    training::{Model, Recipe, run},
};
use mote_data::Series;
use mote_eval::auroc;
use mote_learn::{
    device::Device,
    families::{MafConfig, TimeVaeConfig},
};

/// Two noisy waves and a third that is their product, with a file of its own.
fn write(path: &std::path::Path, seed: u64, rows: std::ops::Range<usize>, fault: Fault) {
    let mut state = seed;
    let mut noise = || {
        // The sum of a few uniform numbers is close to normal; xorshift draws them.
        (0..4)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
            })
            .sum::<f64>()
    };
    let mut text = String::from("a,b,c\n");
    for t in rows {
        let (a, b) = ((t as f64 * 0.21).sin(), (t as f64 * 0.083).cos());
        let scale = if fault == Fault::Smooth { 0.02 } else { 0.5 };
        let mut row = [a, b, a * b].map(|x| x + scale * noise());
        match fault {
            Fault::Constant => row = [0.1, -0.1, 0.05],
            Fault::None | Fault::Smooth => {}
        }
        text += &format!("{:.4},{:.4},{:.4}\n", row[0], row[1], row[2]);
    }
    std::fs::write(path, text).unwrap();
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// All sensors say the same all the time.
    Constant,
    /// The signal without the noise that it always had.
    Smooth,
}

/// How well `model` tells `odd` from `normal`.
fn separation(model: &mote_format::Model<'_>, normal: &Series, odd: &Series) -> f64 {
    let of = |series| -> Vec<f64> {
        score(model, series).unwrap().scores.into_iter().flatten().collect()
    };
    let (normal, odd) = (of(normal), of(odd));
    let labels: Vec<bool> = normal.iter().map(|_| false).chain(odd.iter().map(|_| true)).collect();
    auroc(&[normal, odd].concat(), &labels).unwrap()
}

fn check(model: Model) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("train.csv"), 1, 0..6000, Fault::None);
    let reading = Reading::default();
    let source: Source = reading.learn(&[at("train.csv")]).unwrap();
    let mut recipe = Recipe::new(reading.clone(), &source, model).unwrap();
    recipe.window = Some(24);
    recipe.train.steps = 1200;
    let finished =
        run(&source, &recipe, Device::Cpu, None, &mut |_| ControlFlow::Continue(())).unwrap();
    let guarded = mote_format::Model::open(&finished.file).unwrap();
    let mut plain = guarded.clone();
    plain.manifest.detector.as_mut().unwrap().typical.take().expect("what is typical was measured");

    let series = |seed, fault| {
        write(&at("test.csv"), seed, 9000..10000, fault);
        let runs =
            reading.apply(&[at("test.csv")], &guarded.manifest.schema, recipe.rules).unwrap();
        runs.series()[0].clone()
    };
    let normal = series(2, Fault::None);
    for fault in [Fault::Constant, Fault::Smooth] {
        let odd = series(3, fault);
        let (before, after) =
            (separation(&plain, &normal, &odd), separation(&guarded, &normal, &odd));
        eprintln!(
            "{} {fault:?}: AUROC {before:.3} by likelihood, {after:.3} by typicality",
            guarded.manifest.family
        );
        assert!(before < 0.5, "{fault:?}: {before}, the likelihood does not fail");
        assert!(after > 0.8, "{fault:?}: {after}");
    }
    let alarms = score(&guarded, &normal).unwrap().alarms;
    let share = alarms.iter().filter(|&&a| a).count() as f64 / alarms.len() as f64;
    assert!(share < 0.02, "{share} of the normal samples are alarms");
}

#[test]
fn a_vae_tells_what_is_too_calm() {
    check(Model::Vae(TimeVaeConfig::default()));
}

#[test]
fn a_flow_tells_what_is_too_calm() {
    check(Model::Flow(MafConfig::default()));
}
