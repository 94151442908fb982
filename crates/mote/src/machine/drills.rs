//! Small programs, each mostly of one kind of operation, in sizes like those of models for things. What one operation
//! gives the next one reads, as in models: of those that wait for nothing a processor runs several at a time.

use std::collections::BTreeMap;

use mote_compress::{Bits, Sample, Scheme, Shown, quantize};
use mote_format::{
    Array, Dtype, Op, Program, Tensors, ValueId, Verified,
    container::Tensor,
    program::{Binary, Port, Reduction, Unary, Value},
};

/// A program to be timed.
pub(super) struct Drill {
    pub(super) program: Verified,
    tensors: Tensors,
}

/// Times that an operation is in its drill.
const COPIES: usize = 5;
/// Rows, channels, and outputs of layers.
const LAYERS: [[usize; 3]; 23] = [
    [1, 8, 8],
    [1, 16, 24],
    [1, 32, 32],
    [1, 64, 32],
    [1, 128, 64],
    [1, 160, 16],
    [1, 24, 128],
    [1, 8, 160],
    [3, 32, 16],
    [4, 40, 24],
    [8, 16, 32],
    [10, 32, 32],
    [12, 16, 8],
    [16, 8, 8],
    [20, 32, 16],
    [24, 24, 40],
    [24, 48, 8],
    [32, 8, 32],
    [32, 32, 8],
    [32, 32, 32],
    [40, 8, 8],
    [40, 16, 64],
    [48, 64, 48],
];
/// Shapes of what operations on elements and those that move numbers do.
const SHAPES: [[usize; 2]; 9] =
    [[1, 8], [1, 32], [1, 128], [4, 64], [20, 8], [32, 32], [40, 16], [64, 64], [256, 8]];

/// Rows, heads, their width, and places that are attended to.
const ATTENTION: [[usize; 4]; 16] = [
    [8, 2, 8, 8],
    [24, 2, 16, 12],
    [32, 4, 2, 32],
    [32, 4, 8, 16],
    [32, 4, 8, 32],
    [48, 2, 32, 48],
    [64, 4, 1, 32],
    [1, 4, 16, 1],
    [2, 4, 8, 32],
    [1, 4, 8, 32],
    [1, 2, 16, 48],
    [1, 4, 12, 32],
    [1, 2, 10, 24],
    [1, 4, 20, 16],
    [2, 4, 6, 40],
    [40, 4, 24, 40],
];

/// All of them.
pub(super) fn all() -> Vec<Drill> {
    let mut all = Vec::new();
    let real: Vec<Drill> = layers().into_iter().chain(blocks()).chain(mixtures()).collect();
    for drill in &real {
        for bits in [Bits::Eight, Bits::Four] {
            all.extend(drill.quantized(bits));
        }
    }
    all.extend(real);
    all.extend(functions());
    all.extend(movements());
    all.extend(rows());
    all
}

/// What the others are timed beside: layers and functions of middle size, as models mix them.
pub(super) fn yardstick() -> Drill {
    let mut net = Net::new(&[20, 24]);
    let mut x = ValueId(0);
    for _ in 0..COPIES {
        let y = net.layer(Layer::Linear, x, 24);
        x = net.push(|to| Op::Unary { x: y, y: to, f: Unary::Silu });
    }
    net.give(x);
    net.finish().expect("it is made of shapes that fit")
}

/// A kind of layer.
#[derive(Clone, Copy)]
enum Layer {
    Linear,
    Conv { kernel: usize, stride: usize, dilation: usize },
    Transposed { kernel: usize, stride: usize },
}

