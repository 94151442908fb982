//! Linear layers and convolutions on shapes of every kind, against the formula.

use mote_format::{Op, program::Unary};
use mote_runtime::Level;
use proptest::prelude::*;

use crate::{
    draft::{Draft, Ready, run},
    oracle::check,
    random::{Random, length, some},
};

/// The bias of `outputs`, or none.
fn bias(
    draft: &mut Draft,
    random: &mut Random,
    outputs: usize,
    wanted: bool,
) -> Option<mote_format::ValueId> {
    wanted.then(|| draft.tensor(&[outputs], random.fill(&[outputs], 1.0)))
}

fn activation() -> impl Strategy<Value = Option<Unary>> {
    let functions = [Unary::Relu, Unary::Tanh, Unary::Sigmoid, Unary::Silu, Unary::Gelu];
    prop::option::of(prop::sample::select(functions.to_vec()))
}

proptest! {
    #[test]
    fn linear_is_its_formula(
        front in prop::collection::vec(0..5usize, 0..=3),
        (inputs, outputs) in (prop_oneof![9 => length(), 1 => Just(301usize)], length()),
        with_bias: bool,
        activation in activation(),
        seed: u64,
    ) {
        let (mut draft, mut random) = (Draft::new("linear"), Random(seed));
        let shape = [front, vec![inputs]].concat();
        let x = draft.input("x", &shape);
        let w = draft.tensor(&[outputs, inputs], random.fill(&[outputs, inputs], 3.0));
        let bias = bias(&mut draft, &mut random, outputs, with_bias);
        let y = draft.push(|y| Op::Linear { x, w, bias, y, activation });
        draft.output("y", y);
        check(&draft.verify(), &[random.fill(&shape, 3.0)]);
    }

    #[test]
    fn conv1d_is_its_formula(
        time in length(),
        (inputs, outputs) in (length(), length()),
        (kernel, stride, dilation) in (1..6usize, 1..5usize, 1..5usize),
        padding in prop::array::uniform2(0..9usize),
        with_bias: bool,
        activation in activation(),
        seed: u64,
    ) {
        let span = (kernel - 1) * dilation + 1;
        prop_assume!(padding[0] + time + padding[1] >= span);
        let (mut draft, mut random) = (Draft::new("conv1d"), Random(seed));
        let x = draft.input("x", &[time, inputs]);
        let shape = [outputs, kernel, inputs];
        let w = draft.tensor(&shape, random.fill(&shape, 3.0));
        let bias = bias(&mut draft, &mut random, outputs, with_bias);
        let y = draft.push(|y| Op::Conv1d { x, w, bias, y, stride, dilation, padding, activation });
        draft.output("y", y);
        check(&draft.verify(), &[random.fill(&[time, inputs], 3.0)]);
    }

    #[test]
    fn conv_transpose1d_is_its_formula(
        time in some(),
        (inputs, outputs) in (length(), length()),
        (kernel, stride) in (1..6usize, 1..5usize),
        trim in prop::array::uniform2(0..5usize),
        with_bias: bool,
        activation in activation(),
        seed: u64,
    ) {
        prop_assume!((time - 1) * stride + kernel >= trim[0] + trim[1]);
        let (mut draft, mut random) = (Draft::new("conv_transpose1d"), Random(seed));
        let x = draft.input("x", &[time, inputs]);
        let shape = [kernel, outputs, inputs];
        let w = draft.tensor(&shape, random.fill(&shape, 3.0));
        let bias = bias(&mut draft, &mut random, outputs, with_bias);
        let y = draft.push(|y| Op::ConvTranspose1d { x, w, bias, y, stride, trim, activation });
        draft.output("y", y);
        check(&draft.verify(), &[random.fill(&[time, inputs], 3.0)]);
    }
}

