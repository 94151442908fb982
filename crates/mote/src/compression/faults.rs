//! Faults planted into good data, so that passes see what a detector is for, and that it can be judged where
//! nothing is labelled.
//!
//! The kinds are those that sensors show in the field (Ni et al., *Sensor network data fault types*, 2009):
//! spikes, offsets, drifts, values that stick, noise; and a stretch from another time, which is the only
//! one that a column of words can have.

use std::ops::Range;

use mote_data::Runs;
use mote_format::{Kind, Schema};
use mote_learn::random::{Purpose, Random};

/// Data with faults, segment by segment.
#[derive(Clone, Debug, Default)]
pub(super) struct Planted {
    /// `(samples, features)`
    pub(super) values: Vec<f32>,
    /// `(samples, features)`
    pub(super) mask: Vec<f32>,
    /// `(samples,)`: where something is wrong.
    pub(super) labels: Vec<bool>,
    /// Where no gap is.
    pub(super) segments: Vec<Range<usize>>,
}

/// How faults are planted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planting<'u> {
    /// Samples that a detector needs to see before it says anything: so many stay as they are at the
    /// beginning of a segment.
    pub(super) window: usize,
    /// `(features,)`: what a deviation is measured in.
    pub(super) units: &'u [f32],
    /// What is drawn from.
    pub(super) seed: u64,
}

/// Deviations of a fault, in units: from what nobody sees to what nobody misses.
const DEVIATIONS: [f32; 2] = [0.5, 10.0];

impl Planting<'_> {
    /// The samples of `runs` with faults in one column or several.
    pub(super) fn plant(self, runs: &Runs) -> Planted {
        let mut rng = Random::new(self.seed, Purpose::Validation, 0);
        let mut planted = Planted::default();
        for series in runs.series() {
            let begin = planted.labels.len();
            planted.values.extend_from_slice(series.values());
            planted.mask.extend_from_slice(series.mask());
            planted.labels.resize(begin + series.len(), false);
            for segment in series.segments() {
                let segment = begin + segment.start..begin + segment.end;
                self.segment(&mut planted, segment.clone(), runs.schema(), &mut rng);
                planted.segments.push(segment);
            }
        }
        planted
    }

    fn segment(self, to: &mut Planted, segment: Range<usize>, schema: &Schema, rng: &mut Random) {
        // Several in each segment, if it is long, and between two of them a while of 3 to 9 times as many.
        let longest = (2 * self.window).min(segment.len() / 8).max(1);
        let pause = |rng: &mut Random| ((3.0 + 6.0 * rng.unit()) * longest as f32) as usize;
        let features = schema.features();
        let rows = |t: &Range<usize>| t.start * features..t.end * features;
        let whole = to.values[rows(&segment)].to_vec();
        let mut at = segment.start + self.window + (rng.unit() * longest as f32) as usize;
        while at < segment.end {
            let end = at + 1 + (rng.unit() * longest as f32) as usize;
            let fault = at..end.min(segment.end);
            to.labels[fault.clone()].fill(true);
            let spoiled = &mut to.values[rows(&fault)];
            spoil(spoiled, &whole, schema, self.units, rng);
            at = end + pause(rng);
        }
    }
}

/// Plants a fault that lasts for all of `values` `(samples, features)`, in about a third of the columns and at
/// least in one. `elsewhere` is more of the same, at least as long.
pub(super) fn spoil(
    values: &mut [f32],
    elsewhere: &[f32],
    schema: &Schema,
    units: &[f32],
    rng: &mut Random,
) {
    let features = units.len();
    let columns = schema.columns.len();
    let (one, mut first) = (below(columns, rng), 0);
    let from = below((elsewhere.len() - values.len()) / features + 1, rng) * features;
    for (i, column) in schema.columns.iter().enumerate() {
        let of = first..first + column.kind.features();
        first = of.end;
        if i != one && rng.unit() >= 0.33 {
            continue;
        }
        let kind = match column.kind {
            Kind::Numeric => below(6, rng),
            Kind::Categorical { .. } => 5,
        };
        let [least, most] = DEVIATIONS;
        let size = units[of.start] * (least + (most - least) * rng.unit());
        let size = if rng.unit() < 0.5 { -size } else { size };
        let held = values[of.start];
        let count = (values.len() / features) as f32;
        for (t, row) in values.chunks_exact_mut(features).enumerate() {
            let other = &elsewhere[from + t * features..][..features];
            for feature in of.clone() {
                let x = &mut row[feature];
                match kind {
                    // Every few samples, so that a long one is no offset.
                    0 => *x += if t.is_multiple_of(4) { size } else { 0.0 },
                    1 => *x += size,
                    2 => *x += size * (t + 1) as f32 / count,
                    3 => *x = held,
                    4 => *x += size * rng.normal(1)[0],
                    _ => *x = other[feature],
                }
            }
        }
    }
}

fn below(n: usize, rng: &mut Random) -> usize {
    ((rng.unit() * n as f32) as usize).min(n - 1)
}
