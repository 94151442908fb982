"""Times a peer on one model: loads and warms it, then measures whenever a line comes in.

`measure.py ort|litert FILE BATCH` prints one line when ready, then for each line on standard input the
median nanoseconds of a call. What an empty call through the same Python binding costs is taken off,
in favour of the peer.
"""
import sys
import time
from itertools import repeat

import numpy as np

ROUND_S, GROUP_S = 0.15, 0.002


def ramp(shape, dtype):
    n = np.arange(int(np.prod(shape))) * 37 % 201
    return (n / 100 - 1 if dtype == np.float32 else n % 127).astype(dtype).reshape(shape)


def onnx_runtime(file, batch):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    types = {"tensor(float)": np.float32, "tensor(int8)": np.int8, "tensor(uint8)": np.uint8}
    binding, outputs = session.io_binding(), []
    for i in session.get_inputs():
        x = ort.OrtValue.ortvalue_from_numpy(ramp([batch, *i.shape[1:]], types[i.type]))
        binding.bind_ortvalue_input(i.name, x)
        outputs.append(x)
    feed = {i.name: ramp([batch, *i.shape[1:]], types[i.type]) for i in session.get_inputs()}
    # Outputs have a place of their own, so that no call allocates them.
    for o, y in zip(session.get_outputs(), session.run(None, feed)):
        y = ort.OrtValue.ortvalue_from_numpy(y)
        binding.bind_ortvalue_output(o.name, y)
        outputs.append(y)
    inner, bound = session._sess, binding._iobinding
    call = inner.run_with_iobinding
    return loop(lambda: call(bound, None)), loop(lambda: bound is None), (session, binding, outputs)


def litert(file, batch):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=file, num_threads=1)
    interpreter.allocate_tensors()
    for i in interpreter.get_input_details():
        interpreter.set_tensor(i["index"], ramp(i["shape"], i["dtype"]))
    inner = interpreter._interpreter
    invoke, other = inner.Invoke, inner.NumTensors
    return loop(lambda: invoke()), loop(lambda: other(0)), interpreter


def loop(call):
    def run(n):
        for _ in repeat(None, n):
            call()

    return run


def timed(run, empty, group):
    """The median nanoseconds of a call less those of an empty one right behind it: both in the same moment, because
    others slow this machine down for seconds at a time."""
    times, end = [], time.perf_counter() + ROUND_S
    while time.perf_counter() < end:
        start = time.perf_counter_ns()
        run(group)
        middle = time.perf_counter_ns()
        empty(group)
        times.append((2 * middle - start - time.perf_counter_ns()) / group)
    return sorted(times)[len(times) // 2]


def main():
    kind, file, batch = sys.argv[1], sys.argv[2], int(sys.argv[3])
    run, empty, _held = {"ort": onnx_runtime, "litert": litert}[kind](file, batch)
    run(1)
    group, taken = 1, 0
    while taken < GROUP_S:
        start = time.perf_counter()
        run(group)
        taken = time.perf_counter() - start
        group *= 2
    group //= 2
    timed(run, empty, group)
    print("ready", flush=True)
    for _ in sys.stdin:
        print(timed(run, empty, group), flush=True)


if __name__ == "__main__":
    main()
