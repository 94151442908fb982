"""The models of the inference benchmark, as ONNX graphs: the one source for every runtime."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, IR = 17, 8


class Graph:
    """An ONNX graph under construction; every value has the batch in front."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.weights, self.inputs, self.count = [], [], [], 0

    def weight(self, *shape, fan_in):
        """Random weights that keep the size of what passes through them."""
        return self.rng.normal(0, (2 / fan_in) ** 0.5, shape).astype(np.float32)

    def constant(self, array):
        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def input(self, name, *shape):
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape]))
        return name

    def node(self, op, *inputs, **attributes):
        self.count += 1
        y = f"v{self.count}"
        self.nodes.append(helper.make_node(op, list(inputs), [y], name=f"{op}{self.count}", **attributes))
        return y

    def dense(self, x, inputs, outputs, relu=True):
        w = self.weight(outputs, inputs, fan_in=inputs)
        b = self.rng.normal(0, 0.1, outputs).astype(np.float32)
        y = self.node("Gemm", x, self.constant(w), self.constant(b), transB=1)
        return self.node("Relu", y) if relu else y

    def conv(self, x, inputs, outputs, kernel, stride, relu=True):
        """Over (batch, channels, time), causal."""
        w = self.weight(outputs, inputs, kernel, fan_in=inputs * kernel)
        b = self.rng.normal(0, 0.1, outputs).astype(np.float32)
        y = self.node("Conv", x, self.constant(w), self.constant(b), kernel_shape=[kernel], strides=[stride], pads=[kernel - stride, 0])
        return self.node("Relu", y) if relu else y

    def finish(self, *outputs):
        """The checked model, outputs in order."""
        names = [helper.make_tensor_value_info(y, TensorProto.FLOAT, None) for y in outputs]
        graph = helper.make_graph(self.nodes, "model", self.inputs, names, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        onnx.checker.check_model(model)
        return model


def dense_chain(*widths, relu_last=False):
    """Layers of these widths with ReLU between them."""
    g = Graph()
    h = g.input("x", widths[0])
    for i, (a, b) in enumerate(zip(widths, widths[1:])):
        h = g.dense(h, a, b, relu=relu_last or i + 2 < len(widths))
    return g.finish(h)


def autoregressive_step(features=8, hidden=32, layers=4):
    """One step of causal convolutions of kernel 2: each layer sees its input now and its input then."""
    g = Graph()
    x, state = g.input("x", features), g.input("state", layers * hidden)
    h, kept = g.dense(x, features, hidden), []
    for i in range(layers):
        axes = [g.constant(np.array([v], np.int64)) for v in (i * hidden, (i + 1) * hidden, 1)]
        past = g.node("Slice", state, *axes)
        kept.append(h)
        h = g.node("Add", h, g.dense(g.node("Concat", past, h, axis=1), 2 * hidden, hidden))
    return g.finish(g.dense(h, hidden, 2 * features, relu=False), g.node("Concat", *kept, axis=1))


def wide_convolutions(time=256, features=16, hidden=256):
    """The encoder of a wide convolutional VAE: time and channels in, a latent mean out."""
    g = Graph()
    h = g.node("Transpose", g.input("x", time, features), perm=[0, 2, 1])
    for i in range(4):
        h, time = g.conv(h, features if i == 0 else hidden, hidden, 4, 2), time // 2
    h = g.node("Transpose", h, perm=[0, 2, 1])
    h = g.node("Reshape", h, g.constant(np.array([-1, time * hidden], np.int64)))
    return g.finish(g.dense(h, time * hidden, 32, relu=False))


BUILT = {
    "one dense layer 16-16": lambda: dense_chain(16, 16, relu_last=True),
    "sine 1-16-16-1": lambda: dense_chain(1, 16, 16, 1),
    "AR step": autoregressive_step,
    "anomaly autoencoder": lambda: dense_chain(640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640),
    "dense 1024-4096-4096-1024": lambda: dense_chain(1024, 4096, 4096, 1024),
    "wide conv encoder": wide_convolutions,
}


def shapes(model, batch):
    """The shape of every value of a model at one batch size."""
    model = onnx.shape_inference.infer_shapes(at_batch(model, batch), strict_mode=True, data_prop=True)
    g = model.graph
    found = {w.name: list(w.dims) for w in g.initializer}
    for v in [*g.input, *g.value_info, *g.output]:
        found[v.name] = [d.dim_value for d in v.type.tensor_type.shape.dim]
    return found


def multiply_adds(model):
    """Products with weights that one sample takes."""
    shape, total = shapes(model, 1), 0
    producers = {n.output[0]: n for n in model.graph.node}
    for n in model.graph.node:
        if n.op_type in ("Gemm", "MatMul", "Conv", "ConvTranspose"):
            w = n.input[1]
            w = shape[producers[w].input[0]] if w in producers else shape[w]
            rows = {"Gemm": shape[n.output[0]][0], "MatMul": int(np.prod(shape[n.output[0]][:-1])), "Conv": shape[n.output[0]][-1],
                    "ConvTranspose": shape[n.input[0]][-1]}[n.op_type]
            total += rows * int(np.prod(w))
    return total


def at_batch(model, batch):
    """The model with one batch size only, for runtimes that want to know."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = batch
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    return model