/// Linear layers, convolutions and their transposes: side by side, and one behind the other, so that in
/// integers some give bytes and some give real numbers.
fn layers() -> Vec<Drill> {
    let mut all = Vec::new();
    for (i, &[rows, channels, outputs]) in LAYERS.iter().enumerate() {
        let (kernel, stride, dilation) = (2 + i % 4, 1 + i % 2, 1 + i / 4 % 2);
        let kinds = [
            Layer::Linear,
            Layer::Conv { kernel, stride, dilation },
            Layer::Transposed { kernel, stride },
        ];
        for layer in &kinds[..if rows > 1 { 3 } else { 1 }] {
            // In integers the last one gives real numbers, and the others bytes.
            let mut net = Net::new(&[rows, channels]);
            let mut x = ValueId(0);
            for to in [outputs, channels, outputs] {
                x = net.layer(*layer, x, to);
            }
            net.give(x);
            all.extend(net.finish());
            // Here all of them give real numbers.
            let mut net = Net::new(&[rows, channels]);
            let mut x = ValueId(0);
            for to in [outputs, channels] {
                let y = net.layer(*layer, x, to);
                x = net.normal(y);
            }
            net.give(x);
            all.extend(net.finish());
        }
    }
    // Sums of bytes and tables, which only whole networks have.
    for [rows, channels] in SHAPES {
        let mut net = Net::new(&[rows, channels]);
        let mut x = net.layer(Layer::Linear, ValueId(0), channels);
        for _ in 0..COPIES {
            let y = net.layer(Layer::Linear, x, channels);
            let sum = net.push(|y_| Op::Binary { a: x, b: y, y: y_, f: Binary::Add });
            x = net.push(|y| Op::Unary { x: sum, y, f: Unary::Silu });
        }
        let y = net.layer(Layer::Linear, x, channels);
        net.give(y);
        all.extend(net.finish());
    }
    all
}

/// Several kinds in turn, as networks have them.
fn blocks() -> Vec<Drill> {
    let mut all = Vec::new();
    // Gates, and sums around them.
    for [rows, channels, _] in LAYERS {
        let gated = |net: &mut Net, x| {
            let normal = net.normal(x);
            let both = net.layer(Layer::Linear, normal, 2 * channels);
            let axis = 1;
            let mut half = |x, start, f| {
                let end = start + channels;
                let half = net.push(|y| Op::Slice { x, y, axis, start, end });
                net.push(|y| Op::Unary { x: half, y, f })
            };
            let (a, b) = (half(both, 0, Unary::Tanh), half(both, channels, Unary::Sigmoid));
            let met = net.push(|y| Op::Binary { a, b, y, f: Binary::Mul });
            let b = net.layer(Layer::Linear, met, channels);
            net.push(|y| Op::Binary { a: x, b, y, f: Binary::Add })
        };
        all.extend(Net::new(&[rows, channels]).again(gated));
    }
    // Steps of streams, which meet what they remember: the newest sample, and one of those before it.
    for channels in [8, 12, 16, 24, 32, 40, 48, 64] {
        for dilation in [1, 2, 8] {
            let step = |net: &mut Net, x| {
                let conv = Layer::Conv { kernel: 2, stride: 1, dilation };
                let y = net.valid(conv, x, channels);
                let later = net.push(|y| Op::Slice { x, y, axis: 0, start: 1, end: dilation + 1 });
                net.push(|z| Op::Concat { xs: vec![later, y], y: z, axis: 0 })
            };
            all.extend(Net::new(&[1 + dilation, channels]).again(step));
        }
    }
    // The same where the past was kept by streams, and what is new is added to what came in: in integers, bytes all
    // the way.
    for channels in [8, 12, 16, 24, 32, 40, 48, 64] {
        for dilation in [1, 2, 8] {
            let mut net = Net::new(&[1, channels]);
            let mut x = ValueId(0);
            for _ in 0..COPIES {
                let past = net.input(&[dilation, channels]);
                let seen = net.push(|y| Op::Concat { xs: vec![past, x], y, axis: 0 });
                let conv = Layer::Conv { kernel: 2, stride: 1, dilation };
                let y = net.valid(conv, seen, channels);
                x = net.push(|sum| Op::Binary { a: x, b: y, y: sum, f: Binary::Add });
            }
            // What is given is real.
            let y = net.layer(Layer::Linear, x, channels);
            net.give(y);
            all.extend(net.finish());
        }
    }
    for channels in [8, 16, 32, 48, 64, 96, 128] {
        let step = |net: &mut Net, a| {
            let both = net.push(|y| Op::Concat { xs: vec![ValueId(0), a], y, axis: 1 });
            let b = net.layer(Layer::Linear, both, channels);
            net.push(|y| Op::Binary { a, b, y, f: Binary::Add })
        };
        all.extend(Net::new(&[1, channels]).again(step));
    }
    all
}

