//! What a search has tried, kept beside its result, so that it can be broken off and go on.

use std::{fs, path::PathBuf};

use mote::{
    Error,
    compression::{Candidate, MULTIPLE},
    files,
    machine::Machine,
    source::{Reading, digest},
};
use serde::{Deserialize, Serialize};

use super::Compress;

/// A diary on disk.
pub(super) struct Diary {
    path: PathBuf,
    question: Question,
    pub(super) tried: Vec<Candidate>,
}

/// What was asked: another question begins a new diary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Question {
    made_by: String,
    model: String,
    data: String,
    reading: Reading,
    repair: String,
    multiple: usize,
    /// What times are predicted for. One that was measured anew is another, so that what was tried is never
    /// weighed by two.
    machine: Option<Machine>,
    /// What firmware is made for.
    #[serde(default)]
    device: Option<String>,
    quality: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Page {
    question: Question,
    tried: Vec<Candidate>,
}

impl Diary {
    /// The one beside the file that is to be written. What cannot be read, or answers another question, is
    /// begun anew.
    pub(super) fn open(
        asked: &Compress,
        reading: &Reading,
        machine: Option<&Machine>,
    ) -> Result<Self, Error> {
        let mut path = asked.out.clone().into_os_string();
        path.push(".tried.json");
        let question = Question {
            made_by: format!("mote {}", env!("CARGO_PKG_VERSION")),
            model: digest(std::slice::from_ref(&asked.model))?,
            data: digest(&asked.files)?,
            reading: reading.clone(),
            repair: format!("{:?}", asked.ways.stack().repair),
            multiple: MULTIPLE,
            machine: machine.cloned(),
            device: asked.wanted.device.map(|device| device.name.to_owned()),
            quality: asked.quality.iter().map(|one| format!("{one:?}")).collect(),
        };
        let path = PathBuf::from(path);
        let known = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let known = known.filter(|page: &Page| page.question == question);
        let tried = known.map_or_else(Vec::new, |page| page.tried);
        Ok(Self { path, question, tried })
    }

    /// Writes down one more.
    pub(super) fn add(&mut self, one: Candidate) -> Result<(), Error> {
        // JSON has no infinity: what lost everything is tried again.
        if one.loss.is_finite() && one.quality.is_finite() {
            self.tried.push(one);
        }
        let page = Page { question: self.question.clone(), tried: self.tried.clone() };
        let text = serde_json::to_string_pretty(&page).expect("plain data");
        files::write(&self.path, text.as_bytes())
    }

    /// The search is done.
    pub(super) fn close(self) {
        // It is of no use any more, and does no harm.
        let _ = fs::remove_file(self.path);
    }
}
