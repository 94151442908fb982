//! Kalman filter and smoother for two small state-space models, fitted by likelihood.

use super::{Normals, Series, minimize::minimize};
use crate::{Result, input};

/// Prior variance of an unknown initial state, over that of the series.
const DIFFUSE: f64 = 1e7;
/// The least variance of the observation noise that is fitted, over that of the series.
const LEAST_NOISE: f64 = 1e-6;

/// What a series is made of, beside observation noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structure {
    /// A level and a slope, both random walks: for what drifts.
    LocalLinearTrend,
    /// A stationary autoregression of order one around a mean: for what returns.
    Autoregression,
}

/// A linear Gaussian model with two states, of which the first is observed with noise.
///
/// | | state | step |
/// |---|---|---|
/// | local linear trend | level, slope | `level += slope + ξ`, `slope += ζ` |
/// | autoregression | distance from the mean, – | `x = φ x + ξ` |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StateSpace {
    structure: Structure,
    /// Taken from every observation.
    mean: f64,
    /// `φ`, or 1.
    persistence: f64,
    /// Variances of `ξ` and `ζ`.
    process: [f64; 2],
    /// Variance of the observation noise.
    noise: f64,
}

/// Mean and covariance of the two states.
#[derive(Clone, Copy)]
struct Belief {
    mean: [f64; 2],
    /// Entries 00, 01 and 11.
    spread: [f64; 3],
}

impl StateSpace {
    /// A local linear trend with variances of observation noise, level steps and slope steps.
    ///
    /// # Errors
    ///
    /// Variances that are negative or not finite, or no noise at all.
    pub fn trend(noise: f64, level: f64, slope: f64) -> Result<Self> {
        let process = [level, slope];
        let structure = Structure::LocalLinearTrend;
        Self { structure, mean: 0.0, persistence: 1.0, process, noise }.checked()
    }

    /// An autoregression `x − mean = φ (x − mean) + ξ` with variances of observation noise and of `ξ`.
    ///
    /// # Errors
    ///
    /// Variances as in [`Self::trend`], or `|φ|` of 1 or more.
    pub fn autoregression(noise: f64, step: f64, persistence: f64, mean: f64) -> Result<Self> {
        if persistence.is_nan() || persistence.abs() >= 1.0 {
            let (what, wanted) = ("persistence", "between -1 and 1");
            return Err(crate::Error::OutOfRange { what, value: persistence, wanted });
        }
        let structure = Structure::Autoregression;
        Self { structure, mean, persistence, process: [step, 0.0], noise }.checked()
    }

    fn checked(self) -> Result<Self> {
        let variances = [self.noise, self.process[0], self.process[1]];
        let total: f64 = variances.iter().sum();
        if variances.iter().all(|v| *v >= 0.0) && total > 0.0 && total.is_finite() {
            return Ok(self);
        }
        let wanted = "no negative variance, and one above 0";
        Err(crate::Error::OutOfRange { what: "variance", value: total, wanted })
    }

    /// Maximizes the likelihood of what was observed, from a fixed start, so that the same series gives
    /// the same model. Some 400 passes over the series.
    ///
    /// # Errors
    ///
    /// Fewer than five observed samples, or all of them the same.
    pub fn fit(series: Series<'_>, structure: Structure) -> Result<Self> {
        let (count, mean, variance) = series.moments();
        input::at_least("observed samples", count, 5)?;
        if variance <= 0.0 {
            return Err(crate::Error::Constant { what: "values", value: mean, count });
        }
        let of = |p: &[f64]| {
            let [noise, step, last] = [p[0], p[1], p[2]];
            let noise = variance * (LEAST_NOISE + noise.exp());
            let step = variance * step.exp();
            match structure {
                Structure::LocalLinearTrend => Self::trend(noise, step, variance * last.exp()),
                Structure::Autoregression => Self::autoregression(noise, step, last.tanh(), mean),
            }
        };
        let start = match structure {
            Structure::LocalLinearTrend => [-2.0, -3.0, -6.0],
            Structure::Autoregression => [-2.0, -1.0, 1.0],
        };
        let loss = |p: &[f64]| of(p).map_or(f64::NAN, |model| -model.log_likelihood(series));
        of(&minimize(&start, 1.0, loss))
    }

    /// Log-likelihood of what was observed, in nats. With a trend, the first two observations fix the
    /// initial state and are not counted.
    #[must_use]
    pub fn log_likelihood(&self, series: Series<'_>) -> f64 {
        let mut total = 0.0;
        let mut unknown = if self.structure == Structure::LocalLinearTrend { 2 } else { 0 };
        self.filter(series, |_, _, surprise| {
            if let Some((error, variance)) = surprise {
                if unknown > 0 {
                    unknown -= 1;
                } else {
                    let log = (std::f64::consts::TAU * variance).ln();
                    total -= 0.5 * (log + error * error / variance);
                }
            }
        });
        total
    }

