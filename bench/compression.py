#!/usr/bin/env python3
"""How much smaller models get, and what that costs them.

Run from the root of the repository:
    python3 bench/compression.py [--data FOLDER] [--seeds 5] [--sets skab,ett] [--models vae,flow] [--jobs 1]
        [--way INT8 --way 'a student of half the weights'] [--untimed]

Trains each family with its usual settings from several seeds, and applies `mote compress` in each way to
each. Quality is measured by `mote compress` on held-back data, and on files with labels by `mote eval`.
Results are kept in docs/results/compression.json; what is there is not run again, and where a time is missing
only that is measured: times want a machine that does nothing else, so they can be left for later. Writes
docs/results/compression.md and the curves beside it.
"""
import argparse, json, math, os, statistics, subprocess, sys, tempfile, threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results"
STORE, TARGET = RESULTS / "compression.json", RESULTS / "compression.md"
# By what each family is measured; the first is what it is for.
FAMILIES = {
    "vae": "detection,density,forecast",
    "flow": "detection,density",
    "autoregressive": "detection,density,forecast",
    "transformer": "detection,density,forecast",
    "spline-flow": "detection,density,imputation",
    "diffusion": "generation,imputation",
}
SETS = {"skab": ("skab", "valve1/0.csv.gz", True), "ett": ("ett", "ETTh1.csv.gz", False)}
REAL = ["--bits", "32"]
PLAIN = ["--plain-biases", "--plain-channels"]
SHARES = [0.3, 0.5, 0.7, 0.85]
RAW = [*REAL, "--repair", "0"]
percent = lambda share: f"{100 * share:.0f} %"
# Channels that go by their own weights and what these read, the same share of each layer, and the rest stays as it is.
LEFT_ALONE = ["--spread", "uniform", "--plain-weights", "--importance"]
PRUNED = {f"{percent(s)} pruned": ["--prune", str(s), *REAL] for s in SHARES}
THINNED = {f"{percent(s)} by lower rank": ["--low-rank", str(s), *REAL] for s in SHARES}
WAYS = {
    "FP16": ["--bits", "16"],
    "INT8": ["--bits", "8"],
    "INT8, each to the nearest": ["--bits", "8", "--rounding", "nearest", *PLAIN],
    "INT4 for half of the weights": ["--bits", "6"],
    "INT4": ["--bits", "4"],
    "INT4, each to the nearest": ["--bits", "4", "--rounding", "nearest", *PLAIN],
    "INT4, biases as they are": ["--bits", "4", "--plain-biases"],
    "INT4, channels as they are": ["--bits", "4", "--plain-channels"],
    "INT4, learned": ["--bits", "4", "--rounding", "learned"],
    **PRUNED,
    "50 % pruned, uniform": ["--prune", "0.5", "--spread", "uniform", *REAL],
    "50 % pruned, by gradients": ["--prune", "0.5", "--importance", "taylor", *REAL],
    **{f"{percent(s)} pruned, left alone": ["--prune", str(s), *LEFT_ALONE, "activation", *REAL] for s in SHARES},
    "50 % pruned, left alone, by magnitude": ["--prune", "0.5", *LEFT_ALONE, "magnitude", *REAL],
    **THINNED,
    "50 % by lower rank, uniform": ["--low-rank", "0.5", "--ranks", "uniform", *REAL],
    "50 % by lower rank, plain, uniform": ["--low-rank", "0.5", "--ranks", "uniform", "--metric", "weights", *REAL],
    "50 % zeros": ["--sparse", "0.5", *REAL],
    "50 % zeros, the smallest": ["--sparse", "0.5", "--zeros", "magnitude", *REAL],
    "2 zeros of 4": ["--sparse", "2:4", *REAL],
    # Before anything is repaired, which would make up for much of what a method does worse.
    "30 % pruned, raw": ["--prune", "0.3", *RAW],
    "30 % pruned, uniform, raw": ["--prune", "0.3", "--spread", "uniform", *RAW],
    "30 % pruned, uniform, by activation, raw": ["--prune", "0.3", "--spread", "uniform", "--importance", "activation", *RAW],
    "30 % pruned, left alone, raw": ["--prune", "0.3", *LEFT_ALONE, "activation", *RAW],
    "30 % pruned, left alone, by magnitude, raw": ["--prune", "0.3", *LEFT_ALONE, "magnitude", *RAW],
    "30 % by lower rank, raw": ["--low-rank", "0.3", *RAW],
    "30 % by lower rank, uniform, raw": ["--low-rank", "0.3", "--ranks", "uniform", *RAW],
    "30 % by lower rank, plain, uniform, raw": ["--low-rank", "0.3", "--ranks", "uniform", "--metric", "weights", *RAW],
    "50 % zeros, raw": ["--sparse", "0.5", *RAW],
    "50 % zeros, the smallest, raw": ["--sparse", "0.5", "--zeros", "magnitude", *RAW],
    "a student of half the weights": ["--student", "0.5", *REAL],
    "a student of a quarter, INT8": ["--student", "0.25", "--bits", "8"],
    "a student of 15 %, INT8": ["--student", "0.15", "--bits", "8"],
    "50 % pruned, 40 % by lower rank, INT8": ["--prune", "0.5", "--low-rank", "0.4", "--bits", "8"],
    "85 % pruned, INT8": ["--prune", "0.85", "--bits", "8"],
    "50 % pruned, 40 % by lower rank, INT4": ["--prune", "0.5", "--low-rank", "0.4", "--bits", "4"],
    "85 % pruned, INT4, learned": ["--prune", "0.85", "--bits", "4", "--rounding", "learned"],
    "85 % pruned, left alone, INT8": ["--prune", "0.85", *LEFT_ALONE, "activation", "--bits", "8"],
    "85 % pruned, left alone, INT4, learned": ["--prune", "0.85", *LEFT_ALONE, "activation", "--bits", "4", "--rounding", "learned"],
}
NAMES = {
    "vus_pr": "VUS-PR, planted", "nats": "density", "rare_nats": "density, rare", "forecast_crps": "CRPS, forecast",
    "imputation_crps": "CRPS, imputation", "context_fid": "Context-FID", "tails": "rare drawn", "labelled": "VUS-PR, labelled",
}
# Pairs that say whether a method is worth its trouble: (better?, plain).
DUELS = [
    ("INT8", "INT8, each to the nearest"), ("INT4", "INT4, each to the nearest"),
    ("INT4", "INT4, biases as they are"), ("INT4", "INT4, channels as they are"), ("INT4, learned", "INT4"), ("INT4 for half of the weights", "INT4"),
    ("50 % zeros", "50 % zeros, the smallest"), ("50 % zeros", "2 zeros of 4"),
    ("50 % pruned", "50 % pruned, uniform"), ("50 % pruned", "50 % pruned, by gradients"),
    ("50 % pruned", "50 % pruned, left alone"), ("50 % pruned, left alone", "50 % pruned, left alone, by magnitude"),
    ("50 % by lower rank", "50 % by lower rank, uniform"),
    ("50 % by lower rank, uniform", "50 % by lower rank, plain, uniform"),
    ("30 % pruned, raw", "30 % pruned, uniform, raw"),
    ("30 % pruned, uniform, raw", "30 % pruned, uniform, by activation, raw"),
    ("30 % pruned, uniform, by activation, raw", "30 % pruned, left alone, raw"),
    ("30 % pruned, left alone, raw", "30 % pruned, left alone, by magnitude, raw"),
    ("30 % by lower rank, raw", "30 % by lower rank, uniform, raw"),
    ("30 % by lower rank, uniform, raw", "30 % by lower rank, plain, uniform, raw"),
    ("50 % zeros, raw", "50 % zeros, the smallest, raw"),
    ("50 % pruned", "a student of half the weights"), ("50 % pruned", "50 % by lower rank"),
]
CRITICAL = 0.05
# Many short runs meet the moments in which nobody else slows the machine down.
RUNS = 40


