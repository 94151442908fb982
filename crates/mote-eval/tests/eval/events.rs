//! Confusion, event-wise counts, point adjustment and delays.

use mote_eval::Error;
use mote_eval::events::{
    Confusion, EventCounts, F1, detection_delays, event_counts, point_adjusted, point_f1, ranges,
};

use crate::golden::{cases, check_close, counts, labels, number, numbers, windows};

fn bits(text: &str) -> Vec<bool> {
    text.bytes().map(|b| b == b'1').collect()
}

#[test]
fn confusion_and_point_adjustment_equal_scikit_learn_and_tsb_ad() {
    #[track_caller]
    fn check(name: &str, ours: F1, golden: &[f64]) {
        check_close(name, ours.precision, golden[0]);
        check_close(name, ours.recall, golden[1]);
        check_close(name, ours.f1, golden[2]);
    }
    for case in cases(include_str!("../golden/ranking.json")) {
        let name = case["name"].as_str().unwrap();
        let scores = numbers(&case["scores"]);
        let labels = labels(scores.len(), &windows(&case["events"]));
        let above = number(&case["alarm_above"]);
        let alarms: Vec<bool> = scores.iter().map(|&score| score > above).collect();
        let ours = Confusion::of(&labels, &alarms).unwrap();
        let ours =
            [ours.true_positives, ours.false_positives, ours.false_negatives, ours.true_negatives];
        assert_eq!(ours.to_vec(), counts(&case["confusion"]), "{name}");
        let both = point_adjusted(&labels, &alarms).unwrap();
        check(name, both.raw, &numbers(&case["raw"]));
        check(name, both.adjusted, &numbers(&case["adjusted"]));
        assert_eq!(both.raw, point_f1(&labels, &alarms).unwrap());
    }
}

#[test]
fn ranges_are_the_runs_of_true() {
    #[track_caller]
    fn check(text: &str, wanted: &[std::ops::Range<usize>]) {
        assert_eq!(ranges(&bits(text)), wanted, "{text}");
    }
    check("", &[]);
    check("0000", &[]);
    check("1", &[0..1]);
    check("1111", &[0..4]);
    check("1001", &[0..1, 3..4]);
    check("0110100", &[1..3, 4..5]);
}

#[test]
fn events_are_counted_by_overlap() {
    #[track_caller]
    fn check(labels: &str, alarms: &str, wanted: [usize; 4], f1: f64) {
        let ours = event_counts(&bits(labels), &bits(alarms)).unwrap();
        let [true_events, detected_events, predicted_events, confirmed_events] = wanted;
        let wanted =
            EventCounts { true_events, detected_events, predicted_events, confirmed_events };
        assert_eq!(ours, wanted);
        check_close("f1", ours.f1(), f1);
    }
    check("0110011000", "0010000001", [2, 1, 2, 1], 0.5);
    // One alarm that spans both events confirms itself once and detects twice.
    check("0110011000", "0011110000", [2, 2, 1, 1], 1.0);
    // Two alarms in one event are two confirmed predictions.
    check("0111110000", "0100110000", [1, 1, 2, 2], 1.0);
    // Touching is not overlapping.
    check("0110000000", "0001100000", [1, 0, 1, 0], 0.0);
    check("0110000000", "0000000000", [1, 0, 0, 0], 0.0);
    check("0000", "0110", [0, 0, 1, 0], 0.0);
    check("", "", [0, 0, 0, 0], 0.0);
}

#[test]
fn event_counts_and_confusions_sum_over_files() {
    let files = [("0110", "0100"), ("1100", "0011"), ("0000", "1000")];
    let files: Vec<_> = files.iter().map(|(l, a)| (bits(l), bits(a))).collect();
    let events: EventCounts = files.iter().map(|(l, a)| event_counts(l, a).unwrap()).sum();
    assert_eq!((events.true_events, events.detected_events), (2, 1));
    assert_eq!((events.predicted_events, events.confirmed_events), (3, 1));

    let counts: Confusion = files.iter().map(|(l, a)| Confusion::of(l, a).unwrap()).sum();
    let wanted =
        Confusion { true_positives: 1, false_positives: 3, false_negatives: 3, true_negatives: 5 };
    assert_eq!(counts, wanted);
    // SKAB: F1 = TP / (TP + (FN + FP) / 2), FAR = FP / (FP + TN), MAR = FN / (FN + TP).
    check_close("f1", counts.f1().f1, 1.0 / (1.0 + 3.0));
    assert_eq!(counts.false_alarm_percent(), Some(37.5));
    assert_eq!(counts.missed_alarm_percent(), Some(75.0));
}

#[test]
fn rates_of_nothing_are_none() {
    let counts = Confusion::of(&bits("11"), &bits("10")).unwrap();
    assert_eq!(counts.false_alarm_percent(), None);
    let counts = Confusion::of(&bits("00"), &bits("10")).unwrap();
    assert_eq!(counts.missed_alarm_percent(), None);
    assert_eq!(counts.f1(), F1::default());
}

#[test]
fn delay_counts_from_the_start_of_the_event() {
    let delays = detection_delays(&bits("0111011101110"), &bits("1100000100000")).unwrap();
    let samples: Vec<_> = delays.iter().map(|delay| delay.samples).collect();
    assert_eq!(samples, [Some(0), Some(2), None]);
    assert_eq!((delays[1].start, delays[1].end), (5, 8));
}

#[test]
fn lengths_that_differ_are_refused() {
    let wanted = Error::Lengths { left: "labels", left_len: 1, right: "alarms", right_len: 2 };
    let (l, a) = ([true], [true, false]);
    assert_eq!(Confusion::of(&l, &a), Err(wanted.clone()));
    assert_eq!(event_counts(&l, &a), Err(wanted.clone()));
    assert_eq!(point_adjusted(&l, &a), Err(wanted.clone()));
    assert_eq!(detection_delays(&l, &a), Err(wanted));
}
