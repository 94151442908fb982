//! How far the outputs of a program move without some channels: the common measure of all layers.
//!
//! Scores of channels compare those of one layer; a score of a layer in front says nothing of one behind. So what may
//! go is taken out on trial, beside what is gone already, and the outputs are compared with what they were, on samples.

use mote_format::Verified;
use mote_runtime::{Instance, Level, Loaded};

use super::{cut, cut::Kept, groups::is_state, make_up::Weights};
use crate::{Error, Found, Ports, Sample, found, ranges::fill, spread::units, verified};

/// Samples that outputs are compared on, at most.
const SEEN: usize = 64;

/// Outputs of the whole program on some samples, to which others are compared.
pub(super) struct Harm<'a> {
    program: &'a Verified,
    weights: &'a Weights<'a>,
    samples: Vec<(usize, &'a Sample)>,
    /// For each output the unit in which it is compared.
    units: Vec<f64>,
    /// For each sample and output.
    outputs: Vec<Vec<Vec<f32>>>,
}

impl<'a> Harm<'a> {
    /// Runs the whole program.
    ///
    /// # Errors
    ///
    /// [`Error::NoSamples`], [`Error::Sample`], [`Error::Load`].
    pub(super) fn new(
        program: &'a Verified,
        tensors: &Found<'_>,
        samples: &'a [Sample],
        weights: &'a Weights<'a>,
    ) -> Result<Self, Error> {
        let units = units(program, tensors, samples)?;
        let step = samples.len().div_ceil(SEEN);
        let samples: Vec<_> = samples.iter().enumerate().step_by(step).collect();
        let mut instance = Loaded::from_parts(Level::best(), program, tensors)?.instance();
        let outputs = samples.iter().map(|&(i, sample)| {
            fill(&mut instance, sample, i)?;
            Ok(run(&mut instance))
        });
        let outputs = outputs.collect::<Result<_, Error>>()?;
        Ok(Self { program, weights, samples, units, outputs })
    }

    /// How far outputs are from those of the whole program with what is left, in their units. Small distances
    /// count by their squares, which add up where errors have nothing to do with each other; of large
    /// ones only the logarithm counts, because what is lost cannot be lost again.
    pub(super) fn without(&self, kept: &Kept) -> Result<f64, Error> {
        let (made, arrays) = cut::cut(self.program, &self.weights.with(kept), kept);
        let ports = Ports::left(self.program, kept);
        let made = verified(made, &arrays)?;
        let mut instance = Loaded::from_parts(Level::best(), &made, &found(&arrays))?.instance();
        let mut sum = 0.0;
        for (&(i, sample), wanted) in self.samples.iter().zip(&self.outputs) {
            fill(&mut instance, &ports.of_inputs(sample), i)?;
            let outputs = run(&mut instance);
            for (k, (wanted, found)) in wanted.iter().zip(outputs).enumerate() {
                // What is remembered shows in what comes out of it.
                if is_state(&self.program.outputs[k]) {
                    continue;
                }
                let apart = ports.of_output(k, wanted).zip(found).map(|(x, y)| {
                    let apart = f64::from(x - y) / self.units[k];
                    if apart.is_finite() { apart.powi(2).ln_1p() } else { f64::MAX.ln() }
                });
                let (n, all) = apart.fold((0, 0.0), |(n, all), apart| (n + 1, all + apart));
                sum += all / f64::from(n.max(1));
            }
        }
        Ok(sum)
    }
}

/// All outputs of one run.
fn run(instance: &mut Instance<'_>) -> Vec<Vec<f32>> {
    instance.run();
    let program = instance.program();
    program.outputs.iter().map(|port| instance.output(port.value).to_vec()).collect()
}
