//! Exponential smoothing with additive errors, trend and season (Holt and Winters; ETS).

use super::{Normals, minimize::minimize};
use crate::{Error, Result, input};

/// How a trend goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trend {
    /// There is none.
    None,
    /// By the same step.
    Linear,
    /// By steps that shrink.
    Damped,
}

/// A fitted model: `ŷ = level + φ slope + season`, and after each sample, with its error `e`,
/// `level += φ slope + α e`, `slope = φ slope + β e`, `season += γ e` (Hyndman et al., *Forecasting
/// with Exponential Smoothing*, 2008, models ANN, AAN, AAdN, ANA, AAA and AAdA).
#[derive(Clone, Debug, PartialEq)]
pub struct ExponentialSmoothing {
    rates: Rates,
    level: f64,
    slope: f64,
    /// `(period,)`, the next one first; empty where there is no season.
    season: Vec<f64>,
    /// Of the errors one step ahead, over the samples less the fitted rates.
    variance: f64,
}

/// What is fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rates {
    /// `α`, `β` (that of the error, in statsmodels' terms `α β`), `γ` and `φ`.
    alpha: f64,
    beta: f64,
    gamma: f64,
    phi: f64,
}

impl ExponentialSmoothing {
    /// Fits the rates by least squares of the errors one step ahead; initial states come from the
    /// first two periods (without a season: of one sample). A `period` of 1 is none.
    ///
    /// The same history gives the same model. Some 500 passes over it.
    ///
    /// # Errors
    ///
    /// Non-finite input, a period of zero, or fewer samples than two periods and five.
    pub fn fit(history: &[f64], trend: Trend, period: usize) -> Result<Self> {
        input::finite("history", history)?;
        input::at_least("samples of a period", period, 1)?;
        input::at_least("samples of history", history.len(), 5.max(2 * period))?;
        let start = Self::start(history, trend, period);
        let scale = {
            let mean = history.iter().sum::<f64>() / history.len() as f64;
            history.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>().max(f64::MIN_POSITIVE)
        };
        let of = |p: &[f64]| Rates::from_free(p, trend, period);
        let loss = |p: &[f64]| start.clone().run(history, of(p)) / scale;
        let best = of(&minimize(&[-1.0, -3.0, -2.0, 1.0], 1.0, loss));
        let mut fitted = start;
        let squares = fitted.run(history, best);
        let used = 1 + usize::from(trend != Trend::None) + usize::from(period > 1);
        fitted.variance = squares / (history.len() - used) as f64;
        Ok(fitted)
    }

    /// With given rates and initial states, run over a history. `slope_rate` is `β`, the part of an
    /// error that goes into the slope; `season` starts with that of the first sample, and is empty or
    /// of one value where there is none.
    ///
    /// # Errors
    ///
    /// Empty or non-finite history, rates outside of [0, 1], or states that are not finite.
    pub fn with_rates(
        history: &[f64],
        [level_rate, slope_rate, season_rate, damping]: [f64; 4],
        (level, slope): (f64, f64),
        season: &[f64],
    ) -> Result<Self> {
        input::some("history", history)?;
        input::finite("history", history)?;
        input::finite("season", season)?;
        input::finite("level and slope", &[level, slope])?;
        for value in [level_rate, slope_rate, season_rate, damping] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::OutOfRange { what: "rate", value, wanted: "from 0 to 1" });
            }
        }
        let rates = Rates { alpha: level_rate, beta: slope_rate, gamma: season_rate, phi: damping };
        let mut model = Self { rates, level, slope, season: season.to_vec(), variance: 0.0 };
        model.variance = model.run(history, rates) / history.len() as f64;
        Ok(model)
    }

    /// The next `horizon` samples, normal with the variances of class 1 in Hyndman et al.:
    /// `σ² (1 + Σ_{j<h} c_j²)` with `c_j = α + β (φ + … + φʲ) + γ [j is a whole number of periods]`.
    #[must_use]
    pub fn forecast(&self, horizon: usize) -> Normals {
        let Rates { alpha, beta, gamma, phi } = self.rates;
        let (mut mean, mut deviation) = (Vec::new(), Vec::new());
        let (mut damped, mut power, mut growth) = (0.0, 1.0, 1.0);
        for h in 1..=horizon {
            power *= phi;
            damped += power;
            let season =
                if self.season.is_empty() { 0.0 } else { self.season[(h - 1) % self.season.len()] };
            mean.push(self.level + damped * self.slope + season);
            deviation.push((self.variance * growth).sqrt());
            let again = !self.season.is_empty() && h % self.season.len() == 0;
            let weight = alpha + beta * damped + if again { gamma } else { 0.0 };
            growth += weight * weight;
        }
        Normals { mean, deviation }
    }

    /// Initial states from the first two periods.
    fn start(history: &[f64], trend: Trend, period: usize) -> Self {
        let mean = |from: usize| history[from..from + period].iter().sum::<f64>() / period as f64;
        let (first, second) = (mean(0), mean(period));
        let slope = if trend == Trend::None { 0.0 } else { (second - first) / period as f64 };
        // The level before the first sample: the mean is that of the middle of the period.
        let level = first - slope * (period as f64 + 1.0) / 2.0;
        let season = match period {
            1 => Vec::new(),
            _ => (0..period).map(|i| history[i] - level - slope * (i as f64 + 1.0)).collect(),
        };
        let rates = Rates { alpha: 0.0, beta: 0.0, gamma: 0.0, phi: 1.0 };
        Self { rates, level, slope, season, variance: 0.0 }
    }

    /// Passes over a history; the sum of squared errors one step ahead.
    fn run(&mut self, history: &[f64], rates: Rates) -> f64 {
        self.rates = rates;
        let Rates { alpha, beta, gamma, phi } = rates;
        let period = self.season.len();
        let mut squares = 0.0;
        for (t, y) in history.iter().enumerate() {
            let carried = self.level + phi * self.slope;
            let season = if period > 0 { self.season[t % period] } else { 0.0 };
            let error = y - carried - season;
            self.level = carried + alpha * error;
            self.slope = phi * self.slope + beta * error;
            if period > 0 {
                self.season[t % period] += gamma * error;
            }
            squares += error * error;
        }
        if period > 0 {
            self.season.rotate_left(history.len() % period);
        }
        squares
    }
}

impl Rates {
    /// Rates within their usual bounds, `β < α` and `γ < 1 − α`, from any four numbers.
    fn from_free(p: &[f64], trend: Trend, period: usize) -> Self {
        let share = |x: f64| 1.0 / (1.0 + (-x).exp());
        let alpha = share(p[0]);
        Self {
            alpha,
            beta: if trend == Trend::None { 0.0 } else { alpha * share(p[1]) },
            gamma: if period > 1 { (1.0 - alpha) * share(p[2]) } else { 0.0 },
            phi: if trend == Trend::Damped { 0.8 + 0.18 * share(p[3]) } else { 1.0 },
        }
    }
}
