"""INT8 by ONNX Runtime's own tool: per-channel weights, calibrated on random data, QDQ form."""
import logging
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

SAMPLES = 64
LAYERS = ["Gemm", "MatMul", "Conv", "ConvTranspose"]


class Normal(CalibrationDataReader):
    """Standard normal inputs; masks of ones."""

    def __init__(self, model):
        rng = np.random.default_rng(1)
        shape = lambda v: [d.dim_value or 1 for d in v.type.tensor_type.shape.dim]
        draw = lambda v: np.ones(shape(v)) if v.name == "mask" else rng.normal(0, 1, shape(v))
        self.rows = iter([{v.name: draw(v).astype(np.float32) for v in model.graph.input} for _ in range(SAMPLES)])

    def get_next(self):
        return next(self.rows, None)


def quantize(model, everything, unsigned=False):
    """The model in INT8; `everything` also makes the border INT8, else only layers with weights are.

    ONNX Runtime computes in unsigned activations on x86 and turns signed ones into them, but cannot
    at the border: it is given `unsigned`, its best case.
    """
    activations = QuantType.QUInt8 if unsigned else QuantType.QInt8
    logging.getLogger().setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "a.onnx", Path(folder) / "b.onnx"
        onnx.save(model, before)
        quantize_static(before, after, Normal(model), quant_format=QuantFormat.QDQ, per_channel=True,
                        activation_type=activations, weight_type=QuantType.QInt8,
                        op_types_to_quantize=None if everything else LAYERS, extra_options={"ForceQuantizeNoInputCheck": everything})
        quantized = onnx.load(after)
    return onnx.shape_inference.infer_shapes(strip_border(quantized, unsigned) if everything else quantized)


def strip_border(model, unsigned):
    """Lets INT8 in and out: drops the first quantization of inputs and the last dequantization."""
    g = model.graph
    element = onnx.TensorProto.UINT8 if unsigned else onnx.TensorProto.INT8
    for v in g.input:
        readers = [n for n in g.node if v.name in n.input]
        (q,) = [n for n in readers if n.op_type == "QuantizeLinear"]
        assert readers == [q], f"{v.name} is read as f32"
        rename(g, q.output[0], v.name)
        g.node.remove(q)
        v.type.tensor_type.elem_type = element
    for v in g.output:
        (dq,) = [n for n in g.node if v.name in n.output]
        assert dq.op_type == "DequantizeLinear", dq.op_type
        old = dq.input[0]
        g.node.remove(dq)
        rename(g, v.name, old)
        v.name = old
        v.type.tensor_type.elem_type = element
    del g.value_info[:]
    return model


def rename(graph, old, new):
    for n in graph.node:
        for names in (n.input, n.output):
            for i, name in enumerate(names):
                if name == old:
                    names[i] = new
