//! The detector on series that are short enough to follow by hand.

use allocation_counter::measure;
use mote_format::{
    Column, Kind, Manifest, Model, Op, Schema, Verified,
    manifest::{self, Density, Lineage, Window},
    program::{Binary, Reduction, Unary},
};
use mote_runtime::{Detector, Event, Reason, Sample, Scored, Step, UNDEFINED};

use crate::draft::Draft;

/// A model without weights: the negative log-likelihood of a value is its square.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) length: usize,
    pub(crate) tail: usize,
    pub(crate) features: usize,
    /// Whether there is a `kl`: the largest sum over the window among the features.
    pub(crate) kl: bool,
    /// Where alarms begin; without it there is no detector in the file.
    pub(crate) threshold: Option<f64>,
    pub(crate) tracking: Option<manifest::Tracking>,
    pub(crate) typical: Option<manifest::Typical>,
}

/// `nll = x² · mask`.
fn program(setup: &Setup) -> Verified {
    let mut draft = Draft::new("score");
    let shape = [setup.length, setup.features];
    let (x, mask) = (draft.input("x", &shape), draft.input("mask", &shape));
    let square = draft.push(|y| Op::Unary { x, y, f: Unary::Square });
    let nll = draft.push(|y| Op::Binary { a: square, b: mask, y, f: Binary::Mul });
    draft.output("nll", nll);
    if setup.kl {
        let sum = draft.push(|y| Op::Reduce { x: nll, y, f: Reduction::Sum, axis: 0 });
        let max = draft.push(|y| Op::Reduce { x: sum, y, f: Reduction::Max, axis: 1 });
        draft.output("kl", max);
    }
    draft.verify().program
}

/// A model whose features usually cost 0.25, 0.5, … with a deviation of 0.5, 1.0, ….
pub(crate) fn detector(setup: &Setup) -> Model<'static> {
    let each = |step: f32| (1..=setup.features).map(|i| step * i as f32).collect();
    let column = |i| Column { name: format!("c{i}"), kind: Kind::Numeric };
    Model {
        manifest: Manifest {
            family: "Square".into(),
            density: Density::Energy,
            schema: Schema { columns: (0..setup.features).map(column).collect(), period_s: None },
            window: Window { length: setup.length, tail: setup.tail },
            detector: setup.threshold.map(|threshold| manifest::Detector {
                threshold,
                tracking: setup.tracking,
                typical: setup.typical,
                false_alarm_rate: 0.01,
                feature_mean: each(0.25),
                feature_deviation: each(0.5),
                score_quantiles: vec![],
            }),
            generator: None,
            margins: None,
            programs: vec![],
            lineage: Lineage::default(),
        },
        programs: [("score".to_owned(), program(setup))].into(),
        tensors: [].into(),
    }
}

/// One feature, windows of one sample: the score of `x` is `x²`.
const ONE: Setup = Setup {
    length: 1,
    tail: 1,
    features: 1,
    kl: false,
    threshold: Some(1.0),
    tracking: None,
    typical: None,
};

/// The scores of rows of values; `None` among the values is a missing one.
fn scores(setup: &Setup, rows: &[&[Option<f32>]]) -> Vec<Option<f64>> {
    let model = detector(setup);
    let mut detector = Detector::new(&model).unwrap();
    let push = |row: &&[Option<f32>]| {
        let values: Vec<f32> = row.iter().map(|v| v.unwrap_or(9.0)).collect();
        let mask: Vec<f32> = row.iter().map(|v| f32::from(u8::from(v.is_some()))).collect();
        detector.push(Sample { values: &values, mask: &mask }).scored.map(|s| s.score)
    };
    rows.iter().map(push).collect()
}

#[test]
fn nothing_is_scored_until_the_window_is_full() {
    let row: &[Option<f32>] = &[Some(2.0)];
    for length in 1..5 {
        let wanted: Vec<Option<f64>> = (1..=6).map(|n| (n >= length).then_some(4.0)).collect();
        assert_eq!(scores(&Setup { length, ..ONE }, &[row; 6]), wanted, "length {length}");
    }
}

