//! Builds programs by hand: those that every implementation has to agree on, here and in the tests of
//! `mote-deploy`, which use this file.

use std::collections::BTreeMap;

use mote_format::{
    Array, Dtype, Op, Program, Quantization, ValueId, Verified,
    container::{Tensor, f16},
    program::{Binary, Port, Unary, Value, Weights},
    shape,
};
use mote_runtime::step;

/// A program that grows by one value at a time.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) program: Program,
    pub(crate) tensors: BTreeMap<String, Array>,
    state: u64,
}

// Not every test uses all of it.
#[allow(dead_code)]
impl Draft {
    pub(crate) fn new(name: &str) -> Self {
        let program = Program {
            name: name.into(),
            values: vec![],
            inputs: vec![],
            outputs: vec![],
            ops: vec![],
        };
        Self { program, tensors: BTreeMap::new(), state: 1 }
    }

    /// Sixteen bits without a pattern.
    pub(crate) fn random(&mut self) -> u16 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.state >> 48) as u16
    }

    pub(crate) fn value(&mut self, value: Value) -> ValueId {
        self.program.values.push(value);
        ValueId(self.program.values.len() as u32 - 1)
    }

    pub(crate) fn input(&mut self, name: &str, value: Value) -> ValueId {
        let value = self.value(value);
        self.program.inputs.push(Port { name: name.into(), value });
        value
    }

    pub(crate) fn output(&mut self, name: &str, value: ValueId) {
        self.program.outputs.push(Port { name: name.into(), value });
    }

    /// A tensor; `shape` is that of the value, which four-bit ones are not stored in.
    pub(crate) fn array(&mut self, dtype: Dtype, shape: &[usize], array: Array) -> ValueId {
        let name = format!("t{}", self.tensors.len());
        self.tensors.insert(name.clone(), array);
        self.value(Value::tensor(name, dtype, shape))
    }

    /// Real numbers from -1 to 1.
    pub(crate) fn reals(&mut self, shape: &[usize]) -> ValueId {
        let n = shape.iter().product();
        let data: Vec<f32> = (0..n).map(|_| f32::from(self.random()) / 32768.0 - 1.0).collect();
        self.array(Dtype::F32, shape, Array::new(shape, &data))
    }

    /// The same, in half precision if asked for.
    pub(crate) fn real_weights(&mut self, shape: &[usize], half: bool) -> ValueId {
        if !half {
            return self.reals(shape);
        }
        let n = shape.iter().product();
        // Some of them below the least normal number.
        let scale = |i: usize| if i.is_multiple_of(5) { 1e-5 } else { 1.0 };
        let one = |i| f16::from_f32(scale(i) * (f32::from(self.random()) / 32768.0 - 1.0));
        let data: Vec<f16> = (0..n).map(one).collect();
        self.array(Dtype::F16, shape, Array::new(shape, &data))
    }

    /// Appends the operation that writes `y`, with the shape that follows from what it reads.
    #[track_caller]
    pub(crate) fn push(&mut self, op: impl FnOnce(ValueId) -> Op) -> ValueId {
        let op = op(ValueId(self.program.values.len() as u32));
        let shape = shape::infer(&op, |id| self.program.shape(id)).expect("shapes that fit");
        self.program.ops.push(op);
        self.value(Value::f32(shape))
    }

    /// The same, where the result is bytes.
    #[track_caller]
    pub(crate) fn push_i8(&mut self, q: Quantization, op: impl FnOnce(ValueId) -> Op) -> ValueId {
        let y = self.push(op);
        let shape = self.program.shape(y).to_vec();
        self.program.values[y.index()] = Value::i8(shape, q);
        y
    }

    /// Eight-bit weights from -127 to 127 of this shape, with a bias.
    pub(crate) fn weights(&mut self, shape: &[usize], outputs: usize) -> Weights {
        let n = shape.iter().product();
        let data: Vec<i8> = (0..n).map(|_| (i32::from(self.random() % 255) - 127) as i8).collect();
        let w = self.array(Dtype::I8, shape, Array::new(shape, &data));
        let (scale, bias) = self.scale_and_bias(outputs);
        Weights { w, scale, groups: None, bias: Some(bias) }
    }

    /// Four-bit weights of this shape: `rows` of `blocks` of `inputs`.
    pub(crate) fn four_bits(
        &mut self,
        shape: &[usize],
        outputs: usize,
        (rows, blocks, inputs): (usize, usize, usize),
    ) -> Weights {
        let row_bytes = (blocks * inputs).div_ceil(2);
        let data: Vec<u8> = (0..rows * row_bytes).map(|_| self.random() as u8).collect();
        let w = self.array(Dtype::I4, shape, Array::new([rows, row_bytes], &data));
        let groups = inputs.div_ceil(32);
        let data: Vec<u8> = (0..rows * blocks * groups).map(|_| self.random() as u8).collect();
        let group_shape = if shape.len() == 3 && blocks > 1 {
            vec![rows, blocks, groups]
        } else {
            vec![rows, groups]
        };
        let groups = self.array(Dtype::U8, &group_shape, Array::new(group_shape.clone(), &data));
        let (scale, bias) = self.scale_and_bias(outputs);
        Weights { w, scale, groups: Some(groups), bias: Some(bias) }
    }

    fn scale_and_bias(&mut self, outputs: usize) -> (ValueId, ValueId) {
        let scale: Vec<f32> =
            (0..outputs).map(|_| 0.001 + f32::from(self.random()) / 1e7).collect();
        let bias: Vec<i32> = (0..outputs).map(|_| i32::from(self.random()) - 32768).collect();
        let scale = self.array(Dtype::F32, &[outputs], Array::new([outputs], &scale));
        let bias = self.array(Dtype::I32, &[outputs], Array::new([outputs], &bias));
        (scale, bias)
    }

    /// Real zero, as a tensor.
    pub(crate) fn zeros(&mut self, shape: [usize; 2], q: Option<Quantization>) -> ValueId {
        let n = shape.iter().product();
        let Some(q) = q else {
            return self.array(Dtype::F32, &shape, Array::new(shape, &vec![0.0f32; n]));
        };
        let zeros = Array::new(shape, &vec![q.zero_point; n]);
        let id = self.array(Dtype::I8, &shape, zeros);
        self.program.values[id.index()].quantization = Some(q);
        id
    }

    /// The program that advances this one by one sample.
    pub(crate) fn step(&self) -> Self {
        let tensors = self.tensors();
        let program = step(&self.verified(), "step", |name| tensors.get(name).cloned());
        Self { program: program.unwrap_or_else(|e| panic!("{e}")), ..self.clone() }
    }

    pub(crate) fn verified(&self) -> Verified {
        let stored = |name: &str| self.tensors.get(name).map(Array::stored);
        Verified::new(self.program.clone(), stored).unwrap_or_else(|e| panic!("{e}"))
    }

    pub(crate) fn tensors(&self) -> BTreeMap<String, Tensor<'_>> {
        self.tensors.iter().map(|(name, array)| (name.clone(), array.tensor())).collect()
    }
}

