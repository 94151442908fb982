//! Runs the `mote` binary, and makes the files that it reads.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

use mote_data::pump;

/// The binary under test, in `folder`.
pub fn mote(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mote"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    mote(folder, arguments).output().expect("the binary was built with the tests")
}

/// What it said on standard error.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What it printed.
pub fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
pub fn succeeds(output: &Output) {
    assert!(output.status.success(), "{}\n{}", output.status, said(output));
}

/// A recording of the simulated pump as CSV.
pub fn pump_csv(samples: usize, seed: u64, faults: usize) -> String {
    let config = pump::Config { samples, seed, ..pump::Config::default() };
    pump::simulate(&config.with_random_faults(faults)).csv()
}

/// A folder with `normal.csv`, `faulty.csv` and a model of them, `pump.mote`; made once.
pub fn trained() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        std::fs::write(folder.join("normal.csv"), pump_csv(1200, 1, 0)).expect("written");
        std::fs::write(folder.join("faulty.csv"), pump_csv(1500, 2, 2)).expect("written");
        let output = run(&folder, &["train", "normal.csv", "--out", "pump.mote", "--steps", "150"]);
        succeeds(&output);
        folder
    })
}
