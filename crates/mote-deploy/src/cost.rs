//! What a program takes on a machine, before it runs there.
//!
//! The time of an operation is a sum over its kinds of [`work`]: calls, results, multiplications, weights
//! read and numbers gathered, each at the rate of its kind. Rates are fitted to the times of programs whose
//! work is known, by least squares of errors as shares of the times, none below zero. Then a program that never ran on
//! the machine has a predicted time there, which is what a search for a smaller model needs.

mod fit;
mod work;

use std::collections::BTreeMap;

use mote_format::Program;
use serde::{Deserialize, Serialize};

pub use work::{TERMS, Work, work};

/// What a machine takes for each kind of operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// Nanoseconds for each unit of [`work`], by its kind.
    pub kinds: BTreeMap<String, [f64; TERMS]>,
}

/// A program, by its work, and how long it took.
#[derive(Clone, Debug)]
pub struct Timed {
    /// What it does, as [`work`] says.
    pub work: Work,
    /// Nanoseconds of one run; more than zero.
    pub ns: f64,
}

impl Rates {
    /// The rates that explain these times best.
    #[must_use]
    pub fn fit(timed: &[Timed]) -> Self {
        fit::fit(timed)
    }

    /// Nanoseconds of one run of `program` for one sample, where the operations that are `idle` take none.
    ///
    /// # Errors
    ///
    /// The kind of an operation that there are no rates for.
    pub fn predict(&self, program: &Program, idle: &[bool]) -> Result<f64, String> {
        self.sum(&work(program, idle))
    }

    /// Nanoseconds of each operation of `program` for one sample: of those on elements that follow each other all at the
    /// first, as they run. What it takes to run at all is not among them.
    ///
    /// # Errors
    ///
    /// As [`Self::predict`].
    pub fn operations(&self, program: &Program, idle: &[bool]) -> Result<Vec<f64>, String> {
        work::of_operations(program, idle).iter().map(|work| self.sum(work)).collect()
    }

    fn sum(&self, work: &Work) -> Result<f64, String> {
        let mut ns = 0.0;
        for (kind, units) in work {
            let rates = self.kinds.get(kind).ok_or_else(|| kind.clone())?;
            ns += units.iter().zip(rates).map(|(units, rate)| units * rate).sum::<f64>();
        }
        Ok(ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times that follow a law are explained by it, also for work that was not seen.
    #[test]
    fn rates_are_those_that_made_the_times() {
        let law = [40.0, 0.5, 0.02, 0.0, 0.3];
        let units = |i: usize| -> [f64; TERMS] {
            let results = (8 << (i % 5)) as f64;
            let inputs = (3 + 7 * i) as f64;
            [1.0, results, results * inputs, inputs * (1 + i % 3) as f64, (i % 4) as f64 * inputs]
        };
        let time = |units: [f64; TERMS]| units.iter().zip(law).map(|(u, r)| u * r).sum::<f64>();
        let timed: Vec<Timed> = (0..20)
            .map(|i| Timed { work: Work::from([("conv1d".into(), units(i))]), ns: time(units(i)) })
            .collect();
        let rates = Rates::fit(&timed);
        for i in 20..30 {
            let found = &rates.kinds["conv1d"];
            let predicted: f64 = units(i).iter().zip(found).map(|(u, r)| u * r).sum();
            let wanted = time(units(i));
            assert!((predicted / wanted - 1.0).abs() < 0.02, "{predicted} {wanted}");
        }
    }
}
