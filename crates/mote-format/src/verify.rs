//! Proves, before anything runs, that a program is well formed.
//!
//! Every value is written exactly once and before it is read, shapes agree, weights are tensors of
//! the file with the declared shape, and nothing exceeds the limits. What has passed is a
//! [`Verified`] program; the runtime takes nothing else, and re-checks nothing.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec,
    vec::Vec,
};
use core::ops::Deref;

use crate::{
    dtype::Dtype,
    error::Error,
    limits,
    program::{Op, Port, Program, STATE_PREFIX, ValueId},
    shape, types,
};

/// A program that may run.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified(Program);

/// How a tensor lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored<'a> {
    /// The type of its elements in the file.
    pub dtype: Dtype,
    /// Its shape in the file.
    pub shape: &'a [usize],
}

impl<'a> Stored<'a> {
    /// A tensor of single precision.
    #[must_use]
    pub fn f32(shape: &'a [usize]) -> Self {
        Self { dtype: Dtype::F32, shape }
    }
}

impl Deref for Verified {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.0
    }
}

impl Verified {
    /// Checks `program`; `tensor` tells how each tensor lies in the file that holds it.
    ///
    /// Costs one pass over the operations and memory in proportion to the values and ports.
    ///
    /// # Errors
    ///
    /// [`Error::Program`] with the operation and the rule that it breaks, or [`Error::Limit`].
    pub fn new<'a>(
        program: Program,
        tensor: impl Fn(&str) -> Option<Stored<'a>>,
    ) -> Result<Self, Error> {
        Check { program: &program }.all(tensor)?;
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
    fn all<'a>(&self, tensor: impl Fn(&str) -> Option<Stored<'a>>) -> Result<(), Error> {
        limit("values in a program", limits::VALUES, self.program.values.len())?;
        limit("operations in a program", limits::OPS, self.program.ops.len())?;
        let mut written = self.values(tensor)?;
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
        self.states()
    }

    /// What comes out as a state is copied over what went in, one state after the other. So it must
    /// not lie where another state went in, nor in the file.
    fn states(&self) -> Result<(), Error> {
        let state = |port: &&Port| port.name.starts_with(STATE_PREFIX);
        let inputs: BTreeMap<ValueId, &str> =
            self.program.inputs.iter().filter(state).map(|p| (p.value, &*p.name)).collect();
        let mut owner: Vec<ValueId> = (0..self.program.values.len() as u32).map(ValueId).collect();
        for op in &self.program.ops {
            if let Op::Reshape { x, y } = op {
                owner[y.index()] = owner[x.index()];
            }
        }
        for port in self.program.outputs.iter().filter(state) {
            if self.program.values[port.value.index()].tensor.is_some() {
                return Err(self.fault(None, format!("`{}` comes out as a tensor", port.name)));
            }
            match inputs.get(&owner[port.value.index()]) {
                Some(&other) if other != port.name => {
                    let why = format!("`{}` comes out where `{other}` went in", port.name);
                    return Err(self.fault(None, why));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Checks ranks, sizes, types and tensors; returns which values are there before anything runs.
    fn values<'a>(&self, tensor: impl Fn(&str) -> Option<Stored<'a>>) -> Result<Vec<bool>, Error> {
        let mut written = vec![false; self.program.values.len()];
        let mut bytes = 0;
        for (i, (value, written)) in self.program.values.iter().zip(&mut written).enumerate() {
            limit("axes of a value", limits::RANK, value.shape.len())?;
            if shape::elements(&value.shape).is_none() {
                let why = format!("a value of shape {:?} is too large", value.shape);
                return Err(self.fault(None, why));
            }
            types::value(self.program, ValueId(i as u32)).map_err(|why| self.fault(None, why))?;
            if value.tensor.is_none() {
                bytes += value.bytes() as u64;
            }
            if let Some(name) = &value.tensor {
                let (dtype, shape) = value.dtype.stored(&value.shape);
                let wanted = Stored { dtype, shape: &shape };
                let found = tensor(name);
                if found != Some(wanted) {
                    return Err(self.unlike(name, wanted, found));
                }
                *written = true;
            }
        }
        let what = "bytes of values in a program";
        let limit = limits::VALUE_BYTES as u64;
        if bytes > limit {
            return Err(Error::Limit { what, limit, found: bytes });
        }
        Ok(written)
    }

    fn unlike(&self, name: &str, wanted: Stored<'_>, found: Option<Stored<'_>>) -> Error {
        let text = |s: Stored<'_>| format!("{:?} {:?}", s.dtype, s.shape);
        Error::Tensor {
            name: name.into(),
            wanted: format!("{} for program `{}`", text(wanted), self.program.name),
            found: found.map_or("none".into(), text),
        }
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
        types::check(self.program, op).map_err(|why| self.fault(at, why))?;
        self.write(written, op.result(), at)
    }

    /// Weights are read in place from the file, so they have to be tensors of it.
    fn weights(&self, at: Option<(usize, &Op)>, op: &Op) -> Result<(), Error> {
        let check = |id: ValueId| match self.program.values[id.index()].tensor {
            Some(_) => Ok(()),
            None => Err(self.fault(at, format!("weight {} is not a tensor of the file", id.0))),
        };
        match op {
            Op::Linear { w, bias, .. }
            | Op::Conv1d { w, bias, .. }
            | Op::ConvTranspose1d { w, bias, .. }
            | Op::LayerNorm { gain: w, bias, .. } => {
                [Some(*w), *bias].into_iter().flatten().try_for_each(check)
            }
            Op::Attention { bias, .. } => check(*bias),
            Op::QuantizedLinear { weights, .. }
            | Op::QuantizedConv1d { weights, .. }
            | Op::QuantizedConvTranspose1d { weights, .. } => weights.iter().try_for_each(check),
            _ => Ok(()),
        }
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
