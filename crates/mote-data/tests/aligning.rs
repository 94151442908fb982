//! Rows to samples: gaps, doubles, disorder, irregular pace; and streams equal to files.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use mote_data::{
    Record, Series, Timestamp,
    align::{Aligner, Gaps, Pace, Rules, Sample},
};
use mote_format::{Column, Kind, Schema};
use proptest::prelude::*;

const SECOND: i64 = 1_000_000_000;

fn schema() -> Schema {
    let levels = vec!["a".into(), "b".into()];
    let column = |name: &str, kind| Column { name: name.into(), kind };
    let columns = vec![column("x", Kind::Numeric), column("m", Kind::Categorical { levels })];
    Schema { columns, period_s: Some(1.0) }
}

/// A record of a number, at a time in milliseconds.
fn at(ms: i64, x: f32) -> Record {
    Record::new(Some(Timestamp(ms * 1_000_000)), vec![x, 1.0, 0.0])
}

const STEPS: Rules = Rules { pace: Pace::Steps { period_ns: SECOND }, max_gap: 3, lateness: 1 };
const BINS: Rules = Rules { pace: Pace::Bins { period_ns: SECOND }, ..STEPS };

fn align(rules: Rules, records: &[Record]) -> (Vec<Sample>, Gaps) {
    let mut aligner = Aligner::new(&schema(), rules);
    let mut samples = Vec::new();
    for (row, record) in (0..).zip(records) {
        aligner.push(row, record.clone(), &mut samples);
    }
    aligner.finish(&mut samples);
    (samples, aligner.gaps())
}

/// The numbers of the samples, NaN where missing, with the segment of each, and the counts.
#[track_caller]
fn check(rules: Rules, records: &[(i64, f32)], wanted: &[(f32, u64)], gaps: [u64; 4]) {
    let records: Vec<Record> = records.iter().map(|&(ms, x)| at(ms, x)).collect();
    let (samples, found) = align(rules, &records);
    let found_values: Vec<String> = samples
        .iter()
        .map(|s| match s.mask[0] > 0.0 {
            true => format!("{} in {}", s.values[0], s.segment),
            false => format!("NaN in {}", s.segment),
        })
        .collect();
    let wanted: Vec<String> = wanted.iter().map(|(x, s)| format!("{x} in {s}")).collect();
    assert_eq!(found_values, wanted);
    let [duplicates, late, inserted, segments] = gaps;
    assert_eq!(found, Gaps { duplicates, late, inserted, segments });
    assert!(samples.iter().enumerate().all(|(i, s)| s.index == i as u64));
}

const MISSING: f32 = f32::NAN;

#[test]
fn jitter_is_one_step() {
    check(
        STEPS,
        &[(0, 1.0), (1400, 2.0), (1700, 3.0)],
        &[(1.0, 0), (2.0, 0), (3.0, 0)],
        [0, 0, 0, 1],
    );
}

#[test]
fn short_gaps_are_filled_and_long_ones_start_a_segment() {
    let filled = &[(1.0, 0), (MISSING, 0), (2.0, 0)];
    check(STEPS, &[(0, 1.0), (1500, 2.0)], filled, [0, 0, 1, 1]);
    let filled = &[(1.0, 0), (MISSING, 0), (MISSING, 0), (MISSING, 0), (2.0, 0)];
    check(STEPS, &[(0, 1.0), (4000, 2.0)], filled, [0, 0, 3, 1]);
    check(STEPS, &[(0, 1.0), (5000, 2.0)], &[(1.0, 0), (2.0, 1)], [0, 0, 0, 2]);
}

#[test]
fn filled_samples_stand_evenly_between() {
    let (samples, _) = align(STEPS, &[at(0, 1.0), at(3300, 2.0)]);
    let times: Vec<i64> = samples.iter().map(|s| s.time.unwrap().0 / 1_000_000).collect();
    assert_eq!(times, [0, 1100, 2200, 3300]);
    assert!(samples[1].rows.is_empty());
}

#[test]
fn the_last_of_two_at_one_time_wins() {
    let records = &[(0, 1.0), (1000, 2.0), (1000, 3.0), (2000, 4.0)];
    check(STEPS, records, &[(1.0, 0), (3.0, 0), (4.0, 0)], [1, 0, 0, 1]);
    let (samples, _) = align(STEPS, &records.map(|(ms, x)| at(ms, x)));
    assert_eq!(samples[1].rows, [1, 2], "both rows have the sample");
    // Without a buffer the first is already gone.
    let now = Rules { lateness: 0, ..STEPS };
    check(now, records, &[(1.0, 0), (2.0, 0), (4.0, 0)], [1, 0, 0, 1]);
}

#[test]
fn late_rows_wait_within_the_buffer_and_are_dropped_beyond() {
    let records = &[(0, 1.0), (2000, 3.0), (1000, 2.0), (3000, 4.0)];
    let sorted = &[(1.0, 0), (2.0, 0), (3.0, 0), (4.0, 0)];
    check(Rules { lateness: 2, ..STEPS }, records, sorted, [0, 0, 0, 1]);
    let dropped = &[(1.0, 0), (MISSING, 0), (3.0, 0), (4.0, 0)];
    check(Rules { lateness: 0, ..STEPS }, records, dropped, [0, 1, 1, 1]);
}

