//! What was found out so far, in one file.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use mote::{Error, files};
use serde::{Deserialize, Serialize};

use crate::outcomes;

/// Measures by name.
pub(crate) type Values = BTreeMap<String, f64>;

/// What was found out about a model on a set: the scores of one seed, `0`, `1` and so on, or something beside
/// them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) set: String,
    pub(crate) model: String,
    pub(crate) what: String,
    pub(crate) values: Values,
}

pub(crate) struct Store {
    path: PathBuf,
    pub(crate) outcomes: Vec<Outcome>,
}

impl Store {
    /// What `path` holds, nothing where there is no such file.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self { path: path.to_owned(), outcomes: outcomes::read(path)? })
    }

    pub(crate) fn holds(&self, set: &str, model: &str, what: &str) -> bool {
        self.outcomes.iter().any(|o| o.set == set && o.model == model && o.what == what)
    }

    /// Adds an outcome, and writes all of them, in order and with six digits of each.
    pub(crate) fn keep(&mut self, mut outcome: Outcome) -> Result<(), Error> {
        outcome.values.values_mut().for_each(|v| *v = brief(*v));
        self.outcomes.push(outcome);
        self.outcomes.sort_by(|a, b| (&a.set, &a.model, &a.what).cmp(&(&b.set, &b.model, &b.what)));
        let text = serde_json::to_string_pretty(&self.outcomes).expect("plain data");
        files::write(&self.path, format!("{text}\n").as_bytes())
    }
}

/// To six digits.
fn brief(value: f64) -> f64 {
    format!("{value:.5e}").parse().expect("a number was written")
}