/// More weights than stay near: rows meet them in parts, whose sums are taken up again. The plain kernels, which
/// are checked against the formula on less, say what is right.
#[test]
fn layers_larger_than_a_cache_are_those_of_the_plain_kernels() {
    let mut random = Random(4);
    let (mut draft, shape) = (Draft::new("linear"), [9, 605]);
    let x = draft.input("x", &shape);
    let w = draft.tensor(&[1751, 605], random.fill(&[1751, 605], 1.0));
    let bias = bias(&mut draft, &mut random, 1751, true);
    let activation = Some(Unary::Relu);
    let y = draft.push(|y| Op::Linear { x, w, bias, y, activation });
    draft.output("y", y);
    as_plain(&draft.verify(), &[random.fill(&shape, 1.0)]);

    let (mut draft, shape) = (Draft::new("conv1d"), [1031, 3, 341]);
    let x = draft.input("x", &[14, 341]);
    let w = draft.tensor(&shape, random.fill(&shape, 1.0));
    let (stride, dilation, padding, activation) = (1, 2, [0, 0], None);
    let y =
        draft.push(|y| Op::Conv1d { x, w, bias: None, y, stride, dilation, padding, activation });
    draft.output("y", y);
    as_plain(&draft.verify(), &[random.fill(&[14, 341], 1.0)]);
}

/// Sums of numbers up to one in another order.
#[track_caller]
fn as_plain(ready: &Ready, inputs: &[Vec<f32>]) {
    let wanted = &run(&mut ready.instance_at(Level::Plain), inputs)[0];
    for level in Level::available() {
        let found = &run(&mut ready.instance_at(level), inputs)[0];
        for (i, (found, wanted)) in found.iter().zip(wanted).enumerate() {
            assert!((found - wanted).abs() < 1e-4, "{} at {i}: {found}, {wanted}", level.name());
        }
    }
}

/// The work follows from the rows that there are, not from the largest stride that a file may name.
#[test]
fn strides_beyond_the_last_row_cost_nothing() {
    let (stride, mut random) = (mote_format::limits::ELEMENTS, Random(3));
    let mut draft = Draft::new("far");
    let x = draft.input("x", &[1, 2]);
    let w = draft.tensor(&[4, 3, 2], random.fill(&[4, 3, 2], 1.0));
    let bias = bias(&mut draft, &mut random, 3, true);
    let trim = [1, 0];
    let activation = None;
    let y = draft.push(|y| Op::ConvTranspose1d { x, w, bias, y, stride, trim, activation });
    draft.output("y", y);
    check(&draft.verify(), &[random.fill(&[1, 2], 1.0)]);
}

/// `Σ x · w` sent through both directions is the same number: one is the transpose of the other.
#[test]
fn conv_transpose1d_is_the_transpose_of_conv1d() {
    let (time, stride, padding, mut random) = (13, 2, [2, 1], Random(7));
    let (inputs, outputs, kernel) = (3, 5, 4);
    let forward = random.fill(&[outputs, kernel, inputs], 1.0);
    let mut backward = vec![0.0; forward.len()];
    for (i, &w) in forward.iter().enumerate() {
        let (o, k, c) = (i / (kernel * inputs), i / inputs % kernel, i % inputs);
        backward[(k * inputs + c) * outputs + o] = w;
    }
    let mut draft = Draft::new("both");
    let x = draft.input("x", &[time, inputs]);
    let w = draft.tensor(&[outputs, kernel, inputs], forward);
    let conv = draft.push(|y| Op::Conv1d {
        x,
        w,
        bias: None,
        y,
        stride,
        dilation: 1,
        padding,
        activation: None,
    });
    let rows = draft.program.shape(conv)[0];
    let z = draft.input("z", &[rows, outputs]);
    let v = draft.tensor(&[kernel, inputs, outputs], backward);
    let back = draft.push(|y| Op::ConvTranspose1d {
        x: z,
        w: v,
        bias: None,
        y,
        stride,
        trim: padding,
        activation: None,
    });
    draft.output("conv", conv);
    draft.output("back", back);
    let ready = draft.verify();
    let (x, z) = (random.fill(&[time, inputs], 1.0), random.fill(&[rows, outputs], 1.0));
    let found = ready.run(&[x.clone(), z.clone()]);
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    };
    let (one, other) = (dot(&found[0], &z), dot(&x[..found[1].len()], &found[1]));
    assert!((one - other).abs() < 1e-4, "{one} and {other}");
}
