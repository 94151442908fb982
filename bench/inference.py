#!/usr/bin/env python3
"""Inference: Mote beside ONNX Runtime, LiteRT and tract; same weights, one thread, in turns.

Run from the root of the repository:  python3 bench/inference.py [--rounds 5] [--only NAME] [--threads 1]

Installs the Python peers into bench/.venv, builds tract's half (bench/tract) and the command `mote`,
writes every model once as ONNX, f32 and INT8 with one scale a channel, converts it for each runtime
(`mote import` for ours), and times all of them in alternating rounds, each warm in a process of its
own. What an empty call through Python costs is taken off the Python peers. Writes
docs/results/inference.md.
"""
import argparse, json, math, os, platform, random, statistics, subprocess, sys, tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"
VENV = BENCH / ".venv"
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
MOTE = TARGET / "release" / "mote"
TRACT = TARGET / "tract" / "release" / "bench-tract"
BY_HAND = "## Against the bars"
PACKAGES = ["onnx", "onnxruntime", "ai-edge-litert", "numpy", "flatbuffers"]
ONE_THREAD = dict(os.environ, OMP_NUM_THREADS="1", RAYON_NUM_THREADS="1")
# Families that are trained here, on generated data: the score program is what is timed.
TRAINED = {"conv VAE score": ("vae", 64, 8), "flow score": ("flow", 32, 8)}


