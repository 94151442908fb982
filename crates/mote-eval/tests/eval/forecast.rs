//! Scores and calibration of forecasts, against properscoring, scikit-learn and SciPy.

use mote_eval::{
    Error,
    forecast::{
        Conformal, Pit, PitShape, Spread, calibration_error, crps_normal, crps_quantiles,
        crps_samples, interval_quality, pinball, pit_normal, pit_samples, point_errors,
        quantile_calibration_error,
    },
};
use serde_json::Value;

use crate::golden::{cases, check_close, check_within, count, counts, number, numbers};
use crate::sampling::Draw;

#[test]
fn scores_equal_their_references() {
    for case in cases(include_str!("../golden/forecast.json")) {
        let of = |name: &str| numbers(&case[name]);
        let (truth, samples) = (of("truth"), of("samples"));
        let plain = crps_samples(&truth, &samples, Spread::Plain).unwrap();
        check_close("crps", plain, number(&case["crps"]));
        match &case["fair"] {
            Value::Null => {
                let error = crps_samples(&truth, &samples, Spread::Fair).unwrap_err();
                assert!(matches!(error, Error::TooFew { found: 1, .. }));
                let mae = point_errors(&truth, &samples).unwrap().mae;
                check_close("crps of one sample", plain, mae);
            }
            fair => {
                let ours = crps_samples(&truth, &samples, Spread::Fair).unwrap();
                check_close("fair crps", ours, number(fair));
            }
        }
        let normal = crps_normal(&truth, &of("mean"), &of("deviation")).unwrap();
        check_close("normal crps", normal, number(&case["normal"]));
        let pit = pit_normal(&truth, &of("mean"), &of("deviation")).unwrap();
        pit.iter().zip(of("pit_normal")).for_each(|(a, b)| check_close("normal pit", *a, b));

        let (levels, quantiles, losses) = (of("levels"), of("quantiles"), of("pinball"));
        for (i, level) in levels.iter().enumerate() {
            let column: Vec<f64> = quantiles.iter().skip(i).step_by(3).copied().collect();
            check_close("pinball", pinball(&truth, &column, *level).unwrap(), losses[i]);
        }
        let ours = crps_quantiles(&truth, &levels, &quantiles).unwrap();
        check_close("crps of quantiles", ours, 2.0 * losses.iter().sum::<f64>() / 3.0);
    }
}

#[test]
fn pit_histogram_equals_scipy() {
    for case in cases(include_str!("../golden/pit.json")) {
        let pit = Pit::of(&numbers(&case["values"]), count(&case["bins"])).unwrap();
        assert_eq!(pit.counts, counts(&case["counts"]));
        check_close("chi squared", pit.chi_squared, number(&case["chi_squared"]));
        check_close("p", pit.p, number(&case["p"]));
    }
}

#[test]
fn crps_of_many_samples_is_that_of_the_distribution() {
    let mut draw = Draw::new(4);
    let samples: Vec<f64> = (0..200_000).map(|_| draw.normal()).collect();
    let exact = crps_normal(&[0.7], &[0.0], &[1.0]).unwrap();
    check_within("samples", crps_samples(&[0.7], &samples, Spread::Fair).unwrap(), exact, 0.01);
}

/// Transforms of normal values under normal forecasts of another mean and deviation.
fn transforms(shift: f64, deviation: f64) -> Vec<f64> {
    let mut draw = Draw::new(6);
    let truth: Vec<f64> = (0..2000).map(|_| draw.normal()).collect();
    let samples: Vec<f64> = (0..2000 * 19).map(|_| shift + deviation * draw.normal()).collect();
    pit_samples(&truth, &samples, 1).unwrap()
}

#[test]
fn shape_says_what_is_wrong() {
    #[track_caller]
    fn check(shift: f64, deviation: f64, wanted: PitShape) {
        let values = transforms(shift, deviation);
        let pit = Pit::of(&values, 10).unwrap();
        assert_eq!(pit.shape, wanted, "{pit:?}");
        let error = quantile_calibration_error(&values).unwrap();
        assert_eq!(error < 0.02, wanted == PitShape::Flat, "{error}");
    }
    check(0.0, 1.0, PitShape::Flat);
    check(0.0, 0.5, PitShape::TooNarrow);
    check(0.0, 2.0, PitShape::TooWide);
    check(-0.7, 1.0, PitShape::TooLow);
    check(0.7, 1.0, PitShape::TooHigh);
}

#[test]
fn ties_do_not_bend_the_transform() {
    // Values and forecasts are coins.
    let mut draw = Draw::new(9);
    let mut coin = || f64::from(u8::from(draw.uniform() < 0.3));
    let truth: Vec<f64> = (0..3000).map(|_| coin()).collect();
    let samples: Vec<f64> = (0..3000 * 9).map(|_| coin()).collect();
    let values = pit_samples(&truth, &samples, 3).unwrap();
    assert_eq!(Pit::of(&values, 10).unwrap().shape, PitShape::Flat);
    assert_eq!(values, pit_samples(&truth, &samples, 3).unwrap());
}

