//! Diffusion in latent space draws windows where the data is, and not where the prior has it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod support;

use std::ops::ControlFlow;

use burn::tensor::Device;
use mote_learn::{
    families::{Complete, LatentDiffusion, LatentDiffusionConfig, TimeVae, TimeVaeConfig},
    random::{Purpose, Random},
    train::{Progress, TrainConfig, train},
};
use support::{data::Drawn, matrix, numbers, rng, tensor};

const LENGTH: usize = 8;
const LEVELS: [f32; 2] = [-1.4, 0.6];
const OFF: f32 = 0.3;
const NOISE: f32 = 0.15;

/// A machine that is off, three times in ten, or on; two sensors that agree on it but for noise.
const STATES: Drawn = Drawn {
    seed: 1,
    count: 5000,
    shape: [LENGTH, 2],
    draw: |rng, values| {
        let level = LEVELS[usize::from(rng.unit() >= OFF)];
        let noise = rng.normal(values.len());
        values.iter_mut().zip(noise).for_each(|(v, n)| *v = level + NOISE * n);
    },
};

/// The mean of each drawn window, given the first sample's first sensor or nothing.
fn levels(model: &impl Complete, known: Option<f32>) -> Vec<f32> {
    let (n, device) = (2000, Device::flex());
    let mut row = [vec![0.0; 2 * LENGTH], vec![0.0; 2 * LENGTH]];
    if let Some(known) = known {
        (row[0][0], row[1][0]) = (known, 1.0);
    }
    let [x, shown] = row.map(|row| tensor(row.repeat(n), [n, LENGTH, 2], &device));
    let width = model.noise_width();
    let noise = Random::new(8, Purpose::Noise, 0).normal(n * width);
    let drawn = numbers(model.complete(x, shown, matrix(noise, [n, width], &device)));
    drawn.chunks_exact(2 * LENGTH).map(|w| w.iter().sum::<f32>() / w.len() as f32).collect()
}

fn share(levels: &[f32], near: f32) -> f32 {
    let close = |l: &&f32| (**l - near).abs() < 4.0 * NOISE;
    levels.iter().filter(close).count() as f32 / levels.len() as f32
}

#[test]
fn windows_are_drawn_where_the_data_is() {
    let vae = TimeVaeConfig { hidden: 16, latent: 4, beta: 0.1, ..Default::default() };
    let config = LatentDiffusionConfig { vae: vae.clone(), hidden: 32, blocks: 2, steps: 16 };
    let device = Device::flex();
    let training = TrainConfig {
        steps: 1000,
        hide_all: 0.5,
        hide: 0.5,
        hide_share: 1.0,
        average: Some(0.99),
        evaluate_every: 200,
        patience: u32::MAX,
        ..Default::default()
    };
    let go = |_: Progress<'_>| ControlFlow::Continue(());
    let model = LatentDiffusion::new(&config, LENGTH, 2, &mut rng(4), &device);
    let model =
        train(model, Default::default(), &STATES, &STATES, &training, None, go).unwrap().model;
    let drawn = levels(&model, None);
    let found = LEVELS.map(|level| share(&drawn, level));
    assert!((found[0] - OFF).abs() < 0.08, "{found:?}");
    assert!(found[0] + found[1] > 0.95, "{found:?}");
    for level in LEVELS {
        let told = share(&levels(&model, Some(level)), level);
        assert!(told > 0.9, "{told} where {level} is known");
    }

    // The same autoencoder alone draws from its prior, between the states too.
    let alone = TimeVae::new(&vae, LENGTH, 2, &mut rng(4), &device);
    let alone =
        train(alone, Default::default(), &STATES, &STATES, &training, None, go).unwrap().model;
    let drawn = levels(&alone, None);
    let without = LEVELS.map(|level| share(&drawn, level));
    assert!(without[0] + without[1] < found[0] + found[1], "{without:?}");
}
