//! Channels are made of one size where the program stays the same, and left alone elsewhere.

use mote_compress::{Bits, Ports, Rounding, Sample, Scheme, fidelity, quantize};
use mote_format::{
    Array, Op, Tensors, ValueId, Verified,
    program::{Binary, Reduction, Unary, Value},
};

use crate::net::{Net, found, samples};

/// By how many dB the signal is above the error in bytes, with channels as they are and with equalized ones, and how many
/// products there are in the second.
fn decibels(
    program: &Verified,
    tensors: &Tensors,
    of: impl Fn(u64) -> Vec<Sample>,
) -> ([f64; 2], usize) {
    let (tensors, seen, held) = (found(tensors), of(1), of(2));
    let mut products = 0;
    let near = [false, true].map(|equalize| {
        let scheme = Scheme { equalize, rounding: Rounding::Nearest, ..Bits::Eight.into() };
        let (small, made) = quantize(program, &tensors, &seen, scheme).unwrap();
        let product = |op: &&Op| matches!(op, Op::Binary { f: Binary::Mul, .. });
        products = small.ops.iter().filter(product).count();
        let near = fidelity((program, &tensors), (&small, &found(&made)), &held, &Ports::default());
        near.unwrap().iter().map(|near| near.signal_to_noise_db).fold(f64::INFINITY, f64::min)
    });
    (near, products)
}

/// Multiplies each number of a tensor.
fn scale(tensors: &mut Tensors, name: &str, factor: impl Fn(usize) -> f32) {
    let tensor = tensors[name].tensor();
    let scaled: Vec<f32> =
        tensor.reals().unwrap().iter().enumerate().map(|(i, w)| w * factor(i)).collect();
    let array = Array::new(tensor.shape, &scaled);
    tensors.insert(name.into(), array);
}

/// Channels of very different sizes share one step: equalized, small ones have digits too. The real program
/// computes the same.
#[test]
fn channels_of_one_size_lose_less() {
    let mut net = Net::new(&[10, 12]);
    let a = net.conv(ValueId(0), 16, 1, Some(Unary::Relu));
    let b = net.conv(a, 16, 2, None);
    let y = net.linear(b, 5);
    let (program, mut tensors) = net.finish(y);
    // The first layer's outputs become a thousandth to a thousand times as large, and its readers make up for it.
    let factor = |o: usize| 10f32.powi([-3, 0, 3, 1][o % 4]);
    scale(&mut tensors, "t0", |i| factor(i / 24));
    scale(&mut tensors, "t1", factor);
    scale(&mut tensors, "t2", |i| 1.0 / factor(i % 16));
    let ([plain, equal], products) = decibels(&program, &tensors, |seed| samples(64, 120, seed));
    assert!(equal > 30.0 && equal > plain + 15.0, "{equal} dB, {plain} as they are");
    assert_eq!(products, 0, "where layers write, their weights are scaled");
}

/// What a window looks like to the layers of a model that looks back: scaled, beside a mask, one row later; here for
/// two layers, of which the second reads with the weights of the first. Input 3 is `loud` times as large
/// as the others, and its weights make up for it.
fn window(loud: f32) -> (Verified, Tensors, impl Fn(u64) -> Vec<Sample>) {
    let mut net = Net::new(&[10, 6]);
    let x = ValueId(0);
    let z = net.push(|y| Op::Affine { x, y, scale: 0.5, offset: 0.1 });
    let mask = net.push(|y| Op::Clamp { x, y, low: 0.0, high: 0.5 });
    let both = net.push(|y| Op::Concat { xs: vec![z, mask], y, axis: 1 });
    let past = net.push(|y| Op::Slice { x: both, y, axis: 0, start: 0, end: 9 });
    let none = net.tensor(&[1, 12], 0.0);
    let late = net.push(|y| Op::Concat { xs: vec![none, past], y, axis: 0 });
    let a = net.conv(late, 16, 1, Some(Unary::Relu));
    let b = net.linear(a, 5);
    let Op::Conv1d { w, bias, stride, dilation, padding, activation, .. } =
        net.program.ops.iter().find(|op| matches!(op, Op::Conv1d { .. })).unwrap().clone()
    else {
        unreachable!()
    };
    let again =
        net.push(|y| Op::Conv1d { x: both, w, bias, y, stride, dilation, padding, activation });
    let c = net.linear(again, 5);
    let y = net.push(|y| Op::Binary { a: b, b: c, y, f: Binary::Add });
    let kernel = net.program.values[w.index()].tensor.clone().unwrap();
    let (program, mut tensors) = net.finish(y);
    scale(&mut tensors, &kernel, |i| if i % 12 == 3 { 1.0 / loud } else { 1.0 });
    let of = move |seed| {
        let mut all = samples(64, 60, seed);
        all.iter_mut().for_each(|s| s[0].iter_mut().skip(3).step_by(6).for_each(|x| *x *= loud));
        all
    };
    (program, tensors, of)
}

#[test]
fn a_loud_input_leaves_digits_to_the_others() {
    let (program, tensors, of) = window(200.0);
    let ([plain, equal], products) = decibels(&program, &tensors, of);
    assert!(equal > 30.0 && equal > plain + 15.0, "{equal} dB, {plain} as they are");
    assert_eq!(products, 1, "both layers read the same product");
}

#[test]
fn inputs_of_like_size_get_no_product() {
    let (program, tensors, of) = window(1.0);
    let ([plain, equal], products) = decibels(&program, &tensors, of);
    assert!(equal > 30.0 && (equal - plain).abs() < 3.0, "{equal} dB, {plain} as they are");
    assert_eq!(products, 0);
}

/// Weights that something else reads too, and channels that are folded into others, cannot be scaled.
#[test]
fn what_others_read_stays_as_it_is() {
    for folded in [false, true] {
        let mut net = Net::new(&[10, 12]);
        let a = net.conv(ValueId(0), 16, 1, None);
        let mut y = if folded {
            let flat = net.value(Value::f32([5, 32]));
            net.program.ops.push(Op::Reshape { x: a, y: flat });
            net.linear(flat, 16)
        } else {
            net.linear(a, 16)
        };
        let weights: Vec<ValueId> = net
            .program
            .ops
            .iter()
            .filter_map(|op| match op {
                Op::Linear { w, .. } if !folded => Some(*w),
                _ => None,
            })
            .collect();
        for b in weights {
            let sums = net.push(|y| Op::Reduce { x: b, y, axis: 0, f: Reduction::Sum });
            y = net.push(|to| Op::Binary { a: y, b: sums, y: to, f: Binary::Add });
        }
        let (program, mut tensors) = net.finish(y);
        scale(&mut tensors, "t0", |i| if i / 24 == 3 { 4.0 } else { 1.0 });
        let ([plain, equal], products) =
            decibels(&program, &tensors, |seed| samples(64, 120, seed));
        assert!(equal > 20.0 && (equal - plain).abs() < 1e-6, "{equal} dB, {plain} as they are");
        assert_eq!(products, 0);
    }
}
