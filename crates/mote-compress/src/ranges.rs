//! Which numbers each value of a program takes on real data, and what range of them counts.

use mote_format::{Op, Program, ValueId, Verified, container::Tensor, program::Unary};
use mote_runtime::{Instance, Level, Loaded};

use crate::{Clip, Error, Found, Sample, clip::Histogram};

/// The elements of every value, over all samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranges {
    /// `(values,)`; nothing for what is a tensor or has no elements.
    of: Vec<Option<Histogram>>,
}

impl Ranges {
    /// Runs `program` on each of `samples`.
    ///
    /// # Errors
    ///
    /// [`Error::NoSamples`], [`Error::Sample`], [`Error::NotFinite`], [`Error::Load`].
    pub fn observe(
        program: &Verified,
        tensors: &Found<'_>,
        samples: &[Sample],
    ) -> Result<Self, Error> {
        if samples.is_empty() {
            return Err(Error::NoSamples);
        }
        let mut ranges = Self { of: vec![None; program.values.len()] };
        replay(program, tensors, samples, |sample, next, instance| {
            let mut count = |id| ranges.count(program, sample, id, instance.output(id));
            match next.checked_sub(1) {
                Some(last) => count(program.ops[last].result()),
                None => program.inputs.iter().try_for_each(|port| count(port.value)),
            }
        })?;
        Ok(ranges)
    }

    /// The range of a value, if it was computed and has elements.
    #[must_use]
    pub fn of(&self, id: ValueId, clip: Clip) -> Option<(f32, f32)> {
        self.of[id.index()].as_ref().map(|seen| seen.range(clip))
    }

    fn count(
        &mut self,
        program: &Program,
        sample: usize,
        id: ValueId,
        elements: &[f32],
    ) -> Result<(), Error> {
        for &found in elements {
            if !found.is_finite() {
                let program = program.name.clone();
                return Err(Error::NotFinite { program, value: id.0, found, sample });
            }
            self.of[id.index()].get_or_insert_with(|| Histogram::new(found)).add(found);
        }
        Ok(())
    }
}

/// The least and the largest of each value over `samples` that need not be usual: what is not finite counts
/// for nothing.
///
/// # Errors
///
/// [`Error::Sample`], [`Error::Load`].
pub(crate) fn extents(
    program: &Verified,
    tensors: &Found<'_>,
    samples: &[Sample],
) -> Result<Vec<Option<(f32, f32)>>, Error> {
    let mut extents: Vec<Option<(f32, f32)>> = vec![None; program.values.len()];
    replay(program, tensors, samples, |_, next, instance| {
        let mut see = |id: ValueId| {
            let finite = instance.output(id).iter().copied().filter(|x| x.is_finite());
            let known = extents[id.index()];
            let join = |known: Option<(f32, f32)>, x: f32| {
                let (low, high) = known.unwrap_or((x, x));
                Some((low.min(x), high.max(x)))
            };
            extents[id.index()] = finite.fold(known, join);
        };
        match next.checked_sub(1) {
            Some(last) => see(program.ops[last].result()),
            None => program.inputs.iter().for_each(|port| see(port.value)),
        }
        Ok(())
    })?;
    Ok(extents)
}

/// Runs `program` on each of `samples`, operation by operation. `look` is told which sample it is, how many
/// operations have run, and sees the instance.
pub(crate) fn replay(
    program: &Verified,
    tensors: &Found<'_>,
    samples: &[Sample],
    mut look: impl FnMut(usize, usize, &Instance<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut instance = Loaded::from_parts(Level::best(), program, tensors)?.instance();
    for (i, sample) in samples.iter().enumerate() {
        fill(&mut instance, sample, i)?;
        look(i, 0, &instance)?;
        for at in 0..program.ops.len() {
            instance.run_apart(at);
            look(i, at + 1, &instance)?;
        }
    }
    Ok(())
}

/// Fills the inputs of an instance with sample number `at`.
pub(crate) fn fill(instance: &mut Instance<'_>, sample: &Sample, at: usize) -> Result<(), Error> {
    let inputs = instance.program().inputs.len();
    fill_first(instance, inputs, sample, at)
}

/// Fills as many inputs, from the first on; those behind them are the caller's.
pub(crate) fn fill_first(
    instance: &mut Instance<'_>,
    inputs: usize,
    sample: &Sample,
    at: usize,
) -> Result<(), Error> {
    let program = instance.program();
    let ports = &program.inputs[..inputs];
    let wanted: Vec<usize> = ports.iter().map(|p| program.elements(p.value)).collect();
    let found: Vec<usize> = sample.iter().map(Vec::len).collect();
    if wanted != found {
        return Err(Error::Sample { sample: at, wanted, found });
    }
    for (port, x) in ports.iter().zip(sample) {
        instance.input(port.value).copy_from_slice(x);
    }
    Ok(())
}

/// The same program with every activation but the rectifier as an operation of its own, so that the
/// numbers before it can be observed.
///
/// # Errors
///
/// [`Error::Format`] if the tensors are not those of the program.
pub fn unfuse(program: &Verified, tensors: &Found<'_>) -> Result<Verified, Error> {
    let mut program = (**program).clone();
    let mut ops = Vec::with_capacity(program.ops.len());
    for mut op in std::mem::take(&mut program.ops) {
        let (Op::Linear { activation, y, .. }
        | Op::Conv1d { activation, y, .. }
        | Op::ConvTranspose1d { activation, y, .. }) = &mut op
        else {
            ops.push(op);
            continue;
        };
        match activation.take() {
            Some(Unary::Relu) => *activation = Some(Unary::Relu),
            None => {}
            Some(f) => {
                let result = *y;
                program.values.push(program.values[result.index()].clone());
                *y = ValueId(program.values.len() as u32 - 1);
                let x = *y;
                ops.extend([op, Op::Unary { x, y: result, f }]);
                continue;
            }
        }
        ops.push(op);
    }
    program.ops = ops;
    Ok(Verified::new(program, |name| tensors.get(name).map(Tensor::stored))?)
}
