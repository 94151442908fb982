//! `mote compress`: a smaller model from a model and its data.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mote::{
    Error,
    compression::{Compressed, Progress, compress},
    files::{self, Mapped},
    training::Recipe,
};
use mote_compress::{
    Bits, Clip, Importance, LowRank, Metric, Pruning, Ranks, Repair, Rounding, Scheme, Spread,
    Stack,
};
use serde_json::json;

use super::{Style, answer::Watcher, data::Data, say, say_json};

#[derive(Args)]
pub(super) struct Compress {
    /// A model that `mote train` wrote
    model: PathBuf,
    /// The files that it was trained on, or more of the same kind
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The share of weights that whole channels, units and heads are taken out for, 0 to below 1
    #[arg(long, value_name = "SHARE", help_heading = "Fewer channels")]
    prune: Option<f64>,
    /// What tells which channels are missed least
    #[arg(long, value_enum, default_value_t = By::Activation, help_heading = "Fewer channels")]
    importance: By,
    /// How much of each layer goes
    #[arg(long, value_enum, default_value_t = Spreading::Uniform, help_heading = "Fewer channels")]
    spread: Spreading,
    /// The share of weights that goes because layers are written as two of lower rank, 0 to below 1
    #[arg(long, value_name = "SHARE", help_heading = "Lower rank")]
    low_rank: Option<f64>,
    /// What counts as near when directions are left out
    #[arg(long, value_enum, default_value_t = Near::Results, help_heading = "Lower rank")]
    metric: Near,
    /// Which rank each layer gets
    #[arg(long, value_enum, default_value_t = Spreading::Automatic, help_heading = "Lower rank")]
    ranks: Spreading,
    /// Steps in which what is left learns to give what the model gave, after channels or ranks went; 0
    /// for none
    #[arg(long, value_name = "STEPS", default_value_t = 2000)]
    repair: usize,
    /// The width of weights
    #[arg(long, value_enum, default_value_t = Width::Eight)]
    bits: Width,
    /// How the ranges of activations are chosen from the numbers that were seen
    #[arg(long, value_enum, default_value_t = Ranges::MinMax)]
    ranges: Ranges,
    /// How weights are rounded
    #[arg(long, value_enum, default_value_t = Rounds::Gptq)]
    rounding: Rounds,
    /// Where to write the smaller model
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    data: Data,
}

#[derive(Clone, Copy, ValueEnum)]
enum Width {
    /// A scale for each output
    #[value(name = "8")]
    Eight,
    /// A factor for each 32 inputs of an output
    #[value(name = "4")]
    Four,
    /// They stay real numbers
    #[value(name = "32")]
    Real,
}

#[derive(Clone, Copy, ValueEnum)]
enum By {
    /// The squares of their weights
    Magnitude,
    /// The squares of their weights and of what these read on training data
    Activation,
    /// How far all outputs would move without them, by gradients on training data
    Taylor,
}

#[derive(Clone, Copy, ValueEnum)]
enum Spreading {
    /// The same share of each
    Uniform,
    /// What costs least for the weights that it frees, wherever it is
    Automatic,
}

#[derive(Clone, Copy, ValueEnum)]
enum Near {
    /// Weights that are near
    Weights,
    /// Results that are near, on training data
    Results,
}

#[derive(Clone, Copy, ValueEnum)]
enum Ranges {
    /// From the least to the largest
    MinMax,
    /// So that 99.99 % of them lie within
    Percentile,
    /// With the least squared error of rounding and cutting
    Mse,
}

#[derive(Clone, Copy, ValueEnum)]
enum Rounds {
    /// Each to the nearest integer
    Nearest,
    /// Each makes up for the errors of others on training data
    Gptq,
}

impl Compress {
    fn stack(&self) -> Stack {
        let importance = match self.importance {
            By::Magnitude => Importance::Magnitude,
            By::Activation => Importance::Activation,
            By::Taylor => Importance::Taylor,
        };
        let spread = match self.spread {
            Spreading::Uniform => Spread::Uniform,
            Spreading::Automatic => Spread::Automatic,
        };
        let metric = match self.metric {
            Near::Weights => Metric::Weights,
            Near::Results => Metric::Results,
        };
        let ranks = match self.ranks {
            Spreading::Uniform => Ranks::Uniform,
            Spreading::Automatic => Ranks::Automatic,
        };
        Stack {
            pruning: self.prune.map(|share| Pruning { share, importance, spread }),
            low_rank: self.low_rank.map(|share| LowRank { share, metric, ranks }),
            repair: (self.repair > 0).then(|| Repair { steps: self.repair, ..Repair::default() }),
            scheme: self.scheme(),
        }
    }

    fn scheme(&self) -> Option<Scheme> {
        let bits = match self.bits {
            Width::Eight => Bits::Eight,
            Width::Four => Bits::Four,
            Width::Real => return None,
        };
        let clip = match self.ranges {
            Ranges::MinMax => Clip::Never,
            Ranges::Percentile => Clip::Within(0.9999),
            Ranges::Mse => Clip::SquaredError,
        };
        let rounding = match self.rounding {
            Rounds::Nearest => Rounding::Nearest,
            Rounds::Gptq => Rounding::Compensated,
        };
        Some(Scheme { bits, clip, rounding })
    }

    pub(super) fn run(self, style: Style) -> Result<(), Error> {
        let mapped = Mapped::open(&self.model)?;
        let model = mapped.model()?;
        let recipe = Recipe::of(&model.manifest)?;
        let reading = self.data.reading(Some(recipe.reading))?;
        let runs = reading.apply(&self.files, &model.manifest.schema, recipe.rules)?;
        let repairing = Watcher::new(self.repair, "steps of repair");
        let forecasting = Watcher::new(runs.samples(), "samples forecast");
        let made = compress(&model, &runs, &self.stack(), &mut |progress| match progress {
            Progress::Repairing(done, of) => repairing.out_of(done, of),
            Progress::Forecasting(done, of) => forecasting.out_of(done, of),
        })?;
        drop((repairing, forecasting));
        files::write(&self.out, &made.file)?;
        match style {
            Style::Json => say_json(&json!({
                "model": self.out,
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
