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


write("gru", [gru_case(80, 1, 1, 3, 1), gru_case(81, 3, 2, 5, 3), gru_case(82, 5, 4, 6, 11)])
