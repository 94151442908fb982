//! The critic's slope is what its penalty says, and the game ends at the data.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod support;

#[path = "support/grid.rs"]
mod grid;

use std::ops::ControlFlow;

use burn::tensor::Device;
use grid::{Grid, coverage};
use mote_learn::{
    families::{Complete, Gan, GanConfig},
    random::{Purpose, Random},
    train::{Progress, TrainConfig, train},
};
use support::{matrix, numbers, rng, shaken, tensor};

/// The squared slope along random directions is in the mean the sum of the squared derivatives.
#[test]
fn the_slope_of_the_critic_is_its_numeric_gradient() {
    let device = Device::flex();
    let config = GanConfig { hidden: 8, blocks: 1, octaves: 2, ..Default::default() };
    let model = shaken(Gan::new(&config, 3, 2, &mut rng(0), &device), 0.3);
    let mut draw = Random::new(1, Purpose::Noise, 0);
    let x = draw.normal(6);
    let shown = vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    let of = |x: Vec<f32>, n: usize| tensor(x, [n, 3, 2], &device);
    let judged = |x: Vec<f32>| -> f64 {
        let answer = model.criticize(of(x, 1), of(shown.clone(), 1), of(vec![1.0; 6], 1));
        numbers(answer)[0].into()
    };
    let h = 1e-2f32;
    let derivative = |i: usize| {
        let mut moved = [x.clone(), x.clone()];
        moved[0][i] += h;
        moved[1][i] -= h;
        let [up, down] = moved.map(judged);
        (up - down) / f64::from(2.0 * h)
    };
    // What is shown is not the generator's to change.
    let hidden = (0..6).filter(|&i| shown[i] == 0.0);
    let wanted: f64 = hidden.map(|i| derivative(i).powi(2)).sum();

    let n = 20_000;
    let slopes = model.slope(
        of(x.repeat(n), n),
        of(shown.repeat(n), n),
        of(vec![1.0; 6 * n], n),
        of(draw.normal(6 * n), n),
    );
    let slopes = numbers(slopes);
    let found = slopes.iter().map(|&s| f64::from(s)).sum::<f64>() / n as f64;
    assert!(wanted > 1e-3, "a critic that says something: {wanted}");
    assert!((found / wanted - 1.0).abs() < 0.06, "found {found}, wanted {wanted}");
}

#[test]
fn a_game_finds_the_modes_of_the_grid() {
    let model = Gan::new(&GanConfig::default(), 1, 2, &mut rng(4), &Device::flex());
    let training = TrainConfig {
        steps: 4000,
        batch: 256,
        hide_all: 1.0,
        hide: 0.0,
        learning_rate: 1e-3,
        moments: [0.0, 0.99],
        weight_decay: 0.0,
        average: Some(0.995),
        evaluate_every: 400,
        patience: u32::MAX,
        ..Default::default()
    };
    let go = |_: Progress<'_>| ControlFlow::Continue(());
    let model = train(model, Default::default(), &Grid, &Grid, &training, None, go).unwrap().model;
    let n = 2500;
    let device = Device::flex();
    let nothing = || tensor(vec![0.0; 2 * n], [n, 1, 2], &device);
    let width = Complete::noise_width(&model);
    let noise = matrix(Random::new(8, Purpose::Noise, 0).normal(n * width), [n, width], &device);
    let found = coverage(&numbers(model.complete(nothing(), nothing(), noise)));
    assert!(found.found >= 23 && found.high_quality > 0.05, "{found:?}");
}
