//! What each operation means, slowly: in `f64`, element by element, from the formula alone.

use mote_format::{
    Op, ValueId,
    program::{Binary, Reduction, Unary},
};
use mote_runtime::Level;

use crate::draft::{Ready, run};

/// The relative size of one rounding, twice over.
const ROUNDING: f64 = f32::EPSILON as f64;
/// Below it `f32` has fewer digits, and fast exponentials are zero: those of less than -87.3.
const TINY: f64 = 1.3e-38;
/// Roundings of a formula beside those of its sum.
const FEW: f64 = 8.0;

/// A number, and how far from it a result in `f32` may lie.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    value: f64,
    tolerance: f64,
}

fn exactly(value: f64) -> Wanted {
    Wanted { value, tolerance: 0.0 }
}

/// The sum of `terms`, where each term and each partial sum is rounded.
fn sum(terms: &[f64]) -> Wanted {
    let magnitude: f64 = terms.iter().map(|t| t.abs()).sum();
    let tolerance = (terms.len() as f64 + FEW) * ROUNDING * magnitude + TINY;
    Wanted { value: terms.iter().sum(), tolerance }
}

/// Numbers that are addressed by one index for each axis.
#[derive(Clone, Debug)]
struct Grid {
    shape: Vec<usize>,
    data: Vec<f64>,
}

impl Grid {
    fn at(&self, index: &[usize]) -> f64 {
        assert_eq!(index.len(), self.shape.len());
        self.data[index.iter().zip(&self.shape).fold(0, |at, (i, n)| at * n + i)]
    }

    /// The element that broadcasting puts at `index` of a larger shape.
    fn broadcast(&self, index: &[usize]) -> f64 {
        let index = &index[index.len() - self.shape.len()..];
        let own: Vec<usize> =
            index.iter().zip(&self.shape).map(|(&i, &n)| if n == 1 { 0 } else { i }).collect();
        self.at(&own)
    }

    /// The numbers along the last axis through `index`.
    fn row(&self, index: &[usize]) -> Vec<f64> {
        let (_, front) = index.split_last().unwrap();
        (0..self.shape[front.len()]).map(|i| self.at(&[front, &[i]].concat())).collect()
    }
}

/// Every index of `shape`, the last axis fastest.
fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let grow = |done: Vec<Vec<usize>>, &n: &usize| {
        done.iter().flat_map(|d| (0..n).map(|i| [&d[..], &[i]].concat())).collect()
    };
    shape.iter().fold(vec![vec![]], grow)
}

/// The only operation of `ready`, run on `inputs`, gives what the formula gives.
#[track_caller]
pub(crate) fn check(ready: &Ready, inputs: &[Vec<f32>]) {
    let [op] = &ready.program.ops[..] else { panic!("one operation") };
    let read = |id: ValueId| {
        let value = &ready.program.values[id.index()];
        let input = ready.program.inputs.iter().position(|p| p.value == id);
        let data = match (&value.tensor, input) {
            (Some(name), _) => ready.tensors[name].tensor().elements().unwrap(),
            (None, Some(input)) => &inputs[input][..],
            // The result, whose shape is all that is known.
            (None, None) => &[],
        };
        Grid { shape: value.shape.clone(), data: data.iter().map(|&v| v.into()).collect() }
    };
    let shape = ready.program.shape(op.result());
    let indices = indices(shape);
    let wanted: Vec<Wanted> = indices.iter().map(|index| element(op, &read, index)).collect();
    for level in Level::available() {
        let found = &run(&mut ready.instance_at(level), inputs)[0];
        assert_eq!(found.len(), indices.len());
        for ((index, &found), wanted) in indices.iter().zip(found).zip(&wanted) {
            let near = (f64::from(found) - wanted.value).abs() <= wanted.tolerance;
            let same = found == wanted.value as f32 || (found.is_nan() && wanted.value.is_nan());
            let level = level.name();
            assert!(near || same, "{level}: {op:?} at {index:?} is {found}, wanted {wanted:?}");
        }
    }
}

/// The element of the result at `index`.
fn element(op: &Op, read: &impl Fn(ValueId) -> Grid, index: &[usize]) -> Wanted {
    match layer(op, read, index) {
        Some((sum, None)) => sum,
        // An activation changes a deviation by no more than its steepest slope; none is above 1.2.
        Some((sum, Some(f))) => {
            let y = unary(f, sum.value);
            Wanted { value: y.value, tolerance: y.tolerance + 1.2 * sum.tolerance }
        }
        None => other(op, read, index),
    }
}

