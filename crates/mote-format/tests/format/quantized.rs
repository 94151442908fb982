//! A small model of integers: every type that a file may hold, each layer in eight or four bits.

use mote_format::{
    Array, Dtype, Manifest, Op, Program, Quantization, Tensors, ValueId, model,
    program::{Value, Weights},
};

use crate::sample::{self, port};

pub(crate) const Q: Quantization = Quantization { scale: 0.25, zero_point: -3 };

/// What each value is; operations below name them by number.
const VALUES: usize = 21;

/// Bytes through a convolution in eight bits, a transposed one in four, a lookup, a sum, and two
/// linear layers: four bits to bytes, eight to real numbers.
pub(crate) fn program() -> Program {
    let real = Value::f32;
    let bytes = |shape: &[usize]| Value::i8(shape, Q);
    let tensor = |name: &str, dtype, shape: &[usize]| Value::tensor(name, dtype, shape);
    let values = vec![
        real(vec![4, 3]),
        bytes(&[4, 3]),
        tensor("conv.w", Dtype::I8, &[5, 2, 3]),
        tensor("conv.scale", Dtype::F32, &[5]),
        tensor("conv.bias", Dtype::I32, &[5]),
        bytes(&[4, 5]),
        tensor("up.w", Dtype::I4, &[3, 2, 5]),
        tensor("up.scale", Dtype::F32, &[2]),
        tensor("up.groups", Dtype::U8, &[3, 2, 1]),
        bytes(&[8, 2]),
        tensor("table", Dtype::I8, &[256]),
        bytes(&[8, 2]),
        bytes(&[8, 2]),
        tensor("four.w", Dtype::I4, &[3, 2]),
        tensor("four.scale", Dtype::F32, &[3]),
        tensor("four.groups", Dtype::U8, &[3, 1]),
        tensor("four.bias", Dtype::I32, &[3]),
        bytes(&[8, 3]),
        tensor("head.w", Dtype::I8, &[1, 3]),
        tensor("head.scale", Dtype::F32, &[1]),
        real(vec![8, 1]),
    ];
    assert_eq!(values.len(), VALUES);
    Program {
        name: "score".into(),
        values,
        inputs: vec![port("x", 0)],
        outputs: vec![port("nll", 20)],
        ops: vec![
            Op::Quantize { x: ValueId(0), y: ValueId(1) },
            conv(1, weights(2, 3, None, Some(4)), 5),
            up(5, weights(6, 7, Some(8), None), 9),
            Op::Lookup { x: ValueId(9), table: ValueId(10), y: ValueId(11) },
            add(9, 11, 12),
            linear(12, weights(13, 14, Some(15), Some(16)), 17, [-100, 100]),
            linear(17, weights(18, 19, None, None), 20, [-128, 127]),
        ],
    }
}

pub(crate) fn weights(w: u32, scale: u32, groups: Option<u32>, bias: Option<u32>) -> Weights {
    let (w, scale) = (ValueId(w), ValueId(scale));
    Weights { w, scale, groups: groups.map(ValueId), bias: bias.map(ValueId) }
}

pub(crate) fn linear(x: u32, weights: Weights, y: u32, clamp: [i8; 2]) -> Op {
    Op::QuantizedLinear { x: ValueId(x), weights, y: ValueId(y), clamp }
}

pub(crate) fn add(a: u32, b: u32, y: u32) -> Op {
    Op::QuantizedAdd { a: ValueId(a), b: ValueId(b), y: ValueId(y), clamp: [-128, 127] }
}

fn conv(x: u32, weights: Weights, y: u32) -> Op {
    let (x, y, clamp, padding) = (ValueId(x), ValueId(y), [-3, 127], [1, 0]);
    Op::QuantizedConv1d { x, weights, y, clamp, stride: 1, dilation: 1, padding }
}

fn up(x: u32, weights: Weights, y: u32) -> Op {
    let (x, y, clamp) = (ValueId(x), ValueId(y), [-128, 127]);
    Op::QuantizedConvTranspose1d { x, weights, y, clamp, stride: 2, trim: [1, 0] }
}

pub(crate) fn tensors() -> Tensors {
    let mut tensors = Tensors::new();
    for value in program().values {
        let Some(name) = value.tensor else { continue };
        let (dtype, shape) = value.dtype.stored(&value.shape);
        let n: usize = shape.iter().product();
        let number = |i: usize| (i * 37 % 251) as u8;
        let array = match dtype {
            Dtype::F32 => Array::new(shape, &vec![0.125f32; n]),
            Dtype::I32 => Array::new(shape, &(0..n).map(|i| i as i32 * 99).collect::<Vec<_>>()),
            Dtype::I8 => Array::new(shape, &(0..n).map(|i| number(i) as i8).collect::<Vec<_>>()),
            _ => Array::new(shape, &(0..n).map(number).collect::<Vec<_>>()),
        };
        tensors.insert(name, array);
    }
    tensors
}

pub(crate) fn manifest() -> Manifest {
    Manifest { programs: vec![program()], ..sample::manifest() }
}

/// The model as a file.
pub(crate) fn file() -> Vec<u8> {
    model::write(&manifest(), &tensors())
}
