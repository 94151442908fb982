//! Series to windows: split, scaling, and what is left out.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use mote_data::{
    ErrorKind, Record, Runs, Scaling, Series, Timestamp, Windows,
    align::{Pace, Rules},
    scaling::Method,
    split::{Anomalies, Split, Train, split},
    windows::Cut,
};
use mote_format::{Column, Kind, Schema};

fn schema() -> Schema {
    let columns = vec![Column { name: "x".into(), kind: Kind::Numeric }];
    Schema { columns, period_s: Some(1.0) }
}

/// A run of numbers at these seconds.
fn series(rows: impl IntoIterator<Item = (i64, f32)>) -> Series {
    let rules = Rules::new(Pace::Steps { period_ns: 1_000_000_000 });
    let record = |(s, x)| Record::new(Some(Timestamp(s * 1_000_000_000)), vec![x]);
    let records = rows.into_iter().map(record).collect();
    Series::from_records("run.csv", &schema(), rules, records).unwrap()
}

fn runs(series: Vec<Series>) -> Runs {
    Runs::new(schema(), series).unwrap()
}

fn counting(n: i64) -> Series {
    series((0..n).map(|i| (i, i as f32)))
}

/// The first values of all windows.
#[track_caller]
fn check(runs: &Runs, cut: Cut, wanted: &[(usize, usize)], left_out: usize) {
    let windows = Windows::new(runs, cut).unwrap_or_else(|e| panic!("{e}"));
    let found: Vec<(usize, usize)> =
        (0..windows.len()).map(|i| windows.get(i)).map(|w| (w.run, w.start)).collect();
    assert_eq!(found, wanted);
    assert_eq!(windows.left_out(), left_out);
}

#[test]
fn windows_cover_every_sample_within_their_segment() {
    let one = runs(vec![counting(5)]);
    check(&one, Cut::new(3), &[(0, 0), (0, 1), (0, 2)], 0);
    check(&one, Cut { stride: 2, ..Cut::new(3) }, &[(0, 0), (0, 2)], 0);
    check(&one, Cut { stride: 3, ..Cut::new(3) }, &[(0, 0), (0, 2)], 0);
    check(&one, Cut { horizon: 2, ..Cut::new(3) }, &[(0, 0)], 0);
    check(&one, Cut::new(5), &[(0, 0)], 0);
    let broken = series([(0, 1.0), (1, 2.0), (100, 3.0), (101, 4.0), (102, 5.0)]);
    let two = runs(vec![broken, counting(2)]);
    check(&two, Cut::new(2), &[(0, 0), (0, 2), (0, 3), (1, 0)], 0);
}

#[test]
fn windows_of_gaps_are_left_out() {
    // Samples 1, -, -, -, 2, 3: the windows of 3 miss 2, 3, 2 and 1 values.
    let gappy = runs(vec![series([(0, 1.0), (4, 2.0), (5, 3.0)])]);
    check(&gappy, Cut::new(3), &[(0, 3)], 3);
    check(&gappy, Cut { missing_max: 1.0, ..Cut::new(3) }, &[(0, 0), (0, 1), (0, 2), (0, 3)], 0);
}

#[test]
fn short_runs_say_what_was_wanted_and_found() {
    let error = Windows::new(&runs(vec![counting(4)]), Cut::new(10)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooFewRows);
    let wanted = "run.csv: wanted 10 rows without a break for a window, found at most 4";
    assert_eq!(error.to_string(), wanted);
    let four = runs(vec![counting(4)]);
    let error = Windows::new(&four, Cut { stride: 0, ..Cut::new(2) }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Settings);
    assert!(Windows::new(&four, Cut::new(usize::MAX)).is_err());
}