#[test]
fn the_score_is_the_mean_over_the_tail() {
    let rows: Vec<Vec<Option<f32>>> = (1..=5).map(|i| vec![Some(i as f32)]).collect();
    let rows: Vec<&[Option<f32>]> = rows.iter().map(Vec::as_slice).collect();
    let tails = |tail| scores(&Setup { length: 3, tail, ..ONE }, &rows)[2..].to_vec();
    assert_eq!(tails(1), [Some(9.0), Some(16.0), Some(25.0)]);
    assert_eq!(tails(2), [Some(6.5), Some(12.5), Some(20.5)]);
    let thirds = tails(3).into_iter().map(|s| (3.0 * s.unwrap()).round());
    assert_eq!(thirds.collect::<Vec<_>>(), [14.0, 29.0, 50.0]);
}

#[test]
fn missing_values_do_not_count() {
    let two = Setup { length: 2, tail: 2, features: 2, ..ONE };
    let found = scores(
        &two,
        &[
            &[Some(1.0), Some(3.0)],
            &[Some(1.0), Some(3.0)],
            &[None, Some(3.0)],
            &[None, None],
            &[Some(2.0), None],
        ],
    );
    // 20 over 4, 19 over 3, 9 over 1, 4 over 1.
    let wanted = [None, Some(5.0), Some(19.0 / 3.0), Some(9.0), Some(4.0)];
    for (found, wanted) in found.iter().zip(wanted) {
        assert_eq!(found.is_some(), wanted.is_some());
        let (found, wanted) = (found.unwrap_or_default(), wanted.unwrap_or_default());
        assert!((found - wanted).abs() < 1e-6, "{found}, wanted {wanted}");
    }
}

#[test]
fn a_tail_without_a_single_value_has_no_score() {
    let setup = Setup { length: 3, tail: 2, ..ONE };
    let (some, none): (&[Option<f32>], &[Option<f32>]) = (&[Some(2.0)], &[None]);
    let found = scores(&setup, &[some, some, none, none, none, some]);
    assert_eq!(found, [None, None, Some(4.0), None, None, Some(4.0)]);
    let nothing = Setup { features: 0, ..ONE };
    assert_eq!(scores(&nothing, &[&[], &[], &[]]), [None; 3]);
}

#[test]
fn the_divergence_counts_per_observed_value_of_the_window() {
    let setup = Setup { length: 3, features: 2, kl: true, ..ONE };
    let row: &[Option<f32>] = &[Some(1.0), Some(2.0)];
    // (1 + 4) over 2 in the tail, and 3 · 4 over 6 in the window.
    assert_eq!(scores(&setup, &[row; 3])[2], Some(2.5 + 2.0));
    let half: &[Option<f32>] = &[None, Some(2.0)];
    // 4 over 1, and 12 over 3.
    assert_eq!(scores(&setup, &[half; 3])[2], Some(4.0 + 4.0));
}

/// What comes of a series in which `#` is an alarm, `.` is calm and `?` is missing.
fn outcome(series: &str) -> (Vec<Step>, Option<Event>) {
    let model = detector(&ONE);
    let mut detector = Detector::new(&model).unwrap();
    let push = |c: char| {
        let value = match c {
            '#' => 2.0,
            // A higher alarm.
            '^' => 3.0,
            _ => 1.0,
        };
        let mask = if c == '?' { 0.0 } else { 1.0 };
        detector.push(Sample { values: &[value], mask: &[mask] })
    };
    (series.chars().map(push).collect(), detector.reset())
}

/// The events as (start, end, peak), with the sample at which each was known to be over; the end of
/// the series counts as one.
#[track_caller]
fn check_events(series: &str, wanted: &[(u64, u64, u64, usize)]) {
    let (steps, open) = outcome(series);
    let ended = steps.iter().enumerate().filter_map(|(t, s)| Some((t, s.ended?)));
    let found: Vec<_> = ended
        .chain(open.map(|event| (series.len(), event)))
        .map(|(known, e)| (e.start, e.end, e.peak, known))
        .collect();
    assert_eq!(found, wanted, "{series}");
}

#[test]
fn events_begin_and_end_with_an_alarm_and_are_over_after_five_calm_samples() {
    check_events("", &[]);
    check_events("..........", &[]);
    check_events("..#.....", &[(2, 2, 2, 7)]);
    check_events("#.....", &[(0, 0, 0, 5)]);
    check_events(".###.......", &[(1, 3, 1, 8)]);
    check_events(".#.#...#.......", &[(1, 7, 1, 12)]);
    check_events("#....#.....", &[(0, 5, 0, 10)]);
    check_events("#.....#.....", &[(0, 0, 0, 5), (6, 6, 6, 11)]);
    check_events("#......#......", &[(0, 0, 0, 5), (7, 7, 7, 12)]);
}

