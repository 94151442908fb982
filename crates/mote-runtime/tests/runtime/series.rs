//! The detector, sample by sample, against one that has the whole series at hand.

use mote_format::manifest;
use mote_runtime::{Detector, Event, Reason, Sample, Scored};
use proptest::prelude::*;

use crate::{
    detection::{Setup, detector},
    random::Random,
};

/// Scores of both may differ by roundings of `f32`.
const TOLERANCE: f64 = 1e-5;
/// Samples without an alarm after which an event is over.
const PATIENCE: usize = 5;

/// One time step of a series: values, and which of them were observed.
type Row = (Vec<f32>, Vec<f32>);

/// What the model of the tests says of a value: its square, if it was observed.
fn nll(row: &Row, feature: usize) -> f64 {
    f64::from(row.0[feature]).powi(2) * f64::from(row.1[feature])
}

/// Each feature's share of the score of the last row of `window`, and the score: what the newest
/// `tail` rows cost per observed value, plus what the whole window costs per observed value.
fn score(window: &[Row], setup: &Setup) -> Option<(Vec<f64>, f64)> {
    let tail = &window[window.len() - setup.tail..];
    let observed =
        |rows: &[Row]| -> f64 { rows.iter().flat_map(|row| &row.1).map(|&m| f64::from(m)).sum() };
    let cost = |rows: &[Row], f: usize| -> f64 { rows.iter().map(|row| nll(row, f)).sum() };
    if observed(tail) == 0.0 {
        return None;
    }
    let shares: Vec<f64> = (0..setup.features).map(|f| cost(tail, f) / observed(tail)).collect();
    // The second output of the model: the cost of the feature that costs most over the window.
    let kl = (0..setup.features).map(|f| cost(window, f)).fold(0.0, f64::max);
    let kl = if setup.kl { kl / observed(window) } else { 0.0 };
    Some((shares.clone(), shares.iter().sum::<f64>() + kl))
}

/// The events in the scores of one segment, whose first sample has the number `first`.
fn events(scores: &[Option<f64>], first: usize, threshold: f64) -> Vec<Event> {
    let alarm = |t: usize| scores[t].is_some_and(|s| s > threshold);
    let alarms: Vec<usize> = (0..scores.len()).filter(|&t| alarm(t)).collect();
    let joined = |&[a, b]: &[usize; 2]| b - a <= PATIENCE;
    let mut runs: Vec<Vec<usize>> = Vec::new();
    for (i, &t) in alarms.iter().enumerate() {
        match runs.last_mut().filter(|_| joined(&[alarms[i.saturating_sub(1)], t])) {
            Some(run) => run.push(t),
            None => runs.push(vec![t]),
        }
    }
    let event = |run: &Vec<usize>| {
        let top = run.iter().map(|&t| scores[t].unwrap()).fold(f64::MIN, f64::max);
        let peak = run.iter().find(|&&t| scores[t] == Some(top)).unwrap();
        let number = |t: usize| (first + t) as u64;
        Event {
            start: number(run[0]),
            end: number(run[run.len() - 1]),
            peak: number(*peak),
            peak_score: top,
            reason: Reason::Improbable,
        }
    };
    runs.iter().map(event).collect()
}

/// What came of a segment: of each sample, and each event with its causes.
type Outcome = (Vec<Option<Scored>>, Vec<(Event, Vec<f32>)>);

fn push(detector: &mut Detector<'_>, rows: &[Row]) -> Outcome {
    let (mut scored, mut events) = (Vec::new(), Vec::new());
    for (values, mask) in rows {
        let step = detector.push(Sample { values, mask });
        if let Some(event) = step.ended {
            assert!(detector.open().is_none());
            events.push((event, detector.cause().to_vec()));
        }
        scored.push(step.scored);
    }
    let open = detector.open();
    let last = detector.reset();
    assert_eq!(open, last, "an open event ends with the segment");
    assert_eq!(detector.open(), None);
    events.extend(last.map(|event| (event, detector.cause().to_vec())));
    (scored, events)
}

