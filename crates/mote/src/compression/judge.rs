//! How good a model is, on held-back data.

use std::{cell::OnceCell, ops::ControlFlow};

use mote_data::{Runs, Scaling};
use mote_eval::{
    VolumeConfig, Windows,
    forecast::{Spread, crps_samples},
    generation::{frechet_distance, tail_coverage},
    volume_under_surface,
};
use mote_format::{
    Kind, Model, Schema,
    manifest::{Density, Generator},
};
use mote_learn::judge::{ContextConfig, ContextEncoder};
use mote_runtime::{Detector, Loaded};

use super::{
    Metric,
    faults::{Planted, Planting},
    shown::{self, Shown},
};
use crate::{
    Error,
    completion::{
        Asking,
        draw::{Drawer, Known, Passes},
        generate,
    },
    training::SCORE,
};

/// Held-back windows, of which what is chosen by one half is measured on the other. Planted faults and drawn
/// windows are others in each half; what they are planted into is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    First,
    Second,
}

/// Held-back windows of each half, at most.
const WINDOWS: usize = 256;
/// Those of them of which a part is drawn, at most.
const COMPLETED: usize = 64;
/// Draws of each.
const DRAWS: usize = 32;
/// Samples with planted faults, at least, if data is copied no more than so many times.
const PLANTED: usize = 12_000;
const COPIES: usize = 16;
/// Windows that are drawn and compared, at most.
const DRAWN: usize = 512;
/// Of the held-back windows the share that is rare.
const RARE: f64 = 0.1;

/// What is measured of drawn windows.
type Measure<'m> = dyn Fn(&[f32]) -> Result<Option<f64>, Error> + 'm;

/// Everything that models are measured on.
pub(super) struct Judge<'m> {
    schema: &'m Schema,
    length: usize,
    /// `(features,)`: means and standard deviations of the training data.
    scaling: Scaling,
    held: &'m Runs,
    windows: Vec<Shown>,
    /// For each of the windows whether the whole model finds it rare.
    rare: OnceCell<Vec<bool>>,
    real: Vec<f32>,
    eyes: OnceCell<(ContextEncoder, Vec<f64>)>,
    whole: &'m Model<'m>,
}

impl<'m> Judge<'m> {
    /// # Errors
    ///
    /// [`Error::Data`] if there is no whole window in the data.
    pub(super) fn new(whole: &'m Model<'m>, train: &Runs, held: &'m Runs) -> Result<Self, Error> {
        let length = whole.manifest.window.length;
        let windows = shown::windows(held, length, 2 * WINDOWS)?;
        let real = shown::windows(train, length, DRAWN)?;
        Ok(Self {
            schema: &whole.manifest.schema,
            length,
            scaling: Scaling::fit(train, Default::default()),
            held,
            windows,
            rare: OnceCell::new(),
            real: real.into_iter().flat_map(|[values, _]| values).collect(),
            eyes: OnceCell::new(),
            whole,
        })
    }

    /// The model as it was.
    pub(super) fn whole(&self) -> &'m Model<'m> {
        self.whole
    }

    /// How good a model is on one half; nothing where that is not defined of it.
    ///
    /// # Errors
    ///
    /// [`Error::Load`] of a mistake of ours, [`Error::Evaluate`] where numbers are none.
    pub(super) fn of(
        &self,
        model: &Model<'_>,
        metric: Metric,
        half: Half,
    ) -> Result<Option<f64>, Error> {
        match metric {
            Metric::VusPr => self.volume(model, half),
            Metric::Nats => Ok(self.nats(model)?.map(|nats| mean(&nats, |i| self.is_in(i, half)))),
            Metric::RareNats => {
                let Some(nats) = self.nats(model)? else { return Ok(None) };
                let rare = self.rare()?;
                Ok(Some(mean(&nats, |i| self.is_in(i, half) && rare[i])))
            }
            Metric::ForecastCrps => self.crps(model, half, &|t, _, _| 2 * t >= self.length),
            Metric::ImputationCrps => {
                // Blocks of a sixth of a window, each at its own place of each column.
                let block = self.length.div_ceil(6);
                self.crps(model, half, &|t, column, i| {
                    (t / block + 2 * column + i).is_multiple_of(3)
                })
            }
            Metric::ContextFid => self.drawn(model, half, &|drawn| self.distance(drawn)),
            Metric::Tails => self.drawn(model, half, &|drawn| {
                let [real, drawn] = [&self.real[..], drawn].map(|x| self.as_windows(x));
                Ok(tail_coverage(real?, drawn?, 0.01).map_err(unmeasured)?.recall)
            }),
        }
    }

    fn is_in(&self, i: usize, half: Half) -> bool {
        // One of each pair of neighbours, or all where there is only one.
        self.windows.len() == 1 || i.is_multiple_of(2) == (half == Half::First)
    }

