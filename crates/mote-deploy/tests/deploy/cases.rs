//! Programs that together hold every operation, in real numbers, eight and four bits.

use mote_format::{
    Op, Quantization, ValueId,
    program::{Binary, Reduction, Unary, Value},
};

use crate::support::draft::{Bits, Draft, autoencoder};

/// All programs, by name.
pub(crate) fn all() -> Vec<(&'static str, Draft)> {
    vec![
        ("autoencoder", autoencoder(Bits::Eight)),
        ("integers", integers(false)),
        ("four_bits", integers(true)),
        ("odd_integers", odd_integers(false)),
        ("odd_four_bits", odd_integers(true)),
        ("layers", layers()),
        ("elements", elements()),
        ("shapes", shapes()),
        ("folds", folds()),
        ("steps", steps()),
        ("integer_steps", integer_steps()),
        ("attention_steps", attention_steps()),
    ]
}

fn q(scale: f32, zero_point: i8) -> Quantization {
    Quantization { scale, zero_point }
}

/// A small convolutional autoencoder on bytes, as quantization makes it: real numbers in and out,
/// padding, strides, dilation, a transposed convolution, a residual sum, a lookup.
fn integers(four_bits: bool) -> Draft {
    let mut d = Draft::new("reconstruct");
    let weights = |d: &mut Draft, shape: &[usize], outputs, four: (usize, usize, usize)| {
        if four_bits { d.four_bits(shape, outputs, four) } else { d.weights(shape, outputs) }
    };
    let x = d.input("x", Value::f32([12, 3]));
    let bytes = d.push_i8(q(0.02, 7), |y| Op::Quantize { x, y });
    let w = weights(&mut d, &[6, 3, 3], 6, (6, 1, 9));
    let wide = d.push_i8(q(0.3, -11), |y| Op::QuantizedConv1d {
        x: bytes,
        weights: w,
        y,
        clamp: [-11, 127],
        stride: 1,
        dilation: 2,
        padding: [2, 2],
    });
    let w = weights(&mut d, &[10, 4, 6], 10, (10, 1, 24));
    let half = d.push_i8(q(2.0, 5), |y| Op::QuantizedConv1d {
        x: wide,
        weights: w,
        y,
        clamp: [-128, 127],
        stride: 2,
        dilation: 1,
        padding: [1, 1],
    });
    let table: Vec<i8> = (0..256i32).map(|i| ((i - 128) / 2) as i8).collect();
    let table = {
        let array = mote_format::Array::new([256], &table);
        d.array(mote_format::Dtype::I8, &[256], array)
    };
    let bent = d.push_i8(q(2.0, 5), |y| Op::Lookup { x: half, table, y });
    let w = weights(&mut d, &[5, 6, 10], 6, (5, 6, 10));
    let back = d.push_i8(q(9.0, -4), |y| Op::QuantizedConvTranspose1d {
        x: bent,
        weights: w,
        y,
        clamp: [-100, 100],
        stride: 2,
        trim: [1, 2],
    });
    let sum =
        d.push_i8(q(5.0, 3), |y| Op::QuantizedAdd { a: wide, b: back, y, clamp: [-128, 120] });
    let w = weights(&mut d, &[3, 6], 3, (3, 1, 6));
    let y = d.push(|y| Op::QuantizedLinear { x: sum, weights: w, y, clamp: [-128, 127] });
    let real = d.push(|y| Op::Dequantize { x: half, y });
    d.output("y", y);
    d.output("latent", real);
    d.output("bytes", sum);
    d
}

/// Layers of shapes that fit no tile: one input, one output, more outputs than a tile, more inputs
/// than a chunk, weights of -128, a stride longer than the kernel.
fn odd_integers(four_bits: bool) -> Draft {
    let mut d = Draft::new("odd");
    for (i, (inputs, outputs)) in
        [(1, 1), (3, 2), (7, 5), (16, 4), (17, 65), (128, 64), (129, 7), (300, 67)]
            .into_iter()
            .enumerate()
    {
        let x = d.input(&format!("x{i}"), Value::i8([2, inputs], q(0.01, 9)));
        let shape = [outputs, inputs];
        let weights = if four_bits {
            d.four_bits(&shape, outputs, (outputs, 1, inputs))
        } else {
            d.weights(&shape, outputs)
        };
        let y =
            d.push_i8(q(0.5, -2), |y| Op::QuantizedLinear { x, weights, y, clamp: [-128, 127] });
        d.output(&format!("y{i}"), y);
    }
    let x = d.input("least", Value::i8([19], q(0.01, -128)));
    let mut weights = d.weights(&[5, 19], 5);
    let least = mote_format::Array::new([5, 19], &[-128i8; 95]);
    weights.w = d.array(mote_format::Dtype::I8, &[5, 19], least);
    let y = d.push_i8(q(0.5, 0), |y| Op::QuantizedLinear { x, weights, y, clamp: [-128, 127] });
    d.output("least", y);
    let x = d.input("few", Value::i8([3, 5], q(0.01, 1)));
    let weights = d.weights(&[2, 3, 5], 3);
    let y = d.push_i8(q(0.1, 0), |y| Op::QuantizedConvTranspose1d {
        x,
        weights,
        y,
        clamp: [-128, 127],
        stride: 3,
        trim: [0, 1],
    });
    d.output("few", y);
    // More phases than the stack is asked to hold.
    let x = d.input("many", Value::i8([3, 4], q(0.01, 1)));
    let weights = d.weights(&[7, 2, 4], 2);
    let y = d.push_i8(q(0.1, 0), |y| Op::QuantizedConvTranspose1d {
        x,
        weights,
        y,
        clamp: [-128, 127],
        stride: 6,
        trim: [1, 0],
    });
    d.output("many", y);
    d
}

