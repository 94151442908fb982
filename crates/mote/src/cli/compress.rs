//! `mote compress`: a smaller model from a model and its data.

mod ways;

use std::path::PathBuf;

use clap::Args;
use mote::{
    Error,
    compression::{self, Budget, Candidate, Compressed, Progress},
    files::{self, Mapped},
    training::Recipe,
};
use serde_json::json;

use super::{Style, advise::bytes, answer::Watcher, data::Data, say, say_json};
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
    #[command(flatten)]
    ways: Ways,
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    data: Data,
}

/// A budget: then the way is searched for.
#[derive(Args, Clone, Copy)]
#[command(next_help_heading = "A budget, for which the way is searched")]
struct Wanted {
    /// Bytes that all weights may take, such as 64KB
    #[arg(long, value_name = "BYTES", value_parser = bytes, conflicts_with_all = WAYS)]
    flash: Option<u64>,
    /// Bytes that the activations of a program may take
    #[arg(long, value_name = "BYTES", value_parser = bytes, conflicts_with_all = WAYS)]
    ram: Option<u64>,
    /// Multiplications that one run of a program may take
    #[arg(long, value_name = "NUMBER", conflicts_with_all = WAYS)]
    multiplications: Option<u64>,
    /// What may be lost: nats for each observed value; of a model that scores nothing, the share of the
    /// power of its outputs that is an error
    #[arg(long, value_name = "LOSS", conflicts_with_all = WAYS)]
    max_loss: Option<f64>,
}

/// What says the way, so that none is to be searched.
const WAYS: [&str; 4] = ["prune", "low_rank", "bits", "rounding"];

impl Wanted {
    fn budget(self) -> Option<Budget> {
        let Self { flash, ram, multiplications, max_loss } = self;
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let budget = Budget {
            flash_bytes: flash.map(size),
            ram_bytes: ram.map(size),
            multiply_adds: multiplications,
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
        let trying = Watcher::new(0, "ways tried");
        let repairing = Watcher::new(0, "steps of repair");
        let forecasting = Watcher::new(runs.samples(), "samples forecast");
        let mut watch = |progress| match progress {
            Progress::Trying(done, of) => trying.out_of(done, of),
            Progress::Repairing(..) if budget.is_some() => trying.go_on(),
            Progress::Repairing(done, of) => repairing.out_of(done, of),
            Progress::Forecasting(done, of) => forecasting.out_of(done, of),
        };
        let (tried, made) = match budget {
            Some(budget) => {
                let found = compression::search(
                    &model,
                    &runs,
                    budget,
                    self.ways.stack().repair,
                    &mut watch,
                )?;
                (found.candidates, found.best)
            }
            None => {
                let stack = self.ways.stack();
                (Vec::new(), Some((0, compression::compress(&model, &runs, &stack, &mut watch)?)))
            }
        };
        drop((trying, repairing, forecasting));
        if style == Style::People {
            front(&tried)?;
        }
        let Some((best, made)) = made else {
            return Err(Error::Budget(nearest(&tried, budget.unwrap_or_default())));
        };
        files::write(&self.out, &made.file)?;
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
                "nats": made.nats,
                "calibration": made.calibration,
            })),
            Style::People => self.tell(&made),
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
            say(format_args!(
                "  {}: {} multiplications, {} before; arena {} bytes, {} before; signal over noise on \
                 held-back windows: {}",
                change.program,
                change.multiply_adds[1],
                change.multiply_adds[0],
                change.arena_bytes[1],
                change.arena_bytes[0],
                near.join(", ")
            ))?;
        }
        if let Some([before, after]) = made.nats {
            say(format_args!(
                "  held-back windows: {after:.3} nats for each observed value, {before:.3} before"
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
    if tried.is_empty() {
        return Ok(());
    }
    say("  pruned  low rank  bits   weights, bytes  arena, bytes  multiplications    loss")?;
    for one in tried.iter().filter(|one| one.front) {
        say(format_args!(
            "{} {:5.0} %  {:6.0} %  {:4}  {:15}  {:12}  {:15}  {:+.3}",
            if one.fits { "*" } else { " " },
            100.0 * one.pruned,
            100.0 * one.low_rank,
            one.bits,
            one.flash_bytes,
            one.ram_bytes,
            one.multiply_adds,
            one.loss
        ))?;
    }
    say("  * within the budget; the other ways that were tried are larger and lose more")
}

/// How near the search came to a budget that nothing fits.
fn nearest(tried: &[Candidate], budget: Budget) -> String {
    let least = |of: &dyn Fn(&Candidate) -> f64| tried.iter().map(of).fold(f64::INFINITY, f64::min);
    let within = |one: &&Candidate| budget.flash_bytes.is_none_or(|most| one.flash_bytes <= most);
    let losses = tried.iter().filter(within).map(|one| one.loss);
    let small = match losses.min_by(f64::total_cmp) {
        Some(loss) => format!("what has so few weights loses {loss:.3} or more"),
        None => "no way has so few weights".into(),
    };
    format!(
        "the least of {} ways: {} bytes of weights, {} bytes of arena, {} multiplications, a loss of {:.3}; \
         {small}",
        tried.len(),
        least(&|one| one.flash_bytes as f64),
        least(&|one| one.ram_bytes as f64),
        least(&|one| one.multiply_adds as f64),
        least(&|one| one.loss)
    )
}
