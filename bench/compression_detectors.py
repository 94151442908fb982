#!/usr/bin/env python3
"""What integers cost detectors that are judged by labels: every file of SKAB, each with a model of its own.

Run from the root of the repository:
    python3 bench/compression_detectors.py [--data FOLDER] [--models vae,flow] [--program FILE]

Writes docs/results/compression-detectors.md; results are kept in the JSON beside it, and what is there is not
run again.
"""
import argparse, json, subprocess, sys, tempfile
from pathlib import Path

from compression import REAL, ROOT, interval, said

STORE = ROOT / "docs" / "results" / "compression-detectors.json"
WAYS = {
    "INT8": ["--bits", "8"],
    "INT4": ["--bits", "4"],
    "50 % pruned": ["--prune", "0.5", *REAL],
    "50 % pruned, 40 % by lower rank, INT8": ["--prune", "0.5", "--low-rank", "0.4", "--bits", "8"],
}


def judged(program: Path, model: Path, file: Path) -> dict:
    mean = said([program, "eval", model, file, "--json"])[-1]["mean"]
    return {key: mean[key] for key in ("vus_pr", "f1", "auroc")}


def table(results: list) -> str:
    lines = [
        "# What compression costs detectors", "",
        "Made by `python3 bench/compression_detectors.py`: for each file of SKAB that is there (valve1, valve2 and other) a model of its first "
        "400 rows, compressed on these, and both judged on the rest by its labels. Points are hundredths, above zero lost; the mean "
        "over files with its 95 % interval, and how many files lose more than 5 points. Whole detectors differ from file to file by "
        "much more than that.", "",
        "| family | way | files | VUS-PR before | VUS-PR, points lost | above 5 | F1, points lost | AUROC, points lost |", "|---|---|---|---|---|---|---|---|",
    ]
    for family in dict.fromkeys(r["family"] for r in results):
        for way in WAYS:
            rows = [r for r in results if (r["family"], r["way"]) == (family, way)]
            if not rows:
                continue
            lost = lambda key: [100 * (r["before"][key] - r["after"][key]) for r in rows]
            before = [r["before"]["vus_pr"] for r in rows]
            lines.append(
                f"| {family} | {way} | {len(rows)} | {interval(before, 3)} | {interval(lost('vus_pr'), 2)} | {sum(x > 5 for x in lost('vus_pr'))} "
                f"| {interval(lost('f1'), 2)} | {interval(lost('auroc'), 2)} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    arguments.add_argument("--models", default="vae,flow,autoregressive")
    arguments.add_argument("--program", type=Path, help="run this and build nothing")
    options = arguments.parse_args()
    if options.program is None:
        subprocess.run(["cargo", "build", "--release", "--quiet", "--package", "mote"], cwd=ROOT, check=True)
    program = options.program or ROOT / "target" / "release" / "mote"
    folder = options.data / "skab"
    files = [file for kind in ("valve1", "valve2", "other") for file in sorted((folder / kind).glob("*.csv*"))]
    results = json.loads(STORE.read_text()) if STORE.exists() else []
    for family in options.models.split(","):
        for file in files:
            name = f"{file.parent.name}/{file.name.removesuffix('.gz')}"
            known = {r["way"] for r in results if (r["family"], r["file"]) == (family, name)}
            if known >= set(WAYS):
                continue
            with tempfile.TemporaryDirectory() as scratch:
                whole, small = Path(scratch) / "whole.mote", Path(scratch) / "small.mote"
                said([program, "train", file, "--dataset", ROOT / "datasets" / "skab.toml", "--model", family, "--fresh", "--json", "--out", whole])
                before = judged(program, whole, file)
                for way, arguments in WAYS.items():
                    if way in known:
                        continue
                    said([program, "compress", whole, file, "--quality", "density", *arguments, "--json", "--out", small])
                    after = judged(program, small, file)
                    results.append({"family": family, "file": name, "way": way, "before": before, "after": after})
                    print(family, name, way, f"{before['vus_pr']:.3f} -> {after['vus_pr']:.3f}", file=sys.stderr)
            STORE.write_text("[\n" + ",\n".join(json.dumps(r) for r in results) + "\n]\n")
            STORE.with_suffix(".md").write_text(table(results))
    if results:
        STORE.with_suffix(".md").write_text(table(results))


if __name__ == "__main__":
    main()
