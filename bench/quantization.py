#!/usr/bin/env python3
"""INT8 by `mote compress` beside the static quantization of ONNX Runtime, from the same exported weights.

Run from the root of the repository:
    python3 bench/quantization.py [--data FOLDER] [--seeds 5] [--models vae,flow]

Trains detectors on files of SKAB, exports their score program as ONNX, has ONNX Runtime quantize that with
the windows of the first 320 rows, and `mote compress` the model that it came from, whose integers are
exported too. All of them run in ONNX Runtime, graph optimizations off, so that what differs is the
quantization alone; and what they say of a window is compared with what the real numbers say: on the rows
behind, which are normal too, and on all rows behind those, which hold faults. Then each runs once more as its
own runtime runs it best, for its time. Writes docs/results/quantization.md. Needs bench/.venv, which
bench/inference.py installs.
"""
import argparse, contextlib, csv, gzip, json, math, os, statistics, subprocess, sys, tempfile, time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / "bench" / ".venv" / "bin" / "python"
TARGET = ROOT / "docs" / "results" / "quantization.md"
FAMILIES = ["vae", "flow"]
FILES = [f"valve1/{i}" for i in range(8)] + ["valve2/0", "valve2/1"] + [f"other/{i}" for i in range(1, 8)]
NORMAL, SHOWN = 400, 320
# What its documentation recommends first, and what may serve it better.
THEIRS = {
    "ONNX Runtime, MinMax": dict(calibrate="MinMax"),
    "ONNX Runtime, Percentile": dict(calibrate="Percentile"),
    "ONNX Runtime, MinMax, layers only": dict(calibrate="MinMax", only=["Conv", "ConvTranspose", "MatMul", "Gemm"]),
}
OURS = "Mote"
HALVES = ("normal", "faults")


def rows(path: Path) -> list:
    with gzip.open(path, "rt") as text:
        read = csv.DictReader(text, delimiter=";")
        return [[float(x) for name, x in row.items() if name not in ("datetime", "anomaly", "changepoint")] for row in read]


def mote(program: Path, *arguments) -> list:
    done = subprocess.run([program, *map(str, arguments), "--json"], capture_output=True, text=True, env=os.environ | {"RAYON_NUM_THREADS": "1"})
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, arguments))}\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def session(path: Path, best: bool):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if best else level.ORT_DISABLE_ALL
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def feeds(runs, windows):
    """Inputs of a session: windows, and that all of them is there."""
    import numpy as np
    named = {i.name: i for i in runs.get_inputs()}
    for name in named:
        if name not in ("x", "mask"):
            raise SystemExit(f"the score program wants `{name}`")
    return {name: windows if name == "x" else np.ones_like(windows) for name in named}


def quantize(whole: Path, out: Path, windows, calibrate: str, only: list | None = None) -> None:
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self):
            runs = session(whole, False)
            self.all = iter([feeds(runs, windows[i:i + 1]) for i in range(len(windows))])

        def get_next(self):
            return next(self.all, None)

    ready = out.with_suffix(".ready.onnx")
    quant_pre_process(str(whole), str(ready), skip_symbolic_shape=True)
    quantize_static(
        str(ready), str(out), Reader(), quant_format=QuantFormat.QDQ, per_channel=True, op_types_to_quantize=only,
        activation_type=QuantType.QInt8, weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod[calibrate],
    )


def fastest(run, rounds: int = 5, seconds: float = 0.1) -> float:
    """Nanoseconds of a call."""
    best = math.inf
    for _ in range(rounds):
        calls, start = 0, time.perf_counter_ns()
        while time.perf_counter_ns() - start < seconds * 1e9:
            run()
            calls += 1
        best = min(best, (time.perf_counter_ns() - start) / calls)
    return best