    /// For each window its nats, and its observed values.
    fn nats(&self, model: &Model<'_>) -> Result<Option<Vec<[f64; 2]>>, Error> {
        let Some(program) = model.programs.get(SCORE) else { return Ok(None) };
        if model.manifest.density == Density::Energy {
            return Ok(None);
        }
        let samples = shown::samples(model, program, &self.windows)?;
        let mut instance = Loaded::new(model, SCORE)?.instance();
        let outputs: Vec<_> =
            ["nll", "kl"].iter().filter_map(|name| program.output(name)).collect();
        let mut one = |(sample, window): (&mote_compress::Sample, &Shown)| {
            for (port, x) in program.inputs.iter().zip(sample) {
                instance.input(port.value).copy_from_slice(x);
            }
            instance.run();
            let nats = outputs.iter().flat_map(|id| instance.output(*id));
            let observed = window[1].iter().map(|m| f64::from(*m)).sum();
            [nats.map(|x| f64::from(*x)).sum(), observed]
        };
        Ok(Some(samples.iter().zip(&self.windows).map(&mut one).collect()))
    }

    /// Which windows the whole model finds rare, in each half as many.
    fn rare(&self) -> Result<&[bool], Error> {
        if let Some(known) = self.rare.get() {
            return Ok(known);
        }
        let nats = self.nats(self.whole)?.unwrap_or_default();
        let mut rare = vec![false; self.windows.len()];
        for half in [Half::First, Half::Second] {
            let mut of: Vec<usize> = (0..nats.len()).filter(|&i| self.is_in(i, half)).collect();
            let one = |i: usize| nats[i][0] / nats[i][1].max(1.0);
            of.sort_by(|&a, &b| one(b).total_cmp(&one(a)));
            let count = (RARE * of.len() as f64).ceil() as usize;
            of[..count].iter().for_each(|&i| rare[i] = true);
        }
        Ok(self.rare.get_or_init(|| rare))
    }

    fn volume(&self, model: &Model<'_>, half: Half) -> Result<Option<f64>, Error> {
        if !model.programs.contains_key(SCORE) {
            return Ok(None);
        }
        let copies = PLANTED.div_ceil(self.held.samples().max(1)).clamp(1, COPIES);
        let (mut scores, mut labels) = (Vec::new(), Vec::new());
        for copy in 0..copies {
            let seed = 2 * copy as u64 + u64::from(half == Half::Second);
            let planting = Planting { window: self.length, units: &self.scaling.scale, seed };
            let planted = planting.plant(self.held);
            scores.extend(self.scores(model, &planted)?);
            labels.extend(planted.labels);
        }
        if labels.iter().all(|l| !l) {
            return Ok(None);
        }
        let config = VolumeConfig { window: self.length, ..VolumeConfig::default() };
        let volume = volume_under_surface(&scores, &labels, config);
        Ok(Some(volume.map_err(unmeasured)?.vus_pr))
    }

    /// The score of each sample; the lowest of all while a window fills.
    fn scores(&self, model: &Model<'_>, planted: &Planted) -> Result<Vec<f64>, Error> {
        let features = self.scaling.mean.len();
        let mut detector = Detector::new(model)?;
        let mut scores = vec![f64::NAN; planted.labels.len()];
        for segment in &planted.segments {
            for t in segment.clone() {
                let row = t * features..(t + 1) * features;
                let (values, mask) = (&planted.values[row.clone()], &planted.mask[row]);
                if let Some(scored) = detector.push(mote_runtime::Sample { values, mask }).scored {
                    scores[t] = scored.score;
                }
            }
            detector.reset();
        }
        let lowest = scores.iter().copied().fold(f64::INFINITY, f64::min);
        scores.iter_mut().filter(|s| s.is_nan()).for_each(|s| *s = lowest);
        Ok(scores)
    }

