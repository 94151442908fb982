//! Forecasts along a series, each from what came before it: of a file sample by sample, or of a stream.

use std::collections::VecDeque;

use mote_data::Series;
use mote_eval::{forecast::Conformal, interval::quantile};
use mote_format::{Kind, Model, manifest::Margins};

use super::{Asking, Calibrator, Forecaster, draw::Known};
use crate::Error;

/// What is forecast.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Samples ahead, at least 1.
    pub horizon: usize,
    /// Levels of the quantiles, ascending, each between 0 and 1.
    pub levels: Vec<f64>,
    /// Draws of each future.
    pub draws: usize,
    /// How the model is asked.
    pub asking: Asking,
}

/// The future of all features after a sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// The last sample that was known, counted from the first of the series.
    pub after: u64,
    /// `(horizon, features, levels)`; calibrated where that was asked for.
    pub quantiles: Vec<f64>,
    /// `(draws, horizon, features)`, as the model made them.
    pub draws: Vec<f32>,
}

/// Forecasts along a series. Memory is bounded.
#[derive(Debug)]
pub struct Follower<'m> {
    forecaster: Forecaster<'m>,
    levels: Vec<f64>,
    /// For each feature, whether it is a number.
    numeric: Vec<bool>,
    calibrated: Vec<Pair>,
    /// Whether forecasts are compared with what happens.
    learning: bool,
    /// `(samples, features)`: the newest samples, at most as many as the context.
    values: Vec<f32>,
    mask: Vec<f32>,
    seen: u64,
    /// Forecasts of which not everything has happened yet: sample after which, and quantiles as the
    /// model made them.
    open: VecDeque<(u64, Vec<f64>)>,
}

/// Two levels that are as far from 0 as from 1, by their places, and how they are off.
#[derive(Debug)]
struct Pair {
    low: usize,
    high: usize,
    off: Off,
}

/// How far an interval is off, with a place for each step and feature.
#[derive(Debug)]
enum Off {
    /// As it is found out along the series.
    Learned(Calibrator),
    /// As the model says of itself: `(places,)`, of which there may be fewer than steps are asked for.
    Known { coverage: f64, margins: Vec<f32> },
}

impl Pair {
    fn widen(&self, place: usize, low: f64, high: f64) -> Option<(f64, f64)> {
        match &self.off {
            Off::Learned(calibrator) => calibrator.widen(place, low, high),
            Off::Known { coverage, margins } => {
                let margin = f64::from(*margins.get(place)?);
                // How many values it is from only explains it.
                let conformal = Conformal { margin, confidence: *coverage, count: 0 };
                Some(conformal.widen(low, high))
            }
        }
    }
}

impl<'m> Follower<'m> {
    /// One that has seen nothing, whose quantiles are as the model draws them.
    ///
    /// # Errors
    ///
    /// As [`Forecaster::new`]; [`Error::Usage`] for levels that are out of order or of range.
    pub fn new(model: &'m Model<'m>, question: &Question) -> Result<Self, Error> {
        let Question { horizon, levels, draws, asking } = question;
        let inside = levels.iter().all(|l| *l > 0.0 && *l < 1.0);
        if levels.is_empty() || !inside || !levels.is_sorted_by(|a, b| a < b) {
            let found = levels.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
            let wanted = "wanted ascending quantiles between 0 and 1";
            return Err(Error::Usage(format!("{wanted}, found {found}")));
        }
        let columns = &model.manifest.schema.columns;
        let kinds = columns.iter().map(|c| (c.kind.features(), matches!(c.kind, Kind::Numeric)));
        Ok(Self {
            forecaster: Forecaster::new(model, *horizon, *draws, *asking)?,
            levels: levels.clone(),
            numeric: kinds.flat_map(|(n, numeric)| std::iter::repeat_n(numeric, n)).collect(),
            calibrated: Vec::new(),
            learning: false,
            values: Vec::new(),
            mask: Vec::new(),
            seen: 0,
            open: VecDeque::new(),
        })
    }

    /// From now on compares forecasts with what happens, and widens quantiles by what it finds.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] where a level but the median has no counterpart as far from 1 as it is from 0.
    pub fn calibrating(mut self) -> Result<Self, Error> {
        let places = self.forecaster.horizon() * self.numeric.len();
        let levels = &self.levels;
        let mirrored = levels.iter().rev().map(|l| 1.0 - l);
        if !levels.iter().zip(mirrored).all(|(a, b)| (a - b).abs() < 1e-9) {
            let wanted = "wanted quantiles in pairs to calibrate, such as 0.05,0.5,0.95";
            let found = levels.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
            return Err(Error::Usage(format!("{wanted}, found {found}")));
        }
        let pair = |low: usize| {
            let high = levels.len() - 1 - low;
            let off = Off::Learned(Calibrator::new(places, levels[high] - levels[low]));
            Pair { low, high, off }
        };
        self.calibrated = (0..levels.len() / 2).map(pair).collect();
        self.learning = true;
        Ok(self)
    }

    /// From now on widens intervals by what the model says of itself, as far as that goes.
    #[must_use]
    pub fn widened(mut self, margins: &Margins) -> Self {
        let levels = &self.levels;
        let pair = |low: usize| {
            let high = levels.iter().position(|l| (l + levels[low] - 1.0).abs() < 1e-9)?;
            let coverage = levels[high] - levels[low];
            let margins = margins.of(coverage).filter(|_| low < high)?.to_vec();
            Some(Pair { low, high, off: Off::Known { coverage, margins } })
        };
        self.calibrated = (0..levels.len()).filter_map(pair).collect();
        self
    }

