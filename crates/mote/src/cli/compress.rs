//! `mote compress`: a smaller model from a model and its data.

mod diary;
mod told;
mod ways;

use std::{ops::ControlFlow, path::PathBuf};

use clap::{Args, ValueEnum};
use mote::{
    Error,
    compression::{self, Budget, Progress, Purpose, Search, Way},
    device::Device,
    files::{self, Mapped},
    machine::Machine,
    training::Recipe,
};
use mote_runtime::Level;

use super::{Style, advise::bytes, answer::Watcher, bench, data::Data};
use diary::Diary;
use ways::Ways;

#[derive(Args)]
pub(super) struct Compress {
    /// A model that `mote train` wrote
    model: PathBuf,
    /// The files that it was trained on, or more of the same kind
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Where to write the smaller model
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// What the model is measured by; the first decides where a budget is kept. What it was made for, if
    /// nothing is said
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PURPOSE")]
    quality: Vec<For>,
    /// Predict times for the machine that `mote bench --measure` wrote this file on [default: for none, and
    /// for this one where times are bounded]
    #[arg(long, value_name = "FILE")]
    machine: Option<PathBuf>,
    #[command(flatten)]
    ways: Ways,
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    data: Data,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum For {
    /// VUS-PR over held-back data with planted faults
    Detection,
    /// Nats for each value, of all held-back windows and of rare ones
    Density,
    /// CRPS of the second half of windows, from the first
    Forecast,
    /// CRPS of a third of the values, from the others
    Imputation,
    /// Context-FID of drawn windows, and the share of rare values among them
    Generation,
}

impl From<For> for Purpose {
    fn from(purpose: For) -> Self {
        match purpose {
            For::Detection => Self::Detection,
            For::Density => Self::Density,
            For::Forecast => Self::Forecast,
            For::Imputation => Self::Imputation,
            For::Generation => Self::Generation,
        }
    }
}

/// A budget: then the way is searched for.
#[derive(Args, Clone, Copy)]
#[command(next_help_heading = "A budget, for which the way is searched")]
struct Wanted {
    /// A board or processor that its firmware has to fit into, such as cortex-m4 or nrf52840
    #[arg(long, value_name = "NAME", value_parser = Device::named, conflicts_with_all = WAYS)]
    device: Option<Device>,
    /// Bytes that all weights may take, such as 64KB
    #[arg(long, value_name = "BYTES", value_parser = bytes, conflicts_with_all = WAYS)]
    flash: Option<u64>,
    /// Bytes that the activations of a program may take
    #[arg(long, value_name = "BYTES", value_parser = bytes, conflicts_with_all = WAYS)]
    ram: Option<u64>,
    /// Multiplications that one run of a program may take
    #[arg(long, value_name = "NUMBER", conflicts_with_all = WAYS)]
    multiplications: Option<u64>,
    /// The time that one run of a program may take, such as 20us or 1.5ms, as predicted
    #[arg(long, value_name = "TIME", value_parser = nanoseconds, conflicts_with_all = WAYS)]
    latency: Option<f64>,
    /// What may be lost of the quality that the model is measured by, such as 5%
    #[arg(long, value_name = "SHARE", value_parser = share, conflicts_with_all = WAYS)]
    max_loss: Option<f64>,
}

/// What says the way, so that none is to be searched.
const WAYS: [&str; 16] = [
    "student",
    "lessons",
    "prune",
    "importance",
    "spread",
    "multiple",
    "low_rank",
    "metric",
    "ranks",
    "sparse",
    "zeros",
    "bits",
    "ranges",
    "rounding",
    "plain_biases",
    "plain_channels",
];

/// Reads `5%` or `0.05`.
fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.strip_suffix('%') {
        Some(number) => (number, 0.01),
        None => (text, 1.0),
    };
    match number.trim().parse::<f64>() {
        Ok(share) if share.is_finite() => Ok(share * unit),
        _ => Err("wanted a share such as 5% or 0.05".into()),
    }
}

