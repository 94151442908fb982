//! What cannot be loaded, each with its sentence; and what loading tells.

use std::collections::BTreeMap;

use mote_format::{
    Column, Dtype, Kind, Manifest, Model, Op, Schema,
    container::Tensor,
    manifest::{Density, Lineage, Window},
    model,
    program::Unary,
};
use mote_runtime::{Detector, Instance, Level, LoadError, Loaded};

use crate::draft::{Draft, Ready, run};

fn model(programs: Vec<Ready>) -> Model<'static> {
    let column = |name: &str| Column { name: name.into(), kind: Kind::Numeric };
    Model {
        manifest: Manifest {
            family: "test".into(),
            density: Density::Exact,
            schema: Schema { columns: vec![column("a"), column("b")], period_s: None },
            window: Window { length: 3, tail: 1 },
            detector: None,
            generator: None,
            margins: None,
            programs: vec![],
            lineage: Lineage::default(),
        },
        programs: programs.into_iter().map(|p| (p.program.name.clone(), p.program)).collect(),
        tensors: BTreeMap::new(),
    }
}

/// A score program whose ports have these shapes.
fn score(ports: &[(&str, &[usize])]) -> Ready {
    let mut draft = Draft::new("score");
    let x = draft.input("in", &[3, 2]);
    let mut last = x;
    for (name, shape) in ports {
        if *name == "nll" {
            last = draft.reshape(x, shape);
            draft.output(name, last);
        } else {
            draft.input(name, shape);
        }
    }
    if last == x {
        draft.output("other", x);
    }
    draft.verify()
}

#[track_caller]
fn check(error: Result<impl Sized, LoadError>, wanted: &str) {
    assert_eq!(error.map(drop).unwrap_err().to_string(), wanted);
}

#[test]
fn refuses_programs_that_are_not_there() {
    let (none, some) = (model(vec![]), model(vec![score(&[]), Draft::new("encode").verify()]));
    check(Loaded::new(&none, "score"), "wanted a program `score`, found none");
    check(Loaded::new(&some, "decode"), "wanted a program `decode`, found encode, score");
    check(Detector::new(&none), "wanted a program `score`, found none");
}

#[test]
fn refuses_detectors_without_the_ports_they_need() {
    let refused = |ports: &[(&str, &[usize])], wanted: &str| {
        check(Detector::new(&model(vec![score(ports)])), wanted);
    };
    let (good, flat): (&[usize], &[usize]) = (&[3, 2], &[6]);
    refused(&[], "program `score`: wanted `x` of shape [3, 2], found none");
    refused(&[("x", flat)], "program `score`: wanted `x` of shape [3, 2], found [6]");
    refused(&[("x", &[2, 3])], "program `score`: wanted `x` of shape [3, 2], found [2, 3]");
    refused(&[("x", good)], "program `score`: wanted `mask` of shape [3, 2], found none");
    refused(
        &[("x", good), ("mask", good), ("nll", flat)],
        "program `score`: wanted `nll` of shape [3, 2], found [6]",
    );
    let whole = model(vec![score(&[("x", good), ("mask", good), ("nll", good)])]);
    assert!(Detector::new(&whole).is_ok());
}

/// `y = relu(x · w)` with three weights.
fn weighted() -> Ready {
    let mut draft = Draft::new("weighted");
    let x = draft.input("x", &[3]);
    let w = draft.tensor(&[1, 3], vec![1.0, 2.0, 3.0]);
    let y = draft.push(|y| Op::Linear { x, w, bias: None, y, activation: None });
    let y = draft.push(|z| Op::Unary { x: y, y: z, f: Unary::Relu });
    draft.output("y", y);
    draft.verify()
}

#[test]
fn refuses_weights_at_an_odd_address() {
    let ready = weighted();
    let memory = [0.0f32; 4];
    let bytes: &[u8] = bytemuck::cast_slice(&memory);
    for start in 1..4 {
        let bytes = &bytes[start..start + 12];
        let tensor = Tensor { dtype: Dtype::F32, shape: vec![1, 3], bytes };
        let tensors = [("t0".to_owned(), tensor)].into();
        check(
            Loaded::from_parts(Level::Plain, &ready.program, &tensors),
            "tensor `t0` does not begin at a multiple of the size of its elements",
        );
    }
}

/// From the program to a file, back, and through it; wherever in memory the file happens to lie.
#[test]
fn runs_from_a_file_at_a_multiple_of_four_and_nowhere_else() {
    let ready = weighted();
    let mut manifest = model(vec![]).manifest;
    manifest.programs = vec![(*ready.program).clone()];
    let file = model::write(&manifest, &ready.tensors);
    for start in 0..8 {
        let mut memory = vec![0u32; file.len() / 4 + 4];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
        bytes[start..start + file.len()].copy_from_slice(&file);
        let model = Model::open(&bytes[start..start + file.len()]).unwrap();
        let loaded = Loaded::new(&model, "weighted");
        if start % 4 > 0 {
            assert_eq!(loaded.err(), Some(LoadError::Misaligned { tensor: "t0".into() }));
        } else {
            let found = run(&mut loaded.unwrap().instance(), &[vec![1.0, 1.0, 2.0]]);
            assert_eq!(found, [[9.0]], "at {start}");
        }
    }
}

#[test]
#[should_panic]
fn loading_with_other_tensors_is_a_bug() {
    let _ = Loaded::from_parts(Level::Plain, &weighted().program, &BTreeMap::new());
}

#[test]
fn weights_are_read_in_place_and_the_arena_holds_the_rest() {
    let ready = weighted();
    let tensors = ready.tensors();
    let loaded = Loaded::from_parts(Level::Plain, &ready.program, &tensors).unwrap();
    assert_eq!(*loaded.program(), ready.program);
    assert_eq!(loaded.arena_bytes(), 4 * (3 + 1));
    let instance: Instance<'_> = loaded.instance();
    assert_eq!(instance.arena_bytes(), 4 * (3 + 1));
    assert_eq!(ready.run(&[vec![1.0, 1.0, -2.0]]), [[0.0]]);
    assert_eq!(ready.run(&[vec![1.0, 1.0, 2.0]]), [[9.0]]);
}
