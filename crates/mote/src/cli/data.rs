//! Arguments that say how files are read; they overrule the settings of a data set.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use mote::{
    Error,
    source::{Reading, Source, dataset},
    training::Recipe,
};
use mote_data::{
    Overrides, Series, Table,
    overrides::{Constant, Order},
    split::Train,
};
use mote_format::Model;

/// How files are read.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Reading files")]
pub(super) struct Data {
    /// Settings of the data set: a TOML file with [read], [split] and [labels]
    #[arg(long, value_name = "TOML")]
    dataset: Option<PathBuf>,
    /// The column that holds the time; "" for none
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
    /// How times are written, such as "%d.%m.%Y %H:%M"
    #[arg(long, value_name = "FORMAT")]
    time_format: Option<String>,
    /// The column that marks anomalies; "" for none
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// Use only these columns
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    columns: Vec<String>,
    /// Leave these columns out
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    drop: Vec<String>,
    /// These columns hold words out of a set
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    categorical: Vec<String>,
    /// These columns hold numbers
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    numeric: Vec<String>,
    /// Whether the first row of a CSV file holds names
    #[arg(long, value_name = "yes|no")]
    header: Option<YesNo>,
    /// The column that tells recordings in a file apart; "" for none
    #[arg(long, value_name = "COLUMN")]
    recording: Option<String>,
    /// Each row is a recording, its fields are samples of one sensor; name the label and columns of
    /// words
    #[arg(long)]
    wide: bool,
    /// Blocks of rows between empty lines are recordings, a word at the head of a block its class, in
    /// a column of this name
    #[arg(long, value_name = "COLUMN")]
    blocks: Option<String>,
    /// Names for the columns, all of them, in order
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    names: Vec<String>,
    /// What separates fields; a space stands for a run of blanks
    #[arg(long, value_name = "CHARACTER")]
    delimiter: Option<char>,
    /// More spellings of a missing value, such as "NaN" or "-"
    #[arg(long, value_name = "WORDS", value_delimiter = ',', allow_hyphen_values = true)]
    missing: Vec<String>,
    /// Seconds between two samples
    #[arg(long, value_name = "SECONDS")]
    period: Option<f64>,
    /// What to do with a column that never changes
    #[arg(long, value_name = "WHAT")]
    constant: Option<WhatConstant>,
    /// The longest gap, in samples, that is filled as missing
    #[arg(long, value_name = "SAMPLES")]
    max_gap: Option<usize>,
    /// How many records may wait for a late one
    #[arg(long, value_name = "RECORDS")]
    lateness: Option<usize>,
    /// What orders the rows
    #[arg(long, value_name = "WHAT")]
    order: Option<WhatOrder>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum YesNo {
    Yes,
    No,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum WhatConstant {
    Refuse,
    Drop,
    Keep,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum WhatOrder {
    Time,
    File,
}

impl Data {
    /// The settings of the data set, or of `base` where none was named, with these arguments on top.
    pub(super) fn reading(&self, base: Option<Reading>) -> Result<Reading, Error> {
        let mut reading = base.unwrap_or_default();
        if let Some(path) = &self.dataset {
            reading.dataset = dataset(path)?;
        }
        let read = &mut reading.dataset.read;
        let or = |given: &Option<String>, old: &mut Option<String>| {
            if given.is_some() {
                old.clone_from(given);
            }
        };
        or(&self.time, &mut read.time);
        or(&self.label, &mut read.label);
        or(&self.recording, &mut read.recording);
        or(&self.blocks, &mut read.blocks);
        read.wide |= self.wide;
        if let Some(format) = &self.time_format {
            let parsed = mote_data::TimeFormat::try_from(format.clone());
            read.time_format =
                Some(parsed.map_err(|e| Error::Usage(format!("--time-format: {e}")))?);
        }
        for (given, old) in [
            (&self.columns, &mut read.columns),
            (&self.drop, &mut read.drop),
            (&self.categorical, &mut read.categorical),
            (&self.numeric, &mut read.numeric),
            (&self.names, &mut read.names),
            (&self.missing, &mut read.missing),
        ] {
            if !given.is_empty() {
                old.clone_from(given);
            }
        }
        read.header = self.header.map(|h| matches!(h, YesNo::Yes)).or(read.header);
        read.delimiter = self.delimiter.or(read.delimiter);
        read.period = self.period.or(read.period);
        read.max_gap = self.max_gap.or(read.max_gap);
        read.lateness = self.lateness.or(read.lateness);
        read.constant = match self.constant {
            None => read.constant,
            Some(WhatConstant::Refuse) => Constant::Refuse,
            Some(WhatConstant::Drop) => Constant::Drop,
            Some(WhatConstant::Keep) => Constant::Keep,
        };
        read.order = match self.order {
            None => read.order,
            Some(WhatOrder::Time) => Order::Time,
            Some(WhatOrder::File) => Order::File,
        };
        Ok(reading)
    }

    /// A label, and what is to be left out, has to be in one of the files where it was named here: mistyped, it would be
    /// an input.
    pub(super) fn check(&self, reading: &Reading, source: &Source) -> Result<(), Error> {
        let columns: Vec<&str> = source.plan.decisions.iter().map(|d| d.column.as_str()).collect();
        let absent = |what: &str, name: &str| {
            Err(Error::Usage(format!("wanted {what} `{name}`, found {}", columns.join(", "))))
        };
        if let Some(label) = self.label.as_deref().filter(|label| !label.is_empty()) {
            let labelled = source.runs.series().iter().any(|series| series.labels().is_some());
            if !columns.contains(&label) && !labelled {
                return absent("the label", label);
            }
        }
        // In a long table they are values of a column.
        match self.drop.iter().find(|name| !columns.contains(&name.as_str())) {
            Some(name) if !reading.dataset.read.wide => absent("the column to leave out", name),
            _ => Ok(()),
        }
    }

    /// One file for a model that was trained before: as it is, and as samples.
    pub(super) fn input(&self, model: &Model<'_>, file: &Path) -> Result<Input, Error> {
        let recipe = Recipe::of(&model.manifest)?;
        let reading = self.reading(Some(recipe.reading))?;
        let (table, series) = reading.table(file, &model.manifest.schema, recipe.rules)?;
        Ok(Input { table, series, overrides: reading.dataset.read })
    }
}

/// A file, the samples that it was aligned to, and how it was read.
pub(super) struct Input {
    pub(super) table: Table,
    pub(super) series: Series,
    pub(super) overrides: Overrides,
}

/// How much of each file is for training.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Dividing files")]
pub(super) struct Division {
    /// Train on the first rows of each file only
    #[arg(long, value_name = "ROWS", conflicts_with = "train_fraction")]
    train_rows: Option<usize>,
    /// Train on the first share of each file only
    #[arg(long, value_name = "SHARE")]
    train_fraction: Option<f64>,
    /// The share of the training part, at its end, that is held back
    #[arg(long, value_name = "SHARE")]
    validation: Option<f64>,
}

impl Division {
    pub(super) fn apply(&self, reading: &mut Reading) {
        let split = &mut reading.dataset.split;
        split.train = match (self.train_rows, self.train_fraction) {
            (Some(rows), _) => Train::Rows(rows),
            (None, Some(share)) => Train::Fraction(share),
            (None, None) => split.train,
        };
        split.validation = self.validation.unwrap_or(split.validation);
    }
}