    /// Steps ahead whose intervals, all of them, are widened to cover what they promise; with what it has
    /// learned so far, if it learns.
    #[must_use]
    pub fn promised(&self) -> usize {
        let median = self.levels.iter().filter(|l| (*l - 0.5).abs() < 1e-9).count();
        if 2 * self.calibrated.len() + median < self.levels.len() {
            return 0;
        }
        let features = self.numeric.len();
        let kept = |step: &usize| {
            let mut places = (step * features..(step + 1) * features).zip(&self.numeric);
            places.all(|(place, numeric)| {
                let mut pairs = self.calibrated.iter();
                !numeric || pairs.all(|pair| pair.widen(place, 0.0, 0.0).is_some())
            })
        };
        (0..self.horizon()).take_while(kept).count()
    }

    /// By how much each interval was off: of a coverage `(horizon, features)`, 0 for words. Only those for
    /// which enough was seen to promise anything.
    #[must_use]
    pub fn learned(&self) -> Vec<(f64, Vec<f32>)> {
        let of = |pair: &Pair| {
            let Off::Learned(calibrator) = &pair.off else { return None };
            let place = |place: usize| match self.numeric[place % self.numeric.len()] {
                true => calibrator.margin(place).map(|m| m as f32),
                false => Some(0.0),
            };
            let places = self.horizon() * self.numeric.len();
            Some((calibrator.confidence(), (0..places).map(place).collect::<Option<_>>()?))
        };
        self.calibrated.iter().filter_map(of).collect()
    }

    /// Samples of the past that a forecast needs.
    #[must_use]
    pub fn context(&self) -> usize {
        self.forecaster.context()
    }

    /// Whether it has seen enough to forecast.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.values.len() == self.context() * self.numeric.len()
    }

    /// Takes a sample `(features,)`; what of it was forecast is compared with it.
    ///
    /// # Panics
    ///
    /// If it has another number of features.
    pub fn push(&mut self, values: &[f32], mask: &[f32]) {
        let features = self.numeric.len();
        assert_eq!([values.len(), mask.len()], [features; 2], "features of a sample");
        self.learn(values, mask);
        if self.is_ready() {
            self.values.drain(..features);
            self.mask.drain(..features);
        }
        self.values.extend_from_slice(values);
        self.mask.extend_from_slice(mask);
        self.seen += 1;
    }

    /// Takes sample `t` of a series.
    ///
    /// # Panics
    ///
    /// If there is no such sample, or it has another number of features.
    pub fn push_of(&mut self, series: &Series, t: usize) {
        let row = t * series.features()..(t + 1) * series.features();
        self.push(&series.values()[row.clone()], &series.mask()[row]);
    }

    /// Samples of the future that a forecast has.
    #[must_use]
    pub fn horizon(&self) -> usize {
        self.forecaster.horizon()
    }

    /// Another series begins: as [`Self::forget`], and its samples count from 0.
    pub fn restart(&mut self) {
        self.forget();
        self.seen = 0;
    }

    /// Time has jumped: forgets the past and what was forecast, but not how far it was off.
    pub fn forget(&mut self) {
        self.values.clear();
        self.mask.clear();
        self.open.clear();
    }

    /// What comes after the newest sample; `None` until there is past enough.
    pub fn forecast(&mut self) -> Option<Forecast> {
        let after = self.seen.checked_sub(1).filter(|_| self.is_ready())?;
        let known = Known { values: &self.values, mask: &self.mask };
        let draws = self.forecaster.draw(known, after);
        let width = draws.len() / self.forecaster.draws();
        let mut quantiles = Vec::with_capacity(width * self.levels.len());
        let mut of_one = vec![0.0; self.forecaster.draws()];
        for i in 0..width {
            for (to, future) in of_one.iter_mut().zip(draws.chunks_exact(width)) {
                *to = f64::from(future[i]);
            }
            of_one.sort_unstable_by(f64::total_cmp);
            let level = |l: &f64| quantile(&of_one, *l).unwrap_or(f64::NAN);
            quantiles.extend(self.levels.iter().map(level));
        }
        if self.learning {
            self.open.push_back((after, quantiles.clone()));
        }
        self.widen(&mut quantiles);
        Some(Forecast { after, quantiles, draws })
    }

    fn widen(&self, quantiles: &mut [f64]) {
        for (place, levels) in quantiles.chunks_exact_mut(self.levels.len()).enumerate() {
            if !self.numeric[place % self.numeric.len()] {
                continue;
            }
            for pair in &self.calibrated {
                let Pair { low, high, .. } = *pair;
                if let Some(wide) = pair.widen(place, levels[low], levels[high]) {
                    (levels[low], levels[high]) = wide;
                }
            }
            // Margins may let quantiles cross; in order they are never worse (Chernozhukov et al. 2010).
            levels.sort_unstable_by(f64::total_cmp);
        }
    }

    /// Compares a sample with all forecasts of it.
    fn learn(&mut self, values: &[f32], mask: &[f32]) {
        let (features, count) = (self.numeric.len(), self.levels.len());
        for (after, quantiles) in &self.open {
            let step = (self.seen - after - 1) as usize;
            for feature in (0..features).filter(|&f| self.numeric[f] && mask[f] == 1.0) {
                let place = step * features + feature;
                let levels = &quantiles[place * count..][..count];
                let truth = f64::from(values[feature]);
                for Pair { low, high, off } in &mut self.calibrated {
                    if let Off::Learned(calibrator) = off {
                        calibrator.learn(place, truth, levels[*low], levels[*high]);
                    }
                }
            }
        }
        let over = |(after, _): &(u64, _)| self.seen - after >= self.forecaster.horizon() as u64;
        while self.open.front().is_some_and(over) {
            self.open.pop_front();
        }
    }
}
