//! The table: every operation in every type, on shapes that are empty, one, odd, beside a multiple of
//! the tile, and large.

use mote_format::{
    Array, Dtype, Op, Quantization, ValueId,
    program::{Binary, Reduction, Unary, Value, Weights},
};

use crate::{support::draft::Draft, tolerance::Tolerance};

/// A program, and how near to the plain kernels it has to come.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) tolerance: Tolerance,
    pub(crate) draft: Draft,
}

/// Rows, inputs and outputs of a layer. Tiles are 16 outputs, 8 rows and 4 inputs; 8 tiles of outputs
/// lie side by side.
const LAYERS: [(usize, usize, usize); 17] = [
    (0, 3, 2),
    (2, 0, 3),
    (2, 3, 0),
    (1, 1, 1),
    (1, 4, 16),
    (8, 4, 16),
    (3, 5, 7),
    (7, 3, 15),
    (9, 17, 17),
    (2, 16, 31),
    (17, 31, 33),
    (1, 33, 64),
    (5, 32, 127),
    (2, 8, 129),
    (1, 300, 145),
    (3, 129, 257),
    (1, 640, 128),
];

/// Time, inputs, outputs, kernel, stride, dilation and what is added or cut off at both ends.
type Convolution = ([usize; 6], [usize; 2]);

const CONVOLUTIONS: [Convolution; 14] = [
    ([1, 1, 1, 1, 1, 1], [0, 0]),
    ([0, 3, 2, 2, 1, 1], [1, 1]),
    ([4, 0, 3, 2, 1, 1], [0, 0]),
    ([4, 3, 0, 2, 1, 1], [0, 0]),
    ([9, 3, 5, 3, 1, 1], [2, 0]),
    ([10, 4, 16, 3, 2, 1], [1, 1]),
    ([12, 5, 17, 2, 3, 1], [0, 4]),
    ([16, 8, 15, 4, 1, 2], [6, 0]),
    ([16, 7, 33, 3, 2, 3], [3, 3]),
    ([3, 2, 4, 5, 1, 1], [9, 9]),
    ([33, 1, 64, 5, 1, 1], [2, 2]),
    ([20, 16, 129, 2, 1, 1], [0, 0]),
    ([64, 40, 24, 3, 1, 4], [8, 0]),
    ([5, 33, 31, 1, 7, 1], [0, 0]),
];

const TRANSPOSED: [Convolution; 12] = [
    ([1, 1, 1, 1, 1, 1], [0, 0]),
    ([4, 0, 3, 2, 1, 1], [0, 0]),
    ([4, 3, 0, 2, 1, 1], [0, 0]),
    ([5, 3, 5, 3, 1, 1], [1, 1]),
    ([6, 4, 16, 4, 2, 1], [1, 1]),
    ([7, 5, 17, 5, 3, 1], [0, 2]),
    // Rows that no tap reaches.
    ([4, 2, 3, 2, 5, 1], [0, 0]),
    // A stride beyond the last row.
    ([1, 2, 3, 4, 1 << 20, 1], [1, 0]),
    ([9, 33, 15, 3, 2, 1], [4, 5]),
    ([16, 8, 129, 2, 2, 1], [0, 0]),
    ([3, 40, 31, 4, 4, 1], [3, 0]),
    ([33, 1, 64, 5, 1, 1], [2, 2]),
];

/// Time, heads, width, outputs, window and rows before the first. Blocks of scores have 64.
const ATTENTION: [[usize; 6]; 9] = [
    [1, 1, 1, 1, 1, 0],
    [1, 2, 0, 3, 4, 3],
    [3, 2, 3, 0, 2, 1],
    [5, 3, 7, 5, 4, 3],
    [8, 2, 8, 8, 8, 7],
    [70, 1, 16, 16, 63, 62],
    [70, 1, 17, 9, 64, 0],
    [40, 2, 8, 8, 65, 64],
    [200, 1, 4, 4, 129, 50],
];

/// Shapes for what is computed element by element, or only moved.
const SHAPES: [&[usize]; 9] = [&[], &[0], &[1], &[7], &[16], &[65], &[3, 5], &[2, 3, 4], &[1000]];

/// Scales and zero points: ordinary, at the ends of a byte, tiny, huge.
const STEPS: [Quantization; 5] = [q(0.02, 7), q(0.5, -128), q(0.1, 127), q(1e-6, 0), q(3e4, -1)];

const fn q(scale: f32, zero_point: i8) -> Quantization {
    Quantization { scale, zero_point }
}

