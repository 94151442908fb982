"""ONNX (f32, or INT8 in QDQ form) to a .tflite file at one batch size, for the operators of our models.

A series that ONNX keeps as (batch, channels, time) lies here as (batch, 1, time, channels), as TFLite
wants it, so that transposes between convolutions cost nothing.
"""
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from onnx import numpy_helper

from models import shapes

B = schema.BuiltinOperator
TYPES = {"float32": schema.TensorType.FLOAT32, "int8": schema.TensorType.INT8, "int32": schema.TensorType.INT32}
UNARY = {"Relu": B.RELU, "Exp": B.EXP, "Log": B.LOG, "Sqrt": B.SQRT, "Tanh": B.TANH, "Sigmoid": B.LOGISTIC, "Neg": B.NEG, "Abs": B.ABS}
BINARY = {"Add": (B.ADD, schema.AddOptionsT, "AddOptions"), "Sub": (B.SUB, schema.SubOptionsT, "SubOptions"),
          "Mul": (B.MUL, schema.MulOptionsT, "MulOptions"), "Div": (B.DIV, schema.DivOptionsT, "DivOptions"),
          "Max": (B.MAXIMUM, schema.MaximumMinimumOptionsT, "MaximumMinimumOptions"),
          "Min": (B.MINIMUM, schema.MaximumMinimumOptionsT, "MaximumMinimumOptions")}
REDUCE = {"ReduceSum": B.SUM, "ReduceMean": B.MEAN, "ReduceMax": B.REDUCE_MAX}
# How the schema names the options of operators, and the oldest version that knows what we use.
VERSIONS = {B.FULLY_CONNECTED: 9, B.CONV_2D: 5, B.TRANSPOSE_CONV: 3, B.DEQUANTIZE: 2, B.QUANTIZE: 2, B.GATHER: 2}