    /// `hidden` says of a sample and a column of window `i` whether it is to be drawn.
    fn crps(
        &self,
        model: &Model<'_>,
        half: Half,
        hidden: &dyn Fn(usize, usize, usize) -> bool,
    ) -> Result<Option<f64>, Error> {
        let Ok(mut drawer) = Drawer::new(model, DRAWS, Asking::default()) else { return Ok(None) };
        let features = self.scaling.mean.len();
        let column: Vec<Option<usize>> = columns(self.schema);
        let step = self.windows.len().div_ceil(2 * COMPLETED) | 1;
        let (mut sum, mut count) = (0.0, 0.0f64);
        for (i, [values, observed]) in self.windows.iter().enumerate().step_by(step) {
            if !self.is_in(i, half) {
                continue;
            }
            let mut mask = observed.clone();
            for (at, known) in mask.iter_mut().enumerate() {
                let place = column[at % features].unwrap_or(at % features);
                *known *= if hidden(at / features, place, i) { 0.0 } else { 1.0 };
            }
            let (known, passes) =
                (Known { values, mask: &mask }, Passes::across_holes(self.length));
            let mut noise = drawer.noise(i as u64);
            let mut tell = |range: std::ops::Range<usize>, drawn: &[f32]| {
                let n = range.len() * features;
                for k in 0..n {
                    let (at, feature) = (range.start * features + k, k % features);
                    if observed[at] == 0.0 || mask[at] > 0.0 || column[feature].is_none() {
                        continue;
                    }
                    let draws = drawn.iter().skip(k).step_by(n);
                    let mut draws: Vec<f64> = draws.map(|x| f64::from(*x)).collect();
                    draws.sort_by(f64::total_cmp);
                    let crps = crps_samples(&[f64::from(values[at])], &draws, Spread::Fair);
                    sum += crps.unwrap_or(f64::NAN) / f64::from(self.scaling.scale[feature]);
                    count += 1.0;
                }
            };
            drawer.complete(known, passes, &mut noise, &mut tell);
        }
        Ok((count > 0.0).then(|| sum / count))
    }

    fn drawn(
        &self,
        model: &Model<'_>,
        half: Half,
        measure: &Measure<'_>,
    ) -> Result<Option<f64>, Error> {
        if model.manifest.generator.is_none() {
            return Ok(None);
        }
        let slow = |g: &Generator| matches!(g, Generator::Iterative { evaluations, .. } if *evaluations > 20);
        let count = self.real.len() / (self.length * self.scaling.mean.len());
        let count =
            if model.manifest.generator.as_ref().is_some_and(slow) { count / 4 } else { count };
        let seed = if half == Half::First { 1 } else { 2 };
        let asking = Asking { seed, ..Asking::default() };
        let drawn = generate(model, count.max(2), &[], asking, |_| ControlFlow::Continue(()))?;
        if drawn.iter().any(|x| !x.is_finite()) {
            return Ok(Some(f64::INFINITY));
        }
        measure(&drawn)
    }

    fn distance(&self, drawn: &[f32]) -> Result<Option<f64>, Error> {
        if self.length < 2 {
            return Ok(None);
        }
        // From 0 to 1, as the encoder was made for.
        let features = self.scaling.mean.len();
        let of = |f: usize| self.real.iter().skip(f).step_by(features).copied();
        let ends =
            (0..features).map(|f| (of(f).fold(f32::MAX, f32::min), of(f).fold(f32::MIN, f32::max)));
        let ends: Vec<(f32, f32)> = ends.collect();
        let scaled = |x: &[f32]| -> Vec<f32> {
            let of = ends.iter().cycle();
            x.iter().zip(of).map(|(x, (low, high))| (x - low) / (high - low).max(1e-9)).collect()
        };
        if self.eyes.get().is_none() {
            let real = scaled(&self.real);
            let real = self.as_windows(&real)?;
            let config = ContextConfig { iterations: Some(200), ..ContextConfig::default() };
            let mut go_on = |_| ControlFlow::Continue(());
            let encoder = ContextEncoder::fit(real, &config, 0, &mut go_on).map_err(unmeasured)?;
            let embedded = encoder.embed(real);
            let _ = self.eyes.set((encoder, embedded));
        }
        let (encoder, real) = self.eyes.get().expect("made above");
        let drawn = scaled(drawn);
        let drawn = encoder.embed(self.as_windows(&drawn)?);
        let width = ContextConfig::default().outputs;
        Ok(Some(frechet_distance(real, &drawn, width).map_err(unmeasured)?.distance))
    }

    fn as_windows<'x>(&self, x: &'x [f32]) -> Result<Windows<'x>, Error> {
        Windows::new(x, self.length, self.scaling.mean.len()).map_err(unmeasured)
    }
}

fn unmeasured(source: mote_eval::Error) -> Error {
    Error::evaluate("the quality of a smaller model", source)
}

/// The sum of nats over that of observed values.
fn mean(nats: &[[f64; 2]], counts: impl Fn(usize) -> bool) -> f64 {
    let counted = nats.iter().enumerate().filter(|(i, _)| counts(*i));
    let [sum, observed] = counted.fold([0.0, 0.0], |[a, b], (_, [x, y])| [a + x, b + y]);
    sum / observed.max(1.0)
}

/// For each feature the number of its column, where that is one of numbers.
fn columns(schema: &Schema) -> Vec<Option<usize>> {
    let of = |(i, c): (usize, &mote_format::Column)| {
        std::iter::repeat_n(matches!(c.kind, Kind::Numeric).then_some(i), c.kind.features())
    };
    schema.columns.iter().enumerate().flat_map(of).collect()
}
