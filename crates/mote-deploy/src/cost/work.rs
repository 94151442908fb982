//! What the operations of a program do, in units that take about the same time each.

use std::collections::BTreeMap;

use mote_format::{
    Dtype, Op, Program, ValueId,
    program::{Binary, Unary, Weights},
};
use mote_runtime::attends_along_time;

/// Units of work of a kind: calls, results, multiplications (or rows, or runs), weights read (or rows that attend),
/// numbers gathered.
pub const TERMS: usize = 5;

/// The work of a program, by kind of operation.
pub type Work = BTreeMap<String, [f64; TERMS]>;

/// Outputs that are computed at once: what is less costs as much.
const REGISTER: usize = 16;

/// Numbers of a key that meet a query at once, at least; what is left meets it one by one.
const LANES: usize = 4;

/// Rows of a layer that are few.
const FEW: f64 = 4.0;

/// Bytes of weights that stay in the nearest memory from one run to the next; more are read from farther each time.
const NEAR: usize = 32 << 10;

/// The work of one run of `program` for one sample. Operations that are `idle` do none; those that nothing is said of
/// are not.
#[must_use]
pub fn work(program: &Program, idle: &[bool]) -> Work {
    let mut work = Work::from([("run".into(), [1.0, 0.0, 0.0, 0.0, 0.0])]);
    for (kind, units) in of_operations(program, idle).into_iter().flatten() {
        add(&mut work, kind, units);
    }
    work
}

/// The work of each operation. Operations on elements that follow each other are one call, whose work is that of the
/// first.
pub(super) fn of_operations(program: &Program, idle: &[bool]) -> Vec<Work> {
    let is_idle = |i: usize| idle.get(i).is_some_and(|idle| *idle);
    let far = program.ops.iter().map(|op| weight_bytes(program, op)).sum::<usize>() > NEAR;
    let mut works = vec![Work::new(); program.ops.len()];
    let mut chain = None;
    for (i, op) in program.ops.iter().enumerate() {
        if is_idle(i) || matches!(op, Op::Reshape { .. }) {
            continue;
        }
        chain = is_on_elements(op).then(|| chain.unwrap_or(i));
        let work = &mut works[chain.unwrap_or(i)];
        if chain == Some(i) {
            work.insert("chain".into(), [1.0, 0.0, 0.0, 0.0, 0.0]);
        }
        let (kind, units) = of_op(program, op);
        add(work, kind, units);
        let bytes = weight_bytes(program, op);
        if far && bytes > 0 {
            // Few rows leave nothing to do while weights are on their way.
            let few = rows(program, op.result()) <= FEW;
            let kind = if few { "far weights of few rows" } else { "far weights" };
            add(work, kind.into(), [0.0, 0.0, 0.0, bytes as f64, 0.0]);
        }
    }
    works
}

fn add(work: &mut Work, kind: String, units: [f64; TERMS]) {
    let sum = work.entry(kind).or_default();
    sum.iter_mut().zip(units).for_each(|(sum, unit)| *sum += unit);
}

/// Bytes of what a layer is multiplied with, as a machine with vectors keeps it; none of what else is read.
fn weight_bytes(program: &Program, op: &Op) -> usize {
    weights(op).map_or(0, |w| {
        let bytes = match program.dtype(w) {
            Dtype::F32 | Dtype::F16 | Dtype::I32 => 4,
            Dtype::I4 => 2,
            Dtype::I8 | Dtype::U8 => 1,
        };
        bytes * program.elements(w)
    })
}

fn is_on_elements(op: &Op) -> bool {
    matches!(
        op,
        Op::Unary { .. }
            | Op::Affine { .. }
            | Op::Clamp { .. }
            | Op::Binary { .. }
            | Op::Quantize { .. }
            | Op::Dequantize { .. }
            | Op::QuantizedAdd { .. }
            | Op::Lookup { .. }
    )
}

/// The kind of an operation and its units.
fn of_op(program: &Program, op: &Op) -> (String, [f64; TERMS]) {
    if let Some(w) = weights(op) {
        return Layer::of(program, op, w).work();
    }
    let count = |id: ValueId| program.elements(id) as f64;
    let y = op.result();
    let name = op.name();
    match op {
        Op::Unary { f, .. } => (function(*f).into(), [1.0, count(y), 0.0, 0.0, 0.0]),
        Op::Binary { a, b, f, .. } => {
            let divides = if *f == Binary::Div { "divide" } else { name };
            match program.shape(*a) == program.shape(*b) {
                true => (divides.into(), [1.0, count(y), 0.0, 0.0, 0.0]),
                false => (format!("{divides} spread"), [1.0, count(y), rows(program, y), 0.0, 0.0]),
            }
        }
        Op::Reduce { x, axis, .. } => {
            let last = *axis + 1 == program.shape(*x).len();
            let kind = if last { "reduce row" } else { name };
            (kind.into(), [1.0, count(*x), count(y), 0.0, 0.0])
        }
        Op::CumulativeSum { x, axis, .. } => {
            let last = *axis + 1 == program.shape(*x).len();
            let kind = if last { "cumulative_sum row" } else { name };
            (
                kind.into(),
                [1.0, count(y), count(y) / program.shape(*x)[*axis].max(1) as f64, 0.0, 0.0],
            )
        }
        Op::LayerNorm { .. } | Op::Softmax { .. } => {
            (name.into(), [1.0, count(y), rows(program, y), 0.0, 0.0])
        }
        Op::Attention { q, v, bias, .. } => {
            let (shape, window) = (program.shape(*q), program.shape(*bias)[1]);
            let widths = [shape[2], program.shape(*v)[2]];
            let kind = match attends_along_time(shape[0], widths, window) {
                true => name,
                _ if widths.iter().all(|width| width.is_multiple_of(LANES)) => "attention row",
                _ => "attention row uneven",
            };
            let rows = (shape[0] * shape[1]) as f64;
            let weights = rows * window as f64;
            (kind.into(), [1.0, weights, program.multiply_adds_of(op) as f64, rows, 0.0])
        }
        Op::Slice { axis, .. } | Op::Pad { axis, .. } => {
            (name.into(), [1.0, count(y), runs(program, y, *axis), 0.0, 0.0])
        }
        Op::Concat { xs, axis, .. } => {
            let runs = runs(program, y, *axis) * xs.len() as f64;
            (name.into(), [1.0, count(y), runs, 0.0, 0.0])
        }
        _ => (name.into(), [1.0, count(y), program.multiply_adds_of(op) as f64, 0.0, 0.0]),
    }
}

