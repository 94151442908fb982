#!/usr/bin/env python3
"""How well times are predicted from what a machine takes for each kind of operation.

Run from the root of the repository, with nothing else running:
    python3 bench/latency.py [--data FOLDER] [--models vae,flow]

Trains each family, compresses it in some ways, and sets the predicted time of each program beside the
measured one, in rounds: each measures the machine anew by `mote bench --measure`, predicts from that and runs
everything, because others may use the machine too, and slow it down for minutes. Writes docs/results/latency.md.
"""
import argparse, json, math, os, platform, statistics, subprocess, tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "results" / "latency.md"
FAMILIES = ["vae", "flow", "autoregressive", "transformer"]
WAYS = {
    "FP32": None,
    "INT8": ["--bits", "8"],
    "INT4": ["--bits", "4"],
    "50 % pruned": ["--prune", "0.5", "--bits", "32"],
    "85 % pruned, INT8": ["--prune", "0.85", "--bits", "8"],
    "50 % by lower rank": ["--low-rank", "0.5", "--bits", "32"],
}
ROUNDS, WITHIN = 5, 0.15


def said(command: list) -> list:
    process = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"RAYON_NUM_THREADS": "1"})
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{process.stderr}")
    return [json.loads(line) for line in process.stdout.splitlines() if line.startswith("{")]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    arguments.add_argument("--models", default=",".join(FAMILIES))
    arguments.add_argument("--program", type=Path, help="run this and build nothing")
    options = arguments.parse_args()
    if options.program is None:
        subprocess.run(["cargo", "build", "--release", "--quiet", "--package", "mote"], cwd=ROOT, check=True)
    mote = options.program or ROOT / "target" / "release" / "mote"
    data = options.data / "skab" / "valve1" / "0.csv.gz"
    with tempfile.TemporaryDirectory() as scratch:
        models = []
        for family in options.models.split(","):
            whole = Path(scratch) / f"{family}.mote"
            said([mote, "train", data, "--dataset", ROOT / "datasets" / "skab.toml", "--model", family, "--fresh", "--json", "--out", whole])
            for way, arguments in WAYS.items():
                model = whole
                if arguments:
                    model = Path(scratch) / f"{family}-{len(models)}.mote"
                    # What is measured is the time, which a repair does not change.
                    said([mote, "compress", whole, data, "--repair", "0", *arguments, "--json", "--out", model])
                models.append((family, way, model))
        machine, found = Path(scratch) / "machine.json", {}
        for _ in range(ROUNDS):
            taken = said([mote, "bench", "--measure", machine, "--json"])[-1]
            for family, way, model in models:
                for program in said([mote, "bench", model, "--machine", machine, "--seconds", "0.15", "--json"]):
                    times = found.setdefault((family, way, program["program"]), [])
                    times.append((program["call_ns"]["min"], program["predicted_ns"]))
    lines = [
        "# Predicted times", "",
        f"Made by `python3 bench/latency.py` on {platform.processor() or platform.machine()} ({taken['name']}, one thread). *Predicted* is "
        "what `mote bench --machine` says from rates that `mote bench --measure` took from small programs, none of which is part of a "
        f"model. Each of {ROUNDS} rounds measures the machine anew, predicts, and runs everything; *off* is the median over rounds of "
        "the predicted time over the measured one, the times are medians too.", "",
    ]
    offs = {key: statistics.median(predicted / measured for measured, predicted in times) for key, times in found.items()}
    within = lambda keys: sum(abs(math.log(offs[key])) <= math.log(1 + WITHIN) for key in keys)
    steps = [key for key in offs if key[2] == "step"]
    rest = [key for key in offs if key[2] != "step"]
    lines += [
        f"Within {100 * WITHIN:.0f} %: {within(rest)} of {len(rest)} programs that read a window, and {within(steps)} of {len(steps)} that "
        "advance by one sample. These take a few microseconds at most, in which nothing is large.", "",
        "| family | way | program | measured, µs | predicted, µs | off |", "|---|---|---|---|---|---|",
    ]
    for (family, way, program), times in found.items():
        measured, predicted = (statistics.median(part) / 1e3 for part in zip(*times))
        off = 100 * (offs[family, way, program] - 1)
        lines.append(f"| {family} | {way} | {program} | {measured:.1f} | {predicted:.1f} | {off:+.0f} % |")
    TARGET.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
