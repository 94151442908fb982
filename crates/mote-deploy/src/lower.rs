//! From a verified program to steps.

mod layers;
mod rings;

use std::collections::BTreeMap;

use mote_format::{
    Dtype, Op, Quantization, ValueId, Verified,
    container::{Element, Tensor},
    dtype::addend_multiplier,
    program::Port as ProgramPort,
};
use mote_runtime::{LoadError, Plan};

use self::rings::Ring;
use crate::{
    error::Error,
    steps::{Addend, At, Attention, Axes, Blocks, Firmware, Place, Port, State, Step, What},
    tables::{Table, TableId, Tables},
};

/// The steps of `program`.
///
/// # Errors
///
/// [`Error::Empty`], [`Error::Misaligned`] or [`Error::Unsupported`].
pub(crate) fn lower(
    program: &Verified,
    tensors: &BTreeMap<String, Tensor<'_>>,
) -> Result<Firmware, Error> {
    if let Some(value) = program.values.iter().position(|v| v.shape.contains(&0)) {
        return Err(Error::Empty {
            program: program.name.clone(),
            value: value as u32,
            shape: program.values[value].shape.clone(),
        });
    }
    let (program, rings) = rings::find(program, tensors);
    let program = &program;
    let mut lowering = Lowering {
        program,
        tensors,
        plan: Plan::new(program),
        rings: &rings,
        tables: Tables::default(),
        steps: Vec::new(),
        gathered_bytes: 0,
    };
    for port in &program.inputs {
        lowering.remember(port.value)?;
    }
    for op in &program.ops {
        lowering.op(op)?;
        lowering.remember(op.result())?;
    }
    for (input, output) in program.states().filter(|(input, output)| input != output) {
        lowering.carry(input, output)?;
    }
    Ok(Firmware {
        program: program.name.clone(),
        inputs: lowering.ports(&program.inputs)?,
        outputs: lowering.ports(&program.outputs)?,
        states: lowering.states()?,
        rings: lowering.rings.len(),
        arena_bytes: lowering.plan.bytes(),
        gathered_bytes: lowering.gathered_bytes,
        tables: lowering.tables,
        steps: lowering.steps,
        multiply_adds: program.multiply_adds(),
    })
}

struct Lowering<'p, 'm> {
    program: &'p Verified,
    tensors: &'p BTreeMap<String, Tensor<'m>>,
    plan: Plan,
    rings: &'p [Ring],
    tables: Tables,
    steps: Vec<Step>,
    gathered_bytes: usize,
}