#[test]
fn an_event_that_is_open_ends_with_the_series() {
    check_events("..#", &[(2, 2, 2, 3)]);
    check_events("..#....", &[(2, 2, 2, 7)]);
    check_events("#.....##", &[(0, 0, 0, 5), (6, 7, 6, 8)]);
}

#[test]
fn the_peak_is_the_first_of_the_highest_scores() {
    check_events("##^#^.....", &[(0, 4, 2, 9)]);
    check_events("^###......", &[(0, 3, 0, 8)]);
    check_events("#..^..#.....", &[(0, 6, 3, 11)]);
}

#[test]
fn a_long_silence_ends_an_event_and_a_short_one_does_not() {
    check_events("#??#.....", &[(0, 3, 0, 8)]);
    check_events("#????#.....", &[(0, 5, 0, 10)]);
    check_events("#?????#.....", &[(0, 0, 0, 5), (6, 6, 6, 11)]);
    check_events("#?????????", &[(0, 0, 0, 5)]);
    check_events("#?.?.?????#", &[(0, 0, 0, 5), (10, 10, 10, 11)]);
    check_events("#????.....", &[(0, 0, 0, 5)]);
}

#[test]
fn an_alarm_is_a_score_above_the_threshold() {
    let found = |series| -> Vec<Option<bool>> {
        outcome(series).0.into_iter().map(|s| s.scored.map(|s| s.alarm.is_some())).collect()
    };
    // A calm sample scores exactly the threshold.
    assert_eq!(found(".#?"), [Some(false), Some(true), None]);
}

#[test]
fn without_a_threshold_there_are_scores_and_no_alarms() {
    let model = detector(&Setup { threshold: None, ..ONE });
    let mut detector = Detector::new(&model).unwrap();
    for _ in 0..10 {
        let step = detector.push(Sample { values: &[100.0], mask: &[1.0] });
        let scored = Some(Scored { score: 10_000.0, surprise: None, alarm: None });
        assert_eq!(step, Step { scored, ended: None });
    }
    assert_eq!(detector.reset(), None);
    assert_eq!(detector.cause(), [0.0]);
}

#[test]
fn the_cause_is_how_unusual_each_share_was_at_the_peak() {
    let model = detector(&Setup { features: 2, ..ONE });
    let mut detector = Detector::new(&model).unwrap();
    let mut push = |values: [f32; 2]| {
        detector.push(Sample { values: &values, mask: &[1.0; 2] });
        (detector.shares().to_vec(), detector.cause().to_vec())
    };
    // Usual shares are 0.25 and 0.5, their deviations 0.5 and 1.
    assert_eq!(push([1.0, 1.0]), (vec![0.5, 0.5], vec![0.0, 0.0]));
    assert_eq!(push([2.0, 1.0]), (vec![2.0, 0.5], vec![3.5, 0.0]));
    assert_eq!(push([1.0, 3.0]), (vec![0.5, 4.5], vec![0.5, 4.0]));
    assert_eq!(push([2.0, 2.0]), (vec![2.0, 2.0], vec![0.5, 4.0]));
    assert_eq!(push([0.0, 0.0]), (vec![0.0, 0.0], vec![0.5, 4.0]));
    assert_eq!(detector.open().map(|e| (e.start, e.end, e.peak)), Some((1, 3, 2)));
}

#[test]
fn numbers_of_samples_go_on_after_a_reset() {
    let model = detector(&Setup { length: 2, ..ONE });
    let mut detector = Detector::new(&model).unwrap();
    let mut push =
        |x: f32| detector.push(Sample { values: &[x], mask: &[1.0] }).scored.map(|s| s.score);
    assert_eq!([push(2.0), push(3.0)], [None, Some(9.0)]);
    let event = detector.reset().unwrap();
    assert_eq!((event.start, event.end, event.peak, event.peak_score), (1, 1, 1, 9.0));
    assert_eq!(detector.reset(), None, "it ended already");
    let mut push =
        |x: f32| detector.push(Sample { values: &[x], mask: &[1.0] }).scored.map(|s| s.score);
    assert_eq!([push(4.0), push(5.0)], [None, Some(25.0)], "the window is empty again");
    assert_eq!(detector.reset().unwrap().start, 3);
}

