#!/usr/bin/env python3
"""How much smaller models get, and what that costs them.

Run from the root of the repository:  python3 bench/compression.py --data FOLDER [--seeds 5] [--sets ett,skab]

Trains each family with its usual settings from several seeds and applies `mote compress` in each way to
each. Everything is measured on the held-back part of the data. Results are kept in
docs/results/compression.json; what is there is not run again. Writes docs/results/compression.md.
"""
import argparse, json, math, os, statistics, subprocess, sys, tempfile, threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STORE = ROOT / "docs" / "results" / "compression.json"
TARGET = ROOT / "docs" / "results" / "compression.md"
FAMILIES = ["vae", "flow", "autoregressive"]
SETS = {"ett": ("ett", "ETTh1.csv.gz"), "skab": ("skab", "valve1/0.csv.gz")}
REAL = ["--bits", "32"]
WAYS = {
    "INT8": ["--bits", "8"],
    "INT8, each to the nearest": ["--bits", "8", "--rounding", "nearest"],
    "INT4": ["--bits", "4"],
    "INT4, each to the nearest": ["--bits", "4", "--rounding", "nearest"],
    "30 % pruned": ["--prune", "0.3", *REAL],
    "50 % pruned": ["--prune", "0.5", *REAL],
    "70 % pruned": ["--prune", "0.7", *REAL],
    "50 % pruned, by magnitude": ["--prune", "0.5", "--importance", "magnitude", *REAL],
    "50 % pruned, by gradients, automatic": ["--prune", "0.5", "--importance", "taylor", "--spread", "automatic", *REAL],
    "50 % pruned, no repair": ["--prune", "0.5", "--repair", "0", *REAL],
    "30 % by lower rank": ["--low-rank", "0.3", *REAL],
    "50 % by lower rank": ["--low-rank", "0.5", *REAL],
    "70 % by lower rank": ["--low-rank", "0.7", *REAL],
    "50 % by lower rank, uniform": ["--low-rank", "0.5", "--ranks", "uniform", *REAL],
    "50 % by lower rank, plain, uniform": ["--low-rank", "0.5", "--ranks", "uniform", "--metric", "weights", *REAL],
    "50 % by lower rank, no repair": ["--low-rank", "0.5", "--repair", "0", *REAL],
    "50 % by lower rank, plain, uniform, no repair": ["--low-rank", "0.5", "--ranks", "uniform", "--metric", "weights", "--repair", "0", *REAL],
    "stack: 40 % pruned, 30 % by lower rank, INT8": ["--prune", "0.4", "--low-rank", "0.3"],
    "stack: 50 % pruned, 40 % by lower rank, INT8": ["--prune", "0.5", "--low-rank", "0.4"],
    "stack: 50 % pruned, 40 % by lower rank, INT4": ["--prune", "0.5", "--low-rank", "0.4", "--bits", "4"],
}


def said(command: list) -> list:
    process = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"RAYON_NUM_THREADS": "1"})
    if process.returncode:
        sys.exit(f"error: {' '.join(map(str, command))}\n{process.stderr}")
    return [json.loads(line) for line in process.stdout.splitlines() if line.startswith("{")]


def time_of_score(program: Path, model: Path) -> float:
    """Nanoseconds of one window, the median."""
    return said([program, "bench", model, "--program", "score", "--seconds", "0.5", "--json"])[0]["call_ns"]["median"]


def measure(program: Path, data: Path, family: str, name: str, seed: int, known: set, keep) -> None:
    folder, file = SETS[name]
    with tempfile.TemporaryDirectory() as scratch:
        whole, small = Path(scratch) / "whole.mote", Path(scratch) / "small.mote"
        said([program, "train", data / folder / file, "--dataset", ROOT / "datasets" / f"{folder}.toml",
              "--model", family, "--seed", str(seed), "--fresh", "--json", "--out", whole])
        for way, arguments in WAYS.items():
            if (family, name, way, seed) in known:
                continue
            made = said([program, "compress", whole, data / folder / file, *arguments, "--json", "--out", small])[-1]
            score = next(change for change in made["programs"] if change["program"] == "score")
            # One after the other, so that both meet the same machine.
            times = [time_of_score(program, model) for model in (whole, small)]
            keep({
                "family": family, "set": name, "way": way, "seed": seed, "nats": made["nats"], "ns": times,
                "bytes": [made["tensor_bytes_before"], made["tensor_bytes"]], "arena": score["arena_bytes"],
                "multiply_adds": score["multiply_adds"], "db": dict(map(tuple, score["signal_to_noise_db"]))["nll"],
            })


