//! What the machine that this runs on takes for each kind of operation, found by running drills: small
//! programs of which each is mostly one kind.

mod drills;

use std::{collections::BTreeMap, ops::ControlFlow, path::Path};

use mote_deploy::cost::{Rates, Timed, Work, work};
use mote_format::{Model, container::Tensor};
use mote_runtime::{Instance, Level, Loaded};
use serde::{Deserialize, Serialize};

use crate::Error;
use drills::Drill;

/// A machine, as far as it says how long programs take on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// What its rates are of: those of another version say nothing.
    #[serde(default)]
    pub version: u32,
    /// Its processor and the vector instructions that were used.
    pub name: String,
    /// What it takes.
    pub rates: Rates,
}

/// Of the kinds of work and their units.
const VERSION: u32 = 4;

/// Times that all drills are run. What else a machine does comes and goes in seconds, and slows all kinds of
/// operations down about alike; so what counts of a drill is the median of its times as quotients to a
/// yardstick that is run right before it, and the fastest time of that.
const PASSES: usize = 15;
/// Rounds of a drill in a pass, of which the fastest counts.
const ROUNDS: usize = 3;
/// Nanoseconds of a round, at least: long enough for the clock.
const ROUND_NS: u64 = 60_000;

impl Machine {
    /// Measures this machine with kernels of `level`, in about ten seconds. `clock` tells nanoseconds;
    /// `progress` is told drills that are done and how many there are, and may break off.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`].
    pub fn measure(
        level: Level,
        clock: &mut dyn FnMut() -> u64,
        progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Self, Error> {
        let drills = drills::all();
        let tensors: Vec<_> = drills.iter().map(Drill::tensors).collect();
        let timers = drills.iter().zip(&tensors).map(|one| Timer::new(level, one));
        let mut timers = timers.collect::<Result<Vec<_>, _>>()?;
        let yardstick = drills::yardstick();
        let tensors = yardstick.tensors();
        let mut yardstick = Timer::new(level, (&yardstick, &tensors))?;
        let (mut times, mut fastest) = (vec![Vec::new(); drills.len()], f64::INFINITY);
        for pass in 0..PASSES {
            for (i, (timer, times)) in timers.iter_mut().zip(&mut times).enumerate() {
                if progress(pass * drills.len() + i, PASSES * drills.len()).is_break() {
                    return Err(Error::Interrupted(": nothing was written".into()));
                }
                let beside = yardstick.ns(clock);
                times.push(timer.ns(clock) / beside);
                fastest = fastest.min(beside);
            }
        }
        let timed = |(work, mut times): (Work, Vec<f64>)| {
            times.sort_by(f64::total_cmp);
            Timed { work, ns: fastest * times[times.len() / 2] }
        };
        let done = drills.iter().zip(&timers);
        let done = done.map(|(drill, timer)| work(&drill.program, timer.instance.idle()));
        let timed: Vec<Timed> = done.zip(times).map(timed).collect();
        let name = format!("{} with {}", std::env::consts::ARCH, level.name());
        Ok(Self { version: VERSION, name, rates: Rates::fit(&timed) })
    }

    /// Reads what [`Self::json`] gave.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], or [`Error::Usage`] if the file does not hold a machine, or a rate is no time.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
        let wrong = |found: String| {
            let wanted = "wanted a machine that `mote bench --measure` wrote";
            Error::Usage(format!("{}: {wanted}, found {found}", path.display()))
        };
        let machine: Self = serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))?;
        if machine.version != VERSION {
            return Err(wrong(format!("one of version {}, not {VERSION}", machine.version)));
        }
        for (kind, rates) in &machine.rates.kinds {
            if let Some(rate) = rates.iter().find(|rate| !(rate.is_finite() && **rate >= 0.0)) {
                return Err(wrong(format!("{rate} nanoseconds for `{kind}`")));
            }
        }
        Ok(machine)
    }

    /// The kernels that it was measured with, or, where this machine has none like them, its best.
    fn level(&self) -> Level {
        let there = |level: &Level| self.name.ends_with(&format!(" {}", level.name()));
        Level::available().find(there).unwrap_or_else(Level::best)
    }

    /// As a file keeps it.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("names and numbers") + "\n"
    }

    /// What one run of the program `name` of `model` takes there.
    ///
    /// # Errors
    ///
    /// [`Error::Load`] if there is no such program, [`Error::Usage`] if there are no rates for one of its operations.
    pub fn predict(&self, model: &Model<'_>, name: &str) -> Result<Prediction, Error> {
        let instance = Loaded::at(self.level(), model, name)?.instance();
        let program = instance.program();
        let found = |kind: String| {
            Error::Usage(format!(
                "wanted rates of {} for `{kind}`, which program `{}` holds; found none",
                self.name, program.name
            ))
        };
        let ns = self.rates.predict(program, instance.idle()).map_err(found)?;
        let operations = self.rates.operations(program, instance.idle()).map_err(found)?;
        Ok(Prediction { ns, operations })
    }
}

/// What a program takes on a machine, in nanoseconds.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// One run.
    pub ns: f64,
    /// Each operation, of those that run as one all at the first.
    pub operations: Vec<f64>,
}

/// A drill that is ready to run.
struct Timer<'d> {
    instance: Instance<'d>,
    /// Runs in a round; found by the first one.
    runs: u64,
}

impl<'d> Timer<'d> {
    fn new(
        level: Level,
        (drill, tensors): (&'d Drill, &BTreeMap<String, Tensor<'d>>),
    ) -> Result<Self, Error> {
        let mut instance = Loaded::from_parts(level, &drill.program, tensors)?.instance();
        for port in &drill.program.inputs {
            let x = instance.input(port.value);
            x.iter_mut().enumerate().for_each(|(i, x)| *x = 0.1 + (i * 37 % 64) as f32 / 64.0);
        }
        Ok(Self { instance, runs: 1 })
    }

    /// Nanoseconds of one run.
    fn ns(&mut self, clock: &mut dyn FnMut() -> u64) -> f64 {
        while self.round(clock) < ROUND_NS && self.runs < 1 << 20 {
            self.runs *= 2;
        }
        let fastest = (0..ROUNDS).map(|_| self.round(clock)).min().unwrap_or(0);
        fastest.max(1) as f64 / self.runs as f64
    }

    fn round(&mut self, clock: &mut dyn FnMut() -> u64) -> u64 {
        let start = clock();
        for _ in 0..self.runs {
            self.instance.run();
            std::hint::black_box(&mut self.instance);
        }
        clock() - start
    }
}
