//! What the machine that this runs on takes for each kind of operation, found by running drills: small
//! programs of which each is mostly one kind.

mod drills;

use std::{collections::BTreeMap, ops::ControlFlow, path::Path};

use mote_deploy::cost::{Rates, Timed, work};
use mote_format::{Program, container::Tensor};
use mote_runtime::{Level, Loaded};
use serde::{Deserialize, Serialize};

use crate::Error;
use drills::Drill;

/// A machine, as far as it says how long programs take on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Its processor and the vector instructions that were used.
    pub name: String,
    /// What it takes.
    pub rates: Rates,
}

/// Times that all drills are run, some seconds in all, because what else a machine does comes and goes in
/// seconds; the fastest counts, because whatever disturbs one makes it slower.
const PASSES: usize = 12;
/// Rounds of a drill in a pass.
const ROUNDS: usize = 5;
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
        let mut fastest = vec![f64::INFINITY; drills.len()];
        for pass in 0..PASSES {
            for (i, (drill, fastest)) in drills.iter().zip(&mut fastest).enumerate() {
                if progress(pass * drills.len() + i, PASSES * drills.len()).is_break() {
                    return Err(Error::Interrupted(": nothing was written".into()));
                }
                *fastest = fastest.min(time(level, drill, clock)?);
            }
        }
        let timed = |(drill, ns): (&Drill, f64)| Timed { work: work(&drill.program), ns };
        let timed: Vec<Timed> = drills.iter().zip(fastest).map(timed).collect();
        let name = format!("{} with {}", std::env::consts::ARCH, level.name());
        Ok(Self { name, rates: Rates::fit(&timed) })
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
        for (kind, rates) in &machine.rates.kinds {
            if let Some(rate) = rates.iter().find(|rate| !(rate.is_finite() && **rate >= 0.0)) {
                return Err(wrong(format!("{rate} nanoseconds for `{kind}`")));
            }
        }
        Ok(machine)
    }

    /// As a file keeps it.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("names and numbers") + "\n"
    }

    /// Nanoseconds that one run of `program` takes there, as predicted.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if there are no rates for one of its operations.
    pub fn predict(&self, program: &Program) -> Result<f64, Error> {
        self.rates.predict(program).map_err(|kind| {
            Error::Usage(format!(
                "wanted rates of {} for `{kind}`, which program `{}` holds; found none",
                self.name, program.name
            ))
        })
    }
}

/// Nanoseconds of one run.
fn time(level: Level, drill: &Drill, clock: &mut dyn FnMut() -> u64) -> Result<f64, Error> {
    let tensors: BTreeMap<String, Tensor<'_>> =
        drill.tensors.iter().map(|(name, array)| (name.clone(), array.tensor())).collect();
    let mut instance = Loaded::from_parts(level, &drill.program, &tensors)?.instance();
    for port in &drill.program.inputs {
        let x = instance.input(port.value);
        x.iter_mut().enumerate().for_each(|(i, x)| *x = 0.1 + (i * 37 % 64) as f32 / 64.0);
    }
    let mut round = |runs: u64| {
        let start = clock();
        for _ in 0..runs {
            instance.run();
            std::hint::black_box(&mut instance);
        }
        clock() - start
    };
    let mut runs = 1;
    while round(runs) < ROUND_NS && runs < 1 << 20 {
        runs *= 2;
    }
    let fastest = (0..ROUNDS).map(|_| round(runs)).min().unwrap_or(0);
    Ok(fastest.max(1) as f64 / runs as f64)
}
