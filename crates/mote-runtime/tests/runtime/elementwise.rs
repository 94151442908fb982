//! Functions of one or two numbers on shapes of every kind, against the formula.

use mote_format::{
    Op,
    program::{Binary, Unary},
};
use proptest::prelude::*;

use crate::{
    draft::{Draft, bits},
    oracle::check,
    random::{Random, shape},
};

pub(crate) const UNARY: [Unary; 12] = [
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

pub(crate) const BINARY: [Binary; 6] =
    [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Max, Binary::Min];

/// Numbers as they come, large ones, and any that are not special.
fn number() -> impl Strategy<Value = f32> {
    prop_oneof![-4.0..4.0f32, -120.0..120.0f32, prop::num::f32::NORMAL]
}

/// A shape with some axes left out in front and some of length one: it broadcasts to `shape`.
fn part(shape: &[usize], random: &mut Random) -> Vec<usize> {
    let mut part = shape[random.below(shape.len() + 1)..].to_vec();
    for n in &mut part {
        *n = if random.below(3) == 0 { 1 } else { *n };
    }
    part
}

proptest! {
    #[test]
    fn unary_functions_are_their_formula(
        x in prop::collection::vec(number(), 0..40),
        f in prop::sample::select(&UNARY[..]),
    ) {
        let mut draft = Draft::new("unary");
        let id = draft.input("x", &[x.len()]);
        let y = draft.push(|y| Op::Unary { x: id, y, f });
        draft.output("y", y);
        check(&draft.verify(), &[x]);
    }

    #[test]
    fn affine_is_its_formula(
        shape in shape(),
        (scale, offset) in (-3.0..3.0f32, -3.0..3.0f32),
        seed: u64,
    ) {
        let mut draft = Draft::new("affine");
        let x = draft.input("x", &shape);
        let y = draft.push(|y| Op::Affine { x, y, scale, offset });
        draft.output("y", y);
        check(&draft.verify(), &[Random(seed).fill(&shape, 3.0)]);
    }

    #[test]
    fn clamp_is_its_formula(shape in shape(), low in -2.0..1.0f32, above in 0.0..2.0f32, seed: u64) {
        let mut draft = Draft::new("clamp");
        let x = draft.input("x", &shape);
        let y = draft.push(|y| Op::Clamp { x, y, low, high: low + above });
        draft.output("y", y);
        check(&draft.verify(), &[Random(seed).fill(&shape, 3.0)]);
    }

    #[test]
    fn binary_functions_broadcast_as_their_formula(
        shape in shape(),
        f in prop::sample::select(&BINARY[..]),
        swapped: bool,
        seed: u64,
    ) {
        let (mut draft, mut random) = (Draft::new("binary"), Random(seed));
        let part = part(&shape, &mut random);
        let shapes = if swapped { [part, shape] } else { [shape, part] };
        let (a, b) = (draft.input("a", &shapes[0]), draft.input("b", &shapes[1]));
        let y = draft.push(|y| Op::Binary { a, b, y, f });
        draft.output("y", y);
        check(&draft.verify(), &shapes.map(|shape| random.fill(&shape, 3.0)));
    }

    /// Both operands repeat, and the result is larger than either.
    #[test]
    fn binary_functions_broadcast_both_sides(
        shape in prop::array::uniform4(1..4usize),
        ones: [bool; 4],
        f in prop::sample::select(&BINARY[..]),
        seed: u64,
    ) {
        let (mut draft, mut random) = (Draft::new("binary"), Random(seed));
        let side = |wanted: bool| -> Vec<usize> {
            shape.iter().zip(ones).map(|(&n, one)| if one == wanted { 1 } else { n }).collect()
        };
        let shapes = [side(true), side(false)];
        let (a, b) = (draft.input("a", &shapes[0]), draft.input("b", &shapes[1]));
        let y = draft.push(|y| Op::Binary { a, b, y, f });
        prop_assert_eq!(draft.program.shape(y), shape);
        draft.output("y", y);
        check(&draft.verify(), &shapes.map(|shape| random.fill(&shape, 3.0)));
    }

    #[test]
    fn the_same_value_may_be_both_operands(x in prop::collection::vec(number(), 0..20)) {
        let mut draft = Draft::new("binary");
        let id = draft.input("x", &[x.len()]);
        let y = draft.push(|y| Op::Binary { a: id, b: id, y, f: Binary::Add });
        draft.output("y", y);
        let doubled: Vec<f32> = x.iter().map(|x| x + x).collect();
        prop_assert_eq!(bits(&draft.verify().run(&[x])[0]), bits(&doubled));
    }
}
