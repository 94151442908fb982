//! The NAB score and SKAB's variant for change points.

use mote_eval::Error;
use mote_eval::events::Confusion;
use mote_eval::nab::{
    ChangePointSeries, Profile, Score, Series, change_point_score, optimize, probation, row_values,
    score,
};
use serde_json::Value;

use crate::golden::{cases, check_close, count, counts, number, numbers, windows};

#[track_caller]
fn check_score(name: &str, ours: &Score, golden: &Value) {
    check_close(name, ours.raw, number(&golden["raw"]));
    check_close(name, ours.normalized, number(&golden["normalized"]));
    let Confusion { true_positives, false_positives, false_negatives, true_negatives } =
        ours.confusion;
    let ours = [true_positives, false_positives, false_negatives, true_negatives];
    assert_eq!(ours.to_vec(), counts(&golden["confusion"]), "{name}");
}

#[test]
fn scores_equal_numenta_nab() {
    for case in cases(include_str!("../golden/nab.json")) {
        let files: Vec<_> = case["files"].as_array().unwrap().iter().map(file).collect();
        let corpus: Vec<Series<'_>> =
            files.iter().map(|(scores, windows)| Series { scores, windows }).collect();
        for golden in case["expected"].as_array().unwrap() {
            let name = format!("{} {}", case["name"], golden["profile"]);
            let profile = match golden["profile"].as_str().unwrap() {
                "standard" => Profile::STANDARD,
                "reward_low_FP_rate" => Profile::REWARD_LOW_FP_RATE,
                "reward_low_FN_rate" => Profile::REWARD_LOW_FN_RATE,
                other => panic!("no profile `{other}`"),
            };
            for at in golden["at"].as_array().unwrap() {
                let ours = score(&corpus, profile, number(&at["threshold"])).unwrap();
                check_score(&name, &ours, at);
                check_close(&name, ours.null, number(&golden["null"]));
                check_close(&name, ours.perfect, number(&golden["perfect"]));
            }
            let best = optimize(&corpus, profile).unwrap();
            check_score(&name, &best, &golden["best"]);
            match number(&golden["best"]["threshold"]) {
                1.1 => assert_eq!(best.threshold, f64::INFINITY),
                threshold => check_close(&name, best.threshold, threshold),
            }
            let values = row_values(corpus[0], profile).unwrap();
            let step = values.len() / 20;
            let sampled: Vec<f64> = values.iter().copied().step_by(step).collect();
            let wanted = numbers(&golden["row_values"]);
            assert_eq!(sampled.len(), wanted.len());
            for (ours, wanted) in sampled.iter().zip(wanted) {
                check_close(&name, *ours, wanted);
            }
        }
    }
}

/// The scores of a golden file, by the formula of `make_golden.py`.
fn file(case: &Value) -> (Vec<f64>, Vec<std::ops::Range<usize>>) {
    let (rows, modulus, lift) = (count(&case[0]), count(&case[1]), number(&case[2]));
    let windows = windows(&case[3]);
    let mut scores: Vec<f64> =
        (0..rows).map(|i| (i * 7919 % modulus) as f64 / modulus as f64).collect();
    for window in &windows {
        scores[window.clone()].iter_mut().for_each(|s| *s = (*s + lift).min(1.0));
    }
    (scores, windows)
}

#[test]
fn perfect_detector_scores_one_hundred_and_silence_zero() {
    let windows = [200..220, 300..301];
    let mut scores = vec![0.0; 400];
    scores[200] = 1.0;
    scores[300] = 1.0;
    let corpus = [Series { scores: &scores, windows: &windows }];
    for profile in [Profile::STANDARD, Profile::REWARD_LOW_FP_RATE, Profile::REWARD_LOW_FN_RATE] {
        check_close("perfect", score(&corpus, profile, 0.5).unwrap().normalized, 100.0);
        check_close("silent", score(&corpus, profile, 2.0).unwrap().normalized, 0.0);
    }
}

