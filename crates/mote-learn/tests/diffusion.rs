//! The path from noise to data is the one that the formulas promise, and what is learned is its end.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod support;

use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor, TensorData};
use mote_format::manifest::{Path, Solver};
use mote_learn::{
    families::{Denoise, Diffusion, DiffusionConfig, Distilled, Family, Prediction},
    random::{Purpose, Random},
    train::{Progress, TrainConfig, Windows, train},
};
use mote_runtime::Schedule;
use support::{
    grid::{Found, Grid},
    matrix, numbers, rng, tensor,
};

/// The state at time `t` has the mean `α · E[x]` and the variance `α² · Var[x] + σ²`, in closed form.
#[test]
fn forward_marginals_match_the_closed_form() {
    let device = Device::flex();
    let (mean, deviation) = (0.8, 0.6);
    let n = 40_000;
    let mut draw = Random::new(3, Purpose::Noise, 0);
    let x: Vec<f32> = draw.normal(n).iter().map(|z| mean + deviation * z).collect();
    let noise = draw.normal(n);
    for path in [Path::Straight, Path::Cosine] {
        let model = Diffusion::new(
            &DiffusionConfig { path, hidden: 4, blocks: 1, ..Default::default() },
            1,
            1,
            &mut rng(0),
            &device,
        );
        for time in [0.0f32, 0.2, 0.5, 0.9, 1.0] {
            let shape = [n, 1, 1];
            let state = model.diffuse(
                tensor(x.clone(), shape, &device),
                tensor(noise.clone(), shape, &device),
                matrix(vec![time; n], [n, 1], &device),
            );
            let state: Vec<f64> = numbers(state).into_iter().map(f64::from).collect();
            let (alpha, sigma) = match path {
                Path::Straight => (f64::from(time), 1.0 - f64::from(time)),
                Path::Cosine => {
                    let angle = std::f64::consts::FRAC_PI_2 * f64::from(time);
                    (angle.sin(), angle.cos())
                }
            };
            let found_mean = state.iter().sum::<f64>() / n as f64;
            let variance =
                state.iter().map(|s| (s - found_mean).powi(2)).sum::<f64>() / (n - 1) as f64;
            let wanted_mean = alpha * f64::from(mean);
            let wanted = (alpha * f64::from(deviation)).powi(2) + sigma * sigma;
            let error = (wanted / n as f64).sqrt();
            assert!((found_mean - wanted_mean).abs() < 5.0 * error, "{path:?} {time}");
            let error = wanted * (2.0 / n as f64).sqrt();
            assert!((variance - wanted).abs() < 5.0 * error + 1e-6, "{path:?} {time}: {variance}");
        }
    }
}

/// All 25 Gaussians are found, and nearly all points lie on one; a student of the model that has learned
/// to take five strides comes closer to that than the model itself does in five evaluations.
#[test]
fn diffusion_finds_the_modes_of_the_grid_and_so_does_its_student() {
    let config = DiffusionConfig { time_deviation: 1.7, ..Default::default() };
    let model = Diffusion::new(&config, 1, 2, &mut rng(4), &Device::flex());
    let training = TrainConfig {
        steps: 3000,
        batch: 256,
        hide_all: 1.0,
        hide: 0.0,
        average: Some(0.995),
        evaluate_every: 3000,
        ..Default::default()
    };
    let teacher = learned(model, &training);
    let many = Found::of(&draw(&teacher, Solver::Multistep, [1, 2], 40));
    assert!(many.modes >= 23 && many.share > 0.5, "{many:?}");

    let second = TrainConfig { steps: 1000, evaluate_every: 1000, ..training };
    let student = learned(Distilled::new(teacher.clone(), 5), &second);
    let few = Found::of(&draw(&teacher, Solver::Multistep, [1, 2], 5));
    let taught = Found::of(&draw(&student, Solver::Distilled, [1, 2], 5));
    assert!(taught.modes >= 23, "{taught:?}");
    assert!(taught.share > 0.5 * (few.share + many.share), "{few:?}, {many:?}, taught {taught:?}");
}

fn learned<M: Family>(model: M, config: &TrainConfig) -> M {
    let go = |_: Progress<'_>| ControlFlow::Continue(());
    train(model, Default::default(), &Grid, &Grid, config, None, go).unwrap().model
}

