//! `mote impute`: holes of files and streams, filled; or holes made, filled and judged.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use clap::Args;
use mote::{
    Error,
    completion::{
        Filling as Filler, calibrated,
        draw::Drawer,
        fill_series,
        judge::{Comparison, Hiding, Trial},
    },
    files::Mapped,
    source::Reading,
    stream::Live,
    training::Recipe,
};
use mote_data::{Runs, Scaling, fill::Filling, write::Format};
use mote_format::Model;
use serde_json::json;

use super::{
    Style,
    answer::{Asking, Destination, Watcher},
    data::{Data, Input},
    link::Link,
    say, say_json,
};

#[derive(Args)]
pub(super) struct Impute {
    /// A model that `mote train` wrote, best with `--for impute`
    model: PathBuf,
    /// Files with holes; or none, with --from
    #[arg(required_unless_present = "from", conflicts_with = "from")]
    files: Vec<PathBuf>,
    /// Draws of each window; the median of them is filled in
    #[arg(long, value_name = "NUMBER", default_value_t = 32)]
    draws: usize,
    /// Also columns with the lower and upper end of a range of this coverage
    #[arg(long, value_name = "COVERAGE")]
    intervals: Option<f64>,
    /// Hide this share of the known values, fill them, and print how far off that was
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["out", "from"])]
    hide: Option<f64>,
    /// Hide a column for so many samples in a row
    #[arg(long, value_name = "SAMPLES", default_value_t = 1, requires = "hide")]
    block: usize,
    /// Samples of a stream that follow a hole before it is filled [default: a quarter of a window]
    #[arg(long, value_name = "SAMPLES", requires = "from")]
    delay: Option<usize>,
    /// Write to this file: .csv, .jsonl or .parquet; a folder for several [default: CSV to standard
    /// output]
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["from", "to"])]
    out: Option<PathBuf>,
    #[command(flatten)]
    asking: Asking,
    #[command(flatten)]
    link: Link,
    #[command(flatten)]
    data: Data,
}

/// The coverage of intervals where none is asked for.
const COVERAGE: f64 = 0.9;

impl Impute {
    pub(super) fn run(self, style: Style) -> Result<(), Error> {
        let mapped = Mapped::open(&self.model)?;
        let model = mapped.model()?;
        let coverage = self.intervals.unwrap_or(COVERAGE);
        if !(coverage > 0.0 && coverage < 1.0) {
            return Err(Error::Usage(format!(
                "wanted --intervals between 0 and 1, found {coverage}"
            )));
        }
        let drawer = Drawer::new(&model, self.draws, self.asking.asking())?;
        if self.link.from.is_some() {
            return self.stream(&model, drawer, coverage, style);
        }
        match self.hide {
            Some(share) => self.judge(&model, drawer, share, coverage, style),
            None => self.fill(&model, drawer, style),
        }
    }

    fn stream(
        &self,
        model: &Model<'_>,
        drawer: Drawer<'_>,
        coverage: f64,
        style: Style,
    ) -> Result<(), Error> {
        let recipe = Recipe::of(&model.manifest)?;
        let reading = self.data.reading(Some(recipe.reading))?;
        let mut rules = recipe.rules;
        rules.lateness = reading.dataset.read.lateness.unwrap_or(rules.lateness);
        let schema = &model.manifest.schema;
        let watch = Filler::new(drawer, coverage, self.delay)?;
        let mut live = Live::watched(schema, rules, watch);
        let purpose = format!("impute {}", self.model.display());
        self.link.follow(&mut live, (schema, &reading), &purpose, style, |_| true)
    }

