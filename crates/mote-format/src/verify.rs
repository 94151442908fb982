//! Proves, before anything runs, that a program is well formed.
//!
//! Every value is written exactly once and before it is read, shapes agree, weights are tensors of
//! the file with the declared shape, and nothing exceeds the limits. What has passed is a
//! [`Verified`] program; the runtime takes nothing else, and re-checks nothing.

use alloc::{collections::BTreeSet, format, string::String, vec, vec::Vec};
use core::ops::Deref;

use crate::{
    error::Error,
    limits,
    program::{Op, Port, Program, ValueId},
    shape,
};

/// A program that may run.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified(Program);

impl Deref for Verified {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.0
    }
}

impl Verified {
    /// Checks `program`; `tensor_shape` tells the shape of each `f32` tensor that the file holds.
    ///
    /// Costs one pass over the operations and memory in proportion to the values and ports.
    ///
    /// # Errors
    ///
    /// [`Error::Program`] with the operation and the rule that it breaks, or [`Error::Limit`].
    pub fn new<'a>(
        program: Program,
        tensor_shape: impl Fn(&str) -> Option<&'a [usize]>,
    ) -> Result<Self, Error> {
        Check { program: &program }.all(tensor_shape)?;
        Ok(Self(program))
    }

    /// Gives the program back, for passes that rewrite it.
    #[must_use]
    pub fn into_inner(self) -> Program {
        self.0
    }
}

struct Check<'p> {
    program: &'p Program,
}

impl Check<'_> {
    fn all<'a>(&self, tensor_shape: impl Fn(&str) -> Option<&'a [usize]>) -> Result<(), Error> {
        limit("values in a program", limits::VALUES, self.program.values.len())?;
        limit("operations in a program", limits::OPS, self.program.ops.len())?;
        let mut written = self.values(tensor_shape)?;
        self.ports("inputs", &self.program.inputs)?;
        self.ports("outputs", &self.program.outputs)?;
        for port in &self.program.inputs {
            self.write(&mut written, port.value, None)?;
        }
        for (i, op) in self.program.ops.iter().enumerate() {
            self.op(&mut written, i, op)?;
        }
        for port in &self.program.outputs {
            if !written[port.value.index()] {
                return Err(self.fault(None, format!("output `{}` is never written", port.name)));
            }
        }
        Ok(())
    }

    /// Checks ranks, sizes and tensors; returns which values are there before anything runs.
    fn values<'a>(
        &self,
        tensor_shape: impl Fn(&str) -> Option<&'a [usize]>,
    ) -> Result<Vec<bool>, Error> {
        let mut written = vec![false; self.program.values.len()];
        for (value, written) in self.program.values.iter().zip(&mut written) {
            limit("axes of a value", limits::RANK, value.shape.len())?;
            if shape::elements(&value.shape).is_none() {
                let why = format!("a value of shape {:?} is too large", value.shape);
                return Err(self.fault(None, why));
            }
            if let Some(name) = &value.tensor {
                match tensor_shape(name) {
                    Some(found) if found == value.shape => *written = true,
                    found => {
                        return Err(Error::Tensor {
                            name: name.clone(),
                            wanted: format!(
                                "F32 {:?} for program `{}`",
                                value.shape, self.program.name
                            ),
                            found: found.map_or("none".into(), |s| format!("F32 {s:?}")),
                        });
                    }
                }
            }
        }
        Ok(written)
    }

    fn ports(&self, what: &str, ports: &[Port]) -> Result<(), Error> {
        let mut names = BTreeSet::new();
        let mut values = BTreeSet::new();
        for port in ports {
            self.exists(port.value, None)?;
            if !names.insert(&port.name) || !values.insert(port.value) {
                let why = format!("`{}` stands twice among the {what}", port.name);
                return Err(self.fault(None, why));
            }
        }
        Ok(())
    }

    fn op(&self, written: &mut [bool], i: usize, op: &Op) -> Result<(), Error> {
        let at = Some((i, op));
        let mut fault = None;
        op.for_each_operand(|x| {
            let found = match written.get(x.index()) {
                None => Some(format!("value {} does not exist", x.0)),
                Some(false) => Some(format!("value {} is read before it is written", x.0)),
                Some(true) => None,
            };
            fault = fault.take().or(found);
        });
        if let Some(why) = fault {
            return Err(self.fault(at, why));
        }
        self.weights(at, op)?;
        self.exists(op.result(), at)?;
        let y = self.program.shape(op.result());
        if let Op::Reshape { x, .. } = op {
            let (n, m) = (self.program.elements(*x), self.program.elements(op.result()));
            if n != m {
                return Err(self.fault(at, format!("{n} elements cannot become {y:?}")));
            }
        } else {
            let shape =
                shape::infer(op, |id| self.program.shape(id)).map_err(|why| self.fault(at, why))?;
            if shape != y {
                return Err(self.fault(at, format!("its result is {shape:?}, declared as {y:?}")));
            }
        }
        self.write(written, op.result(), at)
    }

    /// Weights are read in place from the file, so they have to be tensors of it.
    fn weights(&self, at: Option<(usize, &Op)>, op: &Op) -> Result<(), Error> {
        let weights: &[Option<ValueId>] = match op {
            Op::Linear { w, bias, .. }
            | Op::Conv1d { w, bias, .. }
            | Op::ConvTranspose1d { w, bias, .. }
            | Op::LayerNorm { gain: w, bias, .. } => &[Some(*w), *bias],
            _ => &[],
        };
        for id in weights.iter().flatten() {
            if self.program.values[id.index()].tensor.is_none() {
                return Err(self.fault(at, format!("weight {} is not a tensor of the file", id.0)));
            }
        }
        Ok(())
    }

    fn exists(&self, id: ValueId, at: Option<(usize, &Op)>) -> Result<(), Error> {
        if id.index() < self.program.values.len() {
            return Ok(());
        }
        Err(self.fault(at, format!("value {} does not exist", id.0)))
    }

    fn write(
        &self,
        written: &mut [bool],
        id: ValueId,
        at: Option<(usize, &Op)>,
    ) -> Result<(), Error> {
        if core::mem::replace(&mut written[id.index()], true) {
            return Err(self.fault(at, format!("value {} is written twice", id.0)));
        }
        Ok(())
    }

    fn fault(&self, at: Option<(usize, &Op)>, why: String) -> Error {
        Error::Program {
            program: self.program.name.clone(),
            op: at.map(|(i, op)| format!("{i} ({})", op.name())),
            why,
        }
    }
}

pub(crate) fn limit(what: &'static str, limit: usize, found: usize) -> Result<(), Error> {
    if found <= limit {
        return Ok(());
    }
    Err(Error::Limit { what, limit: limit as u64, found: found as u64 })
}
