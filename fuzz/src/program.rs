//! Random programs of operations that verify, and the oracle for integers: the plain level.

use std::collections::BTreeMap;

use arbitrary::{Result, Unstructured};
use mote_format::{
    Array, Dtype, Op, Program, Quantization, ValueId, Verified,
    container::{Element, Tensor, f16},
    dtype::GROUP,
    limits,
    program::{Binary, Port, Reduction, Unary, Value, Weights},
    shape,
};
use mote_runtime::{Level, Loaded};

use crate::random::Random;

/// Elements of a value, and products of a layer: programs stay small, so that many are tried.
const MOST: usize = 1 << 14;

/// A program that grows by one operation at a time.
pub struct Draft {
    pub program: Program,
    pub tensors: BTreeMap<String, Array>,
    /// For each value whether every level has to give the same bits.
    exact: Vec<bool>,
    random: Random,
}

/// Draws a program from `u` and compares every level with the plain one: batches and single
/// samples, bit for bit wherever nothing but exact operations led to a result.
///
/// # Panics
///
/// If a level differs, or a program that was drawn does not verify.
pub fn check(u: &mut Unstructured<'_>) {
    let Ok(draft) = Draft::draw(u) else { return };
    let found = |name: &str| draft.tensors.get(name).map(Array::stored);
    let program = Verified::new(draft.program, found).expect("drawn programs verify");
    let tensors: BTreeMap<String, Tensor<'_>> =
        draft.tensors.iter().map(|(name, array)| (name.clone(), array.tensor())).collect();
    let mut random = Random(draft.random.0 ^ 1);
    let samples: Vec<Sample> = (0..2).map(|_| Sample::draw(&program, &mut random)).collect();
    let plain: Vec<Sample> =
        samples.iter().map(|s| run(Level::Plain, &program, &tensors, &[s])).collect();
    for level in Level::available() {
        let together = run(level, &program, &tensors, &samples.iter().collect::<Vec<_>>());
        for (i, wanted) in plain.iter().enumerate() {
            let alone = run(level, &program, &tensors, &[&samples[i]]);
            for (o, port) in program.outputs.iter().enumerate() {
                if draft.exact[port.value.index()] {
                    let batched = together.0[o].part(wanted.0[o].len(), i);
                    assert!(alone.0[o].same(&wanted.0[o]), "{} alone: {program:#?}", level.name());
                    assert!(batched.same(&wanted.0[o]), "{} batch: {program:#?}", level.name());
                }
            }
        }
    }
}

/// Numbers of a port.
#[derive(Clone, Debug)]
enum Numbers {
    Real(Vec<f32>),
    Bytes(Vec<i8>),
}

/// One sample: the numbers of each input, or of each output.
#[derive(Clone, Debug)]
struct Sample(Vec<Numbers>);

impl Numbers {
    fn len(&self) -> usize {
        match self {
            Self::Real(x) => x.len(),
            Self::Bytes(x) => x.len(),
        }
    }

    fn part(&self, n: usize, i: usize) -> Self {
        match self {
            Self::Real(x) => Self::Real(x[n * i..][..n].to_vec()),
            Self::Bytes(x) => Self::Bytes(x[n * i..][..n].to_vec()),
        }
    }

    /// The same bits; but which NaN it is, is not promised.
    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Real(a), Self::Real(b)) => {
                let same =
                    |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
                a.len() == b.len() && a.iter().zip(b).all(same)
            }
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            _ => false,
        }
    }
}

impl Sample {
    fn draw(program: &Program, random: &mut Random) -> Self {
        let numbers = program.inputs.iter().map(|port| {
            let n = program.elements(port.value);
            match program.dtype(port.value) {
                Dtype::F32 => Numbers::Real((0..n).map(|_| random.real()).collect()),
                _ => Numbers::Bytes((0..n).map(|_| random.byte()).collect()),
            }
        });
        Self(numbers.collect())
    }
}

