#!/usr/bin/env python3
"""What compression is worth on a microcontroller.

Run from the root of the repository:
    python3 bench/boards.py [--data FOLDER] [--program FILE]

Trains families on a file of SKAB, compresses them with `mote compress`, exports each as Rust, and counts under QEMU, on a
Cortex-M4 and a Cortex-M55, the instructions of one run, the bytes of code and tables, and the memory; tables and memory
have to be what was predicted, to the byte. Writes docs/results/boards.md. Needs what the tests of mote-deploy need.
"""
import argparse, json, subprocess, tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "results" / "boards.md"
FAMILIES = ["vae", "flow", "autoregressive", "transformer"]
WAYS = {
    "FP32": None,
    "FP16": ["--bits", "16"],
    "INT8": ["--bits", "8"],
    "INT4": ["--bits", "4"],
    "85 % pruned, FP32": ["--prune", "0.85", "--bits", "32"],
    "85 % pruned, INT8": ["--prune", "0.85", "--bits", "8"],
    "85 % pruned, INT4": ["--prune", "0.85", "--bits", "4"],
}


def said(command: list) -> list:
    process = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=ROOT)
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{process.stderr}")
    return [json.loads(line) for line in process.stdout.splitlines() if line.startswith("{")]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    arguments.add_argument("--program", type=Path, help="run this and build nothing")
    options = arguments.parse_args()
    if options.program is None:
        subprocess.run(["cargo", "build", "--release", "--quiet", "--package", "mote"], cwd=ROOT, check=True)
    program = options.program or ROOT / "target" / "release" / "mote"
    path = options.data / "skab" / "valve1" / "0.csv.gz"
    lines = [
        "# What compression is worth on a microcontroller", "",
        "Made by `python3 bench/boards.py`: families trained with their usual settings on skab/valve1/0.csv, compressed by "
        "`mote compress`, exported as Rust, built with `opt-level 3`, and run under QEMU, after the vectors of the self-test agreed. "
        "What goes sample by sample runs its `step`; of a VAE it is the score of a window. Instructions are counted, every one; "
        "they are no time. Code holds the functions of a mathematical library that the program uses. Tables and memory are "
        "what `mote inspect --device` says before anything is built, to the byte: the command ends with an error where they are not.", "",
    ]
    with tempfile.TemporaryDirectory() as scratch:
        for family in FAMILIES:
            whole = Path(scratch) / f"{family}.mote"
            said([program, "train", path, "--dataset", ROOT / "datasets" / "skab.toml", "--model", family, "--seed", "0",
                  "--fresh", "--json", "--out", whole])
            models = {}
            for i, (way, how) in enumerate(WAYS.items()):
                models[way] = whole
                if how:
                    models[way] = Path(scratch) / f"{family}{i}.mote"
                    said([program, "compress", whole, path, *how, "--json", "--out", models[way]])
            counted = said(["cargo", "run", "--release", "--quiet", "-p", "mote-deploy", "--example", "firmware_models", "--",
                            *models.values()])
            for processor in ("Cortex-M4", "Cortex-M55"):
                rows = [row for row in counted if row["processor"] == processor]
                lines += [
                    f"## {family} (`{rows[0]['program']}`) on a {processor}", "",
                    "| | instructions | % of FP32 | multiplications | code, bytes | tables, bytes | memory, bytes | stack, bytes |",
                    "|---|---|---|---|---|---|---|---|",
                ]
                for way, row in zip(WAYS, rows):
                    lines.append(
                        f"| {way} | {row['instructions']:,} | {100 * row['instructions'] / rows[0]['instructions']:.0f} "
                        f"| {row['multiply_adds']:,} | {row['code']:,} | {row['tables']:,} "
                        f"| {row['memory']:,} | {row['stack']} |"
                    )
                lines.append("")
    TARGET.write_text("\n".join(lines))
    print(TARGET.read_text())


if __name__ == "__main__":
    main()
