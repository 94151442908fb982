//! Is it right? Known values are hidden, filled, and compared with what they were, beside what needs
//! no model: a straight line, and a Kalman smoother.

use std::{collections::BTreeMap, ops::ControlFlow};

use mote_data::Series;
use mote_eval::{
    forecast::{
        Spread,
        baseline::{self, Normals, StateSpace, Structure, interpolate},
        crps_normal, crps_samples,
    },
    interval::quantile,
};
use mote_format::{Kind, Schema};
use mote_learn::random::{Purpose, Random};
use serde::{Deserialize, Serialize};

use super::{Calibrator, Seen, draw::Drawer, fill};
use crate::Error;

/// Which known values are hidden.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Hiding {
    /// The share of values, more than 0 and less than 1.
    pub share: f64,
    /// Samples in a row that a column is hidden for; 1 hides single values.
    pub block: usize,
    /// What is drawn from.
    pub seed: u64,
}

impl Hiding {
    /// The mask of a series without what is hidden, `(samples, features)`. All features of a word are
    /// hidden together.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for a share out of range, blocks of nothing, or of more than the series.
    pub fn apply(&self, series: &Series, schema: &Schema) -> Result<Vec<f32>, Error> {
        let Self { share, block, seed } = *self;
        if !(share > 0.0 && share < 1.0) || block == 0 {
            return Err(Error::Usage(format!(
                "wanted a share between 0 and 1 to hide, in blocks of at least 1, found {share} in {block}"
            )));
        }
        if block > series.len() {
            return Err(Error::Usage(format!(
                "{}: wanted blocks to hide of at most the {} samples that there are, found {block}",
                series.name(),
                series.len()
            )));
        }
        // So that the share is hidden in the mean: a block begins so often where none is.
        let length = block as f64;
        let begins = (share / (length * (1.0 - share) + share)) as f32;
        let mut mask = series.mask().to_vec();
        let features = schema.features();
        let mut first = 0;
        for (i, column) in schema.columns.iter().enumerate() {
            let of = first..first + column.kind.features();
            first = of.end;
            let mut rng = Random::new(seed, Purpose::Hiding, i as u64);
            let mut left = 0;
            for row in mask.chunks_exact_mut(features) {
                if left == 0 && rng.unit() < begins {
                    left = block;
                }
                if left > 0 {
                    left -= 1;
                    row[of.clone()].fill(0.0);
                }
            }
        }
        Ok(mask)
    }
}

/// Errors in units of each column's standard deviation, so that columns can be pooled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// Mean absolute error of the median.
    pub mae: f64,
    /// Root of the mean squared error of the median.
    pub rmse: f64,
    /// Continuous ranked probability score; of an answer without a range, the absolute error.
    pub crps: f64,
    /// The share of values inside the interval; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
    /// Values compared.
    pub count: usize,
}

/// Sums up errors, one value at a time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    absolute: f64,
    squares: f64,
    crps: f64,
    inside: usize,
    ranged: usize,
    count: usize,
}

impl Tally {
    /// An answer without a range. `unit` is what errors are measured in.
    pub fn point(&mut self, truth: f64, answer: f64, unit: f64) {
        let error = (answer - truth).abs() / unit;
        self.absolute += error;
        self.squares += error * error;
        self.crps += error;
        self.count += 1;
    }

    /// Draws, ascending, and the interval that is said of them.
    pub fn draws(&mut self, truth: f64, draws: &[f64], interval: (f64, f64), unit: f64) {
        let median = quantile(draws, 0.5).unwrap_or(f64::NAN);
        let spread = if draws.len() > 1 { Spread::Fair } else { Spread::Plain };
        let crps = crps_samples(&[truth], draws, spread).unwrap_or(f64::NAN) / unit;
        self.ranged(truth, median, crps, interval, unit);
    }

    /// The normal distribution of sample `i`, with its central interval of `confidence`.
    pub fn normal(&mut self, truth: f64, (of, i): (&Normals, usize), confidence: f64, unit: f64) {
        let (mean, deviation) = (of.mean[i], of.deviation[i].max(f64::MIN_POSITIVE));
        let crps = crps_normal(&[truth], &[mean], &[deviation]).unwrap_or(f64::NAN) / unit;
        self.ranged(truth, mean, crps, of.interval(i, confidence), unit);
    }

    fn ranged(&mut self, truth: f64, answer: f64, crps: f64, (low, high): (f64, f64), unit: f64) {
        self.point(truth, answer, unit);
        self.crps += crps - (answer - truth).abs() / unit;
        self.inside += usize::from(low <= truth && truth <= high);
        self.ranged += 1;
    }

    /// Adds what another one has summed up.
    pub fn join(&mut self, other: &Self) {
        self.absolute += other.absolute;
        self.squares += other.squares;
        self.crps += other.crps;
        self.inside += other.inside;
        self.ranged += other.ranged;
        self.count += other.count;
    }

    /// The means; `None` of nothing.
    #[must_use]
    pub fn errors(&self) -> Option<Errors> {
        let n = (self.count > 0).then_some(self.count as f64)?;
        let coverage = (self.ranged > 0).then(|| self.inside as f64 / self.ranged as f64);
        Some(Errors {
            mae: self.absolute / n,
            rmse: (self.squares / n).sqrt(),
            crps: self.crps / n,
            coverage,
            count: self.count,
        })
    }
}