fn run(
    level: Level,
    program: &Verified,
    tensors: &BTreeMap<String, Tensor<'_>>,
    samples: &[&Sample],
) -> Sample {
    let mut instance =
        Loaded::from_parts(level, program, tensors).expect("aligned").batch(samples.len());
    for (i, port) in program.inputs.iter().enumerate() {
        for (s, sample) in samples.iter().enumerate() {
            match &sample.0[i] {
                Numbers::Real(x) => {
                    instance.input(port.value)[s * x.len()..][..x.len()].copy_from_slice(x);
                }
                Numbers::Bytes(x) => {
                    let to = instance.input_of::<i8>(port.value);
                    to[s * x.len()..][..x.len()].copy_from_slice(x);
                }
            }
        }
    }
    instance.run();
    let outputs = program.outputs.iter().map(|port| match program.dtype(port.value) {
        Dtype::F32 => Numbers::Real(instance.output(port.value).to_vec()),
        _ => Numbers::Bytes(instance.output_of::<i8>(port.value).to_vec()),
    });
    Sample(outputs.collect())
}

impl Draft {
    /// A program of one to sixteen operations.
    ///
    /// # Errors
    ///
    /// If the bytes of `u` run out.
    pub fn draw(u: &mut Unstructured<'_>) -> Result<Self> {
        let program = Program {
            name: "score".into(),
            values: vec![],
            inputs: vec![],
            outputs: vec![],
            ops: vec![],
        };
        let random = Random(u.arbitrary()?);
        let mut draft = Self { program, tensors: BTreeMap::new(), exact: vec![], random };
        for i in 0..u.int_in_range(1..=3)? {
            let shape = [length(u)?, length(u)?];
            let rank = u.int_in_range(1..=2)?;
            let value = match u.arbitrary()? {
                true => Value::f32(&shape[..rank]),
                false => Value::i8(&shape[..rank], quantization(u)?),
            };
            let value = draft.value(value, true);
            draft.program.inputs.push(Port { name: format!("x{i}"), value });
        }
        for _ in 0..u.int_in_range(1..=16)? {
            draft.grow(u)?;
        }
        let results: Vec<ValueId> = draft.program.ops.iter().map(Op::result).collect();
        for (i, value) in results.into_iter().enumerate() {
            if i + 1 == draft.program.ops.len() || u.ratio(1, 3)? {
                draft.program.outputs.push(Port { name: format!("y{i}"), value });
            }
        }
        Ok(draft)
    }

    fn value(&mut self, value: Value, exact: bool) -> ValueId {
        self.program.values.push(value);
        self.exact.push(exact);
        ValueId(self.program.values.len() as u32 - 1)
    }

    fn tensor<T: Element>(&mut self, dtype: Dtype, shape: &[usize], data: &[T]) -> ValueId {
        let name = format!("t{}", self.tensors.len());
        self.tensors.insert(name.clone(), Array::new(dtype.stored(shape).1, data));
        self.value(Value::tensor(name, dtype, shape), true)
    }

    fn shape(&self, id: ValueId) -> Vec<usize> {
        self.program.shape(id).to_vec()
    }

    fn real(&mut self, shape: &[usize]) -> ValueId {
        let data: Vec<f32> = (0..shape.iter().product()).map(|_| self.random.real()).collect();
        self.tensor(Dtype::F32, shape, &data)
    }

    /// Weights of a layer, of either precision.
    fn real_weights(&mut self, u: &mut Unstructured<'_>, shape: &[usize]) -> Result<ValueId> {
        if u.arbitrary()? {
            return Ok(self.real(shape));
        }
        let n = shape.iter().product();
        let data: Vec<f16> = (0..n).map(|_| f16::from_f32(self.random.real())).collect();
        Ok(self.tensor(Dtype::F16, shape, &data))
    }

    /// A value that is computed or given, of this type.
    fn any(&self, u: &mut Unstructured<'_>, dtype: Dtype) -> Result<Option<ValueId>> {
        let values = self.program.values.iter().enumerate();
        let fit = values.filter(|(_, v)| v.tensor.is_none() && v.dtype == dtype);
        let fit: Vec<ValueId> = fit.map(|(i, _)| ValueId(i as u32)).collect();
        if fit.is_empty() { Ok(None) } else { u.choose(&fit).map(|&id| Some(id)) }
    }

    /// Appends `op` if its shapes fit; `q` is what its result stands for where that is bytes.
    fn push(&mut self, op: Op, q: Option<Quantization>) {
        let Ok(shape) = shape::infer(&op, |id| self.program.shape(id)) else { return };
        self.declare(op, shape, q);
    }

