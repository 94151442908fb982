//! Baselines against statsmodels, dense normal distributions, and series whose answer is known.

use mote_eval::{
    Error,
    forecast::{
        baseline::{
            ExponentialSmoothing, Normals, Series, StateSpace, Structure, Trend, interpolate,
            period, seasonal_naive,
        },
        crps_normal, interval_quality, point_errors,
    },
};

use crate::golden::{cases, check_close, check_within, number, numbers};
use crate::sampling::Draw;

#[test]
fn gaps_are_bridged_by_lines() {
    #[track_caller]
    fn check(values: &[f64], observed: &[bool], wanted: &[f64]) {
        assert_eq!(interpolate(Series::new(values, observed).unwrap()), wanted);
    }
    let nan = f64::NAN;
    check(&[1.0], &[true], &[1.0]);
    check(&[nan, 2.0, nan], &[false, true, false], &[2.0, 2.0, 2.0]);
    check(
        &[nan, 1.0, nan, nan, 4.0, 5.0, nan],
        &[false, true, false, false, true, true, false],
        &[1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.0],
    );
    assert!(matches!(Series::new(&[nan], &[false]), Err(Error::TooFew { found: 0, .. })));
    assert!(matches!(Series::new(&[nan], &[true]), Err(Error::BadValue { .. })));
    assert!(matches!(Series::new(&[1.0], &[]), Err(Error::Lengths { .. })));
}

#[test]
fn periods_are_found_and_noise_has_none() {
    let mut draw = Draw::new(2);
    let noise: Vec<f64> = (0..480).map(|_| draw.normal()).collect();
    let season: Vec<f64> = (0..480)
        .map(|t| (t as f64 * std::f64::consts::TAU / 24.0).sin() + 0.02 * t as f64 + 0.3 * noise[t])
        .collect();
    assert_eq!(period(&season, 100).unwrap(), Some(24));
    assert_eq!(period(&season, 20).unwrap(), None);
    assert_eq!(period(&[1.0; 50], 20).unwrap(), None);
    assert_eq!(period(&[1.0], 20).unwrap(), None);
    assert_eq!(seasonal_naive(&[9.0, 1.0, 2.0, 3.0], 3, 5).unwrap(), [1.0, 2.0, 3.0, 1.0, 2.0]);
    assert_eq!(seasonal_naive(&[9.0, 1.0], 1, 2).unwrap(), [1.0, 1.0]);
    assert!(matches!(seasonal_naive(&[9.0], 3, 5), Err(Error::TooFew { .. })));
    assert!(matches!(seasonal_naive(&[9.0], 0, 5), Err(Error::TooFew { .. })));
}

#[test]
fn filter_and_smoother_equal_their_references() {
    #[track_caller]
    fn check(what: &str, ours: &Normals, mean: &[f64], deviation: &[f64]) {
        assert_eq!(ours.mean.len(), mean.len());
        for i in 0..mean.len() {
            check_within(what, ours.mean[i], mean[i], 1e-5);
            check_within(what, ours.deviation[i], deviation[i], 1e-5);
        }
    }
    for case in cases(include_str!("../golden/state_space.json")) {
        let p = numbers(&case["parameters"]);
        let model = match case["kind"].as_str() {
            Some("trend") => StateSpace::trend(p[0], p[1], p[2]).unwrap(),
            _ => StateSpace::autoregression(p[0], p[1], p[2], p[3]).unwrap(),
        };
        let values = numbers(&case["values"]);
        let marks = case["observed"].as_array().unwrap();
        let observed: Vec<bool> = marks.iter().map(|o| o.as_bool().unwrap()).collect();
        let series = Series::new(&values, &observed).unwrap();
        let likelihood = model.log_likelihood(series);
        check_within("log-likelihood", likelihood, number(&case["log_likelihood"]), 1e-4);
        let of = |name: &str| numbers(&case[name]);
        check("smoothed", &model.smooth(series), &of("mean"), &of("deviation"));
        check("ahead", &model.forecast(series, 7), &of("ahead"), &of("ahead_deviation"));
    }
}

/// A noisy random walk, with a share of samples hidden.
fn noisy_walk(n: usize, missing: f64) -> (Vec<f64>, Vec<f64>, Vec<bool>) {
    let mut draw = Draw::new(21);
    let mut level = 0.0;
    let (mut truth, mut values, mut observed) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..n {
        level += 0.3 * draw.normal();
        truth.push(level);
        values.push(level + draw.normal());
        observed.push(draw.uniform() >= missing);
    }
    (truth, values, observed)
}

#[test]
fn fitted_smoother_beats_lines_and_covers() {
    let (_, values, observed) = noisy_walk(2000, 0.3);
    let series = Series::new(&values, &observed).unwrap();
    let model = StateSpace::fit(series, Structure::LocalLinearTrend).unwrap();
    assert_eq!(model, StateSpace::fit(series, Structure::LocalLinearTrend).unwrap());
    let best = StateSpace::trend(1.0, 0.09, 1e-9).unwrap().log_likelihood(series);
    assert!(model.log_likelihood(series) > best - 0.5, "{best}");

    let (smooth, lines) = (model.smooth(series), interpolate(series));
    let hidden = |of: &[f64]| -> Vec<f64> {
        of.iter().zip(&observed).filter(|(_, o)| !**o).map(|(v, _)| *v).collect()
    };
    let truth = hidden(&values);
    let (mean, deviation) = (hidden(&smooth.mean), hidden(&smooth.deviation));
    let ours = point_errors(&truth, &mean).unwrap().rmse;
    let theirs = point_errors(&truth, &hidden(&lines)).unwrap().rmse;
    assert!(ours < 0.9 * theirs, "{ours} and {theirs}");
    let low: Vec<f64> = mean.iter().zip(&deviation).map(|(m, d)| m - 1.645 * d).collect();
    let high: Vec<f64> = mean.iter().zip(&deviation).map(|(m, d)| m + 1.645 * d).collect();
    let coverage = interval_quality(&truth, &low, &high, 0.9).unwrap().coverage;
    check_within("coverage", coverage, 0.9, 0.03);
    assert!(crps_normal(&truth, &mean, &deviation).unwrap() < 0.8 * ours);
}

