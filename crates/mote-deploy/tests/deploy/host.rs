//! Exported firmware on Linux: this machine and 64-bit Arm.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use mote_deploy::{Files, Language};

use crate::{
    cases,
    support::{
        bare::{cargo, write_as},
        tools::{files_with, output, succeed, target_folder},
    },
};

/// The main function of exported C: its exit code is what failed.
const MAIN: &str = "#include \"model.h\"\nint main(void) { return model_self_test(); }\n";

#[track_caller]
fn folder(files: &Files, kind: &str, case: &str) -> PathBuf {
    let folder = target_folder().join("firmware").join(format!("{case}-{kind}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder in target");
    files.write(&folder.join("model")).expect("written");
    folder
}

/// Builds exported C with `compiler` and the strictest warnings; the program.
#[track_caller]
fn build_c(folder: &Path, compiler: &str, package: &str) -> PathBuf {
    let model = folder.join("model");
    fs::write(folder.join("main.c"), MAIN).expect("written");
    let program = folder.join("test");
    let mut cc = Command::new(compiler);
    cc.args(["-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]);
    cc.arg("-I").arg(&model).arg("-I").arg(model.join("kernels")).arg(folder.join("main.c"));
    cc.args(files_with(&model, &["c", "S"])).args(["-lm", "-o"]).arg(&program);
    succeed(&mut cc, package);
    program
}

#[track_caller]
fn check(mut command: Command, package: &str, case: &str) {
    let output = output(&mut command, package);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "`{case}`: {said}");
}

/// A command that runs `program` for 64-bit Arm.
fn emulated(program: &Path) -> Command {
    let mut qemu = Command::new("qemu-aarch64");
    qemu.args(["-L", "/usr/aarch64-linux-gnu"]).arg(program);
    qemu
}

#[test]
fn c_agrees_on_this_machine() {
    for (case, draft) in cases::all() {
        let folder = folder(&draft.export(Language::C), "host-c", case);
        let program = build_c(&folder, "cc", "build-essential");
        check(Command::new(program), "build-essential", case);
    }
}

#[test]
fn c_has_no_undefined_behaviour() {
    for (case, draft) in cases::all() {
        let folder = folder(&draft.export(Language::C), "sanitized-c", case);
        let model = folder.join("model");
        fs::write(folder.join("main.c"), MAIN).expect("written");
        let program = folder.join("test");
        let mut cc = Command::new("cc");
        cc.args(["-std=c99", "-O1", "-g", "-fsanitize=address,undefined"]);
        cc.arg("-fno-sanitize-recover=all").arg("-I").arg(&model);
        cc.arg("-I").arg(model.join("kernels")).arg(folder.join("main.c"));
        cc.args(files_with(&model, &["c", "S"])).args(["-lm", "-o"]).arg(&program);
        succeed(&mut cc, "build-essential");
        check(Command::new(program), "build-essential", case);
    }
}

#[test]
fn c_agrees_on_64_bit_arm() {
    for (case, draft) in cases::all() {
        let folder = folder(&draft.export(Language::C), "aarch64-c", case);
        let program = build_c(&folder, "aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu");
        check(emulated(&program), "qemu-user", case);
    }
}

/// Exported Rust with a `main` of its own, as one crate that tests every case.
#[track_caller]
fn rust_tests(kind: &str) -> PathBuf {
    let folder = target_folder().join("firmware").join(kind);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("src")).expect("a folder in target");
    let (mut dependencies, mut main) = (String::new(), String::new());
    for (case, draft) in cases::all() {
        write_as(&draft.export(Language::Rust), &folder.join(case), case);
        dependencies += &format!("{case} = {{ path = \"{case}\", features = [\"self-test\"] }}\n");
        main += &format!(
            "    assert_eq!({case}::self_test::run(&mut {case}::Model::new()), Ok(()), \"{case}\");\n"
        );
    }
    let manifest = format!(
        "[package]\nname = \"tests\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\n{dependencies}\n[workspace]\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).expect("written");
    fs::write(folder.join("src/main.rs"), format!("fn main() {{\n{main}}}\n")).expect("written");
    folder
}

#[test]
fn rust_agrees_on_this_machine() {
    let folder = rust_tests("host-rust");
    let mut cargo = Command::new("cargo");
    cargo.current_dir(&folder).args(["run", "--release"]).env("RUSTFLAGS", "-Dwarnings");
    cargo.env("CARGO_TARGET_DIR", folder.join("target"));
    succeed(&mut cargo, "cargo");
}

#[test]
fn rust_agrees_on_64_bit_arm() {
    let folder = rust_tests("aarch64-rust");
    let (triple, target) = ("aarch64-unknown-linux-gnu", folder.join("target"));
    let mut cargo = cargo(&folder, triple, &target);
    cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc");
    succeed(&mut cargo, "gcc-aarch64-linux-gnu");
    check(emulated(&target.join(triple).join("release/tests")), "qemu-user", "all");
}
