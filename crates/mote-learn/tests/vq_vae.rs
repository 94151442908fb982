//! The autoencoder with a codebook: its bound is one, and trained on a few kinds of windows it uses its
//! codes, draws each kind as often as it is, and knows how one goes on.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod support;

use std::ops::ControlFlow;

use burn::tensor::Device;
use mote_learn::{
    diagnose,
    families::{Complete, Score, VqVae, VqVaeConfig},
    random::{Purpose, Random},
    train::{TrainConfig, train},
};
use support::{data::Drawn, matrix, numbers, rng, shaken, tensor};

/// `∫ e^-bound dx ≤ 1`, since the bound is never better than the density; of one code it is the density.
#[test]
fn the_bound_is_no_better_than_a_density() {
    let device = Device::flex();
    for codes in [1, 4] {
        let config = VqVaeConfig { hidden: 6, halvings: 1, codes, width: 2, ..Default::default() };
        let model = shaken(VqVae::new(&config, 2, 1, &mut rng(6), &device), 0.4);
        let (cells, limit) = (300, 15.0);
        let middle = |i: usize| limit * (2.0 * (i as f32 + 0.5) / cells as f32 - 1.0);
        let grid: Vec<f32> =
            (0..cells * cells).flat_map(|i| [middle(i / cells), middle(i % cells)]).collect();
        let n = cells * cells;
        let ones = tensor(vec![1.0; 2 * n], [n, 2, 1], &device);
        let scores = model.score(tensor(grid, [n, 2, 1], &device), ones);
        let nll = numbers(scores.nll.sum_dims(&[1, 2]));
        let bounds = nll.iter().zip(numbers(scores.kl.unwrap())).map(|(nll, kl)| nll + kl);
        let cell = f64::from(2.0 * limit / cells as f32).powi(2);
        let integral: f64 = bounds.map(|b| f64::from(-b).exp() * cell).sum();
        assert!(integral < 1.0 + 1e-3 && integral > 0.05, "{codes} codes: {integral}");
        assert!(codes > 1 || integral > 1.0 - 1e-3, "one code: {integral}");
    }
}

const LENGTH: usize = 16;
/// How often each kind of window is.
const SHARES: [f32; 4] = [0.45, 0.1, 0.1, 0.35];
const NOISE: f32 = 0.1;

/// A kind of window: up or down in each half.
fn pattern(kind: usize, t: usize) -> f32 {
    let half = kind >> (2 * t / LENGTH) & 1;
    let wave = (t as f32 * std::f32::consts::TAU / 8.0).sin();
    if half == 0 { 1.0 + 0.3 * wave } else { -1.0 - 0.3 * wave }
}

const KINDS: Drawn = Drawn {
    seed: 9,
    count: 4000,
    shape: [LENGTH, 1],
    draw: |rng, values| {
        let drawn = rng.unit();
        let mut sum = 0.0;
        let kind = SHARES.iter().position(|share| {
            sum += share;
            drawn < sum
        });
        let kind = kind.unwrap_or(0);
        let noise = rng.normal(LENGTH);
        for (t, (value, z)) in values.iter_mut().zip(noise).enumerate() {
            *value = pattern(kind, t) + NOISE * z;
        }
    },
};

/// The kind that a window is nearest to, and how far it is from it in deviations.
fn nearest(window: &[f32]) -> (usize, f32) {
    let distance = |kind| {
        let square = |(t, x): (usize, &f32)| (x - pattern(kind, t)).powi(2);
        (window.iter().enumerate().map(square).sum::<f32>() / LENGTH as f32).sqrt() / NOISE
    };
    let all = (0..4).map(|kind| (kind, distance(kind)));
    all.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
}

fn draw(model: &VqVae, n: usize, x: Vec<f32>, shown: Vec<f32>) -> Vec<f32> {
    let device = Device::flex();
    let width = Complete::noise_width(model);
    let noise = Random::new(5, Purpose::Noise, 0).normal(n * width);
    let [x, shown] = [x, shown].map(|v| tensor(v, [n, LENGTH, 1], &device));
    numbers(model.complete(x, shown, matrix(noise, [n, width], &device)))
}

#[test]
fn kinds_of_windows_become_codes_that_are_drawn_as_often_as_they_are() {
    let config = VqVaeConfig { hidden: 16, halvings: 3, codes: 8, ..Default::default() };
    let model = VqVae::new(&config, LENGTH, 1, &mut rng(7), &Device::flex());
    let training = TrainConfig {
        steps: 1000,
        evaluate_every: 100,
        hide: 0.0,
        hide_all: 0.5,
        hide_future: 0.5,
        ..Default::default()
    };
    let trained = train(model, Default::default(), &KINDS, &KINDS, &training, None, |_| {
        ControlFlow::Continue(())
    });
    let trained = trained.unwrap();
    let bound = trained.history[trained.best].validation;
    // The entropy of the kinds and of the noise.
    let kinds: f32 = SHARES.iter().map(|p| -p * p.ln()).sum::<f32>() / LENGTH as f32;
    let least = f64::from(kinds + NOISE.ln() + 1.418_938_5);
    assert!(bound > least - 0.02 && bound < least + 0.35, "{bound}, the least is {least}");

    let codebook = diagnose::codebook(&trained.model, &KINDS).unwrap();
    assert_eq!(codebook.codes, 8);
    assert!(codebook.used >= 4 && codebook.perplexity > 2.0, "{codebook:?}");

    let n = 1000;
    let drawn = draw(&trained.model, n, vec![0.0; n * LENGTH], vec![0.0; n * LENGTH]);
    let mut found = [0.0; 4];
    let mut near = 0;
    for window in drawn.chunks_exact(LENGTH) {
        let (kind, distance) = nearest(window);
        found[kind] += 1.0 / n as f32;
        near += usize::from(distance < 2.0);
    }
    assert!(near > 9 * n / 10, "{near} of {n} are near a kind");
    for (found, wanted) in found.iter().zip(SHARES) {
        assert!((found - wanted).abs() < 0.07, "{found}, not {wanted}");
    }

    // Shown the first half, the second goes with it as often as it does in the data.
    let shown = |i: usize| if i % LENGTH < LENGTH / 2 { 1.0 } else { 0.0 };
    let mask: Vec<f32> = (0..n * LENGTH).map(shown).collect();
    for (first, wanted) in [(0, 0.45 / 0.55), (1, 0.1 / 0.45)] {
        let x = (0..n * LENGTH).map(|i| shown(i) * pattern(first, i % LENGTH)).collect();
        let drawn = draw(&trained.model, n, x, mask.clone());
        let tails = drawn.chunks_exact(LENGTH).map(|w| w[LENGTH / 2..].iter().sum::<f32>() > 0.0);
        let up = tails.filter(|up| *up).count() as f32 / n as f32;
        assert!((up - wanted).abs() < 0.12, "first half {first}: {up}, not {wanted}");
    }
}