/// The sum of a layer, and the activation that follows.
fn layer(
    op: &Op,
    read: &impl Fn(ValueId) -> Grid,
    index: &[usize],
) -> Option<(Wanted, Option<Unary>)> {
    match op {
        Op::Linear { x, w, bias, activation, .. } => {
            Some((linear(&read(*x), &read(*w), bias.map(read), index), *activation))
        }
        Op::Conv1d { x, w, bias, stride, dilation, padding, activation, .. } => {
            let meets =
                |row: usize, k: usize, t: usize| t * stride + k * dilation == row + padding[0];
            Some((conv1d(&read(*x), &read(*w), bias.map(read), meets, index), *activation))
        }
        Op::ConvTranspose1d { x, w, bias, stride, trim, activation, .. } => {
            let meets = |row: usize, k: usize, t: usize| row * stride + k == t + trim[0];
            let sum = conv_transpose1d(&read(*x), &read(*w), bias.map(read), meets, index);
            Some((sum, *activation))
        }
        _ => None,
    }
}

fn other(op: &Op, read: &impl Fn(ValueId) -> Grid, index: &[usize]) -> Wanted {
    match op {
        Op::LayerNorm { x, gain, bias, epsilon, .. } => {
            layer_norm(&read(*x), &read(*gain), bias.map(read), (*epsilon).into(), index)
        }
        Op::Softmax { x, .. } => softmax(&read(*x), index),
        Op::Attention { q, k, v, bias, before, .. } => {
            attention([*q, *k, *v, *bias].map(read), *before, index)
        }
        Op::Unary { x, f, .. } => unary(*f, read(*x).at(index)),
        Op::Affine { x, scale, offset, .. } => {
            sum(&[read(*x).at(index) * f64::from(*scale), (*offset).into()])
        }
        Op::Clamp { x, low, high, .. } => match read(*x).at(index) {
            x if x < f64::from(*low) => exactly((*low).into()),
            x if x > f64::from(*high) => exactly((*high).into()),
            x => exactly(x),
        },
        Op::Binary { a, b, f, .. } => {
            binary(*f, read(*a).broadcast(index), read(*b).broadcast(index))
        }
        Op::CumulativeSum { x, axis, reverse, .. } => {
            let (x, mut at) = (read(*x), index.to_vec());
            let i = index[*axis];
            let along = if *reverse { i..x.shape[*axis] } else { 0..i + 1 };
            let met = along.map(|i| {
                at[*axis] = i;
                x.at(&at)
            });
            sum(&met.collect::<Vec<_>>())
        }
        Op::Reduce { x, f, axis, .. } => reduce(*f, &read(*x), *axis, index),
        Op::Slice { x, axis, start, .. } => {
            let mut index = index.to_vec();
            index[*axis] += start;
            exactly(read(*x).at(&index))
        }
        Op::Concat { xs, axis, .. } => concat(xs.iter().map(|&x| read(x)), *axis, index),
        Op::Reshape { .. } => panic!("a reshape has no formula, only the same numbers"),
        Op::Permute { x, axes, .. } => {
            let mut from = vec![0; index.len()];
            axes.iter().zip(index).for_each(|(&axis, &i)| from[axis] = i);
            exactly(read(*x).at(&from))
        }
        _ => adjoint(op, read, index),
    }
}

/// Operations that gradients are made of.
fn adjoint(op: &Op, read: &impl Fn(ValueId) -> Grid, index: &[usize]) -> Wanted {
    match op {
        Op::Product { a, b, turned, .. } => {
            let (a, b) = (read(*a), read(*b));
            let at = |g: &Grid, turned, i, j| if turned { g.at(&[j, i]) } else { g.at(&[i, j]) };
            let shared = a.shape[usize::from(!turned[0])];
            let term = |j| at(&a, turned[0], index[0], j) * at(&b, turned[1], j, index[1]);
            sum(&(0..shared).map(term).collect::<Vec<_>>())
        }
        Op::Unfold { x, kernel, stride, dilation, padding, .. } => {
            let x = read(*x);
            let (k, i) = (index[1] / x.shape[1], index[1] % x.shape[1]);
            assert!(k < *kernel);
            let row = (index[0] * stride + k * dilation).checked_sub(padding[0]);
            let inside = row.filter(|&row| row < x.shape[0]);
            exactly(inside.map_or(0.0, |row| x.at(&[row, i])))
        }
        Op::Fold { x, y, kernel, stride, dilation, padding } => {
            let (x, channels) = (read(*x), read(*y).shape[1]);
            let mut terms = vec![];
            for t in 0..x.shape[0] {
                for k in (0..*kernel).filter(|k| t * stride + k * dilation == index[0] + padding[0])
                {
                    terms.push(x.at(&[t, k * channels + index[1]]));
                }
            }
            sum(&terms)
        }
        Op::Expand { x, .. } => exactly(read(*x).broadcast(index)),
        Op::Pad { x, axis, padding, .. } => {
            let (x, mut index) = (read(*x), index.to_vec());
            match index[*axis].checked_sub(padding[0]).filter(|&i| i < x.shape[*axis]) {
                Some(i) => {
                    index[*axis] = i;
                    exactly(x.at(&index))
                }
                None => exactly(0.0),
            }
        }
        Op::Slope { x, g, f, .. } => {
            let (x, g) = (read(*x).at(index), read(*g).at(index));
            // Near enough to zero for functions that bend, and not so near that digits are lost.
            let step = 1e-5 * x.abs().clamp(1e-3, 1.0);
            let rise = unary(*f, x + step).value - unary(*f, x - step).value;
            let value = g * rise / (2.0 * step);
            Wanted { value, tolerance: 1e-5 * (value.abs() + g.abs()) + TINY }
        }
        _ => panic!("`{}` is not an operation on real numbers", op.name()),
    }
}

