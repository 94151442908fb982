//! The sets, their files and how they are read.

use std::path::{Path, PathBuf};

use mote::{
    Error,
    source::{Reading, dataset},
};
use mote_data::{overrides::Order, split::Train};

/// The files of a set, each of which gets a model of its own.
pub(crate) fn files_of(set: &str, data: &Path) -> Result<Vec<PathBuf>, Error> {
    let folders: &[&str] = match set {
        "skab" => &["skab/valve1", "skab/valve2", "skab/other"],
        "nab" => &[
            "nab/realAWSCloudwatch",
            "nab/realAdExchange",
            "nab/realKnownCause",
            "nab/realTraffic",
        ],
        "smd" => &["smd/test"],
        "asd" => &["asd"],
        "ett" => &["ett"],
        other => panic!("wanted skab, nab, smd, asd, ett or nsl_kdd, found {other}"),
    };
    let mut found = Vec::new();
    for folder in folders {
        let folder = data.join(folder);
        let entries = std::fs::read_dir(&folder).map_err(|e| Error::io("read", &folder, e))?;
        for entry in entries {
            let path = entry.map_err(|e| Error::io("read", &folder, e))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_data = name.contains(".csv") || name.contains(".txt");
            if is_data && !name.contains("label") && !(set == "asd" && name.contains("train")) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The protocol of each set; see the notes below the table.
pub(crate) fn reading(set: &str) -> Result<Reading, Error> {
    let mut reading = Reading { dataset: dataset(Path::new(&format!("datasets/{set}.toml")))? };
    match set {
        // NAB counts rows and not time, and four of its files are very irregular.
        "nab" => reading.dataset.read.order = Order::File,
        "smd" => reading.dataset.split.train = Train::Rows(5923),
        "asd" => reading.dataset.split.train = Train::Fraction(0.3),
        _ => {}
    }
    Ok(reading)
}