#[test]
fn a_score_that_is_no_number_is_an_alarm_that_says_so() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30] {
        let model = detector(&Setup { features: 2, ..ONE });
        let mut detector = Detector::new(&model).unwrap();
        let mut push = |x: f32| detector.push(Sample { values: &[x, 0.5], mask: &[1.0; 2] });
        push(3.0);
        let scored = push(value).scored.unwrap();
        assert_eq!((scored.score, scored.alarm), (UNDEFINED, Some(Reason::Undefined)), "{value}");
        assert!(push(0.5).scored.unwrap().alarm.is_none(), "{value} is forgotten with its window");
        let ended = (0..4).find_map(|_| push(0.5).ended).unwrap();
        assert_eq!((ended.start, ended.end, ended.peak), (0, 1, 1));
        assert!(ended.reason == Reason::Undefined && ended.peak_score == UNDEFINED);
        assert_eq!(detector.cause(), [0.0; 2], "nobody knows which of them it was");
    }
}

#[test]
fn a_score_that_is_no_number_is_an_alarm_even_without_a_threshold() {
    let model = detector(&Setup { threshold: None, ..ONE });
    let mut detector = Detector::new(&model).unwrap();
    assert!(
        detector.push(Sample { values: &[f32::NAN], mask: &[1.0] }).scored.unwrap().alarm.is_some()
    );
    assert_eq!(detector.reset().unwrap().reason, Reason::Undefined);
}

const TYPICAL: manifest::Typical = manifest::Typical { least: 3.0, slope: 10.0 };

/// What each of `values` makes known, in windows of two samples of which the newest makes the score.
fn judged(tracking: Option<manifest::Tracking>, values: &[f32]) -> Vec<Option<Scored>> {
    let model = detector(&Setup {
        length: 2,
        threshold: Some(7.0),
        tracking,
        typical: Some(TYPICAL),
        ..ONE
    });
    let mut detector = Detector::new(&model).unwrap();
    let push = |x: &f32| detector.push(Sample { values: &[*x], mask: &[1.0] }).scored;
    values.iter().map(push).collect()
}

