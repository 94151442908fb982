//! Arguments, exit codes and what is printed. Everything else is the library's.

mod advise;
mod answer;
mod bench;
mod compress;
mod data;
mod demo;
mod denoise;
mod embed;
mod eval;
mod export;
mod forecast;
mod generate;
mod import;
mod impute;
mod inspect;
mod interrupt;
mod link;
mod progress;
mod run;
mod score;
mod train;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mote::Error;

/// Generative models for things: train on sensor data, detect on a stream.
#[derive(Parser)]
#[command(version, max_term_width = 100, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Print results as JSON, one object a line
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Simulate a pump, train on it, detect faults as they come, write a report
    Demo(demo::Demo),
    /// Say which family of models fits data and wishes, and why
    Advise(advise::Advise),
    /// Train a model on files and write it to a file
    Train(train::Train),
    /// Score every row of files with a model
    Score(score::Score),
    /// Run a model on a stream: a file, standard input or an MQTT broker
    Run(run::Run),
    /// Draw windows that never were, also with columns that have given values
    Generate(generate::Generate),
    /// Fill the missing values of files or streams, or hide known ones to see how well that goes
    Impute(impute::Impute),
    /// Say what comes next, with quantiles, after files or along streams
    Forecast(forecast::Forecast),
    /// Take the noise out of a file
    Denoise(denoise::Denoise),
    /// Write where windows lie in the latent space
    Embed(embed::Embed),
    /// Measure a model against labelled files
    Eval(eval::Eval),
    /// Show what is in a model file
    Inspect(inspect::Inspect),
    /// Make a model smaller: fewer channels, lower rank, fewer bits, or whatever fits a budget
    Compress(compress::Compress),
    /// Write a program of a model as firmware, a `no_std` crate or C99, or as ONNX
    Export(export::Export),
    /// Time the programs of a model, operation by operation, beside the limit of this machine
    Bench(bench::Bench),
    /// Turn an ONNX or TFLite model into a model file
    Import(import::Import),
}

/// How results are printed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Words and tables.
    People,
    /// One JSON object a line.
    Json,
}

/// What was wrong was given by a person or the world around us.
const BAD_INPUT: u8 = 2;
/// What was asked for is possible, but nothing that was tried fits.
const NOTHING_FITS: u8 = 3;
/// What a shell reports of a program that was ended by Ctrl-C.
const INTERRUPTED: u8 = 130;

pub(crate) fn main() -> ExitCode {
    let Arguments { command, json } = Arguments::parse();
    let style = if json { Style::Json } else { Style::People };
    let result = match command {
        Command::Demo(demo) => demo.run(style),
        Command::Advise(advise) => advise.run(style),
        Command::Train(train) => train.run(style),
        Command::Score(score) => score.run(style),
        Command::Run(run) => run.run(style),
        Command::Generate(generate) => generate.run(style),
        Command::Impute(impute) => impute.run(style),
        Command::Forecast(forecast) => forecast.run(style),
        Command::Denoise(denoise) => denoise.run(style),
        Command::Embed(embed) => embed.run(style),
        Command::Eval(eval) => eval.run(style),
        Command::Inspect(inspect) => inspect.run(style),
        Command::Bench(bench) => bench.run(style),
        Command::Compress(compress) => compress.run(style),
        Command::Export(export) => export.run(style),
        Command::Import(import) => import.run(style),
    };
    let Err(error) = result else { return ExitCode::SUCCESS };
    match &error {
        // A reader that has seen enough, such as `head`, is no mistake.
        Error::Io { source, .. } if source.kind() == std::io::ErrorKind::BrokenPipe => {
            return ExitCode::SUCCESS;
        }
        Error::Interrupted(_) => eprintln!("{error}"),
        _ => eprintln!("error: {error}"),
    }
    ExitCode::from(match error {
        Error::Interrupted(_) => INTERRUPTED,
        Error::Compile(_) => 1,
        Error::Budget(_) => NOTHING_FITS,
        _ => BAD_INPUT,
    })
}

/// Prints a line of results; a full disk or a closed pipe is an error like any other.
fn say(line: impl std::fmt::Display) -> Result<(), Error> {
    use std::io::Write;
    writeln!(std::io::stdout().lock(), "{line}")
        .map_err(|e| Error::io("write to", "standard output", e))
}

/// Prints a result as JSON.
fn say_json(value: &impl serde::Serialize) -> Result<(), Error> {
    say(serde_json::to_string(value).expect("results have no maps with keys but strings"))
}

/// The command as it was given, for reports that say how they were made.
fn command_line() -> String {
    std::env::args()
        .enumerate()
        .map(|(i, a)| if i == 0 { "mote".into() } else { a })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Now, for reports that say when they were made.
fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    let seconds = since.map_or(0, |d| d.as_secs() as i64);
    mote_data::Timestamp(seconds * 1_000_000_000).to_string()
}