#[test]
fn fitted_autoregression_finds_its_parameters() {
    let mut draw = Draw::new(31);
    let values: Vec<f64> =
        draw.autoregressive(4000, 0.9).iter().map(|x| 3.0 + x + 0.5 * draw.normal()).collect();
    let observed = vec![true; 4000];
    let series = Series::new(&values, &observed).unwrap();
    let model = StateSpace::fit(series, Structure::Autoregression).unwrap();
    let truth = StateSpace::autoregression(0.25, 0.19, 0.9, 3.0).unwrap();
    let gap = truth.log_likelihood(series) - model.log_likelihood(series);
    assert!(gap < 1.0, "{gap}: {model:?}");
    let far = model.forecast(series, 400);
    check_within("mean far ahead", far.mean[399], 3.0, 0.3);
    check_within("deviation far ahead", far.deviation[399], 1.25f64.sqrt(), 0.1);
}

#[test]
fn state_space_refuses_what_it_cannot_fit() {
    let marks = [true; 6];
    let series = |values| Series::new(values, &marks).unwrap();
    let constant = StateSpace::fit(series(&[1.0; 6]), Structure::Autoregression);
    assert!(matches!(constant, Err(Error::Constant { count: 6, .. })));
    let few = Series::new(&[1.0, 2.0], &[true, true]).unwrap();
    let few = StateSpace::fit(few, Structure::LocalLinearTrend);
    assert!(matches!(few, Err(Error::TooFew { found: 2, .. })));
    assert!(StateSpace::trend(-1.0, 1.0, 1.0).is_err());
    assert!(StateSpace::trend(0.0, 0.0, 0.0).is_err());
    assert!(StateSpace::autoregression(1.0, 1.0, 1.0, 0.0).is_err());
    // Without noise the series is known where it was observed, and the smoother stays finite.
    let exact =
        StateSpace::trend(0.0, 1.0, 0.0).unwrap().smooth(series(&[1.0, 2.0, 1.0, 0.0, 3.0, 1.0]));
    assert!(exact.mean.iter().all(|v| v.is_finite()), "{exact:?}");
    check_within("observed", exact.mean[4], 3.0, 1e-6);
}

#[test]
fn smoothing_equals_statsmodels() {
    for case in cases(include_str!("../golden/smoothing.json")) {
        let rates: [f64; 4] = numbers(&case["rates"]).try_into().unwrap();
        let history = numbers(&case["history"]);
        let start = (number(&case["level"]), number(&case["slope"]));
        let season = numbers(&case["season"]);
        let model = ExponentialSmoothing::with_rates(&history, rates, start, &season).unwrap();
        let (wanted, growth) = (numbers(&case["ahead"]), numbers(&case["relative_variance"]));
        let ours = model.forecast(wanted.len());
        let variance = number(&case["squares"]) / history.len() as f64;
        for h in 0..wanted.len() {
            check_close("mean", ours.mean[h], wanted[h]);
            check_close("variance", ours.deviation[h].powi(2), variance * growth[h]);
        }
    }
}

#[test]
fn fitted_smoothing_beats_the_last_season_of_a_noisy_one() {
    let mut draw = Draw::new(41);
    let values: Vec<f64> = (0..240)
        .map(|t| {
            let season = 3.0 * (t as f64 * std::f64::consts::TAU / 12.0).sin();
            10.0 + 0.1 * t as f64 + season + draw.normal()
        })
        .collect();
    let (history, future) = values.split_at(216);
    let model = ExponentialSmoothing::fit(history, Trend::Linear, 12).unwrap();
    assert_eq!(model, ExponentialSmoothing::fit(history, Trend::Linear, 12).unwrap());
    let ours = point_errors(future, &model.forecast(24).mean).unwrap().rmse;
    let naive = seasonal_naive(history, 12, 24).unwrap();
    let theirs = point_errors(future, &naive).unwrap().rmse;
    assert!(ours < 0.8 * theirs, "{ours} and {theirs}");
    check_within("deviation", model.forecast(1).deviation[0], 1.0, 0.25);

    let flat = ExponentialSmoothing::fit(&[2.0; 10], Trend::Damped, 1).unwrap().forecast(3);
    assert_eq!((flat.mean, flat.deviation), (vec![2.0; 3], vec![0.0; 3]));
    let few = ExponentialSmoothing::fit(&[2.0; 10], Trend::None, 6);
    assert!(matches!(few, Err(Error::TooFew { found: 10, wanted: 12, .. })));
    assert!(ExponentialSmoothing::fit(&[f64::NAN; 10], Trend::None, 1).is_err());
}
