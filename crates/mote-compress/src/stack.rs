//! Passes one after the other: fewer channels, lower rank, repair, fewer bits.

use std::ops::ControlFlow;

use mote_format::{Tensors, Verified};

use crate::{
    Error, Found, Lesson, LowRank, Ports, Pruning, Repair, Repaired, Sample, Scheme, Shown,
    factorize, prune, quantize, refuse_integers, repair,
};

/// Samples that ranges and roundings come from, at most: more hardly change them.
const QUANTIZED: usize = 1024;

/// What is done to a program, in this order. Nothing, where nothing is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stack {
    /// Whole channels go.
    pub pruning: Option<Pruning>,
    /// Layers are written as two thinner ones.
    pub low_rank: Option<LowRank>,
    /// What is left learns to give what the program gave, after each of the two.
    pub repair: Option<Repair>,
    /// Numbers become integers.
    pub scheme: Option<Scheme>,
}

/// What a stack made.
#[derive(Clone, Debug)]
pub struct Stacked {
    /// The program.
    pub program: Verified,
    /// All the tensors that it needs.
    pub tensors: Tensors,
    /// What is left of its ports.
    pub ports: Ports,
    /// What each repair did.
    pub repairs: Vec<Repaired>,
}

impl Stack {
    /// Applies the passes to `program`. All of them look at `samples`: data like that which the program
    /// will see, none of which it is measured on. `progress` is told the steps of each repair.
    ///
    /// # Errors
    ///
    /// Any [`Error`].
    pub fn apply(
        &self,
        program: &Verified,
        tensors: &Found<'_>,
        samples: &[Sample],
        progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Stacked, Error> {
        refuse_integers(program)?;
        let arrays = tensors.iter().map(|(name, tensor)| (name.clone(), tensor.to_array()));
        let mut now = (program.clone(), arrays.collect::<Tensors>());
        let (mut repairs, mut ports) = (Vec::new(), Ports::default());
        let mut mended = |now: &mut (Verified, Tensors), ports: &Ports| {
            let Some(how) = self.repair else { return Ok(()) };
            let lesson = Lesson { teacher: (program, tensors), samples, ports };
            repairs.push(repair(&now.0, &mut now.1, lesson, how, progress)?);
            Ok::<_, Error>(())
        };
        let mut left = samples.to_vec();
        if let Some(how) = self.pruning {
            let pruned = prune(&now.0, &found(&now.1), samples, how)?;
            (now, ports) = ((pruned.program, pruned.tensors), pruned.ports);
            left = samples.iter().map(|sample| ports.of_inputs(sample)).collect();
            mended(&mut now, &ports)?;
        }
        if let Some(how) = self.low_rank {
            now = factorize(&now.0, &found(&now.1), &left, how)?;
            mended(&mut now, &ports)?;
        }
        let (program, tensors) = now;
        let made = Stacked { program, tensors, ports, repairs };
        match self.scheme {
            Some(scheme) => made.quantized(samples, scheme),
            None => Ok(made),
        }
    }
}

impl Stacked {
    /// The same in integers; what is shown are samples of the program that the stack began with.
    ///
    /// # Errors
    ///
    /// As [`quantize`].
    pub fn quantized<'s>(
        &self,
        shown: impl Into<Shown<'s>>,
        scheme: Scheme,
    ) -> Result<Self, Error> {
        let shown = shown.into();
        let left = |samples: &[Sample]| -> Vec<Sample> {
            let some = samples.iter().step_by(samples.len().div_ceil(QUANTIZED).max(1));
            some.map(|sample| self.ports.of_inputs(sample)).collect()
        };
        let (usual, unusual) = (left(shown.usual), left(shown.unusual));
        let shown = Shown { usual: &usual, unusual: &unusual };
        let (program, tensors) = quantize(&self.program, &found(&self.tensors), shown, scheme)?;
        Ok(Self { program, tensors, ..self.clone() })
    }
}

fn found(tensors: &Tensors) -> Found<'_> {
    tensors.iter().map(|(name, array)| (name.clone(), array.tensor())).collect()
}
