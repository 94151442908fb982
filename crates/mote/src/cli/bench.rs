//! `mote bench`: how fast a program runs here, operation by operation, beside the machine's limit.

#[cfg(target_os = "linux")]
mod counting;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Args;
use mote::{
    Error,
    files::{self, Mapped},
    machine::Machine,
    profile::{Effort, How, Operation, Profile, profile},
    report::roofline,
    threads::Pool,
};
use mote_runtime::{Level, Threads};

use super::{Style, answer::Watcher, say, say_json};

#[derive(Args)]
pub(super) struct Bench {
    /// A model file
    #[arg(required_unless_present = "measure")]
    model: Option<PathBuf>,
    /// Which program of it [default: all]
    #[arg(long)]
    program: Option<String>,
    /// Samples in a call
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=4096))]
    batch: u16,
    /// Vector instructions: plain, avx2, avx512, amx, neon, neon-dot [default: the best here]
    #[arg(long)]
    level: Option<String>,
    /// Threads that parts of large layers run on
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
    /// Seconds for each program, about
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Measure what this machine takes for each kind of operation, and write it there: `mote compress
    /// --machine` predicts times from it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["model", "program", "machine", "batch", "threads", "seconds", "instructions", "plot"])]
    measure: Option<PathBuf>,
    /// Set beside each time what it would be on a machine that was measured
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    machine: Option<PathBuf>,
    /// Count the instructions of each operation too, one by one, in a process that is followed (Linux)
    #[arg(long)]
    instructions: bool,
    /// Be the process that is followed
    #[arg(long, hide = true, requires = "program")]
    followed: bool,
    /// Draw where each operation lies below the machine's limits, as an HTML file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// Rounds of which the median is shown.
const ROUNDS: usize = 7;

impl Bench {
    pub(super) fn run(self, style: Style) -> Result<(), Error> {
        let level = self.level()?;
        if let Some(out) = &self.measure {
            return measure(level, out, style);
        }
        let Some(path) = &self.model else { unreachable!("an argument is required") };
        if let Some(plot) = &self.plot {
            files::apart(plot, [path])?;
        }
        let mapped = Mapped::open(path)?;
        let model = mapped.model()?;
        let machine = self.machine.as_deref().map(Machine::read).transpose()?;
        if !(0.01..=600.0).contains(&self.seconds) {
            return Err(Error::Usage(format!(
                "--seconds: wanted 0.01 to 600, found {}",
                self.seconds
            )));
        }
        if self.followed {
            let name = self.program.as_deref().unwrap_or_default();
            return counting::be_followed(&model, name, (level, usize::from(self.batch)));
        }
        let names: Vec<String> = match &self.program {
            Some(name) => vec![name.clone()],
            None => model.programs.keys().cloned().collect(),
        };
        let pool = match usize::from(self.threads) {
            1 => None,
            count => Some(Pool::new(count)?),
        };
        let began = Instant::now();
        let mut clock = || began.elapsed().as_nanos() as u64;
        let round_ns = (self.seconds * 1e9 / (ROUNDS + 2) as f64) as u64;
        let effort = Effort { rounds: ROUNDS, round_ns };
        let mut profiles = Vec::new();
        for name in &names {
            let batch = usize::from(self.batch);
            let threads = pool.as_ref().map(|pool| pool as &dyn Threads);
            let how = How { level, batch, threads };
            let mut found = profile(&model, name, how, effort, &mut clock)?;
            if let Some(machine) = &machine {
                let predicted = machine.predict(&model, name)?;
                found.predicted_ns = Some(predicted.ns);
                for (found, ns) in found.operations.iter_mut().zip(predicted.operations) {
                    found.predicted_ns = Some(ns);
                }
            }
            if self.instructions {
                counting::add(path, (level, batch), &mut found)?;
            }
            match style {
                Style::Json => say_json(&found)?,
                Style::People => table(&found)?,
            }
            profiles.push(found);
        }
        if let Some(plot) = &self.plot {
            let title = path.display().to_string();
            files::write(plot, roofline(&title, &profiles).as_bytes())?;
        }
        Ok(())
    }

    fn level(&self) -> Result<Level, Error> {
        let Some(wanted) = &self.level else { return Ok(Level::best()) };
        Level::available().find(|level| level.name() == wanted).ok_or_else(|| {
            let here: Vec<&str> = Level::available().map(Level::name).collect();
            Error::Usage(format!("--level: wanted one of {}, found `{wanted}`", here.join(", ")))
        })
    }
}

