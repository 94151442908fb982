//! Slices, concatenations, permutations and reshapes on shapes of every kind, against the formula.

use mote_format::Op;
use proptest::prelude::*;

use crate::{
    draft::Draft,
    oracle::check,
    random::{Random, shape},
};

proptest! {
    #[test]
    fn slice_is_its_formula(
        shape in shape().prop_filter("an axis", |s| !s.is_empty()),
        pick: prop::sample::Index,
        ends: [prop::sample::Index; 2],
        seed: u64,
    ) {
        let axis = pick.index(shape.len());
        let mut ends = ends.map(|i| i.index(shape[axis] + 1));
        ends.sort_unstable();
        let mut draft = Draft::new("slice");
        let x = draft.input("x", &shape);
        let y = draft.push(|y| Op::Slice { x, y, axis, start: ends[0], end: ends[1] });
        draft.output("y", y);
        check(&draft.verify(), &[Random(seed).fill(&shape, 3.0)]);
    }

    #[test]
    fn concat_is_its_formula(
        shape in shape().prop_filter("an axis", |s| !s.is_empty()),
        pick: prop::sample::Index,
        lengths in prop::collection::vec(0..5usize, 1..5),
        seed: u64,
    ) {
        let (axis, mut random, mut draft) = (pick.index(shape.len()), Random(seed), Draft::new("concat"));
        let shapes: Vec<Vec<usize>> = lengths
            .iter()
            .map(|&n| {
                let mut shape = shape.clone();
                shape[axis] = n;
                shape
            })
            .collect();
        let xs = shapes.iter().enumerate().map(|(i, s)| draft.input(&format!("x{i}"), s)).collect();
        let y = draft.push(|y| Op::Concat { xs, y, axis });
        draft.output("y", y);
        let inputs: Vec<Vec<f32>> = shapes.iter().map(|s| random.fill(s, 3.0)).collect();
        check(&draft.verify(), &inputs);
    }

    #[test]
    fn permute_is_its_formula(
        (shape, axes) in shape().prop_flat_map(|shape| {
            let axes: Vec<usize> = (0..shape.len()).collect();
            (Just(shape), Just(axes).prop_shuffle())
        }),
        seed: u64,
    ) {
        let mut draft = Draft::new("permute");
        let x = draft.input("x", &shape);
        let y = draft.push(|y| Op::Permute { x, y, axes });
        draft.output("y", y);
        check(&draft.verify(), &[Random(seed).fill(&shape, 3.0)]);
    }

    #[test]
    fn reshape_keeps_the_numbers_of_inputs_and_of_tensors(shape in shape(), seed: u64) {
        let x = Random(seed).fill(&shape, 3.0);
        let mut draft = Draft::new("reshape");
        let input = draft.input("x", &shape);
        let tensor = draft.tensor(&shape, x.clone());
        for (name, from) in [("input", input), ("tensor", tensor)] {
            let flat = draft.reshape(from, &[x.len()]);
            let again = draft.reshape(flat, &[1, x.len(), 1]);
            draft.output(name, again);
        }
        prop_assert_eq!(draft.verify().run(std::slice::from_ref(&x)), [x.clone(), x]);
    }
}

#[test]
fn the_same_value_may_be_concatenated_with_itself() {
    let mut draft = Draft::new("concat");
    let x = draft.input("x", &[2, 1]);
    let y = draft.push(|y| Op::Concat { xs: vec![x, x, x], y, axis: 1 });
    draft.output("y", y);
    assert_eq!(draft.verify().run(&[vec![1.0, 2.0]]), [[1.0, 1.0, 1.0, 2.0, 2.0, 2.0]]);
}
