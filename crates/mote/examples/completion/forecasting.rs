//! How well the future is told.

use std::{collections::BTreeMap, ops::Range};

use mote::{
    Error,
    completion::{
        Asking, Follower, Forecast, Question,
        judge::{Errors, Tally},
    },
};
use mote_data::{Runs, Series};
use mote_eval::forecast::baseline::{
    self, ExponentialSmoothing, Normals, StateSpace, Structure, Trend, seasonal_naive,
};
use mote_format::Model;

use super::{CONFIDENCE, DRAWS, Set};

const HORIZONS: [usize; 2] = [24, 96];
/// Forecasts from which intervals are calibrated before the first one that is judged.
const CALIBRATION: usize = 150;
/// Samples that baselines are fitted to: older ones only take time.
const HISTORY: usize = 960;

pub(super) fn errors(
    model: &Model<'_>,
    set: &Set,
    (whole, calibrate, judge): (&Runs, &Runs, &Runs),
    units: &[f64],
    seed: u64,
) -> Result<BTreeMap<String, BTreeMap<String, Errors>>, Error> {
    let mut found = BTreeMap::new();
    for horizon in HORIZONS {
        let levels = vec![0.5 - CONFIDENCE / 2.0, 0.5, 0.5 + CONFIDENCE / 2.0];
        let asking = Asking { seed, ..Default::default() };
        let question = Question { horizon, levels, draws: DRAWS, asking };
        let mut follower = Follower::new(model, &question)?.calibrating()?;
        let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
        for (series, part) in whole.series().iter().zip(parts(whole, calibrate, judge)) {
            follower.forget();
            let [learned, judged] = part;
            let first = judged.start.saturating_sub(CALIBRATION * set.every + follower.context());
            let learned = learned.start.max(first)..learned.end;
            for t in learned.start..series.len().min(judged.end) {
                follower.push_of(series, t);
                if (t + 1 - learned.start) % set.every != 0 || t + 1 + horizon > judged.end {
                    continue;
                }
                let Some(forecast) = follower.forecast() else { continue };
                if t + 1 >= judged.start {
                    of_model(series, t + 1, &forecast, units, &mut tallies);
                    // They are the same for every seed.
                    if seed == 0 {
                        without_model(series, t + 1, horizon, set, units, &mut tallies);
                    }
                }
            }
        }
        let errors = tallies.iter().filter_map(|(n, t)| Some(((*n).to_owned(), t.errors()?)));
        found.insert(format!("{horizon} ahead"), errors.collect());
    }
    Ok(found)
}

/// Where in each series intervals are calibrated, and where forecasts are judged.
fn parts<'r>(
    whole: &'r Runs,
    calibrate: &'r Runs,
    judge: &'r Runs,
) -> impl Iterator<Item = [Range<usize>; 2]> + 'r {
    let place = |whole: &Series, part: &Series| {
        let samples: Vec<usize> = whole
            .sample_of_row()
            .iter()
            .zip(part.sample_of_row())
            .filter_map(|(whole, part)| part.and(*whole))
            .collect();
        samples[0]..samples[samples.len() - 1] + 1
    };
    whole.series().iter().enumerate().map(move |(i, series)| {
        [place(series, &calibrate.series()[i]), place(series, &judge.series()[i])]
    })
}

fn of_model(
    series: &Series,
    from: usize,
    forecast: &Forecast,
    units: &[f64],
    tallies: &mut BTreeMap<&str, Tally>,
) {
    let features = units.len();
    let width = forecast.draws.len() / DRAWS;
    for i in 0..width {
        let at = from * features + i;
        if series.mask()[at] == 0.0 {
            continue;
        }
        let (truth, unit) = (f64::from(series.values()[at]), units[i % features]);
        let draws = forecast.draws.iter().skip(i).step_by(width).map(|&d| f64::from(d));
        let mut draws: Vec<f64> = draws.collect();
        draws.sort_unstable_by(f64::total_cmp);
        let level = |q| mote_eval::quantile(&draws, q).expect("numbers");
        let plain = (level(0.5 - CONFIDENCE / 2.0), level(0.5 + CONFIDENCE / 2.0));
        let levels = &forecast.quantiles[3 * i..3 * i + 3];
        let mut add = |name, interval| {
            tallies.entry(name).or_default().draws(truth, &draws, interval, unit);
        };
        add("model", plain);
        add("model, calibrated", (levels[0], levels[2]));
    }
}

fn without_model(
    series: &Series,
    from: usize,
    horizon: usize,
    set: &Set,
    units: &[f64],
    tallies: &mut BTreeMap<&str, Tally>,
) {
    let features = units.len();
    let start = from.saturating_sub(HISTORY.max(10 * set.season));
    for (feature, &unit) in units.iter().enumerate() {
        let of = |range: Range<usize>, x: &[f32]| -> Vec<f64> {
            range.map(|t| f64::from(x[t * features + feature])).collect()
        };
        let past = of(start..from, series.values());
        let observed: Vec<bool> =
            of(start..from, series.mask()).iter().map(|&m| m == 1.0).collect();
        let Ok(known) = baseline::Series::new(&past, &observed) else { continue };
        // What is missing in the past, a sample here and there, is bridged for those that need it whole.
        let whole = baseline::interpolate(known);
        let still = || {
            let last = whole.last().copied().unwrap_or_default();
            Normals { mean: vec![last; horizon], deviation: vec![0.0; horizon] }
        };
        let kalman = |structure| {
            StateSpace::fit(known, structure)
                .map_or_else(|_| still(), |m| m.forecast(known, horizon))
        };
        let smoothing = |trend| {
            ExponentialSmoothing::fit(&whole, trend, set.season)
                .map_or_else(|_| still(), |m| m.forecast(horizon))
        };
        let named = [
            ("Kalman, trend", kalman(Structure::LocalLinearTrend)),
            ("Kalman, autoregression", kalman(Structure::Autoregression)),
            ("ETS", smoothing(Trend::None)),
            ("ETS, damped trend", smoothing(Trend::Damped)),
        ];
        let naive = seasonal_naive(&whole, set.season, horizon).expect("a season of past");
        for (h, &naive) in naive.iter().enumerate() {
            let at = (from + h) * features + feature;
            if series.mask()[at] == 0.0 {
                continue;
            }
            let truth = f64::from(series.values()[at]);
            tallies.entry("seasonal-naive").or_default().point(truth, naive, unit);
            for (name, normals) in &named {
                tallies.entry(name).or_default().normal(truth, (normals, h), CONFIDENCE, unit);
            }
        }
    }
}
