//! A program that is being read: operations grow, unused ones fall away at the end.

use std::collections::{HashMap, HashSet};

use mote_format::{
    Array, Dtype, Op, Program, Quantization, Tensors, ValueId, Verified,
    container::Element,
    dtype,
    program::{Port, Value, Weights},
    shape,
};

use crate::{Error, Imported, fuse};

/// A program and its tensors so far.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) program: Program,
    pub(crate) tensors: Tensors,
    /// Series that are there with time and channels turned over.
    turned: HashMap<ValueId, ValueId>,
}

type Result<T> = std::result::Result<T, String>;

impl Draft {
    pub(crate) fn new() -> Self {
        let program = Program {
            name: "run".into(),
            values: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            ops: Vec::new(),
        };
        Self { program, tensors: Tensors::new(), turned: HashMap::new() }
    }

    pub(crate) fn value(&mut self, value: Value) -> ValueId {
        self.program.values.push(value);
        ValueId(self.program.values.len() as u32 - 1)
    }

    pub(crate) fn input(&mut self, name: &str, value: Value) -> ValueId {
        let value = self.value(value);
        self.program.inputs.push(Port { name: name.into(), value });
        value
    }

    pub(crate) fn output(&mut self, name: &str, value: ValueId) {
        self.program.outputs.push(Port { name: name.into(), value });
    }

    /// A tensor; equal numbers are kept once for each use, and the file format stores what it is given.
    pub(crate) fn tensor<T: Element>(
        &mut self,
        base: &str,
        shape: &[usize],
        data: &[T],
    ) -> ValueId {
        let name = format!("{base}.{}", self.tensors.len());
        self.tensors.insert(name.clone(), Array::new(shape, data));
        self.value(Value::tensor(name, T::DTYPE, shape))
    }

    /// Appends an operation on real numbers.
    pub(crate) fn push(&mut self, op: impl FnOnce(ValueId) -> Op) -> Result<ValueId> {
        let op = op(ValueId(self.program.values.len() as u32));
        let shape = shape::infer(&op, |id| self.program.shape(id))?;
        self.program.ops.push(op);
        shape::elements(&shape).ok_or_else(|| format!("{shape:?} has too many elements"))?;
        Ok(self.value(Value::f32(shape)))
    }

    /// Appends an operation whose result is bytes.
    pub(crate) fn push_i8(
        &mut self,
        q: Quantization,
        op: impl FnOnce(ValueId) -> Op,
    ) -> Result<ValueId> {
        let y = self.push(op)?;
        self.program.values[y.index()].dtype = Dtype::I8;
        self.program.values[y.index()].quantization = Some(q);
        Ok(y)
    }

    /// Appends an operation that only moves numbers of the kind of `x`.
    pub(crate) fn moved(&mut self, x: ValueId, op: impl FnOnce(ValueId) -> Op) -> Result<ValueId> {
        match self.program.values[x.index()].quantization {
            Some(q) => self.push_i8(q, op),
            None => self.push(op),
        }
    }

    pub(crate) fn reshape(&mut self, x: ValueId, shape: &[usize]) -> Result<ValueId> {
        let found = self.program.shape(x);
        if found == shape {
            return Ok(x);
        }
        let elements = |shape: &[usize]| {
            shape::elements(shape).ok_or_else(|| format!("{shape:?} has too many elements"))
        };
        if elements(found)? != elements(shape)? {
            return Err(format!("{found:?} cannot become {shape:?}"));
        }
        let old = &self.program.values[x.index()];
        let new = Value { shape: shape.into(), tensor: None, ..old.clone() };
        let y = self.value(new);
        self.program.ops.push(Op::Reshape { x, y });
        Ok(y)
    }

    /// `x` with time and channels turned over; turned twice it is itself.
    pub(crate) fn turn(&mut self, x: ValueId) -> Result<ValueId> {
        if let Some(&turned) = self.turned.get(&x) {
            return Ok(turned);
        }
        let y = self.moved(x, |y| Op::Permute { x, y, axes: vec![1, 0] })?;
        self.turned.extend([(x, y), (y, x)]);
        Ok(y)
    }

