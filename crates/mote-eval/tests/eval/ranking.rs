//! AUROC, AUPRC, curves and volumes.

use mote_eval::{
    Error, MAX_WINDOW, VolumeConfig, auroc, average_precision, best_f1, precision_recall_curve,
    roc_curve, thin, volume_under_surface,
};

use crate::golden::{cases, check_close, check_within, count, labels, number, numbers, windows};

/// Name, scores, labels and the golden values of each series.
fn series() -> Vec<(String, Vec<f64>, Vec<bool>, serde_json::Value)> {
    cases(include_str!("../golden/ranking.json"))
        .into_iter()
        .map(|case| {
            let scores = numbers(&case["scores"]);
            let labels = labels(scores.len(), &windows(&case["events"]));
            (case["name"].as_str().unwrap().to_owned(), scores, labels, case)
        })
        .collect()
}

#[test]
fn areas_equal_scikit_learn() {
    for (name, scores, labels, golden) in series() {
        check_close(&name, auroc(&scores, &labels).unwrap(), number(&golden["auroc"]));
        let ours = average_precision(&scores, &labels).unwrap();
        check_close(&name, ours, number(&golden["average_precision"]));
    }
}

#[test]
fn best_f1_equals_the_best_point_of_scikit_learns_curve() {
    for (name, scores, labels, golden) in series() {
        let ours = best_f1(&scores, &labels).unwrap();
        let ours = [ours.threshold, ours.precision, ours.recall, ours.f1];
        for (ours, golden) in ours.iter().zip(numbers(&golden["best_f1"])) {
            check_close(&name, *ours, golden);
        }
    }
}

#[test]
fn roc_has_the_points_of_scikit_learn() {
    for (name, scores, labels, golden) in series() {
        let points = roc_curve(&scores, &labels).unwrap();
        assert_eq!(points.len(), count(&golden["roc_points"]), "{name}");
        let middle = points[points.len() / 2];
        check_close(&name, middle.threshold, number(&golden["roc_middle"][0]));
        check_close(&name, middle.false_positive_rate, number(&golden["roc_middle"][1]));
        check_close(&name, middle.true_positive_rate, number(&golden["roc_middle"][2]));
        let last = points[points.len() - 1];
        assert_eq!((last.false_positive_rate, last.true_positive_rate), (1.0, 1.0));
    }
}

#[test]
fn volumes_equal_tsb_ad() {
    for (name, scores, labels, golden) in series() {
        for golden in golden["volumes"].as_array().unwrap() {
            let window = count(&golden["window"]);
            let config = VolumeConfig { window, thresholds: count(&golden["thresholds"]) };
            let ours = volume_under_surface(&scores, &labels, config).unwrap();
            let name = format!("{name}, window {window}");
            check_close(&name, ours.vus_roc, number(&golden["vus_roc"]));
            check_close(&name, ours.vus_pr, number(&golden["vus_pr"]));
            check_close(&name, ours.range_auc_roc, number(&golden["range_auc_roc"]));
            check_close(&name, ours.range_auc_pr, number(&golden["range_auc_pr"]));
        }
    }
}

#[test]
fn precision_recall_area_is_the_average_precision() {
    for (name, scores, labels, _) in series() {
        let points = precision_recall_curve(&scores, &labels).unwrap();
        let mut recall = 0.0;
        let mut area = 0.0;
        for point in &points {
            area += (point.recall - recall) * point.precision;
            recall = point.recall;
        }
        check_within(&name, area, average_precision(&scores, &labels).unwrap(), 1e-12);
    }
}

#[test]
fn infinite_scores_have_a_rank() {
    let scores = [f64::NEG_INFINITY, 0.0, 1.0, f64::INFINITY];
    assert_eq!(auroc(&scores, &[false, false, true, true]), Ok(1.0));
}

#[test]
fn negative_zero_ties_with_zero() {
    assert_eq!(auroc(&[0.0, -0.0], &[true, false]), Ok(0.5));
}

#[test]
fn every_ranking_metric_refuses_the_same_input() {
    #[track_caller]
    fn check(scores: &[f64], labels: &[bool], wanted: &Error) {
        assert_eq!(auroc(scores, labels).unwrap_err().to_string(), wanted.to_string());
        let others = [
            average_precision(scores, labels).map(drop),
            best_f1(scores, labels).map(drop),
            roc_curve(scores, labels).map(drop),
            precision_recall_curve(scores, labels).map(drop),
            volume_under_surface(scores, labels, VolumeConfig::default()).map(drop),
        ];
        for other in others {
            assert_eq!(other.unwrap_err().to_string(), wanted.to_string());
        }
    }
    check(&[], &[], &Error::Empty { what: "scores" });
    check(
        &[1.0],
        &[],
        &Error::Lengths { left: "scores", left_len: 1, right: "labels", right_len: 0 },
    );
    check(
        &[1.0, f64::NAN],
        &[true, false],
        &Error::BadValue {
            what: "scores",
            index: 1,
            value: f64::NAN,
            wanted: "a number or an infinity",
        },
    );
    check(&[1.0], &[true], &Error::OneClass { positives: 1, negatives: 0 });
    check(&[1.0, 2.0], &[false, false], &Error::OneClass { positives: 0, negatives: 2 });
}

#[test]
fn volume_refuses_settings_beyond_its_limits() {
    #[track_caller]
    fn check(window: usize, thresholds: usize, wanted: Error) {
        let config = VolumeConfig { window, thresholds };
        assert_eq!(volume_under_surface(&[0.0, 1.0], &[false, true], config), Err(wanted));
    }
    check(0, 1, Error::TooFew { what: "thresholds", found: 1, wanted: 2 });
    check(
        MAX_WINDOW + 1,
        250,
        Error::TooMany { what: "samples of window", found: MAX_WINDOW + 1, limit: MAX_WINDOW },
    );
}

#[test]
fn volume_of_fifty_thousand_samples_takes_well_under_seconds() {
    let labels: Vec<bool> = (0..50_000).map(|i| i % 500 < 20).collect();
    let scores: Vec<f64> = (0..50_000).map(|i| f64::from(i * 7919 % 100_003)).collect();
    let before = std::time::Instant::now();
    volume_under_surface(&scores, &labels, VolumeConfig::default()).unwrap();
    assert!(before.elapsed().as_secs_f64() < 5.0, "took {:?}", before.elapsed());
}

#[test]
fn thinning_keeps_the_ends() {
    let points: Vec<usize> = (0..1000).collect();
    assert_eq!(thin(&points, 4), Ok(vec![0, 333, 666, 999]));
    assert_eq!(thin(&points[..3], 4), Ok(vec![0, 1, 2]));
    assert_eq!(
        thin(&points, 1),
        Err(Error::TooFew { what: "points to keep", found: 1, wanted: 2 })
    );
}
