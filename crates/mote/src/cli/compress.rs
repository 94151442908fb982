//! `mote compress`: a smaller model from a model and its data.

mod diary;
mod ways;

use std::{ops::ControlFlow, path::PathBuf};

use clap::{Args, ValueEnum};
use mote::{
    Error,
    compression::{self, Budget, Candidate, Compressed, Progress, Purpose, Quality, Search, Way},
    device::{self, Device},
    files::{self, Mapped},
    machine::Machine,
    training::Recipe,
};
use mote_deploy::Footprint;
use mote_runtime::Level;
use serde_json::json;

use super::{Style, advise::bytes, answer::Watcher, bench, bench::time, data::Data, say, say_json};
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
const WAYS: [&str; 7] = ["student", "prune", "multiple", "low_rank", "sparse", "bits", "rounding"];

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
            front(&tried)?;
        }
        let Some((best, made)) = made else {
            return Err(Error::Budget(nearest(&tried, budget.unwrap_or_default())));
        };
        files::write(&self.out, &made.file)?;
        if let Some(diary) = diary {
            diary.close();
        }
        match style {
            Style::Json => say_json(&json!({
                "model": self.out,
                "tried": tried,
                "best": tried.get(best),
                "bytes": made.file.len(),
                "tensor_bytes": made.tensor_bytes[1],
                "tensor_bytes_before": made.tensor_bytes[0],
                "programs": made.programs,
                "repairs": made.repairs,
                "quality": made.qualities,
                "firmware": made.firmware,
                "calibration": made.calibration,
            })),
            Style::People => self.tell(&made),
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

    fn tell(&self, made: &Compressed) -> Result<(), Error> {
        let [before, after] = made.tensor_bytes;
        say(format_args!(
            "{}: {after} bytes of weights, {before} before ({:.0} %)",
            self.out.display(),
            100.0 * after as f64 / before as f64
        ))?;
        for [before, after] in &made.repairs {
            say(format_args!(
                "  repaired: the loss on samples that it did not learn from was {before:.3}, now {after:.3}"
            ))?;
        }
        for change in &made.programs {
            let near: Vec<String> = change
                .signal_to_noise_db
                .iter()
                .map(|(output, db)| format!("{output} {db:.1} dB"))
                .collect();
            let near = match near.is_empty() {
                true => String::new(),
                false => format!("; signal over noise on held-back windows: {}", near.join(", ")),
            };
            say(format_args!(
                "  {}: {} multiplications, {} before; arena {} bytes, {} before{near}",
                change.program,
                change.multiply_adds[1],
                change.multiply_adds[0],
                change.arena_bytes[1],
                change.arena_bytes[0],
            ))?;
            if let Some([before, after]) = change.predicted_ns {
                let (before, after) = (time(before), time(after));
                say(format_args!("    predicted to take {after}, {before} before"))?;
            }
        }
        if let Some(fit) = &made.firmware {
            say(format_args!("  on {}", fit.told()))?;
        }
        for Quality { metric, before, after, loss } in &made.qualities {
            let loss = 100.0 * loss;
            say(format_args!(
                "  {}: {after:.3}, {before:.3} before ({loss:+.1} % lost)",
                metric.name()
            ))?;
        }
        if let Some(calibration) = &made.calibration {
            say(format_args!(
                "  threshold: {:.3} nats, from {} held-back scores",
                calibration.detector.threshold, calibration.scores
            ))?;
        }
        Ok(())
    }
}

/// What is smaller than all that loses less.
fn front(tried: &[Candidate]) -> Result<(), Error> {
    let Some(first) = tried.first() else { return Ok(()) };
    say(format_args!(
        "  pruned  low rank  bits   weights, bytes  arena, bytes  multiplications {}{} lost, % of {}",
        if first.predicted_ns.is_some() { " predicted " } else { "" },
        if first.firmware.is_some() { " tables, memory " } else { "" },
        first.metric.name()
    ))?;
    let fronts = || tried.iter().filter(|one| one.front);
    let most = fronts().map(|one| one.flash_bytes).max().unwrap_or(1);
    for one in fronts() {
        // A bar as long as the weights are large.
        let bar = "▪".repeat((24 * one.flash_bytes).div_ceil(most.max(1)));
        say(format_args!(
            "{} {:5.0} %  {:6.0} %  {:4}  {:15}  {:12}  {:15} {}{} {:+7.1}  {bar}",
            if one.fits { "*" } else { " " },
            100.0 * one.pruned,
            100.0 * one.low_rank,
            one.bits,
            one.flash_bytes,
            one.ram_bytes,
            one.multiply_adds,
            one.predicted_ns.map_or_else(String::new, |ns| format!("{:>11}", time(ns))),
            one.firmware.map_or_else(String::new, |f| format!("{:>7}, {:>6} ", f.tables, f.memory)),
            100.0 * one.loss
        ))?;
    }
    say(
        "  * within the budget; other ways that were tried are worse than one of these in everything",
    )
}

/// How near the search came to a budget that nothing fits.
fn nearest(tried: &[Candidate], budget: Budget) -> String {
    let least = |of: &dyn Fn(&Candidate) -> f64| tried.iter().map(of).fold(f64::INFINITY, f64::min);
    let firmware = match budget.device {
        Some(device) => {
            let of = |of: &dyn Fn(Footprint) -> usize| {
                least(&|one| one.firmware.map_or(f64::INFINITY, |firmware| of(firmware) as f64))
            };
            let (tables, memory) = (of(&|f| f.tables), of(&|f| f.memory));
            let Device { name, flash, ram, .. } = device;
            format!(
                "; in firmware {tables} bytes of tables and {memory} of memory, where {name} has room for {} and {}",
                flash - device::CODE,
                ram - device::STACK
            )
        }
        None => String::new(),
    };
    let small = match budget.flash_bytes {
        Some(most) => {
            let within = tried.iter().filter(|one| one.flash_bytes <= most);
            match within.map(|one| one.loss).min_by(f64::total_cmp) {
                Some(loss) => {
                    format!("; what has so few weights loses {:.1} % or more", 100.0 * loss)
                }
                None => "; no way has so few weights".into(),
            }
        }
        None => String::new(),
    };
    format!(
        "the least of {} ways: {} bytes of weights, {} bytes of arena, {} multiplications, {}a loss of {:.1} %\
         {small}{firmware}",
        tried.len(),
        least(&|one| one.flash_bytes as f64),
        least(&|one| one.ram_bytes as f64),
        least(&|one| one.multiply_adds as f64),
        match least(&|one| one.predicted_ns.unwrap_or(f64::INFINITY)) {
            ns if ns.is_finite() => format!("{} predicted, ", time(ns)),
            _ => String::new(),
        },
        100.0 * least(&|one| one.loss)
    )
}