impl<'m> Lowering<'_, 'm> {
    fn op(&mut self, op: &Op) -> Result<(), Error> {
        match op {
            Op::Linear { .. }
            | Op::Conv1d { .. }
            | Op::ConvTranspose1d { .. }
            | Op::QuantizedLinear { .. }
            | Op::QuantizedConv1d { .. }
            | Op::QuantizedConvTranspose1d { .. } => self.layer(op),
            Op::Slice { .. } | Op::Concat { .. } | Op::Reshape { .. } | Op::Permute { .. } => {
                self.move_numbers(op)
            }
            Op::Quantize { .. }
            | Op::Dequantize { .. }
            | Op::QuantizedAdd { .. }
            | Op::Lookup { .. } => self.bytes(op),
            Op::Attention { q, k, v, bias, before, .. } => {
                let attention = Attention {
                    heads: self.program.shape(*q)[1],
                    width: self.width(*q),
                    outputs: self.width(*v),
                    before: *before,
                    rings: [self.ring_of(*k), self.ring_of(*v)],
                };
                self.push(op, &[*q, *k, *v, *bias], What::Attention(attention))
            }
            _ if op.is_adjoint() => {
                let program = self.program.name.clone();
                Err(Error::Unsupported { program, op: op.name() })
            }
            _ => self.reals(op),
        }
    }

    /// Appends one step that reads `xs` and writes the result of `op`.
    fn push(&mut self, op: &Op, xs: &[ValueId], what: What) -> Result<(), Error> {
        let xs = xs.iter().map(|x| self.place(*x)).collect::<Result<Vec<_>, _>>()?;
        let y = self.place(op.result())?;
        self.steps.push(Step { comment: self.comment(op), xs, y, what });
        Ok(())
    }

    /// Puts a row that was just written into the rings of its kind, before anything else is written
    /// over it.
    fn remember(&mut self, row: ValueId) -> Result<(), Error> {
        let rings = self.rings;
        for (ring, &Ring { row: kind, rows }) in rings.iter().enumerate() {
            if kind == row {
                let (from, to) = (self.program.shape(row), self.program.shape(rows));
                let comment = format!("push: {from:?} -> {to:?}");
                let (xs, y) = (vec![self.place(row)?], self.place(rows)?);
                self.steps.push(Step { comment, xs, y, what: What::Push { ring } });
            }
        }
        Ok(())
    }

    /// Copies a state that lies in no ring to where the next run reads it.
    fn carry(&mut self, input: ValueId, output: ValueId) -> Result<(), Error> {
        let (xs, y) = (vec![self.place(output)?], self.place(input)?);
        // A reshaped state may lie where it is read.
        if xs[0] != y {
            let comment = format!("carry: {:?}", self.program.shape(input));
            let what = What::CopyBlocks(Blocks::one(y.elements));
            self.steps.push(Step { comment, xs, y, what });
        }
        Ok(())
    }

    fn states(&mut self) -> Result<Vec<State>, Error> {
        let program = self.program;
        let state = |(input, _): (ValueId, ValueId)| {
            let of = program.values[input.index()].quantization;
            Ok(State { place: self.place(input)?, zero: of.map_or(0, |q| q.zero_point) })
        };
        program.states().map(state).collect()
    }

    /// The ring that the rows of `x` lie in.
    fn ring_of(&self, x: ValueId) -> Option<usize> {
        self.rings.iter().position(|ring| ring.rows == x)
    }

    fn comment(&self, op: &Op) -> String {
        let mut shapes = Vec::new();
        op.for_each_operand(|x| shapes.push(format!("{:?}", self.program.shape(x))));
        format!("{}: {} -> {:?}", op.name(), shapes.join(" "), self.program.shape(op.result()))
    }

    /// Operations on real numbers without packed weights.
    fn reals(&mut self, op: &Op) -> Result<(), Error> {
        let (xs, what) = match op {
            Op::Unary { x, f, .. } => (vec![*x], What::Map(*f)),
            Op::Affine { x, scale, offset, .. } => {
                (vec![*x], What::Affine { scale: *scale, offset: *offset })
            }
            Op::Clamp { x, low, high, .. } => (vec![*x], What::Clamp { low: *low, high: *high }),
            Op::Softmax { x, .. } => (vec![*x], What::Softmax { width: self.width(*x) }),
            Op::LayerNorm { x, gain, bias, epsilon, .. } => {
                let (width, gain) = (self.width(*x), self.f32(*gain)?);
                let bias = bias.map_or(Ok(vec![0.0; width]), |b| self.f32(b))?;
                let (gain, bias) = (self.tables.f32(gain), self.tables.f32(bias));
                (vec![*x], What::LayerNorm { width, gain, bias, epsilon: *epsilon })
            }
            Op::Reduce { x, f, axis, .. } => {
                let (outer, length, inner) = around(self.program.shape(*x), *axis);
                (vec![*x], What::Fold { f: *f, outer, length, inner })
            }
            Op::CumulativeSum { x, axis, reverse, .. } => {
                let (outer, length, inner) = around(self.program.shape(*x), *axis);
                (vec![*x], What::CumulativeSum { outer, length, inner, reverse: *reverse })
            }
            Op::Binary { a, b, y, f } => {
                let shape = |id: &ValueId| self.program.shape(*id);
                let what = if shape(a) == shape(y) && shape(b) == shape(y) {
                    What::Zip { f: *f }
                } else {
                    let (a, b) = (repeated(shape(a)), repeated(shape(b)));
                    What::Broadcast { f: *f, lengths: padded(shape(y)), a, b }
                };
                (vec![*a, *b], what)
            }
            _ => unreachable!("`{}` is lowered elsewhere", op.name()),
        };
        self.push(op, &xs, what)
    }

    /// Operations on bytes, or from and to them, without weights.
    fn bytes(&mut self, op: &Op) -> Result<(), Error> {
        match op {
            Op::Quantize { x, y } => self.push(op, &[*x], What::Quantize(self.quantization(*y))),
            Op::Dequantize { x, .. } => {
                self.push(op, &[*x], What::Dequantize(self.quantization(*x)))
            }
            Op::Lookup { x, table, .. } => {
                let bytes = self.tensor::<i8>(*table)?.to_vec();
                let table = self.tables.add(Table::I8(bytes));
                self.push(op, &[*x], What::Lookup { table })
            }
            Op::QuantizedAdd { a, b, y, clamp } => {
                let of_y = self.quantization(*y);
                let addend = |x: &ValueId| {
                    let q = self.quantization(*x);
                    let multiplier = addend_multiplier(q.scale, of_y.scale);
                    Addend { zero_point: q.zero_point, multiplier }
                };
                let (zero_point, clamp) = (of_y.zero_point, *clamp);
                let what = What::Add { a: addend(a), b: addend(b), zero_point, clamp };
                self.push(op, &[*a, *b], what)
            }
            _ => unreachable!("`{}` is lowered elsewhere", op.name()),
        }
    }

    fn move_numbers(&mut self, op: &Op) -> Result<(), Error> {
        match op {
            Op::Slice { x, .. } if let Some(ring) = self.ring_of(*x) => {
                self.push(op, &[*x], What::Oldest { ring })
            }
            Op::Slice { x, axis, start, end, .. } => {
                let (outer, length, inner) = around(self.program.shape(*x), *axis);
                let n = (end - start) * inner;
                let (x_start, x_step) = (start * inner, length * inner);
                let blocks = Blocks { x_start, x_step, y_start: 0, y_step: n, blocks: outer, n };
                self.push(op, &[*x], What::CopyBlocks(blocks))
            }
            Op::Concat { xs, y, axis } => {
                let (outer, length, inner) = around(self.program.shape(*y), *axis);
                let mut y_start = 0;
                for x in xs {
                    let n = self.program.shape(*x)[*axis] * inner;
                    let y_step = length * inner;
                    let blocks =
                        Blocks { x_start: 0, x_step: n, y_start, y_step, blocks: outer, n };
                    self.push(op, &[*x], What::CopyBlocks(blocks))?;
                    y_start += n;
                }
                Ok(())
            }
            Op::Reshape { x, .. } => {
                // The plan gave both the same memory, unless a tensor of the file is reshaped.
                if self.program.values[x.index()].tensor.is_none() {
                    return Ok(());
                }
                let blocks = Blocks::one(self.program.elements(*x));
                self.push(op, &[*x], What::CopyBlocks(blocks))
            }
            Op::Permute { x, axes, .. } => {
                let shape = self.program.shape(*x);
                let (lengths, steps) = permuted(shape, axes);
                self.push(op, &[*x], What::Permute { lengths, steps })
            }
            _ => unreachable!("`{}` is lowered elsewhere", op.name()),
        }
    }

    /// Those that the caller fills or reads: states stay inside.
    fn ports(&mut self, ports: &[ProgramPort]) -> Result<Vec<Port>, Error> {
        let states: Vec<ValueId> =
            self.program.states().flat_map(|(input, output)| [input, output]).collect();
        ports
            .iter()
            .filter(|port| !states.contains(&port.value))
            .map(|port| {
                let value = &self.program.values[port.value.index()];
                let (shape, quantization) = (value.shape.clone(), value.quantization);
                Ok(Port {
                    name: port.name.clone(),
                    shape,
                    quantization,
                    place: self.place(port.value)?,
                })
            })
            .collect()
    }

    /// Where a value lies: tensors of the file become tables.
    fn place(&mut self, id: ValueId) -> Result<Place, Error> {
        let value = &self.program.values[id.index()];
        let (real, elements) = (value.dtype == Dtype::F32, self.program.elements(id));
        let at = match (&value.tensor, real) {
            (None, _) => At::Arena(self.plan.place(id).start),
            (Some(_), true) => {
                let numbers = self.f32(id)?;
                At::Table(self.tables.f32(numbers))
            }
            (Some(_), false) => {
                let bytes = self.tensor::<i8>(id)?.to_vec();
                At::Table(self.tables.add(Table::I8(bytes)))
            }
        };
        Ok(Place { real, elements, at })
    }

    /// The elements of a tensor of the file.
    fn tensor<T: Element>(&self, id: ValueId) -> Result<&'m [T], Error> {
        let name = self.program.values[id.index()].tensor.as_ref();
        let name = name.expect("verified: weights are tensors of the file");
        let misaligned = || LoadError::Misaligned { tensor: name.clone() };
        Ok(self.tensors[name].elements().ok_or_else(misaligned)?)
    }

    fn f32(&self, id: ValueId) -> Result<Vec<f32>, Error> {
        Ok(self.tensor(id)?.to_vec())
    }

    fn quantization(&self, id: ValueId) -> Quantization {
        let quantization = self.program.values[id.index()].quantization;
        quantization.expect("verified: activations in bytes say what they stand for")
    }

    /// The length of the last axis.
    fn width(&self, id: ValueId) -> usize {
        self.program.shape(id).last().copied().unwrap_or(1)
    }

    fn bias(&mut self, numbers: Vec<i32>) -> TableId {
        self.tables.add(Table::I32(numbers))
    }
}