def python() -> Path:
    found = VENV / "bin" / "python"
    installed = found.exists() and subprocess.run([found, "-c", "import onnx, onnxruntime, ai_edge_litert"], capture_output=True).returncode == 0
    if not installed:
        print("installing", *PACKAGES, "into", VENV.relative_to(ROOT), file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([found, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return found


def build() -> None:
    subprocess.run(["cargo", "build", "--release", "--quiet", "-p", "mote"], cwd=ROOT, check=True)
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=BENCH / "tract", check=True, env=dict(os.environ, CARGO_TARGET_DIR=str(TARGET / "tract")))


def mote(*arguments) -> str:
    return subprocess.run([MOTE, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def train(folder: Path, name: str) -> tuple[Path, Path]:
    """A model of a family on sines with noise, and the same in integers."""
    family, length, features = TRAINED[name]
    rng = random.Random(0)
    data, model, small = (folder / f"{family}{end}" for end in (".csv", ".mote", "-i8.mote"))
    row = lambda t: ",".join(f"{math.sin(t / (5 + i)) + rng.gauss(0, 0.1):.4f}" for i in range(features))
    data.write_text(",".join(f"s{i}" for i in range(features)) + "\n" + "\n".join(row(t) for t in range(6000)) + "\n")
    mote("train", data, "--model", family, "--window", length, "--steps", 100, "--out", model)
    mote("compress", model, data, "--out", small)
    return model, small


def prepare(folder: Path, options) -> list[dict]:
    """Every model as files for every runtime."""
    script = BENCH / "peers" / "prepare.py"
    request = {}
    for name in TRAINED:
        if options.only in name:
            real, small = train(folder, name)
            request[name] = {}
            for kind, model in (("f32", real), ("INT8", small)):
                onnx = model.with_suffix(".onnx")
                mote("export", model, "--target", "onnx", "--program", "score", "--out", onnx)
                request[name][kind] = [str(onnx), str(model)]
    (folder / "trained.json").write_text(json.dumps(request))
    subprocess.run([python(), script, folder, options.only, *map(str, options.batches)], check=True)
    cases = json.loads((folder / "cases.json").read_text())
    for case in cases:
        source = Path(case["files"]["mote"])
        if source.suffix == ".onnx":
            case["files"]["mote"] = str(source.with_suffix(".mote"))
            mote("import", source, "--out", source.with_suffix(".mote"))
    return cases


class Peer:
    """A process that has loaded and warmed a model, and measures when it is told to."""

    def __init__(self, command):
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=ONE_THREAD)
        line = self.process.stdout.readline()
        if not line.startswith("ready"):
            error = self.process.stderr.read().strip().splitlines() or ["ended without a word"]
            raise RuntimeError(error[0] if error[0].startswith("Error") else error[-1])

    def measure(self) -> float:
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()


class Ours:
    """`mote bench`, warm by itself, in bursts as short as those in which peers are timed: where a
    machine is busy, long rounds would count the turns of other processes too."""

    BURSTS = 5

    def __init__(self, model, program, batch, threads):
        self.command = ["bench", model, "--program", program, "--batch", batch, "--threads", threads, "--seconds", "0.02", "--json"]

    def measure(self) -> float:
        bursts = [json.loads(mote(*self.command).splitlines()[0]) for _ in range(self.BURSTS)]
        # Limits are peaks: the best that was seen is the nearest to them.
        self.found = min(bursts, key=lambda b: b["limit_ns"])
        return statistics.median(b["call_ns"]["median"] for b in bursts)

    def end(self) -> None:
        pass


def case_times(case: dict, rounds: int, threads: int) -> dict:
    measure = BENCH / "peers" / "measure.py"
    batch, files = case["batch"], case["files"]
    makers = {
        "Mote": lambda: Ours(files["mote"], case["program"], batch, threads),
        "ONNX Runtime": lambda: Peer([python(), measure, "ort", files["ort"], batch]),
        "LiteRT": lambda: Peer([python(), measure, "litert", files["litert"], batch]),
        "tract": lambda: Peer([TRACT, files["tract"], batch]),
    }
    running, times, failed = {}, {}, dict(case["failed"])
    for name, make in makers.items():
        try:
            running[name], times[name] = make(), []
        except (RuntimeError, KeyError) as e:
            failed.setdefault(name, str(e))
    for _ in range(rounds):
        for name, peer in list(running.items()):
            try:
                times[name].append(peer.measure())
            except subprocess.CalledProcessError as e:
                failed[name] = e.stderr.strip()
                del running[name], times[name]
    for peer in running.values():
        peer.end()
    ours = getattr(running.get("Mote"), "found", {})
    return dict(case, times=times, failed=failed, limit_ns=ours.get("limit_ns"), machine=ours.get("machine"), level=ours.get("level"))


def time(ns: float) -> str:
    return f"{ns / 1e3:.3g} µs" if ns < 1e6 else f"{ns / 1e6:.3g} ms"


def cell(values) -> str:
    if not values:
        return "–"
    return f"{time(statistics.median(values))} ({time(min(values))} – {time(max(values))})"


def ratio(row: dict) -> tuple[str, str]:
    """Ours over the best peer, round by round, and who that is."""
    peers = {n: t for n, t in row["times"].items() if n != "Mote"}
    if not peers or "Mote" not in row["times"]:
        return "–", "–"
    best = min(peers, key=lambda n: statistics.median(peers[n]))
    ratios = sorted(a / max(b, 1e-9) for a, b in zip(row["times"]["Mote"], peers[best]))
    return f"**{statistics.median(ratios):.2f}** ({ratios[0]:.2f} – {ratios[-1]:.2f})", best


def at_best(row: dict) -> str:
    """Our fastest round over the fastest of any peer, because others on this machine slow rounds down."""
    peers = [min(t) for n, t in row["times"].items() if n != "Mote"]
    return f"{min(row['times']['Mote']) / max(min(peers), 1e-9):.2f}" if peers and "Mote" in row["times"] else "–"


def report(rows: list[dict], versions: dict, rounds: int, threads: int) -> str:
    names = ["Mote", "ONNX Runtime", "LiteRT", "tract"]
    lines = ["# Inference speed", "",
             f"One call of one model, one thread{'' if threads == 1 else f' (Mote: {threads}, for large layers)'}, everything warm, all runtimes in turns in one run: medians of "
             f"{rounds} rounds with the least and the greatest, the ratio Mote / best peer round by round (below 1 Mote is "
             "faster), and that of the fastest rounds of both, because others on the machine slow rounds down. The integers are the same everywhere: weights with one scale a channel, bytes at the border for the "
             "built models, f32 at the border for the trained ones; ONNX Runtime has its activations in uint8, its best case "
             "on x86. What an empty call through Python costs is taken off ONNX Runtime and LiteRT.", "",
             f"Made by `python3 bench/inference.py --rounds {rounds}`.", ""]
    for batch in sorted({r["batch"] for r in rows}):
        lines += [f"## Batch {batch}", "",
                  "| model | multiply-adds | numbers | " + " | ".join(names) + " | ratio | best peer | ratio at best | limit of the machine | Mote at |",
                  "|" + "---|" * (len(names) + 8)]
        for r in (r for r in rows if r["batch"] == batch):
            value, best = ratio(r)
            limit, share = "–", "–"
            if r["limit_ns"] and r["times"].get("Mote"):
                limit, share = time(r["limit_ns"]), f"{100 * r['limit_ns'] / statistics.median(r['times']['Mote']):.0f} %"
            lines.append(f"| {r['name']} | {r['multiply_adds']:,} | {r['kind']} | " + " | ".join(cell(r["times"].get(n)) for n in names)
                         + f" | {value} | {best} | {at_best(r)} | {limit} | {share} |")
        lines.append("")
    failed = sorted({f"- {n}, {r['name']}, {r['kind']}: {why[:160]}" for r in rows for n, why in r["failed"].items()})
    if failed:
        lines += ["Not run:", "", *failed, ""]
    machine = next((r["machine"] for r in rows if r["machine"]), None)
    limits = ""
    if machine:
        limits = (f" Measured limits of one core: {machine['real_per_ns']:.0f} multiply-adds of f32 and {machine['bytes_per_ns']:.0f} "
                  f"of bytes a nanosecond, {machine['read_bytes_per_ns']:.0f} bytes read from its nearest cache.")
    cpu = next((l.split(":")[1].strip() for l in Path("/proc/cpuinfo").read_text().splitlines() if l.startswith("model name")), platform.machine()) if Path("/proc/cpuinfo").exists() else platform.machine()
    level = next((r["level"] for r in rows if r["level"]), "?")
    lines += ["Versions: " + ", ".join(f"{k} {v}" for k, v in versions.items()) + ".", "",
              f"Machine: {cpu}, {os.cpu_count()} cores, shared with other work; Mote used {level}.{limits} "
              "The limit of a call is what its multiply-adds or its reads take at these rates, whichever is longer.", ""]
    return "\n".join(lines)


def versions() -> dict:
    script = "import onnxruntime, importlib.metadata as m, json; print(json.dumps({'ONNX Runtime': onnxruntime.__version__, 'LiteRT': m.version('ai-edge-litert')}))"
    found = json.loads(subprocess.run([python(), "-c", script], check=True, capture_output=True, text=True).stdout)
    lock = (BENCH / "tract" / "Cargo.lock").read_text().split('name = "tract-onnx"\nversion = "')[1]
    return {"Mote": mote("--version").split()[-1], **found, "tract": lock.split('"')[0]}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--rounds", type=int, default=5, help="alternating rounds for each case")
    arguments.add_argument("--batches", type=int, nargs="*", default=[1, 64])
    arguments.add_argument("--threads", type=int, default=1, help="threads of Mote; its peers have one")
    arguments.add_argument("--only", default="", help="models whose name holds this")
    arguments.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "inference.md")
    options = arguments.parse_args()
    python()
    build()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for case in prepare(Path(folder), options):
            row = case_times(case, options.rounds, options.threads)
            rows.append(row)
            print(row["name"], row["kind"], row["batch"], {n: cell(t) for n, t in row["times"].items()}, row["failed"], ratio(row)[0], file=sys.stderr)
    text = report(rows, versions(), options.rounds, options.threads)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    # What was written by hand is kept, to be read again beside the new numbers.
    old = options.out.read_text() if options.out.exists() else ""
    by_hand = old[old.index(BY_HAND):] if BY_HAND in old else ""
    options.out.write_text(text + ("\n" + by_hand if by_hand else ""))
    print(text)


if __name__ == "__main__":
    main()