#[test]
fn alarm_after_a_window_of_one_row_costs_the_full_weight() {
    let values =
        row_values(Series { scores: &[0.0; 4], windows: &[1..2] }, Profile::STANDARD).unwrap();
    assert_eq!(values, [-0.11, 1.0, -0.11, -0.11]);
}

#[test]
fn probation_is_fifteen_percent_and_at_most_750_rows() {
    let rows = [0, 6, 7, 100, 1000, 4999, 5000, 20_000];
    assert_eq!(rows.map(probation), [0, 0, 1, 15, 150, 749, 750, 750]);
}

#[test]
fn windows_that_overlap_or_leave_the_file_are_refused() {
    #[track_caller]
    fn check(windows: &[std::ops::Range<usize>], index: usize) {
        let corpus = [Series { scores: &[0.0; 10], windows }];
        let (start, end) = (windows[index].start, windows[index].end);
        let wanted = Error::BadWindow { index, start, end, rows: 10 };
        assert_eq!(score(&corpus, Profile::STANDARD, 0.5), Err(wanted));
    }
    check(&[3..3], 0);
    check(&[3..11], 0);
    check(&[3..6, 5..8], 1);
    check(&[6..8, 2..3], 1);
}

#[test]
fn corpus_without_windows_cannot_be_normalized() {
    let corpus = [Series { scores: &[0.0; 10], windows: &[] }];
    let wanted = Error::TooFew { what: "labelled windows", found: 0, wanted: 1 };
    assert_eq!(optimize(&corpus, Profile::STANDARD), Err(wanted));
    assert_eq!(optimize(&[], Profile::STANDARD), Err(Error::Empty { what: "corpus" }));
}

#[test]
fn change_point_scores_equal_skab() {
    for case in cases(include_str!("../golden/change_points.json")) {
        let name = case["name"].as_str().unwrap();
        let samples = count(&case["samples"]);
        let step_s = number(&case["step_s"]);
        let times_s: Vec<f64> = (0..samples).map(|i| i as f64 * step_s).collect();
        let marks = |at: &Value| -> Vec<bool> {
            let at = counts(at);
            (0..samples).map(|i| at.contains(&i)).collect()
        };
        let all = |key: &str| -> Vec<Vec<bool>> {
            case[key].as_array().unwrap().iter().map(marks).collect()
        };
        let (truth, predicted) = (all("truth"), all("predicted"));
        let corpus: Vec<_> = truth
            .iter()
            .zip(&predicted)
            .map(|(truth, predicted)| ChangePointSeries { times_s: &times_s, truth, predicted })
            .collect();
        let ours = change_point_score(&corpus, 60.0).unwrap();
        let golden = numbers(&case["scores"]);
        for (ours, golden) in [ours.standard, ours.low_fp, ours.low_fn].iter().zip(golden) {
            check_close(name, *ours, golden);
        }
    }
}

#[test]
fn change_points_refuse_bad_times_and_windows() {
    #[track_caller]
    fn check(times_s: &[f64], truth: &[bool], window_s: f64, wanted: &str) {
        let corpus = [ChangePointSeries { times_s, truth, predicted: &[true, false] }];
        let error = change_point_score(&corpus, window_s).unwrap_err();
        assert_eq!(error.to_string(), wanted);
    }
    let truth = &[true, false];
    check(&[0.0, 1.0], truth, 0.0, "`window_s` is `0`; wanted a positive number of seconds");
    check(&[0.0, 1.0], truth, f64::NAN, "`window_s` is `NaN`; wanted a positive number of seconds");
    let wanted = "`times_s[1]` is `1`; wanted a time not before the one ahead of it";
    check(&[2.0, 1.0], truth, 60.0, wanted);
    check(&[0.0, 1.0], &[false; 2], 60.0, "found 0 change points; wanted at least 1");
}