def said(command: list) -> list:
    process = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"RAYON_NUM_THREADS": "1"})
    if process.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{process.stderr}")
    return [json.loads(line) for line in process.stdout.splitlines() if line.startswith("{")]


def times_of(program: Path, models: list, entry: str) -> dict:
    """Nanoseconds of one window for each of two models: the fastest of some runs in turns, because others use the machine
    too, and slow it down for seconds. And the vector instructions that ran."""
    profile = lambda model: said([program, "bench", model, "--program", entry, "--seconds", "0.03", "--json"])[0]
    fastest = lambda model: profile(model)["call_ns"]["min"]
    pairs = [[fastest(model) for model in models] for _ in range(RUNS)]
    return {"ns": [min(times) for times in zip(*pairs)], "level": profile(models[0])["level"]}


def labelled(program: Path, model: Path, file: Path) -> float:
    return said([program, "eval", model, file, "--json"])[-1]["mean"]["vus_pr"]


def measure(options, program: Path, family: str, name: str, seed: int, known: dict, keep) -> None:
    data = options.data
    folder, file, labels = SETS[name]
    path, detects = data / folder / file, FAMILIES[family].startswith("detection")
    with tempfile.TemporaryDirectory() as scratch:
        whole, small = Path(scratch) / "whole.mote", Path(scratch) / "small.mote"
        said([program, "train", path, "--dataset", ROOT / "datasets" / f"{folder}.toml",
              "--model", family, "--seed", str(seed), "--fresh", "--json", "--out", whole])
        before = labelled(program, whole, path) if labels and detects else None
        for way in missing(options, family, name, seed, known):
            arguments, row = WAYS[way], dict(known.get((family, name, way, seed), {}))
            # What it learns hardly changes how long it takes: ranks that are chosen behind a repair may differ a little.
            effort = [part for part in (["--repair", "0"], ["--lessons", "1"]) if row and part[0] not in arguments]
            made = said([program, "compress", whole, path, "--quality", FAMILIES[family], *arguments, *sum(effort, []), "--json", "--out", small])[-1]
            largest = max(made["programs"], key=lambda p: p["multiply_adds"][0])
            times = {} if options.untimed else times_of(program, [whole, small], largest["program"])
            if row:
                keep({**row, **times})
                continue
            quality = {q["metric"]: [q["before"], q["after"], q["loss"]] for q in made["quality"]}
            if before is not None:
                after = labelled(program, small, path)
                quality["labelled"] = [before, after, 1 - after / before]
            keep({
                "family": family, "set": name, "way": way, "seed": seed, "quality": quality, **times,
                "bytes": [made["tensor_bytes_before"], made["tensor_bytes"]],
                "arena": [max(p["arena_bytes"][i] for p in made["programs"]) for i in (0, 1)],
                "multiply_adds": largest["multiply_adds"],
            })


