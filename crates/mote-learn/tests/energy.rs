//! The gradient of an energy is its derivative, and what is drawn along it is the data.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod support;

use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor};
use mote_format::manifest::{Path, Solver};
use mote_learn::{
    families::{Denoise, EnergyConfig, EnergyModel, Score},
    parts::{MixerSize, SmoothMixer},
    random::{Purpose, Random},
    train::{TrainConfig, train},
};
use mote_runtime::Schedule;
use support::{
    data::{CENTRES, PAIR, SHARE, SPREAD},
    matrix, numbers, rng, shaken, tensor,
};

/// `v · (f(x + h) - f(x - h)) / 2h` along every axis is `Jᵀv`.
#[test]
fn the_pullback_is_the_numeric_derivative() {
    let device = Device::flex();
    let (length, inputs, outputs) = (5, 3, 2);
    let size = MixerSize { length, inputs, hidden: 8, outputs, blocks: 2 };
    let network = shaken(SmoothMixer::new(&size, &mut rng(0), &device), 0.3);
    let mut draw = Random::new(1, Purpose::Noise, 0);
    let (x, v) = (draw.normal(length * inputs), draw.normal(length * outputs));
    let context = matrix(draw.normal(8), [1, 8], &device);
    let answer = |x: Vec<f32>| network.forward(tensor(x, [1, length, inputs], &device), &context);
    let along = |x: Vec<f32>| -> f64 {
        numbers(answer(x).0).iter().zip(&v).map(|(&y, &v)| f64::from(y) * f64::from(v)).sum()
    };
    let (_, trace) = answer(x.clone());
    let found = numbers(network.pullback(&trace, tensor(v.clone(), [1, length, outputs], &device)));
    let wanted = numeric_gradient(&x, along);
    check_gradient(&found, &wanted);
}

/// What a step of the generator follows is the gradient of what scores.
#[test]
fn the_estimate_is_down_the_numeric_gradient_of_the_energy() {
    let device = Device::flex();
    let shape = [1, 4, 2];
    for path in [Path::Straight, Path::Cosine] {
        let config = EnergyConfig { path, hidden: 8, blocks: 2, ..Default::default() };
        let model = shaken(EnergyModel::new(&config, 4, 2, &mut rng(0), &device), 0.3);
        let mut draw = Random::new(2, Purpose::Noise, 0);
        let (state, known) = (draw.normal(8), draw.normal(8));
        let shown = vec![1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0];
        for time in [0.1f32, 0.5, 0.9] {
            let window = |v: &[f32]| tensor(v.to_vec(), shape, &device);
            let moment = || matrix(vec![time], [1, 1], &device);
            let energy = |state: Vec<f32>| -> f64 {
                let e = model.energy(window(&state), moment(), window(&known), window(&shown));
                numbers(e).into_iter().map(f64::from).sum()
            };
            let (signal, noise) = match path {
                Path::Straight => (time, 1.0 - time),
                Path::Cosine => {
                    let angle = std::f32::consts::FRAC_PI_2 * time;
                    (angle.sin(), angle.cos())
                }
            };
            let estimate = model.denoise(window(&state), moment(), window(&known), window(&shown));
            let estimate = numbers(estimate);
            let wanted = numeric_gradient(&state, energy);
            for i in (0..8).filter(|&i| shown[i] == 0.0) {
                let found = (state[i] - signal * estimate[i]) / (noise * noise);
                let close = (f64::from(found) - wanted[i]).abs() < 0.01 * wanted[i].abs().max(1.0);
                assert!(close, "{path:?} {time} [{i}]: found {found}, wanted {}", wanted[i]);
            }
            assert!((0..8).filter(|&i| shown[i] == 1.0).all(|i| wanted[i] == 0.0));
        }
    }
}

fn numeric_gradient(x: &[f32], f: impl Fn(Vec<f32>) -> f64) -> Vec<f64> {
    let h = 1e-2f32;
    let moved = |i: usize, by: f32| {
        let mut x = x.to_vec();
        x[i] += by;
        f(x)
    };
    (0..x.len()).map(|i| (moved(i, h) - moved(i, -h)) / f64::from(2.0 * h)).collect()
}

#[track_caller]
fn check_gradient(found: &[f32], wanted: &[f64]) {
    assert_eq!(found.len(), wanted.len());
    assert!(wanted.iter().any(|w| w.abs() > 0.1), "nothing to compare: {wanted:?}");
    for (i, (&f, w)) in found.iter().zip(wanted).enumerate() {
        assert!((f64::from(f) - w).abs() < 0.01 * w.abs().max(1.0), "[{i}]: {f}, numeric {w}");
    }
}