/// The whole table.
pub(crate) fn all() -> Vec<Case> {
    [
        layers(false),
        layers(true),
        quantized_layers(),
        attention(),
        elements(),
        bytes(),
        moved(),
        folds(),
        crossings(),
        adjoints(),
    ]
    .concat()
}

fn case(name: String, tolerance: Tolerance, draft: Draft) -> Case {
    Case { name, tolerance, draft }
}

/// Sums of real numbers run in another order, with fused multiply-adds, and an activation may follow.
fn sums(terms: usize) -> Tolerance {
    Tolerance::Ulp(16 + terms as u32 / 4)
}

fn precision(half: bool) -> &'static str {
    if half { " of half precision" } else { "" }
}

fn layers(half: bool) -> Vec<Case> {
    let mut cases = vec![];
    let activations = [None, Some(Unary::Relu), Some(Unary::Silu), Some(Unary::Tanh)];
    for (i, (rows, inputs, outputs)) in LAYERS.into_iter().enumerate() {
        let mut d = Draft::new("linear");
        let x = d.input("x", Value::f32([rows, inputs]));
        let w = d.real_weights(&[outputs, inputs], half);
        let bias = (i % 3 > 0).then(|| d.reals(&[outputs]));
        let activation = activations[i % 4];
        let y = d.push(|y| Op::Linear { x, w, bias, y, activation });
        d.output("y", y);
        cases.push(case(
            format!("linear {rows} {inputs} {outputs}{}", precision(half)),
            sums(inputs),
            d,
        ));
    }
    for (i, (numbers, padding)) in CONVOLUTIONS.into_iter().enumerate() {
        let [time, inputs, outputs, kernel, stride, dilation] = numbers;
        let mut d = Draft::new("conv1d");
        let x = d.input("x", Value::f32([time, inputs]));
        let w = d.real_weights(&[outputs, kernel, inputs], half);
        let bias = (i % 3 > 0).then(|| d.reals(&[outputs]));
        let activation = activations[i % 4];
        let y = d.push(|y| Op::Conv1d { x, w, bias, y, stride, dilation, padding, activation });
        d.output("y", y);
        cases.push(case(
            format!("conv1d {numbers:?} {padding:?}{}", precision(half)),
            sums(kernel * inputs),
            d,
        ));
    }
    for (i, (numbers, trim)) in TRANSPOSED.into_iter().enumerate() {
        let [time, inputs, outputs, kernel, stride, _] = numbers;
        let mut d = Draft::new("conv_transpose1d");
        let x = d.input("x", Value::f32([time, inputs]));
        let w = d.real_weights(&[kernel, outputs, inputs], half);
        let bias = (i % 3 > 0).then(|| d.reals(&[outputs]));
        let activation = activations[i % 4];
        let y = d.push(|y| Op::ConvTranspose1d { x, w, bias, y, stride, trim, activation });
        d.output("y", y);
        let name = format!("conv_transpose1d {numbers:?} {trim:?}{}", precision(half));
        cases.push(case(name, sums(kernel * inputs), d));
    }
    if half {
        // They differ in how weights are read, which small ones show as well: boards have room for those.
        let numbers = |case: &Case| -> usize {
            let values = &case.draft.program.values;
            values.iter().map(|value| value.shape.iter().product::<usize>()).sum()
        };
        cases.retain(|case| numbers(case) <= 1000);
    }
    cases
}

/// How the weights and the results of a layer of integers are stored.
#[derive(Clone, Copy, Debug)]
struct Style {
    four_bits: bool,
    bias: bool,
    real: bool,
}

const STYLES: [Style; 5] = [
    Style { four_bits: false, bias: true, real: false },
    Style { four_bits: false, bias: false, real: true },
    Style { four_bits: true, bias: true, real: false },
    Style { four_bits: true, bias: false, real: false },
    Style { four_bits: true, bias: true, real: true },
];

/// A layer on bytes under draft: `op` gets its input, its weights, its result and its clamp.
fn quantized(
    (x, w, outputs): (&[usize], &[usize], usize),
    four: (usize, usize, usize),
    style: Style,
    op: impl FnOnce(ValueId, Weights, ValueId, [i8; 2]) -> Op,
) -> Draft {
    let mut d = Draft::new("quantized");
    let x = d.input("x", Value::i8(x, q(0.02, 9)));
    let mut weights =
        if style.four_bits { d.four_bits(w, outputs, four) } else { d.weights(w, outputs) };
    if !style.bias {
        weights.bias = None;
    }
    // Coarse enough that results are spread over the bytes, not all at the ends.
    let step = q(if style.four_bits { 40.0 } else { 0.7 }, -3);
    let y = match style.real {
        true => d.push(|y| op(x, weights, y, [-128, 127])),
        false => d.push_i8(step, |y| op(x, weights, y, [-120, 99])),
    };
    d.output("y", y);
    d
}

