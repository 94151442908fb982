//! What a model is compressed on: its programs as one, and samples for that from training and held-back data.

use std::ops::ControlFlow;

use mote_compress::{
    Fidelity, Found, Numbers, Sample, Shown, Stack, Stacked, fidelity, join, side_by_side,
    split as split_programs,
};
use mote_data::{Runs, Scaling, split::split};
use mote_format::{Manifest, Model, Verified, container::Tensor, model};

use super::{
    Progress, Purpose,
    shown::{self, Shown as Window},
};
use crate::{
    Error,
    training::{Recipe, STEP, stepping},
};

/// Windows that passes look at, at most: more teach a repair little.
const OBSERVED: usize = 4096;
/// Windows with faults, at most.
const FAULTY: usize = 512;
/// Numbers of all samples together, at most.
const NUMBERS: usize = 1 << 25;
/// Held-back windows on which programs are compared, at most.
const COMPARED: usize = 256;

/// A model with everything that passes need.
pub(super) struct Ground<'m> {
    pub(super) model: &'m Model<'m>,
    pub(super) recipe: Recipe,
    pub(super) train: Runs,
    pub(super) held: Runs,
    /// All programs but the one that is made from another.
    pub(super) programs: Vec<&'m Verified>,
    joined: Verified,
    /// Windows of the training part.
    pub(super) windows: Vec<Window>,
    /// What programs read in them.
    observed: Vec<Sample>,
    /// The same of others with faults, on which integers should not choke.
    faulty: Vec<Sample>,
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
        heard(&parts.train)?;
        let programs: Vec<&Verified> = model.programs.values().filter(|p| p.name != STEP).collect();
        let read = |program: &&Verified| -> usize {
            program.inputs.iter().map(|port| program.elements(port.value)).sum()
        };
        let numbers = programs.iter().map(read).sum::<usize>().max(1);
        let (length, schema) = (model.manifest.window.length, &model.manifest.schema);
        let most = OBSERVED.min((NUMBERS / numbers).max(COMPARED));
        let windows = shown::windows(&parts.train, length, most)?;
        let observed = samples(model, &programs, &windows)?;
        let units = Scaling::fit(&parts.train, Default::default()).scale;
        let few = windows.iter().step_by(windows.len().div_ceil(FAULTY));
        let faulty = shown::with_faults(few.cloned().collect(), schema, &units);
        let faulty = samples(model, &programs, &faulty)?;
        let compared = samples(model, &programs, &shown::windows(&held, length, COMPARED)?)?;
        let arrays = |(name, tensor): (&String, &Tensor<'_>)| (name.clone(), tensor.to_array());
        let tensors = model.tensors.iter().map(arrays).collect();
        let joined = join(programs.iter().map(|p| &***p), &tensors)?;
        let train = parts.train;
        Ok(Self {
            model,
            recipe,
            train,
            held,
            programs,
            joined,
            windows,
            observed,
            faulty,
            compared,
        })
    }

    /// These, or what the model was made for where there are none.
    pub(super) fn purposes(&self, purposes: &[Purpose]) -> Vec<Purpose> {
        match purposes {
            [] => vec![Purpose::of(self.model, &self.recipe)],
            some => some.into(),
        }
    }

    /// What a stack makes of the programs.
    pub(super) fn apply(
        &self,
        stack: &Stack,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Stacked, Error> {
        let real = Stack { numbers: Numbers::Single, ..*stack };
        let made = repairing(progress, |progress| {
            Ok(real.apply(&self.joined, &self.model.tensors, &self.observed, progress)?)
        })?;
        let made = repairing(progress, |progress| {
            let teacher = (&self.joined, &self.model.tensors);
            Ok(made.rounded(teacher, &self.observed, stack, progress)?)
        })?;
        self.narrowed(&made, stack.numbers)
    }

    /// What a stack made, with other numbers.
    pub(super) fn narrowed(&self, made: &Stacked, numbers: Numbers) -> Result<Stacked, Error> {
        let shown = Shown { usual: &self.observed, unusual: &self.faulty };
        Ok(made.narrowed(shown, numbers)?)
    }

    /// How near each output is to what it was, on held-back windows.
    pub(super) fn fidelity(&self, made: &Stacked) -> Result<Vec<Fidelity>, Error> {
        let before = (&self.joined, &self.model.tensors);
        let after = (&made.program, &found(made));
        Ok(fidelity(before, after, &self.compared, &made.ports)?)
    }

    /// The model file of what a stack made, before anything is measured of it.
    pub(super) fn bare(&self, made: &Stacked) -> Vec<u8> {
        model::write(&self.manifest(made), &made.tensors)
    }

    /// What the file says of itself.
    pub(super) fn manifest(&self, made: &Stacked) -> Manifest {
        let mut manifest = self.model.manifest.clone();
        manifest.programs = split_programs(&made.program);
        manifest.programs.extend(stepping(&manifest.programs, &made.tensors));
        manifest.detector = None;
        manifest.margins = None;
        manifest
    }
}

/// Does what tells of its steps; it is an error if it was broken off.
pub(super) fn repairing<T>(
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    work: impl FnOnce(&mut dyn FnMut(usize, usize) -> ControlFlow<()>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut stopped = false;
    let done = work(&mut |done, of| {
        let flow = progress(Progress::Repairing(done, of));
        stopped |= flow.is_break();
        flow
    })?;
    if stopped { Err(Error::Interrupted(": nothing was written".into())) } else { Ok(done) }
}

/// Of a column without a value there is no range, and no threshold either.
fn heard(train: &Runs) -> Result<(), Error> {
    let schema = train.schema();
    let mut first = 0;
    for column in &schema.columns {
        let of = first..first + column.kind.features();
        first = of.end;
        let rows = train.series().iter().flat_map(|s| s.mask().chunks_exact(schema.features()));
        if !rows.map(|row| &row[of.clone()]).any(|row| row.contains(&1.0)) {
            return Err(Error::Usage(format!(
                "wanted values of `{}` to compress on, found none",
                column.name
            )));
        }
    }
    Ok(())
}

fn found(made: &Stacked) -> Found<'_> {
    made.tensors.iter().map(|(name, array)| (name.clone(), array.tensor())).collect()
}

/// What `programs` read in these windows, side by side.
fn samples(
    model: &Model<'_>,
    programs: &[&Verified],
    windows: &[Window],
) -> Result<Vec<Sample>, Error> {
    let each: Result<Vec<_>, _> =
        programs.iter().map(|program| shown::samples(model, program, windows)).collect();
    Ok(side_by_side(&each?))
}
