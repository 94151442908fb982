//! `mote compress`: a smaller model from a model and its data.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mote::{
    Error,
    compression::{Compressed, compress},
    files::{self, Mapped},
    training::Recipe,
};
use mote_compress::{Bits, Clip, Rounding, Scheme};
use serde_json::json;

use super::{Style, answer::Watcher, data::Data, say, say_json};

#[derive(Args)]
pub(super) struct Compress {
    /// A model that `mote train` wrote
    model: PathBuf,
    /// The files that it was trained on, or more of the same kind
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The width of weights
    #[arg(long, value_enum, default_value_t = Width::Eight)]
    bits: Width,
    /// How the ranges of activations are chosen from the numbers that were seen
    #[arg(long, value_enum, default_value_t = Ranges::MinMax)]
    ranges: Ranges,
    /// How weights are rounded
    #[arg(long, value_enum, default_value_t = Rounds::Nearest)]
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
    /// Each makes up for the errors of others on training data: nearer, but programs share no weights
    Gptq,
}

impl Compress {
    fn scheme(&self) -> Scheme {
        let bits = match self.bits {
            Width::Eight => Bits::Eight,
            Width::Four => Bits::Four,
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
        Scheme { bits, clip, rounding }
    }

    pub(super) fn run(self, style: Style) -> Result<(), Error> {
        let mapped = Mapped::open(&self.model)?;
        let model = mapped.model()?;
        let recipe = Recipe::of(&model.manifest)?;
        let reading = self.data.reading(Some(recipe.reading))?;
        let runs = reading.apply(&self.files, &model.manifest.schema, recipe.rules)?;
        let watcher = Watcher::new(runs.samples(), "samples forecast");
        let made =
            compress(&model, &runs, self.scheme(), &mut |done, of| watcher.out_of(done, of))?;
        drop(watcher);
        files::write(&self.out, &made.file)?;
        match style {
            Style::Json => say_json(&json!({
                "model": self.out,
                "bytes": made.file.len(),
                "tensor_bytes": made.tensor_bytes[1],
                "tensor_bytes_before": made.tensor_bytes[0],
                "programs": made.programs,
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
        for change in &made.programs {
            let near: Vec<String> = change
                .signal_to_noise_db
                .iter()
                .map(|(output, db)| format!("{output} {db:.1} dB"))
                .collect();
            say(format_args!(
                "  {}: arena {} bytes, {} before; signal over noise on held-back windows: {}",
                change.program,
                change.arena_bytes[1],
                change.arena_bytes[0],
                near.join(", ")
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
