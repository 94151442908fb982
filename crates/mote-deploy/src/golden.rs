//! Vectors for the self-test: inputs, and what the runtime makes of them.

use std::collections::BTreeMap;

use mote_format::{
    Dtype, Op, Program, ValueId, Verified,
    container::Tensor,
    program::{Port, Unary},
};
use mote_runtime::{Level, Loaded, Steps};

use crate::error::Error;

/// The elements of one value.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    /// Real numbers.
    F32(Vec<f32>),
    /// Bytes.
    I8(Vec<i8>),
}

/// How near firmware has to come to the runtime.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tolerance {
    /// Bit for bit; which NaN it is does not matter.
    Exact,
    /// `|found - wanted| ≤ 1e-4 · max(1, |wanted|)` in `f32`, and one step in bytes: sums of real
    /// numbers run in another order there, and `exp` may come from another library. What a rounding of the
    /// inputs moves further may be off by several times as much.
    Near,
}

/// Inputs and outputs, in the order of the ports.
#[derive(Clone, Debug)]
pub(crate) struct Golden {
    pub(crate) tolerance: Tolerance,
    pub(crate) vectors: Vec<Vector>,
}

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Vector {
    pub(crate) inputs: Vec<Sample>,
    pub(crate) outputs: Vec<Sample>,
    /// For each output how far real numbers may be off beside the tolerance: several times what they are where
    /// inputs are off by a rounding or two, and what becomes bytes by a few. A flow may make much of that, far from
    /// what it was made for, and a byte that is rounded the other way is a whole step.
    pub(crate) slack: Vec<f32>,
}

/// How much further than with nudged inputs outputs may be: there are more roundings on the way.
const ROUNDINGS: f32 = 16.0;

impl Vector {
    fn new(inputs: &[Sample], outputs: Vec<Sample>, nudged: &[Vec<Sample>]) -> Self {
        let apart = |(a, b): (&Sample, &Sample)| match (a, b) {
            (Sample::F32(a), Sample::F32(b)) => {
                let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs());
                apart.filter(|apart| apart.is_finite()).fold(0.0, f32::max)
            }
            _ => 0.0,
        };
        let slack = |(i, output): (usize, &Sample)| {
            let apart = nudged.iter().map(|nudged| apart((output, &nudged[i])));
            ROUNDINGS * apart.fold(0.0, f32::max)
        };
        let slack = outputs.iter().enumerate().map(slack).collect();
        Self { inputs: inputs.to_vec(), outputs, slack }
    }
}

/// Samples that are generated where none are given.
const GENERATED: usize = 3;

/// Runs the program on `samples`, or on generated ones.
pub(crate) fn compute(
    program: &Verified,
    tensors: &BTreeMap<String, Tensor<'_>>,
    samples: &[Vec<Sample>],
) -> Result<Golden, Error> {
    for (i, sample) in samples.iter().enumerate() {
        check(program, i, sample)?;
    }
    // What remembers is shown samples until it has forgotten the first ones, and the next ones too.
    let rows = program.states().filter_map(|(input, _)| program.shape(input).first().copied());
    let count = GENERATED + rows.max().map_or(0, |rows| 2 * rows);
    let generated: Vec<_> = (0..count).map(|seed| generate(program, seed)).collect();
    let samples = if samples.is_empty() { &generated } else { samples };
    let stored = |name: &str| tensors.get(name).map(Tensor::stored);
    let others = [ROUNDED, -ROUNDED].map(|by| Verified::new(nudged(program, by), stored));
    let others = others.map(|program| program.expect("a sum more before what becomes bytes"));
    let new = |program| Loaded::from_parts(Level::Plain, program, tensors).map(Loaded::instance);
    let mut steps = Steps::new(new(program)?);
    let [one, other] = &others;
    let mut beside = [Steps::new(new(one)?), Steps::new(new(other)?)];
    let vector = |inputs: &Vec<Sample>| {
        let nudged: Vec<Sample> = inputs.iter().map(Sample::nudged).collect();
        let nudged: Vec<_> = beside.iter_mut().map(|steps| run(steps, &nudged)).collect();
        Vector::new(inputs, run(&mut steps, inputs), &nudged)
    };
    Ok(Golden { tolerance: tolerance(program), vectors: samples.iter().map(vector).collect() })
}

/// How far real numbers that become bytes may be off, as a share of the largest that bytes hold.
const ROUNDED: f32 = 1e-6;

/// The same program, in which what becomes bytes is off `by` a share of what these hold, where it is not exact.
fn nudged(program: &Program, by: f32) -> Program {
    let mut made = program.clone();
    let mut inexact = vec![false; program.values.len()];
    made.ops.clear();
    for op in &program.ops {
        let mut op = op.clone();
        let mut off = !is_exact(&op);
        op.for_each_operand(|x| off |= inexact[x.index()]);
        inexact[op.result().index()] = off;
        if let Op::Quantize { x, y } = &mut op
            && inexact[x.index()]
            && let Some(q) = program.values[y.index()].quantization
        {
            made.values.push(made.values[x.index()].clone());
            let nudged = ValueId(made.values.len() as u32 - 1);
            let offset = by * q.scale * f32::from(i8::MAX);
            made.ops.push(Op::Affine { x: *x, y: nudged, scale: 1.0 + by, offset });
            *x = nudged;
        }
        made.ops.push(op);
    }
    made
}