#[test]
fn calibration_of_a_classifier() {
    let confidence = [0.9, 0.9, 0.9, 0.9, 0.6, 0.6, 1.0, 0.0];
    let correct = [true, true, true, false, true, false, true, false];
    let ours = calibration_error(&confidence, &correct, 10).unwrap();
    // Bins: 0.9 (¾ right), 0.6 (½ right), 1.0 and 0.0 as promised.
    check_close("expected", ours.expected, (4.0 * 0.15 + 2.0 * 0.1) / 8.0);
    check_close("largest", ours.largest, 0.15);
    assert_eq!(ours.bins.iter().map(|b| b.count).collect::<Vec<_>>(), [1, 2, 4, 1]);
}

#[test]
fn intervals_are_judged() {
    let ours = interval_quality(&[0.0, 1.0, 5.0, -3.0], &[-1.0; 4], &[1.0; 4], 0.8).unwrap();
    check_close("coverage", ours.coverage, 0.5);
    check_close("width", ours.mean_width, 2.0);
    check_close("score", ours.interval_score, 2.0 + 10.0 * (4.0 + 2.0) / 4.0);
    assert_eq!((ours.below, ours.above), (0.25, 0.25));
    let turned = interval_quality(&[0.0], &[1.0], &[-1.0], 0.8);
    assert!(matches!(turned, Err(Error::BadValue { what: "low", .. })));
}

#[test]
fn conformal_intervals_cover_as_promised() {
    // Errors whose size depends on x, and a model that knows nothing of that.
    let mut draw = Draw::new(12);
    let mut pair = |n: usize| -> (Vec<f64>, Vec<f64>) {
        (0..n)
            .map(|_| {
                let x = draw.uniform();
                (x + (0.1 + x) * draw.exponential(), x)
            })
            .unzip()
    };
    let (calibration, predicted) = pair(20_000);
    let (test, test_predicted) = pair(20_000);
    for confidence in [0.5, 0.8, 0.9, 0.95] {
        let points = Conformal::of_points(&calibration, &predicted, confidence).unwrap();
        let (low, high): (Vec<f64>, Vec<f64>) =
            test_predicted.iter().map(|p| points.around(*p)).unzip();
        let quality = interval_quality(&test, &low, &high, confidence).unwrap();
        check_within("points", quality.coverage, confidence, 0.01);

        // Quantile forecasts that are far too narrow, but know where errors are large.
        let narrow = |p: &Vec<f64>| -> (Vec<f64>, Vec<f64>) {
            p.iter().map(|x| (*x, x + 0.5 * (0.1 + x))).unzip()
        };
        let (low, high) = narrow(&predicted);
        let quantiles = Conformal::of_quantiles(&calibration, &low, &high, confidence).unwrap();
        let (low, high) = narrow(&test_predicted);
        let (low, high): (Vec<f64>, Vec<f64>) =
            low.iter().zip(&high).map(|(l, h)| quantiles.widen(*l, *h)).unzip();
        let quality = interval_quality(&test, &low, &high, confidence).unwrap();
        check_within("quantiles", quality.coverage, confidence, 0.01);
    }
}

#[test]
fn conformal_ranks_are_exact_and_few_scores_are_refused() {
    let scores: Vec<f64> = (1..=19).map(f64::from).collect();
    let margin = |confidence| Conformal::from_scores(&scores, confidence).unwrap().margin;
    assert_eq!((margin(0.5), margin(0.9), margin(0.95)), (10.0, 18.0, 19.0));
    let error = Conformal::from_scores(&scores, 0.99).unwrap_err();
    assert_eq!(error, Error::TooFew { what: "scores", found: 19, wanted: 99 });
    assert!(Conformal::from_scores(&scores[..18], 0.95).is_err());
    let shrinking = Conformal { margin: -2.0, confidence: 0.9, count: 10 };
    assert_eq!(shrinking.widen(0.0, 1.0), (0.5, 0.5));
    assert_eq!(shrinking.widen(0.0, 5.0), (2.0, 3.0));
}

#[test]
fn forecasts_refuse_what_they_cannot_judge() {
    let nan = [f64::NAN];
    assert!(matches!(point_errors(&[], &[]), Err(Error::Empty { .. })));
    assert!(matches!(point_errors(&[1.0], &nan), Err(Error::BadValue { .. })));
    assert!(matches!(
        crps_samples(&[1.0, 2.0], &[1.0; 3], Spread::Plain),
        Err(Error::Ragged { .. })
    ));
    assert!(matches!(crps_quantiles(&[1.0], &[0.5], &[1.0; 2]), Err(Error::Lengths { .. })));
    assert!(matches!(crps_quantiles(&[1.0], &[1.5], &[1.0]), Err(Error::OutOfRange { .. })));
    assert!(matches!(crps_normal(&[1.0], &[1.0], &[0.0]), Err(Error::BadValue { .. })));
    assert!(matches!(pinball(&[1.0], &[1.0], 0.0), Err(Error::OutOfRange { .. })));
    assert!(matches!(Pit::of(&[0.5; 10], 10), Err(Error::TooFew { .. })));
    assert!(matches!(Pit::of(&[1.5; 100], 10), Err(Error::BadValue { .. })));
    assert!(matches!(calibration_error(&[0.5], &[true, false], 5), Err(Error::Lengths { .. })));
    assert!(matches!(calibration_error(&nan, &[true], 5), Err(Error::BadValue { .. })));
}