    /// `x` with its axes in another order; put back as they were, it is what they were taken from.
    pub(crate) fn permute(&mut self, x: ValueId, axes: Vec<usize>) -> Result<ValueId> {
        let made = self.program.ops.iter().rev().find(|op| op.result() == x);
        if let Some(Op::Permute { x: from, axes: first, .. }) = made
            && axes.iter().enumerate().all(|(i, &axis)| first.get(axis) == Some(&i))
        {
            return Ok(*from);
        }
        self.moved(x, |y| Op::Permute { x, y, axes })
    }

    /// Integer weights with a bias in real numbers, as a layer reads them.
    pub(crate) fn weights(
        &mut self,
        x: Quantization,
        (shape, w): (&[usize], &[i8]),
        scale: &[f32],
        bias: Option<&[f32]>,
    ) -> Weights {
        let outputs = scale.len();
        let steps = bias.map(|bias| {
            let step = |(b, s): (&f32, &f32)| {
                // A cast holds what is out of range, and makes a NaN zero.
                (f64::from(*b) / (f64::from(x.scale) * f64::from(*s))).round() as i32
            };
            let steps: Vec<i32> = bias.iter().zip(scale).map(step).collect();
            self.tensor("bias", &[outputs], &steps)
        });
        let w = self.tensor("weight", shape, w);
        let scale = self.tensor("scale", &[outputs], scale);
        Weights { w, scale, groups: None, bias: steps }
    }

    /// The end of a layer of integers: bytes where the step of the result allows it, else the exact
    /// sums as real numbers, which are then rounded.
    pub(crate) fn end(
        &mut self,
        x: Quantization,
        scale: &[f32],
        (y, clamp): (Quantization, [i8; 2]),
        op: impl FnOnce(ValueId, [i8; 2]) -> Op,
    ) -> Result<ValueId> {
        if scale.iter().all(|&w| dtype::fits(x.scale, w, y.scale)) {
            return self.push_i8(y, |id| op(id, clamp));
        }
        let mut real = self.push(|id| op(id, [-128, 127]))?;
        if clamp != [-128, 127] {
            let [low, high] = clamp.map(|q| y.dequantize(q));
            real = self.push(|y| Op::Clamp { x: real, y, low, high })?;
        }
        self.push_i8(y, |id| Op::Quantize { x: real, y: id })
    }

    /// A function of one byte, as a table.
    pub(crate) fn table(
        &mut self,
        x: ValueId,
        y: Quantization,
        f: impl Fn(f32) -> f32,
    ) -> Result<ValueId> {
        let q = self.program.values[x.index()].quantization.ok_or("wants bytes")?;
        let table: Vec<i8> = (-128..=127i8).map(|byte| y.quantize(f(q.dequantize(byte)))).collect();
        let table = self.tensor("table", &[256], &table);
        self.push_i8(y, |id| Op::Lookup { x, table, y: id })
    }

    /// Drops what nobody reads, fuses activations, and proves that the rest is a program.
    pub(crate) fn finish(mut self) -> std::result::Result<Imported, Error> {
        self.prune();
        fuse::activations(&mut self.program);
        self.prune();
        let tensors = self.tensors;
        let program = Verified::new(self.program, |name| tensors.get(name).map(Array::stored))?;
        Ok(Imported { program, tensors })
    }

    fn prune(&mut self) {
        let program = &mut self.program;
        let mut needed: HashSet<ValueId> = program.outputs.iter().map(|p| p.value).collect();
        let mut kept = Vec::new();
        for op in std::mem::take(&mut program.ops).into_iter().rev() {
            if needed.contains(&op.result()) {
                op.for_each_operand(|x| {
                    needed.insert(x);
                });
                kept.push(op);
            }
        }
        kept.reverse();
        needed.extend(program.inputs.iter().map(|p| p.value));
        let mut numbers = HashMap::new();
        let mut values = Vec::new();
        for (i, value) in std::mem::take(&mut program.values).into_iter().enumerate() {
            if needed.contains(&ValueId(i as u32)) {
                numbers.insert(ValueId(i as u32), ValueId(values.len() as u32));
                values.push(value);
            }
        }
        program.values = values;
        for op in &mut kept {
            op.for_each_operand_mut(|x| *x = numbers[x]);
            let y = op.result_mut();
            *y = numbers[y];
        }
        program.ops = kept;
        for port in program.inputs.iter_mut().chain(&mut program.outputs) {
            port.value = numbers[&port.value];
        }
        let held: HashSet<&String> =
            program.values.iter().filter_map(|v| v.tensor.as_ref()).collect();
        self.tensors.retain(|name, _| held.contains(name));
    }
}
