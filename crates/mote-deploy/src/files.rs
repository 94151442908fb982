//! What is exported: files by name, written whole or not at all.

use std::{collections::BTreeMap, fs, io, path::Path};

use crate::error::Error;

/// Files by path, relative to the folder that they are written to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    pub(crate) fn add(&mut self, path: impl Into<String>, content: impl Into<Vec<u8>>) {
        let before = self.0.insert(path.into(), content.into());
        debug_assert!(before.is_none(), "two files of one name");
    }

    /// Every path and what the file holds.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(path, content)| (path.as_str(), content.as_slice()))
    }

    /// What the file at `path` holds.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.0.get(path).map(Vec::as_slice)
    }

    /// Writes all of them into the new folder `to`: into another one beside it first, which then
    /// takes its name.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`] where something is at `to` that is no empty folder, or [`Error::Write`].
    pub fn write(&self, to: &Path) -> Result<(), Error> {
        let fault = |source: io::Error| Error::Write { path: to.into(), source };
        match fs::read_dir(to).map(|mut entries| entries.next().is_none()) {
            Ok(true) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            _ => return Err(Error::Exists { path: to.into() }),
        }
        let parent = match to.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let new = tempfile::Builder::new().prefix(".mote-export-").tempdir_in(parent);
        let new = new.map_err(fault)?;
        for (path, content) in &self.0 {
            let path = new.path().join(path);
            fs::create_dir_all(path.parent().unwrap_or(parent)).map_err(fault)?;
            fs::write(path, content).map_err(fault)?;
        }
        permit(new.path()).map_err(fault)?;
        fs::rename(new.path(), to).map_err(fault)
    }
}

/// A temporary folder is closed to others; what is exported is not.
#[cfg(unix)]
fn permit(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn permit(_: &Path) -> io::Result<()> {
    Ok(())
}
