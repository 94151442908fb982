//! A program that grows operation by operation, each with the shape that follows from what it reads.

use alloc::{string::String, vec::Vec};

use mote_format::{
    Op, Program, ValueId,
    program::{Binary, Reduction, Unary, Value},
    shape,
};

pub(super) struct Draft {
    pub(super) program: Program,
}

impl Draft {
    /// The values and ports of `program`, and no operations yet.
    pub(super) fn new(program: &Program, name: String) -> Self {
        Self { program: Program { name, ops: Vec::new(), ..program.clone() } }
    }

    pub(super) fn shape(&self, id: ValueId) -> &[usize] {
        self.program.shape(id)
    }

    /// Appends the operation that writes a new value.
    pub(super) fn push(&mut self, op: impl FnOnce(ValueId) -> Op) -> ValueId {
        let op = op(ValueId(self.program.values.len() as u32));
        let shape = shape::infer(&op, |id| self.program.shape(id));
        let shape = shape.expect("shapes follow from those of a verified program");
        self.value(shape, op)
    }

    /// The same where the operation is told the shape of its result.
    pub(super) fn shaped(
        &mut self,
        shape: impl Into<Vec<usize>>,
        op: impl FnOnce(ValueId) -> Op,
    ) -> ValueId {
        let op = op(ValueId(self.program.values.len() as u32));
        self.value(shape.into(), op)
    }

    fn value(&mut self, shape: Vec<usize>, op: Op) -> ValueId {
        self.program.values.push(Value::f32(shape));
        self.program.ops.push(op);
        ValueId(self.program.values.len() as u32 - 1)
    }

    /// `x` under another shape, or itself where it has that.
    pub(super) fn reshape(&mut self, x: ValueId, shape: &[usize]) -> ValueId {
        if self.shape(x) == shape {
            return x;
        }
        self.shaped(shape, |y| Op::Reshape { x, y })
    }

    pub(super) fn unary(&mut self, f: Unary, x: ValueId) -> ValueId {
        self.push(|y| Op::Unary { x, y, f })
    }

    pub(super) fn affine(&mut self, x: ValueId, scale: f32, offset: f32) -> ValueId {
        self.push(|y| Op::Affine { x, y, scale, offset })
    }

    pub(super) fn binary(&mut self, f: Binary, a: ValueId, b: ValueId) -> ValueId {
        self.push(|y| Op::Binary { a, b, y, f })
    }

    pub(super) fn reduce(&mut self, f: Reduction, x: ValueId, axis: usize) -> ValueId {
        self.push(|y| Op::Reduce { x, y, f, axis })
    }

    pub(super) fn product(&mut self, a: ValueId, b: ValueId, turned: [bool; 2]) -> ValueId {
        self.push(|y| Op::Product { a, b, y, turned })
    }

    pub(super) fn slope(&mut self, f: Unary, x: ValueId, g: ValueId) -> ValueId {
        self.push(|y| Op::Slope { x, g, y, f })
    }

    /// `x` repeated to `shape`.
    pub(super) fn expand(&mut self, x: ValueId, shape: &[usize]) -> ValueId {
        if self.shape(x) == shape {
            return x;
        }
        self.shaped(shape, |y| Op::Expand { x, y })
    }
}
