"""Writes the golden values that the tests of the judges in mote-eval compare against.

Made with Python 3.11.7 and these packages from PyPI:

    numpy 2.4.6, scipy 1.17.1, scikit-learn 1.9.1, pandas 3.1.1, statsmodels 0.15.0,
    onnx 1.23.2, onnxruntime 1.32.0, properscoring 0.1, sdmetrics 0.25.0, prdc 0.2, vendi-score 0.0.3

To run again:

    python -m venv golden && . golden/bin/activate
    pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 pandas==3.1.1 statsmodels==0.15.0 \
        onnx==1.23.2 onnxruntime==1.32.0 properscoring==0.1 sdmetrics==0.25.0 prdc==0.2 \
        vendi-score==0.0.3
    python make_golden_generation.py

All random inputs come from numpy.random.default_rng with the seed written at each case.
"""

import json
import pathlib

import numpy as np
import onnx
import onnxruntime
import prdc
import scipy.linalg
import scipy.stats
import sklearn.metrics.pairwise
import vendi_score.vendi
from onnx import TensorProto, helper

HERE = pathlib.Path(__file__).parent


def write(name, value):
    text = json.dumps(value, separators=(",", ":"), default=lambda v: v.tolist())
    (HERE / f"{name}.json").write_text(text + "\n")
    print(f"{name}.json: {len(text)} bytes")


def gru_case(seed, inputs, hidden, time, batch):
    """ONNX's GRU with `linear_before_reset` is what torch.nn.GRU exports to; its gates are z, r, n."""
    rng = np.random.default_rng(seed)
    bound = 1.5 / np.sqrt(hidden)

    def draw(*shape):
        return np.round(rng.uniform(-bound, bound, size=shape), 4).astype(np.float32)

    w, r, wb, rb = (draw(3, hidden, inputs), draw(3, hidden, hidden), draw(3, hidden),
                    draw(3, hidden))
    x = np.round(rng.normal(size=(time, batch, inputs)), 3).astype(np.float32)
    order = [1, 0, 2]
    node = helper.make_node("GRU", ["x", "w", "r", "b"], ["y"], hidden_size=hidden,
                            linear_before_reset=1)
    graph = helper.make_graph(
        [node], "gru", [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(a, n) for n, a in [
            ("w", w[order].reshape(1, 3 * hidden, inputs)),
            ("r", r[order].reshape(1, 3 * hidden, hidden)),
            ("b", np.concatenate([wb[order].ravel(), rb[order].ravel()])[None])]])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    y = session.run(None, {"x": x})[0][:, 0]
    return {
        "inputs": inputs, "hidden": hidden, "time": time, "batch": batch,
        "weights": np.concatenate([a.ravel() for a in (w, r, wb, rb)]).astype(float),
        "x": x.transpose(2, 0, 1).ravel().astype(float),
        "states": y.transpose(2, 0, 1).ravel().astype(float),
    }


def correlation_errors(real, generated):
    """The definitions of TSGBench's ACD and of Diffusion-TS's CrossCorrelLoss, without PyTorch."""

    def acf(x, lags):
        x = x - x.mean((0, 1))
        return np.array([(x[:, k:] * x[:, :x.shape[1] - k]).mean((0, 1)) for k in range(lags)]
                        ) / x.var((0, 1))

    def ccf(x):
        x = (x - x.mean((0, 1))) / x.reshape(-1, x.shape[2]).std(0, ddof=1)
        rows, columns = np.tril_indices(x.shape[2])
        return (x[..., rows] * x[..., columns]).mean(1).mean(0)

    lags = min(64, real.shape[1])
    by_feature = np.sqrt(((acf(real, lags) - acf(generated, lags)) ** 2).sum(0))
    return by_feature, np.abs(ccf(real) - ccf(generated)).sum() / 10


def distance_case(seed, n, m, length, features, shift):
    rng = np.random.default_rng(seed)

    def walks(count, pace):
        x = pace * rng.normal(size=(count, length, features)).cumsum(1)
        x[..., 1:] += 0.5 * x[..., :1]
        return np.round(x, 3).astype(np.float32).astype(float)

    real, generated = walks(n, 1.0), shift + walks(m, 0.9)
    generated = np.round(generated, 3).astype(np.float32).astype(float)
    a, b = real.reshape(n, -1), generated.reshape(m, -1)
    pooled = np.concatenate([a, b])
    sigma = np.median(scipy.spatial.distance.pdist(pooled))

    def kernel(x, y):
        return sklearn.metrics.pairwise.rbf_kernel(x, y, gamma=0.5 / sigma**2)

    mmd = ((kernel(a, a).sum() - n) / (n * (n - 1)) + (kernel(b, b).sum() - m) / (m * (m - 1))
           - 2 * kernel(a, b).mean())
    acf, ccf = correlation_errors(real, generated)
    columns = [(real[..., j].ravel(), generated[..., j].ravel()) for j in range(features)]
    return {
        "length": length, "features": features, "real": a.ravel(), "generated": b.ravel(),
        "bandwidth": sigma, "mmd2": mmd, "acf": acf, "ccf": ccf,
        "prdc": prdc.compute_prdc(a, b, nearest_k=3),
        "vendi": float(vendi_score.vendi.score_K(kernel(a, a))),
        "wasserstein": [scipy.stats.wasserstein_distance(x, y) for x, y in columns],
        "ks": [scipy.stats.ks_2samp(x, y).statistic for x, y in columns],
        "nearest": scipy.spatial.distance.cdist(b, a).min(1),
    }


def frechet_case(seed, n, m, width):
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(width, width))
    a = np.round(rng.normal(size=(n, width)) @ mix, 4)
    b = np.round(0.3 + rng.normal(size=(m, width)) @ (mix + 0.4 * rng.normal(size=mix.shape)), 4)
    s, t = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(np.atleast_2d(s) @ np.atleast_2d(t))
    shift = ((a.mean(0) - b.mean(0)) ** 2).sum()
    return {"width": width, "real": a.ravel(), "generated": b.ravel(), "mean": shift,
            "distance": shift + np.trace(np.atleast_2d(s + t)) - 2 * np.trace(root).real}


def order_two_cases():
    """W2 of samples of unequal size, from quantile functions on the grid of both."""
    cases = []
    for seed, n, m in [(95, 1, 1), (96, 5, 5), (97, 7, 3), (98, 40, 25)]:
        rng = np.random.default_rng(seed)
        a, b = np.round(rng.normal(size=n), 2), np.round(1 + rng.normal(size=m), 2)
        quantiles = (np.arange(n * m) + 0.5) / (n * m)
        x, y = (np.sort(v)[(quantiles * len(v)).astype(int)] for v in (a, b))
        cases.append({"a": a, "b": b, "order_1": scipy.stats.wasserstein_distance(a, b),
                      "order_2": np.sqrt(((x - y) ** 2).mean())})
    return cases


write("gru", [gru_case(80, 1, 1, 3, 1), gru_case(81, 3, 2, 5, 3), gru_case(82, 5, 4, 6, 11)])
write("distances", [distance_case(90, 20, 20, 6, 3, 0.0), distance_case(91, 15, 25, 4, 1, 0.7),
                    distance_case(92, 24, 18, 1, 2, 0.3)])
write("frechet", [frechet_case(93, 40, 30, 5), frechet_case(94, 60, 80, 20),
                  frechet_case(99, 12, 9, 1)])
write("wasserstein", order_two_cases())