/// Errors of the model and of what it has to beat.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// The model, with the quantiles of its draws.
    pub model: Tally,
    /// The model, with intervals that were calibrated.
    pub calibrated: Tally,
    /// Straight lines between known neighbours.
    pub linear: Tally,
    /// A Kalman smoother with a local linear trend, fitted to what is known of each column.
    pub trend: Tally,
    /// A Kalman smoother with an autoregression, likewise.
    pub autoregression: Tally,
}

impl Comparison {
    /// By the names of methods, without those that answered nothing.
    fn named(&mut self) -> [(&'static str, &mut Tally); 5] {
        [
            ("model", &mut self.model),
            ("model, calibrated", &mut self.calibrated),
            ("linear interpolation", &mut self.linear),
            ("Kalman, trend", &mut self.trend),
            ("Kalman, autoregression", &mut self.autoregression),
        ]
    }

    /// Adds another one.
    pub fn join(&mut self, mut other: Self) {
        for ((_, to), (_, from)) in self.named().into_iter().zip(other.named()) {
            to.join(from);
        }
    }

    /// Errors by the name of the method.
    #[must_use]
    pub fn errors(&mut self) -> BTreeMap<String, Errors> {
        let one = |(name, tally): (&str, &mut Tally)| Some((name.to_owned(), tally.errors()?));
        self.named().into_iter().filter_map(one).collect()
    }
}

/// A series of which values are hidden.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// All of it.
    pub series: &'a Series,
    /// What is still known, `(samples, features)`.
    pub mask: &'a [f32],
    /// `(features,)`: what errors are measured in.
    pub units: &'a [f64],
}

impl Trial<'_> {
    /// Fills what is hidden, and compares. Only numbers are compared, with ranges that `calibrator`, which
    /// has a place for each feature, widens where it has learned to.
    ///
    /// # Errors
    ///
    /// As [`fill`].
    pub fn run(
        &self,
        drawer: &mut Drawer<'_>,
        calibrator: &Calibrator,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Comparison, Error> {
        let Self { series, mask, units } = *self;
        let mut found = Comparison::default();
        let features = series.features();
        let numeric = numeric(drawer.schema());
        let confidence = calibrator.confidence();
        let mut reached = vec![false; mask.len()];
        fill(drawer, series, mask, &mut |seen| {
            let hole = match seen {
                Seen::Samples(done) => return progress(done),
                Seen::Hole(hole) => hole,
            };
            let at = hole.sample * features + hole.feature;
            if series.mask()[at] == 0.0 || !numeric[hole.feature] {
                return ControlFlow::Continue(());
            }
            reached[at] = true;
            let (truth, unit) = (f64::from(series.values()[at]), units[hole.feature]);
            let level = |q: f64| quantile(hole.draws, q).unwrap_or(f64::NAN);
            let (low, high) = (level(0.5 - confidence / 2.0), level(0.5 + confidence / 2.0));
            found.model.draws(truth, hole.draws, (low, high), unit);
            let wide = calibrator.widen(hole.feature, low, high).unwrap_or((low, high));
            found.calibrated.draws(truth, hole.draws, wide, unit);
            ControlFlow::Continue(())
        })?;
        for feature in (0..features).filter(|&f| numeric[f]) {
            for segment in series.segments() {
                let places: Vec<usize> = segment.map(|t| t * features + feature).collect();
                self.without_model(&places, &reached, (units[feature], confidence), &mut found);
            }
        }
        Ok(found)
    }

    /// One feature of one segment, at `places` of its values, by lines and smoothers.
    fn without_model(
        &self,
        places: &[usize],
        reached: &[bool],
        (unit, confidence): (f64, f64),
        found: &mut Comparison,
    ) {
        let value = |&i: &usize| f64::from(self.series.values()[i]);
        let values: Vec<f64> = places.iter().map(value).collect();
        let observed: Vec<bool> = places.iter().map(|&i| self.mask[i] == 1.0).collect();
        let Ok(known) = baseline::Series::new(&values, &observed) else { return };
        let line = interpolate(known);
        // What does not vary needs no smoother.
        let still = || Normals { mean: line.clone(), deviation: vec![0.0; line.len()] };
        let smooth = |structure| {
            StateSpace::fit(known, structure).map_or_else(|_| still(), |model| model.smooth(known))
        };
        let trend = smooth(Structure::LocalLinearTrend);
        let autoregression = smooth(Structure::Autoregression);
        for (t, _) in places.iter().enumerate().filter(|(_, i)| reached[**i]) {
            found.linear.point(values[t], line[t], unit);
            found.trend.normal(values[t], (&trend, t), confidence, unit);
            found.autoregression.normal(values[t], (&autoregression, t), confidence, unit);
        }
    }
}

/// For each feature, whether it is a number.
fn numeric(schema: &Schema) -> Vec<bool> {
    let of = |c: &mote_format::Column| {
        std::iter::repeat_n(matches!(c.kind, Kind::Numeric), c.kind.features())
    };
    schema.columns.iter().flat_map(of).collect()
}