#[test]
fn batches_hold_every_window_once_in_a_repeatable_order() {
    let runs = runs(vec![counting(100)]);
    let windows = Windows::new(&runs, Cut::new(1)).unwrap();
    let batches = windows.batches(32, 7);
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [32, 32, 32, 4]);
    let mut all: Vec<usize> = batches.concat();
    assert_ne!(all, (0..100).collect::<Vec<_>>());
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
    assert_eq!(batches, windows.batches(32, 7));
    assert_ne!(batches, windows.batches(32, 8));
    let (mut values, mut mask) = (vec![9.0; 3], Vec::new());
    windows.fill(&[5, 3], &mut values, &mut mask);
    assert_eq!((values, mask), (vec![5.0, 3.0], vec![1.0, 1.0]));
}

#[test]
fn parts_follow_each_other_and_keep_the_way_to_the_rows() {
    let how = Split { train: Train::Rows(6), validation: 0.5, ..Split::default() };
    let parts = split(&runs(vec![counting(10), counting(8)]), &how).unwrap();
    let values = |runs: &Runs, i: usize| runs.series()[i].values().to_vec();
    assert_eq!(values(&parts.train, 0), [0.0, 1.0, 2.0]);
    assert_eq!(values(&parts.validation.unwrap(), 1), [3.0, 4.0, 5.0]);
    let test = parts.test.unwrap();
    assert_eq!(values(&test, 1), [6.0, 7.0]);
    let rows = test.series()[0].to_rows(&[60.0, 70.0, 80.0, 90.0]);
    assert_eq!(rows[..6], [None; 6]);
    assert_eq!(rows[6..], [Some(60.0), Some(70.0), Some(80.0), Some(90.0)]);

    let parts = split(&runs(vec![counting(10)]), &Split::default()).unwrap();
    assert_eq!((parts.train.samples(), parts.validation.unwrap().samples()), (8, 2));
    assert!(parts.test.is_none());
}

#[test]
fn rows_are_counted_in_the_file_and_not_in_its_filled_samples() {
    let gappy = series([(0, 0.0), (3, 3.0), (4, 4.0), (5, 5.0)]);
    let how = Split { train: Train::Rows(2), validation: 0.0, ..Split::default() };
    let parts = split(&runs(vec![gappy]), &how).unwrap();
    assert_eq!(parts.train.samples(), 4, "two rows and two filled samples between them");
    assert_eq!(parts.test.unwrap().series()[0].values(), [4.0, 5.0]);
}

#[test]
fn of_many_short_runs_whole_ones_are_held_out() {
    let short = |count: usize| runs((0..count as i64).map(|i| counting(24 + i % 3)).collect());
    let parts = split(&short(50), &Split::default()).unwrap();
    let held = parts.validation.unwrap();
    assert_eq!((parts.train.series().len(), held.series().len()), (40, 10));
    assert!(parts.train.series().iter().chain(held.series()).all(|s| s.len() >= 24));
    assert!(
        split(&short(50), &Split { validation: 0.0, ..Split::default() })
            .unwrap()
            .validation
            .is_none()
    );

    // Few, or long ones, are divided one by one.
    assert_eq!(
        split(&short(19), &Split::default()).unwrap().validation.unwrap().series().len(),
        19
    );
    let long = runs((0..50).map(|_| counting(400)).collect());
    let held = split(&long, &Split::default()).unwrap().validation.unwrap();
    assert_eq!((held.series().len(), held.samples()), (50, 50 * 80));
}

#[test]
fn refuses_splits_that_leave_nothing() {
    let run = runs(vec![counting(10)]);
    for (train, validation, kind) in [
        (Train::Rows(11), 0.2, ErrorKind::TooFewRows),
        (Train::Rows(0), 0.2, ErrorKind::TooFewRows),
        (Train::Fraction(0.0), 0.2, ErrorKind::Settings),
        (Train::Fraction(1.1), 0.2, ErrorKind::Settings),
        (Train::Fraction(f64::NAN), 0.2, ErrorKind::Settings),
        (Train::All, 1.0, ErrorKind::Settings),
        (Train::All, -0.1, ErrorKind::Settings),
    ] {
        let how = Split { train, validation, ..Split::default() };
        assert_eq!(split(&run, &how).unwrap_err().kind(), kind, "{how:?}");
    }
}