#[test]
fn a_window_that_is_too_calm_is_an_alarm_with_a_score_above_the_threshold() {
    let found: Vec<_> = judged(None, &[2.0, 2.0, 1.0, 1.5, 3.0])
        .into_iter()
        .map(|scored| scored.map(|s| (s.score, s.alarm)))
        .collect();
    let calm = Some(Reason::Calm);
    // The windows have means of 4, 2.5, 1.625 and 5.625.
    let wanted = [
        None,
        Some((4.0, None)),
        Some((12.0, calm)),
        Some((20.75, calm)),
        Some((9.0, Some(Reason::Improbable))),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn what_is_too_calm_is_a_surprise_too() {
    let scored = judged(Some(TRACKING), &[2.0, 1.0])[1].unwrap();
    assert_eq!((scored.surprise, scored.alarm), (Some(8.0), Some(Reason::Calm)));
}

#[test]
fn what_is_missing_is_not_calm() {
    let model =
        detector(&Setup { features: 2, threshold: Some(7.0), typical: Some(TYPICAL), ..ONE });
    let mut detector = Detector::new(&model).unwrap();
    let mut push = |mask: [f32; 2]| {
        detector.push(Sample { values: &[2.0, 1.0], mask: &mask }).scored.unwrap().alarm
    };
    assert_eq!([push([1.0, 0.0]), push([1.0; 2])], [None, Some(Reason::Calm)]);
}

#[test]
fn an_event_of_calmness_blames_the_feature_that_is_calm() {
    let model =
        detector(&Setup { features: 2, threshold: Some(7.0), typical: Some(TYPICAL), ..ONE });
    let mut detector = Detector::new(&model).unwrap();
    // Usual shares are 0.25 and 0.5, their deviations 0.5 and 1.
    detector.push(Sample { values: &[1.5, 0.0], mask: &[1.0; 2] });
    assert_eq!(detector.open().map(|event| event.reason), Some(Reason::Calm));
    assert_eq!(detector.cause(), [-1.75, 0.5]);
}

/// Levels are `ln(1 + score)`; 1 at first, give or take 0.5.
const TRACKING: manifest::Tracking = manifest::Tracking {
    memory: 10.0,
    clip: 2.0,
    floor: 0.0,
    unit: 1.0,
    mean: 1.0,
    deviation: 0.5,
    threshold: 3.0,
};

/// Surprises and alarms of a series of values under `TRACKING`.
fn surprises(values: impl IntoIterator<Item = f32>) -> Vec<(f64, bool)> {
    let model = detector(&Setup { tracking: Some(TRACKING), ..ONE });
    let mut detector = Detector::new(&model).unwrap();
    let mut push = |x: f32| detector.push(Sample { values: &[x], mask: &[1.0] }).scored.unwrap();
    values.into_iter().map(&mut push).map(|s| (s.surprise.unwrap(), s.alarm.is_some())).collect()
}

#[test]
fn the_first_surprise_is_measured_against_held_back_data() {
    // ln(1 + 0) lies two deviations below, ln(1 + 3²) is 2.30.
    assert_eq!(surprises([0.0])[0], (-2.0, false));
    let (surprise, alarm) = surprises([3.0])[0];
    assert!((surprise - 2.605_170_186).abs() < 1e-9 && !alarm, "{surprise}");
    assert!(surprises([6.0])[0].1);
}

#[test]
fn what_lasts_becomes_usual_and_what_returns_is_a_surprise_again() {
    let series = [vec![1.0; 50], vec![9.0; 50], vec![1.0; 50], vec![9.0]].concat();
    let found = surprises(series);
    let alarms = |range: std::ops::Range<usize>| found[range].iter().filter(|f| f.1).count();
    assert_eq!(alarms(0..50), 0);
    assert!((3..40).contains(&alarms(50..100)), "{} alarms", alarms(50..100));
    assert_eq!(alarms(90..150), 0, "a fall is no alarm");
    assert!(found[150].1);
}

#[test]
fn an_outlier_moves_what_is_usual_no_further_than_the_clip() {
    let after = |x: f32| surprises([x, 1.0])[1];
    assert_eq!(after(1e3), after(1e9));
    assert!(after(1e3).0 < after(0.5).0, "but it does move it");
}

#[test]
fn a_standstill_does_not_make_the_smallest_move_an_alarm() {
    let series = [vec![1.0; 1000], vec![1.05; 1]].concat();
    assert!(!surprises(series)[1000].1);
}

#[test]
fn a_score_that_is_no_number_is_not_learned() {
    let model = detector(&Setup { tracking: Some(TRACKING), ..ONE });
    let mut detector = Detector::new(&model).unwrap();
    let mut push = |x: f32| detector.push(Sample { values: &[x], mask: &[1.0] }).scored.unwrap();
    let undefined = push(f32::NAN);
    assert_eq!((undefined.surprise, undefined.alarm), (None, Some(Reason::Undefined)));
    assert_eq!(push(0.0).surprise, Some(-2.0));
}

#[test]
fn pushing_allocates_nothing() {
    let setup = Setup {
        length: 4,
        tail: 2,
        features: 3,
        kl: true,
        threshold: Some(1.0),
        tracking: Some(TRACKING),
        typical: Some(TYPICAL),
    };
    let model = detector(&setup);
    let mut detector = Detector::new(&model).unwrap();
    let info = measure(|| {
        for t in 0..50 {
            let value = if t % 9 == 0 { 3.0 } else { 0.5 };
            detector.push(Sample { values: &[value; 3], mask: &[1.0, 0.0, 1.0] });
        }
        detector.reset();
    });
    assert_eq!(info.count_total, 0);
    // The rings of values and masks, shares and causes, and the arena.
    assert!(detector.memory_bytes() >= 4 * (2 * 4 * 3 + 2 * 3));
}

#[test]
#[should_panic(expected = "values of a sample")]
fn a_sample_of_another_width_is_a_bug() {
    let model = detector(&ONE);
    Detector::new(&model).unwrap().push(Sample { values: &[1.0, 2.0], mask: &[1.0] });
}

#[test]
#[should_panic(expected = "mask of a sample")]
fn a_mask_of_another_width_is_a_bug() {
    let model = detector(&ONE);
    Detector::new(&model).unwrap().push(Sample { values: &[1.0], mask: &[] });
}
