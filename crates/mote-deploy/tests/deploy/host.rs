//! Exported firmware on Linux, this machine and 64-bit Arm, and the runtime itself on the latter.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use mote_deploy::{Files, Language};

use crate::{
    support::{
        bare::{c_sources, cargo, write_part},
        tools::{output, succeed, target_folder},
    },
    table,
};

/// The main function of exported C: its exit code is what failed.
const MAIN: &str =
    "int firmware_self_test(void);\nint main(void) { return firmware_self_test(); }\n";

#[track_caller]
fn fresh(kind: &str) -> PathBuf {
    let folder = target_folder().join("firmware").join(kind);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder in target");
    folder
}

/// Builds all models in C with `compiler` into one program.
#[track_caller]
fn build_c(kind: &str, models: &[(String, Files)], compiler: &[&str], package: &str) -> PathBuf {
    let folder = fresh(kind);
    let mut sources = c_sources(&folder, models);
    let main = folder.join("main.c");
    fs::write(&main, MAIN).expect("written");
    sources.push(main);
    let program = folder.join("test");
    let mut cc = Command::new(compiler[0]);
    cc.args(&compiler[1..]).args(sources).args(["-lm", "-o"]).arg(&program);
    succeed(&mut cc, package);
    program
}

/// The strictest warnings.
const STRICT: [&str; 8] = [
    "-Wl,--fatal-warnings",
    "-std=c99",
    "-O2",
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wconversion",
    "-Werror",
];

#[track_caller]
fn check(mut command: Command, package: &str, models: &[(String, Files)]) {
    let output = output(&mut command, package);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let failed = output.status.code().and_then(|i| models.get((i as usize).wrapping_sub(1)));
    let failed = failed.map(|(name, _)| name);
    assert_eq!(output.status.code(), Some(0), "{failed:?}: {said}");
}

/// A command that runs `program` for 64-bit Arm.
fn emulated(program: &Path) -> Command {
    let mut qemu = Command::new("qemu-aarch64");
    qemu.args(["-L", "/usr/aarch64-linux-gnu"]).arg(program);
    qemu
}

#[test]
fn c_agrees_on_this_machine() {
    let models = table::exported(Language::C);
    let compiler = [&["cc"], &STRICT[..]].concat();
    let program = build_c("host-c", &models, &compiler, "build-essential");
    check(Command::new(program), "build-essential", &models);
}

#[test]
fn c_has_no_undefined_behaviour() {
    let models = table::exported(Language::C);
    let sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let compiler = [&["cc", "-std=c99", "-O1", "-g"], &sanitizers[..]].concat();
    let program = build_c("sanitized-c", &models, &compiler, "build-essential");
    check(Command::new(program), "build-essential", &models);
}

#[test]
fn c_agrees_on_64_bit_arm() {
    let models = table::exported(Language::C);
    let compiler = [&["aarch64-linux-gnu-gcc"], &STRICT[..]].concat();
    let program = build_c("aarch64-c", &models, &compiler, "gcc-aarch64-linux-gnu");
    check(emulated(&program), "qemu-user", &models);
}

/// Exported Rust with a `main` of its own, as one crate that tests every case.
#[track_caller]
fn rust_tests(kind: &str) -> PathBuf {
    let folder = fresh(kind);
    fs::create_dir_all(folder.join("src")).expect("a folder in target");
    let (mut dependencies, mut main) = (String::new(), String::new());
    for (case, files) in table::exported(Language::Rust) {
        write_part(&files, &folder.join(&case));
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

/// Cargo for 64-bit Arm, in `folder`.
fn cargo_arm(what: &str, folder: &Path, target: &Path) -> Command {
    let mut cargo = cargo(what, folder, ARM, target);
    cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc");
    cargo
}

const ARM: &str = "aarch64-unknown-linux-gnu";

#[test]
fn rust_agrees_on_64_bit_arm() {
    let folder = rust_tests("aarch64-rust");
    let target = folder.join("target");
    succeed(&mut cargo_arm("build", &folder, &target), "gcc-aarch64-linux-gnu");
    check(emulated(&target.join(ARM).join("release/tests")), "qemu-user", &[]);
}

/// The conformance suite of the runtime itself: the only place where its kernels for NEON run.
#[test]
fn the_runtime_agrees_on_64_bit_arm() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut cargo = cargo_arm("test", &root, &target_folder().join("firmware/aarch64-runtime"));
    cargo.args(["--locked", "--offline", "--package", "mote-runtime"]);
    cargo.args(["--test", "conformance", "--test", "runtime"]);
    let runner = "qemu-aarch64 -cpu max -L /usr/aarch64-linux-gnu";
    cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", runner);
    let said = succeed(&mut cargo, "qemu-user");
    assert_eq!(said.matches("test result: ok.").count(), 2, "{said}");
}