/// How the weights of a network are stored.
#[allow(dead_code)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bits {
    Real,
    Eight,
    Four,
}

/// The anomaly autoencoder of MLPerf Tiny, 640-128×4-8-128×4-640, with random weights.
#[allow(dead_code)]
pub(crate) fn autoencoder(bits: Bits) -> Draft {
    let mut d = Draft::new("reconstruct");
    let q = Quantization { scale: 0.05, zero_point: -3 };
    let mut x =
        d.input("x", if bits == Bits::Real { Value::f32([640]) } else { Value::i8([640], q) });
    let widths = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640];
    for (i, pair) in widths.windows(2).enumerate() {
        let (inputs, outputs, last) = (pair[0], pair[1], i == widths.len() - 2);
        let shape = [outputs, inputs];
        if bits == Bits::Real {
            let (w, bias) = (d.reals(&shape), Some(d.reals(&[outputs])));
            let activation = (!last).then_some(Unary::Relu);
            let y = d.push(|y| Op::Linear { x, w, bias, y, activation });
            // Sums of this many random numbers would grow from layer to layer.
            x = d.push(|x| Op::Affine { x: y, y: x, scale: 0.1, offset: 0.0 });
            continue;
        }
        let weights = match bits {
            Bits::Four => d.four_bits(&shape, outputs, (outputs, 1, inputs)),
            _ => d.weights(&shape, outputs),
        };
        let q = Quantization {
            scale: if bits == Bits::Four { 6.0 } else { 0.3 },
            zero_point: if last { 4 } else { -128 },
        };
        x = d.push_i8(q, |y| Op::QuantizedLinear { x, weights, y, clamp: [-128, 127] });
    }
    d.output("y", x);
    d
}

