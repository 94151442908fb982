//! Memory of series.

use mote_eval::{Error, autocorrelation, effective_sample_size, sliding_window};

use crate::golden::{cases, check_within, count, numbers};
use crate::sampling::Draw;

#[test]
fn sliding_window_equals_tsb_ad() {
    for case in cases(include_str!("../golden/window_length.json")) {
        let ours = sliding_window(&numbers(&case["series"])).unwrap();
        assert_eq!(ours, count(&case["window"]), "{}", case["name"]);
    }
}

#[test]
fn sliding_window_of_almost_nothing_is_the_fallback() {
    for samples in 1..8 {
        assert_eq!(sliding_window(&vec![1.0; samples]), Ok(125));
    }
    assert_eq!(sliding_window(&[]), Err(Error::Empty { what: "series" }));
}

#[test]
fn autocorrelation_of_a_known_series() {
    // Deviations −1, 1, −1, 1: energy 4, products −3, 2, −1.
    assert_eq!(autocorrelation(&[0.0, 2.0, 0.0, 2.0], 9), Ok(vec![1.0, -0.75, 0.5, -0.25]));
    assert_eq!(autocorrelation(&[5.0, 5.0], 1), Ok(vec![1.0, 0.0]));
    assert!(autocorrelation(&[f64::NAN], 1).is_err());
}

#[test]
fn effective_sample_size_of_an_autoregression() {
    // n (1 − a) / (1 + a) in theory.
    for (memory, share) in [(0.0, 1.0), (0.5, 1.0 / 3.0), (0.9, 1.0 / 19.0)] {
        let sizes = (0..20).map(|seed| {
            effective_sample_size(&Draw::new(seed).autoregressive(20_000, memory)).unwrap()
        });
        let mean = sizes.sum::<f64>() / 20.0 / 20_000.0;
        check_within("share", mean / share, 1.0, 0.1);
    }
    assert_eq!(effective_sample_size(&[1.0]), Ok(1.0));
}
