//! Rank tests with and without independence.

use mote_eval::rank::{
    Alternative, BlockBootstrap, Labelled, auroc_interval, mann_whitney, shift_test,
};
use mote_eval::{Error, auroc};

use crate::golden::{cases, check_close, number, numbers};
use crate::sampling::Draw;

#[test]
fn mann_whitney_equals_scipy() {
    for case in cases(include_str!("../golden/rank.json")) {
        let (first, second) = (numbers(&case["first"]), numbers(&case["second"]));
        for (name, alternative) in [
            ("two-sided", Alternative::TwoSided),
            ("less", Alternative::Less),
            ("greater", Alternative::Greater),
        ] {
            let ours = mann_whitney(&first, &second, alternative).unwrap();
            check_close(name, ours.u, number(&case["tests"][name][0]));
            check_close(name, ours.p, number(&case["tests"][name][1]));
            check_close(name, ours.auroc, ours.u / (first.len() * second.len()) as f64);
        }
    }
}

#[test]
fn samples_that_are_all_equal_show_nothing() {
    for alternative in [Alternative::TwoSided, Alternative::Less, Alternative::Greater] {
        let ours = mann_whitney(&[1.0; 5], &[1.0; 9], alternative).unwrap();
        assert_eq!((ours.p, ours.auroc), (1.0, 0.5));
    }
}

#[test]
fn mann_whitney_refuses_empty_and_nan() {
    let none = mann_whitney(&[], &[1.0], Alternative::Less);
    assert_eq!(none, Err(Error::Empty { what: "first" }));
    let nan = mann_whitney(&[1.0], &[f64::NAN], Alternative::Less);
    assert!(matches!(nan, Err(Error::BadValue { what: "second", index: 0, .. })));
}

/// Labels with an event of 30 samples at each multiple of 250.
fn labels(samples: usize) -> Vec<bool> {
    (0..samples).map(|i| i >= 100 && i % 250 < 30).collect()
}

/// How many of 200 series without any effect a test calls significant at 5 %.
fn false_discoveries(p: impl Fn(&[f64], &[bool], u64) -> f64) -> usize {
    let labels = labels(1000);
    (0..200)
        .filter(|&seed| {
            let scores = Draw::new(seed).autoregressive(1000, 0.95);
            p(&scores, &labels, seed) < 0.05
        })
        .count()
}

#[test]
fn shift_test_keeps_its_level_where_the_textbook_test_does_not() {
    let honest = false_discoveries(|scores, labels, seed| {
        let series = [Labelled { scores, labels }];
        shift_test(&series, Alternative::TwoSided, 199, seed).unwrap().p
    });
    let textbook = false_discoveries(|scores, labels, _| {
        let pick = |wanted: bool| -> Vec<f64> {
            scores.iter().zip(labels).filter(|(_, l)| **l == wanted).map(|(s, _)| *s).collect()
        };
        mann_whitney(&pick(true), &pick(false), Alternative::TwoSided).unwrap().p
    });
    // 5 % of 200 is 10, with a standard deviation of 3.
    assert!(honest <= 22, "{honest} of 200");
    assert!(textbook >= 80, "{textbook} of 200");
}

#[test]
fn shift_test_finds_a_real_difference_in_its_direction() {
    let labels = labels(2000);
    for seed in 0..10 {
        let mut scores = Draw::new(seed).autoregressive(2000, 0.8);
        scores.iter_mut().zip(&labels).for_each(|(s, &l)| *s -= if l { 2.0 } else { 0.0 });
        let series = [Labelled { scores: &scores, labels: &labels }];
        let less = shift_test(&series, Alternative::Less, 499, seed).unwrap();
        check_close("auroc", less.auroc, auroc(&scores, &labels).unwrap());
        assert!(less.p < 0.02, "seed {seed}: p = {}", less.p);
        assert!(shift_test(&series, Alternative::Greater, 499, seed).unwrap().p > 0.9);
        assert!(shift_test(&series, Alternative::TwoSided, 499, seed).unwrap().p < 0.04);
        assert_eq!(less, shift_test(&series, Alternative::Less, 499, seed).unwrap());
    }
}

#[test]
fn shift_test_pools_series_with_and_without_events() {
    let (a, b) = (Draw::new(1).autoregressive(400, 0.5), Draw::new(2).autoregressive(300, 0.5));
    let (la, lb) = (labels(400), vec![false; 300]);
    let series = [Labelled { scores: &a, labels: &la }, Labelled { scores: &b, labels: &lb }];
    let ours = shift_test(&series, Alternative::TwoSided, 99, 3).unwrap();
    let scores: Vec<f64> = a.iter().chain(&b).copied().collect();
    let labels: Vec<bool> = la.iter().chain(&lb).copied().collect();
    check_close("auroc", ours.auroc, auroc(&scores, &labels).unwrap());
    assert!(ours.p >= 0.01);
}

#[test]
fn bootstrap_interval_covers_the_true_auroc() {
    // Normal N(0, 1) against N(1, 1): the AUROC is Φ(1 / √2).
    let truth = 0.760_249_939;
    let labels = labels(3000);
    let covered = (0..100)
        .filter(|&seed| {
            let mut scores = Draw::new(seed).autoregressive(3000, 0.9);
            scores.iter_mut().zip(&labels).for_each(|(s, &l)| *s += if l { 1.0 } else { 0.0 });
            let series = [Labelled { scores: &scores, labels: &labels }];
            let config = BlockBootstrap { resamples: 200, seed, ..BlockBootstrap::default() };
            let ours = auroc_interval(&series, config).unwrap();
            check_close("auroc", ours.auroc, auroc(&scores, &labels).unwrap());
            assert_eq!(ours.events, 11);
            assert!(ours.low <= ours.auroc && ours.auroc <= ours.high);
            ours.low <= truth && truth <= ours.high
        })
        .count();
    // With eleven events a percentile interval is a little too narrow, but not much.
    assert!((82..=100).contains(&covered), "{covered} of 100");
}

#[test]
fn interval_needs_two_events_and_two_blocks() {
    #[track_caller]
    fn check(labels: &[bool], wanted: Error) {
        let scores: Vec<f64> = (0..labels.len()).map(|i| i as f64).collect();
        let series = [Labelled { scores: &scores, labels }];
        let config = BlockBootstrap { block: 3, ..BlockBootstrap::default() };
        assert_eq!(auroc_interval(&series, config), Err(wanted));
    }
    check(&[false, false, true, true], Error::TooFew { what: "events", found: 1, wanted: 2 });
    check(&[true, false, true], Error::TooFew { what: "normal blocks", found: 1, wanted: 2 });
}

#[test]
fn resampling_is_bounded() {
    let series = [Labelled { scores: &[0.0, 1.0], labels: &[true, false] }];
    let none = shift_test(&series, Alternative::Less, 0, 0);
    assert_eq!(none, Err(Error::TooFew { what: "resamples", found: 0, wanted: 1 }));
    let many = shift_test(&series, Alternative::Less, 1_000_001, 0);
    let wanted = Error::TooMany { what: "resamples", found: 1_000_001, limit: 1_000_000 };
    assert_eq!(many, Err(wanted));
}
