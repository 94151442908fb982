//! Reading the data that a person named: files, the data set they belong to, and what was decided.

use std::path::{Path, PathBuf};

use mote_data::{Dataset, Plan, Runs, Series, Table, source::Limits, split::Train};
use serde::{Deserialize, Serialize};

use crate::Error;

/// How data is read and divided: a data set's settings with a person's own on top. Stored with a
/// model, so that later files are read in the same way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reading {
    /// Settings of the files.
    pub dataset: Dataset,
}

/// Files that were read for training.
#[derive(Clone, Debug)]
pub struct Source {
    /// All decisions about columns and pace.
    pub plan: Plan,
    /// One run for each file.
    pub runs: Runs,
    /// BLAKE3 of the files, in order.
    pub digest: String,
    /// Their names as given.
    pub names: Vec<String>,
}

impl Reading {
    /// Reads `files` and decides what their columns are, from their training parts alone.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] or [`Error::Io`].
    pub fn learn(&self, files: &[PathBuf]) -> Result<Source, Error> {
        let tables = self.tables(files)?;
        let heads: Vec<Table> = match self.dataset.split.train {
            Train::Rows(rows) => tables.iter().map(|t| t.head(rows)).collect(),
            _ => tables.clone(),
        };
        let plan = Plan::of(&heads, &self.dataset.read)?;
        let runs = Runs::from_tables(&tables, &plan.schema, plan.rules, &self.dataset.read)?;
        Ok(Source { plan, runs, digest: digest(files)?, names: names(files) })
    }

    /// Reads `files` for a model that was trained before: its schema says which columns.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] or [`Error::Io`].
    pub fn apply(
        &self,
        files: &[PathBuf],
        schema: &mote_format::Schema,
        rules: mote_data::align::Rules,
    ) -> Result<Runs, Error> {
        let tables = self.tables(files)?;
        Ok(Runs::from_tables(&tables, schema, rules, &self.dataset.read)?)
    }

    /// One file for a model that was trained before, as it is and aligned.
    ///
    /// # Errors
    ///
    /// [`Error::Data`].
    pub fn table(
        &self,
        file: &Path,
        schema: &mote_format::Schema,
        rules: mote_data::align::Rules,
    ) -> Result<(Table, Series), Error> {
        let table = self.dataset.read(file, &Limits::default())?;
        let records = mote_data::records(&table, schema, &self.dataset.read)?;
        let series = Series::from_records(table.name(), schema, rules, records)?;
        Ok((table, series))
    }

    /// The records of one file in its own order, as a stream would bring them.
    ///
    /// # Errors
    ///
    /// [`Error::Data`], also where the file holds several recordings: a stream is one.
    pub fn records(
        &self,
        file: &Path,
        schema: &mote_format::Schema,
    ) -> Result<Vec<mote_data::Record>, Error> {
        let table = self.dataset.read(file, &Limits::default())?;
        let recordings = table.recordings(&self.dataset.read)?;
        if let Some(several) = recordings.and_then(|r| r.into_iter().max()).filter(|&m| m > 0) {
            let what = format!("wanted one recording to stream, found {}", several + 1);
            let error = mote_data::Error::new(mote_data::ErrorKind::Settings, what);
            return Err(error.in_file(table.name()).into());
        }
        Ok(mote_data::records(&table, schema, &self.dataset.read)?)
    }

    fn tables(&self, files: &[PathBuf]) -> Result<Vec<Table>, Error> {
        let read = |file: &PathBuf| self.dataset.read(file, &Limits::default());
        Ok(files.iter().map(read).collect::<Result<_, _>>()?)
    }
}

/// The names by which a model remembers its files.
#[must_use]
pub fn names(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|f| f.display().to_string()).collect()
}

/// BLAKE3 of the lengths and bytes of files, in hexadecimal digits.
///
/// # Errors
///
/// [`Error::Io`].
pub fn digest(files: &[PathBuf]) -> Result<String, Error> {
    let mut hasher = blake3::Hasher::new();
    for file in files {
        let bytes = std::fs::read(file).map_err(|e| Error::io("read", file, e))?;
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(&bytes);
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// Reads the TOML of a data set.
///
/// # Errors
///
/// [`Error::Io`] or [`Error::Data`], which names the file.
pub fn dataset(path: &Path) -> Result<Dataset, Error> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, e))?;
    Ok(Dataset::from_toml(&text).map_err(|e| e.in_file(&path.display().to_string()))?)
}