class Converter:
    def __init__(self, model, batch):
        self.graph, self.shape, self.batch = model.graph, shapes(model, batch), batch
        self.constants = {w.name: numpy_helper.to_array(w) for w in self.graph.initializer}
        self.readers = {}
        for n in self.graph.node:
            for name in n.input:
                self.readers.setdefault(name, []).append(n)
        self.tensors, self.buffers, self.operators, self.codes = [], [schema.BufferT()], [], []
        self.known = {}      # ONNX name -> (tensor, whether it lies as (batch, 1, time, channels))
        self.quant = {}      # name of an INT8 value -> (scales, zero points, axis)
        self.raw = {}        # dequantized name -> INT8 name
        self.done = set()    # nodes that an earlier one has taken in
        # Shapes that begin with the batch, with which constants are repeated for each sample.
        self.sizes = set()
        for n in self.graph.node:
            if n.op_type == "Shape" or n.op_type == "Concat" and self.sizes & set(n.input):
                self.sizes.add(n.output[0])
            if n.op_type in ("QuantizeLinear", "DequantizeLinear"):
                q = n.output[0] if n.op_type == "QuantizeLinear" else n.input[0]
                scale = self.constants[n.input[1]]
                zero = self.constants[n.input[2]] if len(n.input) > 2 else np.zeros(scale.shape, np.int32)
                self.quant[q] = (scale, zero, attribute(n, "axis", 0))
            if n.op_type == "DequantizeLinear":
                self.raw[n.output[0]] = n.input[0]

    def bytes(self):
        elements = {v.name: "int8" if v.type.tensor_type.elem_type == 3 else "float32" for v in self.graph.input}
        inputs = []
        for v in self.graph.input:
            inputs.append(self.tensor(v.name, self.shape[v.name], elements[v.name], self.quant.get(v.name)))
            self.known[v.name] = (inputs[-1], False)
        for n in self.graph.node:
            if n.name not in self.done:
                self.node(n)
        outputs = [self.plain(v.name) for v in self.graph.output]
        sub = schema.SubGraphT()
        sub.tensors, sub.operators, sub.inputs, sub.outputs = self.tensors, self.operators, inputs, outputs
        model = schema.ModelT()
        model.version, model.subgraphs, model.operatorCodes, model.buffers = 3, [sub], self.codes, self.buffers
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    # Parts of the file.

    def tensor(self, name, shape, dtype, quant=None, data=None):
        t = schema.TensorT()
        t.name, t.shape, t.type, t.buffer, t.hasRank = name.encode(), list(map(int, shape)), TYPES[dtype], 0, True
        if quant is not None:
            q = schema.QuantizationParametersT()
            q.scale, q.zeroPoint = np.atleast_1d(quant[0]).astype(float).tolist(), np.atleast_1d(quant[1]).astype(int).tolist()
            q.quantizedDimension = quant[2]
            t.quantization = q
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            self.buffers.append(buffer)
            t.buffer = len(self.buffers) - 1
        self.tensors.append(t)
        return len(self.tensors) - 1

    def constant(self, data, quant=None):
        return self.tensor(f"k{len(self.tensors)}", data.shape, data.dtype.name, quant, data)

    def emit(self, code, inputs, shape, dtype="float32", quant=None, options=None, name=None):
        y = self.tensor(name or f"t{len(self.tensors)}", shape, dtype, quant)
        op = schema.OperatorT()
        op.opcodeIndex, op.inputs, op.outputs = self.code(code), inputs, [y]
        if options:
            op.builtinOptions = options
            op.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self.operators.append(op)
        return y

    def code(self, code):
        for i, c in enumerate(self.codes):
            if c.builtinCode == code:
                return i
        c = schema.OperatorCodeT()
        c.builtinCode, c.deprecatedBuiltinCode, c.version = code, min(code, 127), VERSIONS.get(code, 1)
        self.codes.append(c)
        return len(self.codes) - 1

    def as_is(self, code, x, shape, options=None, inputs=()):
        """An operator that moves numbers: the result keeps type and quantization."""
        t = self.tensors[x]
        dtype = "int8" if t.type == schema.TensorType.INT8 else "float32"
        quant = t.quantization and (t.quantization.scale, t.quantization.zeroPoint, 0)
        return self.emit(code, [x, *inputs], shape, dtype, quant, options)

    # Values by their ONNX names.

    def integer(self, name):
        """The name of the INT8 value behind `name`, if there is one."""
        return self.raw.get(name)

    def at(self, name, integer=False):
        """The tensor of a value and its layout, as INT8 or as f32."""
        if integer:
            return self.known[self.raw[name]]
        if name in self.constants and name not in self.known:
            self.known[name] = (self.constant(self.constants[name]), False)
        if name not in self.known:
            x, series = self.known[self.raw[name]]
            self.known[name] = (self.emit(B.DEQUANTIZE, [x], self.tensors[x].shape, options=schema.DequantizeOptionsT()), series)
        return self.known[name]

    def plain(self, name, integer=False):
        """The tensor in ONNX's own order of axes."""
        x, series = self.at(name, integer)
        if not series:
            return x
        n, _, t, c = self.tensors[x].shape
        x = self.as_is(B.RESHAPE, x, [n, t, c], reshape([n, t, c]), [self.constant(np.array([n, t, c], np.int32))])
        return self.as_is(B.TRANSPOSE, x, [n, c, t], schema.TransposeOptionsT(), [self.constant(np.array([0, 2, 1], np.int32))])

    def array(self, name):
        """A constant: raw INT8 or INT32 with its scales where it is quantized."""
        q = self.raw.get(name)
        return (self.constants[q], self.quant[q]) if q else (self.constants[name], None)

    def target(self, n, integer):
        """What the node's result is called in the end, its type, scale and fused activation."""
        y, activation = n.output[0], schema.ActivationFunctionType.NONE
        if integer:
            (q,) = self.readers[y]
            if q.op_type == "Relu":
                self.done.add(q.name)
                activation = schema.ActivationFunctionType.RELU
                (q,) = self.readers[q.output[0]]
            self.done.add(q.name)
            return q.output[0], "int8", self.quant[q.output[0]], activation
        if [r.op_type for r in self.readers.get(y, [])] == ["Relu"]:
            (relu,) = self.readers[y]
            self.done.add(relu.name)
            y, activation = relu.output[0], schema.ActivationFunctionType.RELU
        return y, "float32", None, activation

    def is_integer(self, n, activations):
        readers = self.readers.get(n.output[0], [])
        if [r.op_type for r in readers] == ["Relu"]:
            readers = self.readers.get(readers[0].output[0], [])
        return [r.op_type for r in readers] == ["QuantizeLinear"] and all(self.integer(x) for x in activations)

    # Operators.

    def node(self, n):
        kind = n.op_type
        if kind in ("DequantizeLinear", "Shape"):
            return
        if kind == "Concat" and any(name in self.sizes for name in n.input):
            return
        if kind == "Expand" and n.input[1] in self.sizes:
            constant = self.constants[n.input[0]]
            self.constants[n.output[0]] = np.broadcast_to(constant, [self.batch, *constant.shape])
            return
        if kind == "QuantizeLinear":
            x, series = self.at(n.input[0])
            q = n.output[0]
            self.known[q] = (self.emit(B.QUANTIZE, [x], self.tensors[x].shape, "int8", self.quant[q], schema.QuantizeOptionsT()), series)
        elif kind == "Cast":
            self.table(n)
        elif kind in ("Gemm", "MatMul"):
            self.dense(n)
        elif kind in ("Conv", "ConvTranspose"):
            self.conv(n)
        elif kind in BINARY:
            self.binary(n)
        elif kind in UNARY:
            x, series = self.at(n.input[0])
            self.known[n.output[0]] = (self.emit(UNARY[kind], [x], self.tensors[x].shape), series)
        elif kind == "Clip":
            x, series = self.at(n.input[0])
            for code, bound in ((B.MAXIMUM, n.input[1]), (B.MINIMUM, n.input[2])):
                bound = self.constant(np.full([1], self.constants[bound], np.float32))
                x = self.emit(code, [x, bound], self.tensors[x].shape, options=schema.MaximumMinimumOptionsT())
            self.known[n.output[0]] = (x, series)
        elif kind == "Softmax":
            options = schema.SoftmaxOptionsT()
            options.beta = 1.0
            self.known[n.output[0]] = (self.emit(B.SOFTMAX, [self.plain(n.input[0])], self.shape[n.output[0]], options=options), False)
        elif kind in REDUCE:
            axes = attribute(n, "axes", None) or self.constants[n.input[1]]
            options = schema.ReducerOptionsT()
            options.keepDims = True
            axes = self.constant(np.array(axes, np.int32))
            self.known[n.output[0]] = (self.emit(REDUCE[kind], [self.plain(n.input[0]), axes], self.shape[n.output[0]], options=options), False)
        else:
            self.move(n)

    def table(self, n):
        """A cast of bytes, plus 128, gathered from a table: any function of a byte."""
        (add,) = self.readers[n.output[0]]
        (gather,) = self.readers[add.output[0]]
        self.done |= {add.name, gather.name}
        x, series = self.at(n.input[0])
        shape, y = self.tensors[x].shape, gather.output[0]
        index = self.emit(B.CAST, [x], shape, "int32", options=schema.CastOptionsT())
        middle = self.constant(self.constants[add.input[1]].reshape([1]))
        index = self.emit(B.ADD, [index, middle], shape, "int32", options=schema.AddOptionsT())
        quant = self.quant.get(y)
        table = self.constant(self.constants[gather.input[0]], quant)
        self.known[y] = (self.emit(B.GATHER, [table, index], shape, "int8", quant, schema.GatherOptionsT()), series)

    def dense(self, n):
        w, w_quant = self.array(n.input[1])
        if n.op_type == "MatMul" or not attribute(n, "transB", 0):
            w, w_quant = w.T, w_quant and (*w_quant[:2], 0)
        bias, after = (n.input[2] if n.op_type == "Gemm" and len(n.input) > 2 else None), n
        readers = self.readers.get(n.output[0], [])
        if n.op_type == "MatMul" and [r.op_type for r in readers] == ["Add"] and readers[0].input[1] in self.constants:
            after, bias = readers[0], readers[0].input[1]
            self.done.add(after.name)
        integer = w_quant is not None and self.is_integer(after, n.input[:1])
        if w_quant and not integer:
            w, w_quant = dequantized(w, *w_quant), None
        inputs = [self.plain(n.input[0], integer), self.constant(w, w_quant)]
        if bias:
            inputs.append(self.bias(bias, integer))
        y, dtype, quant, activation = self.target(after, integer)
        options = schema.FullyConnectedOptionsT()
        options.fusedActivationFunction, options.keepNumDims = activation, True
        self.known[y] = (self.emit(B.FULLY_CONNECTED, inputs, self.shape[after.output[0]], dtype, quant, options), False)

    def bias(self, name, integer):
        data, quant = self.array(name)
        return self.constant(data if integer or quant is None else dequantized(data, *quant), quant if integer else None)

    def series(self, name, integer):
        """The tensor as (batch, 1, time, channels)."""
        x, series = self.at(name, integer)
        assert series, f"`{name}` is no series"
        return x

    def conv(self, n):
        w, w_quant = self.array(n.input[1])
        transposed = n.op_type == "ConvTranspose"
        integer = w_quant is not None and self.is_integer(n, n.input[:1])
        if w_quant and not integer:
            w, w_quant = dequantized(w, *w_quant), None
        w = w.transpose(1, 2, 0) if transposed else w.transpose(0, 2, 1)  # (outputs, kernel, inputs)
        stride, (before, after) = attribute(n, "strides", [1])[0], attribute(n, "pads", [0, 0])
        x = self.series(n.input[0], integer)
        batch, _, time, channels = self.tensors[x].shape
        kernel = self.constant(w[:, None], w_quant and (*w_quant[:2], 0))
        bias = [self.bias(n.input[2], integer)] if len(n.input) > 2 else []
        y, dtype, quant, activation = self.target(n, integer)
        if transposed:
            shape = [batch, 1, (time - 1) * stride + w.shape[1], w.shape[0]]
            options = schema.TransposeConvOptionsT()
            options.padding, options.strideW, options.strideH = schema.Padding.VALID, stride, 1
            options.fusedActivationFunction = activation
            y_all = self.emit(B.TRANSPOSE_CONV, [self.constant(np.array(shape, np.int32)), kernel, x, *bias], shape, dtype, quant, options)
            rows = shape[2] - before - after
            if rows != shape[2]:
                begin, size = [0, 0, before, 0], [batch, 1, rows, w.shape[0]]
                y_all = self.as_is(B.SLICE, y_all, size, schema.SliceOptionsT(), [self.constant(np.array(v, np.int32)) for v in (begin, size)])
            self.known[y] = (y_all, True)
            return
        if before or after:
            pads = self.constant(np.array([[0, 0], [0, 0], [before, after], [0, 0]], np.int32))
            time += before + after
            x = self.as_is(B.PAD, x, [batch, 1, time, channels], schema.PadOptionsT(), [pads])
        options = schema.Conv2DOptionsT()
        options.padding, options.strideW, options.strideH = schema.Padding.VALID, stride, 1
        options.dilationWFactor, options.dilationHFactor = attribute(n, "dilations", [1])[0], 1
        options.fusedActivationFunction = activation
        rows = self.shape[n.output[0]][2]
        self.known[y] = (self.emit(B.CONV_2D, [x, kernel, *bias], [batch, 1, rows, w.shape[0]], dtype, quant, options), True)

    def binary(self, n):
        integer = self.is_integer(n, n.input)
        both = [self.at(name, integer) for name in n.input]
        series = all(s for _, s in both)
        inputs = [x for x, _ in both] if series else [self.plain(name, integer) for name in n.input]
        code, options, _ = BINARY[n.op_type]
        options = options()
        y, dtype, quant, activation = self.target(n, integer)
        if activation and not hasattr(options, "fusedActivationFunction"):
            raise ValueError(f"{n.op_type} with ReLU")
        if hasattr(options, "fusedActivationFunction"):
            options.fusedActivationFunction = activation
        shape = self.tensors[inputs[0]].shape if series else self.shape[n.output[0]]
        self.known[y] = (self.emit(code, inputs, shape, dtype, quant, options), series)

    def move(self, n):
        integer = self.is_integer(n, [x for x in n.input if x not in self.constants])
        y = n.output[0]
        if n.op_type == "Transpose" and attribute(n, "perm", None) == [0, 2, 1]:
            x, series = self.at(n.input[0], integer)
            a, b, c = self.shape[n.input[0]]
            shape = [a, c, b] if series else [a, 1, b, c]
            x, series = self.as_is(B.RESHAPE, x, shape, reshape(shape), [self.constant(np.array(shape, np.int32))]), not series
        else:
            x, series = self.moved(n, integer), False
        if not integer:
            self.known[y] = (x, series)
            return
        y, dtype, quant, _ = self.target(n, True)
        if not same(self.tensors[x].quantization, quant):
            x = self.emit(B.QUANTIZE, [x], self.tensors[x].shape, dtype, quant, schema.QuantizeOptionsT())
        self.known[y] = (x, series)

    def moved(self, n, integer):
        shape, kind = self.shape[n.output[0]], n.op_type
        i32 = lambda v: self.constant(np.array(v, np.int32))
        if kind == "Concat":
            xs = [self.plain(x, integer) for x in n.input]
            options = schema.ConcatenationOptionsT()
            options.axis = attribute(n, "axis", 0)
            quant = None
            if not integer and self.tensors[xs[0]].type == schema.TensorType.INT8:
                # Bytes that are joined stand for the same, constants too.
                meant = next(self.tensors[x].quantization for x in xs if self.tensors[x].quantization)
                for x in xs:
                    self.tensors[x].quantization = meant
                return self.as_is(B.CONCATENATION, xs[0], shape, options, xs[1:])
            if integer:
                (q,) = self.readers[n.output[0]]
                quant = self.quant[q.output[0]]
                fit = lambda x: x if same(self.tensors[x].quantization, quant) else self.emit(
                    B.QUANTIZE, [x], self.tensors[x].shape, "int8", quant, schema.QuantizeOptionsT())
                xs = [fit(x) for x in xs]
            return self.emit(B.CONCATENATION, xs, shape, "int8" if integer else "float32", quant, options)
        x = self.plain(n.input[0], integer)
        if kind in ("Reshape", "Flatten", "Squeeze", "Unsqueeze"):
            return self.as_is(B.RESHAPE, x, shape, reshape(shape), [i32(shape)])
        if kind == "Slice":
            starts, axes = self.constants[n.input[1]], self.constants[n.input[3]]
            begin = [0] * len(shape)
            for axis, start in zip(axes, starts):
                begin[axis] = int(start) if start >= 0 else int(start) + self.shape[n.input[0]][axis]
            return self.as_is(B.SLICE, x, shape, schema.SliceOptionsT(), [i32(begin), i32(shape)])
        if kind == "Transpose":
            return self.as_is(B.TRANSPOSE, x, shape, schema.TransposeOptionsT(), [i32(attribute(n, "perm", None))])
        raise ValueError(f"no counterpart of `{kind}`")


def reshape(shape):
    options = schema.ReshapeOptionsT()
    options.newShape = list(map(int, shape))
    return options


def same(quantization, quant):
    return np.allclose(quantization.scale, quant[0], rtol=1e-6) and list(quantization.zeroPoint) == np.atleast_1d(quant[1]).tolist()


def dequantized(data, scale, zero, axis):
    shape = [-1 if i == axis else 1 for i in range(data.ndim)]
    at = lambda v: np.atleast_1d(v).reshape(shape) if np.size(v) > 1 else v
    return ((data.astype(np.int64) - at(zero)) * at(scale)).astype(np.float32)


def attribute(node, name, default):
    for a in node.attribute:
        if a.name == name:
            return list(a.ints) if a.type == a.INTS else a.i if a.type == a.INT else a.f
    return default