/// The values that the caller fills, or reads: states are carried from one vector to the next.
fn visible<'p>(program: &'p Program, ports: &'p [Port]) -> impl Iterator<Item = ValueId> + 'p {
    let state = |id| program.states().any(|(input, output)| id == input || id == output);
    ports.iter().map(|port| port.value).filter(move |id| !state(*id))
}

impl Sample {
    /// The same with every real number off by a rounding or two, one up and the next down.
    fn nudged(&self) -> Self {
        let nudge = |(i, x): (usize, &f32)| {
            let by = if i.is_multiple_of(2) { f32::EPSILON } else { -f32::EPSILON };
            x + by * (1.0 + x.abs())
        };
        match self {
            Self::F32(x) => Self::F32(x.iter().enumerate().map(nudge).collect()),
            bytes @ Self::I8(_) => bytes.clone(),
        }
    }
}

fn run(steps: &mut Steps<'_>, inputs: &[Sample]) -> Vec<Sample> {
    let instance = steps.instance();
    let program = instance.program();
    for (value, sample) in visible(program, &program.inputs).zip(inputs) {
        match sample {
            Sample::F32(x) => instance.input_of(value).copy_from_slice(x),
            Sample::I8(x) => instance.input_of(value).copy_from_slice(x),
        }
    }
    steps.run();
    let instance = steps.instance();
    let outputs = visible(program, &program.outputs).map(|value| match program.dtype(value) {
        Dtype::F32 => Sample::F32(instance.output_of(value).to_vec()),
        _ => Sample::I8(instance.output_of(value).to_vec()),
    });
    outputs.collect()
}

fn check(program: &Verified, sample: usize, found: &[Sample]) -> Result<(), Error> {
    let wanted: Vec<(Dtype, usize)> =
        visible(program, &program.inputs).map(|value| shape_of(program, value)).collect();
    let found: Vec<(Dtype, usize)> = found
        .iter()
        .map(|sample| match sample {
            Sample::F32(x) => (Dtype::F32, x.len()),
            Sample::I8(x) => (Dtype::I8, x.len()),
        })
        .collect();
    if found == wanted {
        return Ok(());
    }
    let (wanted, found) = (format!("{wanted:?}"), format!("{found:?}"));
    Err(Error::Sample { sample, wanted, found })
}

fn shape_of(program: &Verified, id: ValueId) -> (Dtype, usize) {
    (program.dtype(id), program.elements(id))
}

/// Numbers without a pattern: real ones from -2 to 2, bytes of every value. The first sample is
/// zero throughout, where padding and zero points show.
fn generate(program: &Verified, seed: usize) -> Vec<Sample> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64.wrapping_mul(seed as u64 + 1);
    let mut next = move || {
        // The generator of Steele and Vigna (2021), which passes the common tests.
        state = state.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(1);
        (state >> 40) as u32
    };
    let one = |value: ValueId| {
        let (dtype, n) = shape_of(program, value);
        let zero = program.values[value.index()].quantization.map_or(0, |q| q.zero_point);
        match (dtype, seed) {
            (Dtype::F32, 0) => Sample::F32(vec![0.0; n]),
            (_, 0) => Sample::I8(vec![zero; n]),
            (Dtype::F32, _) => {
                let real = |bits: u32| bits as f32 / f32::from(1u16 << 11) / 2048.0 - 2.0;
                Sample::F32((0..n).map(|_| real(next())).collect())
            }
            _ => Sample::I8((0..n).map(|_| (next() >> 16) as u8 as i8).collect()),
        }
    };
    visible(program, &program.inputs).map(one).collect()
}

/// Whether nothing is summed in `f32` but one by one, and no function comes from a library.
fn is_exact(op: &Op) -> bool {
    match op {
        Op::Linear { .. }
        | Op::Conv1d { .. }
        | Op::ConvTranspose1d { .. }
        | Op::LayerNorm { .. }
        | Op::Softmax { .. }
        | Op::Attention { .. }
        | Op::Reduce { .. }
        // A compiler of C may fuse its product and its sum.
        | Op::Affine { .. } => false,
        Op::Unary { f, .. } => {
            matches!(f, Unary::Relu | Unary::Abs | Unary::Square | Unary::Sqrt | Unary::Recip)
        }
        _ => true,
    }
}

/// Exact where all operations are.
fn tolerance(program: &Verified) -> Tolerance {
    if program.ops.iter().all(is_exact) { Tolerance::Exact } else { Tolerance::Near }
}
