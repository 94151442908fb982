//! Discriminative and predictive scores of sets whose answer is known.

use std::ops::ControlFlow;

use mote_eval::{
    Error, Windows,
    generation::{JudgeConfig, discriminative_score, hidden_units, predictive_score},
};

use crate::sampling::Draw;

const LENGTH: usize = 12;

/// Two sines of one random phase and frequency; `noise` on top.
fn sines(count: usize, noise: f64, seed: u64) -> Vec<f32> {
    let mut draw = Draw::new(seed);
    let mut data = Vec::new();
    for _ in 0..count {
        let (phase, pace) = (draw.normal() * 3.0, 0.5 + 0.1 * draw.normal());
        for t in 0..LENGTH {
            for shift in [0.0, 1.0] {
                let wave = (phase + pace * t as f64 + shift).sin();
                data.push((0.5 + 0.35 * wave + noise * draw.normal()) as f32);
            }
        }
    }
    data
}

fn short(config: JudgeConfig, iterations: usize) -> JudgeConfig {
    JudgeConfig { iterations, hidden: Some(4), ..config }
}

#[test]
fn discriminative_score_is_near_zero_for_one_distribution_and_half_for_two() {
    let check = |noise: f64, low: f64, high: f64| {
        let (real, generated) = (sines(500, 0.0, 1), sines(500, noise, 2));
        let (real, generated) =
            (Windows::new(&real, LENGTH, 2).unwrap(), Windows::new(&generated, LENGTH, 2).unwrap());
        let config = short(JudgeConfig::tell_apart(), 600);
        let score = || {
            let mut last = 0;
            let mut observe = |progress: mote_eval::generation::Progress| {
                last = progress.iteration;
                ControlFlow::Continue(())
            };
            let score = discriminative_score(real, generated, config, 7, &mut observe).unwrap();
            assert_eq!(last, 600);
            score
        };
        let ours = score();
        assert!((low..=high).contains(&ours.score), "{ours:?}");
        assert_eq!(ours.judged, 200);
        assert_eq!(ours, score(), "the same seed gives the same score");
    };
    check(0.0, 0.0, 0.12);
    check(1.5, 0.4, 0.5);
}

#[test]
fn predictive_score_tells_signal_from_noise() {
    let (real, good, bad) = (sines(300, 0.0, 1), sines(300, 0.0, 2), sines(300, 1.0, 3));
    let real = Windows::new(&real, LENGTH, 2).unwrap();
    let config = short(JudgeConfig::predict(), 2000);
    let mut observe = |_| ControlFlow::Continue(());
    let mut score = |generated: &[f32]| {
        let generated = Windows::new(generated, LENGTH, 2).unwrap();
        predictive_score(real, generated, config, 1, &mut observe).unwrap().score
    };
    let (good, bad) = (score(&good), score(&bad));
    assert!(good < 0.1 && bad > 1.5 * good, "{good} and {bad}");
}

#[test]
fn one_feature_has_scores_too() {
    assert_eq!([1, 2, 3, 28].map(hidden_units), [16, 1, 1, 14]);
    let data = sines(20, 0.0, 5);
    let windows = Windows::new(&data, LENGTH, 1).unwrap();
    let config = JudgeConfig { iterations: 5, ..JudgeConfig::predict() };
    let mut observe = |_| ControlFlow::Continue(());
    assert!(predictive_score(windows, windows, config, 1, &mut observe).unwrap().score < 0.6);
    assert!(discriminative_score(windows, windows, config, 1, &mut observe).is_ok());
}

#[test]
fn observer_ends_the_training() {
    let data = sines(20, 0.0, 5);
    let windows = Windows::new(&data, LENGTH, 2).unwrap();
    let mut observe = |progress: mote_eval::generation::Progress| {
        if progress.iteration == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let config = JudgeConfig::tell_apart();
    assert_eq!(
        discriminative_score(windows, windows, config, 1, &mut observe).unwrap_err(),
        Error::Stopped { iterations: 3 }
    );
    assert!(matches!(
        predictive_score(windows, windows, config, 1, &mut observe),
        Err(Error::Stopped { iterations: 3 })
    ));
}

#[test]
fn windows_and_scores_refuse_what_they_cannot_judge() {
    assert!(matches!(Windows::new(&[], 2, 1), Err(Error::Empty { .. })));
    assert!(matches!(Windows::new(&[0.0; 5], 2, 1), Err(Error::Ragged { width: 2, .. })));
    assert!(matches!(Windows::new(&[0.0; 4], 0, 1), Err(Error::Ragged { width: 0, .. })));
    assert!(matches!(Windows::new(&[0.0; 4], usize::MAX, 2), Err(Error::Ragged { .. })));
    assert!(matches!(Windows::new(&[0.0, f32::NAN], 2, 1), Err(Error::BadValue { index: 1, .. })));
    let (a, b, far) = (vec![0.0; 40], vec![0.0; 42], vec![9.0; 40]);
    let (a, b) = (Windows::new(&a, 4, 2).unwrap(), Windows::new(&b, 3, 2).unwrap());
    let far = Windows::new(&far, 4, 2).unwrap();
    let mut observe = |_| ControlFlow::Continue(());
    let config = JudgeConfig::tell_apart();
    let error = discriminative_score(a, b, config, 1, &mut observe).unwrap_err();
    assert_eq!(error, Error::Shapes { left: (4, 2), right: (3, 2) });
    let few = Windows::new(&[0.0; 8], 4, 2).unwrap();
    assert!(matches!(
        discriminative_score(a, few, config, 1, &mut observe),
        Err(Error::TooFew { found: 1, wanted: 5, .. })
    ));
    let none = JudgeConfig { batch: 0, ..config };
    assert!(matches!(
        discriminative_score(a, a, none, 1, &mut observe),
        Err(Error::OutOfRange { what: "batch", .. })
    ));
    assert!(matches!(
        predictive_score(far, a, config, 1, &mut observe),
        Err(Error::BadValue { value: 9.0, .. })
    ));
}
