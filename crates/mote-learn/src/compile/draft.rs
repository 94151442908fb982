//! A program while it is being built: not verified, with tensors that may still be computed.

use std::collections::HashMap;

use mote_format::{
    Op, Program, ValueId,
    program::{Port, Value},
    shape,
};

use super::Tensors;

/// A program and the tensors that it names. Operations may read tensors that other operations
/// compute from tensors; folding ends that.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The program so far.
    pub program: Program,
    /// The tensors so far.
    pub tensors: Tensors,
}

impl Draft {
    pub(super) fn new(name: &str) -> Self {
        let program = Program {
            name: name.into(),
            values: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            ops: Vec::new(),
        };
        Self { program, tensors: Tensors::new() }
    }

    /// A new value that something will write.
    pub(super) fn value(&mut self, shape: Vec<usize>) -> ValueId {
        self.program.values.push(Value::f32(shape));
        ValueId(self.program.values.len() as u32 - 1)
    }

    /// A new value that is a tensor.
    pub(super) fn constant(&mut self, name: String, shape: Vec<usize>, data: Vec<f32>) -> ValueId {
        let id = self.value(shape.clone());
        let name = if name.is_empty() || self.tensors.contains_key(&name) {
            format!("{}c{}", if name.is_empty() { name } else { format!("{name}.") }, id.0)
        } else {
            name
        };
        self.tensors.insert(name.clone(), (shape, data));
        self.program.values[id.index()].tensor = Some(name);
        id
    }

    /// A new input.
    pub(super) fn input(&mut self, name: &str, shape: Vec<usize>) -> ValueId {
        let value = self.value(shape);
        self.program.inputs.push(Port { name: name.into(), value });
        value
    }

    /// Appends an operation whose result has the shape that its rule says.
    pub(super) fn push(&mut self, op: impl FnOnce(ValueId) -> Op) -> Result<ValueId, String> {
        let y = self.value(Vec::new());
        let op = op(y);
        let shape = shape::infer(&op, |id| self.program.shape(id))?;
        self.program.values[y.index()].shape = shape;
        self.program.ops.push(op);
        Ok(y)
    }

    /// Appends a reshape.
    pub(super) fn reshape(&mut self, x: ValueId, shape: Vec<usize>) -> Result<ValueId, String> {
        let found = self.program.shape(x);
        if shape == found {
            return Ok(x);
        }
        if shape.iter().product::<usize>() != found.iter().product::<usize>() {
            return Err(format!("{found:?} cannot become {shape:?}"));
        }
        let y = self.value(shape);
        self.program.ops.push(Op::Reshape { x, y });
        Ok(y)
    }

    /// How often each value is read, by operations or callers.
    pub(super) fn uses(&self) -> HashMap<ValueId, usize> {
        let mut uses = HashMap::new();
        for op in &self.program.ops {
            op.for_each_operand(|x| *uses.entry(x).or_default() += 1);
        }
        for port in &self.program.outputs {
            *uses.entry(port.value).or_default() += 1;
        }
        uses
    }
}