def one(program: Path, data: Path, family: str, file: str, seed: int, scratch: Path) -> dict:
    """For each way how far its nats are off, and its time, as a share of that of real numbers."""
    import numpy as np
    path = data / "skab" / f"{file}.csv.gz"
    whole, small, onnx = scratch / "whole.mote", scratch / "small.mote", scratch / "whole.onnx"
    mote(program, "train", path, "--dataset", ROOT / "datasets" / "skab.toml", "--model", family, "--seed", seed, "--fresh", "--out", whole)
    mote(program, "compress", whole, path, "--out", small)
    mote(program, "export", whole, "--target", "onnx", "--out", onnx)
    mote(program, "export", small, "--target", "onnx", "--out", scratch / "small.onnx")
    real = session(onnx, False)
    length = next(i.shape[1] for i in real.get_inputs() if i.name == "x")
    series = np.array(rows(path), np.float32)
    cut = lambda first, last, step: np.stack([series[i:i + length] for i in range(first, last - length + 1, step)])
    shown = cut(0, SHOWN, 1)
    parts = dict(zip(HALVES, (cut(SHOWN, NORMAL, 1), cut(NORMAL, len(series), 3))))
    nats = lambda runs, windows: np.concatenate([runs.run(["nll"], feeds(runs, windows[i:i + 1]))[0].ravel() for i in range(len(windows))])
    wanted = {half: nats(real, windows) for half, windows in parts.items()}
    call = lambda runs: fastest(lambda inputs=feeds(runs, shown[:1]): runs.run(["nll"], inputs))
    base, result = call(session(onnx, True)), {}
    for name, how in {OURS: None, **THEIRS}.items():
        file = scratch / "small.onnx"
        if how:
            file = scratch / "theirs.onnx"
            with contextlib.redirect_stdout(None):
                quantize(onnx, file, shown, **how)
        runs = session(file, False)
        found = {}
        for half, windows in parts.items():
            off = np.abs(nats(runs, windows) - wanted[half])
            # A window without faults loses what is off; a fault far out may be off by more without harm.
            found[half] = float(np.mean(off)), float(np.mean(off / np.maximum(1.0, np.abs(wanted[half]))))
        if how:
            found["time"] = call(session(file, True)) / base
        else:
            # As a quotient of two runs right after each other.
            ns = [mote(program, "bench", model, "--program", "score", "--seconds", "0.4")[0]["call_ns"]["min"] for model in (whole, small)]
            found["time"], found["beside"] = ns[1] / ns[0], ns[1] / base
        result[name] = found
    return result


def interval(values: list, digits: int) -> str:
    mean = statistics.mean(values)
    if len(values) < 2:
        return f"{mean:.{digits}f}"
    t = [12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26][len(values) - 2] if len(values) <= 10 else 2.1
    return f"{mean:.{digits}f} ± {t * statistics.stdev(values) / math.sqrt(len(values)):.{digits}f}"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    arguments.add_argument("--seeds", type=int, default=1, help="trainings for each file")
    arguments.add_argument("--models", default=",".join(FAMILIES))
    arguments.add_argument("--program", type=Path, help="run this and build nothing")
    options = arguments.parse_args()
    try:
        import onnxruntime
    except ImportError:
        raise SystemExit(subprocess.run([PYTHON, *sys.argv]).returncode)
    onnxruntime.set_default_logger_severity(4)
    if options.program is None:
        subprocess.run(["cargo", "build", "--release", "--quiet", "--package", "mote"], cwd=ROOT, check=True)
    program = options.program or ROOT / "target" / "release" / "mote"
    lines = [
        "# INT8 beside ONNX Runtime's", "",
        f"Made by `python3 bench/quantization.py` with ONNX Runtime {onnxruntime.__version__}: detectors of {len(FILES)} files of SKAB, "
        f"{options.seeds} {'trainings' if options.seeds > 1 else 'training'} each. Both sides begin with the same weights and see the first "
        f"{SHOWN} rows; weights have a scale for each channel. *Off* is how far the negative log-density of a window is from what "
        "the real numbers say, in nats a value: on the rest of the normal rows, and on all rows behind, which hold faults, also as a share "
        "of what it is where that is above 1. All run in ONNX Runtime without graph optimizations. *Time* is that of its own runtime at its best, "
        "one window on one thread, over that of the same runtime with real numbers. 95 % intervals; *wins* counts the models where Mote is less off.", "",
    ]
    for family in options.models.split(","):
        found = []
        for file in FILES:
            for seed in range(options.seeds):
                with tempfile.TemporaryDirectory() as scratch:
                    found.append(one(program, options.data, family, file, seed, Path(scratch)))
                print(family, file, seed, {way: [round(v[h][0], 4) for h in HALVES] for way, v in found[-1].items()}, file=sys.stderr)
        lines += [f"## {family}", "", "| | normal, off | Mote wins | faults, off | faults, share off | Mote wins | time |", "|---|---|---|---|---|---|---|"]
        for way in found[0]:
            of = lambda half, i, way=way: [model[way][half][i] for model in found]
            wins = lambda half, i, way=way: "" if way == OURS else f"{sum(m[OURS][half][i] < m[way][half][i] for m in found)} of {len(found)}"
            lines.append(
                f"| {way} | {interval(of('normal', 0), 4)} | {wins('normal', 0)} | {interval(of('faults', 0), 3)} | {interval(of('faults', 1), 3)} "
                f"| {wins('faults', 1)} | {interval([m[way]['time'] for m in found], 2)} |"
            )
        beside = interval([m[OURS]["beside"] for m in found], 2)
        lines += ["", f"Mote's integers take {beside} of the time of ONNX Runtime's real numbers, a call of which costs what Python takes too.", ""]
    TARGET.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
