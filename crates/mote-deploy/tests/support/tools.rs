//! Programs that tests start: found, run, and named with their packages where they are missing.

use std::{
    env,
    ffi::OsStr,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Where what tests build is kept: beside what Cargo builds.
pub(crate) fn target_folder() -> PathBuf {
    let exe = env::current_exe().expect("tests have a file");
    exe.ancestors().nth(3).expect("target/release/deps/test").to_path_buf()
}

/// The folder that `tools/arm-toolchain.sh` fills.
#[track_caller]
pub(crate) fn toolchain() -> PathBuf {
    let folder = env::var_os("MOTE_ARM_TOOLCHAIN").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| target_folder().join("arm-toolchain"));
    let wanted = folder.join("usr/bin/rustc");
    assert!(
        wanted.exists(),
        "`{}` is missing: run `sh tools/arm-toolchain.sh`, which fetches Rust for bare targets from \
         Debian, or set MOTE_ARM_TOOLCHAIN to the folder that it filled",
        wanted.display()
    );
    folder
}

/// Runs `command` to its end. A test that did not run must not look like one that passed: where the
/// program is missing, this panics and names the Debian package.
#[track_caller]
pub(crate) fn output(command: &mut Command, package: &str) -> Output {
    match command.output() {
        Ok(output) => output,
        Err(e) if e.kind() == ErrorKind::NotFound => panic!(
            "`{}` is missing: install the Debian package `{package}`",
            command.get_program().to_string_lossy()
        ),
        Err(e) => panic!("cannot start {command:?}: {e}"),
    }
}

/// The same, and it has to succeed; what it printed.
#[track_caller]
pub(crate) fn succeed(command: &mut Command, package: &str) -> String {
    let output = output(command, package);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// All files of a folder and of those in it with one of these extensions.
pub(crate) fn files_with(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder was written") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files.extend(files_with(&path, extensions));
        } else if extensions.iter().any(|e| path.extension() == Some(OsStr::new(e))) {
            files.push(path);
        }
    }
    files.sort();
    files
}