fn trained() -> EnergyModel {
    let config = EnergyConfig { hidden: 32, blocks: 2, ..Default::default() };
    let model = EnergyModel::new(&config, 1, 2, &mut rng(4), &Device::flex());
    let training = TrainConfig {
        steps: 4000,
        hide_all: 0.4,
        hide: 0.6,
        average: Some(0.99),
        evaluate_every: 4000,
        ..Default::default()
    };
    let go = |_: mote_learn::train::Progress<'_>| ControlFlow::Continue(());
    train(model, Default::default(), &PAIR, &PAIR, &training, None, go).unwrap().model
}

/// `-ln p` of the pair with noise of deviation `level`.
fn true_energy(x: [f32; 2], level: f32) -> f64 {
    let variance = f64::from(SPREAD * SPREAD + level * level);
    let density: f64 = CENTRES
        .iter()
        .zip([SHARE, 1.0 - SHARE])
        .map(|(c, share)| {
            let square: f64 = x.iter().zip(c).map(|(x, c)| f64::from(x - c).powi(2)).sum();
            f64::from(share) * (-0.5 * square / variance).exp()
        })
        .sum();
    -density.ln()
}

/// The energy is the true one up to a constant, and annealed Langevin dynamics draw both points in their
/// true shares, also where one sensor is known.
#[test]
fn learns_an_energy_and_draws_from_it() {
    let model = trained();
    let device = Device::flex();
    let side = 21;
    let at = |i: usize| -1.8 + 0.15 * i as f32;
    let grid: Vec<f32> = (0..side * side).flat_map(|i| [at(i / side), at(i % side)]).collect();
    let shape = [side * side, 1, 2];
    let mask = tensor(vec![1.0; grid.len()], shape, &device);
    let found = numbers(model.score(tensor(grid.clone(), shape, &device), mask).nll);
    let level = EnergyConfig::default().level;
    let pairs: Vec<(f64, f64)> = grid
        .chunks_exact(2)
        .zip(found.chunks_exact(2))
        .map(|(x, e)| (true_energy([x[0], x[1]], level), f64::from(e[0] + e[1])))
        // Elsewhere there is no data, and nothing to learn from.
        .filter(|(wanted, _)| *wanted < 5.0)
        .collect();
    let offset = pairs.iter().map(|(w, f)| f - w).sum::<f64>() / pairs.len() as f64;
    let error = pairs.iter().map(|(w, f)| (f - w - offset).powi(2)).sum::<f64>();
    let error = (error / pairs.len() as f64).sqrt();
    assert!(pairs.len() > 50 && error < 0.3, "off by {error} nats over {} points", pairs.len());

    let n = 4000;
    let free = draw(&model, [0.0, 0.0], [0.0, 0.0], n);
    let first = free.chunks_exact(2).filter(|x| x[0] < -0.3).count() as f32 / n as f32;
    assert!((first - SHARE).abs() < 0.05, "{first} of the windows are at the first point");
    for (i, centre) in CENTRES.iter().enumerate() {
        let near = free.chunks_exact(2).filter(|x| (x[0] < -0.3) == (i == 0)).map(|x| x[1]);
        let [mean, deviation] = moments(near);
        assert!((mean - centre[1]).abs() < 0.07, "{mean} at {centre:?}");
        assert!((deviation / SPREAD - 1.0).abs() < 0.25, "{deviation} at {centre:?}");
        let told = draw(&model, [centre[0], 0.0], [1.0, 0.0], n);
        let [mean, deviation] = moments(told.chunks_exact(2).map(|x| x[1]));
        assert!((mean - centre[1]).abs() < 0.07, "{mean} where {} is known", centre[0]);
        // Fewer than one window in ten taught this.
        assert!((deviation / SPREAD - 1.0).abs() < 0.6, "{deviation} at {centre:?}");
    }
}

fn moments(x: impl Iterator<Item = f32>) -> [f32; 2] {
    let x: Vec<f32> = x.collect();
    let mean = x.iter().sum::<f32>() / x.len() as f32;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / x.len() as f32;
    [mean, variance.sqrt()]
}

fn draw(model: &EnergyModel, known: [f32; 2], shown: [f32; 2], n: usize) -> Vec<f32> {
    let device = Device::flex();
    let shape = [n, 1, 2];
    let mut rng = Random::new(8, Purpose::Noise, 0);
    let mut noise = || tensor(rng.normal(2 * n), shape, &device);
    let repeated = |v: [f32; 2]| tensor(v.repeat(n), shape, &device);
    let mut state: Tensor<3> = noise();
    for m in Schedule::new(Path::Straight, Solver::Langevin, 100).moments() {
        let time = matrix(vec![m.time; n], [n, 1], &device);
        let estimate = model.denoise(state.clone(), time, repeated(known), repeated(shown));
        state = state * m.state + estimate * m.estimate + noise() * m.fresh;
    }
    numbers(state)
}
