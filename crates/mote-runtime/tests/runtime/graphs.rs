//! Random programs: every operation, values that live short and long, shared memory, empty axes.

use mote_format::{
    Array, Op, Program, ValueId, Verified,
    program::{Port, Reduction},
    shape,
};

use crate::{
    draft::{Draft, Ready},
    elementwise::{BINARY, UNARY},
    random::Random,
};

/// Values larger than this are not read again, so that programs stay small.
const ELEMENTS: usize = 400;

/// A program of `ops` operations, and inputs for it.
pub(crate) fn graph(seed: u64, ops: usize) -> (Ready, Vec<Vec<f32>>) {
    let random = &mut Random(seed);
    let mut draft = Draft::new("graph");
    for i in 0..1 + random.below(3) {
        let shape = any_shape(random);
        draft.input(&format!("x{i}"), &shape);
    }
    let shape = any_shape(random);
    draft.tensor(&shape, random.fill(&shape, 1.0));
    for _ in 0..ops {
        grow(&mut draft, random);
    }
    let n = draft.program.values.len();
    draft.output("last", ValueId(n as u32 - 1));
    // Now and then an output that is an input, a tensor, or half way.
    let other = random.below(n - 1);
    draft.output("other", ValueId(other as u32));
    let shapes: Vec<Vec<usize>> =
        draft.program.inputs.iter().map(|port| draft.program.shape(port.value).to_vec()).collect();
    let inputs = shapes.iter().map(|shape| random.fill(shape, 2.0)).collect();
    (draft.verify(), inputs)
}

/// Small enough to be read, so that there always is something to read.
fn any_shape(random: &mut Random) -> Vec<usize> {
    let rank = random.below(4);
    let empty = random.below(20) == 0;
    (0..rank).map(|_| if empty { random.below(5) } else { 1 + random.below(7) }).collect()
}

/// A value that is small enough to be read; those of late are read more often.
fn pick(draft: &Draft, random: &mut Random) -> ValueId {
    let n = draft.program.values.len();
    let recent = n - n.min(4);
    loop {
        let i =
            if random.below(2) == 0 { recent + random.below(n - recent) } else { random.below(n) };
        let id = ValueId(i as u32);
        if draft.program.elements(id) <= ELEMENTS {
            return id;
        }
    }
}

/// Appends one operation or, where what was picked does not fit, a function of one number.
fn grow(draft: &mut Draft, random: &mut Random) {
    let x = pick(draft, random);
    let shape = draft.program.shape(x).to_vec();
    let axis = random.below(shape.len().max(1));
    let fitting = match random.below(13) {
        0 => Some(Op::Affine { x, y: x, scale: random.unit(), offset: random.unit() }),
        1 => Some(Op::Clamp { x, y: x, low: -0.5, high: 0.5 }),
        2 | 3 => {
            Some(Op::Binary { a: x, b: pick(draft, random), y: x, f: BINARY[random.below(6)] })
        }
        4 => {
            let length = shape.get(axis).copied().unwrap_or(0);
            let start = random.below(length + 1);
            Some(Op::Slice { x, y: x, axis, start, end: start + random.below(length - start + 1) })
        }
        5 => Some(Op::Concat { xs: vec![x, pick(draft, random), x], y: x, axis }),
        6 => {
            let mut to = shape.clone();
            to.reverse();
            let to = if random.below(2) == 0 { to } else { vec![shape.iter().product()] };
            draft.reshape(x, &to);
            return;
        }
        7 => {
            let mut axes: Vec<usize> = (0..shape.len()).collect();
            axes.rotate_left(axis);
            Some(Op::Permute { x, y: x, axes })
        }
        8 => {
            let f = [Reduction::Sum, Reduction::Mean, Reduction::Max][random.below(3)];
            Some(Op::Reduce { x, y: x, f, axis })
        }
        9 if random.below(2) == 0 => {
            Some(Op::CumulativeSum { x, y: x, axis, reverse: random.below(2) == 0 })
        }
        9 => Some(Op::Softmax { x, y: x }),
        10 | 11 => weighted(draft, random, x, &shape),
        _ => None,
    };
    let fits = |op: &Op| {
        let shape = shape::infer(op, |id| draft.program.shape(id));
        shape.is_ok_and(|s| s.len() <= 4 && shape::elements(&s).is_some())
    };
    let op = fitting.filter(fits);
    draft.push(|y| match op {
        Some(op) => writing(op, y),
        None => Op::Unary { x, y, f: UNARY[random.below(12)] },
    });
}

/// An operation with weights for `x`.
fn weighted(draft: &mut Draft, random: &mut Random, x: ValueId, shape: &[usize]) -> Option<Op> {
    let (&n, _) = shape.split_last()?;
    let outputs = 1 + random.below(6);
    let mut tensor = |shape: &[usize]| {
        let data = random.fill(shape, 1.0);
        draft.tensor(shape, data)
    };
    match (shape.len(), outputs % 3) {
        (2, 0) => {
            let w = tensor(&[outputs, 3, n]);
            Some(Op::Conv1d {
                x,
                w,
                bias: None,
                y: x,
                stride: 2,
                dilation: 1,
                padding: [2, 1],
                activation: None,
            })
        }
        (2, 1) => {
            let (w, bias) = (tensor(&[3, outputs, n]), Some(tensor(&[outputs])));
            Some(Op::ConvTranspose1d {
                x,
                w,
                bias,
                y: x,
                stride: 1,
                trim: [1, 0],
                activation: None,
            })
        }
        (_, 2) => {
            let (gain, bias) = (tensor(&[n]), Some(tensor(&[n])));
            Some(Op::LayerNorm { x, gain, bias, y: x, epsilon: 1e-3 })
        }
        _ => {
            let (w, bias) = (tensor(&[outputs, n]), Some(tensor(&[outputs])));
            Some(Op::Linear { x, w, bias, y: x, activation: None })
        }
    }
}

/// The same operation with another result.
fn writing(mut op: Op, id: ValueId) -> Op {
    *op.result_mut() = id;
    op
}

/// Operation `i` of a program as a program of its own, under the same numbers.
pub(crate) fn alone(ready: &Ready, i: usize) -> Ready {
    let op = ready.program.ops[i].clone();
    let mut inputs: Vec<Port> = Vec::new();
    op.for_each_operand(|value| {
        let computed = ready.program.values[value.index()].tensor.is_none();
        if computed && inputs.iter().all(|p| p.value != value) {
            inputs.push(Port { name: value.0.to_string(), value });
        }
    });
    let outputs = vec![Port { name: "y".into(), value: op.result() }];
    let program = Program { inputs, outputs, ops: vec![op], ..(*ready.program).clone() };
    let shape = |name: &str| ready.tensors.get(name).map(Array::stored);
    let program = Verified::new(program, shape).unwrap();
    Ready { program, tensors: ready.tensors.clone() }
}