/// A thousand windows, along the path from noise as the driver of the runtime goes.
fn draw(
    model: &dyn Denoise,
    solver: Solver,
    [length, features]: [usize; 2],
    evaluations: usize,
) -> Vec<f32> {
    let device = Device::flex();
    let n = 1000;
    let shape = [n, length, features];
    let nothing: Tensor<3> = Tensor::zeros(shape, &device);
    let noise = Random::new(8, Purpose::Noise, 0).normal(shape.iter().product());
    let mut state: Tensor<3> = Tensor::from_data(TensorData::new(noise, shape), &device);
    let mut before = nothing.clone();
    for m in Schedule::new(Path::Straight, solver, evaluations).moments() {
        let time = matrix(vec![m.time; n], [n, 1], &device);
        let estimate = model.denoise(state.clone(), time, nothing.clone(), nothing.clone());
        state = state * m.state + estimate.clone() * m.estimate + before * m.before;
        before = estimate;
    }
    numbers(state)
}

/// Windows of six samples of two features, one of them half the other and a little of its own, that
/// change slowly.
struct Slow;

impl Windows for Slow {
    fn len(&self) -> usize {
        4000
    }

    fn shape(&self) -> [usize; 2] {
        [6, 2]
    }

    fn fill(&self, i: usize, values: &mut [f32], mask: &mut [f32]) {
        let drawn = Random::new(5, Purpose::Order, i as u64).normal(14);
        let (mut a, mut b) = (drawn[12], drawn[13]);
        for (row, drawn) in values.chunks_exact_mut(2).zip(drawn.chunks_exact(2)) {
            (a, b) = (0.98 * a + 0.2 * drawn[0], 0.98 * b + 0.2 * drawn[1]);
            row.copy_from_slice(&[0.3 + a, 0.5 * a + 0.1 * b]);
        }
        mask.fill(1.0);
    }
}

/// What is Gaussian in the data needs no training, and no small steps: the student of a network that
/// has learned nothing draws windows with the mean and the covariance of the data in two strides, in
/// directions with a hundredth of the variance of others, too.
#[test]
fn gaussian_windows_are_drawn_without_training() {
    let model = Diffusion::new(&DiffusionConfig::default(), 6, 2, &mut rng(2), &Device::flex());
    let fitted = Distilled::new(model.clone().around(&Slow), 2);
    let (mut data, mut mask) = (vec![0.0; 12 * Slow.len()], vec![0.0; 12]);
    for (i, window) in data.chunks_exact_mut(12).enumerate() {
        Slow.fill(i, window, &mut mask);
    }
    // Of values, of how they change, and of what the features do not have in common.
    let views: [fn(&[f32]) -> f32; 4] =
        [|w| w[0], |w| w[7], |w| w[6] - w[4], |w| w[9] - 0.5 * w[8]];
    let moments = |windows: &[f32], view: fn(&[f32]) -> f32| {
        let values: Vec<f32> = windows.chunks_exact(12).map(view).collect();
        let n = values.len() as f32;
        let mean = values.iter().sum::<f32>() / n;
        (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / n).sqrt())
    };
    let drawn = draw(&fitted, Solver::Distilled, [6, 2], 2);
    for view in views {
        let (mean, deviation) = moments(&data, view);
        let (found_mean, found) = moments(&drawn, view);
        assert!((found_mean - mean).abs() < 0.1 * deviation, "{found_mean}, wanted {mean}");
        assert!((found / deviation - 1.0).abs() < 0.1, "{found}, wanted {deviation}");
    }
    // Without the Gaussian, what a fresh network draws is noise: it jumps.
    let noise = draw(&Distilled::new(model, 2), Solver::Distilled, [6, 2], 2);
    let jump = views[2];
    assert!(moments(&noise, jump).1 > 4.0 * moments(&data, jump).1);
}

#[test]
fn both_predictions_estimate_the_same_thing() {
    let device = Device::flex();
    // A fresh network says nothing: then the estimate is what the state alone tells.
    for (prediction, wanted) in [(Prediction::Clean, 0.0), (Prediction::Velocity, 0.5 * 2.0 / 0.5)]
    {
        let config = DiffusionConfig { prediction, hidden: 4, blocks: 1, ..Default::default() };
        let model = Diffusion::new(&config, 1, 1, &mut rng(0), &device);
        let one = |v: f32| tensor(vec![v], [1, 1, 1], &device);
        let time = matrix(vec![0.5], [1, 1], &device);
        let estimate = model.denoise(one(2.0), time, one(0.0), one(0.0));
        assert!((numbers(estimate)[0] - wanted).abs() < 1e-5, "{prediction:?}");
    }
}