/// The bias of an output, if there is one, as the first term of a sum.
fn first(bias: Option<Grid>, output: usize) -> Vec<f64> {
    bias.iter().map(|b| b.at(&[output])).collect()
}

fn linear(x: &Grid, w: &Grid, bias: Option<Grid>, index: &[usize]) -> Wanted {
    let (&o, front) = index.split_last().unwrap();
    let mut terms = first(bias, o);
    let inputs = w.shape[1];
    terms.extend((0..inputs).map(|i| x.at(&[front, &[i]].concat()) * w.at(&[o, i])));
    sum(&terms)
}

/// Every row of `x` with every tap that meets it in window `t`.
fn conv1d(
    x: &Grid,
    w: &Grid,
    bias: Option<Grid>,
    meets: impl Fn(usize, usize, usize) -> bool,
    index: &[usize],
) -> Wanted {
    let (t, o) = (index[0], index[1]);
    let mut terms = first(bias, o);
    for row in 0..x.shape[0] {
        for k in (0..w.shape[1]).filter(|&k| meets(row, k, t)) {
            terms.extend((0..x.shape[1]).map(|i| x.at(&[row, i]) * w.at(&[o, k, i])));
        }
    }
    sum(&terms)
}

/// Every row of `x` with every tap that sends it to row `t`.
fn conv_transpose1d(
    x: &Grid,
    w: &Grid,
    bias: Option<Grid>,
    meets: impl Fn(usize, usize, usize) -> bool,
    index: &[usize],
) -> Wanted {
    let (t, o) = (index[0], index[1]);
    let mut terms = first(bias, o);
    for row in 0..x.shape[0] {
        for k in (0..w.shape[0]).filter(|&k| meets(row, k, t)) {
            terms.extend((0..x.shape[1]).map(|i| x.at(&[row, i]) * w.at(&[k, o, i])));
        }
    }
    sum(&terms)
}

fn layer_norm(x: &Grid, gain: &Grid, bias: Option<Grid>, epsilon: f64, index: &[usize]) -> Wanted {
    let (&i, row) = (index.last().unwrap(), x.row(index));
    let n = row.len() as f64;
    let mean = row.iter().sum::<f64>() / n;
    let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let scale = 1.0 / (variance + epsilon).sqrt();
    let (normal, gain) = ((row[i] - mean) * scale, gain.at(&[i]));
    let bias: f64 = first(bias, i).iter().sum();
    // The mean is off by roundings of the largest number; the scale turns that into the result's
    // unit, once through the difference and once through the variance.
    let largest = row.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    let off = gain.abs() * (largest * scale + 1.0) * (normal.abs() + 1.0) + bias.abs();
    Wanted { value: normal * gain + bias, tolerance: (n + FEW) * ROUNDING * off }
}

fn softmax(x: &Grid, index: &[usize]) -> Wanted {
    let row = x.row(index);
    let x = x.at(index);
    let value = 1.0 / row.iter().map(|other| (other - x).exp()).sum::<f64>();
    // A rounding of the exponent is a relative error as large as the exponent.
    let spread = row.iter().fold(0.0, |m: f64, other| m.max((other - x).abs()));
    Wanted { value, tolerance: value * (spread + row.len() as f64 + FEW) * ROUNDING + TINY }
}

