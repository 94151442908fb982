//! Layers, norms and attention in operations that each have a rule for their gradient.

use mote_format::{
    Op, ValueId,
    program::{Binary, Reduction, Unary},
};

use super::draft::Draft;

/// Appends what computes the same as `op`, into the same value; nothing where there is no gradient.
pub(super) fn write(draft: &mut Draft, op: &Op) -> Option<()> {
    let made = match *op {
        Op::Linear { x, w, bias, activation, .. } => {
            let (inputs, rows) = rows(draft.shape(x));
            let x = draft.reshape(x, &[rows, inputs]);
            let sum = draft.product(x, w, [false, true]);
            layer(draft, sum, bias, activation)
        }
        Op::Conv1d { x, w, bias, stride, dilation, padding, activation, .. } => {
            let &[outputs, kernel, inputs] = draft.shape(w) else { return None };
            let x = draft.push(|y| Op::Unfold { x, y, kernel, stride, dilation, padding });
            let w = draft.reshape(w, &[outputs, kernel * inputs]);
            let sum = draft.product(x, w, [false, true]);
            layer(draft, sum, bias, activation)
        }
        Op::ConvTranspose1d { x, w, bias, y, stride, trim, activation } => {
            let &[kernel, outputs, inputs] = draft.shape(w) else { return None };
            let w = draft.reshape(w, &[kernel * outputs, inputs]);
            let x = draft.product(x, w, [false, true]);
            let shape = draft.shape(y).to_vec();
            let (dilation, padding) = (1, trim);
            let sum = draft.shaped(shape, |y| Op::Fold { x, y, kernel, stride, dilation, padding });
            layer(draft, sum, bias, activation)
        }
        Op::LayerNorm { x, gain, bias, epsilon, .. } => layer_norm(draft, x, gain, bias, epsilon),
        Op::Attention { .. } => attention(draft, op)?,
        Op::Softmax { .. }
        | Op::Unary { .. }
        | Op::Affine { .. }
        | Op::Clamp { .. }
        | Op::Binary { .. }
        | Op::Reduce { .. }
        | Op::CumulativeSum { .. }
        | Op::Slice { .. }
        | Op::Concat { .. }
        | Op::Reshape { .. }
        | Op::Permute { .. }
        | Op::Product { .. }
        | Op::Unfold { .. }
        | Op::Fold { .. }
        | Op::Expand { .. }
        | Op::Pad { .. } => {
            draft.program.ops.push(op.clone());
            return Some(());
        }
        _ => return None,
    };
    draft.program.ops.push(Op::Reshape { x: made, y: op.result() });
    Some(())
}

/// The length of the last axis, and how many rows of that there are.
fn rows(shape: &[usize]) -> (usize, usize) {
    let (last, front) = shape.split_last().expect("layers read rows");
    (*last, front.iter().product())
}

/// Adds the bias and applies the activation.
fn layer(
    draft: &mut Draft,
    sum: ValueId,
    bias: Option<ValueId>,
    activation: Option<Unary>,
) -> ValueId {
    let sum = bias.map_or(sum, |bias| draft.binary(Binary::Add, sum, bias));
    activation.map_or(sum, |f| draft.unary(f, sum))
}

fn layer_norm(
    draft: &mut Draft,
    x: ValueId,
    gain: ValueId,
    bias: Option<ValueId>,
    epsilon: f32,
) -> ValueId {
    let axis = draft.shape(x).len() - 1;
    let mean = draft.reduce(Reduction::Mean, x, axis);
    let centred = draft.binary(Binary::Sub, x, mean);
    let squares = draft.unary(Unary::Square, centred);
    let variance = draft.reduce(Reduction::Mean, squares, axis);
    let variance = draft.affine(variance, 1.0, epsilon);
    let deviation = draft.unary(Unary::Sqrt, variance);
    let normal = draft.binary(Binary::Div, centred, deviation);
    let y = draft.binary(Binary::Mul, normal, gain);
    bias.map_or(y, |bias| draft.binary(Binary::Add, y, bias))
}

/// Windows of keys and values are unfolded, so that each row of queries meets its own.
fn attention(draft: &mut Draft, op: &Op) -> Option<ValueId> {
    let &Op::Attention { q, k, v, bias, before, .. } = op else { return None };
    let &[rows, heads, width] = draft.shape(q) else { return None };
    let &[_, window] = draft.shape(bias) else { return None };
    let windows = |draft: &mut Draft, x: ValueId| {
        let &[time, heads, width] = draft.shape(x) else { return None };
        let x = draft.reshape(x, &[time, heads * width]);
        let (kernel, stride, dilation, padding) = (window, 1, 1, [before, 0]);
        let y = draft.push(|y| Op::Unfold { x, y, kernel, stride, dilation, padding });
        Some(draft.reshape(y, &[rows, window, heads, width]))
    };
    let keys = windows(draft, k)?;
    let query = draft.reshape(q, &[rows, 1, heads, width]);
    let met = draft.binary(Binary::Mul, keys, query);
    let scores = draft.reduce(Reduction::Sum, met, 3);
    let scores = draft.reshape(scores, &[rows, window, heads]);
    let turned =
        |draft: &mut Draft, x| draft.push(|y| Op::Permute { x, y, axes: [0, 2, 1].into() });
    let scores = turned(draft, scores);
    let scores = draft.binary(Binary::Add, scores, bias);
    let weights = draft.push(|y| Op::Softmax { x: scores, y });
    let weights = turned(draft, weights);
    let weights = draft.reshape(weights, &[rows, window, heads, 1]);
    let values = windows(draft, v)?;
    let weighted = draft.binary(Binary::Mul, values, weights);
    Some(draft.reduce(Reduction::Sum, weighted, 1))
}
