//! How a model is made smaller, where the person says it.

use clap::{Args, ValueEnum};
use mote::compression::{MULTIPLE, Student, Way};
use mote_compress::{
    Bits, Choice, Clip, Importance, LowRank, Metric, Numbers, Pattern, Pruning, Ranks, Repair,
    Rounding, Scheme, Sparsity, Spread, Stack, Update, Width as Widths,
};

/// What is done to a model.
#[derive(Args, Clone, Copy)]
#[command(next_help_heading = "Fewer bits, and the repair before")]
pub(super) struct Ways {
    /// The share of weights that a thinner model of the same family has, which learns the answers of this one
    /// from nothing, more than 0 to below 1
    #[arg(long, value_name = "SHARE", help_heading = "A student")]
    student: Option<f64>,
    /// Steps in which it learns
    #[arg(long, value_name = "STEPS", default_value_t = 8000, help_heading = "A student")]
    lessons: usize,
    /// The share of weights that whole channels, units and heads are taken out for, 0 to below 1
    #[arg(long, value_name = "SHARE", help_heading = "Fewer channels")]
    prune: Option<f64>,
    /// What tells which channels are missed least
    #[arg(long, value_enum, default_value_t = By::Residual, help_heading = "Fewer channels")]
    importance: By,
    /// How much of each layer goes
    #[arg(long, value_enum, default_value_t = Spreading::Automatic, help_heading = "Fewer channels")]
    spread: Spreading,
    /// What is left of a layer comes in multiples of so many channels, as machines compute them; of half the
    /// layer, where it is thinner
    #[arg(long, value_name = "CHANNELS", default_value_t = MULTIPLE as u16, value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Fewer channels")]
    multiple: u16,
    /// Leave weights as they are when others go, instead of letting them make up for those
    #[arg(long, help_heading = "Fewer channels")]
    plain_weights: bool,
    /// The share of weights that goes because layers are written as two of lower rank, 0 to below 1
    #[arg(long, value_name = "SHARE", help_heading = "Lower rank")]
    low_rank: Option<f64>,
    /// What counts as near when directions are left out
    #[arg(long, value_enum, default_value_t = Near::Results, help_heading = "Lower rank")]
    metric: Near,
    /// Which rank each layer gets
    #[arg(long, value_enum, default_value_t = Spreading::Automatic, help_heading = "Lower rank")]
    ranks: Spreading,
    /// The weights of each output that become zero: a share, 0 to below 1, or 2:4, where of each four in a row two
    /// stay. The file does not get smaller by it, nor does the model run faster here
    #[arg(long, value_name = "SHARE|N:M", value_parser = pattern, help_heading = "Single zeros")]
    sparse: Option<Pattern>,
    /// Which weights become zero
    #[arg(long, value_enum, default_value_t = Zeros::Compensated, help_heading = "Single zeros")]
    zeros: Zeros,
    /// Steps in which what is left learns to give what the model gave, after channels, ranks or weights went; 0
    /// for none
    #[arg(long, value_name = "STEPS", default_value_t = 2000)]
    repair: usize,
    /// Which numbers learn in a repair
    #[arg(long, value_enum, default_value_t = Learns::All)]
    update: Learns,
    /// The width of weights
    #[arg(long, value_enum, default_value_t = Width::Eight)]
    bits: Width,
    /// How the ranges of activations are chosen from the numbers that were seen
    #[arg(long, value_enum, default_value_t = RangesOf::MinMax)]
    ranges: RangesOf,
    /// How weights are rounded
    #[arg(long, value_enum, default_value_t = Rounds::Gptq)]
    rounding: Rounds,
    /// Biases do not make up for what rounded weights add to the mean of an output
    #[arg(long)]
    plain_biases: bool,
    /// Channels that only layers read stay as large as they are, though all of an activation share one step
    #[arg(long)]
    plain_channels: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Width {
    /// A scale for each output
    #[value(name = "8")]
    Eight,
    /// Four for half of the weights, in the layers that bear it best, and eight for the others
    #[value(name = "6")]
    Six,
    /// A factor for each 32 inputs of an output
    #[value(name = "4")]
    Four,
    /// Weights alone, as real numbers of half precision
    #[value(name = "16")]
    Half,
    /// They stay real numbers of single precision
    #[value(name = "32")]
    Real,
}

#[derive(Clone, Copy, ValueEnum)]
enum By {
    /// The squares of their weights
    Magnitude,
    /// The squares of their weights and of what these read on training data
    Activation,
    /// What the layers that read them lose where other channels make up for them, on training data
    Residual,
    /// How far all outputs would move without them, by gradients on training data
    Taylor,
}

#[derive(Clone, Copy, ValueEnum)]
enum Spreading {
    /// The same share of each
    Uniform,
    /// What costs least for the weights that it frees, wherever it is, tried on training data
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
enum Learns {
    /// Weights, biases and gains
    All,
    /// Biases and gains
    Biases,
    /// Biases, gains, and beside each layer two thin ones of rank 4, which are merged into it
    Adapters,
}

#[derive(Clone, Copy, ValueEnum)]
enum Zeros {
    /// The smallest
    Magnitude,
    /// Those whose share of the result is smallest on training data
    Activation,
    /// The same, and the others make up for them
    Compensated,
}

#[derive(Clone, Copy, ValueEnum)]
enum RangesOf {
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
    /// As what a repair in which the model runs with rounded ones says
    Learned,
}

impl Ways {
    /// What is done to the model.
    pub(super) fn way(&self) -> Way {
        let lessons = Repair { steps: self.lessons, ..Repair::default() };
        let student = self.student.map(|share| Student { share, lessons });
        Way { student, stack: self.stack(), ..Way::default() }
    }