def missing(options, family: str, name: str, seed: int, known: dict) -> list:
    """The ways that are asked for and not known yet."""
    asked = [way for way in WAYS if way in (options.way or WAYS)]
    row = lambda way: known.get((family, name, way, seed), {})
    return [way for way in asked if not row(way) or "ns" not in row(way) and not options.untimed]


def brief(x):
    """The same with six digits of each number, more than any run repeats."""
    if isinstance(x, float):
        return float(f"{x:.6g}")
    if isinstance(x, dict):
        return {key: brief(value) for key, value in x.items()}
    return [brief(value) for value in x] if isinstance(x, list) else x


def interval(values: list, digits: int = 1) -> str:
    """The mean with its 95 % interval by Student's t, where there are several."""
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) < 2 else f"{mean} ± {margin(values):.{digits}f}"


def margin(values: list) -> float:
    """Half the width of that interval."""
    t = [12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26][len(values) - 2] if len(values) <= 10 else 1.96
    return t * statistics.stdev(values) / math.sqrt(len(values))


def losses(rows: list, metric: str) -> list:
    found = [row["quality"].get(metric, [None] * 3)[2] for row in rows]
    return [100 * loss for loss in found if loss is not None]


def purpose(family: str) -> str:
    """The metric that decides."""
    return "context_fid" if FAMILIES[family].startswith("generation") else "vus_pr"


def rare(family: str) -> str:
    """The metric that tells whether what is rare goes first."""
    return "tails" if FAMILIES[family].startswith("generation") else "rare_nats"


def curves(results: list, ways: dict, title: str, path: Path) -> None:
    """Losses against the share that went: for each set a panel of the purpose and one of what is rare, a line for
    each family."""
    colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]
    wide, high, left, top, low, most = 300, 220, 60, 46, -5, 40
    parts, y = [], lambda loss: top + high * (1 - (max(low, min(most, loss)) - low) / (most - low))
    names = [name for name in SETS if any(r["set"] == name for r in results)]
    panels = [(name, *what) for name in names for what in (("what it is for", purpose), ("what is rare", rare))]
    for panel, (name, what, metric) in enumerate(panels):
        x0 = left + panel * (wide + 60)
        x = lambda share: x0 + wide * share
        parts.append(f'<text x="{x0}" y="{top - 12}" font-weight="600">{SETS[name][0]}: {what}</text>')
        for tick in range(0, most + 1, 10):
            parts.append(f'<line x1="{x0}" x2="{x0 + wide}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="#ddd"/><text x="{x0 - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick}</text>')
        parts.append(f'<line x1="{x0}" x2="{x0 + wide}" y1="{y(100 * CRITICAL):.1f}" y2="{y(100 * CRITICAL):.1f}" stroke="#888" stroke-dasharray="4 3"/>')
        for share in [0, *SHARES]:
            parts.append(f'<text x="{x(share):.1f}" y="{top + high + 18}" text-anchor="middle">{100 * share:.0f}</text>')
        parts.append(f'<text x="{x0 + wide / 2}" y="{top + high + 36}" text-anchor="middle">% of the weights asked to go</text>')
        for family, colour in zip(FAMILIES, colours):
            points = [(0.0, 0.0)]
            for share, way in zip(SHARES, ways):
                rows = [r for r in results if (r["set"], r["family"], r["way"]) == (name, family, way)]
                if found := losses(rows, metric(family)):
                    points.append((share, statistics.mean(found)))
            if len(points) > 1:
                line = " ".join(f"{x(s):.1f},{y(l):.1f}" for s, l in points)
                parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
                parts += [f'<circle cx="{x(s):.1f}" cy="{y(l):.1f}" r="3" fill="{colour}"/>' for s, l in points]
    total = left + len(panels) * (wide + 60)
    for i, (family, colour) in enumerate(zip(FAMILIES, colours)):
        at = left + i * 118
        parts.append(f'<circle cx="{at}" cy="{top + high + 58}" r="4" fill="{colour}"/><text x="{at + 9}" y="{top + high + 62}">{family}</text>')
    size = f'viewBox="0 0 {max(total, left + 118 * len(FAMILIES))} {top + high + 76}"'
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="system-ui, sans-serif" font-size="12" fill="#222">'
        f'<rect width="100%" height="100%" fill="#fff"/><text x="{left}" y="18" font-weight="600">{title}</text>{"".join(parts)}</svg>\n'
    )