#[test]
fn anomalies_are_cut_out_of_training_only() {
    let rules = Rules::new(Pace::Rows);
    let records = (0..8)
        .map(|i| Record { time: None, values: vec![i as f32], label: Some(i == 2 || i == 6) })
        .collect();
    let series = Series::from_records("r", &schema(), rules, records).unwrap();
    let how = Split { train: Train::Rows(5), validation: 0.0, anomalies: Anomalies::CutOut };
    let parts = split(&runs(vec![series]), &how).unwrap();
    let train = &parts.train.series()[0];
    assert_eq!(train.values(), [0.0, 1.0, 3.0, 4.0]);
    assert_eq!(train.segments().collect::<Vec<_>>(), [0..2, 2..4]);
    assert_eq!(train.sample_of_row()[..5], [Some(0), Some(1), None, Some(2), Some(3)]);
    assert_eq!(parts.test.unwrap().series()[0].values(), [5.0, 6.0, 7.0]);
}

#[track_caller]
fn check_scaling(values: &[f32], method: Method, mean: f32, scale: f32) {
    let run = series((0..).zip(values.iter().copied()));
    let found = Scaling::fit(&runs(vec![run]), method);
    let near = |a: f32, b: f32| (a - b).abs() <= 1e-6 * b.abs();
    assert!(near(found.mean[0], mean) && near(found.scale[0], scale), "{found:?}");
}

#[test]
fn scaling_has_mean_and_deviation_or_median_and_width() {
    // Mean 5, population deviation 2: a textbook example.
    let book = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
    check_scaling(&book, Method::Standard, 5.0, 2.0);
    // Quartiles 4 and 5.5, median 4.5.
    check_scaling(&book, Method::Robust, 4.5, 1.5 / 1.348_979_5);
    check_scaling(&[1.0, f32::NAN, 3.0], Method::Standard, 2.0, 1.0);
}

#[test]
fn scaling_does_not_blow_up_what_stands_still() {
    check_scaling(&[0.1; 9], Method::Standard, 0.1, 1.0);
    check_scaling(&[f32::NAN; 3], Method::Standard, 0.0, 1.0);
    // One step of a float at 1e6 is 0.06: noise of rounding.
    check_scaling(&[1e6, 1e6 + 0.0625], Method::Standard, 1e6, 1.0);
    // A feature that moves rarely has no middle half.
    check_scaling(&[0.0, 0.0, 0.0, 0.0, 4.0], Method::Robust, 0.0, 1.6);
}

#[test]
fn scaling_undoes_itself_and_leaves_missing_values_at_zero() {
    let gappy = runs(vec![series([(0, 10.0), (2, 30.0), (3, 20.0)])]);
    let scaling = Scaling::fit(&gappy, Method::Standard);
    let scaled = gappy.scaled(&scaling);
    let one = &scaled.series()[0];
    assert_eq!(one.values()[1], 0.0);
    assert!((one.values().iter().sum::<f32>()).abs() < 1e-6, "mean 0");
    let mut back = one.values().to_vec();
    scaling.invert(&mut back, one.mask());
    for (found, wanted) in back.iter().zip(gappy.series()[0].values()) {
        assert!((found - wanted).abs() < 1e-5);
    }
}

#[test]
fn words_are_not_scaled() {
    let levels = vec!["a".into(), "b".into()];
    let columns = vec![Column { name: "m".into(), kind: Kind::Categorical { levels } }];
    let schema = Schema { columns, period_s: None };
    let records = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]];
    let records = records.map(|v| Record::new(None, v.to_vec())).to_vec();
    let series = Series::from_records("m", &schema, Rules::new(Pace::Rows), records).unwrap();
    let scaling = Scaling::fit(&Runs::new(schema, vec![series]).unwrap(), Method::Standard);
    assert_eq!(scaling, Scaling { mean: vec![0.0; 2], scale: vec![1.0; 2] });
}
