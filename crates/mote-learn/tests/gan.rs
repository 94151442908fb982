//! The critic's slope is what the penalty says, and the game ends at the data.

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
use support::{matrix, numbers, rng, tensor};

#[test]
fn explore() {
    let var =
        |name: &str, d: f32| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(d);
    let device = Device::flex();
    let config = GanConfig {
        hidden: var("H", 64.0) as usize,
        blocks: var("B", 3.0) as usize,
        noise: var("N", 8.0) as usize,
        octaves: var("O", 5.0) as usize,
        penalty: var("P", 0.3),
    };
    let model = Gan::new(&config, 1, 2, &mut rng(4), &device);
    let steps = var("S", 3000.0) as u64;
    let training = TrainConfig {
        steps,
        batch: var("BATCH", 256.0) as usize,
        hide_all: 1.0,
        hide: 0.0,
        learning_rate: var("LR", 1e-3) as f64,
        moments: [var("B1", 0.0), var("B2", 0.99)],
        weight_decay: 0.0,
        clip_norm: var("CLIP", 1.0),
        average: Some(var("AVG", 0.995)),
        evaluate_every: steps / 10,
        patience: 1000,
        ..Default::default()
    };
    let t = std::time::Instant::now();
    let model = train(model, Default::default(), &Grid, &Grid, &training, None, |p| {
        if let Progress::Look { look, .. } = p {
            println!("{look:?} {:?}", t.elapsed());
        }
        ControlFlow::Continue(())
    })
    .unwrap()
    .model;
    let n = 2500;
    let nothing = || tensor(vec![0.0; 2 * n], [n, 1, 2], &device);
    let width = Complete::noise_width(&model);
    let noise = matrix(Random::new(8, Purpose::Noise, 0).normal(n * width), [n, width], &device);
    let c = coverage(&numbers(model.complete(nothing(), nothing(), noise)));
    println!("{c:?}");
}
