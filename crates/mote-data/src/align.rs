//! Rows of measurements become evenly counted samples: sorted, without doubles, gaps filled.
//!
//! One state machine serves files and streams, so that a model meets in service what it met in
//! training. Rows are pushed one by one and wait in a small buffer for others that are late;
//! a file is sorted first and then pushed through the same door.

use std::collections::BTreeMap;

use mote_format::Schema;
use serde::{Deserialize, Serialize};

use crate::{
    record::{Record, numeric_features},
    time::Timestamp,
};

mod bin;
mod pace;

use bin::Bin;
pub use pace::{Pace, find_pace};

/// How rows become samples. Stored with a model, so that streams are treated as its training was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// What one step is.
    pub pace: Pace,
    /// The most missing samples that are filled in (marked as missing); after a longer gap a new
    /// segment starts. 10, because a model that was trained with missing samples carries its state
    /// over a short break, while after a long one the machine may be in any state, and a state
    /// carried over would be a guess.
    pub max_gap: usize,
    /// How many records (of different times) are held back to wait for a late one. 1 is the least
    /// at which the last of two records of one time wins; 0 emits each record at once and the
    /// first of two wins. A stream whose order is mixed by up to `n` places needs `n + 1`.
    pub lateness: usize,
}

impl Rules {
    /// The default rules at a pace.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        Self { pace, max_gap: 10, lateness: 1 }
    }

    /// The default rules for a model of which only the schema is known.
    #[must_use]
    pub fn for_schema(schema: &Schema) -> Self {
        Self::new(schema.period_s.and_then(Pace::steps).unwrap_or(Pace::Rows))
    }
}

/// One step of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Counts from 0 over all segments.
    pub index: u64,
    /// Counts from 0; where it changes, time has jumped and a model must forget its state.
    pub segment: u64,
    /// Where it was measured or, for a filled gap, would have been.
    pub time: Option<Timestamp>,
    /// `(features,)`; 0 where missing.
    pub values: Vec<f32>,
    /// `(features,)`; 1 where measured, 0 where missing.
    pub mask: Vec<f32>,
    /// Whether a row of this sample is known to be an anomaly.
    pub label: Option<bool>,
    /// The rows that it was made of, as numbered by the caller; none for a filled gap.
    pub rows: Vec<u64>,
}

/// What had to be mended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gaps {
    /// Rows whose time another row had already.
    pub duplicates: u64,
    /// Rows that came after a later one had been emitted, and were dropped.
    pub late: u64,
    /// Samples that were filled in.
    pub inserted: u64,
    /// Unbroken stretches.
    pub segments: u64,
}

impl std::ops::Add for Gaps {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            duplicates: self.duplicates + other.duplicates,
            late: self.late + other.late,
            inserted: self.inserted + other.inserted,
            segments: self.segments + other.segments,
        }
    }
}

/// Turns records into samples; see the [module](self).
#[derive(Clone, Debug)]
pub struct Aligner {
    rules: Rules,
    /// For each feature, whether it is a number: only numbers have a mean.
    numeric: Vec<bool>,
    waiting: BTreeMap<Timestamp, Waiting>,
    /// The time of the last record that left the buffer.
    released: Option<Timestamp>,
    /// The bin being filled, at [`Pace::Bins`].
    bin: Option<Bin>,
    /// Whether rows without time have a segment already.
    stepping: bool,
    samples: u64,
    gaps: Gaps,
}

#[derive(Clone, Debug)]
struct Waiting {
    record: Record,
    rows: Vec<u64>,
}

impl Aligner {
    /// An aligner that has seen nothing.
    #[must_use]
    pub fn new(schema: &Schema, rules: Rules) -> Self {
        Self {
            rules,
            numeric: numeric_features(schema),
            waiting: BTreeMap::new(),
            released: None,
            bin: None,
            stepping: false,
            samples: 0,
            gaps: Gaps::default(),
        }
    }

    /// Takes one record and appends the samples that are now certain. `row` is the caller's number
    /// for it and comes back in [`Sample::rows`].
    ///
    /// At most `max_gap + 1` samples are appended; the buffer holds at most `lateness` records.
    ///
    /// # Panics
    ///
    /// If the record does not have one value for each feature of the schema.
    pub fn push(&mut self, row: u64, record: Record, out: &mut Vec<Sample>) {
        assert_eq!(record.values.len(), self.numeric.len(), "one value a feature");
        let time = match (self.rules.pace, record.time) {
            (Pace::Rows, _) | (_, None) => return self.step(row, record, out),
            (_, Some(time)) => time,
        };
        if self.released.is_some_and(|last| time <= last) {
            if self.released == Some(time) {
                self.gaps.duplicates += 1;
            } else {
                self.gaps.late += 1;
            }
            return;
        }
        let fresh = Waiting { record, rows: vec![row] };
        if let Some(old) = self.waiting.insert(time, fresh) {
            self.gaps.duplicates += 1;
            if let Some(kept) = self.waiting.get_mut(&time) {
                kept.rows.splice(0..0, old.rows);
            }
        }
        if self.waiting.len() > self.rules.lateness
            && let Some((time, earliest)) = self.waiting.pop_first()
        {
            self.release(time, earliest, out);
        }
    }