    fn declare(&mut self, op: Op, shape: Vec<usize>, q: Option<Quantization>) {
        let small = shape::elements(&shape).is_some_and(|n| n <= MOST);
        let products = self.products(&op, &shape);
        if !small || products > 4 * MOST || shape.len() > 4 {
            return;
        }
        let mut exact = match &op {
            Op::Linear { .. } | Op::Conv1d { .. } | Op::ConvTranspose1d { .. } => false,
            Op::Unary { f, .. } => {
                matches!(f, Unary::Relu | Unary::Sqrt | Unary::Square | Unary::Abs | Unary::Recip)
            }
            _ => true,
        };
        op.for_each_operand(|x| exact &= self.exact[x.index()]);
        self.value(q.map_or_else(|| Value::f32(&shape[..]), |q| Value::i8(&shape[..], q)), exact);
        self.program.ops.push(op);
    }

    fn products(&self, op: &Op, y: &[usize]) -> usize {
        let span = |shape: &[usize]| shape.iter().fold(1usize, |n, &d| n.saturating_mul(d.max(1)));
        let mut first = None;
        op.for_each_operand(|x| first = first.or(Some(x)));
        match op {
            Op::Linear { w, .. }
            | Op::Conv1d { w, .. }
            | Op::QuantizedLinear { weights: Weights { w, .. }, .. }
            | Op::QuantizedConv1d { weights: Weights { w, .. }, .. } => {
                span(y).saturating_mul(span(&self.program.shape(*w)[1..]))
            }
            Op::ConvTranspose1d { x, w, .. }
            | Op::QuantizedConvTranspose1d { x, weights: Weights { w, .. }, .. } => {
                self.program.shape(*x)[0].saturating_mul(span(self.program.shape(*w)))
            }
            _ => 0,
        }
    }

    fn next(&self) -> ValueId {
        ValueId(self.program.values.len() as u32)
    }

    /// Draws one operation; none where nothing fits it.
    fn grow(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let kind: u8 = u.int_in_range(0..=15)?;
        match kind {
            0..=4 => self.quantized(u),
            5..=7 => self.bytes(u),
            8 | 9 => self.layer(u),
            10 | 11 => self.elementwise(u),
            _ => self.moved(u),
        }
    }

    /// A layer of integers.
    fn quantized(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let Some(x) = self.any(u, Dtype::I8)? else { return self.bytes(u) };
        let Some(&inputs) = self.program.shape(x).last() else { return Ok(()) };
        let series = self.program.shape(x).len() == 2;
        let kind = if series { u.int_in_range(0..=2)? } else { 0 };
        let (outputs, kernel) = (length(u)?, u.int_in_range(1..=5)?);
        let (w, groups) = match kind {
            0 => (vec![outputs, inputs], vec![outputs, inputs.div_ceil(GROUP)]),
            1 => {
                let all = (kernel * inputs).div_ceil(GROUP);
                (vec![outputs, kernel, inputs], vec![outputs, all])
            }
            _ => {
                let all = inputs.div_ceil(GROUP);
                (vec![kernel, outputs, inputs], vec![kernel, outputs, all])
            }
        };
        let products = w.iter().product::<usize>();
        if products > MOST || products / outputs.max(1) > limits::I4_INPUTS {
            return Ok(());
        }
        let weights = self.weights(u, &w, &groups, outputs)?;
        let q = if u.ratio(3, 4)? { Some(quantization(u)?) } else { None };
        let (low, high): (i8, i8) = (u.arbitrary()?, u.arbitrary()?);
        let clamp = match (q, u.arbitrary()?) {
            (Some(_), true) => [low.min(high), low.max(high)],
            _ => [-128, 127],
        };
        let (stride, dilation) = (u.int_in_range(1..=4)?, u.int_in_range(1..=4)?);
        let ends = [u.int_in_range(0..=9)?, u.int_in_range(0..=9)?];
        let y = self.next();
        let op = match kind {
            0 => Op::QuantizedLinear { x, weights, y, clamp },
            1 => Op::QuantizedConv1d { x, weights, y, clamp, stride, dilation, padding: ends },
            _ => Op::QuantizedConvTranspose1d { x, weights, y, clamp, stride, trim: ends },
        };
        self.push(op, q);
        Ok(())
    }

