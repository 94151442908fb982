//! One classifier: trained on a share of the windows with one method, tested where sensors are worse.

use std::collections::BTreeMap;

use mote::Error;
use mote_learn::{
    baseline::{Classifier, ClassifierConfig, Labelled},
    random::{Purpose, Random},
};
use serde::{Deserialize, Serialize};

use crate::{
    methods::{Drawn, augment},
    sets::Set,
};

/// What one classifier reached: macro F1 by the condition of the test windows.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) set: String,
    pub(crate) share: f64,
    pub(crate) method: String,
    pub(crate) seed: u64,
    pub(crate) windows: usize,
    pub(crate) scores: BTreeMap<String, f64>,
}

/// Conditions of the test windows, in the order of the table.
pub(crate) const CONDITIONS: [&str; 7] =
    ["clean", "20 dB", "10 dB", "5 dB", "0 dB", "dropout", "drift"];
/// The share of samples that a dropout takes.
const DROPPED: f32 = 0.2;
/// Windows that are tested at most.
const TESTED: usize = 1500;

pub(crate) fn run(
    set: &Set,
    share: f64,
    method: &str,
    seed: u64,
    drawn: &mut Drawn,
) -> Result<Option<Outcome>, Error> {
    let real = some(set, share, seed);
    let Some((windows, show)) = augment(set, &real, method, seed, drawn)? else { return Ok(None) };
    let config = ClassifierConfig::default();
    let features = set.features;
    let model = Classifier::fit(
        &windows,
        set.shape(),
        set.classes.len(),
        &config,
        seed,
        &mut |window, rng| show.disturb(window, features, rng),
    );
    let width = set.shape()[0] * features;
    let count = set.test.classes.len();
    let tested: Vec<usize> =
        (0..count.min(TESTED)).map(|i| i * count / count.min(TESTED)).collect();
    let classes: Vec<usize> = tested.iter().map(|&i| set.test.classes[i]).collect();
    let mut scores = BTreeMap::new();
    for condition in CONDITIONS {
        // The same disturbance for every method.
        let mut rng = Random::new(seed, Purpose::Noise, 2);
        let mut all = Vec::with_capacity(tested.len() * width);
        for &i in &tested {
            let mut window = set.test.windows[i * width..(i + 1) * width].to_vec();
            worsen(condition, &mut window, features, &mut rng);
            all.extend(window);
        }
        let score = macro_f1(&model.predict(&all), &classes, set.classes.len());
        // To four digits.
        scores.insert(condition.into(), (1e4 * score).round() / 1e4);
    }
    Ok(Some(Outcome {
        set: set.name.into(),
        share,
        method: method.into(),
        seed,
        windows: real.classes.len(),
        scores,
    }))
}

/// A share of the training windows, of every class the same and at least two.
fn some(set: &Set, share: f64, seed: u64) -> Labelled {
    let [length, features] = set.shape();
    let mut rng = Random::new(seed, Purpose::Order, 3);
    let mut chosen = Labelled::default();
    for class in 0..set.classes.len() {
        let own: Vec<usize> =
            (0..set.train.classes.len()).filter(|&i| set.train.classes[i] == class).collect();
        let wanted = ((own.len() as f64 * share).round() as usize).max(2).min(own.len());
        for at in rng.order(own.len()).into_iter().take(wanted) {
            let from = own[at] * length * features;
            chosen.windows.extend_from_slice(&set.train.windows[from..from + length * features]);
            chosen.classes.push(class);
        }
    }
    chosen
}

/// What happens to sensors: noise of so many decibels below the signal, samples that are lost and stand
/// at the mean, or a zero that moves by a deviation along the window.
fn worsen(condition: &str, window: &mut [f32], features: usize, rng: &mut Random) {
    let length = window.len() / features;
    match condition {
        "clean" => {}
        "dropout" => {
            for row in window.chunks_exact_mut(features) {
                if rng.unit() < DROPPED {
                    row.fill(0.0);
                }
            }
        }
        "drift" => {
            let signs: Vec<f32> = rng.normal(features).iter().map(|n| n.signum()).collect();
            for (i, v) in window.iter_mut().enumerate() {
                *v += signs[i % features] * (i / features) as f32 / length as f32;
            }
        }
        decibels => {
            let decibels: f32 =
                decibels.strip_suffix(" dB").and_then(|d| d.parse().ok()).expect("a condition");
            let power = window.iter().map(|v| v * v).sum::<f32>() / window.len() as f32;
            let deviation = (power / 10f32.powf(decibels / 10.0)).sqrt();
            let noise = rng.normal(window.len());
            window.iter_mut().zip(noise).for_each(|(v, n)| *v += deviation * n);
        }
    }
}

/// The mean over classes that occur of the harmonic mean of precision and recall.
fn macro_f1(found: &[usize], wanted: &[usize], classes: usize) -> f64 {
    let of = |class: usize| {
        let both = found.iter().zip(wanted).filter(|(f, w)| **f == class && **w == class).count();
        let either = found.iter().filter(|f| **f == class).count()
            + wanted.iter().filter(|w| **w == class).count();
        wanted.contains(&class).then(|| 2.0 * both as f64 / either as f64)
    };
    let scores: Vec<f64> = (0..classes).filter_map(of).collect();
    scores.iter().sum::<f64>() / scores.len() as f64
}