def duels(results: list) -> list:
    """For each pair of ways how much more the second loses than the first, for each family by each of its metrics."""
    at = {(r["set"], r["family"], r["seed"], r["way"]): r["quality"] for r in results}
    trainings = lambda name, family: {r["seed"] for r in results if (r["set"], r["family"]) == (name, family)}
    columns = [
        (name, family, metric)
        for name in SETS for family in FAMILIES if len(trainings(name, family)) >= 3
        for metric in (purpose(family), "nats", "rare_nats", "forecast_crps", "imputation_crps")
        if any(metric in r["quality"] for r in results if r["family"] == family)
    ]
    lines = [
        "## Is it worth its trouble?", "",
        "How many points of quality the second way loses more than the first, training by training, so that above zero the first "
        "is better; of families that were trained three times and more. Means with 95 % intervals, bold where zero lies outside. "
        "*Raw* is before a repair, which makes up for much of what a method does worse.", "",
        "| first | second | " + " | ".join(f"{family}: {NAMES[metric]}" for _, family, metric in columns) + " |",
        "|---|---|" + "---|" * len(columns),
    ]
    for first, second in DUELS:
        cells = []
        for name, family, metric in columns:
            more = []
            for seed in trainings(name, family):
                pair = [at.get((name, family, seed, way), {}).get(metric, [None] * 3)[2] for way in (first, second)]
                if None not in pair:
                    more.append(100 * (pair[1] - pair[0]))
            clear = len(more) >= 3 and abs(statistics.mean(more)) > margin(more)
            cell = interval(more) if len(more) >= 3 else ""
            cells.append(f"**{cell}**" if clear else cell)
        lines.append(f"| {first} | {second} | {' | '.join(cells)} |")
    return lines + [""]


