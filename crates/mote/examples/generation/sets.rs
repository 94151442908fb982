//! The sets of the protocol of `TimeGAN`: all windows of a series, every column scaled to 0 to 1 over the
//! whole of it, and sines of random pace and phase.

use std::path::Path;

use mote::{
    Error,
    source::{Reading, Source},
};
use mote_data::{Record, Runs, Series, Windows as Cuts, align::Rules, infer::Plan, windows::Cut};
use mote_format::{Column, Kind, Schema};
use mote_learn::random::{Purpose, Random};

/// Windows of the set of sines, and their columns.
const SINES: [usize; 2] = [10_000, 5];
/// Samples of a window, unless the name of the set says so.
const LENGTH: usize = 24;
/// To find out whether a model repeats what it learned, it is trained without every fifth block of a
/// series. Blocks of the length of so many windows, and not the last fifth of it: most series drift, and
/// then whatever is drawn is nearer to the past that was learned than to an unseen future.
const BLOCK: usize = 10;
const BLOCKS: usize = 5;

/// A set, and what of it is judged.
pub(crate) struct Set {
    pub(crate) length: usize,
    pub(crate) source: Source,
    pub(crate) reading: Reading,
    pub(crate) real: Scaled,
}

impl Set {
    /// What a model may learn, and what it has not seen: every fifth block of each series, or, of windows
    /// that are series of their own, every fifth of them.
    pub(crate) fn parts(&self) -> (Source, Runs) {
        let (mut seen, mut unseen) = (Vec::new(), Vec::new());
        let block = BLOCK * self.length;
        for (run, series) in self.source.runs.series().iter().enumerate() {
            if series.len() == self.length {
                if run % BLOCKS == 0 { &mut unseen } else { &mut seen }.push(series.clone());
                continue;
            }
            for (i, from) in (0..series.len()).step_by(block).enumerate() {
                let part = series.slice(from..series.len().min(from + block));
                if i % BLOCKS == 0 { &mut unseen } else { &mut seen }.extend(part);
            }
        }
        let of = |series| {
            Runs::new(self.source.runs.schema().clone(), series).expect("parts of the same runs")
        };
        (Source { runs: of(seen), ..self.source.clone() }, of(unseen))
    }
}

/// All windows `(windows, length, features)`, every feature from 0 to 1.
pub(crate) struct Scaled {
    pub(crate) data: Vec<f32>,
    /// What 0 stands for, and what the way to 1.
    low: Vec<f32>,
    range: Vec<f32>,
}

impl Scaled {
    /// Brings windows in raw units to the scale of this set.
    pub(crate) fn scale(&self, windows: &mut [f32]) {
        for row in windows.chunks_exact_mut(self.low.len()) {
            for (v, (low, range)) in row.iter_mut().zip(self.low.iter().zip(&self.range)) {
                *v = (*v - low) / range;
            }
        }
    }
}

/// `NAME` or `NAME-LENGTH`.
pub(crate) fn read(name: &str, data: &Path) -> Result<Set, Error> {
    let (kind, length) = match name.split_once('-') {
        Some((kind, length)) => (kind, length.parse().expect("samples of a window")),
        None => (name, LENGTH),
    };
    let mut reading = Reading::default();
    // The protocol trains on everything.
    reading.dataset.split.validation = 0.0;
    let source = match kind {
        "sines" => sines(length),
        "stocks" => reading.learn(&[data.join("timegan/stock_data.csv.gz")])?,
        "energy" => {
            reading.dataset.read.drop = vec!["date".into()];
            reading.learn(&[data.join("timegan/energydata_complete.csv.gz")])?
        }
        "etth" => {
            reading.dataset.read.drop = vec!["date".into()];
            reading.learn(&[data.join("ett/ETTh1.csv.gz")])?
        }
        other => panic!("wanted sines, stocks, energy or etth, found {other}"),
    };
    let extremes = match kind {
        // Made between 0 and 1, and left so: scores of errors depend on it.
        "sines" => [0.0, 1.0].map(|v| vec![v; SINES[1]]),
        _ => extremes(&source.runs),
    };
    let real = scaled(&source.runs, length, extremes)?;
    Ok(Set { length, source, reading, real })
}

/// The lowest and the highest value of each column.
fn extremes(runs: &Runs) -> [Vec<f32>; 2] {
    let features = runs.schema().features();
    let (mut low, mut high) = (vec![f32::MAX; features], vec![f32::MIN; features]);
    for series in runs.series() {
        for row in series.values().chunks_exact(features) {
            low.iter_mut().zip(row).for_each(|(l, v)| *l = l.min(*v));
            high.iter_mut().zip(row).for_each(|(h, v)| *h = h.max(*v));
        }
    }
    [low, high]
}

fn scaled(runs: &Runs, length: usize, [low, high]: [Vec<f32>; 2]) -> Result<Scaled, Error> {
    let range = low.iter().zip(&high).map(|(l, h)| (h - l).max(1e-7)).collect();
    let cuts = Cuts::new(runs, Cut::new(length))?;
    let data = (0..cuts.len()).flat_map(|i| cuts.get(i).values).copied().collect();
    let mut scaled = Scaled { data, low, range };
    let mut data = std::mem::take(&mut scaled.data);
    scaled.scale(&mut data);
    scaled.data = data;
    Ok(scaled)
}

/// Each window is a run of its own (Yoon et al. 2019).
fn sines(length: usize) -> Source {
    let [windows, features] = SINES;
    let column = |c| Column { name: format!("s{c}"), kind: Kind::Numeric };
    let schema = Schema { columns: (0..features).map(column).collect(), period_s: None };
    let rules = Rules::for_schema(&schema);
    let mut rng = Random::new(0, Purpose::Order, 0);
    let mut one = |i| {
        let waves: Vec<[f32; 2]> =
            (0..features).map(|_| [0.1 * rng.unit(), 0.1 * rng.unit()]).collect();
        let row = |t: usize| {
            let value = |w: &[f32; 2]| ((w[0] * t as f32 + w[1]).sin() + 1.0) * 0.5;
            Record::new(None, waves.iter().map(value).collect())
        };
        let rows = (0..length).map(row).collect();
        Series::from_records(format!("sine {i}"), &schema, rules, rows).expect("rows of one kind")
    };
    let series = (0..windows).map(&mut one).collect();
    let runs = Runs::new(schema.clone(), series).expect("runs of one kind");
    let plan = Plan { schema, rules, decisions: Vec::new(), notes: Vec::new() };
    Source { plan, runs, digest: "sines".into(), names: vec!["sines".into()] }
}