# Two-sided 95 % quantiles of Student's t for 1, 2, … degrees of freedom.
T = [12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26]


def interval(values: list, digits: int) -> str:
    mean = statistics.mean(values)
    if len(values) < 2:
        return f"{mean:.{digits}f}"
    half = T[min(len(values) - 2, len(T) - 1)] * statistics.stdev(values) / math.sqrt(len(values))
    return f"{mean:.{digits}f} ± {half:.{digits}f}"


def table(results: list) -> str:
    lines = [
        "# What compression costs", "",
        "Made by `python3 bench/compression.py`: families trained with their usual settings, each seed a training of its own, and "
        "compressed by `mote compress`. Everything is measured on data that was held back. *Nats* is how much more (+) or less (-) a "
        "held-back value costs after than before, in nats: the drift of the density. *Score* is signal over noise of the score of each "
        "value, in decibels, before as the signal. Times are of one window on one thread of a machine that others used too, the "
        "quotient of two runs, one right after the other. Intervals are 95 % over seeds.", "",
    ]
    for name, (folder, file) in SETS.items():
        for family in FAMILIES:
            own = [r for r in results if r["set"] == name and r["family"] == family]
            if not own:
                continue
            before = statistics.mean(r["bytes"][0] for r in own) / 1024
            nats = statistics.mean(r["nats"][0] for r in own)
            seeds = len({r["seed"] for r in own})
            lines += [
                f"## {family} on {folder}/{file.removesuffix('.gz')}", "",
                f"{before:.0f} KB of weights in FP32, {nats:.2f} nats; {seeds} {'seeds' if seeds > 1 else 'seed'}.", "",
                "| | KB | smaller | multiplications, % | time, % | arena, KB | nats | score, dB |", "|---|---|---|---|---|---|---|---|",
            ]
            for way in WAYS:
                rows = [r for r in own if r["way"] == way]
                if not rows:
                    continue
                mean = lambda of: statistics.mean(of(r) for r in rows)
                drift = [r["nats"][1] - r["nats"][0] for r in rows]
                lines.append(
                    f"| {way} | {mean(lambda r: r['bytes'][1]) / 1024:.1f} | {mean(lambda r: r['bytes'][0] / r['bytes'][1]):.1f} × "
                    f"| {100 * mean(lambda r: r['multiply_adds'][1] / r['multiply_adds'][0]):.0f} "
                    f"| {100 * mean(lambda r: r['ns'][1] / r['ns'][0]):.0f} | {mean(lambda r: r['arena'][1]) / 1024:.1f} "
                    f"| {interval(drift, 3)} | {interval([r['db'] for r in rows], 1)} |"
                )
            lines.append("")
    return "\n".join(lines)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    arguments.add_argument("--seeds", type=int, default=5)
    arguments.add_argument("--sets", default=",".join(SETS))
    arguments.add_argument("--models", default=",".join(FAMILIES))
    arguments.add_argument("--jobs", type=int, default=2)
    arguments.add_argument("--program", type=Path, help="run this and build nothing")
    options = arguments.parse_args()
    if options.program is None:
        subprocess.run(["cargo", "build", "--release", "--quiet", "--package", "mote"], cwd=ROOT, check=True)
    program = options.program or ROOT / "target" / "release" / "mote"
    results, lock = json.loads(STORE.read_text()) if STORE.exists() else [], threading.Lock()
    order = lambda r: (list(SETS).index(r["set"]), FAMILIES.index(r["family"]), list(WAYS).index(r["way"]), r["seed"])

    def keep(result: dict) -> None:
        with lock:
            results.append(result)
            results.sort(key=order)
            STORE.write_text("[\n" + ",\n".join(json.dumps(r) for r in results) + "\n]\n")
            TARGET.write_text(table(results))
        print(result["family"], result["set"], result["seed"], result["way"], f"{result['nats'][1] - result['nats'][0]:+.3f}", file=sys.stderr)

    def one(job: tuple) -> None:
        seed, name, family = job
        known = {(r["family"], r["set"], r["way"], r["seed"]) for r in results}
        if any((family, name, way, seed) not in known for way in WAYS):
            measure(program, options.data, family, name, seed, known, keep)

    jobs = [(seed, name, family) for seed in range(options.seeds) for name in options.sets.split(",") for family in options.models.split(",")]
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(one, jobs))
    TARGET.write_text(table(results))


if __name__ == "__main__":
    main()
