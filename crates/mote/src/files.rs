//! Files of the library's own: models are mapped, and what is written appears whole or not at all.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use memmap2::Mmap;

use crate::Error;

/// A model file in memory, without a copy.
#[derive(Debug)]
pub struct Mapped {
    path: PathBuf,
    map: Option<Mmap>,
}

impl Mapped {
    /// Maps a file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    #[expect(unsafe_code, reason = "mapping a file is unsafe by nature")]
    pub fn open(path: &Path) -> Result<Self, Error> {
        let error = |e| Error::io("read", path, e);
        let file = File::open(path).map_err(error)?;
        if file.metadata().map_err(error)?.is_dir() {
            let found = std::io::Error::other("wanted a model file, found a folder");
            return Err(error(found));
        }
        if file.metadata().map_err(error)?.len() == 0 {
            return Ok(Self { path: path.into(), map: None });
        }
        // SAFETY: the map is only read. Model files are replaced by renaming (`write` below), never
        // changed in place, so the bytes stay what they are while they are mapped.
        let map = unsafe { Mmap::map(&file) }.map_err(error)?;
        Ok(Self { path: path.into(), map: Some(map) })
    }

    /// Reads and verifies the model.
    ///
    /// # Errors
    ///
    /// [`Error::Model`].
    pub fn model(&self) -> Result<mote_format::Model<'_>, Error> {
        let bytes = self.map.as_deref().unwrap_or_default();
        mote_format::Model::open(bytes)
            .map_err(|source| Error::Model { path: self.path.clone(), source })
    }

    /// The bytes of the file, whatever it is.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }

    /// The size of the file in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.as_deref().map_or(0, <[u8]>::len)
    }

    /// Whether the file is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Writes a file as a whole: a reader sees the old contents or the new, never a part, and a disk
/// that fills up leaves the old file as it was.
///
/// What is no regular file (a pipe, `/dev/full`) is written to directly.
///
/// # Errors
///
/// [`Error::Io`]; then nothing is left behind.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let error = |e| Error::io("write", path, e);
    if path.metadata().is_ok_and(|m| !m.is_file()) {
        let mut file = File::options().write(true).open(path).map_err(error)?;
        return file.write_all(bytes).and_then(|()| file.flush()).map_err(error);
    }
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new()
        .prefix(".mote-")
        .suffix(".tmp")
        .tempfile_in(folder)
        .map_err(error)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(error)?;
    readable(file.as_file()).map_err(error)?;
    file.persist(path).map_err(|e| error(e.error))?;
    Ok(())
}

/// Refuses to write over one of the files that are read: whoever asks for that has mistyped a name.
///
/// # Errors
///
/// [`Error::Usage`] if `out` is one of them, by whatever path.
pub fn apart<'p>(out: &Path, read: impl IntoIterator<Item = &'p PathBuf>) -> Result<(), Error> {
    let Ok(target) = out.canonicalize() else { return Ok(()) };
    let same = |path: &&PathBuf| path.canonicalize().is_ok_and(|path| path == target);
    match read.into_iter().find(same) {
        Some(path) if target.is_file() => Err(Error::Usage(format!(
            "wanted another file to write to than those that are read, found {} in both places",
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// Temporary files are private; what a person asked for is not.
#[cfg(unix)]
fn readable(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_: &File) -> std::io::Result<()> {
    Ok(())
}