    /// Appends what is still held back; the next record starts a new segment.
    pub fn finish(&mut self, out: &mut Vec<Sample>) {
        self.flush(out);
        self.released = None;
        self.stepping = false;
    }

    /// What had to be mended so far.
    #[must_use]
    pub fn gaps(&self) -> Gaps {
        self.gaps
    }

    fn flush(&mut self, out: &mut Vec<Sample>) {
        while let Some((time, earliest)) = self.waiting.pop_first() {
            self.release(time, earliest, out);
        }
        if let Some(bin) = self.bin.take() {
            self.emit_bin(&bin, out);
        }
    }

    /// A record that is not ordered by time: one sample at once, after all that waits.
    fn step(&mut self, row: u64, record: Record, out: &mut Vec<Sample>) {
        self.flush(out);
        if self.released.is_none() && !self.stepping {
            self.gaps.segments += 1;
        }
        self.stepping = true;
        self.emit(record.time, record.values, record.label, vec![row], out);
    }

    fn release(&mut self, time: Timestamp, earliest: Waiting, out: &mut Vec<Sample>) {
        let last = self.released.replace(time);
        match self.rules.pace {
            Pace::Bins { period_ns } => return self.add_to_bin(time, earliest, period_ns, out),
            Pace::Steps { period_ns } => match last {
                Some(last) => self.bridge(last, time, pace::missing(last, time, period_ns), out),
                None => self.gaps.segments += 1,
            },
            Pace::Rows => {}
        }
        let Waiting { record, rows } = earliest;
        self.emit(record.time, record.values, record.label, rows, out);
    }

    /// Fills a gap of so many samples, or starts a new segment. Returns nothing to the caller but
    /// the samples: whether time has jumped shows in their segment.
    fn bridge(&mut self, last: Timestamp, next: Timestamp, missing: u64, out: &mut Vec<Sample>) {
        if missing > self.rules.max_gap as u64 {
            self.gaps.segments += 1;
            return;
        }
        let (start, span) = (i128::from(last.0), i128::from(next.0) - i128::from(last.0));
        for i in 1..=missing {
            // Between two instants of 64 bits, so it fits 64 bits again.
            let time = start + span * i128::from(i) / (i128::from(missing) + 1);
            let time = i64::try_from(time).ok().map(Timestamp);
            self.gaps.inserted += 1;
            self.emit(time, vec![f32::NAN; self.numeric.len()], None, Vec::new(), out);
        }
    }

    fn add_to_bin(
        &mut self,
        time: Timestamp,
        waiting: Waiting,
        period_ns: i64,
        out: &mut Vec<Sample>,
    ) {
        let Waiting { record, rows } = waiting;
        let Some(mut bin) = self.bin.take() else {
            self.gaps.segments += 1;
            self.bin = Some(Bin::new(time, period_ns, &record, rows));
            return;
        };
        let ahead = bin.ahead(time);
        if ahead == 0 {
            bin.add(&record, rows);
            self.bin = Some(bin);
            return;
        }
        self.emit_bin(&bin, out);
        let missing = ahead - 1;
        if missing > self.rules.max_gap as u64 {
            self.gaps.segments += 1;
            self.bin = Some(Bin::new(time, period_ns, &record, rows));
        } else {
            let next = bin.later(ahead);
            self.bridge(bin.start(), next, missing, out);
            self.bin = Some(Bin::new(next, period_ns, &record, rows));
        }
    }

    fn emit_bin(&mut self, bin: &Bin, out: &mut Vec<Sample>) {
        let values = bin.values(&self.numeric);
        self.emit(Some(bin.start()), values, bin.label(), bin.rows().to_vec(), out);
    }

    fn emit(
        &mut self,
        time: Option<Timestamp>,
        mut values: Vec<f32>,
        label: Option<bool>,
        rows: Vec<u64>,
        out: &mut Vec<Sample>,
    ) {
        let mask = values.iter().map(|v| f32::from(u8::from(v.is_finite()))).collect();
        for value in values.iter_mut().filter(|v| !v.is_finite()) {
            *value = 0.0;
        }
        let segment = self.gaps.segments.saturating_sub(1);
        out.push(Sample { index: self.samples, segment, time, values, mask, label, rows });
        self.samples += 1;
    }
}
