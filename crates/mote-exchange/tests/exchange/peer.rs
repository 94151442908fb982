//! ONNX Runtime, from Python.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use mote_format::Dtype;
use serde_json::json;

use crate::draft::Ready;

const SCRIPT: &str = r#"
import json, sys
import numpy as np, onnx, onnxruntime as ort
TYPES = {"tensor(float)": np.float32, "tensor(int8)": np.int8}
results = []
for case in json.load(open(sys.argv[1])):
    try:
        onnx.checker.check_model(case["model"], full_check=True)
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        session = ort.InferenceSession(case["model"], options, providers=["CPUExecutionProvider"])
        feed = {i.name: np.array(x["data"], TYPES[i.type]).reshape(x["shape"])
                for i, x in zip(session.get_inputs(), case["inputs"])}
        ys = session.run(None, feed)
        results.append({"outputs": [np.asarray(y, np.float64).ravel().tolist() for y in ys]})
    except Exception as e:
        results.append({"error": str(e)})
json.dump(results, open(sys.argv[2], "w"))
"#;

/// Samples in a batch.
pub(crate) const BATCH: usize = 3;

/// A model, and for each input the numbers of all samples.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) ready: Ready,
    pub(crate) onnx: Vec<u8>,
    /// `[input][sample][element]`
    pub(crate) inputs: Vec<Vec<Vec<f32>>>,
}

impl Case {
    /// Its inputs as Python reads them.
    pub(crate) fn json(&self) -> serde_json::Value {
        let inputs = self.ready.program.inputs.iter().zip(&self.inputs).map(|(port, x)| {
            let own = self.ready.program.shape(port.value);
            let shape: Vec<usize> = [x.len()].iter().chain(own).copied().collect();
            json!({ "shape": shape, "data": x.concat() })
        });
        inputs.collect()
    }
}

/// A Python with ONNX Runtime: that of the benchmark, or one made for tests.
///
/// Where there is none and none can be made, tests say what is missing and do nothing; where
/// `MOTE_REQUIRE_PEERS` is set, as in CI, they fail.
pub(crate) fn python() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let works = |python: &Path| {
        let import = ["-c", "import onnx, onnxruntime"];
        Command::new(python).args(import).output().is_ok_and(|o| o.status.success())
    };
    let bench = root.join("bench/.venv/bin/python");
    if works(&bench) {
        return Some(bench);
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("onnx-venv");
    let python = folder.join("bin/python");
    if works(&python) {
        return Some(python);
    }
    let run = |command: &mut Command| command.output().is_ok_and(|o| o.status.success());
    let made = run(Command::new("python3").args(["-m", "venv"]).arg(&folder))
        && run(Command::new(&python).args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "onnx",
            "onnxruntime",
        ]));
    if made && works(&python) {
        return Some(python);
    }
    let missing = "wanted python3 with venv and the packages onnx and onnxruntime: \
                   `python3 -m venv bench/.venv && bench/.venv/bin/pip install onnx onnxruntime`";
    assert!(std::env::var_os("MOTE_REQUIRE_PEERS").is_none(), "{missing}");
    eprintln!("skipped: {missing}");
    None
}

/// What ONNX Runtime computes: `[case][output][all samples]`.
pub(crate) fn onnx_runtime(python: &Path, cases: &[Case]) -> Vec<Result<Vec<Vec<f64>>, String>> {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let request: Vec<_> = cases
        .iter()
        .enumerate()
        .map(|(i, case)| {
            let model = at(&format!("{i}.onnx"));
            std::fs::write(&model, &case.onnx).unwrap();
            json!({ "model": model, "inputs": case.json() })
        })
        .collect();
    std::fs::write(at("cases.json"), serde_json::to_vec(&request).unwrap()).unwrap();
    std::fs::write(at("run.py"), SCRIPT).unwrap();
    let ran = Command::new(python)
        .args([at("run.py"), at("cases.json"), at("results.json")])
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let results: Vec<serde_json::Value> =
        serde_json::from_slice(&std::fs::read(at("results.json")).unwrap()).unwrap();
    let result = |r: &serde_json::Value| match r.get("error") {
        Some(error) => Err(error.to_string()),
        None => Ok(serde_json::from_value(r["outputs"].clone()).unwrap()),
    };
    results.iter().map(result).collect()
}

/// Steps of a byte, or parts of a number, that two ways of computing may differ by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tolerance {
    /// Where results are bytes.
    pub(crate) steps: f64,
    /// Where they are `f32`: of the largest number.
    pub(crate) part: f64,
}

/// Floats in another order of summation; bytes rounded at another half.
pub(crate) const ONE_STEP: Tolerance = Tolerance { steps: 1.0, part: 2e-5 };

/// Compares our own results, sample by sample, with those of a batch.
#[track_caller]
pub(crate) fn compare(name: &str, case: &Case, theirs: &[Vec<f64>], tolerance: Tolerance) {
    for sample in 0..BATCH {
        let inputs: Vec<Vec<f32>> = case.inputs.iter().map(|x| x[sample].clone()).collect();
        let ours = case.ready.run(&inputs);
        assert_eq!(ours.len(), theirs.len(), "{name}: outputs");
        for ((ours, theirs), port) in ours.iter().zip(theirs).zip(&case.ready.program.outputs) {
            assert_eq!(ours.len() * BATCH, theirs.len(), "{name}: elements of `{}`", port.name);
            let theirs = &theirs[sample * ours.len()..][..ours.len()];
            let largest = theirs.iter().fold(1.0f64, |a, b| a.max(b.abs()));
            let allowed = match case.ready.program.dtype(port.value) {
                Dtype::I8 => tolerance.steps,
                _ => tolerance.part * largest,
            };
            for (i, (&a, &b)) in ours.iter().zip(theirs).enumerate() {
                let error = (f64::from(a) - b).abs();
                assert!(error <= allowed, "{name}: `{}`[{i}] is {a}, theirs {b}", port.name);
            }
        }
    }
}
