#!/usr/bin/env python3
"""Every family on every set of data, by one command each: what ran, how long, in how much memory, how well.

Run from the root of the repository:  python3 bench/folders.py --data FOLDER [--sets ett,skab] [--models vae]

Runs `mote train` with the usual settings of the command (all data but the held-back fifth trains), so
that the table says what a user gets who tries it. Each result is a file under target/folders; what is
there is not run again. Writes docs/results/folders.md.
"""
import argparse, json, os, platform, resource, subprocess, sys, time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STORE = ROOT / "target" / "folders"
MODELS = ["vae", "flow", "spline-flow", "autoregressive", "diffusion"]
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


def run(data: Path, folder: str, files: list, further: list, model: str) -> dict:
    command = [str(ROOT / "target" / "release" / "mote"), "train", *(str(found(data / folder, f)) for f in files), *further]
    if (settings := ROOT / "datasets" / f"{folder}.toml").exists():
        command += ["--dataset", str(settings)]
    out = STORE / f"{folder}-{model}.mote"
    command += ["--model", model, "--fresh", "--json", "--out", str(out)]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    # The two pipes hold little; what is of interest comes at the end.
    said, complained = process.communicate()
    seconds = time.perf_counter() - began
    result = {"folder": folder, "model": model, "seconds": seconds, "status": process.returncode}
    if process.returncode:
        said = [line for line in complained.splitlines() if line.startswith("error")]
        result["error"] = said[-1] if said else complained.strip()
        return result
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    result |= {"bytes": out.stat().st_size, "summary": lines[-1]}
    out.unlink()
    return result


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    arguments.add_argument("--sets", default=",".join(s[0] for s in SETS))
    arguments.add_argument("--models", default=",".join(MODELS))
    options = arguments.parse_args()
    subprocess.run(["cargo", "build", "--release", "--quiet", "--package", "mote"], cwd=ROOT, check=True)
    STORE.mkdir(parents=True, exist_ok=True)
    for folder, files, further in SETS:
        for model in MODELS:
            store = STORE / f"{folder}-{model}.json"
            if folder not in options.sets.split(",") or model not in options.models.split(",") or store.exists():
                continue
            # A child of its own for each, so that its peak of memory is its own.
            if os.fork() == 0:
                result = run(options.data, folder, files, further, model)
                result["peak_kb"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
                store.write_text(json.dumps(result, indent=1))
                print(folder, model, f"{result['seconds']:.0f} s", result.get("error", ""), file=sys.stderr)
                os._exit(0)
            os.wait()
    print(json.dumps([json.loads(p.read_text()) for p in sorted(STORE.glob("*.json"))][:1], indent=1))


if __name__ == "__main__":
    main()