/// Mostly calm rows with bursts, missing values, and outages in which everything is missing.
fn rows(random: &mut Random, n: usize, features: usize) -> Vec<Row> {
    let (mut burst, mut outage) = (0, 0);
    (0..n)
        .map(|_| {
            burst = if random.below(12) == 0 { random.below(8) } else { burst.max(1) - 1 };
            outage = if random.below(25) == 0 { random.below(12) } else { outage.max(1) - 1 };
            let scale = if burst > 0 { 3.0 } else { 1.0 };
            let mask =
                |random: &mut Random| f32::from(u8::from(outage == 0 && random.below(6) > 0));
            let mask: Vec<f32> = (0..features).map(|_| mask(random)).collect();
            (random.fill(&[features], scale), mask)
        })
        .collect()
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= TOLERANCE * (1.0 + b.abs())
}

fn setup() -> impl Strategy<Value = Setup> {
    (1..6usize, any::<prop::sample::Index>(), 1..4usize, any::<bool>(), 0.3..3.0f64).prop_map(
        |(length, tail, features, kl, threshold)| Setup {
            length,
            tail: 1 + tail.index(length),
            features,
            kl,
            threshold: Some(threshold),
            tracking: None,
            typical: None,
        },
    )
}

proptest! {
    #[test]
    fn pushing_sample_by_sample_is_scoring_the_whole_series(
        setup in setup(),
        lengths in prop::collection::vec(0..60usize, 1..4),
        seed: u64,
    ) {
        let (model, mut random) = (detector(&setup), Random(seed));
        let manifest::Detector { threshold, feature_mean, feature_deviation, .. } =
            model.manifest.detector.clone().unwrap();
        let mut detector = Detector::new(&model).unwrap();
        let mut first = 0;
        for n in lengths {
            let rows = rows(&mut random, n, setup.features);
            let (scored, found) = push(&mut detector, &rows);
            let wanted: Vec<Option<(Vec<f64>, f64)>> = (0..n)
                .map(|t| (t + 1).checked_sub(setup.length).map(|start| &rows[start..=t]))
                .map(|window| window.and_then(|window| score(window, &setup)))
                .collect();
            for (scored, wanted) in scored.iter().zip(&wanted) {
                prop_assert_eq!(scored.is_some(), wanted.is_some());
                if let (Some(scored), Some((_, wanted))) = (scored, wanted) {
                    prop_assert!(near(scored.score, *wanted), "{} and {wanted}", scored.score);
                    prop_assert_eq!(scored.alarm.is_some(), scored.score > threshold);
                }
            }
            // From the detector's own scores, so that a rounding at the threshold is no difference.
            let scores: Vec<Option<f64>> = scored.iter().map(|s| s.map(|s| s.score)).collect();
            let wanted_events = events(&scores, first, threshold);
            prop_assert_eq!(found.iter().map(|f| f.0).collect::<Vec<_>>(), wanted_events);
            for (event, cause) in found {
                let shares = &wanted[event.peak as usize - first].as_ref().unwrap().0;
                for f in 0..setup.features {
                    let usual = f64::from(feature_mean[f]);
                    let wanted = (shares[f] - usual) / f64::from(feature_deviation[f]);
                    prop_assert!(near(cause[f].into(), wanted), "{} and {wanted}", cause[f]);
                }
            }
            first += n;
        }
    }

    #[test]
    fn a_detector_that_was_reset_scores_as_a_new_one(setup in setup(), before in 0..20usize, seed: u64) {
        let (model, mut random) = (detector(&setup), Random(seed));
        let (mut old, mut new) = (Detector::new(&model).unwrap(), Detector::new(&model).unwrap());
        let past = rows(&mut random, before, setup.features);
        push(&mut old, &past);
        let rows = rows(&mut random, 30, setup.features);
        for (values, mask) in &rows {
            let sample = Sample { values, mask };
            let found = [&mut old, &mut new]
                .map(|d| d.push(sample).scored.map(|s| (s.score.to_bits(), d.shares().to_vec())));
            prop_assert_eq!(&found[0], &found[1]);
        }
    }
}
