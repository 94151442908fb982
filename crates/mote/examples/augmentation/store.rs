//! What was found out so far, in one file: a line for each classifier.

use std::path::{Path, PathBuf};

use mote::{Error, files};

use crate::{outcomes, trial::Outcome};

pub(crate) struct Store {
    path: PathBuf,
    pub(crate) outcomes: Vec<Outcome>,
}

impl Store {
    /// What `path` holds, nothing where there is no such file.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self { path: path.to_owned(), outcomes: outcomes::read(path)? })
    }

    pub(crate) fn holds(&self, set: &str, share: f64, method: &str, seed: u64) -> bool {
        let same =
            |o: &Outcome| (&*o.set, o.share, &*o.method, o.seed) == (set, share, method, seed);
        self.outcomes.iter().any(same)
    }

    /// Adds an outcome, and writes all of them in order.
    pub(crate) fn keep(&mut self, outcome: Outcome) -> Result<(), Error> {
        self.outcomes.push(outcome);
        self.outcomes.sort_by(|a, b| {
            let names = (&a.set, a.seed, &a.method).cmp(&(&b.set, b.seed, &b.method));
            names.then(a.share.total_cmp(&b.share))
        });
        let line = |o: &Outcome| serde_json::to_string(o).expect("plain data");
        let lines: Vec<String> = self.outcomes.iter().map(line).collect();
        files::write(&self.path, format!("[\n{}\n]\n", lines.join(",\n")).as_bytes())
    }
}
