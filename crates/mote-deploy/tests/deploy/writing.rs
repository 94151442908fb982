//! What is exported: names, errors, and folders that appear whole or not at all.

use std::fs;

use mote_deploy::{Error, Language};
use mote_format::{
    Op,
    program::{Unary, Value},
};

use mote_runtime::{Level, Loaded, Steps};

use crate::{
    cases,
    support::draft::{Bits, Draft, WINDOW, causal},
};

#[test]
fn the_same_program_gives_the_same_files() {
    for (name, draft) in cases::all() {
        for language in [Language::Rust, Language::C] {
            assert_eq!(draft.export(language), draft.export(language), "{name}");
        }
    }
}

#[test]
fn only_kernels_that_are_used_are_exported() {
    let mut draft = Draft::new("score");
    let x = draft.input("x", Value::f32([3]));
    let y = draft.push(|y| Op::Unary { x, y, f: Unary::Relu });
    draft.output("y", y);
    let names = |language| {
        let files = draft.export(language);
        files.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        names(Language::C),
        [
            "README.md",
            "kernels/elements.h",
            "model.c",
            "model.h",
            "model_self_test.c",
            "model_tables.c",
            "model_tables.h"
        ]
    );
    assert_eq!(
        names(Language::Rust),
        [
            "Cargo.toml",
            "README.md",
            "src/kernels.rs",
            "src/kernels/arena.rs",
            "src/kernels/elements.rs",
            "src/lib.rs",
            "src/self_test.rs",
            "src/tables.rs"
        ]
    );
}

#[test]
fn a_folder_that_is_there_is_left_as_it_is() {
    let files = cases::all()[0].1.export(Language::C);
    let folder = tempfile::tempdir().unwrap();
    files.write(&folder.path().join("empty")).unwrap();
    let there = files.write(folder.path());
    assert!(matches!(there, Err(Error::Exists { .. })), "{there:?}");
    let entries: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(entries.len(), 1, "nothing but what was exported: {entries:?}");
}

#[test]
fn nothing_is_left_where_writing_fails() {
    let files = cases::all()[0].1.export(Language::C);
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("missing").join("firmware");
    let error = files.write(&below).unwrap_err();
    assert!(error.to_string().contains("missing/firmware"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn values_without_elements_are_refused() {
    let mut draft = Draft::new("score");
    let x = draft.input("x", Value::f32([0, 3]));
    draft.output("y", x);
    let error = draft.try_export(Language::C, "model").unwrap_err();
    assert_eq!(error.to_string(), "program `score`: value 0 of shape [0, 3] has no elements");
}

#[test]
fn what_is_remembered_stays_inside() {
    let step = causal(Bits::Eight).step();
    assert!(step.program.input("state.0").is_some());
    for (language, file) in [(Language::Rust, "src/lib.rs"), (Language::C, "model.h")] {
        let files = step.export(language);
        let text = String::from_utf8_lossy(files.get(file).unwrap()).into_owned();
        assert!(!text.contains("state") && text.contains("reset"), "{text}");
    }
}

/// The firmware is tested against steps; these are the rows of the window, to the bit.
#[test]
fn steps_are_the_rows_of_the_window() {
    for bits in [Bits::Eight, Bits::Real] {
        let (window, step) = (causal(bits), causal(bits).step());
        let (tensors, programs) = (window.tensors(), [window.verified(), step.verified()]);
        let load = |program| Loaded::from_parts(Level::Plain, program, &tensors).unwrap();
        let [window, step] = [load(&programs[0]), load(&programs[1])];
        let port = |i: usize| (programs[i].input("x").unwrap(), programs[i].output("y").unwrap());
        let mut window = window.instance();
        let x: Vec<f32> = (0..WINDOW * 12).map(|i| (i as f32 * 0.7).sin() * 2.0).collect();
        window.input(port(0).0).copy_from_slice(&x);
        window.run();
        let mut steps = Steps::new(step.instance());
        for (x, wanted) in x.chunks(12).zip(window.output(port(0).1).chunks(24)) {
            steps.instance().input(port(1).0).copy_from_slice(x);
            steps.run();
            assert_eq!(steps.instance().output(port(1).1), wanted, "{bits:?}");
        }
    }
}