    fn weights(
        &mut self,
        u: &mut Unstructured<'_>,
        w: &[usize],
        groups: &[usize],
        outputs: usize,
    ) -> Result<Weights> {
        let four_bits = u.arbitrary()?;
        let (stored, n) = if four_bits { Dtype::I4.stored(w) } else { (Dtype::I8, w.to_vec()) };
        let n = n.iter().product();
        let bytes: Vec<i8> = (0..n).map(|_| self.random.byte()).collect();
        let unsigned: Vec<u8> = bytes.iter().map(|&b| b as u8).collect();
        let (w, groups) = if stored == Dtype::U8 {
            let factors: Vec<u8> =
                (0..groups.iter().product()).map(|_| self.random.byte() as u8).collect();
            let w = self.tensor(Dtype::I4, w, &unsigned);
            (w, Some(self.tensor(Dtype::U8, groups, &factors)))
        } else {
            (self.tensor(Dtype::I8, w, &bytes), None)
        };
        let mut scale = || 0.02 * self.random.real();
        let scales: Vec<f32> = (0..outputs).map(|_| scale()).collect();
        let scale = self.tensor(Dtype::F32, &[outputs], &scales);
        let bias = if u.arbitrary()? {
            let any = u.ratio(1, 4)?;
            let number = |n: u64| if any { n as i32 } else { n as i32 >> 14 };
            let bias: Vec<i32> = (0..outputs).map(|_| number(self.random.next())).collect();
            Some(self.tensor(Dtype::I32, &[outputs], &bias))
        } else {
            None
        };
        Ok(Weights { w, scale, groups, bias })
    }

    /// From and to bytes, and what is computed on them without weights.
    fn bytes(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let (q, kind) = (quantization(u)?, u.int_in_range(0..=3)?);
        let wanted = if kind == 0 { Dtype::F32 } else { Dtype::I8 };
        let Some(x) = self.any(u, wanted)? else { return Ok(()) };
        match kind {
            0 => self.push(Op::Quantize { x, y: self.next() }, Some(q)),
            1 => self.push(Op::Dequantize { x, y: self.next() }, None),
            2 => {
                let Some(b) = self.any(u, Dtype::I8)? else { return Ok(()) };
                let (low, high): (i8, i8) = (u.arbitrary()?, u.arbitrary()?);
                let clamp = [low.min(high), low.max(high)];
                self.push(Op::QuantizedAdd { a: x, b, y: self.next(), clamp }, Some(q));
            }
            _ => {
                let table: Vec<i8> = (0..256).map(|_| self.random.byte()).collect();
                let table = self.tensor(Dtype::I8, &[256], &table);
                self.push(Op::Lookup { x, table, y: self.next() }, Some(q));
            }
        }
        Ok(())
    }

    /// A layer of real numbers.
    fn layer(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let Some(x) = self.any(u, Dtype::F32)? else { return Ok(()) };
        let Some(&inputs) = self.program.shape(x).last() else { return Ok(()) };
        let (outputs, kernel) = (length(u)?, u.int_in_range(1..=5)?);
        let bias = if u.arbitrary()? { Some(self.real(&[outputs])) } else { None };
        let activation = if u.arbitrary()? { Some(unary(u)?) } else { None };
        let (stride, dilation) = (u.int_in_range(1..=4)?, u.int_in_range(1..=4)?);
        let ends = [u.int_in_range(0..=9)?, u.int_in_range(0..=9)?];
        let op = match u.int_in_range(0..=2)? {
            0 => {
                let w = self.real_weights(u, &[outputs, inputs])?;
                Op::Linear { x, w, bias, y: self.next(), activation }
            }
            1 => {
                let w = self.real_weights(u, &[outputs, kernel, inputs])?;
                let (y, padding) = (self.next(), ends);
                Op::Conv1d { x, w, bias, y, stride, dilation, padding, activation }
            }
            _ => {
                let w = self.real_weights(u, &[kernel, outputs, inputs])?;
                Op::ConvTranspose1d { x, w, bias, y: self.next(), stride, trim: ends, activation }
            }
        };
        self.push(op, None);
        Ok(())
    }