    /// What each sample would be observed as, given all that was observed: imputations, by the smoother
    /// of Rauch, Tung and Striebel, which keeps its digits under a diffuse prior where that of de Jong
    /// does not.
    ///
    /// At an observed sample, too, this is the distribution of another observation of it.
    #[must_use]
    pub fn smooth(&self, series: Series<'_>) -> Normals {
        let (mut predicted, mut beliefs) = (Vec::new(), Vec::new());
        self.filter(series, |before, after, _| {
            predicted.push(before);
            beliefs.push(after);
        });
        for t in (0..beliefs.len().saturating_sub(1)).rev() {
            beliefs[t] = self.smoothed(beliefs[t], predicted[t + 1], beliefs[t + 1]);
        }
        self.observed(&beliefs)
    }

    /// The next `horizon` samples after the series.
    #[must_use]
    pub fn forecast(&self, series: Series<'_>, horizon: usize) -> Normals {
        let mut belief = self.filter(series, |_, _, _| {});
        let mut beliefs = Vec::with_capacity(horizon);
        for _ in 0..horizon {
            beliefs.push(belief);
            belief = self.step(belief);
        }
        self.observed(&beliefs)
    }

    /// Shows for each sample the belief before and after it, and for observed ones the error of the
    /// prediction with its variance. Returns the belief about the sample after the last.
    fn filter(
        &self,
        series: Series<'_>,
        mut see: impl FnMut(Belief, Belief, Option<(f64, f64)>),
    ) -> Belief {
        let mut belief = self.prior(series);
        for (value, observed) in series.values.iter().zip(series.observed) {
            let before = belief;
            let mut surprise = None;
            if *observed {
                let error = value - self.mean - before.mean[0];
                let variance = before.spread[0] + self.noise;
                let gain = [before.spread[0] / variance, before.spread[1] / variance];
                belief.mean = [0, 1].map(|i| before.mean[i] + gain[i] * error);
                // (1 − k) P for the first row, and P₁₁ − k₁ P₀₁ for the rest.
                let rest = self.noise / variance;
                belief.spread = [
                    before.spread[0] * rest,
                    before.spread[1] * rest,
                    before.spread[2] - gain[1] * before.spread[1],
                ];
                surprise = Some((error, variance));
            }
            see(before, belief, surprise);
            belief = self.step(belief);
        }
        belief
    }

    fn prior(&self, series: Series<'_>) -> Belief {
        match self.structure {
            Structure::LocalLinearTrend => {
                let (_, mean, variance) = series.moments();
                let scale = DIFFUSE * (variance + self.noise + self.process[0] + self.process[1]);
                Belief { mean: [mean, 0.0], spread: [scale, 0.0, scale] }
            }
            Structure::Autoregression => {
                let variance = self.process[0] / (1.0 - self.persistence * self.persistence);
                Belief { mean: [0.0; 2], spread: [variance, 0.0, 0.0] }
            }
        }
    }

    /// The belief one step later.
    fn step(&self, Belief { mean: [x, slope], spread: [p00, p01, p11] }: Belief) -> Belief {
        match self.structure {
            Structure::LocalLinearTrend => Belief {
                mean: [x + slope, slope],
                spread: [p00 + 2.0 * p01 + p11 + self.process[0], p01 + p11, p11 + self.process[1]],
            },
            Structure::Autoregression => {
                let phi = self.persistence;
                Belief {
                    mean: [phi * x, 0.0],
                    spread: [phi * phi * p00 + self.process[0], 0.0, 0.0],
                }
            }
        }
    }

    /// What the belief about a sample becomes once the next one is known better than predicted.
    fn smoothed(&self, now: Belief, predicted: Belief, next: Belief) -> Belief {
        let [p00, p01, p11] = now.spread;
        // P Fᵀ, rows by states now and columns by states next.
        let cross = match self.structure {
            Structure::LocalLinearTrend => [[p00 + p01, p01], [p01 + p11, p11]],
            Structure::Autoregression => [[self.persistence * p00, 0.0], [0.0, 0.0]],
        };
        let [q00, q01, q11] = predicted.spread;
        let determinant = q00 * q11 - q01 * q01;
        let inverse = if determinant > 0.0 && q11 > 0.0 {
            [q11 / determinant, -q01 / determinant, q00 / determinant]
        } else {
            [if q00 > 0.0 { 1.0 / q00 } else { 0.0 }, 0.0, 0.0]
        };
        let gain =
            cross.map(|[a, b]| [a * inverse[0] + b * inverse[1], a * inverse[1] + b * inverse[2]]);
        let moved = [0, 1].map(|i| next.mean[i] - predicted.mean[i]);
        let d = [0, 1, 2].map(|i| next.spread[i] - predicted.spread[i]);
        let quadratic = |a: [f64; 2], b: [f64; 2]| {
            a[0] * (d[0] * b[0] + d[1] * b[1]) + a[1] * (d[1] * b[0] + d[2] * b[1])
        };
        Belief {
            mean: [0, 1].map(|i| now.mean[i] + gain[i][0] * moved[0] + gain[i][1] * moved[1]),
            spread: [
                p00 + quadratic(gain[0], gain[0]),
                p01 + quadratic(gain[0], gain[1]),
                p11 + quadratic(gain[1], gain[1]),
            ],
        }
    }

    fn observed(&self, beliefs: &[Belief]) -> Normals {
        Normals {
            mean: beliefs.iter().map(|b| self.mean + b.mean[0]).collect(),
            deviation: beliefs.iter().map(|b| (b.spread[0].max(0.0) + self.noise).sqrt()).collect(),
        }
    }
}
