"""Writes the golden values that the tests of mote-eval compare against.

Made with Python 3.11.7 and these packages from PyPI:

    numpy 2.4.6, scipy 1.17.1, scikit-learn 1.9.1, pandas 3.1.1, statsmodels 0.15.0,
    matplotlib (any; only imported), TSB-AD 1.5 and tsad 0.19.4 (both with --no-deps)

and with `nab/sweeper.py` of https://github.com/numenta/NAB at commit
ea702d75cc2258d9d7dd35ca8e5e2539d71f3140 (MIT licence), which is on no package index. The profile
weights are those of `config/profiles.json` (f0f6a37), the normalization that of `nab/runner.py` (ec449a3).

To run again:

    python -m venv golden && . golden/bin/activate
    pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 pandas==3.1.1 \
        statsmodels==0.15.0 matplotlib
    pip install --no-deps TSB-AD==1.5 tsad==0.19.4
    git clone https://github.com/numenta/NAB && git -C NAB checkout ea702d7
    python make_golden.py NAB

All random inputs come from numpy.random.default_rng with the seed written at each case.
"""

import importlib.util
import json
import pathlib
import sys
import types

import numpy as np
import pandas as pd
import scipy.stats
import sklearn.decomposition
import sklearn.metrics

HERE = pathlib.Path(__file__).parent


def package(name):
    """A package without running its `__init__`, which would import what we do not need."""
    parts = name.split(".")
    for i in range(1, len(parts) + 1):
        full = ".".join(parts[:i])
        if full in sys.modules:
            continue
        if i == 1:
            path = list(importlib.util.find_spec(full).submodule_search_locations)
        else:
            path = [p + "/" + parts[i - 1] for p in sys.modules[".".join(parts[: i - 1])].__path__]
        module = types.ModuleType(full)
        module.__path__ = path
        sys.modules[full] = module


package("TSB_AD.evaluation")
package("TSB_AD.utils")
package("tsad.utils.evaluating")
from TSB_AD.evaluation.basic_metrics import basic_metricor, generate_curve  # noqa: E402
from TSB_AD.utils.slidingWindows import find_length_rank  # noqa: E402
from tsad.utils.evaluating.src import single_detecting_boundaries  # noqa: E402
from tsad.utils.evaluating.univariate_funcs import single_evaluate_nab  # noqa: E402

sys.path.insert(0, sys.argv[1])
from nab.sweeper import Sweeper  # noqa: E402


def write(name, value):
    text = json.dumps(value, separators=(",", ":"), default=lambda v: v.item())
    (HERE / f"{name}.json").write_text(text + "\n")
    print(f"{name}.json: {len(text)} bytes")


def labels_of(n, events):
    labels = np.zeros(n, dtype=int)
    for start, end in events:
        labels[start:end] = 1
    return labels


