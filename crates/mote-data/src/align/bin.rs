//! One period of irregular data: the mean of its numbers, the last of its words.

use crate::{record::Record, time::Timestamp};

/// A period being filled.
#[derive(Clone, Debug)]
pub(super) struct Bin {
    start: Timestamp,
    period_ns: i64,
    /// `(features,)`, of the values that were measured
    sums: Vec<f64>,
    /// `(features,)`
    counts: Vec<u32>,
    /// `(features,)`, the last value that was measured, or NaN
    last: Vec<f32>,
    label: Option<bool>,
    rows: Vec<u64>,
}

impl Bin {
    pub(super) fn new(start: Timestamp, period_ns: i64, record: &Record, rows: Vec<u64>) -> Self {
        let features = record.values.len();
        let mut bin = Self {
            start,
            period_ns,
            sums: vec![0.0; features],
            counts: vec![0; features],
            last: vec![f32::NAN; features],
            label: None,
            rows: Vec::new(),
        };
        bin.add(record, rows);
        bin
    }

    pub(super) fn add(&mut self, record: &Record, rows: Vec<u64>) {
        for (i, &value) in record.values.iter().enumerate().filter(|(_, v)| v.is_finite()) {
            self.sums[i] += f64::from(value);
            self.counts[i] += 1;
            self.last[i] = value;
        }
        // One anomalous row makes the period anomalous.
        self.label = match (self.label, record.label) {
            (Some(a), Some(b)) => Some(a || b),
            (a, b) => a.or(b),
        };
        self.rows.extend(rows);
    }

    /// How many periods after this bin's an instant lies; 0 for the same.
    pub(super) fn ahead(&self, time: Timestamp) -> u64 {
        let dt = i128::from(time.0) - i128::from(self.start.0);
        u64::try_from(dt / i128::from(self.period_ns)).unwrap_or(0)
    }

    /// The start of the bin so many periods later; only asked for bins that begin no later than an
    /// instant that exists.
    pub(super) fn later(&self, periods: u64) -> Timestamp {
        let periods = i64::try_from(periods).unwrap_or(i64::MAX);
        Timestamp(self.start.0.saturating_add(self.period_ns.saturating_mul(periods)))
    }

    pub(super) fn start(&self) -> Timestamp {
        self.start
    }

    pub(super) fn label(&self) -> Option<bool> {
        self.label
    }

    pub(super) fn rows(&self) -> &[u64] {
        &self.rows
    }

    /// `(features,)`; NaN where nothing was measured.
    pub(super) fn values(&self, numeric: &[bool]) -> Vec<f32> {
        numeric
            .iter()
            .enumerate()
            .map(|(i, &numeric)| match self.counts[i] {
                0 => f32::NAN,
                n if numeric => (self.sums[i] / f64::from(n)) as f32,
                _ => self.last[i],
            })
            .collect()
    }
}
