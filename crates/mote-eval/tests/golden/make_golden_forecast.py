"""Writes the golden values for forecasts and their baselines in mote-eval.

Made with Python 3.11.7 and the packages that `make_golden_generation.py` names; run it in the same
environment. All random inputs come from numpy.random.default_rng with the seed written at each case.
"""

import json
import pathlib

import numpy as np
import pandas as pd
import properscoring
import scipy.stats
import sklearn.metrics
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.statespace.structural import UnobservedComponents

HERE = pathlib.Path(__file__).parent


def write(name, value):
    text = json.dumps(value, separators=(",", ":"), default=lambda v: v.tolist())
    (HERE / f"{name}.json").write_text(text + "\n")
    print(f"{name}.json: {len(text)} bytes")


def score_case(seed, n, m, digits):
    rng = np.random.default_rng(seed)
    truth = np.round(rng.normal(size=n), digits)
    samples = np.round(0.3 + 1.2 * rng.normal(size=(n, m)), digits)
    mean, deviation = np.round(rng.normal(size=n), 3), np.round(rng.uniform(0.2, 2, size=n), 3)
    spread = np.abs(samples[:, :, None] - samples[:, None, :]).sum((1, 2))
    levels = [0.1, 0.5, 0.9]
    quantiles = np.quantile(samples, levels, axis=1).T
    pinballs = [sklearn.metrics.mean_pinball_loss(truth, quantiles[:, i], alpha=q)
                for i, q in enumerate(levels)]
    plain = properscoring.crps_ensemble(truth, samples)
    return {
        "truth": truth, "samples": samples.ravel(), "mean": mean, "deviation": deviation,
        "crps": plain.mean(),
        "fair": (plain + 0.5 * spread / m**2 - 0.5 * spread / (m * (m - 1))).mean() if m > 1 else None,
        "normal": properscoring.crps_gaussian(truth, mean, deviation).mean(),
        "levels": levels, "quantiles": quantiles.ravel(), "pinball": pinballs,
        "pit_normal": scipy.stats.norm.cdf(truth, mean, deviation),
    }


def pit_case(seed, n, bins, power):
    values = np.round(np.random.default_rng(seed).uniform(size=n) ** power, 5)
    counts = np.histogram(values, bins=bins, range=(0, 1))[0]
    test = scipy.stats.chisquare(counts)
    return {"values": values, "bins": bins, "counts": counts, "chi_squared": test.statistic,
            "p": test.pvalue}


def gappy(rng, n, missing):
    values = np.round(np.cumsum(rng.normal(size=n)) + 0.1 * np.arange(n), 3)
    observed = rng.uniform(size=n) >= missing
    observed[:3] = True
    return values, observed


def trend_case(seed, n, missing, noise, level, slope):
    rng = np.random.default_rng(seed)
    values, observed = gappy(rng, n, missing)
    series = np.where(observed, values, np.nan)
    model = UnobservedComponents(series, "local linear trend")
    scale = 1e7 * (np.nanvar(series) + noise + level + slope)
    model.ssm.initialize_known(np.array([np.nanmean(series), 0.0]), scale * np.eye(2))
    model.ssm.loglikelihood_burn = 2
    likelihood = model.smooth([noise, level, slope]).llf
    # Smoothed variances are those of the exact diffuse prior: with a large one statsmodels loses digits.
    model = UnobservedComponents(series, "local linear trend", use_exact_diffuse=True)
    result = model.smooth([noise, level, slope])
    smoothed = result.smoothed_state[0]
    deviation = np.sqrt(result.smoothed_state_cov[0, 0] + noise)
    ahead = result.get_forecast(7)
    return {"kind": "trend", "parameters": [noise, level, slope], "values": values,
            "observed": observed.tolist(), "log_likelihood": likelihood, "mean": smoothed,
            "deviation": deviation, "ahead": ahead.predicted_mean,
            "ahead_deviation": np.sqrt(ahead.var_pred_mean)}


