//! Reductions, cumulative sums, softmax and layer norm on shapes of every kind, against the formula.

use mote_format::{Op, program::Reduction};
use proptest::prelude::*;

use crate::{
    draft::Draft,
    oracle::check,
    random::{Random, length, shape, some},
};

proptest! {
    #[test]
    fn reductions_are_their_formula(
        mut shape in shape().prop_filter("an axis", |s| !s.is_empty()),
        pick: prop::sample::Index,
        f in prop::sample::select(&[Reduction::Sum, Reduction::Mean, Reduction::Max][..]),
        seed: u64,
    ) {
        let axis = pick.index(shape.len());
        shape[axis] = shape[axis].max(1);
        let mut draft = Draft::new("reduce");
        let x = draft.input("x", &shape);
        let y = draft.push(|y| Op::Reduce { x, y, f, axis });
        draft.output("y", y);
        check(&draft.verify(), &[Random(seed).fill(&shape, 3.0)]);
    }

    #[test]
    fn cumulative_sums_are_their_formula(
        shape in shape().prop_filter("an axis", |s| !s.is_empty()),
        pick: prop::sample::Index,
        reverse: bool,
        seed: u64,
    ) {
        let axis = pick.index(shape.len());
        let mut draft = Draft::new("cumulative_sum");
        let x = draft.input("x", &shape);
        let y = draft.push(|y| Op::CumulativeSum { x, y, axis, reverse });
        draft.output("y", y);
        check(&draft.verify(), &[Random(seed).fill(&shape, 3.0)]);
    }

    #[test]
    fn softmax_is_its_formula_and_sums_to_one(
        front in prop::collection::vec(0..4usize, 0..=3),
        n in length(),
        scale in prop::sample::select(&[1e-3f32, 3.0, 80.0][..]),
        seed: u64,
    ) {
        let shape = [front, vec![n]].concat();
        let mut draft = Draft::new("softmax");
        let x = draft.input("x", &shape);
        let y = draft.push(|y| Op::Softmax { x, y });
        draft.output("y", y);
        let (ready, x) = (draft.verify(), vec![Random(seed).fill(&shape, scale)]);
        check(&ready, &x);
        for row in ready.run(&x)[0].chunks_exact(n.max(1)) {
            prop_assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn layer_norm_is_its_formula(
        front in prop::collection::vec(0..4usize, 0..=3),
        n in some(),
        epsilon in prop::sample::select(&[1e-5f32, 1e-3, 1.0][..]),
        offset in prop::sample::select(&[0.0f32, 100.0][..]),
        with_bias: bool,
        seed: u64,
    ) {
        let (mut draft, mut random) = (Draft::new("layer_norm"), Random(seed));
        let shape = [front, vec![n]].concat();
        let x = draft.input("x", &shape);
        let gain = draft.tensor(&[n], random.fill(&[n], 2.0));
        let bias = with_bias.then(|| draft.tensor(&[n], random.fill(&[n], 2.0)));
        let y = draft.push(|y| Op::LayerNorm { x, gain, bias, y, epsilon });
        draft.output("y", y);
        let x = random.fill(&shape, 3.0).iter().map(|x| x + offset).collect();
        check(&draft.verify(), &[x]);
    }
}

#[test]
fn layer_norm_of_equal_numbers_is_the_bias() {
    let mut draft = Draft::new("layer_norm");
    let x = draft.input("x", &[2, 4]);
    let gain = draft.tensor(&[4], vec![5.0; 4]);
    let bias = Some(draft.tensor(&[4], vec![0.5, -1.0, 0.0, 2.0]));
    let y = draft.push(|y| Op::LayerNorm { x, gain, bias, y, epsilon: 1e-5 });
    draft.output("y", y);
    let found = draft.verify().run(&[vec![3.0, 3.0, 3.0, 3.0, -7.0, -7.0, -7.0, -7.0]]);
    assert_eq!(found[0], [0.5, -1.0, 0.0, 2.0, 0.5, -1.0, 0.0, 2.0]);
}

#[test]
fn layer_norm_of_empty_rows_is_empty() {
    let mut draft = Draft::new("layer_norm");
    let x = draft.input("x", &[2, 0]);
    let gain = draft.tensor(&[0], vec![]);
    let y = draft.push(|y| Op::LayerNorm { x, gain, bias: None, y, epsilon: 1e-5 });
    draft.output("y", y);
    assert_eq!(draft.verify().run(&[vec![]]), [Vec::<f32>::new()]);
}
