//! The path from noise to data is the one that the formulas promise, and what is learned is its end.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod support;

use std::{f32::consts::SQRT_2, ops::ControlFlow};

use burn::tensor::{Device, Tensor, TensorData};
use mote_format::manifest::{Path, Solver};
use mote_learn::{
    families::{Denoise, Diffusion, DiffusionConfig, Distilled, Family, Prediction},
    random::{Purpose, Random},
    train::{Progress, TrainConfig, Windows, train},
};
use mote_runtime::Schedule;
use support::{matrix, numbers, rng, tensor};

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

/// Points of a grid of five by five Gaussians, each a window of one sample.
struct Grid;

const SPREAD: f32 = 0.05;

fn grid_point(rng: &mut Random) -> [f32; 2] {
    let axis = |rng: &mut Random| ((5.0 * rng.unit()) as i32 - 2) as f32;
    let (a, b) = (axis(rng), axis(rng));
    let noise = rng.normal(2);
    // Near unit variance, as standard units have it.
    [(a + SPREAD * noise[0]) / SQRT_2, (b + SPREAD * noise[1]) / SQRT_2]
}

impl Windows for Grid {
    fn len(&self) -> usize {
        20_000
    }

    fn shape(&self) -> [usize; 2] {
        [1, 2]
    }

    fn fill(&self, i: usize, values: &mut [f32], mask: &mut [f32]) {
        values.copy_from_slice(&grid_point(&mut Random::new(1, Purpose::Order, i as u64)));
        mask.fill(1.0);
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
    let many = Found::of(&draw(&teacher, Solver::Multistep, 40));
    assert!(many.modes >= 23 && many.share > 0.5, "{many:?}");

    let second = TrainConfig { steps: 1000, evaluate_every: 1000, ..training };
    let student = learned(Distilled::new(teacher.clone(), 5), &second);
    let few = Found::of(&draw(&teacher, Solver::Multistep, 5));
    let taught = Found::of(&draw(&student, Solver::Distilled, 5));
    assert!(taught.modes >= 23, "{taught:?}");
    assert!(taught.share > 0.5 * (few.share + many.share), "{few:?}, {many:?}, taught {taught:?}");
}

fn learned<M: Family>(model: M, config: &TrainConfig) -> M {
    let go = |_: Progress<'_>| ControlFlow::Continue(());
    train(model, Default::default(), &Grid, &Grid, config, None, go).unwrap().model
}

/// What points are of the grid.
#[derive(Debug)]
struct Found {
    /// Gaussians that at least one point in a hundred is on.
    modes: usize,
    /// The share of points that are on any.
    share: f64,
}

impl Found {
    fn of(points: &[f32]) -> Self {
        let n = points.len() / 2;
        let (mut counts, mut on_a_mode) = ([0usize; 25], 0);
        for p in points.chunks_exact(2) {
            let at = |v: f32| ((v * SQRT_2).round().clamp(-2.0, 2.0), v * SQRT_2);
            let ((i, a), (j, b)) = (at(p[0]), at(p[1]));
            if (a - i).hypot(b - j) < 4.0 * SPREAD {
                counts[(i + 2.0) as usize * 5 + (j + 2.0) as usize] += 1;
                on_a_mode += 1;
            }
        }
        let modes = counts.iter().filter(|&&c| c * 100 >= n).count();
        Self { modes, share: on_a_mode as f64 / n as f64 }
    }
}

/// A thousand points, along the path from noise as the driver of the runtime goes.
fn draw(model: &dyn Denoise, solver: Solver, evaluations: usize) -> Vec<f32> {
    let device = Device::flex();
    let n = 1000;
    let shape = [n, 1, 2];
    let nothing: Tensor<3> = Tensor::zeros(shape, &device);
    let noise = Random::new(8, Purpose::Noise, 0).normal(2 * n);
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