fn quantized_layers() -> Vec<Case> {
    let mut cases = vec![];
    for style in STYLES {
        for (rows, inputs, outputs) in LAYERS {
            let shapes = (&[rows, inputs][..], &[outputs, inputs][..], outputs);
            let op = |x, weights, y, clamp| Op::QuantizedLinear { x, weights, y, clamp };
            let draft = quantized(shapes, (outputs, 1, inputs), style, op);
            let name = format!("quantized_linear {rows} {inputs} {outputs} {style:?}");
            cases.push(case(name, Tolerance::Exact, draft));
        }
        for (numbers, padding) in CONVOLUTIONS {
            let [time, inputs, outputs, kernel, stride, dilation] = numbers;
            let shapes = (&[time, inputs][..], &[outputs, kernel, inputs][..], outputs);
            let op = |x, weights, y, clamp| Op::QuantizedConv1d {
                x,
                weights,
                y,
                clamp,
                stride,
                dilation,
                padding,
            };
            let draft = quantized(shapes, (outputs, 1, kernel * inputs), style, op);
            let name = format!("quantized_conv1d {numbers:?} {padding:?} {style:?}");
            cases.push(case(name, Tolerance::Exact, draft));
        }
        // A draft stores four bits with one output as if they were a matrix.
        let grouped = |n: &[usize; 6]| !style.four_bits || n[2] > 1;
        for (numbers, trim) in TRANSPOSED.into_iter().filter(|(n, _)| grouped(n)) {
            let [time, inputs, outputs, kernel, stride, _] = numbers;
            let shapes = (&[time, inputs][..], &[kernel, outputs, inputs][..], outputs);
            let op = |x, weights, y, clamp| Op::QuantizedConvTranspose1d {
                x,
                weights,
                y,
                clamp,
                stride,
                trim,
            };
            let draft = quantized(shapes, (kernel, outputs, inputs), style, op);
            let name = format!("quantized_conv_transpose1d {numbers:?} {trim:?} {style:?}");
            cases.push(case(name, Tolerance::Exact, draft));
        }
    }
    cases
}

/// One operation on inputs of one shape.
fn elementwise<const N: usize>(
    shape: &[usize],
    op: impl FnOnce([ValueId; N], ValueId) -> Op,
) -> Draft {
    let mut d = Draft::new("elements");
    let mut names = 0..N;
    let xs = [(); N].map(|()| {
        let name = format!("x{}", names.next().unwrap_or(N));
        d.input(&name, Value::f32(shape))
    });
    let y = d.push(|y| op(xs, y));
    d.output("y", y);
    d
}

fn elements() -> Vec<Case> {
    let mut cases = vec![];
    for shape in SHAPES {
        let mut push = |name: String, tolerance, draft| {
            cases.push(case(format!("{name} {shape:?}"), tolerance, draft));
        };
        for f in [Unary::Relu, Unary::Sqrt, Unary::Square, Unary::Abs, Unary::Recip] {
            let draft = elementwise(shape, |[x], y| Op::Unary { x, y, f });
            push(format!("{f:?}"), Tolerance::Exact, draft);
        }
        for f in [
            Unary::Silu,
            Unary::Gelu,
            Unary::Sigmoid,
            Unary::Tanh,
            Unary::Softplus,
            Unary::Exp,
            Unary::Log,
        ] {
            let draft = elementwise(shape, |[x], y| Op::Unary { x, y, f });
            push(format!("{f:?}"), Tolerance::Ulp(4), draft);
        }
        for f in [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Max, Binary::Min] {
            let draft = elementwise(shape, |[a, b], y| Op::Binary { a, b, y, f });
            push(format!("{f:?}"), Tolerance::Exact, draft);
        }
        let (scale, offset) = (-1.7, 0.3);
        let draft = elementwise(shape, |[x], y| Op::Affine { x, y, scale, offset });
        push("affine".into(), Tolerance::Exact, draft);
        let (low, high) = (-0.5, 1.25);
        let draft = elementwise(shape, |[x], y| Op::Clamp { x, y, low, high });
        push("clamp".into(), Tolerance::Exact, draft);
        if !shape.is_empty() {
            let draft = elementwise(shape, |[x], y| Op::Softmax { x, y });
            push("softmax".into(), Tolerance::Ulp(4), draft);
        }
        if let Some(&width) = shape.last() {
            let mut d = Draft::new("layer_norm");
            let x = d.input("x", Value::f32(shape));
            let (gain, bias) = (d.reals(&[width]), Some(d.reals(&[width])));
            let y = d.push(|y| Op::LayerNorm { x, gain, bias, y, epsilon: 1e-5 });
            d.output("y", y);
            push("layer_norm".into(), Tolerance::Ulp(4), d);
        }
    }
    cases
}

