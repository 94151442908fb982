//! What a model is compressed on: its programs as one, and samples for that from training and held-back data.

use std::ops::ControlFlow;

use mote_compress::{
    Fidelity, Found, Ports, Sample, Scheme, Stack, Stacked, fidelity, join, side_by_side,
};
use mote_data::{Runs, Windows, split::split, windows::Cut};
use mote_format::{Model, Verified, container::Tensor};
use mote_runtime::{Level, Loaded};

use super::{Progress, shown};
use crate::{
    Error,
    training::{Recipe, STEP},
};

/// Windows that passes look at, at most: more teach a repair little.
const OBSERVED: usize = 4096;
/// Numbers of all samples together, at most.
const NUMBERS: usize = 1 << 25;
/// Held-back windows on which programs are compared, at most.
const COMPARED: usize = 256;

/// Held-back samples: what is chosen by some of them is measured on the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    First,
    Second,
}

/// A model with everything that passes need.
pub(super) struct Ground<'m> {
    pub(super) model: &'m Model<'m>,
    pub(super) recipe: Recipe,
    pub(super) train: Runs,
    pub(super) held: Runs,
    /// All programs but the one that is made from another.
    pub(super) programs: Vec<&'m Verified>,
    joined: Verified,
    observed: Vec<Sample>,
    compared: Vec<Sample>,
}

impl<'m> Ground<'m> {
    pub(super) fn new(model: &'m Model<'m>, runs: &Runs) -> Result<Self, Error> {
        let recipe = Recipe::of(&model.manifest)?;
        let parts = split(runs, &recipe.reading.dataset.split)?;
        let held = parts.validation.ok_or_else(|| {
            Error::Usage(
                "what is smaller is measured on held-back data: the validation share is 0".into(),
            )
        })?;
        let programs: Vec<&Verified> = model.programs.values().filter(|p| p.name != STEP).collect();
        let observed = samples(model, &programs, &parts.train, OBSERVED)?;
        let compared = samples(model, &programs, &held, 2 * COMPARED)?;
        let arrays = |(name, tensor): (&String, &Tensor<'_>)| (name.clone(), tensor.to_array());
        let tensors = model.tensors.iter().map(arrays).collect();
        let joined = join(programs.iter().map(|p| &***p), &tensors)?;
        let train = parts.train;
        Ok(Self { model, recipe, train, held, programs, joined, observed, compared })
    }

    /// What a stack makes of the programs.
    pub(super) fn apply(
        &self,
        stack: &Stack,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Stacked, Error> {
        let mut stopped = false;
        let made =
            stack.apply(&self.joined, &self.model.tensors, &self.observed, &mut |done, of| {
                let flow = progress(Progress::Repairing(done, of));
                stopped |= flow.is_break();
                flow
            })?;
        if stopped {
            return Err(Error::Interrupted(": nothing was written".into()));
        }
        Ok(made)
    }

    /// What a stack made, in integers.
    pub(super) fn quantized(&self, made: &Stacked, scheme: Scheme) -> Result<Stacked, Error> {
        Ok(made.quantized(&self.observed, scheme)?)
    }

    /// The mean score of held-back windows, in nats per observed value, before and after; nothing where
    /// nothing is scored.
    pub(super) fn nats(&self, made: &Stacked, half: Half) -> Result<Option<[f64; 2]>, Error> {
        let samples = self.held(half);
        let all = Ports::default();
        let before = mean_score(&self.joined, &self.model.tensors, &samples, &all)?;
        let after = mean_score(&made.program, &found(made), &samples, &made.ports)?;
        Ok(before.zip(after).map(|(before, after)| [before, after]))
    }

    /// How near each output is to what it was.
    pub(super) fn fidelity(&self, made: &Stacked, half: Half) -> Result<Vec<Fidelity>, Error> {
        let before = (&self.joined, &self.model.tensors);
        let after = (&made.program, &found(made));
        Ok(fidelity(before, after, &self.held(half), &made.ports)?)
    }

    fn held(&self, half: Half) -> Vec<Sample> {
        // One of each pair of neighbours, or all where there is only one.
        let skipped = usize::from(half == Half::Second).min(self.compared.len() - 1);
        self.compared.iter().skip(skipped).step_by(2).cloned().collect()
    }
}

fn found(made: &Stacked) -> Found<'_> {
    made.tensors.iter().map(|(name, array)| (name.clone(), array.tensor())).collect()
}

/// The mean of `score` over samples of the joined programs: nats per observed value.
fn mean_score(
    program: &Verified,
    tensors: &Found<'_>,
    samples: &[Sample],
    ports: &Ports,
) -> Result<Option<f64>, Error> {
    let (Some(nll), Some(mask)) = (program.output("score/nll"), program.input("score/mask")) else {
        return Ok(None);
    };
    let mut instance = Loaded::from_parts(Level::best(), program, tensors)?.instance();
    let (mut sum, mut observed) = (0.0, 0.0);
    for sample in samples {
        let left = ports.of_inputs(sample);
        for (port, x) in program.inputs.iter().zip(&left) {
            instance.input(port.value).copy_from_slice(x);
            if port.value == mask {
                observed += x.iter().map(|m| f64::from(*m)).sum::<f64>();
            }
        }
        instance.run();
        let all = [Some(nll), program.output("score/kl")].into_iter().flatten();
        sum += all.flat_map(|id| instance.output(id)).map(|x| f64::from(*x)).sum::<f64>();
    }
    Ok(Some(sum / observed.max(1.0)))
}

/// What `programs` read in at most `most` windows, evenly chosen, side by side.
fn samples(
    model: &Model<'_>,
    programs: &[&Verified],
    runs: &Runs,
    most: usize,
) -> Result<Vec<Sample>, Error> {
    let windows = Windows::new(runs, Cut::new(model.manifest.window.length))?;
    let read = |program: &&Verified| -> usize {
        program.inputs.iter().map(|port| program.elements(port.value)).sum()
    };
    let numbers: usize = programs.iter().map(read).sum();
    let count = windows.len().min(most).min((NUMBERS / numbers.max(1)).max(COMPARED));
    let one = |i: usize| {
        let window = windows.get(i * windows.len() / count);
        [window.values.to_vec(), window.mask.to_vec()]
    };
    let windows: Vec<_> = (0..count).map(one).collect();
    let each: Result<Vec<_>, _> =
        programs.iter().map(|program| shown::samples(model, program, &windows)).collect();
    Ok(side_by_side(&each?))
}
