//! `mote export` on a trained model: firmware that builds, and agrees with the runtime.

mod support;

use std::{fs, process::Command};

use support::{printed, run, said, succeeds, trained};

#[test]
fn a_trained_model_becomes_c_that_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let model = trained().join("pump.mote");
    let model = model.to_str().unwrap();
    let arguments = ["export", model, "--target", "c", "--out", "pump"];
    let output = run(folder.path(), &arguments);
    succeeds(&output);
    assert!(printed(&output).starts_with("pump: "), "{}", printed(&output));

    let main = "#include \"pump.h\"\nint main(void) { return pump_self_test(); }\n";
    fs::write(folder.path().join("main.c"), main).unwrap();
    let script = "cc -std=c99 -O2 -Ipump -Ipump/kernels main.c pump/*.c pump/kernels/*.[cS] -lm -o test && ./test";
    let test = Command::new("sh").args(["-c", script]).current_dir(folder.path()).output();
    succeeds(&test.expect("a shell"));

    let again = run(folder.path(), &arguments);
    assert_eq!(again.status.code(), Some(2));
    assert!(said(&again).contains("`pump` is there already"), "{}", said(&again));
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let model = trained().join("pump.mote");
    let arguments = ["export", model.to_str().unwrap(), "--target", "rust", "--out", "fw"];
    let output = run(folder.path(), &[&arguments[..], &["--program", "dream"]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("wanted a program `dream`, found `"), "{}", said(&output));
    assert!(!folder.path().join("fw").exists());
}
