//! From a program to its training program, by reverse mode.
//!
//! A training program computes what the program computes, and after that how its loss changes with
//! every number of the tensors that are trained. It is a program like any other: verified, planned in
//! one arena whose size is known before anything runs, and run by the same [`crate::Instance`]. It is
//! made in three steps. What takes part in the gradient is written as [`primitives`]: layers become
//! products of matrices and the windows that these read, so that a dozen rules are enough. Then each
//! primitive is gone through from the last to the first, and adds to the gradients of what it read: see
//! [`reverse`]. Last, tensors that are trained become states: they come in, stay where they are while
//! the program runs, and go out.

mod draft;
mod learner;
mod primitives;
mod reverse;

use alloc::{collections::BTreeMap, format, string::String, vec, vec::Vec};

use mote_format::{
    Dtype, Error, Op, Program, Stored, ValueId, Verified,
    program::{Port, STATE_PREFIX},
};

use draft::Draft;
pub use learner::{Adam, Learner};

/// Names of outputs that hold the gradient of the loss with respect to a tensor begin with this.
pub const GRADIENT_PREFIX: &str = "gradient.";

/// Why a program has no training program.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NotTrainable {
    /// The loss is no output of a single number.
    #[error("`{program}` has no output `{loss}` of one number")]
    Loss {
        /// The program.
        program: String,
        /// What was asked for.
        loss: String,
    },
    /// An operation has no gradient.
    #[error("operation {at} ({op}) of `{program}` has no gradient")]
    Operation {
        /// The program.
        program: String,
        /// Which operation.
        at: usize,
        /// Its name.
        op: &'static str,
    },
    /// Nothing that is to be trained has a part in the loss.
    #[error("none of the tensors that are to be trained has a part in `{loss}` of `{program}`")]
    Nothing {
        /// The program.
        program: String,
        /// What was asked for.
        loss: String,
    },
    /// The training program is beyond a limit.
    #[error(transparent)]
    Format(#[from] Error),
}

/// The training program of `program`, under the name `{name}.gradient`, for the output `loss` of one
/// number. Those tensors of `f32` are trained that `trained` says and that have a part in the loss; each
/// becomes a state `state.{tensor}`, which comes out as it came in, and an output `gradient.{tensor}` of
/// the same shape. The other ports stay as they are. `tensor` tells how each tensor lies in the file.
///
/// The gradient of one sample is that of its loss; those of several add up.
///
/// # Errors
///
/// Any [`NotTrainable`].
pub fn gradient<'a>(
    program: &Verified,
    loss: &str,
    trained: impl Fn(&str) -> bool,
    tensor: impl Fn(&str) -> Option<Stored<'a>>,
) -> Result<Verified, NotTrainable> {
    let name = || program.name.clone();
    let one = |id: &ValueId| program.elements(*id) == 1;
    let Some(end) = program.output(loss).filter(one) else {
        return Err(NotTrainable::Loss { program: name(), loss: loss.into() });
    };
    let program = &one_value_for_each_tensor(program);
    let (part, idle) = (has_part(program, end), read_for_nothing(program));
    let trained: Vec<(ValueId, &str)> = (0..program.values.len())
        .filter(|&i| part[i] && program.values[i].dtype == Dtype::F32)
        .filter(|&i| program.elements(ValueId(i as u32)) > 0 && !idle[i])
        .filter_map(|i| Some((ValueId(i as u32), program.values[i].tensor.as_deref()?)))
        .filter(|(_, name)| trained(name))
        .collect();
    if trained.is_empty() {
        return Err(NotTrainable::Nothing { program: name(), loss: loss.into() });
    }
    let parameters: Vec<ValueId> = trained.iter().map(|(id, _)| *id).collect();
    let depends = depends(program, &parameters);
    let mut draft = Draft::new(program, format!("{}.gradient", program.name));
    for id in &parameters {
        draft.program.values[id.index()].tensor = None;
    }
    for (at, op) in program.ops.iter().enumerate() {
        if depends[op.result().index()] {
            let known = primitives::write(&mut draft, op);
            known.ok_or(NotTrainable::Operation { program: name(), at, op: op.name() })?;
        } else {
            draft.program.ops.push(op.clone());
        }
    }
    let depends = self::depends(&draft.program, &parameters);
    let gradients = reverse::write(&mut draft, end, &parameters, depends);
    for ((id, name), gradient) in trained.iter().zip(gradients) {
        let state = format!("{STATE_PREFIX}{name}");
        draft.program.inputs.push(Port { name: state.clone(), value: *id });
        output(&mut draft, state, *id);
        output(&mut draft, format!("{GRADIENT_PREFIX}{name}"), gradient);
    }
    Ok(Verified::new(draft.program, tensor)?)
}

/// Shows `value` to callers under `name`. A value is shown once: where it is already, another one with the
/// same memory.
fn output(draft: &mut Draft, name: String, value: ValueId) {
    let shown = draft.program.outputs.iter().any(|port| port.value == value);
    let value = if shown {
        let shape = draft.shape(value).to_vec();
        draft.shaped(shape, |y| Op::Reshape { x: value, y })
    } else {
        value
    };
    draft.program.outputs.push(Port { name, value });
}

/// The same program, where each tensor is one value however often it was declared.
fn one_value_for_each_tensor(program: &Program) -> Program {
    let mut made = program.clone();
    let mut first: BTreeMap<&str, ValueId> = BTreeMap::new();
    let known: Vec<ValueId> = (0..program.values.len() as u32)
        .map(ValueId)
        .map(|id| match program.values[id.index()].tensor.as_deref() {
            Some(name) => *first.entry(name).or_insert(id),
            None => id,
        })
        .collect();
    let same = |id: &mut ValueId| {
        let other = known[id.index()];
        if program.values[other.index()] == program.values[id.index()] {
            *id = other;
        }
    };
    made.ops.iter_mut().for_each(|op| op.for_each_operand_mut(same));
    made.outputs.iter_mut().for_each(|port| same(&mut port.value));
    made
}

/// For each value whether `end` is computed from it. What has no elements has a part in nothing.
fn has_part(program: &Program, end: ValueId) -> Vec<bool> {
    let mut part = vec![false; program.values.len()];
    part[end.index()] = true;
    for op in program.ops.iter().rev() {
        if part[op.result().index()] && program.elements(op.result()) > 0 {
            op.for_each_operand(|x| part[x.index()] = true);
        }
    }
    part
}

/// For each value whether an operation reads it whose result has no elements. Such an operation stays as it
/// is, and with it the tensors that it reads.
fn read_for_nothing(program: &Program) -> Vec<bool> {
    let mut idle = vec![false; program.values.len()];
    for op in program.ops.iter().filter(|op| program.elements(op.result()) == 0) {
        op.for_each_operand(|x| idle[x.index()] = true);
    }
    idle
}

/// For each value whether it changes with any of `parameters`. What has no elements does not.
fn depends(program: &Program, parameters: &[ValueId]) -> Vec<bool> {
    let mut depends = vec![false; program.values.len()];
    parameters.iter().for_each(|id| depends[id.index()] = true);
    for op in &program.ops {
        let mut any = false;
        op.for_each_operand(|x| any |= depends[x.index()]);
        depends[op.result().index()] |= any && program.elements(op.result()) > 0;
    }
    depends
}
