//! Models of every family cross over: ONNX Runtime computes what the runtime computes, and what was
//! exported can be imported again.

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use mote::files::Mapped;
use mote_runtime::Loaded;
use support::{printed, run, said, succeeds, trained};

/// Reads one line of inputs for each sample, and writes what comes out.
const SCRIPT: &str = r#"
import json, sys
import numpy as np, onnxruntime as ort
session = ort.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
feed = {i.name: np.array(x, np.float32).reshape([2] + i.shape[1:])
        for i, x in zip(session.get_inputs(), json.load(open(sys.argv[2])))}
print(json.dumps([y.ravel().astype(float).tolist() for y in session.run(None, feed)]))
"#;

/// The Python of the benchmarks, if it is there.
fn python() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/.venv/bin/python");
    let found = Command::new(&python).args(["-c", "import onnxruntime"]).output();
    if found.is_ok_and(|o| o.status.success()) {
        return Some(python);
    }
    let missing = "wanted bench/.venv with onnxruntime: \
                   `python3 -m venv bench/.venv && bench/.venv/bin/pip install onnx onnxruntime`";
    assert!(std::env::var_os("MOTE_REQUIRE_PEERS").is_none(), "{missing}");
    eprintln!("skipped: {missing}");
    None
}

/// Two samples for each input: a wave, and a mask of ones or some of them missing.
fn inputs(program: &mote_format::Program) -> Vec<[Vec<f32>; 2]> {
    let wave = |n: usize, at: usize| (0..n).map(move |i| ((i * 7 + at) as f32 * 0.1).sin() * 3.0);
    let mask =
        |n: usize, at: usize| (0..n).map(move |i| f32::from(u8::from(at == 0 || i % 5 != 0)));
    program
        .inputs
        .iter()
        .map(|port| {
            let n = program.elements(port.value);
            [0, 1].map(|at| match port.name.as_str() {
                "mask" => mask(n, at).collect(),
                _ => wave(n, at).collect(),
            })
        })
        .collect()
}

/// Exports `name` of a model and compares; `part` of the largest number may be between both.
#[track_caller]
fn check(folder: &Path, file: &str, name: &str, part: f64) {
    let Some(python) = python() else { return };
    let onnx = format!("{file}.{name}.onnx");
    let export = ["export", file, "--target", "onnx", "--program", name, "--out", &onnx];
    succeeds(&run(folder, &export));
    let mapped = Mapped::open(&folder.join(file)).expect("the model");
    let model = mapped.model().expect("a good model");
    let mut instance = Loaded::new(&model, name).expect("the program").instance();
    let program = instance.program();
    let inputs = inputs(program);
    let both: Vec<Vec<f32>> = inputs.iter().map(|x| x.concat()).collect();
    let [request, script] =
        ["request.json", "run.py"].map(|name| folder.join(format!("{file}.{name}")));
    fs::write(&request, serde_json::to_vec(&both).expect("numbers")).expect("written");
    fs::write(&script, SCRIPT).expect("written");
    let ran = Command::new(python).arg(script).arg(folder.join(&onnx)).arg(request).output();
    let ran = ran.expect("Python runs");
    assert!(ran.status.success(), "{file} {name}: {}", said(&ran));
    let theirs: Vec<Vec<f64>> = serde_json::from_slice(&ran.stdout).expect("outputs");
    for sample in 0..2 {
        for (port, x) in program.inputs.iter().zip(&inputs) {
            instance.input(port.value).copy_from_slice(&x[sample]);
        }
        instance.run();
        for (port, theirs) in program.outputs.iter().zip(&theirs) {
            let ours = instance.output(port.value);
            let theirs = &theirs[sample * ours.len()..][..ours.len()];
            let largest = theirs.iter().fold(1.0f64, |a, b| a.max(b.abs()));
            for (&a, &b) in ours.iter().zip(theirs) {
                let error = (f64::from(a) - b).abs();
                let near = error <= part * largest;
                assert!(near, "{file} {name}: `{}` is {a}, theirs {b}", port.name);
            }
        }
    }
    let back = format!("{file}.{name}.back.mote");
    let output = run(folder, &["import", &onnx, "--out", &back]);
    succeeds(&output);
    assert!(printed(&output).contains("program run"), "{}", printed(&output));
    succeeds(&run(folder, &["inspect", &back]));
}

/// The programs of a model that a device may run: all but those that train it.
fn programs(folder: &Path, file: &str) -> Vec<String> {
    let mapped = Mapped::open(&folder.join(file)).expect("the model");
    let model = mapped.model().expect("a good model");
    let trains =
        |program: &mote_format::Program| program.ops.iter().any(mote_format::Op::is_adjoint);
    let programs = model.programs.iter().filter(|(_, program)| !trains(program));
    programs.map(|(name, _)| name.clone()).collect()
}

/// Trains `family` for a few steps, compares all of its programs, and writes each as firmware.
#[track_caller]
fn crosses_over(family: &str) {
    let folder = trained();
    let file = format!("{family}.mote");
    let train = ["train", "normal.csv", "--window", "16", "--steps", "20", "--model", family];
    succeeds(&run(folder, &[&train[..], &["--out", &file]].concat()));
    let programs = programs(folder, &file);
    assert!(!programs.is_empty());
    for program in programs {
        check(folder, &file, &program, 1e-4);
        let crate_folder = format!("{family}-{program}");
        let export = ["export", &file, "--target", "rust", "--program", &program, "--out"];
        succeeds(&run(folder, &[&export[..], &[&crate_folder]].concat()));
    }
}

#[test]
fn a_vae_crosses_over_in_floats_and_in_integers() {
    let folder = trained();
    check(folder, "pump.mote", "score", 1e-4);
    succeeds(&run(folder, &["compress", "pump.mote", "normal.csv", "--out", "small.mote"]));
    // Bytes may round at another half, and a step goes through all layers that follow.
    check(folder, "small.mote", "score", 0.05);
}

/// Every program of each family becomes ONNX and firmware.
mod families {
    use super::crosses_over;

    #[test]
    fn vae() {
        crosses_over("vae");
    }

    #[test]
    fn vq_vae() {
        crosses_over("vq-vae");
    }

    #[test]
    fn flow() {
        crosses_over("flow");
    }

    #[test]
    fn spline_flow() {
        crosses_over("spline-flow");
    }

    #[test]
    fn autoregressive() {
        crosses_over("autoregressive");
    }

    #[test]
    fn transformer() {
        crosses_over("transformer");
    }

    #[test]
    fn diffusion() {
        crosses_over("diffusion");
    }

    #[test]
    fn latent_diffusion() {
        crosses_over("latent-diffusion");
    }

    #[test]
    fn gan() {
        crosses_over("gan");
    }

    #[test]
    fn energy() {
        crosses_over("energy");
    }
}

#[test]
fn what_cannot_cross_over_is_named() {
    let folder = trained();
    fs::write(folder.join("no.onnx"), "not a model").expect("written");
    let output = run(folder, &["import", "no.onnx", "--out", "no.mote"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("no.onnx: wanted an ONNX model"), "{}", said(&output));
    assert!(!folder.join("no.mote").exists());

    let export =
        ["export", "pump.mote", "--target", "onnx", "--program", "sing", "--out", "s.onnx"];
    let output = run(folder, &export);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("wanted a program `sing`, found"), "{}", said(&output));
}