def autoregression_case(seed, n, missing, noise, step, phi, mean):
    """The same by conditioning one large normal distribution."""
    rng = np.random.default_rng(seed)
    values, observed = gappy(rng, n, missing)
    time = np.arange(n + 7)
    cov = step / (1 - phi**2) * phi ** np.abs(time[:, None] - time)
    seen = np.flatnonzero(observed)
    own = cov[np.ix_(seen, seen)] + noise * np.eye(len(seen))
    gain = cov[:, seen] @ np.linalg.inv(own)
    expected = mean + gain @ (values[seen] - mean)
    deviation = np.sqrt(np.diag(cov - gain @ cov[seen]) + noise)
    density = scipy.stats.multivariate_normal(np.full(len(seen), mean), own)
    return {"kind": "autoregression", "parameters": [noise, step, phi, mean], "values": values,
            "observed": observed.tolist(), "log_likelihood": density.logpdf(values[seen]),
            "mean": expected[:n], "deviation": deviation[:n], "ahead": expected[n:],
            "ahead_deviation": deviation[n:]}


def smoothing_case(seed, n, period, trend, alpha, beta, gamma, phi):
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    history = np.round(5 + 0.2 * t + 2 * np.sin(2 * np.pi * t / max(period, 2))
                       + 0.4 * rng.normal(size=n), 3)
    season = np.round(np.sin(2 * np.pi * np.arange(period) / period), 3) if period > 1 else None
    level, slope = 4.5, 0.25 if trend else 0.0
    # ETSModel and not ExponentialSmoothing, whose forecasts of whole periods ahead leave the last
    # update of the season out.
    kind = {"error": "add", "trend": "add" if trend else None, "damped_trend": phi < 1,
            "seasonal": "add" if period > 1 else None,
            "seasonal_periods": period if period > 1 else None}
    model = ETSModel(pd.Series(history), initialization_method="known", initial_level=level,
                     initial_trend=slope if trend else None, initial_seasonal=season, **kind)
    rates = {"smoothing_level": alpha, "smoothing_trend": beta, "smoothing_seasonal": gamma,
             "damping_trend": phi}
    states = {"initial_level": level, "initial_trend": slope}
    states |= {f"initial_seasonal.{i}": s for i, s in enumerate(season if period > 1 else [])}
    known = {k: v for k, v in (rates | states).items() if k in model.param_names}
    with model.fix_params(known):
        fit = model.fit(disp=False)
    horizon = 2 * max(period, 5)
    ahead = fit.get_prediction(start=n, end=n + horizon - 1)
    variance = np.asarray(ahead.forecast_variance)
    return {"history": history, "rates": [alpha, beta, gamma, phi], "level": level, "slope": slope,
            "season": season if period > 1 else [], "ahead": np.asarray(ahead.predicted_mean),
            "squares": fit.sse, "relative_variance": variance / variance[0]}


write("forecast", [score_case(100, 12, 20, 3), score_case(101, 6, 1, 3), score_case(102, 9, 8, 0)])
write("pit", [pit_case(103, 200, 10, 1.0), pit_case(104, 120, 7, 1.4)])
write("state_space", [trend_case(105, 40, 0.3, 0.5, 0.8, 0.05), trend_case(106, 25, 0.0, 1.0, 0.0, 0.2),
                      autoregression_case(107, 40, 0.4, 0.3, 0.7, 0.8, 0.5),
                      autoregression_case(108, 20, 0.0, 0.0, 1.0, -0.5, 0.0)])
write("smoothing", [smoothing_case(109, 30, 1, False, 0.4, 0.0, 0.0, 1.0),
                    smoothing_case(110, 30, 1, True, 0.5, 0.1, 0.0, 1.0),
                    smoothing_case(111, 30, 1, True, 0.5, 0.2, 0.0, 0.9),
                    smoothing_case(112, 41, 4, True, 0.3, 0.05, 0.2, 1.0),
                    smoothing_case(113, 50, 7, False, 0.3, 0.0, 0.3, 1.0)])