/// Rows and channels of what is mixed.
const MIXED: [[usize; 2]; 13] = [
    [1, 8],
    [1, 16],
    [1, 24],
    [1, 32],
    [1, 48],
    [1, 64],
    [1, 80],
    [2, 32],
    [4, 16],
    [12, 16],
    [24, 24],
    [32, 16],
    [48, 32],
];
/// Rounds of a mixture.
const MIXING: usize = 6;

/// No operation like the one before it, and no layer of a size that was there, as in whole networks.
fn mixtures() -> Vec<Drill> {
    let mut all = Vec::new();
    for (i, [rows, channels]) in MIXED.into_iter().enumerate() {
        let mut net = Net::new(&[rows, channels]);
        let mut x = ValueId(0);
        for round in 0..MIXING {
            let width = channels / 2 + 4 * ((i + 3 * round) % 7);
            let y = net.layer(Layer::Linear, x, 2 * width);
            let mut half = |start, f| {
                let part =
                    net.push(|y_| Op::Slice { x: y, y: y_, axis: 1, start, end: start + width });
                net.push(|y| Op::Unary { x: part, y, f })
            };
            let (a, b) = match round % 3 {
                0 => (half(0, Unary::Tanh), half(width, Unary::Sigmoid)),
                1 => (half(width, Unary::Silu), half(0, Unary::Abs)),
                _ => (half(0, Unary::Exp), half(width, Unary::Relu)),
            };
            let met = net.push(|y| Op::Binary { a, b, y, f: Binary::Mul });
            let normal = net.normal(met);
            let scaled = net.push(|y| Op::Affine { x: normal, y, scale: 0.5, offset: 0.1 });
            let kept = if round % 2 == 0 { a } else { b };
            x = net.push(|y| Op::Concat { xs: vec![scaled, kept], y, axis: 1 });
        }
        net.give(x);
        all.extend(net.finish());
    }
    all
}

/// Operations on elements.
fn functions() -> Vec<Drill> {
    use Unary::{Abs, Exp, Gelu, Log, Recip, Relu, Sigmoid, Silu, Softplus, Sqrt, Square, Tanh};
    let mut all = Vec::new();
    for shape in SHAPES {
        for f in [Relu, Silu, Gelu, Sigmoid, Tanh, Softplus, Exp, Log, Sqrt, Square, Abs, Recip] {
            all.extend(repeated(&shape, |x, y| Op::Unary { x, y, f }));
        }
        let [rows, columns] = shape;
        for f in [Binary::Add, Binary::Div] {
            all.extend(repeated(&shape, |x, y| Op::Binary { a: x, b: x, y, f }));
            for other in [[1, columns], [rows, 1]] {
                let mut net = Net::new(&shape);
                let b = net.tensor(&other);
                all.extend(net.again(|net, a| net.push(|y| Op::Binary { a, b, y, f })));
            }
        }
        all.extend(repeated(&shape, |x, y| Op::Affine { x, y, scale: 0.5, offset: 0.1 }));
        all.extend(repeated(&shape, |x, y| Op::Clamp { x, y, low: 0.2, high: 0.8 }));
    }
    all
}

