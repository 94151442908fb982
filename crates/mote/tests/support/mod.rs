//! Runs the `mote` binary, and makes the files that it reads.

// Each test file is a crate of its own and uses what it needs.
#![allow(dead_code)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

use mote_data::pump;

/// The binary under test, in `folder`.
pub(crate) fn mote(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mote"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    mote(folder, arguments).output().expect("the binary was built with the tests")
}

/// What it said on standard error.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What it printed.
pub(crate) fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
pub(crate) fn succeeds(output: &Output) {
    assert!(output.status.success(), "{}\n{}", output.status, said(output));
}

/// A recording of the simulated pump as CSV.
pub(crate) fn pump_csv(samples: usize, seed: u64, faults: usize) -> String {
    let config = pump::Config { samples, seed, ..pump::Config::default() };
    pump::simulate(&config.with_random_faults(faults)).csv()
}

/// A folder with `normal.csv`, `faulty.csv` and a model of them, `pump.mote`; made once.
pub(crate) fn trained() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        // One recording, cut in two: the simulator keeps its first third free of faults.
        let recording = pump_csv(3600, 1, 3);
        let mut lines = recording.split_inclusive('\n');
        let header = lines.next().unwrap_or_default();
        for (name, rows) in [("normal.csv", 1200), ("faulty.csv", 2400)] {
            let part: String = std::iter::once(header).chain(lines.by_ref().take(rows)).collect();
            std::fs::write(folder.join(name), part).expect("written");
        }
        let output = run(&folder, &["train", "normal.csv", "--out", "pump.mote", "--steps", "150"]);
        succeeds(&output);
        folder
    })
}
