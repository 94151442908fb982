//! Thresholds for a wanted false alarm rate.

use mote_eval::extreme::{Fit, MIN_EXCESSES, Tail};
use mote_eval::{Error, median};

use crate::golden::{cases, check_within, count, number};
use crate::sampling::Draw;

/// Fresh samples on which a promised rate is measured.
const FRESH: usize = 1_000_000;

/// Fits `seeds` tails on `samples` scores each, asks for `rate`, and measures what comes.
///
/// The median over seeds must be within `centre` of the promise, and each seed within `each`, both
/// as factors.
#[track_caller]
fn check_rate(
    draw: impl Fn(&mut Draw) -> f64,
    samples: usize,
    (quantile, rate): (f64, f64),
    centre: f64,
    each: f64,
) {
    let mut source = Draw::new(1_000_003);
    let mut fresh: Vec<f64> = (0..FRESH).map(|_| draw(&mut source)).collect();
    fresh.sort_unstable_by(f64::total_cmp);
    let ratios: Vec<f64> = (0..25)
        .map(|seed| {
            let mut source = Draw::new(seed);
            let scores: Vec<f64> = (0..samples).map(|_| draw(&mut source)).collect();
            let tail = Tail::fit(&scores, quantile).unwrap();
            let threshold = tail.threshold(rate).unwrap();
            let above = FRESH - fresh.partition_point(|&s| s <= threshold);
            above as f64 / FRESH as f64 / rate
        })
        .collect();
    let middle = median(&ratios).unwrap();
    assert!(middle < centre && middle > 1.0 / centre, "median ratio {middle}, all {ratios:?}");
    for ratio in ratios {
        assert!(ratio < each && ratio > 1.0 / each, "ratio {ratio}");
    }
}

#[test]
fn promised_rate_is_measured_on_fresh_samples() {
    // 10,000 scores and the top 2 %: the rate is asked for ten-fold beyond what was seen often.
    check_rate(Draw::normal, 10_000, (0.98, 1e-3), 1.2, 2.0);
    check_rate(Draw::exponential, 10_000, (0.98, 1e-3), 1.2, 2.0);
    check_rate(|d| d.pareto(0.3), 10_000, (0.98, 1e-3), 1.2, 2.0);
    check_rate(|d| d.pareto(-0.3), 10_000, (0.98, 1e-3), 1.2, 2.0);
    // Tails without a variance, and without a mean.
    check_rate(|d| d.pareto(0.8), 10_000, (0.98, 1e-3), 1.2, 2.0);
    check_rate(|d| d.pareto(2.0), 10_000, (0.98, 1e-3), 1.2, 2.0);
    // Bounded scores, whose tail ends with shape −1.
    check_rate(Draw::uniform, 10_000, (0.98, 1e-3), 1.3, 2.5);
}

#[test]
fn promised_rate_is_near_where_no_score_has_been() {
    // 20,000 scores hold two at this rate.
    check_rate(Draw::normal, 20_000, (0.98, 1e-4), 1.5, 5.0);
    check_rate(Draw::exponential, 20_000, (0.98, 1e-4), 1.5, 5.0);
    check_rate(|d| d.pareto(0.3), 20_000, (0.98, 1e-4), 1.5, 5.0);
}

#[test]
fn hundred_scores_give_the_right_order_of_magnitude() {
    check_rate(Draw::normal, 100, (0.98, 1e-2), 2.0, 12.0);
    check_rate(Draw::exponential, 100, (0.98, 1e-2), 2.0, 12.0);
}

#[test]
fn likelihood_is_not_below_that_of_scipys_fit() {
    for case in cases(include_str!("../golden/pareto.json")) {
        let (n, shape) = (count(&case["excesses"]), number(&case["shape"]));
        // The same plotting positions as in `make_golden.py`, on top of as many zeros: then the
        // median is where the tail begins and the excesses are the values themselves.
        let excess = |i: usize| {
            let survival = 1.0 - (i as f64 + 0.5) / n as f64;
            if shape == 0.0 { -survival.ln() } else { (survival.powf(-shape) - 1.0) / shape }
        };
        let scores: Vec<f64> = std::iter::repeat_n(0.0, 2 * n).chain((0..n).map(excess)).collect();
        let tail = Tail::fit(&scores, 0.5).unwrap();
        assert_eq!((tail.initial_threshold, tail.excesses), (0.0, n));
        assert_eq!(tail.fit, Fit::MaximumLikelihood);
        let log_likelihood: f64 = (0..n)
            .map(|i| {
                let stretched = (tail.shape * excess(i) / tail.scale).ln_1p();
                -tail.scale.ln() - (1.0 + 1.0 / tail.shape) * stretched
            })
            .sum();
        let golden = number(&case["log_likelihood"]);
        assert!(log_likelihood >= golden - 1e-6, "{log_likelihood} < {golden}");
        check_within("shape", tail.shape, number(&case["fit_shape"]), 1e-3);
        check_within("scale", tail.scale, number(&case["fit_scale"]), 1e-3);
    }
}

