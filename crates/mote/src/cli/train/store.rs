//! The checkpoint of a training that may be broken off.

use std::path::{Path, PathBuf};

use mote::{Error, files, source::Source, training::Recipe};
use mote_learn::train::Checkpoint;
use serde_json::json;

/// The checkpoint beside the model file.
pub(in crate::cli) struct Store {
    path: PathBuf,
    purpose: String,
}

impl Store {
    pub(super) fn new(out: &Path, source: &Source, recipe: &Recipe) -> Self {
        let mut name = out.as_os_str().to_owned();
        name.push(".checkpoint");
        let purpose = json!({ "data": source.digest, "recipe": recipe }).to_string();
        let purpose = blake3::hash(purpose.as_bytes()).to_hex().to_string();
        Self { path: name.into(), purpose }
    }

    /// The checkpoint, if there is one of this very training.
    pub(super) fn load(&self) -> Result<Option<Checkpoint>, Error> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io("read", &self.path, e)),
        };
        let path = self.path.display();
        match Checkpoint::from_bytes(&bytes) {
            Ok(checkpoint) if checkpoint.purpose() == self.purpose => Ok(Some(checkpoint)),
            Ok(_) => {
                eprintln!("note: {path} is of another training and will be replaced");
                Ok(None)
            }
            Err(e) => {
                eprintln!("note: {path} cannot be used and will be replaced: {e}");
                Ok(None)
            }
        }
    }

    pub(super) fn save(&self, checkpoint: Checkpoint) -> Result<(), Error> {
        files::write(&self.path, &checkpoint.for_purpose(&self.purpose).to_bytes())
    }

    pub(super) fn remove(&self) {
        // It may never have been written; what is left behind is only replaced next time.
        let _ = std::fs::remove_file(&self.path);
    }
}