/// Layers of real numbers, with activations.
fn layers() -> Draft {
    let mut d = Draft::new("score");
    let x = d.input("x", Value::f32([10, 3]));
    let (w, bias) = (d.reals(&[7, 3, 3]), Some(d.reals(&[7])));
    let wide = d.push(|y| Op::Conv1d {
        x,
        w,
        bias,
        y,
        stride: 2,
        dilation: 2,
        padding: [3, 2],
        activation: Some(Unary::Silu),
    });
    let w = d.reals(&[3, 5, 7]);
    let back = d.push(|y| Op::ConvTranspose1d {
        x: wide,
        w,
        bias: None,
        y,
        stride: 2,
        trim: [0, 1],
        activation: Some(Unary::Relu),
    });
    let (gain, bias) = (d.reals(&[5]), Some(d.reals(&[5])));
    let even = d.push(|y| Op::LayerNorm { x: back, gain, bias, y, epsilon: 1e-5 });
    let (w, bias) = (d.reals(&[9, 5]), Some(d.reals(&[9])));
    let linear = d.push(|y| Op::Linear { x: even, w, bias, y, activation: None });
    let soft = d.push(|y| Op::Softmax { x: linear, y });
    d.output("probability", soft);
    d.output("type", even);
    d
}

/// Each function of one number and of two.
fn elements() -> Draft {
    let mut d = Draft::new("elements");
    let x = d.input("x", Value::f32([4, 5]));
    let positive = d.push(|y| Op::Unary { x, y, f: Unary::Softplus });
    for f in [
        Unary::Relu,
        Unary::Silu,
        Unary::Gelu,
        Unary::Sigmoid,
        Unary::Tanh,
        Unary::Softplus,
        Unary::Exp,
        Unary::Square,
        Unary::Abs,
    ] {
        let y = d.push(|y| Op::Unary { x, y, f });
        d.output(&format!("{f:?}"), y);
    }
    for f in [Unary::Log, Unary::Sqrt, Unary::Recip] {
        let y = d.push(|y| Op::Unary { x: positive, y, f });
        d.output(&format!("{f:?}"), y);
    }
    let (row, column) = (d.reals(&[5]), d.reals(&[4, 1]));
    for f in [Binary::Add, Binary::Sub, Binary::Mul, Binary::Max, Binary::Min] {
        let rows = d.push(|y| Op::Binary { a: x, b: row, y, f });
        let columns = d.push(|y| Op::Binary { a: column, b: rows, y, f });
        let same = d.push(|y| Op::Binary { a: columns, b: x, y, f });
        d.output(&format!("{f:?}"), same);
    }
    let ratio = d.push(|y| Op::Binary { a: x, b: positive, y, f: Binary::Div });
    let ratio = d.push(|y| Op::Affine { x: ratio, y, scale: 1.5, offset: -0.25 });
    let y = d.push(|y| Op::Clamp { x: ratio, y, low: -1.0, high: f32::INFINITY });
    d.output("clamped", y);
    d
}

/// What only moves numbers, real ones and bytes.
fn shapes() -> Draft {
    let mut d = Draft::new("shapes");
    let x = d.input("x", Value::f32([2, 3, 4]));
    let b = d.input("b", Value::i8([2, 3, 4], q(1.0, 0)));
    for (name, x, of) in [("real", x, None), ("bytes", b, Some(q(1.0, 0)))] {
        let push = |d: &mut Draft, op: &dyn Fn(ValueId) -> Op| match of {
            Some(q) => d.push_i8(q, op),
            None => d.push(op),
        };
        let part = push(&mut d, &|y| Op::Slice { x, y, axis: 1, start: 1, end: 3 });
        let both = push(&mut d, &|y| Op::Concat { xs: vec![part, x, part], y, axis: 1 });
        let turned = push(&mut d, &|y| Op::Permute { x: both, y, axes: vec![2, 0, 1] });
        let flat = d.program.values[turned.index()].clone();
        let flat = d.value(Value { shape: vec![4, 14], ..flat });
        d.program.ops.push(Op::Reshape { x: turned, y: flat });
        let y = push(&mut d, &|y| Op::Slice { x: flat, y, axis: 1, start: 3, end: 11 });
        d.output(name, y);
    }
    let constant = d.reals(&[6]);
    let y = d.value(Value::f32([2, 3]));
    d.program.ops.push(Op::Reshape { x: constant, y });
    d.output("constant", y);
    d.output("tensor", constant);
    d
}