/// What this machine takes.
pub(super) fn this_machine(level: Level) -> Result<Machine, Error> {
    let watcher = Watcher::new(0, "drills run");
    let began = Instant::now();
    let mut clock = || began.elapsed().as_nanos() as u64;
    Machine::measure(level, &mut clock, &mut |done, of| watcher.out_of(done, of))
}

/// Measures this machine and writes what it takes.
fn measure(level: Level, out: &Path, style: Style) -> Result<(), Error> {
    let machine = this_machine(level)?;
    files::write(out, machine.json().as_bytes())?;
    match style {
        Style::Json => say_json(&machine),
        Style::People => say(format_args!(
            "{}: what {} takes for {} kinds of operations",
            out.display(),
            machine.name,
            machine.rates.kinds.len()
        )),
    }
}

fn table(p: &Profile) -> Result<(), Error> {
    let (call, limit) = (p.call_ns.median, p.limit_ns);
    say(format_args!(
        "{}: {} a call ({} to {} in {ROUNDS} rounds of {} calls), batch {}, {} on {}",
        p.program,
        time(call),
        time(p.call_ns.min),
        time(p.call_ns.max),
        p.runs,
        p.batch,
        p.level,
        threads(p.threads),
    ))?;
    say(format_args!(
        "  {} multiply-adds, {:.1} a nanosecond; the machine's limit is {}, {:.0} % of the call",
        p.multiply_adds,
        p.multiply_adds as f64 / call,
        time(limit),
        100.0 * limit / call,
    ))?;
    say(format_args!(
        "  limits measured here: {:.0} multiply-adds of f32 and {:.0} of bytes a nanosecond, {:.0} bytes read",
        p.machine.real_per_ns, p.machine.bytes_per_ns, p.machine.read_bytes_per_ns,
    ))?;
    if let Some(predicted) = p.predicted_ns {
        let off = 100.0 * (predicted / p.call_ns.min - 1.0);
        say(format_args!("  predicted: {}, {off:+.0} % of the fastest round", time(predicted)))?;
    }
    let m = p.memory;
    say(format_args!(
        "  memory: weights {} bytes ({} copied into reading order), arena {} (at least {} a sample), scratch {}",
        m.weight_bytes, m.packed_bytes, m.arena_bytes, m.arena_bytes_lower_bound, m.scratch_bytes,
    ))?;
    if let Some(instructions) = p.instructions {
        say(format_args!(
            "  {instructions} instructions a call, {:.1} a nanosecond",
            instructions as f64 / call
        ))?;
    }
    let together: f64 = p.operations.iter().map(|o| o.ns).sum();
    say(format_args!(
        "\n     # operation                  result        multiply-adds     bytes       time  share  of limit{}{}",
        if p.predicted_ns.is_some() { "   predicted" } else { "" },
        if p.instructions.is_some() { "  instructions" } else { "" },
    ))?;
    for o in &p.operations {
        say(row(o, together))?;
    }
    say("")
}

fn row(o: &Operation, together: f64) -> String {
    let shape = format!("{:?}", o.shape);
    // Below the resolution of the clock a share of the limit says nothing.
    let of_limit =
        if o.ns < 20.0 { "–".into() } else { format!("{:.0} %", 100.0 * o.limit_ns / o.ns) };
    let predicted = o.predicted_ns.map_or(String::new(), |ns| format!(" {:>11}", time(ns)));
    let instructions = o.instructions.map_or(String::new(), |n| format!(" {n:>13}"));
    format!(
        "  {:4} {:26} {shape:13} {:13} {:9} {:>10} {:4.1} % {of_limit:>8}{predicted}{instructions}",
        o.index,
        o.name,
        o.multiply_adds,
        o.touched_bytes,
        time(o.ns),
        100.0 * o.ns / together.max(1.0),
    )
}

fn threads(count: usize) -> String {
    match count {
        1 => "one thread".into(),
        count => format!("{count} threads, operations on one"),
    }
}

/// A time with a unit that keeps it short.
pub(super) fn time(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.2} µs", ns / 1e3),
        ns => format!("{:.2} ms", ns / 1e6),
    }
}

#[cfg(not(target_os = "linux"))]
mod counting {
    use std::path::Path;

    use mote::{Error, profile::Profile};
    use mote_format::Model;
    use mote_runtime::Level;

    fn refused() -> Error {
        Error::Usage("--instructions: wanted Linux, where one process can follow another".into())
    }

    pub(super) fn add(_: &Path, _: (Level, usize), _: &mut Profile) -> Result<(), Error> {
        Err(refused())
    }

    pub(super) fn be_followed(_: &Model<'_>, _: &str, _: (Level, usize)) -> Result<(), Error> {
        Err(refused())
    }
}