/// Every place of the window with its score and value; what lies outside has zeros.
fn attention([q, k, v, bias]: [Grid; 4], before: usize, index: &[usize]) -> Wanted {
    let (t, h, o) = (index[0], index[1], index[2]);
    let inside = |j: usize| (t + j).checked_sub(before).filter(|&row| row < k.shape[0]);
    let (mut scores, mut values, mut off) = (Vec::new(), Vec::new(), 0.0f64);
    for j in 0..bias.shape[1] {
        let products = (0..q.shape[2])
            .map(|i| inside(j).map_or(0.0, |row| q.at(&[t, h, i]) * k.at(&[row, h, i])));
        let score = sum(&products.chain([bias.at(&[h, j])]).collect::<Vec<_>>());
        scores.push(score.value);
        off = off.max(score.tolerance);
        values.push(inside(j).map_or(0.0, |row| v.at(&[row, h, o])));
    }
    let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = scores.iter().map(|s| (s - top).exp()).collect();
    let total: f64 = weights.iter().sum();
    let value = weights.iter().zip(&values).map(|(w, v)| w * v).sum::<f64>() / total;
    // A rounding of a score is a relative error of its weight, and so are those of the exponential.
    let spread = scores.iter().fold(0.0, |m: f64, s| m.max(top - s)).min(100.0);
    let largest = values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let roundings = (spread + scores.len() as f64 + FEW) * ROUNDING;
    Wanted { value, tolerance: 2.0 * (off + roundings) * largest + TINY }
}

fn unary(f: Unary, x: f64) -> Wanted {
    let relative = |value: f64| {
        let tolerance = FEW * ROUNDING * value.abs() + TINY * x.abs().max(1.0);
        Wanted { value, tolerance }
    };
    match f {
        Unary::Relu => exactly(if x > 0.0 { x } else { 0.0 }),
        Unary::Silu => relative(x / (1.0 + (-x).exp())),
        // The sum with one cancels, so that roundings are those of one, times `x`.
        Unary::Gelu => Wanted {
            value: x / 2.0 * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2)),
            tolerance: FEW * ROUNDING * x.abs(),
        },
        Unary::Sigmoid => relative(1.0 / (1.0 + (-x).exp())),
        Unary::Tanh => relative(x.tanh()),
        Unary::Softplus if x > 0.0 => relative(x + (-x).exp().ln_1p()),
        Unary::Softplus => relative(x.exp().ln_1p()),
        Unary::Exp => relative(x.exp()),
        Unary::Log => relative(x.ln()),
        Unary::Sqrt => exactly(x.sqrt()),
        Unary::Square => exactly(x * x),
        Unary::Abs => exactly(x.abs()),
        Unary::Recip => exactly(1.0 / x),
    }
}

/// `2/√π · e^(-x²) · Σ 2ⁿ x^(2n+1) / (1·3·…·(2n+1))`: all terms have one sign, so nothing cancels.
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, 0.0);
    for n in 0..200 {
        sum += term;
        term *= 2.0 * x * x / f64::from(2 * n + 3);
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

fn binary(f: Binary, a: f64, b: f64) -> Wanted {
    exactly(match f {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Max => a.max(b),
        Binary::Min => a.min(b),
    })
}

fn reduce(f: Reduction, x: &Grid, axis: usize, index: &[usize]) -> Wanted {
    let along: Vec<f64> = (0..x.shape[axis])
        .map(|i| {
            let mut index = index.to_vec();
            index[axis] = i;
            x.at(&index)
        })
        .collect();
    let Wanted { value, tolerance } = sum(&along);
    let n = along.len() as f64;
    match f {
        Reduction::Sum => Wanted { value, tolerance },
        Reduction::Mean => Wanted { value: value / n, tolerance: tolerance / n },
        Reduction::Max => exactly(along.into_iter().fold(f64::NEG_INFINITY, f64::max)),
    }
}

fn concat(xs: impl Iterator<Item = Grid>, axis: usize, index: &[usize]) -> Wanted {
    let mut index = index.to_vec();
    for x in xs {
        match index[axis].checked_sub(x.shape[axis]) {
            None => return exactly(x.at(&index)),
            Some(rest) => index[axis] = rest,
        }
    }
    panic!("the index lies behind all operands")
}

#[test]
fn erf_is_right_where_it_is_known() {
    // Abramowitz and Stegun, table 7.1.
    for (x, wanted) in
        [(0.0, 0.0), (0.5, 0.520_499_877_8), (1.0, 0.842_700_792_9), (2.0, 0.995_322_265_0)]
    {
        assert!((erf(x) - wanted).abs() < 1e-10, "{x}");
        assert!((erf(-x) + wanted).abs() < 1e-10, "{x}");
    }
    assert!((erf(5.9999) - 1.0).abs() < 1e-15);
}