/// Operations that only move numbers.
fn movements() -> Vec<Drill> {
    let mut all = Vec::new();
    for [rows, columns] in SHAPES {
        let shape = [rows, columns];
        for axis in [0, 1] {
            if shape[axis] > COPIES {
                let shorter = |net: &mut Net, x| {
                    let end = net.program.shape(x)[axis];
                    net.push(|y| Op::Slice { x, y, axis, start: 1, end })
                };
                all.extend(Net::new(&shape).again(shorter));
            }
            let longer =
                |net: &mut Net, x| net.push(|y| Op::Concat { xs: vec![x, ValueId(0)], y, axis });
            all.extend(Net::new(&shape).again(longer));
            let half = (shape[axis] / 2).max(1);
            let turned = |net: &mut Net, x| {
                let mut part = |start, end| net.push(|y| Op::Slice { x, y, axis, start, end });
                let xs = vec![part(half, shape[axis]), part(0, half)];
                net.push(|y| Op::Concat { xs, y, axis })
            };
            if half < shape[axis] {
                all.extend(Net::new(&shape).again(turned));
            }
            all.extend(repeated(&shape, |x, y| Op::Pad { x, y, axis, padding: [1, 0] }));
        }
        all.extend(repeated(&shape, |x, y| Op::Permute { x, y, axes: vec![1, 0] }));
    }
    all
}

/// Operations on whole rows.
fn rows() -> Vec<Drill> {
    let mut all = Vec::new();
    for shape in SHAPES {
        for axis in [0, 1] {
            for f in [Reduction::Sum, Reduction::Mean, Reduction::Max] {
                all.extend(Net::new(&shape).again(|net, a| {
                    let b = net.push(|y| Op::Reduce { x: a, y, f, axis });
                    net.push(|y| Op::Binary { a, b, y, f: Binary::Sub })
                }));
            }
            all.extend(repeated(&shape, |x, y| Op::CumulativeSum { x, y, axis, reverse: false }));
        }
        all.extend(repeated(&shape, |x, y| Op::Softmax { x, y }));
        all.extend(Net::new(&shape).again(Net::normal));
    }
    for [time, heads, width, window] in ATTENTION {
        let mut net = Net::new(&[time, heads, width]);
        let bias = net.tensor(&[heads, window]);
        // Steps attend to rows that are there already.
        let there = (time < 3).then(|| net.tensor(&[time + window - 1, heads, width]));
        let before = if there.is_some() { 0 } else { window - 1 };
        all.extend(net.again(|net, q| {
            let [k, v] = [there.unwrap_or(q); 2];
            net.push(|y| Op::Attention { q, k, v, bias, y, before })
        }));
    }
    all
}

/// One operation several times.
fn repeated(shape: &[usize], op: impl Fn(ValueId, ValueId) -> Op) -> Option<Drill> {
    Net::new(shape).again(|net, x| net.push(|y| op(x, y)))
}

impl Drill {
    /// Its tensors by name.
    pub(super) fn tensors(&self) -> BTreeMap<String, Tensor<'_>> {
        self.tensors.iter().map(|(name, array)| (name.clone(), array.tensor())).collect()
    }

    /// The same in integers.
    fn quantized(&self, bits: Bits) -> Option<Self> {
        let sample = |i: usize| -> Sample {
            let input = |port: &Port| {
                let elements = self.program.elements(port.value);
                (0..elements).map(|j| ((i * 31 + j * 7) % 32) as f32 / 16.0 - 1.0).collect()
            };
            self.program.inputs.iter().map(input).collect()
        };
        let usual: Vec<Sample> = (0..8).map(sample).collect();
        let shown = Shown { usual: &usual, unusual: &[] };
        let scheme = Scheme {
            rounding: mote_compress::Rounding::Nearest,
            correct_biases: false,
            equalize: false,
            ..bits.into()
        };
        let (program, tensors) = quantize(&self.program, &self.tensors(), shown, scheme).ok()?;
        Some(Self { program, tensors })
    }
}

/// A program that grows.
struct Net {
    program: Program,
    tensors: Tensors,
}

impl Net {
    fn new(shape: &[usize]) -> Self {
        let program = Program {
            name: "drill".into(),
            values: vec![Value::f32(shape)],
            inputs: vec![Port { name: "x0".into(), value: ValueId(0) }],
            outputs: vec![],
            ops: vec![],
        };
        Self { program, tensors: Tensors::new() }
    }

