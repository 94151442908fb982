//! What gradients are made of, against the formulas.

use mote_format::{
    Op,
    program::{Unary, Value},
    shape,
};
use proptest::prelude::*;

use crate::{
    draft::Draft,
    elementwise::UNARY,
    oracle::check,
    random::{Random, length, shape, some},
};

proptest! {
    #[test]
    fn a_product_of_matrices_is_its_formula(
        m in length(), k in length(), n in length(), turned: [bool; 2], seed: u64,
    ) {
        let mut random = Random(seed);
        let matrix = |[a, b]: [usize; 2], turned| if turned { [b, a] } else { [a, b] };
        let shapes = [matrix([m, k], turned[0]), matrix([k, n], turned[1])];
        let mut draft = Draft::new("product");
        let [a, b] = [("a", shapes[0]), ("b", shapes[1])].map(|(name, s)| draft.input(name, &s));
        let y = draft.push(|y| Op::Product { a, b, y, turned });
        draft.output("y", y);
        check(&draft.verify(), &shapes.map(|shape| random.fill(&shape, 1.0)));
    }

    #[test]
    fn windows_are_unfolded_and_folded_by_the_formula(
        time in some(), channels in 0..5usize, kernel in 1..5usize, stride in 1..4usize,
        dilation in 1..4usize, padding in [0..7usize, 0..7usize], seed: u64,
    ) {
        let rows = shape::conv_rows(time, kernel, stride, dilation, padding);
        prop_assume!(rows.is_some());
        let (mut random, shape) = (Random(seed), [time, channels.max(1)]);
        let mut draft = Draft::new("unfold");
        let x = draft.input("x", &shape);
        let y = draft.push(|y| Op::Unfold { x, y, kernel, stride, dilation, padding });
        draft.output("y", y);
        let unfolded = draft.program.shape(y).to_vec();
        check(&draft.verify(), &[random.fill(&shape, 1.0)]);

        let mut draft = Draft::new("fold");
        let x = draft.input("x", &unfolded);
        let y = draft.value(Value::f32(shape));
        draft.program.ops.push(Op::Fold { x, y, kernel, stride, dilation, padding });
        draft.output("y", y);
        check(&draft.verify(), &[random.fill(&unfolded, 1.0)]);
    }

    #[test]
    fn padding_and_repeating_are_their_formulas(
        shape in shape(), axis in 0..4usize, padding in [0..3usize, 0..3usize], seed: u64,
    ) {
        prop_assume!(!shape.is_empty());
        let (mut random, axis) = (Random(seed), axis % shape.len());
        let mut draft = Draft::new("pad");
        let x = draft.input("x", &shape);
        let y = draft.push(|y| Op::Pad { x, y, axis, padding });
        draft.output("y", y);
        check(&draft.verify(), &[random.fill(&shape, 1.0)]);

        let mut short = shape.clone();
        short[axis] = 1;
        let short = &short[random.below(if axis == 0 { 2 } else { 1 })..];
        let mut draft = Draft::new("expand");
        let x = draft.input("x", short);
        let y = draft.value(Value::f32(shape));
        draft.program.ops.push(Op::Expand { x, y });
        draft.output("y", y);
        check(&draft.verify(), &[random.fill(short, 1.0)]);
    }

    #[test]
    fn a_slope_is_how_the_function_rises(shape in shape(), f in 0..12usize, seed: u64) {
        let (mut random, f) = (Random(seed), UNARY[f]);
        let mut draft = Draft::new("slope");
        let [x, g] = ["x", "g"].map(|name| draft.input(name, &shape));
        let y = draft.push(|y| Op::Slope { x, g, y, f });
        draft.output("y", y);
        // Corners, and where functions end, are left out.
        let away = |x: f32| if x < 0.0 { x - 0.05 } else { x + 0.05 };
        let x: Vec<f32> = random.fill(&shape, 3.0).into_iter().map(away).collect();
        let domain = |x: f32| if matches!(f, Unary::Log | Unary::Sqrt) { x.abs() } else { x };
        let x = x.into_iter().map(domain).collect();
        check(&draft.verify(), &[x, random.fill(&shape, 2.0)]);
    }
}