/// Numbers before an axis, along it, and behind it.
fn around(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}

/// `shape` with ones in front.
fn padded(shape: &[usize]) -> Axes {
    let mut axes = [1; 4];
    axes[4 - shape.len()..].copy_from_slice(shape);
    axes
}

/// How far apart two neighbours along each axis lie; zero where the axis repeats.
fn repeated(shape: &[usize]) -> Axes {
    let lengths = padded(shape);
    let mut steps = strides(lengths);
    for (step, length) in steps.iter_mut().zip(lengths) {
        if length == 1 {
            *step = 0;
        }
    }
    steps
}

fn strides(lengths: Axes) -> Axes {
    let mut steps = [1; 4];
    for axis in (0..3).rev() {
        steps[axis] = steps[axis + 1] * lengths[axis + 1];
    }
    steps
}

/// The lengths of the axes of a permutation, and their steps in what is permuted.
fn permuted(shape: &[usize], axes: &[usize]) -> (Axes, Axes) {
    let (lengths, steps) = (padded(shape), strides(padded(shape)));
    let front = 4 - shape.len();
    let (mut to_lengths, mut to_steps) = ([1; 4], [0; 4]);
    for (i, &axis) in axes.iter().enumerate() {
        to_lengths[front + i] = lengths[front + axis];
        to_steps[front + i] = steps[front + axis];
    }
    (to_lengths, to_steps)
}
