//! From recorded operations to those of a program: the batch axis goes, channels come last.

mod layers;

use std::collections::HashMap;

use burn::tensor::DType;
use burn_capture::{CapturedGraph, TensorId};
use burn_ir::{
    ActivationOperationIr as Activation, BaseOperationIr as Base, FloatOperationIr as Float,
    NumericOperationIr as Numeric, OperationIr, ScalarIr, TensorIr,
};
use mote_format::{
    Op, ValueId,
    program::{Binary, Port, Reduction, Unary},
};

use super::{BATCH, CompileError, capture::Ports, draft::Draft};

/// How the axes of a recorded tensor relate to those of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Batch {
    /// It depends on no input: all axes are its own.
    None,
    /// The first axis is the batch; the value has the others.
    Leading,
    /// The first axis is batch times rows; the value has rows first.
    Merged,
}

#[derive(Clone, Copy, Debug)]
struct Lowered {
    value: ValueId,
    batch: Batch,
}

/// Lowers everything that `graph` recorded.
pub(super) fn lower(
    entry: &str,
    graph: &CapturedGraph,
    ports: &Ports,
) -> std::result::Result<Draft, CompileError> {
    let mut lowering = Lowering { draft: Draft::new(entry), known: HashMap::new(), graph, ports };
    for (at, operation) in graph.graph.operations.iter().enumerate() {
        lowering.operation(operation).map_err(|why| CompileError::Unsupported {
            entry: entry.into(),
            at,
            op: name(operation),
            why,
        })?;
    }
    for (name, id) in &ports.outputs {
        let Some(lowered) = lowering.known.get(id) else {
            let why = format!("output `{name}` was not recorded");
            return Err(CompileError::Capture { entry: entry.into(), why });
        };
        let port = Port { name: (*name).into(), value: lowered.value };
        lowering.draft.program.outputs.push(port);
    }
    Ok(lowering.draft)
}

/// The first words of an operation as Burn prints it: enough to find it.
fn name(operation: &OperationIr) -> String {
    let text = format!("{operation:?}");
    let words: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '(').collect();
    words.trim_end_matches('(').replace('(', " ")
}

struct Lowering<'g> {
    draft: Draft,
    known: HashMap<TensorId, Lowered>,
    graph: &'g CapturedGraph,
    ports: &'g Ports,
}

type Result<T> = std::result::Result<T, String>;