    fn value(&mut self, value: Value) -> ValueId {
        self.program.values.push(value);
        ValueId(self.program.values.len() as u32 - 1)
    }

    /// One more input.
    fn input(&mut self, shape: &[usize]) -> ValueId {
        let value = self.value(Value::f32(shape));
        let name = format!("x{}", self.program.inputs.len());
        self.program.inputs.push(Port { name, value });
        value
    }

    fn tensor(&mut self, shape: &[usize]) -> ValueId {
        let name = format!("t{}", self.tensors.len());
        let count: usize = shape.iter().product();
        let weight = |i: usize| ((i * 37 + 11) % 64) as f32 / 64.0 - 0.45;
        let data: Vec<f32> = (0..count).map(weight).collect();
        self.tensors.insert(name.clone(), Array::new(shape, &data));
        self.value(Value::tensor(name, Dtype::F32, shape))
    }

    fn push(&mut self, op: impl FnOnce(ValueId) -> Op) -> ValueId {
        let op = op(ValueId(self.program.values.len() as u32));
        let shape = mote_format::shape::infer(&op, |id| self.program.shape(id))
            .expect("drills are made of shapes that fit");
        self.program.ops.push(op);
        self.value(Value::f32(shape))
    }

    /// With zeros before the first row, so that a convolution has as many rows as there are.
    fn layer(&mut self, layer: Layer, x: ValueId, outputs: usize) -> ValueId {
        let before = match layer {
            Layer::Conv { kernel, dilation, .. } => (kernel - 1) * dilation,
            _ => 0,
        };
        self.padded(layer, x, outputs, before)
    }

    /// Of rows that are there alone.
    fn valid(&mut self, layer: Layer, x: ValueId, outputs: usize) -> ValueId {
        self.padded(layer, x, outputs, 0)
    }

    fn padded(&mut self, layer: Layer, x: ValueId, outputs: usize, before: usize) -> ValueId {
        let inputs = *self.program.shape(x).last().expect("it has channels");
        let w = self.tensor(&match layer {
            Layer::Linear => vec![outputs, inputs],
            Layer::Conv { kernel, .. } => vec![outputs, kernel, inputs],
            Layer::Transposed { kernel, .. } => vec![kernel, outputs, inputs],
        });
        let bias = Some(self.tensor(&[outputs]));
        let activation = Some(Unary::Relu);
        self.push(|y| match layer {
            Layer::Linear => Op::Linear { x, w, bias, y, activation },
            Layer::Conv { stride, dilation, .. } => {
                let padding = [before, 0];
                Op::Conv1d { x, w, bias, y, stride, dilation, padding, activation }
            }
            Layer::Transposed { stride, .. } => {
                Op::ConvTranspose1d { x, w, bias, y, stride, trim: [0, 0], activation }
            }
        })
    }

    fn normal(&mut self, x: ValueId) -> ValueId {
        let width = *self.program.shape(x).last().expect("it has channels");
        let gain = self.tensor(&[width]);
        self.push(|y| Op::LayerNorm { x, gain, bias: None, y, epsilon: 1e-5 })
    }

    /// The same several times, each with what the one before gave.
    fn again(mut self, more: impl Fn(&mut Self, ValueId) -> ValueId) -> Option<Drill> {
        let mut x = ValueId(0);
        for _ in 0..COPIES {
            x = more(&mut self, x);
        }
        self.give(x);
        self.finish()
    }

    fn give(&mut self, value: ValueId) {
        let name = format!("y{}", self.program.outputs.len());
        self.program.outputs.push(Port { name, value });
    }

    fn finish(self) -> Option<Drill> {
        let Self { program, tensors } = self;
        let stored = |name: &str| tensors.get(name).map(Array::stored);
        let program = Verified::new(program, stored).ok()?;
        Some(Drill { program, tensors })
    }
}