fn attention() -> Vec<Case> {
    let case_of = |numbers: [usize; 6]| {
        let [time, heads, width, outputs, window, before] = numbers;
        let mut d = Draft::new("attention");
        let q = d.input("q", Value::f32([time + before + 1 - window, heads, width]));
        let k = d.input("k", Value::f32([time, heads, width]));
        let v = d.input("v", Value::f32([time, heads, outputs]));
        let bias = d.reals(&[heads, window]);
        let y = d.push(|y| Op::Attention { q, k, v, bias, y, before });
        d.output("y", y);
        // A score is a sum of products, and a result a sum over the window.
        case(format!("attention {numbers:?}"), sums(width + window), d)
    };
    ATTENTION.into_iter().map(case_of).collect()
}

/// Operations on bytes without weights, and those from and to them.
fn bytes() -> Vec<Case> {
    let mut cases = vec![];
    for shape in SHAPES {
        for (i, of) in STEPS.into_iter().enumerate() {
            let other = STEPS[(i + 2) % STEPS.len()];
            let mut push = |name: &str, draft| {
                cases.push(case(format!("{name} {shape:?} {of:?}"), Tolerance::Exact, draft));
            };
            let mut d = Draft::new("quantize");
            let x = d.input("x", Value::f32(shape));
            let y = d.push_i8(of, |y| Op::Quantize { x, y });
            d.output("y", y);
            push("quantize", d);

            let mut d = Draft::new("dequantize");
            let x = d.input("x", Value::i8(shape, of));
            let y = d.push(|y| Op::Dequantize { x, y });
            d.output("y", y);
            push("dequantize", d);

            let mut d = Draft::new("add");
            let a = d.input("a", Value::i8(shape, of));
            let b = d.input("b", Value::i8(shape, other));
            let y = d.push_i8(of, |y| Op::QuantizedAdd { a, b, y, clamp: [-128, 127] });
            let z = d.push_i8(other, |z| Op::QuantizedAdd { a, b, y: z, clamp: [-90, 91] });
            d.output("y", y);
            d.output("z", z);
            push("quantized_add", d);

            let mut d = Draft::new("lookup");
            let x = d.input("x", Value::i8(shape, of));
            let table: Vec<i8> = (0..256).map(|_| d.random() as u8 as i8).collect();
            let table = d.array(Dtype::I8, &[256], Array::new([256], &table));
            let y = d.push_i8(other, |y| Op::Lookup { x, table, y });
            d.output("y", y);
            push("lookup", d);
        }
    }
    cases
}

/// What only moves numbers, real ones and bytes.
fn moved() -> Vec<Case> {
    let mut cases = vec![];
    for shape in SHAPES.into_iter().filter(|shape| !shape.is_empty()) {
        for of in [None, Some(STEPS[0])] {
            let mut d = Draft::new("moved");
            let x = d.input("x", of.map_or(Value::f32(shape), |q| Value::i8(shape, q)));
            let push = |d: &mut Draft, op: &dyn Fn(ValueId) -> Op| match of {
                Some(q) => d.push_i8(q, op),
                None => d.push(op),
            };
            let (axis, n) = (shape.len() - 1, shape[shape.len() - 1]);
            let part = push(&mut d, &|y| Op::Slice { x, y, axis, start: n / 3, end: n });
            let both = push(&mut d, &|y| Op::Concat { xs: vec![part, x, part], y, axis });
            let axes: Vec<usize> = (0..shape.len()).rev().collect();
            let turned = push(&mut d, &|y| Op::Permute { x: both, y, axes: axes.clone() });
            let flat = Value {
                shape: vec![d.program.elements(turned)],
                ..d.program.values[turned.index()].clone()
            };
            let flat = d.value(flat);
            d.program.ops.push(Op::Reshape { x: turned, y: flat });
            d.output("part", part);
            d.output("both", both);
            d.output("flat", flat);
            cases.push(case(format!("moved {shape:?} {of:?}"), Tolerance::Exact, d));
        }
    }
    cases
}