#[test]
fn threshold_and_rate_are_inverse() {
    let mut draw = Draw::new(3);
    for shape in [-0.4, -0.1, 0.2, 0.8] {
        let scores: Vec<f64> = (0..2000).map(|_| draw.pareto(shape)).collect();
        let tail = Tail::fit(&scores, 0.9).unwrap();
        for rate in [0.1, 1e-2, 1e-4, 1e-8] {
            let back = tail.false_alarm_rate(tail.threshold(rate).unwrap()).unwrap();
            check_within("rate", back / rate, 1.0, 1e-6);
        }
    }
}

#[test]
fn few_excesses_lower_the_start_of_the_tail() {
    let scores: Vec<f64> = (0..100).map(f64::from).collect();
    let tail = Tail::fit(&scores, 0.98).unwrap();
    assert_eq!((tail.excesses, tail.initial_threshold), (MIN_EXCESSES, 89.0));
    assert_eq!(tail.fit, Fit::Exponential);
}

#[test]
fn tied_scores_still_have_a_tail() {
    // The top 30 % are one value, above it there is nothing.
    let scores: Vec<f64> = (0..100).map(|i| f64::from(i.min(70))).collect();
    let tail = Tail::fit(&scores, 0.98).unwrap();
    assert_eq!((tail.initial_threshold, tail.excesses), (69.0, 30));
    assert_eq!((tail.fit, tail.scale), (Fit::Exponential, 1.0));
    // A detector that says 0 or 1.
    let scores: Vec<f64> = (0..100).map(|i| f64::from(i % 20 / 19)).collect();
    let tail = Tail::fit(&scores, 0.98).unwrap();
    assert_eq!((tail.initial_threshold, tail.excesses), (0.0, 5));
    // Few distinct values.
    let mut draw = Draw::new(8);
    let scores: Vec<f64> = (0..5000).map(|_| draw.normal().round()).collect();
    assert!(Tail::fit(&scores, 0.98).unwrap().threshold(1e-3).unwrap() > 2.0);
}

#[test]
fn tail_that_ends_has_no_alarms_beyond_its_end() {
    let mut draw = Draw::new(4);
    let scores: Vec<f64> = (0..5000).map(|_| draw.uniform()).collect();
    let tail = Tail::fit(&scores, 0.9).unwrap();
    assert!(tail.shape < -0.5);
    assert_eq!(tail.fit, Fit::Endpoint);
    assert_eq!(tail.false_alarm_rate(2.0), Ok(0.0));
    assert!(tail.threshold(1e-12).unwrap() < 1.1);
}

#[test]
fn units_of_the_score_do_not_matter() {
    let mut draw = Draw::new(12);
    let scores: Vec<f64> = (0..3000).map(|_| draw.normal()).collect();
    let plain = Tail::fit(&scores, 0.95).unwrap().threshold(1e-4).unwrap();
    let scaled: Vec<f64> = scores.iter().map(|s| 1e9 * s - 5e9).collect();
    let scaled = Tail::fit(&scaled, 0.95).unwrap().threshold(1e-4).unwrap();
    check_within("threshold", (scaled + 5e9) / 1e9, plain, 1e-5);
}

#[test]
fn scores_without_a_tail_are_refused() {
    #[track_caller]
    fn check(scores: &[f64], quantile: f64, wanted: Error) {
        assert_eq!(Tail::fit(scores, quantile), Err(wanted));
    }
    check(&[1.0; 50], 0.9, Error::Constant { what: "scores", value: 1.0, count: 50 });
    check(&[1.0; 19], 0.9, Error::TooFew { what: "scores", found: 19, wanted: 20 });
    let wanted = "a fraction above 0 and below 1";
    check(&[], 1.0, Error::OutOfRange { what: "initial_quantile", value: 1.0, wanted });
    let mut scores = vec![0.0; 30];
    scores[7] = f64::INFINITY;
    assert!(matches!(Tail::fit(&scores, 0.9), Err(Error::BadValue { index: 7, .. })));
}

#[test]
fn rates_and_thresholds_outside_of_the_tail_are_refused() {
    let scores: Vec<f64> = (0..200).map(|i| f64::from(i).sqrt()).collect();
    let tail = Tail::fit(&scores, 0.9).unwrap();
    for rate in [0.0, -1.0, 0.2, f64::NAN] {
        assert!(matches!(tail.threshold(rate), Err(Error::OutOfRange { .. })), "{rate}");
    }
    for threshold in [0.0, f64::NAN] {
        assert!(tail.false_alarm_rate(threshold).is_err(), "{threshold}");
    }
    let start = tail.threshold(tail.rate()).unwrap();
    check_within("start", start, tail.initial_threshold, 1e-12);
}