#[test]
fn bins_take_the_mean_of_numbers_and_the_last_word() {
    let mut records = vec![at(0, 1.0), at(100, 3.0), at(999, 8.0), at(2100, 5.0)];
    records[2].values = vec![8.0, 0.0, 1.0];
    records[1].label = Some(true);
    let (samples, gaps) = align(BINS, &records);
    assert_eq!(samples.len(), 3);
    assert_eq!(samples[0].values, [4.0, 0.0, 1.0]);
    assert_eq!(samples[0].label, Some(true));
    assert_eq!(samples[0].rows, [0, 1, 2]);
    assert_eq!(samples[1].mask, [0.0; 3]);
    assert_eq!(samples[2].time, Some(Timestamp(2 * SECOND)));
    assert_eq!(gaps.inserted, 1);
    check(BINS, &[(0, 1.0), (500, MISSING), (9000, 2.0)], &[(1.0, 0), (2.0, 1)], [0, 0, 0, 2]);
}

#[test]
fn rows_without_a_pace_are_samples_as_they_come() {
    let rows = Rules { pace: Pace::Rows, ..STEPS };
    let samples = &[(1.0, 0), (2.0, 0), (3.0, 0)];
    check(rows, &[(9000, 1.0), (0, 2.0), (0, 3.0)], samples, [0, 0, 0, 1]);
}

#[test]
fn records_without_time_follow_each_other() {
    let records = [at(0, 1.0), Record { time: None, ..at(0, 2.0) }, at(1000, 3.0)];
    let (samples, gaps) = align(STEPS, &records);
    let found: Vec<f32> = samples.iter().map(|s| s.values[0]).collect();
    assert_eq!(found, [1.0, 2.0, 3.0]);
    assert_eq!(gaps.segments, 1);
}

#[test]
fn the_ends_of_time_do_not_overflow() {
    let record = |ns: i64| Record::new(Some(Timestamp(ns)), vec![1.0, 1.0, 0.0]);
    for rules in [STEPS, BINS, Rules { max_gap: usize::MAX, pace: Pace::Rows, ..STEPS }] {
        let (samples, _) = align(rules, &[record(i64::MIN), record(0), record(i64::MAX)]);
        assert_eq!(samples.len(), 3);
    }
}

#[test]
fn a_finished_aligner_starts_a_new_segment() {
    let mut aligner = Aligner::new(&schema(), STEPS);
    let mut samples = Vec::new();
    aligner.push(0, at(0, 1.0), &mut samples);
    aligner.finish(&mut samples);
    aligner.push(1, at(1000, 2.0), &mut samples);
    aligner.finish(&mut samples);
    assert_eq!(samples.iter().map(|s| s.segment).collect::<Vec<_>>(), [0, 1]);
}

/// Records in order of time, some at the same time, some far apart, some values missing.
fn stream() -> impl Strategy<Value = Vec<Record>> {
    let step = prop_oneof![Just(0i64), 700..1300i64, Just(2000i64), 1..9000i64];
    let value = prop_oneof![4 => -10.0..10.0f32, 1 => Just(f32::NAN)];
    prop::collection::vec((step, value), 1..60).prop_map(|steps| {
        let mut ms = 0;
        steps
            .into_iter()
            .map(|(step, x)| {
                ms += step;
                at(ms, x)
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn a_stream_with_bounded_disorder_equals_the_file(
        mut records in stream(),
        shifts in prop::collection::vec(0usize..8, 60),
        bins in any::<bool>(),
    ) {
        const LATENESS: usize = 8;
        let mut order: Vec<usize> = (0..records.len()).collect();
        order.sort_by_key(|&i| i + shifts[i]);
        records = order.into_iter().map(|i| records[i].clone()).collect();
        let rules = if bins { BINS } else { STEPS };

        let file = Series::from_records("file", &schema(), rules, records.clone()).unwrap();
        let (samples, gaps) = align(Rules { lateness: LATENESS, ..rules }, &records);

        prop_assert_eq!(gaps, file.gaps());
        prop_assert_eq!(gaps.late, 0);
        let values: Vec<f32> = samples.iter().flat_map(|s| s.values.clone()).collect();
        prop_assert_eq!(values, file.values());
        let mask: Vec<f32> = samples.iter().flat_map(|s| s.mask.clone()).collect();
        prop_assert_eq!(mask, file.mask());
        let times: Vec<Timestamp> = samples.iter().map(|s| s.time.unwrap()).collect();
        prop_assert_eq!(times, file.times().unwrap());
        let mut of_row = vec![None; records.len()];
        for (i, sample) in samples.iter().enumerate() {
            for &row in &sample.rows {
                of_row[row as usize] = Some(i);
            }
        }
        prop_assert_eq!(&of_row, file.sample_of_row());
        let segments = file.segments().collect::<Vec<_>>();
        for (number, segment) in segments.iter().enumerate() {
            prop_assert!(samples[segment.clone()].iter().all(|s| s.segment == number as u64));
        }
    }
}