def scores_of(seed, labels, lift, digits):
    """Autocorrelated noise that is lifted inside events; `digits` decimals decide how many ties."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=len(labels))
    for i in range(1, len(noise)):
        noise[i] += 0.6 * noise[i - 1]
    return np.round(noise + lift * labels, digits)


SERIES = [
    # name, samples, events, seed, lift, digits, windows, thresholds
    ("continuous", 500, [(60, 80), (200, 260), (410, 415)], 1, 1.5, 3, [0, 1, 2, 7, 40, 100], 250),
    ("ties", 400, [(50, 90), (300, 310)], 2, 1.0, 0, [0, 5, 30], 250),
    ("ends", 400, [(0, 20), (200, 230), (385, 400)], 3, 1.2, 2, [0, 9, 60], 250),
    ("neighbours", 400, [(100, 104), (108, 120), (150, 151), (155, 170)], 4, 1.0, 2,
     [0, 3, 4, 10, 50], 250),
    ("single_point", 300, [(150, 151)], 5, 4.0, 2, [0, 8, 33], 100),
    ("worse_than_chance", 300, [(30, 70), (200, 240)], 6, -1.5, 2, [0, 20], 250),
    ("constant_scores", 120, [(30, 40)], 7, 0.0, -3, [0, 10], 250),
    ("two_values", 300, [(100, 150)], 8, 2.0, -1, [0, 25], 250),
    ("wide_window", 150, [(70, 75)], 9, 1.0, 2, [200], 40),
    ("few_samples", 12, [(4, 6)], 10, 1.0, 2, [0, 4], 250),
]


def ranking_case(name, n, events, seed, lift, digits, windows, thresholds):
    labels = labels_of(n, events)
    if name == "two_values":
        scores = (scores_of(seed, labels, lift, 3) > 0.8).astype(float)
    elif name == "constant_scores":
        scores = np.zeros(n)
    else:
        scores = scores_of(seed, labels, lift, digits)
    precision, recall, cuts = sklearn.metrics.precision_recall_curve(labels, scores)
    f1 = 2 * precision[:-1] * recall[:-1] / np.maximum(precision[:-1] + recall[:-1], 1e-300)
    best = len(f1) - 1 - int(np.argmax(f1[::-1]))
    fpr, tpr, roc_cuts = sklearn.metrics.roc_curve(labels, scores, drop_intermediate=False)
    grader = basic_metricor()
    volumes = []
    for window in windows:
        tpr3, fpr3, prec3, _, roc, pr = grader.RangeAUC_volume_opt(
            labels_original=labels, score=scores, windowSize=window, thre=thresholds)
        assert generate_curve(labels, scores, window, "opt", thresholds)[-2:] == (roc, pr)
        t, f, p = tpr3[-1], fpr3[-1], prec3[-1]
        volumes.append({
            "window": window, "thresholds": thresholds, "vus_roc": roc, "vus_pr": pr,
            "range_auc_roc": np.dot(np.diff(f), (t[1:] + t[:-1]) / 2),
            "range_auc_pr": np.dot(np.diff(t[:-1]), p[1:]),
        })
    alarms = scores > np.quantile(scores, 0.9)
    adjusted = np.asarray(grader._adjust_predicts(scores, labels, pred=alarms.astype(int)))
    if labels[0]:
        # The reference walks back to sample 1 only, so it leaves sample 0 of an event as it was.
        adjusted[0] = adjusted[1] if labels[1] else adjusted[0]
    prf = sklearn.metrics.precision_recall_fscore_support
    tn, fp, fn, tp = sklearn.metrics.confusion_matrix(labels, alarms, labels=[0, 1]).ravel()
    middle = len(roc_cuts) // 2
    return {
        "name": name, "scores": scores.tolist(), "events": events,
        "auroc": sklearn.metrics.roc_auc_score(labels, scores),
        "average_precision": sklearn.metrics.average_precision_score(labels, scores),
        "best_f1": [cuts[best], precision[best], recall[best], f1[best]],
        "roc_points": len(roc_cuts),
        "roc_middle": [roc_cuts[middle] if middle else None, fpr[middle], tpr[middle]],
        "volumes": volumes,
        "alarm_above": np.quantile(scores, 0.9),
        "confusion": [tp, fp, fn, tn],
        "raw": prf(labels, alarms, average="binary", zero_division=0)[:3],
        "adjusted": prf(labels, adjusted.astype(bool), average="binary", zero_division=0)[:3],
    }


def window_length_cases():
    t = np.arange(450)
    rng = np.random.default_rng(20)
    walk = np.round(np.cumsum(rng.normal(size=450)), 2)
    cases = {
        "period_24": np.round(np.sin(2 * np.pi * t / 24) + 0.2 * rng.normal(size=450), 2),
        "two_periods": np.round(np.sin(t / 9) + 0.5 * np.sin(t / 2.3), 2),
        "noise": np.round(rng.normal(size=450), 2),
        "walk": walk,
        "short": np.round(rng.normal(size=40), 2),
        "constant": np.ones(30),
    }
    return [{"name": k, "series": v.tolist(), "window": int(find_length_rank(v, rank=1))}
            for k, v in cases.items()]


NAB_PROFILES = {
    "standard": {"tpWeight": 1.0, "fpWeight": 0.11, "fnWeight": 1.0},
    "reward_low_FP_rate": {"tpWeight": 1.0, "fpWeight": 0.22, "fnWeight": 1.0},
    "reward_low_FN_rate": {"tpWeight": 1.0, "fpWeight": 0.11, "fnWeight": 2.0},
}


def nab_case(name, files, thresholds):
    """`files` are (rows, modulus, lift, windows); scores are a formula that the test repeats."""
    corpus = []
    for rows, modulus, lift, windows in files:
        scores = np.array([(i * 7919 % modulus) / modulus for i in range(rows)])
        for start, end in windows:
            scores[start:end] = np.minimum(1.0, scores[start:end] + lift)
        corpus.append((scores, windows))
    expected = []
    for profile, costs in NAB_PROFILES.items():
        sweeper = Sweeper(probationPercent=0.15, costMatrix=costs)

        def files_of():
            for k, (scores, windows) in enumerate(corpus):
                yield (list(range(len(scores))), scores,
                       [(start, end - 1) for start, end in windows], f"file{k}")

        everything, null = [], 0.0
        for args in files_of():
            rows = sweeper.calcSweepScore(*args)
            everything += rows
            null += sweeper.calcScoreByThreshold(rows)[0].score
        perfect = costs["tpWeight"] * sum(len(w) for _, w in corpus)
        swept = sorted(sweeper.calcScoreByThreshold(everything), key=lambda s: s.score,
                       reverse=True)
        best = swept[0]
        at = []
        for threshold in thresholds:
            rows = [sweeper.scoreDataSet(*args, threshold)[1] for args in files_of()]
            raw = sum(r.score for r in rows)
            at.append({"threshold": threshold, "raw": raw,
                       "normalized": 100 * (raw - null) / (perfect - null),
                       "confusion": [sum(getattr(r, k) for r in rows)
                                     for k in ("tp", "fp", "fn", "tn")]})
        first = sweeper.calcSweepScore(*next(files_of()))
        expected.append({
            "profile": profile, "at": at, "null": null, "perfect": perfect,
            "best": {"threshold": best.threshold, "raw": best.score,
                     "normalized": 100 * (best.score - null) / (perfect - null),
                     "confusion": [best.tp, best.fp, best.fn, best.tn]},
            "row_values": [first[i].sweepScore for i in range(0, len(first), len(first) // 20)],
        })
    return {"name": name, "files": files, "expected": expected}


def nab_cases():
    return [
        nab_case("three_files", [
            (400, 997, 0.3, [(100, 140), (250, 260)]),
            (300, 101, 0.1, [(200, 300)]),
            (350, 499, 0.5, [(120, 121), (121, 160)]),
        ], [0.5, 0.9, 0.99]),
        nab_case("window_in_probation", [(400, 997, 0.3, [(20, 80), (310, 340)]),
                                         (200, 51, 0.2, [(5, 10), (150, 170)])], [0.8]),
        nab_case("long_file", [(6000, 1009, 0.4, [(2000, 2300), (5000, 5200)])], [0.95]),
        nab_case("silence_is_best", [(300, 997, -0.5, [(200, 210)])], [0.5]),
    ]


def change_point_cases():
    cases = []
    rng = np.random.default_rng(40)
    for name, n, truth, alarms, step in [
        ("one_file", 400, [[100, 250]], [[5, 112, 300, 380]], 1.0),
        ("overlapping_windows", 400, [[100, 130, 135]], [[133, 195, 196]], 1.0),
        ("on_the_edges", 400, [[100, 300]], [[160, 300]], 1.0),
        ("at_the_end", 200, [[190]], [[195]], 1.0),
        ("half_seconds", 600, [[100, 400]], [[150, 530]], 0.5),
        ("several_files", 500, [[100, 350], [200], []],
         [sorted(rng.choice(500, 8, replace=False).tolist()) for _ in range(3)], 1.0),
    ]:
        total = np.zeros((3, 3))
        for t, p in zip(truth, alarms):
            index = pd.date_range("2020-03-09", periods=n, freq=pd.Timedelta(seconds=step))
            true, predicted = pd.Series(0, index=index), pd.Series(0, index=index)
            true.iloc[t] = 1
            predicted.iloc[p] = 1
            bounds = single_detecting_boundaries(
                true, None, predicted, 0.1, "60s", "righter", "cut right window")
            total += single_evaluate_nab(bounds, predicted)
        scores = 100 * (total[0] - total[1]) / (total[2] - total[1])
        cases.append({"name": name, "samples": n, "step_s": step, "truth": truth,
                      "predicted": alarms, "scores": scores.tolist()})
    return cases


def rank_cases():
    cases = []
    for seed, n, m, shift, digits in [(50, 30, 40, 0.5, 3), (51, 12, 9, -1.0, 3),
                                      (52, 60, 25, 0.0, 0), (53, 8, 8, 0.3, 1)]:
        rng = np.random.default_rng(seed)
        x = np.round(rng.normal(size=n) + shift, digits)
        y = np.round(rng.normal(size=m), digits)
        tests = {}
        for alternative in ("two-sided", "less", "greater"):
            result = scipy.stats.mannwhitneyu(x, y, alternative=alternative, method="asymptotic")
            tests[alternative] = [result.statistic, result.pvalue]
        cases.append({"first": x.tolist(), "second": y.tolist(), "tests": tests})
    return cases


def interval_cases():
    cases = []
    for seed, n, confidence in [(60, 2, 0.95), (61, 5, 0.95), (62, 10, 0.99), (63, 200, 0.9)]:
        values = np.round(np.random.default_rng(seed).normal(0.8, 0.05, size=n), 4)
        low, high = scipy.stats.t.interval(confidence, n - 1, values.mean(),
                                           scipy.stats.sem(values))
        cases.append({"values": values.tolist(), "confidence": confidence,
                      "interval": [low, high], "std_dev": values.std(ddof=1),
                      "quantiles": [[q, np.quantile(values, q)]
                                    for q in (0, 0.05, 0.5, 0.73, 0.99, 1)]})
    return cases


def density_cases():
    cases = []
    for seed, rows, width in [(70, 30, 1), (71, 40, 2), (72, 60, 5)]:
        rng = np.random.default_rng(seed)
        points = np.round(rng.normal(size=(rows, width)) @ rng.normal(size=(width, width)), 3)
        queries = np.round(rng.normal(size=(4, width)) * 3, 3)
        queries[3] *= 20
        density = scipy.stats.gaussian_kde(points.T)
        case = {"width": width, "points": points.ravel().tolist(),
                "queries": queries.ravel().tolist(),
                "log_density": density.logpdf(queries.T).tolist()}
        if width > 1:
            pca = sklearn.decomposition.PCA(n_components=2, svd_solver="full").fit(points)
            case["axes"] = pca.components_.tolist()
            case["variance_share"] = pca.explained_variance_ratio_.tolist()
            case["projected"] = pca.transform(points)[:3].tolist()
        cases.append(case)
    return cases


def pareto_cases():
    """Excesses at the plotting positions of a known distribution, fitted by SciPy."""
    cases = []
    for n, shape in [(50, 0.3), (200, 0.1), (200, -0.2), (400, 0.0), (1000, 0.6)]:
        p = (np.arange(n) + 0.5) / n
        excesses = scipy.stats.genpareto.ppf(p, shape)
        c, _, scale = scipy.stats.genpareto.fit(excesses, floc=0)
        log_likelihood = scipy.stats.genpareto.logpdf(excesses, c, 0, scale).sum()
        cases.append({"excesses": n, "shape": shape, "fit_shape": c, "fit_scale": scale,
                      "log_likelihood": log_likelihood})
    return cases


write("ranking", [ranking_case(*case) for case in SERIES])
write("window_length", window_length_cases())
write("nab", nab_cases())
write("change_points", change_point_cases())
write("rank", rank_cases())
write("interval", interval_cases())
write("density", density_cases())
write("pareto", pareto_cases())