    fn elementwise(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let Some(x) = self.any(u, Dtype::F32)? else { return Ok(()) };
        let Some(b) = self.any(u, Dtype::F32)? else { return Ok(()) };
        let rank = self.program.shape(x).len();
        let binary = [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Max, Binary::Min];
        let fold = [Reduction::Sum, Reduction::Mean, Reduction::Max];
        let kind = u.int_in_range(0..=7)?;
        let width = self.program.shape(x).last().copied().unwrap_or(1);
        let gain = if kind == 5 { Some(self.real(&[width])) } else { None };
        let y = self.next();
        let op = match kind {
            0 => Op::Unary { x, y, f: unary(u)? },
            1 => Op::Affine { x, y, scale: 0.5, offset: f32::from(u.arbitrary::<i8>()?) },
            2 => Op::Clamp { x, y, low: -1.0, high: f32::from(u.arbitrary::<u8>()?) },
            3 => Op::Reduce { x, y, f: *u.choose(&fold)?, axis: u.int_in_range(0..=rank)? },
            4 => Op::Softmax { x, y },
            5 => Op::LayerNorm { x, gain: gain.unwrap_or(x), bias: None, y, epsilon: 1e-5 },
            6 => {
                let axis = u.int_in_range(0..=rank)?;
                Op::CumulativeSum { x, y, axis, reverse: u.arbitrary()? }
            }
            _ => Op::Binary { a: x, b, y, f: *u.choose(&binary)? },
        };
        self.push(op, None);
        Ok(())
    }

    /// Operations that only move numbers, of either type.
    fn moved(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let dtype = if u.arbitrary()? { Dtype::F32 } else { Dtype::I8 };
        let Some(x) = self.any(u, dtype)? else { return Ok(()) };
        let q = self.program.values[x.index()].quantization;
        let shape = self.shape(x);
        let axis = u.int_in_range(0..=shape.len().saturating_sub(1))?;
        let n = shape.get(axis).copied().unwrap_or(0);
        let y = self.next();
        match u.int_in_range(0..=3)? {
            0 => {
                let start = u.int_in_range(0..=n)?;
                let end = u.int_in_range(start..=n)?;
                self.push(Op::Slice { x, y, axis, start, end }, q);
            }
            1 => {
                let other = self.any(u, dtype)?.unwrap_or(x);
                let same = self.program.values[other.index()].quantization == q;
                let xs = if same { vec![x, other] } else { vec![x, x] };
                self.push(Op::Concat { xs, y, axis }, q);
            }
            2 => {
                let mut axes: Vec<usize> = (0..shape.len()).collect();
                for i in (1..axes.len()).rev() {
                    axes.swap(i, u.int_in_range(0..=i)?);
                }
                self.push(Op::Permute { x, y, axes }, q);
            }
            _ => {
                let n = shape.iter().product();
                let halves = vec![n / 2, 2];
                let shape = match u.int_in_range(0..=2)? {
                    0 if n % 2 == 0 => halves,
                    1 => vec![1, n],
                    _ => vec![n],
                };
                self.declare(Op::Reshape { x, y }, shape, q);
            }
        }
        Ok(())
    }
}

/// The length of an axis: none, one, and around multiples of the tile.
fn length(u: &mut Unstructured<'_>) -> Result<usize> {
    u.choose(&[1usize, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65, 129, 150, 0]).copied()
}

fn quantization(u: &mut Unstructured<'_>) -> Result<Quantization> {
    let scale = *u.choose(&[0.02f32, 0.1, 0.5, 1.0, 3.0, 1e-5, 1e5, 1e-37, 1e38])?;
    Ok(Quantization { scale, zero_point: u.arbitrary()? })
}

fn unary(u: &mut Unstructured<'_>) -> Result<Unary> {
    u.choose(&[
        Unary::Relu,
        Unary::Silu,
        Unary::Gelu,
        Unary::Sigmoid,
        Unary::Tanh,
        Unary::Softplus,
        Unary::Exp,
        Unary::Log,
        Unary::Sqrt,
        Unary::Square,
        Unary::Abs,
        Unary::Recip,
    ])
    .copied()
}