def table(results: list) -> str:
    levels = sorted({r["level"] for r in results if "level" in r})
    on = f" ({' and '.join(levels)})" if levels else ""
    lines = [
        "# What compression costs", "",
        "Made by `python3 bench/compression.py`: families trained with their usual settings, each seed a training of its "
        "own, and compressed by `mote compress`. Everything is measured on data that passes have not seen.", "",
        "*Lost* is in per cent of what was there before, so below zero something was won: of VUS-PR on held-back data with "
        "planted faults, and with its own labels where the file has them; of the density at a held-back value (nats, as "
        "1 − e^−difference), also of the tenth of windows that the whole model finds rarest; CRPS and Context-FID that came on top; "
        f"and the share of rare values that are drawn. *Time* is of one window on one thread, of the first training or more: a quotient of the fastest of {RUNS} runs each, "
        f"in turns, because others use this machine too, and the median over trainings{on}. Intervals are 95 % over seeds. A loss above 5 % is **critical**, which was "
        "said before anything was measured; critical ones are bold. A number behind a way says of how many seeds it is, where "
        "not of all; a way without a time was not timed since kernels of its kind changed last. The labels of one file are a handful of faults: their "
        "column moves by ten points where a threshold moves by nothing.", "",
        "![Pruning](compression-pruning.svg)", "", "![Lower rank](compression-rank.svg)", "",
    ]
    lines += duels(results)
    for name, (folder, file, _) in SETS.items():
        for family in FAMILIES:
            own = [r for r in results if r["set"] == name and r["family"] == family]
            if not own:
                continue
            deciding = purpose(family)
            metrics = sorted({m for r in own for m in r["quality"]}, key=lambda m: (m != deciding, list(NAMES).index(m)))
            before = statistics.mean(r["bytes"][0] for r in own) / 1024
            first = lambda m: statistics.mean(r["quality"][m][0] for r in own if m in r["quality"])
            what = ", ".join(f"{NAMES[m]} {first(m):.3f}" for m in metrics)
            seeds = len({r["seed"] for r in own})
            lines += [
                f"## {family} on {folder}/{file.removesuffix('.gz')}", "",
                f"{before:.0f} KB of weights in FP32; {what} (nats for densities); {seeds} {'seeds' if seeds > 1 else 'seed'}.", "",
                f"| | KB | smaller | multiplications, % | time, % | arena, KB | {' | '.join(NAMES[m] + ', lost %' for m in metrics)} |",
                "|---|" + "---|" * (5 + len(metrics)),
            ]
            for way in WAYS:
                rows = [r for r in own if r["way"] == way]
                if not rows:
                    continue
                mean = lambda of: statistics.mean(of(r) for r in rows)
                cells = []
                for metric in metrics:
                    found = losses(rows, metric)
                    cell = interval(found) if found else ""
                    cells.append(f"**{cell}**" if found and statistics.mean(found) > 100 * CRITICAL else cell)
                times = [100 * r["ns"][1] / r["ns"][0] for r in rows if "ns" in r]
                some = f" ({len(rows)})" if len(rows) < seeds else ""
                lines.append(
                    f"| {way}{some} | {mean(lambda r: r['bytes'][1]) / 1024:.1f} | {mean(lambda r: r['bytes'][0] / r['bytes'][1]):.1f} × "
                    f"| {100 * mean(lambda r: r['multiply_adds'][1] / r['multiply_adds'][0]):.0f} "
                    f"| {f'{statistics.median(times):.0f}' if times else ''} | {mean(lambda r: r['arena'][1]) / 1024:.1f} "
                    f"| {' | '.join(cells)} |"
                )
            lines.append("")
    return "\n".join(lines)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    arguments.add_argument("--seeds", type=int, default=5)
    arguments.add_argument("--sets", default=",".join(SETS))
    arguments.add_argument("--models", default=",".join(FAMILIES))
    arguments.add_argument("--jobs", type=int, default=1)
    arguments.add_argument("--way", action="append", choices=WAYS, metavar="WAY", help="this one, and others that are named")
    arguments.add_argument("--untimed", action="store_true", help="leave times for later")
    arguments.add_argument("--program", type=Path, help="run this and build nothing")
    options = arguments.parse_args()
    if options.program is None:
        subprocess.run(["cargo", "build", "--release", "--quiet", "--package", "mote"], cwd=ROOT, check=True)
    program = options.program or ROOT / "target" / "release" / "mote"
    results, lock = json.loads(STORE.read_text()) if STORE.exists() else [], threading.Lock()
    order = lambda r: (list(SETS).index(r["set"]), list(FAMILIES).index(r["family"]), list(WAYS).index(r["way"]), r["seed"])

    def write() -> None:
        TARGET.write_text(table(results))
        curves(results, PRUNED, "Pruned and repaired: quality lost, %", RESULTS / "compression-pruning.svg")
        curves(results, THINNED, "Lower rank and repaired: quality lost, %", RESULTS / "compression-rank.svg")

    def keep(result: dict) -> None:
        same = lambda r: all(r[key] == result[key] for key in ("set", "family", "way", "seed"))
        with lock:
            results[:] = [r for r in results if not same(r)] + [result]
            results.sort(key=order)
            STORE.write_text("[\n" + ",\n".join(json.dumps(brief(r)) for r in results) + "\n]\n")
            write()
        lost = {m: round(100 * q[2], 1) for m, q in result["quality"].items() if q[2] is not None}
        print(result["family"], result["set"], result["seed"], result["way"], lost, file=sys.stderr)

    def one(job: tuple) -> None:
        seed, name, family = job
        known = {(r["family"], r["set"], r["way"], r["seed"]): r for r in results}
        try:
            if missing(options, family, name, seed, known):
                measure(options, program, family, name, seed, known, keep)
        except RuntimeError as error:
            print(f"error: {error}", file=sys.stderr)

    jobs = [(seed, name, family) for seed in range(options.seeds) for name in options.sets.split(",") for family in options.models.split(",")]
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(one, jobs))
    if results:
        write()


if __name__ == "__main__":
    main()