impl Lowering<'_> {
    fn operation(&mut self, operation: &OperationIr) -> Result<()> {
        match operation {
            OperationIr::Drop(_) | OperationIr::Init(_) => Ok(()),
            OperationIr::BaseFloat(op) => self.base(op),
            OperationIr::NumericFloat(_, op) => self.numeric(op),
            OperationIr::Float(_, op) => self.float(op),
            OperationIr::Module(op) => self.module(op),
            OperationIr::Activation(op) => self.activation(op),
            _ => Err("programs have no such operation".into()),
        }
    }

    fn base(&mut self, op: &Base) -> Result<()> {
        match op {
            Base::Reshape(op) => {
                let x = self.get(&op.input)?;
                let (batch, shape) = self.own_shape(&op.out, x.batch)?;
                let value = self.draft.reshape(x.value, shape)?;
                self.set(&op.out, value, batch)
            }
            Base::Expand(op) if op.input.shape == op.out.shape => self.alias(&op.input, &op.out),
            Base::SwapDims(op) => {
                let mut axes: Vec<usize> = (0..op.out.shape.num_dims()).collect();
                axes.swap(op.dim1, op.dim2);
                self.permute(&op.input, &op.out, &axes)
            }
            Base::Permute(op) => self.permute(&op.input, &op.out, &op.axes),
            Base::Slice(op) => {
                let x = self.get(&op.tensor)?;
                let mut value = x.value;
                for (axis, range) in op.ranges.iter().enumerate() {
                    let length = op.tensor.shape[axis];
                    let index =
                        |i: isize| if i < 0 { length.wrapping_add_signed(i) } else { i as usize };
                    let (start, end) = (index(range.start), range.end.map_or(length, index));
                    if (start, end) == (0, length) && range.step == 1 {
                        continue;
                    }
                    if range.step != 1 {
                        return Err(format!("a slice with step {}", range.step));
                    }
                    let axis = own_axis(x.batch, axis)?;
                    value = self.draft.push(|y| Op::Slice { x: value, y, axis, start, end })?;
                }
                self.set(&op.out, value, x.batch)
            }
            Base::Cat(op) if let [only] = &op.tensors[..] => self.alias(only, &op.out),
            Base::Cat(op) => {
                let xs = op.tensors.iter().map(|t| self.get(t)).collect::<Result<Vec<_>>>()?;
                let batch = joint(xs.iter().map(|x| x.batch))?;
                let axis = own_axis(batch, op.dim)?;
                let xs = xs.iter().map(|x| self.align(*x, batch)).collect::<Result<Vec<_>>>()?;
                let value = self.draft.push(|y| Op::Concat { xs, y, axis })?;
                self.set(&op.out, value, batch)
            }
            Base::Cast(op) if op.input.dtype == op.out.dtype => self.alias(&op.input, &op.out),
            Base::Zeros(op) | Base::Empty(op) => self.full(&op.out, 0.0),
            Base::Ones(op) => self.full(&op.out, 1.0),
            _ => Err("programs have no such operation".into()),
        }
    }

    fn numeric(&mut self, op: &Numeric) -> Result<()> {
        match op {
            Numeric::Add(op) => self.binary(Binary::Add, &op.lhs, &op.rhs, &op.out),
            Numeric::Sub(op) => self.binary(Binary::Sub, &op.lhs, &op.rhs, &op.out),
            Numeric::Mul(op) if op.lhs.id == op.rhs.id => {
                self.unary(Unary::Square, &op.lhs, &op.out)
            }
            Numeric::Mul(op) => self.binary(Binary::Mul, &op.lhs, &op.rhs, &op.out),
            Numeric::Div(op) => self.binary(Binary::Div, &op.lhs, &op.rhs, &op.out),
            Numeric::AddScalar(op) => self.affine(&op.lhs, 1.0, scalar(op.rhs), &op.out),
            Numeric::SubScalar(op) => self.affine(&op.lhs, 1.0, -scalar(op.rhs), &op.out),
            Numeric::MulScalar(op) => self.affine(&op.lhs, scalar(op.rhs), 0.0, &op.out),
            Numeric::DivScalar(op) => self.affine(&op.lhs, 1.0 / scalar(op.rhs), 0.0, &op.out),
            Numeric::Neg(op) => self.affine(&op.input, -1.0, 0.0, &op.out),
            Numeric::Abs(op) => self.unary(Unary::Abs, &op.input, &op.out),
            Numeric::PowiScalar(op) if scalar(op.rhs) == 2.0 => {
                self.unary(Unary::Square, &op.lhs, &op.out)
            }
            Numeric::Clamp(op) => self.clamp(&op.tensor, scalar(op.min), scalar(op.max), &op.out),
            Numeric::ClampMin(op) => self.clamp(&op.lhs, scalar(op.rhs), f32::MAX, &op.out),
            Numeric::ClampMax(op) => self.clamp(&op.lhs, f32::MIN, scalar(op.rhs), &op.out),
            Numeric::SumDim(op) => self.reduce(Reduction::Sum, &op.input, &[op.axis], &op.out),
            Numeric::SumDims(op) => self.reduce(Reduction::Sum, &op.input, &op.axes, &op.out),
            Numeric::MeanDim(op) => self.reduce(Reduction::Mean, &op.input, &[op.axis], &op.out),
            Numeric::MaxDim(op) => self.reduce(Reduction::Max, &op.input, &[op.axis], &op.out),
            Numeric::CumSum(op) => self.cumulative_sum(&op.input, op.axis, &op.out),
            Numeric::Full(op) => self.full(&op.out, scalar(op.value)),
            _ => Err("programs have no such operation".into()),
        }
    }

    fn float(&mut self, op: &Float) -> Result<()> {
        match op {
            Float::Exp(op) => self.unary(Unary::Exp, &op.input, &op.out),
            Float::Log(op) => self.unary(Unary::Log, &op.input, &op.out),
            Float::Sqrt(op) => self.unary(Unary::Sqrt, &op.input, &op.out),
            Float::Tanh(op) => self.unary(Unary::Tanh, &op.input, &op.out),
            Float::Recip(op) => self.unary(Unary::Recip, &op.input, &op.out),
            Float::PowfScalar(op) if scalar(op.rhs) == 2.0 => {
                self.unary(Unary::Square, &op.lhs, &op.out)
            }
            Float::Matmul(op) => self.linear(&op.lhs, &op.rhs, None, &op.out),
            _ => Err("programs have no such operation".into()),
        }
    }

    fn activation(&mut self, op: &Activation) -> Result<()> {
        match op {
            Activation::Relu(op) => self.unary(Unary::Relu, &op.input, &op.out),
            Activation::Gelu(op) => self.unary(Unary::Gelu, &op.input, &op.out),
            Activation::Sigmoid(op) => self.unary(Unary::Sigmoid, &op.input, &op.out),
            Activation::Softmax(op) if op.axis + 1 == op.input.shape.num_dims() => {
                let x = self.get(&op.input)?;
                let value = self.draft.push(|y| Op::Softmax { x: x.value, y })?;
                self.set(&op.out, value, x.batch)
            }
            _ => Err("programs have no such operation".into()),
        }
    }

    fn unary(&mut self, f: Unary, x: &TensorIr, out: &TensorIr) -> Result<()> {
        let x = self.get(x)?;
        let value = self.draft.push(|y| Op::Unary { x: x.value, y, f })?;
        self.set(out, value, x.batch)
    }

    fn affine(&mut self, x: &TensorIr, scale: f32, offset: f32, out: &TensorIr) -> Result<()> {
        let x = self.get(x)?;
        let value = self.draft.push(|y| Op::Affine { x: x.value, y, scale, offset })?;
        self.set(out, value, x.batch)
    }

    fn clamp(&mut self, x: &TensorIr, low: f32, high: f32, out: &TensorIr) -> Result<()> {
        let x = self.get(x)?;
        let value = self.draft.push(|y| Op::Clamp { x: x.value, y, low, high })?;
        self.set(out, value, x.batch)
    }

    fn binary(&mut self, f: Binary, a: &TensorIr, b: &TensorIr, out: &TensorIr) -> Result<()> {
        let (a, b) = (self.get(a)?, self.get(b)?);
        let batch = joint([a.batch, b.batch].into_iter())?;
        let (a, b) = (self.align(a, batch)?, self.align(b, batch)?);
        let value = self.draft.push(|y| Op::Binary { a, b, y, f })?;
        self.set(out, value, batch)
    }

    fn reduce(&mut self, f: Reduction, x: &TensorIr, axes: &[usize], out: &TensorIr) -> Result<()> {
        let x = self.get(x)?;
        let mut value = x.value;
        for &axis in axes {
            let axis = own_axis(x.batch, axis)?;
            value = self.draft.push(|y| Op::Reduce { x: value, y, f, axis })?;
        }
        self.set(out, value, x.batch)
    }

    fn cumulative_sum(&mut self, x: &TensorIr, axis: usize, out: &TensorIr) -> Result<()> {
        let x = self.get(x)?;
        let axis = own_axis(x.batch, axis)?;
        let value =
            self.draft.push(|y| Op::CumulativeSum { x: x.value, y, axis, reverse: false })?;
        self.set(out, value, x.batch)
    }

    fn permute(&mut self, x: &TensorIr, out: &TensorIr, axes: &[usize]) -> Result<()> {
        let x = self.get(x)?;
        let axes = match x.batch {
            Batch::None => axes.to_vec(),
            _ if axes.first() != Some(&0) => return Err("it moves the batch axis".into()),
            Batch::Leading => axes[1..].iter().map(|a| a - 1).collect(),
            Batch::Merged => axes.to_vec(),
        };
        let value = self.draft.push(|y| Op::Permute { x: x.value, y, axes })?;
        self.set(out, value, x.batch)
    }

    fn full(&mut self, out: &TensorIr, value: f32) -> Result<()> {
        let shape = out.shape.to_vec();
        let data = vec![value; shape.iter().product()];
        let value = self.draft.constant(String::new(), shape, data);
        self.set(out, value, Batch::None)
    }

    fn alias(&mut self, x: &TensorIr, out: &TensorIr) -> Result<()> {
        let x = self.get(x)?;
        self.known.insert(out.id, x);
        Ok(())
    }

    /// A value that depends on no input.
    fn weight(&mut self, tensor: &TensorIr) -> Result<ValueId> {
        match self.get(tensor)? {
            Lowered { value, batch: Batch::None } => Ok(value),
            _ => Err("a weight that depends on an input".into()),
        }
    }

    fn permuted(&mut self, weight: &TensorIr, axes: [usize; 3]) -> Result<ValueId> {
        let x = self.weight(weight)?;
        self.draft.push(|y| Op::Permute { x, y, axes: axes.into() })
    }

    /// The value of a recorded tensor: known already, an input, or data that was moved in.
    fn get(&mut self, tensor: &TensorIr) -> Result<Lowered> {
        if let Some(known) = self.known.get(&tensor.id) {
            return Ok(*known);
        }
        if tensor.dtype != DType::F32 {
            return Err(format!("a tensor of {:?}", tensor.dtype));
        }
        let shape = tensor.shape.to_vec();
        let lowered =
            if let Some((name, _)) = self.ports.inputs.iter().find(|(_, i)| *i == tensor.id) {
                let (batch, shape) = self.own_shape(tensor, Batch::Leading)?;
                Lowered { value: self.draft.input(name, shape), batch }
            } else if let Some(data) = self.graph.values.get(&tensor.id) {
                let data = data.try_to_vec::<f32>().map_err(|e| format!("{e:?}"))?;
                let name = self.ports.names.get(&tensor.id).cloned().unwrap_or_default();
                Lowered { value: self.draft.constant(name, shape, data), batch: Batch::None }
            } else {
                return Err("it reads a tensor that nothing wrote".into());
            };
        self.known.insert(tensor.id, lowered);
        Ok(lowered)
    }

    /// Remembers what a recorded tensor became, and checks that both have the same shape.
    fn set(&mut self, tensor: &TensorIr, value: ValueId, batch: Batch) -> Result<()> {
        let (batch, wanted) = self.own_shape(tensor, batch)?;
        let found = self.draft.program.shape(value);
        if found != wanted {
            return Err(format!("its result is {found:?} per sample, recorded as {wanted:?}"));
        }
        self.known.insert(tensor.id, Lowered { value, batch });
        Ok(())
    }

    /// The shape per sample, and where the batch is.
    fn own_shape(&self, tensor: &TensorIr, batch: Batch) -> Result<(Batch, Vec<usize>)> {
        let shape = tensor.shape.to_vec();
        match (batch, shape.first()) {
            (Batch::None, _) => Ok((Batch::None, shape)),
            (_, Some(&n)) if n == BATCH => Ok((Batch::Leading, shape[1..].to_vec())),
            (_, Some(&n)) if n % BATCH == 0 => {
                let mut own = shape;
                own[0] = n / BATCH;
                Ok((Batch::Merged, own))
            }
            _ => Err(format!("the batch is not the first axis of {shape:?}")),
        }
    }

    /// A value in the axes that `batch` stands for: data made for a whole batch loses that axis.
    fn align(&mut self, x: Lowered, batch: Batch) -> Result<ValueId> {
        let shape = self.draft.program.shape(x.value).to_vec();
        if x.batch != Batch::None || batch != Batch::Leading {
            return Ok(x.value);
        }
        match shape.split_first() {
            Some((1, rest)) => self.draft.reshape(x.value, rest.to_vec()),
            Some((&BATCH, rest)) => {
                let name = self.draft.program.values[x.value.index()].tensor.clone();
                let data = name.and_then(|n| self.draft.tensors.get(&n)).map(|(_, d)| d.clone());
                let data = data.ok_or("data for a whole batch that is computed")?;
                let (first, others) = data.split_at(data.len() / BATCH);
                if others.chunks(first.len().max(1)).any(|o| o != first) {
                    return Err("data that differs from sample to sample".into());
                }
                Ok(self.draft.constant(String::new(), rest.to_vec(), first.to_vec()))
            }
            _ => Ok(x.value),
        }
    }
}

/// The axis of the value that an axis of the recording is.
fn own_axis(batch: Batch, axis: usize) -> Result<usize> {
    match (batch, axis) {
        (Batch::None, axis) => Ok(axis),
        (_, 0) => Err("it works along the batch axis".into()),
        (Batch::Leading, axis) => Ok(axis - 1),
        (Batch::Merged, axis) => Ok(axis),
    }
}

/// Where the batch of a result is, from its operands.
fn joint(batches: impl Iterator<Item = Batch>) -> Result<Batch> {
    batches.into_iter().try_fold(Batch::None, |joint, batch| match (joint, batch) {
        (a, b) if a == b => Ok(a),
        (Batch::None, b) => Ok(b),
        (a, Batch::None) => Ok(a),
        _ => Err("operands with the batch in different places".into()),
    })
}

fn scalar(value: ScalarIr) -> f32 {
    match value {
        ScalarIr::Float(v) => v as f32,
        ScalarIr::Int(v) => v as f32,
        ScalarIr::UInt(v) => v as f32,
        ScalarIr::Bool(v) => f32::from(u8::from(v)),
    }
}
