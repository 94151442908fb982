//! Every order of weights gives the sums of the formula, on shapes of every kind.

use mote_deploy::packing::{self, Group};
use mote_runtime::micro::{
    dsp::Dsp,
    dsp4::Dsp4,
    integer::{Matrix, Order, Range, scratch_words, to_bytes},
    mve::Mve,
    mve4::Mve4,
    nibbles::Nibbles,
    rows::Rows,
};
use proptest::prelude::*;

/// A row of inputs, and weights with biases.
#[derive(Clone, Debug)]
struct Case {
    x: Vec<i8>,
    w: Vec<i8>,
    bias: Vec<i32>,
    multiplier: Vec<i32>,
    range: (i8, i8, i8),
}

fn cases() -> impl Strategy<Value = Case> {
    let weight = prop_oneof![Just(-127i8), Just(127), -127..=127i8];
    let input = prop_oneof![Just(-128i8), Just(127), any::<i8>()];
    (1..300usize, 1..140usize).prop_flat_map(move |(inputs, outputs)| {
        (
            prop::collection::vec(input.clone(), inputs),
            prop::collection::vec(weight.clone(), inputs * outputs),
            prop::collection::vec(-1_000_000..1_000_000i32, outputs),
            prop::collection::vec(1..i32::MAX, outputs),
            any::<(i8, i8, i8)>(),
        )
            .prop_map(|(x, w, bias, multiplier, range)| Case {
                x,
                w,
                bias,
                multiplier,
                range,
            })
    })
}

impl Case {
    fn range(&self) -> Range {
        let (zero_point, a, b) = self.range;
        Range { zero_point: zero_point.into(), low: a.min(b).into(), high: a.max(b).into() }
    }

    /// With these weights `(outputs, inputs)`.
    fn wanted(&self, w: &[i32]) -> Vec<i8> {
        let range = self.range();
        let row = |o: usize| &w[o * self.x.len()..][..self.x.len()];
        (0..self.bias.len())
            .map(|o| {
                let products =
                    self.x.iter().zip(row(o)).map(|(&x, &w)| i128::from(x) * i128::from(w));
                let sum = i128::from(self.bias[o]) + products.sum::<i128>();
                let steps = (sum * i128::from(self.multiplier[o]) + (1 << 31)) >> 32;
                let y = steps + i128::from(range.zero_point);
                y.clamp(range.low.into(), range.high.into()) as i8
            })
            .collect()
    }

    fn eight_bits(&self) -> Vec<i32> {
        self.w.iter().map(|&w| w.into()).collect()
    }

    /// The weights as groups of four bits, cut after these lengths in turn.
    fn four_bits(&self, lengths: &[usize]) -> Vec<Vec<Group>> {
        let row = |o: usize| {
            let mut rest = &self.w[o * self.x.len()..][..self.x.len()];
            let mut groups = Vec::new();
            for (g, &length) in lengths.iter().cycle().enumerate() {
                let (group, others) = rest.split_at(length.min(rest.len()));
                let weights = group.iter().map(|w| w >> 4).collect();
                groups.push(Group { factor: (o * 37 + g * 101) as u8, weights });
                rest = others;
                if rest.is_empty() {
                    break;
                }
            }
            groups
        };
        (0..self.bias.len()).map(row).collect()
    }

    fn found<O: Order>(&self, weights: &[u8]) -> Vec<i8> {
        let mut y = vec![0; self.bias.len()];
        let mut scratch = vec![0; scratch_words::<O>()];
        let matrix = Matrix { weights, bias: &self.bias };
        to_bytes::<O>(&self.x, &matrix, &self.multiplier, self.range(), &mut scratch, &mut y);
        y
    }
}

proptest! {
    #[test]
    fn every_order_gives_the_sums_of_the_formula(case in cases()) {
        let packed = packing::eight_bits(&case.w, case.bias.len(), case.x.len()).unwrap();
        let wanted = case.wanted(&case.eight_bits());
        prop_assert_eq!(case.found::<Rows>(&packed.rows), &wanted[..]);
        prop_assert_eq!(case.found::<Dsp>(&packed.dsp), &wanted[..]);
        prop_assert_eq!(case.found::<Mve>(&packed.mve), &wanted[..]);
    }

    #[test]
    fn four_bits_give_the_sums_of_the_formula(
        case in cases(),
        lengths in prop::collection::vec(1..=32usize, 1..4),
    ) {
        let outputs = case.four_bits(&lengths);
        let worth = |g: &Group| g.weights.iter().map(|&w| i32::from(w) * i32::from(g.factor)).collect::<Vec<_>>();
        let w: Vec<i32> = outputs.iter().flatten().flat_map(worth).collect();
        let (packed, wanted) = (packing::four_bits(&outputs), case.wanted(&w));
        prop_assert_eq!(case.found::<Nibbles>(&packed.rows), &wanted[..]);
        prop_assert_eq!(case.found::<Dsp4>(&packed.dsp), &wanted[..]);
        prop_assert_eq!(case.found::<Mve4>(&packed.mve), &wanted[..]);
    }
}

#[test]
fn the_largest_sums_fit() {
    for (x, w) in [(-128, -127), (-128, 127), (127, -127), (127, 127)] {
        let (inputs, outputs) = (1000, 6);
        let case = Case {
            x: vec![x; inputs],
            w: vec![w; inputs * outputs],
            bias: vec![12_345; outputs],
            multiplier: vec![20_000; outputs],
            range: (0, -128, 127),
        };
        let packed = packing::eight_bits(&case.w, outputs, inputs).unwrap();
        assert_eq!(case.found::<Dsp>(&packed.dsp), case.wanted(&case.eight_bits()));
        assert_eq!(case.found::<Mve>(&packed.mve), case.wanted(&case.eight_bits()));
    }
}

#[test]
fn minus_128_has_no_order_for_the_dsp() {
    assert_eq!(packing::eight_bits(&[-128], 1, 1), None);
}