/// Folds along each axis, and broadcasts along each.
fn folds() -> Vec<Case> {
    let mut cases = vec![];
    for shape in [&[1usize][..], &[7], &[65], &[3, 5], &[2, 3, 4], &[33, 17], &[5, 4, 8]] {
        for axis in 0..shape.len() {
            let mut d = Draft::new("cumulative sum");
            let x = d.input("x", Value::f32(shape));
            for reverse in [false, true] {
                let y = d.push(|y| Op::CumulativeSum { x, y, axis, reverse });
                d.output(if reverse { "from" } else { "up to" }, y);
            }
            cases.push(case(format!("up to {shape:?} {axis}"), Tolerance::Exact, d));
            for f in [Reduction::Sum, Reduction::Mean, Reduction::Max] {
                let mut d = Draft::new("fold");
                let x = d.input("x", Value::f32(shape));
                let y = d.push(|y| Op::Reduce { x, y, f, axis });
                let z = d.push(|z| Op::Binary { a: x, b: y, y: z, f: Binary::Sub });
                d.output("y", y);
                d.output("z", z);
                cases.push(case(format!("{f:?} {shape:?} {axis}"), Tolerance::Exact, d));
            }
        }
    }
    cases
}

/// What gradients are made of.
fn adjoints() -> Vec<Case> {
    let mut cases = vec![];
    for (m, k, n) in LAYERS {
        for turned in [[false, false], [false, true], [true, false], [true, true]] {
            let matrix = |[a, b]: [usize; 2], turned| if turned { [b, a] } else { [a, b] };
            let mut d = Draft::new("product");
            let a = d.input("a", Value::f32(matrix([m, k], turned[0])));
            let b = d.input("b", Value::f32(matrix([k, n], turned[1])));
            let y = d.push(|y| Op::Product { a, b, y, turned });
            d.output("y", y);
            cases.push(case(format!("product {m} {k} {n} {turned:?}"), sums(k), d));
        }
    }
    for (numbers, padding) in CONVOLUTIONS {
        let [time, channels, _, kernel, stride, dilation] = numbers;
        let mut d = Draft::new("windows");
        let x = d.input("x", Value::f32([time, channels]));
        let y = d.push(|y| Op::Unfold { x, y, kernel, stride, dilation, padding });
        let z = d.value(Value::f32([time, channels]));
        d.program.ops.push(Op::Fold { x: y, y: z, kernel, stride, dilation, padding });
        d.output("y", y);
        d.output("z", z);
        cases.push(case(format!("windows {numbers:?} {padding:?}"), Tolerance::Exact, d));
    }
    for shape in SHAPES {
        for f in ALL {
            let draft = elementwise(shape, |[x, g], y| Op::Slope { x, g, y, f });
            // Differences of functions that are near to each other.
            cases.push(case(format!("slope {f:?} {shape:?}"), Tolerance::Ulp(16), draft));
        }
        for axis in 0..shape.len() {
            let mut d = Draft::new("around");
            let x = d.input("x", Value::f32(shape));
            let padding = [axis + 1, 2];
            let wide = d.push(|y| Op::Pad { x, y, axis, padding });
            d.output("wide", wide);
            if shape[axis] > 0 {
                let f = Reduction::Max;
                let one = d.push(|y| Op::Reduce { x, y, f, axis });
                let all = d.value(Value::f32(shape));
                d.program.ops.push(Op::Expand { x: one, y: all });
                d.output("all", all);
            }
            cases.push(case(format!("around {shape:?} {axis}"), Tolerance::Exact, d));
        }
    }
    cases
}

/// Every function of one number.
const ALL: [Unary; 12] = [
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
];

/// Layers of real numbers whose results become bytes: near ones may fall on either side of a step.
fn crossings() -> Vec<Case> {
    let mut cases = vec![];
    for (rows, inputs, outputs) in LAYERS {
        let mut d = Draft::new("crossing");
        let x = d.input("x", Value::f32([rows, inputs]));
        let w = d.reals(&[outputs, inputs]);
        let (bias, activation) = (None, Some(Unary::Tanh));
        let y = d.push(|y| Op::Linear { x, w, bias, y, activation });
        let y = d.push_i8(q(1.0 / 128.0, 0), |z| Op::Quantize { x: y, y: z });
        d.output("y", y);
        cases.push(case(format!("crossing {rows} {inputs} {outputs}"), Tolerance::OneStep, d));
    }
    cases
}
