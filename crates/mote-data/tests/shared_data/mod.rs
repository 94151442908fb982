//! Where the development data lies; it is not part of the repository.

use std::path::PathBuf;

/// The folder, from `MOTE_DATA` or beside the workspace. Without it, says so and returns `None`.
pub(crate) fn folder() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder =
        std::env::var_os("MOTE_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("this test did not run, because the folder {} is absent", folder.display());
    None
}

/// The settings of a data set in this repository.
#[allow(dead_code, reason = "not every test file reads data sets by their settings")]
pub(crate) fn dataset(name: &str) -> mote_data::Dataset {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("datasets").join(name).with_extension("toml");
    let text = std::fs::read_to_string(&path).expect("the settings are in the repository");
    mote_data::Dataset::from_toml(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
