//! Shape rules against their definitions, by counting.

use mote_format::{
    limits,
    program::Program,
    shape::{broadcast, conv_rows, conv_transpose_rows, elements},
};
use proptest::prelude::*;

use crate::sample;

#[test]
fn elements_are_counted_up_to_the_limit() {
    let max = limits::ELEMENTS;
    for (shape, wanted) in [
        (&[][..], Some(1)),
        (&[0], Some(0)),
        (&[3, 0, 5], Some(0)),
        (&[2, 3, 4], Some(24)),
        (&[max], Some(max)),
        (&[max, 1], Some(max)),
        (&[max + 1], None),
        (&[max, 2], None),
        (&[usize::MAX, usize::MAX], None),
        // Loops run over some axes at a time, so an empty one does not excuse the others.
        (&[0, max], Some(0)),
        (&[0, max + 1], None),
        (&[usize::MAX, 0], None),
        (&[0, usize::MAX, usize::MAX], None),
    ] {
        assert_eq!(elements(shape), wanted, "{shape:?}");
    }
}

#[test]
fn broadcasting_repeats_ones_and_adds_axes_in_front() {
    for (a, b, wanted) in [
        (&[][..], &[][..], Some(vec![])),
        (&[], &[2, 3], Some(vec![2, 3])),
        (&[3], &[2, 3], Some(vec![2, 3])),
        (&[2, 1], &[3], Some(vec![2, 3])),
        (&[1, 1, 5], &[4, 3, 1], Some(vec![4, 3, 5])),
        (&[0], &[1], Some(vec![0])),
        (&[2, 0], &[1, 1], Some(vec![2, 0])),
        (&[2], &[3], None),
        (&[0], &[2], None),
        (&[2, 3], &[2], None),
    ] {
        assert_eq!(broadcast(a, b), wanted, "{a:?} {b:?}");
        assert_eq!(broadcast(b, a), wanted, "{b:?} {a:?}");
    }
}

#[test]
fn multiply_adds_count_each_product_with_a_weight_once() {
    assert_eq!(sample::program().multiply_adds(), 3 * 2 * 2);
    let empty = Program { ops: vec![], ..sample::program() };
    assert_eq!(empty.multiply_adds(), 0);
}

/// A few hundred operations of the largest size: more than `u64` holds.
#[test]
fn multiply_adds_beyond_all_measure_do_not_overflow() {
    let mut program = sample::program();
    program.values[3].shape = vec![1 << 28, 1];
    program.values[1].shape = vec![1, 1 << 28];
    program.ops = vec![sample::linear(0, 1, None, 3); 1 << 9];
    assert_eq!(program.multiply_adds(), u64::MAX);
}

proptest! {
    #[test]
    fn convolutions_have_a_row_for_each_window_that_fits(
        time in 0..20usize,
        kernel in 0..6usize,
        stride in 0..4usize,
        dilation in 0..4usize,
        padding in prop::array::uniform2(0..4usize),
    ) {
        let padded = padding[0] + time + padding[1];
        let fits = |start: &usize| (0..kernel).all(|k| start + k * dilation < padded);
        let wanted = (kernel * stride * dilation > 0)
            .then(|| (0..=padded).step_by(stride).filter(fits).count())
            .filter(|&rows| rows > 0);
        prop_assert_eq!(conv_rows(time, kernel, stride, dilation, padding), wanted);
    }

    #[test]
    fn transposed_convolutions_have_every_row_that_is_touched_but_those_cut_off(
        time in 0..10usize,
        kernel in 0..6usize,
        stride in 0..4usize,
        trim in prop::array::uniform2(0..8usize),
    ) {
        let last = (0..time).flat_map(|t| (0..kernel).map(move |k| t * stride + k)).max();
        let wanted = last
            .filter(|_| stride > 0)
            .and_then(|last| (last + 1).checked_sub(trim[0] + trim[1]));
        prop_assert_eq!(conv_transpose_rows(time, kernel, stride, trim), wanted);
    }

    /// Kernels count rows, steps and padding in numbers that may be negative, and loop over them.
    #[test]
    fn no_step_and_no_padded_series_is_longer_than_the_largest_value(
        far in limits::ELEMENTS + 1..usize::MAX,
        near in 1..=limits::ELEMENTS,
    ) {
        prop_assert_eq!(conv_rows(1, 1, near, near, [0, 0]), Some(1));
        prop_assert_eq!(conv_rows(1, 1, far, 1, [0, 0]), None);
        prop_assert_eq!(conv_rows(1, 1, 1, far, [0, 0]), None);
        prop_assert_eq!(conv_rows(1, 1, far, 1, [far, 0]), None);
        prop_assert_eq!(conv_rows(1, 1, far, 1, [0, far]), None);
        prop_assert_eq!(conv_transpose_rows(1, 1, near, [0, 0]), Some(1));
        prop_assert_eq!(conv_transpose_rows(1, 1, far, [0, 0]), None);
        prop_assert_eq!(conv_transpose_rows(2, 1, far - 1, [far - 1, 0]), None);
    }

    #[test]
    fn huge_convolutions_do_not_overflow(
        n in prop::array::uniform4(prop_oneof![0..3usize, Just(usize::MAX), Just(usize::MAX / 2)]),
        padding in prop::array::uniform2(prop_oneof![0..3usize, Just(usize::MAX)]),
    ) {
        let [time, kernel, stride, dilation] = n;
        let _ = conv_rows(time, kernel, stride, dilation, padding);
        let _ = conv_transpose_rows(time, kernel, stride, padding);
    }
}
