//! Context-FID of sets whose order is known.

use std::ops::ControlFlow;

use mote_eval::{Error, Windows, generation::Progress};
use mote_learn::{
    judge::{ContextConfig, ContextEncoder, context_fid},
    random::{Purpose, Random},
};

const LENGTH: usize = 16;

fn waves(count: usize, noise: f32, seed: u64) -> Vec<f32> {
    let mut rng = Random::new(seed, Purpose::Noise, 0);
    let mut data = Vec::new();
    for _ in 0..count {
        let phase = 6.3 * rng.unit();
        for t in 0..LENGTH {
            let jitter = rng.normal(2);
            data.push((phase + 0.4 * t as f32).sin() + noise * jitter[0]);
            data.push((phase + 0.4 * t as f32).cos() + noise * jitter[1]);
        }
    }
    data
}

fn small() -> ContextConfig {
    ContextConfig { outputs: 16, hidden: 8, depth: 3, iterations: Some(40), ..Default::default() }
}

#[test]
fn worse_windows_are_further_away() {
    let data = [waves(200, 0.0, 1), waves(200, 0.0, 2), waves(200, 0.3, 3), waves(200, 1.0, 4)];
    let [real, again, noisy, noise] =
        data.each_ref().map(|data| Windows::new(data, LENGTH, 2).unwrap());
    let mut losses = Vec::new();
    let mut distance = |generated| {
        let mut observe = |progress: Progress| {
            losses.push(progress.loss);
            ControlFlow::Continue(())
        };
        context_fid(real, generated, &small(), 5, &mut observe).unwrap().distance
    };
    let (same, fresh) = (distance(real), distance(again));
    let (noisy, noise) = (distance(noisy), distance(noise));
    assert!(same < 1e-6 && fresh < 0.3 * noisy && noisy < noise, "{same} {fresh} {noisy} {noise}");
    assert_eq!(losses[..40], losses[40..80], "the same seed gives the same training");
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    assert!(mean(&losses[30..40]) < mean(&losses[..10]), "{losses:?}");
}

#[test]
fn odd_sets_and_stops() {
    let data = waves(3, 0.0, 1);
    let few = Windows::new(&data, LENGTH, 2).unwrap();
    let mut observe = |_| ControlFlow::Continue(());
    let encoder = ContextEncoder::fit(few, &small(), 1, &mut observe).unwrap();
    let embeddings = encoder.embed(few);
    assert!(embeddings.len() == 3 * 16 && embeddings.iter().all(|v| v.is_finite()));

    let one = Windows::new(&data, 1, 2).unwrap();
    let error = ContextEncoder::fit(one, &small(), 1, &mut observe).unwrap_err();
    assert!(matches!(error, Error::TooFew { found: 1, .. }));
    let error = context_fid(few, one, &small(), 1, &mut observe).unwrap_err();
    assert!(matches!(error, Error::Shapes { .. }));
    let none = ContextConfig { batch: 0, ..small() };
    let error = ContextEncoder::fit(few, &none, 1, &mut observe).unwrap_err();
    assert!(matches!(error, Error::OutOfRange { what: "batch", .. }));
    let mut stop = |_| ControlFlow::Break(());
    let error = ContextEncoder::fit(few, &small(), 1, &mut stop).unwrap_err();
    assert_eq!(error, Error::Stopped { iterations: 1 });
}
