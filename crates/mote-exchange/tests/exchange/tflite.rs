//! What LiteRT computes with a `.tflite` file is what the runtime computes with its import.

use std::{path::Path, process::Command};

use mote_exchange::tflite;
use serde_json::json;

use crate::{
    draft::Draft,
    export::case,
    import::ready,
    peer::{BATCH, Case, ONE_STEP, compare},
    programs::{FLOATS, INTEGERS, Line, Random},
};

/// Converts exported models and runs them; what the converter does not know is left out.
const SCRIPT: &str = r#"
import json, sys
import numpy as np, onnx
sys.path.insert(0, sys.argv[3])
import tflite
from ai_edge_litert.interpreter import Interpreter
results = []
for case in json.load(open(sys.argv[1])):
    try:
        file = tflite.Converter(onnx.load(case["model"]), case["batch"]).bytes()
    except (ValueError, KeyError, IndexError, AssertionError) as e:
        results.append({"left_out": repr(e)})
        continue
    open(case["model"] + ".tflite", "wb").write(file)
    interpreter = Interpreter(model_content=file, num_threads=1)
    interpreter.allocate_tensors()
    for detail, x in zip(interpreter.get_input_details(), case["inputs"]):
        interpreter.set_tensor(detail["index"], np.array(x["data"], detail["dtype"]).reshape(x["shape"]))
    interpreter.invoke()
    ys = [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]
    results.append({"outputs": [np.asarray(y, np.float64).ravel().tolist() for y in ys]})
json.dump(results, open(sys.argv[2], "w"))
"#;

/// Those that the converter of the benchmark writes.
fn lines() -> impl Iterator<Item = &'static Line> {
    let left_out =
        ["layer_norm", "lookup", "an input", "slice and concat", "four bits", "bytes that move"];
    FLOATS.iter().chain(INTEGERS).filter(move |l| !left_out.iter().any(|name| l.0.contains(name)))
}

/// The bytes of a file, and what they compute: `[output][all samples]`.
type Ran = (Vec<u8>, Vec<Vec<f64>>);

/// The models as `.tflite`, and what LiteRT computes with them.
fn litert(cases: &[Case]) -> Option<Vec<Option<Ran>>> {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/peers");
    let python = peers.join("../.venv/bin/python");
    let import = ["-c", "import onnx, ai_edge_litert"];
    if !Command::new(&python).args(import).output().is_ok_and(|o| o.status.success()) {
        let missing = "wanted bench/.venv with the packages onnx and ai-edge-litert, as bench/inference.py \
                       makes it";
        assert!(std::env::var_os("MOTE_REQUIRE_PEERS").is_none(), "{missing}");
        eprintln!("skipped: {missing}");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut request = Vec::new();
    for (i, case) in cases.iter().enumerate() {
        let model = at(&format!("{i}.onnx"));
        std::fs::write(&model, &case.onnx).unwrap();
        request.push(json!({ "model": model, "batch": BATCH, "inputs": case.json() }));
    }
    std::fs::write(at("cases.json"), serde_json::to_vec(&request).unwrap()).unwrap();
    std::fs::write(at("run.py"), SCRIPT).unwrap();
    let ran = Command::new(python)
        .args([at("run.py"), at("cases.json"), at("results.json"), peers])
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let results: Vec<serde_json::Value> =
        serde_json::from_slice(&std::fs::read(at("results.json")).unwrap()).unwrap();
    let result = |(i, r): (usize, &serde_json::Value)| {
        if let Some(why) = r.get("left_out") {
            eprintln!("left out: {} {why}", cases[i].ready.program.name);
            return None;
        }
        let file = std::fs::read(at(&format!("{i}.onnx.tflite"))).unwrap();
        Some((file, serde_json::from_value(r["outputs"].clone()).unwrap()))
    };
    Some(results.iter().enumerate().map(result).collect())
}

#[test]
fn imports_compute_what_litert_computes() {
    let cases: Vec<Case> = lines().map(|line| case(Draft::line(line))).collect();
    let Some(results) = litert(&cases) else { return };
    let mut compared = 0;
    for (mut case, result) in cases.into_iter().zip(results) {
        let Some((file, theirs)) = result else { continue };
        let name = case.ready.program.name.clone();
        let imported = tflite::import(&file).unwrap_or_else(|e| panic!("{name}: {e}"));
        // Batches are computed sample by sample here, with the batch of the file taken off.
        case.ready = ready(imported);
        compare(&name, &case, &theirs, ONE_STEP);
        compared += 1;
    }
    assert!(compared >= 15, "only {compared} models were compared");
}

#[test]
fn any_change_of_a_file_is_a_model_or_an_error() {
    let cases: Vec<Case> = lines().map(|line| case(Draft::line(line))).collect();
    let Some(results) = litert(&cases) else { return };
    let models: Vec<Vec<u8>> = results.into_iter().flatten().map(|(file, _)| file).collect();
    let mut random = Random(5);
    for _ in 0..20_000 {
        let mut bytes = models[random.below(models.len())].clone();
        for _ in 0..1 + random.below(4) {
            let at = random.below(bytes.len());
            match random.below(3) {
                0 if random.below(4) == 0 => bytes.truncate(at.max(1)),
                1 => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][random.below(5)],
                _ => bytes[at] ^= 1 << random.below(8),
            }
        }
        if let Err(e) = tflite::import(&bytes) {
            assert!(!e.to_string().is_empty());
        }
    }
}

#[test]
fn bytes_that_are_no_model_are_named_so() {
    for bytes in [&b""[..], b"TFL3", b"\0\0\0\0TFL3", b"\x08\0\0\0TFL3\xFF\xFF\xFF\xFF"] {
        let error = tflite::import(bytes).unwrap_err().to_string();
        assert!(error.starts_with("wanted a TFLite model"), "{error}");
    }
}
