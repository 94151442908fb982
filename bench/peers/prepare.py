"""Writes every model as files for every runtime: `prepare.py FOLDER ONLY BATCH...`."""
import json
import sys
from pathlib import Path

import onnx

import models
import quantize
import tflite


def files(folder, stem, model, batch, for_ort=None):
    """The model for each peer at one batch size, and what could not be written."""
    found, failed = {}, {}
    for name, suffix, write in [
        ("ort", ".onnx", lambda p: onnx.save(for_ort or model, p)),
        ("tract", f"-{batch}.onnx", lambda p: onnx.save(models.at_batch(model, batch), p)),
        ("litert", f"-{batch}.tflite", lambda p: p.write_bytes(tflite.Converter(model, batch).bytes())),
    ]:
        path = folder / f"{stem}-{name}{suffix}"
        try:
            write(path)
            found[name] = str(path)
        except (ValueError, KeyError, IndexError, AssertionError) as e:
            label = {"ort": "ONNX Runtime", "tract": "tract", "litert": "LiteRT"}[name]
            failed[label] = f"the converter of this benchmark: {e!r}"
    return found, failed


def main():
    folder, only, batches = Path(sys.argv[1]), sys.argv[2], [int(b) for b in sys.argv[3:]]
    cases = []

    def add(name, kind, stem, model, mote, program, for_ort=None):
        for batch in batches:
            found, failed = files(folder, stem, model, batch, for_ort)
            cases.append({"name": name, "kind": kind, "batch": batch, "multiply_adds": models.multiply_adds(model),
                          "files": {**found, "mote": str(mote)}, "failed": failed, "program": program})

    for i, (name, build) in enumerate(models.BUILT.items()):
        if only not in name:
            continue
        real = build()
        variants = [("f32", real, None), ("INT8", quantize.quantize(real, True), quantize.quantize(real, True, unsigned=True))]
        for kind, model, for_ort in variants:
            onnx.save(model, folder / f"{i}-{kind}.onnx")
            add(name, kind, f"{i}-{kind}", model, folder / f"{i}-{kind}.onnx", "run", for_ort)
    for name, kinds in json.loads((folder / "trained.json").read_text()).items():
        for kind, (file, mote) in kinds.items():
            add(name, kind, Path(file).stem, onnx.load(file), mote, "score")
    (folder / "cases.json").write_text(json.dumps(cases))


if __name__ == "__main__":
    main()
