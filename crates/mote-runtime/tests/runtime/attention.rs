//! Attention on windows of every kind, against the formula, and where it has no numbers.

use mote_format::{Op, ValueId};
use mote_runtime::Level;
use proptest::prelude::*;

use crate::{
    draft::{Draft, Ready, run},
    oracle::check,
    random::Random,
};

/// Time, heads, width, outputs and window, and how many rows of zeros are before.
fn attention(
    [time, heads, width, outputs, window]: [usize; 5],
    before: usize,
    bias: Vec<f32>,
) -> Ready {
    let mut draft = Draft::new("attention");
    let rows = time + before + 1 - window;
    let q = draft.input("q", &[rows, heads, width]);
    let k = draft.input("k", &[time, heads, width]);
    let v = draft.input("v", &[time, heads, outputs]);
    let bias = draft.tensor(&[heads, window], bias);
    let y = draft.push(|y| Op::Attention { q, k, v, bias, y, before });
    draft.output("y", y);
    draft.verify()
}

proptest! {
    #[test]
    fn attention_is_its_formula(
        time in 1..12usize,
        heads in 1..4usize,
        width in 0..18usize,
        outputs in 0..10usize,
        // Blocks of scores have 64.
        window in prop_oneof![1..12usize, 60..70usize, 127..131usize],
        all_before: bool,
        scale in prop::sample::select(&[0.1f32, 1.0, 9.0][..]),
        seed: u64,
    ) {
        let before = if all_before { window - 1 } else { (window - 1) / 2 };
        prop_assume!(time + before >= window);
        let mut random = Random(seed);
        let shape = [time, heads, width, outputs, window];
        let ready = attention(shape, before, random.fill(&[heads, window], 2.0));
        let rows = time + before + 1 - window;
        let inputs = [
            random.fill(&[rows, heads, width], scale),
            random.fill(&[time, heads, width], scale),
            random.fill(&[time, heads, outputs], 1.0),
        ];
        check(&ready, &inputs);
    }
}

/// The result of one row with one head, whose keys and values are these.
fn of_one_row(query: f32, keys: &[f32], values: &[f32], bias: Vec<f32>, level: Level) -> f32 {
    let window = bias.len();
    let ready = attention([window, 1, 1, 1, window], 0, bias);
    run(&mut ready.instance_at(level), &[vec![query], keys.to_vec(), values.to_vec()])[0][0]
}

#[test]
fn what_is_no_number_stays_and_what_is_impossible_weighs_nothing() {
    for level in Level::available() {
        let of = |query, keys: &[f32], bias| of_one_row(query, keys, &[1.0, 2.0, 4.0], bias, level);
        assert!(of(f32::NAN, &[0.0; 3], vec![0.0; 3]).is_nan());
        assert!(of(1.0, &[0.0, f32::NAN, 0.0], vec![0.0; 3]).is_nan());
        assert_eq!(of(1.0, &[0.0; 3], vec![f32::NEG_INFINITY, f32::NEG_INFINITY, 0.5]), 4.0);
        assert_eq!(of(1.0, &[0.0, 1e38, 0.0], vec![0.0; 3]), 2.0);
        // A block of nothing before one with something.
        let (mut bias, mut values) = (vec![f32::NEG_INFINITY; 70], vec![1.0; 70]);
        (bias[69], values[69]) = (0.0, 7.0);
        assert_eq!(of_one_row(1.0, &[0.0; 70], &values, bias, level), 7.0);
        let nothing = of_one_row(1.0, &[0.0; 70], &values, vec![f32::NEG_INFINITY; 70], level);
        assert!(nothing.is_nan(), "nothing to attend to");
        // And a block of what is no number, all of it or one.
        let mut keys = vec![f32::NAN; 64];
        keys.push(0.0);
        assert!(of_one_row(1.0, &keys, &[1.0; 65], vec![0.0; 65], level).is_nan());
        keys[1..].fill(0.0);
        let mut bias = vec![f32::NEG_INFINITY; 64];
        bias.push(0.0);
        assert!(of_one_row(1.0, &keys, &[1.0; 65], bias, level).is_nan());
    }
}

#[test]
fn rows_before_the_first_take_their_share_and_give_nothing() {
    // One sample with a window of two: half of the weight is on the zeros before it.
    let ready = attention([1, 1, 1, 1, 2], 1, vec![0.0, 0.0]);
    assert_eq!(ready.run(&[vec![3.0], vec![0.0], vec![8.0]])[0], [4.0]);
    assert_eq!(ready.program.multiply_adds(), 2 * 2);
    let value = |i: u32| ready.program.shape(ValueId(i)).to_vec();
    assert_eq!([value(0), value(3)], [vec![1, 1, 1], vec![1, 2]]);
}
