//! A program for every operation, in floats and in integers.

use mote_format::{
    Array, Dtype, Op, Quantization, ValueId,
    program::{Binary, Reduction, Unary, Weights},
};

use crate::draft::{Draft, Ready};

/// Numbers that look random, the same every time.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// From -1 to 1.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    pub(crate) fn fill(&mut self, n: usize, size: f32) -> Vec<f32> {
        (0..n).map(|_| self.unit() * size).collect()
    }
}

const UNARY: [Unary; 12] = [
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
const BINARY: [Binary; 6] =
    [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Max, Binary::Min];

/// What an activation of the programs of integers stands for.
const Q: Quantization = Quantization { scale: 0.02, zero_point: -7 };
const Y: Quantization = Quantization { scale: 0.05, zero_point: 11 };

impl Draft {
    fn weights(&mut self, random: &mut Random, shape: &[usize]) -> ValueId {
        let n = shape.iter().product();
        self.tensor(shape, random.fill(n, 0.5))
    }

    pub(crate) fn dense(
        &mut self,
        r: &mut Random,
        x: ValueId,
        outputs: usize,
        activation: Option<Unary>,
    ) -> ValueId {
        let inputs = *self.program.shape(x).last().unwrap();
        let w = self.weights(r, &[outputs, inputs]);
        let bias = Some(self.weights(r, &[outputs]));
        self.push(|y| Op::Linear { x, w, bias, y, activation })
    }

    pub(crate) fn conv(
        &mut self,
        r: &mut Random,
        x: ValueId,
        outputs: usize,
        stride: usize,
        dilation: usize,
        padding: [usize; 2],
    ) -> ValueId {
        let inputs = *self.program.shape(x).last().unwrap();
        let w = self.weights(r, &[outputs, 3, inputs]);
        let bias = Some(self.weights(r, &[outputs]));
        let activation = Some(Unary::Relu);
        self.push(|y| Op::Conv1d { x, w, bias, y, stride, dilation, padding, activation })
    }

    pub(crate) fn conv_transpose(
        &mut self,
        r: &mut Random,
        x: ValueId,
        outputs: usize,
        stride: usize,
        trim: [usize; 2],
    ) -> ValueId {
        let inputs = *self.program.shape(x).last().unwrap();
        let w = self.weights(r, &[4, outputs, inputs]);
        let bias = Some(self.weights(r, &[outputs]));
        self.push(|y| Op::ConvTranspose1d { x, w, bias, y, stride, trim, activation: None })
    }

    /// Weights of integers of `shape`, whose outputs are so many.
    pub(crate) fn integers(&mut self, r: &mut Random, shape: &[usize], outputs: usize) -> Weights {
        let n = shape.iter().product();
        let w: Vec<i8> = (0..n).map(|_| r.below(255) as i8).map(|w| w.max(-127)).collect();
        let w = self.array(Dtype::I8, shape, Array::new(shape, &w));
        let scale: Vec<f32> = (0..outputs).map(|_| 0.002 + 0.004 * r.unit().abs()).collect();
        let scale = self.tensor(&[outputs], scale);
        let bias: Vec<i32> = (0..outputs).map(|_| r.below(4001) as i32 - 2000).collect();
        let bias = Some(self.array(Dtype::I32, &[outputs], Array::new([outputs], &bias)));
        Weights { w, scale, groups: None, bias }
    }

    /// The same in four bits; `rows` of them begin with a byte of their own.
    pub(crate) fn four_bits(
        &mut self,
        r: &mut Random,
        shape: &[usize],
        outputs: usize,
        groups: &[usize],
    ) -> Weights {
        let row = shape[1..].iter().product::<usize>().div_ceil(2);
        let packed: Vec<u8> = (0..shape[0] * row).map(|_| r.below(256) as u8).collect();
        let w = self.array(Dtype::I4, shape, Array::new([shape[0], row], &packed));
        let factors: Vec<u8> =
            (0..groups.iter().product()).map(|_| 1 + r.below(255) as u8).collect();
        let factors = self.array(Dtype::U8, groups, Array::new(groups, &factors));
        let scale: Vec<f32> = (0..outputs).map(|_| 1e-4 + 1e-4 * r.unit().abs()).collect();
        let scale = self.tensor(&[outputs], scale);
        Weights { w, scale, groups: Some(factors), bias: None }
    }
}

/// One program a line: its name and how it is built from an input.
pub(crate) type Line =
    (&'static str, &'static [usize], fn(&mut Draft, &mut Random, ValueId) -> Vec<ValueId>);

pub(crate) const FLOATS: &[Line] = &[
    ("linear", &[5], |d, r, x| vec![d.dense(r, x, 3, None)]),
    ("linear over rows", &[4, 5], |d, r, x| vec![d.dense(r, x, 3, Some(Unary::Silu))]),
    ("linear over axes", &[2, 4, 5], |d, r, x| vec![d.dense(r, x, 3, Some(Unary::Gelu))]),
    ("linear without bias", &[2, 5], |d, r, x| {
        let w = d.weights(r, &[3, 5]);
        vec![d.push(|y| Op::Linear { x, w, bias: None, y, activation: None })]
    }),
    ("conv1d", &[9, 4], |d, r, x| vec![d.conv(r, x, 6, 1, 1, [1, 1])]),
    ("conv1d, causal and dilated", &[9, 4], |d, r, x| vec![d.conv(r, x, 6, 1, 2, [4, 0])]),
    ("conv1d, stride", &[9, 4], |d, r, x| vec![d.conv(r, x, 6, 2, 1, [0, 2])]),
    ("conv1d, one after the other", &[12, 4], |d, r, x| {
        let h = d.conv(r, x, 6, 2, 1, [2, 0]);
        let h = d.push(|y| Op::Unary { x: h, y, f: Unary::Tanh });
        let g = d.conv(r, h, 6, 1, 1, [2, 0]);
        let s = d.push(|y| Op::Binary { a: h, b: g, y, f: Binary::Add });
        let s = d.push(|y| Op::Slice { x: s, y, axis: 0, start: 1, end: 5 });
        let c = d.push(|y| Op::Concat { xs: vec![s, s], y, axis: 1 });
        let m = d.push(|y| Op::Reduce { x: c, y, f: Reduction::Mean, axis: 0 });
        vec![d.dense(r, c, 2, None), m]
    }),
    ("conv_transpose1d", &[5, 3], |d, r, x| vec![d.conv_transpose(r, x, 4, 2, [0, 0])]),
    ("conv_transpose1d, trimmed", &[5, 3], |d, r, x| vec![d.conv_transpose(r, x, 4, 2, [1, 2])]),
    ("layer_norm", &[3, 8], |d, r, x| {
        let (gain, bias) = (d.weights(r, &[8]), Some(d.weights(r, &[8])));
        let y = d.push(|y| Op::LayerNorm { x, gain, bias, y, epsilon: 1e-5 });
        vec![d.push(|z| Op::LayerNorm { x: y, gain, bias: None, y: z, epsilon: 1e-3 })]
    }),
    ("softmax", &[3, 8], |d, _, x| vec![d.push(|y| Op::Softmax { x, y })]),
    ("attention", &[7, 12], |d, r, x| {
        let heads = |d: &mut Draft, r: &mut Random, width: usize| {
            let rows = d.dense(r, x, 2 * width, None);
            d.reshape(rows, &[7, 2, width])
        };
        let (q, k, v) = (heads(d, r, 5), heads(d, r, 5), heads(d, r, 3));
        let (one, late, wide) =
            (d.weights(r, &[2, 1]), d.weights(r, &[2, 4]), d.weights(r, &[2, 9]));
        // As many rows as keys, fewer of them, and a window beyond the first and the last.
        let part = d.push(|y| Op::Slice { x: q, y, axis: 0, start: 3, end: 6 });
        let y = d.push(|y| Op::Attention { q, k, v, bias: one, y, before: 0 });
        let z = d.push(|y| Op::Attention { q, k, v, bias: late, y, before: 3 });
        vec![y, z, d.push(|y| Op::Attention { q: part, k, v, bias: wide, y, before: 4 })]
    }),
    ("unary", &[7], |d, _, x| {
        // Kept where logarithms and roots are numbers.
        let x = d.push(|y| Op::Affine { x, y, scale: 0.4, offset: 1.1 });
        UNARY.map(|f| d.push(|y| Op::Unary { x, y, f })).into()
    }),
    ("affine", &[7], |d, _, x| {
        let forms = [(1.0, 0.0), (2.0, 0.0), (1.0, -3.0), (0.5, 0.25)];
        forms.map(|(scale, offset)| d.push(|y| Op::Affine { x, y, scale, offset })).into()
    }),
    ("clamp", &[7], |d, _, x| vec![d.push(|y| Op::Clamp { x, y, low: -0.5, high: 0.25 })]),
    ("binary", &[3, 4], |d, r, x| {
        let row = d.push(|y| Op::Reduce { x, y, f: Reduction::Sum, axis: 0 });
        let row = d.reshape(row, &[4]);
        let far = d.push(|y| Op::Affine { x: row, y, scale: 0.1, offset: 3.0 });
        let fixed = d.weights(r, &[4]);
        let column = d.weights(r, &[2, 3, 1]);
        let mut ys: Vec<ValueId> =
            BINARY.map(|f| d.push(|y| Op::Binary { a: x, b: far, y, f })).into();
        ys.push(d.push(|y| Op::Binary { a: fixed, b: x, y, f: Binary::Sub }));
        ys.push(d.push(|y| Op::Binary { a: x, b: column, y, f: Binary::Mul }));
        ys.push(d.push(|y| Op::Binary { a: fixed, b: fixed, y, f: Binary::Add }));
        ys
    }),
    ("reduce", &[3, 4, 2], |d, _, x| {
        let mut ys = Vec::new();
        for f in [Reduction::Sum, Reduction::Mean, Reduction::Max] {
            ys.extend((0..3).map(|axis| d.push(|y| Op::Reduce { x, y, f, axis })));
        }
        ys
    }),
    ("cumulative_sum", &[3, 4, 2], |d, _, x| {
        let of = |(axis, reverse)| d.push(|y| Op::CumulativeSum { x, y, axis, reverse });
        [(0, false), (1, false), (2, false), (0, true), (2, true)].map(of).into()
    }),
    ("slice and concat", &[6, 4], |d, r, x| {
        let a = d.push(|y| Op::Slice { x, y, axis: 0, start: 1, end: 4 });
        let b = d.push(|y| Op::Slice { x, y, axis: 1, start: 3, end: 4 });
        let fixed = d.weights(r, &[2, 4]);
        vec![b, d.push(|y| Op::Concat { xs: vec![a, fixed, x], y, axis: 0 })]
    }),
    ("reshape and permute", &[2, 3, 4], |d, _, x| {
        let a = d.reshape(x, &[6, 4]);
        let b = d.push(|y| Op::Permute { x, y, axes: vec![2, 0, 1] });
        let c = d.push(|y| Op::Permute { x: a, y, axes: vec![1, 0] });
        let c = d.push(|y| Op::Affine { x: c, y, scale: 2.0, offset: 0.5 });
        let flat = d.reshape(c, &[24]);
        vec![b, c, flat, d.reshape(x, &[24])]
    }),
    ("an input and a tensor as outputs", &[4], |d, r, x| {
        let fixed = d.weights(r, &[2, 3]);
        vec![x, fixed]
    }),
    ("an autoencoder", &[40], |d, r, x| {
        let widths = [16, 16, 4, 16, 16];
        let h = widths.iter().fold(x, |h, &n| d.dense(r, h, n, Some(Unary::Relu)));
        vec![d.dense(r, h, 40, None)]
    }),
];

pub(crate) const INTEGERS: &[Line] = &[
    ("quantize and dequantize", &[9], |d, _, x| {
        let q = d.push_i8(Q, |y| Op::Quantize { x, y });
        vec![q, d.push(|y| Op::Dequantize { x: q, y })]
    }),
    ("quantized linear", &[9], |d, r, x| {
        let x = d.push_i8(Q, |y| Op::Quantize { x, y });
        let weights = d.integers(r, &[5, 9], 5);
        let float = d.push(|y| Op::QuantizedLinear { x, weights, y, clamp: [-128, 127] });
        let mut ys = vec![float];
        for clamp in [[-128, 127], [Y.zero_point, 127], [-20, 60]] {
            ys.push(d.push_i8(Y, |y| Op::QuantizedLinear { x, weights, y, clamp }));
        }
        ys
    }),
    ("quantized linear over rows", &[3, 9], |d, r, x| {
        let x = d.push_i8(Q, |y| Op::Quantize { x, y });
        let weights = d.integers(r, &[5, 9], 5);
        vec![d.push_i8(Y, |y| Op::QuantizedLinear { x, weights, y, clamp: [-128, 127] })]
    }),
    ("quantized linear in four bits", &[3, 41], |d, r, x| {
        let x = d.push_i8(Q, |y| Op::Quantize { x, y });
        let weights = d.four_bits(r, &[5, 41], 5, &[5, 2]);
        vec![d.push_i8(Y, |y| Op::QuantizedLinear { x, weights, y, clamp: [-128, 127] })]
    }),
    ("quantized conv1d", &[10, 4], |d, r, x| {
        let x = d.push_i8(Q, |y| Op::Quantize { x, y });
        let (weights, next) = (d.integers(r, &[6, 3, 4], 6), d.integers(r, &[5, 2, 6], 5));
        let clamp = [Y.zero_point, 127];
        let h = d.push_i8(Y, |y| Op::QuantizedConv1d {
            x,
            weights,
            y,
            clamp,
            stride: 2,
            dilation: 1,
            padding: [2, 0],
        });
        let clamp = [-128, 127];
        let y = d.push_i8(Q, |y| Op::QuantizedConv1d {
            x: h,
            weights: next,
            y,
            clamp,
            stride: 1,
            dilation: 2,
            padding: [0, 1],
        });
        vec![h, y]
    }),
    ("quantized conv_transpose1d", &[5, 4], |d, r, x| {
        let x = d.push_i8(Q, |y| Op::Quantize { x, y });
        let weights = d.integers(r, &[4, 6, 4], 6);
        let clamp = [-128, 127];
        vec![d.push_i8(Y, |y| Op::QuantizedConvTranspose1d {
            x,
            weights,
            y,
            clamp,
            stride: 2,
            trim: [1, 0],
        })]
    }),
    ("quantized convolutions in four bits", &[9, 20], |d, r, x| {
        let x = d.push_i8(Q, |y| Op::Quantize { x, y });
        let weights = d.four_bits(r, &[3, 2, 20], 3, &[3, 2]);
        let clamp = [-128, 127];
        let h = d.push_i8(Y, |y| Op::QuantizedConv1d {
            x,
            weights,
            y,
            clamp,
            stride: 1,
            dilation: 1,
            padding: [1, 0],
        });
        let weights = d.four_bits(r, &[2, 7, 3], 7, &[2, 7, 1]);
        vec![d.push_i8(Y, |y| Op::QuantizedConvTranspose1d {
            x: h,
            weights,
            y,
            clamp,
            stride: 2,
            trim: [0, 0],
        })]
    }),
    ("quantized add", &[3, 4], |d, _, x| {
        let a = d.push_i8(Q, |y| Op::Quantize { x, y });
        let b = d.push(|y| Op::Affine { x, y, scale: -0.3, offset: 0.2 });
        let b = d.push_i8(Y, |y| Op::Quantize { x: b, y });
        vec![d.push_i8(Y, |y| Op::QuantizedAdd { a, b, y, clamp: [-128, 127] })]
    }),
    ("lookup", &[8], |d, r, x| {
        let x = d.push_i8(Q, |y| Op::Quantize { x, y });
        let table: Vec<i8> = (0..256).map(|_| r.below(256) as u8 as i8).collect();
        let table = d.array(Dtype::I8, &[256], Array::new([256], &table));
        vec![d.push_i8(Y, |y| Op::Lookup { x, table, y })]
    }),
    ("bytes that move", &[6, 4], |d, _, x| {
        let x = d.push_i8(Q, |y| Op::Quantize { x, y });
        let a = d.push_i8(Q, |y| Op::Slice { x, y, axis: 0, start: 1, end: 4 });
        let b = d.push_i8(Q, |y| Op::Concat { xs: vec![a, x], y, axis: 0 });
        let c = d.push_i8(Q, |y| Op::Permute { x: b, y, axes: vec![1, 0] });
        vec![a, b, c, d.reshape(c, &[36])]
    }),
];

impl Draft {
    /// The program of a line, and an input of it.
    pub(crate) fn line((name, shape, build): &Line) -> Ready {
        let mut draft = Self::new(name);
        let x = draft.input("x", shape);
        let outputs = build(&mut draft, &mut Random(7), x);
        for (i, y) in outputs.into_iter().enumerate() {
            draft.output(&format!("y{i}"), y);
        }
        draft.verify()
    }
}
