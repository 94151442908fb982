//! Passes one after the other: fewer channels, lower rank, single zeros, repair, fewer bits.

use std::ops::ControlFlow;

use mote_format::{Tensors, Verified};

use crate::{
    Error, Found, Lesson, LowRank, Ports, Pruning, Repair, Repaired, Rounding, Sample, Scheme,
    Shown, Sparsity, factorize, found, halve, prune,
    quantize::{Grids, quantize_on},
    refuse_integers, repair,
    repair::{learn, trainable},
    sparsify,
};

/// Samples that ranges and roundings come from, at most: more hardly change them.
const QUANTIZED: usize = 1024;

/// The rate at which weights learn to be rounded, to that of other repairs: what is learned is whether to be the
/// next number above or below, and faster ones go back and forth between both.
const ROUNDING: f32 = 0.025;

/// What is done to a program, in this order. Nothing, where nothing is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stack {
    /// Whole channels go.
    pub pruning: Option<Pruning>,
    /// Layers are written as two thinner ones.
    pub low_rank: Option<LowRank>,
    /// What is left learns to give what the program gave, after each pass that takes something away.
    pub repair: Option<Repair>,
    /// Single weights become zero.
    pub sparsity: Option<Sparsity>,
    /// What the numbers become in the end.
    pub numbers: Numbers,
}

/// What the numbers of a program become.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Numbers {
    /// They stay of single precision.
    #[default]
    Single,
    /// Weights are of half precision; see [`halve`].
    Half,
    /// Integers; see [`quantize`](crate::quantize).
    Integers(Scheme),
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
    /// How weights are rounded, where they have learned that.
    grids: Grids,
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
        if let Some(how) = self.sparsity {
            now.1 = sparsify(&now.0, &found(&now.1), &left, how)?;
            mended(&mut now, &ports)?;
        }
        let made =
            Stacked { program: now.0, tensors: now.1, ports, repairs, grids: Grids::default() };
        let made = made.rounded((program, tensors), samples, self, progress)?;
        made.narrowed(samples, self.numbers)
    }
}

impl Stacked {
    /// The same with other numbers; what is shown are samples of the program that the stack began with.
    ///
    /// # Errors
    ///
    /// As [`quantize`](crate::quantize) and [`halve`].
    pub fn narrowed<'s>(
        &self,
        shown: impl Into<Shown<'s>>,
        numbers: Numbers,
    ) -> Result<Self, Error> {
        let (shown, tensors) = (shown.into(), found(&self.tensors));
        let (program, tensors) = match numbers {
            Numbers::Single => return Ok(self.clone()),
            Numbers::Half => halve(&self.program, &tensors)?,
            Numbers::Integers(scheme) => {
                let (usual, unusual) = (self.left(shown.usual), self.left(shown.unusual));
                let shown = Shown { usual: &usual, unusual: &unusual };
                quantize_on(&self.grids, &self.program, &tensors, shown, scheme)?
            }
        };
        Ok(Self { program, tensors, ..self.clone() })
    }

    /// The same with weights that have learned to be rounded, where `stack` says that they do, whatever else its repair
    /// updates: what they are before the rounding.
    ///
    /// # Errors
    ///
    /// As [`repair`] and [`quantize`](crate::quantize).
    pub fn rounded(
        mut self,
        teacher: (&Verified, &Found<'_>),
        samples: &[Sample],
        stack: &Stack,
        progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Self, Error> {
        let Numbers::Integers(Scheme { rounding: Rounding::Learned, width, .. }) = stack.numbers
        else {
            return Ok(self);
        };
        // Nobody learns where nothing is repaired.
        let Some(how) = stack.repair else { return Ok(self) };
        let how = Repair { rate: ROUNDING * how.rate, ..how };
        let left = self.left(samples);
        (self.grids, self.tensors) =
            Grids::new(&self.program, &found(&self.tensors), &left, width)?;
        let round = |name: &str, w: &[f32]| self.grids.reals(name, w);
        let lesson = Lesson { teacher, samples, ports: &self.ports };
        let trained = (&trainable(&self.program), Some(&round as _));
        let done = learn(&self.program, &mut self.tensors, lesson, how, trained, progress)?;
        self.repairs.push(done);
        Ok(self)
    }

    /// What is left of some samples.
    fn left(&self, samples: &[Sample]) -> Vec<Sample> {
        let some = samples.iter().step_by(samples.len().div_ceil(QUANTIZED).max(1));
        some.map(|sample| self.ports.of_inputs(sample)).collect()
    }
}