/// Reads `20us`, `1.5ms`.
fn nanoseconds(text: &str) -> Result<f64, String> {
    let units = [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)];
    let found = units.iter().find_map(|(unit, ns)| Some((text.strip_suffix(unit)?, ns)));
    match found.and_then(|(number, ns)| Some(number.trim().parse::<f64>().ok()? * ns)) {
        Some(ns) if ns > 0.0 && ns.is_finite() => Ok(ns),
        _ => Err("wanted a time such as 20us or 1.5ms".into()),
    }
}

impl Wanted {
    fn budget(self) -> Option<Budget> {
        let Self { device, flash, ram, multiplications, latency, max_loss } = self;
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let budget = Budget {
            flash_bytes: flash.map(size),
            ram_bytes: ram.map(size),
            multiply_adds: multiplications,
            ns: latency,
            device,
            loss: max_loss,
        };
        (budget != Budget::default()).then_some(budget)
    }
}

impl Compress {
    pub(super) fn run(self, style: Style) -> Result<(), Error> {
        files::apart(&self.out, self.files.iter().chain([&self.model]).chain(&self.machine))?;
        let mapped = Mapped::open(&self.model)?;
        let model = mapped.model()?;
        let recipe = Recipe::of(&model.manifest)?;
        let reading = self.data.reading(Some(recipe.reading))?;
        let runs = reading.apply(&self.files, &model.manifest.schema, recipe.rules)?;
        let budget = self.wanted.budget();
        let machine = self.machine()?;
        let trying = Watcher::new(0, "ways tried");
        let repairing = Watcher::new(0, "steps of repair");
        let forecasting = Watcher::new(runs.samples(), "samples forecast");
        let mut diary =
            budget.map(|_| Diary::open(&self, &reading, machine.as_ref())).transpose()?;
        let known = diary.as_ref().map_or_else(Vec::new, |diary| diary.tried.clone());
        let mut unwritten = None;
        let mut watch = |progress| match progress {
            Progress::Trying(done, of) => trying.out_of(done, of),
            Progress::Tried(one) => {
                let written = diary.as_mut().map_or(Ok(()), |diary| diary.add(one));
                unwritten = written.err();
                if unwritten.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
            Progress::Repairing(..) if budget.is_some() => trying.go_on(),
            Progress::Repairing(done, of) => repairing.out_of(done, of),
            Progress::Forecasting(done, of) => forecasting.out_of(done, of),
        };
        let purposes: Vec<Purpose> = self.quality.iter().map(|one| (*one).into()).collect();
        let found = match budget {
            Some(budget) => {
                let repair = self.ways.stack().repair;
                let how = Search { budget, repair, purposes, machine, known };
                compression::search(&model, &runs, &how, &mut watch).map(|f| (f.candidates, f.best))
            }
            None => {
                let way = Way { purposes, machine, ..self.ways.way() };
                compression::compress(&model, &runs, &way, &mut watch)
                    .map(|made| (Vec::new(), Some((0, made))))
            }
        };
        if let Some(error) = unwritten {
            return Err(error);
        }
        let (tried, made) = found?;
        drop((trying, repairing, forecasting));
        if style == Style::People {
            told::front(&tried)?;
        }
        let Some((best, made)) = made else {
            return Err(Error::Budget(told::nearest(&tried, budget.unwrap_or_default())));
        };
        files::write(&self.out, &made.file)?;
        if let Some(diary) = diary {
            diary.close();
        }
        match style {
            Style::Json => told::json(&self.out, &tried, best, &made),
            Style::People => told::people(&self.out, &made),
        }
    }

    /// The machine that times are predicted for: the one that is named, or this one where it is needed.
    fn machine(&self) -> Result<Option<Machine>, Error> {
        match &self.machine {
            Some(path) => Machine::read(path).map(Some),
            None if self.wanted.latency.is_some() => bench::this_machine(Level::best()).map(Some),
            None => Ok(None),
        }
    }
}
