#!/usr/bin/env python3
"""Every family on every set of data, by one command each: what ran, how long, in how much memory, how well.

Run from the root of the repository:  python3 bench/folders.py --data FOLDER [--sets ett,skab] [--models vae]

Runs `mote train` with the usual settings of the command (all data but the held-back fifth trains), so
that the table says what a user gets who tries it; --steps ends it sooner. Results are kept in
docs/results/folders.json; what is there is not run again. Two run at a time, on a core each. Writes docs/results/folders.md.
"""
import argparse, json, os, re, statistics, subprocess, sys, tempfile, threading, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STORE = ROOT / "docs" / "results" / "folders.json"
TARGET = ROOT / "docs" / "results" / "folders.md"
MODELS = ["vae", "vq-vae", "flow", "spline-flow", "autoregressive", "transformer", "diffusion", "latent-diffusion", "gan", "energy"]
# Folder, files, and further arguments; `datasets/FOLDER.toml` is used where there is one.
SETS = [
    ("asd", ["omi-1_train.csv.gz"], []),
    ("can_crysys", ["S-1-1-benign.log.gz"], []),
    ("can_road", ["Deal_max_engine_coolant_temp_attack_masquerade.csv.gz"], []),
    ("car_obd", ["drive5.csv.gz", "drive7.csv.gz", "live12.csv.gz"], []),
    ("cmapss", ["train_FD001.txt.gz"], []),
    ("cwru", ["normal_0.csv.gz"], []),
    ("ecg5000", ["ECG5000_TRAIN.csv.gz"], []),
    ("ett", ["ETTh1.csv.gz"], []),
    ("gotrack", ["go_track_trackspoints.csv.gz"], ["--time", "time", "--recording", "track_id", "--drop", "id"]),
    ("har_geotec", ["s01/s01_01_sp.csv.gz", "s01/s01_02_sp.csv.gz"], []),
    ("mitdb", ["119.hea"], []),
    ("mobile_5g", ["Download/Driving/B_2019.12.16_12.27.05.csv.gz"], []),
    ("mobile_lte_cell", ["train_Cell000113.csv.gz"], []),
    ("mobile_milan", ["CellID950.csv"], []),
    ("nab", ["realKnownCause/machine_temperature_system_failure.csv"], []),
    ("nsl_kdd", ["KDDTrain+_20Percent.txt.gz"], []),
    ("occupancy", ["datatraining.txt.gz"], []),
    ("rad_robot_arm", ["joint_power/L0L1.csv", "joint_power/L1L2.csv.gz", "joint_power/L2L3.csv"], []),
    ("robot_failures", ["lp1.data", "lp4.data"], []),
    ("skab", ["valve1/0.csv"], []),
    ("smd", ["test/machine-2-1.txt"], []),
    ("timegan", ["energydata_complete.csv.gz"], []),
    ("ton_iot", ["Train_Test_IoT_Fridge.csv.gz"], []),
    ("uea_basicmotions", ["BasicMotions_TRAIN.ts.gz"], []),
    ("ur3_cobotops", ["dataset_02052023.csv.gz"], []),
]


def found(data: Path, name: str) -> Path:
    """The file, packed or not."""
    for ending in ["", ".gz"]:
        if (path := data / (name + ending)).exists():
            return path
    sys.exit(f"error: wanted {data / name}, found nothing")


def run(program: Path, data: Path, steps: int | None, folder: str, files: list, further: list, model: str) -> dict:
    command = [str(program), "train", *(str(found(data / folder, f)) for f in files), *further]
    if (settings := ROOT / "datasets" / f"{folder}.toml").exists():
        command += ["--dataset", str(settings)]
    scratch = tempfile.TemporaryDirectory()
    out = Path(scratch.name) / "model.mote"
    command += ["--model", model, "--fresh", "--json", "--out", str(out)]
    if steps:
        command += ["--steps", str(steps)]
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as complained:
        process = subprocess.Popen(command, stdout=said, stderr=complained, env=os.environ | {"RAYON_NUM_THREADS": "1"})
        # The usage of this one child; that of all children would be the largest of them.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        said.seek(0), complained.seek(0)
        lines = [json.loads(line) for line in said if line.startswith("{")]
        errors = complained.read().splitlines()
    result = {"folder": folder, "model": model, "seconds": round(seconds), "peak_kb": usage.ru_maxrss}
    if steps:
        result["steps"] = steps
    if process.returncode:
        error = next((line for line in reversed(errors) if line.startswith("error")), errors[-1] if errors else "")
        # Where the data lies is nobody's business.
        return result | {"error": re.sub(rf"[^ ]*/(?={folder}/)", "", error)}
    signs = [{"name": sign["name"], "words": sign["words"]} for sign in lines[-1].get("signs", [])]
    return result | {"bytes": out.stat().st_size, "quality": quality(lines[-1]), "signs": signs}


def quality(summary: dict) -> str:
    """How well the drawn windows lie among held-back ones, or the nats of a model that draws none."""
    if alike := summary.get("resemblance"):
        best, best_coverage = alike["training"]
        share = lambda found, best: f"{100 * found / best:.0f}" if best else "–"
        return f"{share(alike['precision'], best)} / {share(alike['coverage'], best_coverage)}"
    nats = summary.get("validation_nats")
    return "–" if nats is None else f"{nats:.2f} nats"