/// Folds along each axis.
fn folds() -> Draft {
    let mut d = Draft::new("folds");
    let x = d.input("x", Value::f32([3, 4, 5]));
    for (axis, reverse) in [(0, false), (1, false), (2, false), (0, true), (2, true)] {
        let y = d.push(|y| Op::CumulativeSum { x, y, axis, reverse });
        d.output(&format!("up to {axis} {reverse}"), y);
    }
    for f in [Reduction::Sum, Reduction::Mean, Reduction::Max] {
        for axis in 0..3 {
            let y = d.push(|y| Op::Reduce { x, y, f, axis });
            d.output(&format!("{f:?} {axis}"), y);
        }
    }
    d
}

/// `x`, so many samples late.
fn delayed(d: &mut Draft, x: ValueId, steps: usize, of: Option<Quantization>) -> ValueId {
    let &[time, width] = d.program.shape(x) else { unreachable!("series have two axes") };
    let push = |d: &mut Draft, op: &dyn Fn(ValueId) -> Op| match of {
        Some(q) => d.push_i8(q, op),
        None => d.push(op),
    };
    let zeros = d.zeros([steps, width], of);
    let early = push(d, &|y| Op::Slice { x, y, axis: 0, start: 0, end: time - steps });
    push(d, &|y| Op::Concat { xs: vec![zeros, early], y, axis: 0 })
}

/// One sample at a time: what is remembered lies in rings, one of them read twice, and a mean that
/// does not.
fn steps() -> Draft {
    let mut d = Draft::new("window");
    let x = d.input("x", Value::f32([9, 3]));
    let late = delayed(&mut d, x, 2, None);
    let (w, bias) = (d.reals(&[4, 3, 3]), Some(d.reals(&[4])));
    let (stride, dilation, padding, activation) = (1, 2, [4, 0], Some(Unary::Silu));
    let y = d.push(|y| Op::Conv1d { x: late, w, bias, y, stride, dilation, padding, activation });
    let w = d.reals(&[2, 4]);
    let y = d.push(|z| Op::Linear { x: y, w, bias: None, y: z, activation: None });
    d.output("y", y);
    let mut d = d.step();
    let before = d.input("state.mean", Value::f32([1, 3]));
    let sum = d.push(|y| Op::Binary { a: before, b: x, y, f: Binary::Add });
    let mean = d.push(|y| Op::Affine { x: sum, y, scale: 0.5, offset: 0.0 });
    d.output("sum", sum);
    d.output("state.mean", mean);
    d
}

/// The same on bytes, in rows of whole words and in others, with zeros that are no zero bytes.
fn integer_steps() -> Draft {
    let mut d = Draft::new("window");
    let (of_x, of_y) = (q(0.02, 7), q(0.5, -11));
    let x = d.input("x", Value::i8([9, 4], of_x));
    let weights = d.weights(&[3, 2, 4], 3);
    let (stride, clamp) = (1, [-128, 127]);
    let (dilation, padding) = (3, [3, 0]);
    let y = d.push_i8(of_y, |y| Op::QuantizedConv1d {
        x,
        weights,
        y,
        clamp,
        stride,
        dilation,
        padding,
    });
    let late = delayed(&mut d, y, 1, Some(of_y));
    let weights = d.weights(&[5, 3, 3], 5);
    let (dilation, padding) = (1, [2, 0]);
    let y = d.push_i8(of_y, |y| Op::QuantizedConv1d {
        x: late,
        weights,
        y,
        clamp,
        stride,
        dilation,
        padding,
    });
    d.output("late", late);
    d.output("y", y);
    d.step()
}

/// Attention of one sample to those before it, whose keys and values lie in rings, and to itself alone.
fn attention_steps() -> Draft {
    let mut d = Draft::new("window");
    let x = d.input("x", Value::f32([9, 4]));
    let heads = |d: &mut Draft, width: usize| {
        let w = d.reals(&[2 * width, 4]);
        let rows = d.push(|y| Op::Linear { x, w, bias: None, y, activation: None });
        let y = d.value(Value::f32([9, 2, width]));
        d.program.ops.push(Op::Reshape { x: rows, y });
        y
    };
    let (q, k, v) = (heads(&mut d, 3), heads(&mut d, 3), heads(&mut d, 5));
    for (name, window) in [("late", 4), ("now", 1)] {
        let bias = d.reals(&[2, window]);
        let y = d.push(|y| Op::Attention { q, k, v, bias, y, before: window - 1 });
        d.output(name, y);
    }
    // Keys that are values as well.
    let bias = d.reals(&[2, 3]);
    let y = d.push(|y| Op::Attention { q, k, v: k, bias, y, before: 2 });
    d.output("both", y);
    d.step()
}