    fn fill(&self, model: &Model<'_>, mut drawer: Drawer<'_>, style: Style) -> Result<(), Error> {
        let (mut answers, mut said) = (Vec::new(), Vec::new());
        self.apart()?;
        if let Some(folder) = self.out.as_ref().filter(|_| self.files.len() > 1) {
            std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, e))?;
        }
        for file in &self.files {
            let read = self.files.iter().chain([&self.model]);
            let destination = Destination::of(self.target(file)?.as_deref(), read, style)?;
            let Input { table, series, overrides } = self.data.input(model, file)?;
            let watcher = Watcher::new(series.len(), "samples");
            let filled =
                fill_series(&mut drawer, &series, self.intervals, &mut |done| watcher.at(done))?;
            drop(watcher);
            let range = self.intervals.map(|_| [&*filled.low, &*filled.high]);
            let filling = Filling { values: &filled.values, range };
            let schema = &model.manifest.schema;
            answers.push((destination, table.filled(schema, &overrides, &series, filling)?));
            if filled.left > 0 {
                eprintln!(
                    "note: {}: {} samples lie in stretches shorter than a window and stay as they are",
                    file.display(),
                    filled.left
                );
            }
            said.push((file, series.len(), filled.holes));
        }
        answers.iter().try_for_each(|(destination, table)| destination.write(table))?;
        for (file, samples, filled) in said.into_iter().filter(|_| self.out.is_some()) {
            match style {
                Style::Json => {
                    say_json(&json!({ "file": file, "samples": samples, "filled": filled }))?;
                }
                Style::People => say(format_args!(
                    "{}: {filled} values filled in {samples} samples",
                    file.display()
                ))?,
            }
        }
        Ok(())
    }

    /// Two files of one name in different folders would have their answers in one place.
    fn apart(&self) -> Result<(), Error> {
        let targets = self.files.iter().map(|file| self.target(file));
        let targets = targets.collect::<Result<Vec<_>, _>>()?;
        for (i, target) in targets.iter().enumerate() {
            if let Some(before) = targets[..i].iter().position(|other| other == target) {
                let [a, b] = [&self.files[before], &self.files[i]].map(|file| file.display());
                return Err(Error::Usage(format!(
                    "wanted files of different names, because answers keep them; found {a} and {b}"
                )));
            }
        }
        Ok(())
    }

    /// Where the answer for a file goes; `None` for standard output.
    fn target(&self, file: &Path) -> Result<Option<PathBuf>, Error> {
        match (&self.out, self.files.len()) {
            (out, 1) => Ok(out.clone()),
            (None, n) => Err(Error::Usage(format!("wanted --out with a folder for {n} files"))),
            (Some(folder), _) => {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let plain = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
                let path = folder.join(plain);
                // A format that is only read is written as CSV.
                Ok(Some(match Format::of(&path) {
                    Ok(_) => path,
                    Err(_) => path.with_extension(Format::Csv.ending()),
                }))
            }
        }
    }

    fn judge(
        &self,
        model: &Model<'_>,
        mut drawer: Drawer<'_>,
        share: f64,
        coverage: f64,
        style: Style,
    ) -> Result<(), Error> {
        let recipe = Recipe::of(&model.manifest)?;
        let reading: Reading = self.data.reading(Some(recipe.reading))?;
        let schema = &model.manifest.schema;
        let runs = reading.apply(&self.files, schema, recipe.rules)?;
        let hiding = Hiding { share, block: self.block, seed: self.asking.seed };
        let mut all = Comparison::default();
        let (watcher, mut done) = (Watcher::new(runs.samples(), "samples"), 0);
        let units = units(&runs);
        for series in runs.series() {
            let mask = hiding.apply(series, schema)?;
            let trial = Trial { series, mask: &mask, units: &units };
            let progress: &mut dyn FnMut(usize) -> ControlFlow<()> =
                &mut |n| watcher.at(done + n / 2);
            let calibrator = calibrated(&mut drawer, series, &mask, coverage, progress)?;
            let progress: &mut dyn FnMut(usize) -> ControlFlow<()> =
                &mut |n| watcher.at(done + (series.len() + n) / 2);
            all.join(trial.run(&mut drawer, &calibrator, progress)?);
            done += series.len();
        }
        drop(watcher);
        let errors = all.errors();
        if style == Style::Json {
            return say_json(&json!({
                "hidden": hiding, "coverage_promised": coverage, "errors": errors,
            }));
        }
        let count = errors.values().map(|e| e.count).max().unwrap_or(0);
        say(format_args!("{count} values hidden, errors in standard deviations of each column"))?;
        say(format_args!("{:24}    MAE   RMSE   CRPS  in {:.0} % range", "", 100.0 * coverage))?;
        let mut sorted: Vec<_> = errors.iter().collect();
        sorted.sort_by(|a, b| a.1.crps.total_cmp(&b.1.crps));
        for (name, e) in sorted {
            let inside = e.coverage.map_or("-".into(), |c| format!("{:.1} %", 100.0 * c));
            say(format_args!("{name:24} {:6.3} {:6.3} {:6.3}  {inside}", e.mae, e.rmse, e.crps))?;
        }
        Ok(())
    }
}

/// The standard deviation of each feature in the files.
fn units(runs: &Runs) -> Vec<f64> {
    Scaling::fit(runs, Default::default()).scale.iter().map(|&s| f64::from(s)).collect()
}