def cell(result: dict) -> str:
    if result is None:
        return ""
    if "error" in result:
        return "refused"
    seconds, memory, kept = result["seconds"], result["peak_kb"] / 1024, result["bytes"] / 1024
    signs = "".join("\\*" for _ in result["signs"])
    steps = f", {result['steps']} steps" if "steps" in result else ""
    return f"{result['quality']}{signs}<br>{seconds:.0f} s, {memory:.0f} MB, {kept:.0f} KB{steps}"


def stored() -> dict:
    results = json.loads(STORE.read_text()) if STORE.exists() else []
    return {(result["folder"], result["model"]): result for result in results}


def store(results: dict) -> None:
    lines = [json.dumps(results[key], ensure_ascii=False) for key in sorted(results)]
    STORE.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def table(results: dict) -> str:
    models = [m for m in MODELS if any(key[1] == m for key in results)]
    lines = [
        "# Every family on every folder", "",
        "Made by `python3 bench/folders.py`: `mote train FILES --model MODEL` with its usual settings, or, where the cell says so, "
        "with `--steps`: a tenth of the usual steps or so, for families that otherwise take from a minute to a quarter of an hour, which shows that "
        "they run and what that takes, not how good they get. One thread each, on two cores that others used too. First line of a cell, for a model that draws windows: the share of drawn windows that lie among "
        "held-back ones / the share of held-back windows that a drawn one lies near, both in percent of what as many training "
        "windows reach; for one that was not trained to draw: nats per held-back value, less is better. Stars are signs of failed "
        "training, told below. Second line: time of the whole command, peak of memory, size of the model file. What is empty was "
        "not measured yet.", "",
        "| data | " + " | ".join(models) + " |", "|---" * (len(models) + 1) + "|",
    ]
    for folder, files, _ in SETS:
        cells = [cell(results.get((folder, model))) for model in models]
        if any(cells):
            lines.append(f"| {folder}: {', '.join(f.removesuffix('.gz').split('/')[-1] for f in files)} | " + " | ".join(cells) + " |")
    lines += ["", "| over all folders | " + " | ".join(models) + " |", "|---" * (len(models) + 1) + "|"]
    done = {m: [r for (_, name), r in results.items() if name == m and "error" not in r] for m in models}
    said = {
        "trained": lambda rs: f"{len(rs)}",
        "of these shortly": lambda rs: f"{sum('steps' in r for r in rs)}",
        "seconds, median": lambda rs: f"{statistics.median(r['seconds'] for r in rs):.0f}",
        "seconds, most": lambda rs: f"{max(r['seconds'] for r in rs):.0f}",
        "memory, MB, most": lambda rs: f"{max(r['peak_kb'] for r in rs) / 1024:.0f}",
        "model, KB, median": lambda rs: f"{statistics.median(r['bytes'] for r in rs) / 1024:.0f}",
    }
    for name, of in said.items():
        lines.append(f"| {name} | " + " | ".join(of(done[m]) if done[m] else "–" for m in models) + " |")
    lines += ["", "## Signs of failed training", ""]
    for (folder, model), result in sorted(results.items()):
        for sign in result.get("signs", []):
            after = f" after {result['steps']} steps" if "steps" in result else ""
            lines.append(f"- {folder}, {model}{after}: {sign['name']}. {sign['words']}")
    refused = [(key, r["error"]) for key, r in sorted(results.items()) if "error" in r]
    if refused:
        lines += ["", "## Refused", ""]
        lines += [f"- {f}, {model}: {error}" for (f, model), error in refused]
    return "\n".join(lines) + "\n"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    arguments.add_argument("--sets", default=",".join(s[0] for s in SETS))
    arguments.add_argument("--models", default=",".join(MODELS))
    arguments.add_argument("--steps", type=int, help="training steps, where those of the command are too many to wait for")
    arguments.add_argument("--jobs", type=int, default=2)
    arguments.add_argument("--program", type=Path, help="run this and build nothing")
    options = arguments.parse_args()
    if options.program is None:
        subprocess.run(["cargo", "build", "--release", "--quiet", "--package", "mote"], cwd=ROOT, check=True)
    program = options.program or ROOT / "target" / "release" / "mote"
    results, lock = stored(), threading.Lock()

    def one(job: tuple) -> None:
        folder, files, further, model = job
        result = run(program, options.data, options.steps, folder, files, further, model)
        with lock:
            results[folder, model] = result
            store(results)
            TARGET.write_text(table(results))
        print(folder, model, f"{result['seconds']} s", result.get("error", ""), file=sys.stderr)

    sets, models = options.sets.split(","), options.models.split(",")
    jobs = [(*s, model) for model in MODELS for s in SETS if s[0] in sets and model in models]
    jobs = [job for job in jobs if (job[0], job[-1]) not in results]
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(one, jobs))
    TARGET.write_text(table(results))


if __name__ == "__main__":
    main()
