//! The critic's slope is what its penalty says, and the game ends at the data.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod support;

use std::ops::ControlFlow;

use burn::tensor::Device;
use mote_learn::{
    families::{Complete, Gan, GanConfig},
    random::{Purpose, Random},
    train::{Progress, TrainConfig, train},
};
use support::{
    data::{CENTRES, PAIR, SHARE, SPREAD},
    grid::{Found, Grid},
    matrix, numbers, rng, shaken, tensor,
};

/// The squared slope along random directions is in the mean the sum of the squared derivatives.
#[test]
fn the_slope_of_the_critic_is_its_numeric_gradient() {
    let device = Device::flex();
    let config = GanConfig { hidden: 8, blocks: 1, octaves: 2, ..Default::default() };
    let mut draw = Random::new(1, Purpose::Noise, 0);
    let (mut found, mut wanted) = (0.0, 0.0);
    for seed in 0..5 {
        let model = shaken(Gan::new(&config, 3, 2, &mut rng(seed), &device), 0.3);
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
        wanted += hidden.map(|i| derivative(i).powi(2)).sum::<f64>();

        let n = 20_000;
        let slopes = model.slope(
            of(x.repeat(n), n),
            of(shown.repeat(n), n),
            of(vec![1.0; 6 * n], n),
            of(draw.normal(6 * n), n),
        );
        found += numbers(slopes).iter().map(|&s| f64::from(s)).sum::<f64>() / n as f64;
    }
    assert!(wanted > 1e-2, "critics that say something: {wanted}");
    assert!((found / wanted - 1.0).abs() < 0.06, "found {found}, wanted {wanted}");
}

/// Both points are drawn, each about as often as it is, and where one sensor is known the other goes with
/// it.
#[test]
fn a_game_ends_at_the_data() {
    let config = GanConfig { hidden: 32, blocks: 2, octaves: 4, ..Default::default() };
    let model = Gan::new(&config, 1, 2, &mut rng(4), &Device::flex());
    let training = TrainConfig {
        steps: 1500,
        hide_all: 0.5,
        hide: 0.5,
        learning_rate: 1e-3,
        moments: [0.0, 0.99],
        weight_decay: 0.0,
        average: Some(0.99),
        evaluate_every: 100,
        patience: u32::MAX,
        ..Default::default()
    };
    let go = |_: Progress<'_>| ControlFlow::Continue(());
    let model = train(model, Default::default(), &PAIR, &PAIR, &training, None, go).unwrap().model;
    let n = 2500;
    let device = Device::flex();
    let draw = |known: [f32; 2], shown: [f32; 2]| {
        let [known, shown] = [known, shown].map(|v| tensor(v.repeat(n), [n, 1, 2], &device));
        let width = Complete::noise_width(&model);
        let noise = Random::new(8, Purpose::Noise, 0).normal(n * width);
        numbers(model.complete(known, shown, matrix(noise, [n, width], &device)))
    };
    let near = |x: &[f32], c: &[f32; 2]| (x[0] - c[0]).hypot(x[1] - c[1]) < 4.0 * SPREAD;
    let free = draw([0.0; 2], [0.0; 2]);
    let share =
        |c: &[f32; 2]| free.chunks_exact(2).filter(|x| near(x, c)).count() as f32 / n as f32;
    let found = CENTRES.each_ref().map(share);
    assert!((found[0] - SHARE).abs() < 0.1, "{found:?} of the windows are at the points");
    assert!(found[0] + found[1] > 0.9, "{found:?} of the windows are at the points");
    for centre in CENTRES {
        let told = draw([centre[0], 0.0], [1.0, 0.0]);
        let mean = told.chunks_exact(2).map(|x| x[1]).sum::<f32>() / n as f32;
        assert!((mean - centre[1]).abs() < 0.3, "{mean} where {} is known", centre[0]);
    }
}

/// No mode is lost, whatever the random start.
#[test]
fn the_modes_of_the_grid_are_found() {
    let mut each = Vec::new();
    for seed in 0..2 {
        let device = Device::flex();
        let model = Gan::new(&GanConfig::default(), 1, 2, &mut rng(seed), &device);
        let training = TrainConfig {
            seed,
            steps: 2000,
            batch: 256,
            hide_all: 1.0,
            hide: 0.0,
            learning_rate: 1e-3,
            moments: [0.0, 0.99],
            weight_decay: 0.0,
            average: Some(0.995),
            evaluate_every: 2000,
            ..Default::default()
        };
        let go = |_: Progress<'_>| ControlFlow::Continue(());
        let model =
            train(model, Default::default(), &Grid, &Grid, &training, None, go).unwrap().model;
        let (n, width) = (1000, Complete::noise_width(&model));
        let nothing = tensor(vec![0.0; 2 * n], [n, 1, 2], &device);
        let noise = Random::new(8, Purpose::Noise, 0).normal(n * width);
        let drawn = model.complete(nothing.clone(), nothing, matrix(noise, [n, width], &device));
        let found = Found::of(&numbers(drawn));
        eprintln!("seed {seed}: {found:?}");
        each.push(found);
    }
    // A game ends elsewhere where a machine rounds in another way: with AVX-512 both seeds find 24 or 25,
    // with AVX2 one of them 22. Before noise had as many numbers as the data, no seed found more than 16.
    let modes = each.iter().map(|found| found.modes);
    assert!(modes.clone().max() >= Some(23) && modes.min() >= Some(20), "{each:?}");
}