    /// The passes.
    pub(super) fn stack(&self) -> Stack {
        let importance = match self.importance {
            By::Magnitude => Importance::Magnitude,
            By::Activation => Importance::Activation,
            By::Residual => Importance::Residual,
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
            pruning: self.prune.map(|share| Pruning {
                share,
                importance,
                spread,
                multiple: self.multiple.into(),
                making_up: !self.plain_weights,
            }),
            low_rank: self.low_rank.map(|share| LowRank { share, metric, ranks }),
            repair: (self.repair > 0).then(|| Repair {
                steps: self.repair,
                update: self.update(),
                ..Repair::default()
            }),
            sparsity: self.sparse.map(|pattern| Sparsity { pattern, choice: self.choice() }),
            numbers: self.numbers(),
        }
    }

    fn update(&self) -> Update {
        match self.update {
            Learns::All => Update::All,
            Learns::Biases => Update::Biases,
            Learns::Adapters => Update::Adapters(4),
        }
    }

    fn choice(&self) -> Choice {
        match self.zeros {
            Zeros::Magnitude => Choice::Magnitude,
            Zeros::Activation => Choice::Activation,
            Zeros::Compensated => Choice::Compensated,
        }
    }

    fn numbers(&self) -> Numbers {
        let width = match self.bits {
            Width::Eight => Widths::Uniform(Bits::Eight),
            Width::Six => Widths::Mixed(0.5),
            Width::Four => Widths::Uniform(Bits::Four),
            Width::Half => return Numbers::Half,
            Width::Real => return Numbers::Single,
        };
        let clip = match self.ranges {
            RangesOf::MinMax => Clip::Never,
            RangesOf::Percentile => Clip::Within(0.9999),
            RangesOf::Mse => Clip::SquaredError,
        };
        let rounding = match self.rounding {
            Rounds::Nearest => Rounding::Nearest,
            Rounds::Gptq => Rounding::Compensated,
            Rounds::Learned => Rounding::Learned,
        };
        let correct_biases = !self.plain_biases;
        let equalize = !self.plain_channels;
        Numbers::Integers(Scheme { width, clip, rounding, correct_biases, equalize })
    }
}

/// Reads `0.5` or `2:4`.
fn pattern(text: &str) -> Result<Pattern, String> {
    let wrong = || "wanted a share such as 0.5, or 2:4".to_owned();
    let Some((kept, of)) = text.split_once(':') else {
        let share = text.parse::<f64>().ok().filter(|share| (0.0..1.0).contains(share));
        return share.map(Pattern::Share).ok_or_else(wrong);
    };
    match (kept.parse(), of.parse()) {
        (Ok(kept), Ok(of)) if 0 < kept && kept <= of && of <= 64 => Ok(Pattern::Few { kept, of }),
        _ => Err(wrong()),
    }
}
