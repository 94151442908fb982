//! Modes and tails of samples whose answer is known.

use mote_eval::{
    Error, Windows,
    generation::{Modes, tail_coverage},
};

use crate::golden::check_within;
use crate::sampling::Draw;

fn grid_samples(modes: usize, per_mode: usize, deviation: f64) -> Vec<f32> {
    let mut draw = Draw::new(3);
    let mut samples = Vec::new();
    for i in 0..modes * per_mode {
        let mode = i % modes;
        for k in [mode / 5, mode % 5] {
            samples.push((2.0 * k as f64 - 4.0 + deviation * draw.normal()) as f32);
        }
    }
    samples
}

#[test]
fn modes_of_the_grid_are_counted() {
    #[track_caller]
    fn check(modes: usize, deviation: f64, found: usize, quality: f64, divergence: f64) {
        let samples = grid_samples(modes, 400, deviation);
        let samples = Windows::points(&samples, 2).unwrap();
        let ours = Modes::grid_of_25().coverage(samples).unwrap();
        assert_eq!((ours.found, ours.modes), (found, 25));
        check_within("high quality", ours.high_quality, quality, 0.01);
        check_within("divergence", ours.divergence.unwrap(), divergence, 0.01);
    }
    // Within three deviations of a plane: 1 − exp(−9/2).
    check(25, 0.05, 25, 1.0 - (-4.5f64).exp(), 0.0);
    check(5, 0.05, 5, 1.0 - (-4.5f64).exp(), 5.0f64.ln());
    check(1, 0.05, 1, 1.0 - (-4.5f64).exp(), 25.0f64.ln());
    check(25, 0.15, 25, 1.0 - (-0.5f64).exp(), 0.0);
}

#[test]
fn modes_refuse_what_they_cannot_count() {
    assert!(matches!(Modes::new(vec![1.0; 3], 2, 1.0), Err(Error::Ragged { .. })));
    assert!(matches!(Modes::new(vec![1.0; 4], 2, 0.0), Err(Error::OutOfRange { .. })));
    let wide = Windows::points(&[1.0, 2.0, 3.0], 3).unwrap();
    assert!(matches!(Modes::grid_of_25().coverage(wide), Err(Error::Shapes { .. })));
    let far = Windows::points(&[9.0, 9.0], 2).unwrap();
    let ours = Modes::grid_of_25().coverage(far).unwrap();
    assert_eq!((ours.found, ours.high_quality, ours.divergence), (0, 0.0, None));
}

#[test]
fn lost_tails_are_noticed() {
    let mut draw = Draw::new(8);
    let real: Vec<f32> = (0..40_000).map(|_| draw.normal() as f32).collect();
    let again: Vec<f32> = (0..40_000).map(|_| draw.normal() as f32).collect();
    let clipped: Vec<f32> = again.iter().map(|v| v.clamp(-2.0, 2.0)).collect();
    let wide: Vec<f32> = again.iter().map(|v| 2.0 * v).collect();
    let of = |data| Windows::new(data, 10, 2).unwrap();
    let recall = |data| tail_coverage(of(&real), of(data), 0.01).unwrap().recall.unwrap();
    assert!(recall(&again) > 0.85, "{}", recall(&again));
    assert_eq!(recall(&clipped), 0.0);
    assert_eq!(recall(&wide), 1.0);
    let ours = tail_coverage(of(&real), of(&wide), 0.01).unwrap();
    assert!(ours.features[0].low_ratio.unwrap() > 5.0 && ours.window_ratio.unwrap() > 2.0);
    let same = tail_coverage(of(&real), of(&real), 0.01).unwrap();
    assert_eq!((same.recall, same.window_ratio), (Some(1.0), Some(1.0)));
    let flat = [1.0f32; 20];
    assert_eq!(tail_coverage(of(&flat), of(&real), 0.1).unwrap().recall, None);
    assert!(matches!(tail_coverage(of(&flat), of(&flat), 0.7), Err(Error::OutOfRange { .. })));
}