/// Rows of a window of [`causal`].
#[allow(dead_code)]
pub(crate) const WINDOW: usize = 64;

/// A stack of dilated causal convolutions behind a delay, as the flow conditions on the past: 64
/// samples of 12 numbers, 32 channels, dilation 1, 2, 4 and 8, with random weights.
#[allow(dead_code)]
pub(crate) fn causal(bits: Bits) -> Draft {
    const FEATURES: usize = 12;
    const CHANNELS: usize = 32;
    let mut d = Draft::new("window");
    let q = Quantization { scale: 0.05, zero_point: -3 };
    let real = bits == Bits::Real;
    let push = |d: &mut Draft, q: Quantization, op: &dyn Fn(ValueId) -> Op| {
        if real { d.push(op) } else { d.push_i8(q, op) }
    };
    let x = d.input("x", Value::f32([WINDOW, FEATURES]));
    let x = if real { x } else { d.push_i8(q, |y| Op::Quantize { x, y }) };
    let zeros = d.zeros([1, FEATURES], (!real).then_some(q));
    let early = push(&mut d, q, &|y| Op::Slice { x, y, axis: 0, start: 0, end: WINDOW - 1 });
    let mut h = push(&mut d, q, &|y| Op::Concat { xs: vec![zeros, early], y, axis: 0 });
    for (i, dilation) in [1, 2, 4, 8].into_iter().enumerate() {
        let shape = [CHANNELS, 2, if i == 0 { FEATURES } else { CHANNELS }];
        let (x, stride, padding) = (h, 1, [dilation, 0]);
        // What is rectified has no negative numbers, so that zero is the least byte.
        let of_y = Quantization { scale: 0.3, zero_point: -128 };
        let y = if real {
            let (w, bias) = (d.reals(&shape), Some(d.reals(&[CHANNELS])));
            let activation = Some(Unary::Relu);
            let y = d.push(|y| Op::Conv1d { x, w, bias, y, stride, dilation, padding, activation });
            // Sums of this many random numbers would grow from layer to layer.
            d.push(|x| Op::Affine { x: y, y: x, scale: 0.2, offset: 0.0 })
        } else {
            let (weights, clamp) = (d.weights(&shape, CHANNELS), [-128, 127]);
            d.push_i8(of_y, |y| Op::QuantizedConv1d {
                x,
                weights,
                y,
                clamp,
                stride,
                dilation,
                padding,
            })
        };
        h = match i {
            0 => y,
            _ if real => d.push(|z| Op::Binary { a: h, b: y, y: z, f: Binary::Add }),
            _ => {
                let clamp = [-128, 127];
                d.push_i8(of_y, |z| Op::QuantizedAdd { a: h, b: y, y: z, clamp })
            }
        };
    }
    let shape = [2 * FEATURES, CHANNELS];
    let y = if real {
        let (w, bias) = (d.reals(&shape), Some(d.reals(&[2 * FEATURES])));
        d.push(|y| Op::Linear { x: h, w, bias, y, activation: None })
    } else {
        let weights = d.weights(&shape, 2 * FEATURES);
        d.push(|y| Op::QuantizedLinear { x: h, weights, y, clamp: [-128, 127] })
    };
    d.output("y", y);
    d
}