/// Rows along the last axis.
fn rows(program: &Program, id: ValueId) -> f64 {
    let shape = program.shape(id);
    shape[..shape.len().saturating_sub(1)].iter().product::<usize>() as f64
}

/// Pieces that lie in one when an axis is cut.
fn runs(program: &Program, id: ValueId, axis: usize) -> f64 {
    program.shape(id)[..axis].iter().product::<usize>() as f64
}

fn function(f: Unary) -> &'static str {
    match f {
        Unary::Relu => "relu",
        Unary::Silu => "silu",
        Unary::Gelu => "gelu",
        Unary::Sigmoid => "sigmoid",
        Unary::Tanh => "tanh",
        Unary::Softplus => "softplus",
        Unary::Exp => "exp",
        Unary::Log => "log",
        Unary::Sqrt => "sqrt",
        Unary::Square => "square",
        Unary::Abs => "abs",
        Unary::Recip => "recip",
    }
}

/// The weights of a layer.
fn weights(op: &Op) -> Option<ValueId> {
    match op {
        Op::Linear { w, .. }
        | Op::Conv1d { w, .. }
        | Op::ConvTranspose1d { w, .. }
        | Op::QuantizedLinear { weights: Weights { w, .. }, .. }
        | Op::QuantizedConv1d { weights: Weights { w, .. }, .. }
        | Op::QuantizedConvTranspose1d { weights: Weights { w, .. }, .. } => Some(*w),
        _ => None,
    }
}

/// A layer as products of windows with weights.
struct Layer {
    kind: String,
    /// Sets of windows that meet the same weights.
    phases: usize,
    rows: usize,
    outputs: usize,
    /// Numbers in a window.
    inputs: usize,
    /// Windows that reach beyond the input, and are gathered.
    outside: usize,
}

impl Layer {
    fn of(program: &Program, op: &Op, w: ValueId) -> Self {
        let y = op.result();
        let shape = program.shape(w);
        let outputs = program.shape(y).last().copied().unwrap_or(1);
        let rows = rows(program, y) as usize;
        let (phases, inputs, outside) = match op {
            Op::Conv1d { stride, padding, .. } | Op::QuantizedConv1d { stride, padding, .. } => {
                let outside = padding.map(|rows| rows.div_ceil((*stride).max(1))).iter().sum();
                (1, shape[1] * shape[2], outside)
            }
            Op::ConvTranspose1d { stride, .. } | Op::QuantizedConvTranspose1d { stride, .. } => {
                let (taps, phases) = (shape[0], (*stride).max(1));
                (phases, taps.div_ceil(phases) * shape[2], taps.saturating_sub(phases))
            }
            _ => (1, shape[1], 0),
        };
        let width = if program.dtype(w) == Dtype::I4 { " of four bits" } else { "" };
        // Reading out real numbers takes another time than reading out bytes.
        let real_weights = matches!(program.dtype(w), Dtype::F32 | Dtype::F16);
        let real = if !real_weights && program.dtype(y) == Dtype::F32 { " to reals" } else { "" };
        // Where half a register is enough, two rows may share one.
        let few = !real_weights && rows > 1 && outputs <= REGISTER / 2;
        let few = if few { " of few outputs" } else { "" };
        // One window is one row of a linear layer, and takes another way than many.
        let name = match (rows, phases, outside) {
            (1, 1, 0) if real_weights => "row",
            (1, 1, 0) => "quantized row",
            _ => op.name(),
        };
        let kind = format!("{name}{width}{few}{real}");
        Self { kind, phases, rows, outputs, inputs, outside: outside.min(rows) }
    }

    fn work(self) -> (String, [f64; TERMS]) {
        let Self { kind, phases, rows, outputs, inputs, outside } = self;
        let results = (rows * outputs.next_multiple_of(REGISTER)) as f64;
        let weights = phases * outputs.next_multiple_of(REGISTER) * inputs;
        let gathered = (outside * inputs) as f64;
        (kind, [phases as f64, results, results * inputs as f64, weights as f64, gathered])
    }
}
