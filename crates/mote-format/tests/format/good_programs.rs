//! For every operation, programs that verify, and the one shape of the result that does.

use mote_format::{Op, Program, Stored, Verified, limits};

use crate::sample::{
    affine, binary, clamp, concat, conv_transpose1d, conv1d, cumulative_sum, layer_norm, linear,
    one, permute, reduce, relu, reshape, slice, softmax,
};

/// `op` over values of these shapes verifies, and with any other shape of the result it does not.
#[track_caller]
fn check(op: Op, shapes: &[&[usize]]) {
    let verify = |shapes: &[&[usize]]| {
        let (program, tensors) = one(op.clone(), shapes);
        Verified::new(program, |name| tensors.get(name).map(|shape| Stored::f32(shape)))
    };
    let verified = verify(shapes).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(*verified, one(op.clone(), shapes).0);

    let (y, rest) = shapes.split_last().unwrap();
    let mut others: Vec<Vec<usize>> = vec![[*y, &[2][..]].concat()];
    for axis in 0..y.len() {
        let mut other = y.to_vec();
        other[axis] += 1;
        others.push(other);
    }
    for other in others {
        let shapes = [rest, &[&other]].concat();
        if matches!(op, Op::Reshape { .. }) && other.contains(&0) && y.contains(&0) {
            continue;
        }
        assert!(verify(&shapes).is_err(), "{} gives no {other:?}", op.name());
    }
}

#[test]
fn linear_maps_the_last_axis() {
    check(linear(0, 1, Some(2), 3), &[&[4, 2], &[3, 2], &[3], &[4, 3]]);
    check(linear(0, 1, None, 2), &[&[2], &[3, 2], &[3]]);
    check(linear(0, 1, None, 2), &[&[5, 4, 3, 2], &[7, 2], &[5, 4, 3, 7]]);
    check(linear(0, 1, Some(2), 3), &[&[4, 0], &[3, 0], &[3], &[4, 3]]);
    check(linear(0, 1, Some(2), 3), &[&[4, 2], &[0, 2], &[0], &[4, 0]]);
    check(linear(0, 1, None, 2), &[&[0, 2], &[3, 2], &[0, 3]]);
}

#[test]
fn conv1d_has_a_row_for_each_window() {
    check(conv1d([0, 1, 3], Some(2), 1, 1, [0, 0]), &[&[5, 2], &[3, 3, 2], &[3], &[3, 3]]);
    check(conv1d([0, 1, 2], None, 2, 1, [1, 1]), &[&[5, 2], &[4, 3, 2], &[3, 4]]);
    check(conv1d([0, 1, 2], None, 1, 4, [8, 0]), &[&[5, 2], &[4, 3, 2], &[5, 4]]);
    check(conv1d([0, 1, 2], None, 9, 1, [0, 0]), &[&[5, 2], &[4, 5, 2], &[1, 4]]);
    check(conv1d([0, 1, 2], None, 1, 1, [1, 1]), &[&[0, 2], &[4, 2, 2], &[1, 4]]);
}

#[test]
fn conv_transpose1d_has_every_row_that_is_touched() {
    check(conv_transpose1d([0, 1, 3], Some(2), 2, [0, 0]), &[&[3, 2], &[4, 5, 2], &[5], &[8, 5]]);
    check(conv_transpose1d([0, 1, 2], None, 2, [1, 1]), &[&[3, 2], &[4, 5, 2], &[6, 5]]);
    check(conv_transpose1d([0, 1, 2], None, 3, [0, 0]), &[&[2, 1], &[1, 1, 1], &[4, 1]]);
}

#[test]
fn normalizations_keep_the_shape() {
    check(layer_norm([0, 1, 3], Some(2), 1e-5), &[&[4, 3], &[3], &[3], &[4, 3]]);
    check(layer_norm([0, 1, 2], None, f32::MIN_POSITIVE), &[&[3], &[3], &[3]]);
    check(softmax(), &[&[2, 3], &[2, 3]]);
    check(softmax(), &[&[0], &[0]]);
}

#[test]
fn elementwise_operations_keep_the_shape() {
    check(relu(0, 1), &[&[2, 3, 4, 5], &[2, 3, 4, 5]]);
    check(relu(0, 1), &[&[], &[]]);
    check(affine(0.0, -3.5), &[&[2], &[2]]);
    check(affine(f32::MAX, f32::MIN), &[&[2], &[2]]);
    check(clamp(-1.0, 1.0), &[&[2], &[2]]);
    check(clamp(1.0, 1.0), &[&[2], &[2]]);
    check(clamp(f32::NEG_INFINITY, f32::INFINITY), &[&[2], &[2]]);
}

#[test]
fn binary_operations_broadcast() {
    check(binary(0, 1, 2), &[&[2, 3], &[2, 3], &[2, 3]]);
    check(binary(0, 1, 2), &[&[3], &[2, 1], &[2, 3]]);
    check(binary(0, 1, 2), &[&[], &[2, 3, 4, 5], &[2, 3, 4, 5]]);
    check(binary(0, 1, 2), &[&[0], &[1], &[0]]);
    check(binary(0, 0, 1), &[&[2, 3], &[2, 3]]);
}

#[test]
fn reductions_leave_one_element_of_an_axis() {
    check(cumulative_sum(1), &[&[4, 3], &[4, 3]]);
    check(cumulative_sum(0), &[&[0, 3], &[0, 3]]);
    check(reduce(0), &[&[4, 3], &[1, 3]]);
    check(reduce(1), &[&[4, 3], &[4, 1]]);
    check(reduce(3), &[&[2, 3, 4, 5], &[2, 3, 4, 1]]);
    check(reduce(0), &[&[4, 0], &[1, 0]]);
}

#[test]
fn layouts_keep_the_elements_that_they_take() {
    check(slice(0, 1, 3), &[&[4, 3], &[2, 3]]);
    check(slice(1, 0, 3), &[&[4, 3], &[4, 3]]);
    check(slice(1, 2, 2), &[&[4, 3], &[4, 0]]);
    check(concat(&[0, 1], 2, 0), &[&[4, 3], &[1, 3], &[5, 3]]);
    check(concat(&[0, 1, 0], 2, 1), &[&[4, 3], &[4, 1], &[4, 7]]);
    check(concat(&[0], 1, 0), &[&[4], &[4]]);
    check(concat(&[0, 1], 2, 0), &[&[0, 3], &[2, 3], &[2, 3]]);
    check(reshape(), &[&[4, 3], &[12]]);
    check(reshape(), &[&[], &[1, 1, 1, 1]]);
    check(reshape(), &[&[4, 0], &[0, 9]]);
    check(permute(&[1, 0]), &[&[4, 3], &[3, 4]]);
    check(permute(&[2, 0, 3, 1]), &[&[2, 3, 4, 5], &[4, 2, 5, 3]]);
    check(permute(&[]), &[&[], &[]]);
}

#[test]
fn limits_themselves_are_allowed() {
    let max = limits::ELEMENTS;
    check(relu(0, 1), &[&[max], &[max]]);
    check(binary(0, 1, 2), &[&[1 << 14, 1], &[1 << 14], &[1 << 14, 1 << 14]]);
}

#[test]
fn a_program_may_return_what_it_was_given_or_what_the_file_holds() {
    let (mut program, _) = one(relu(0, 1), &[&[2], &[2]]);
    program.ops.clear();
    program.outputs[0].value = program.inputs[0].value;
    assert!(Verified::new(program.clone(), |_| None).is_ok());
    program.inputs.clear();
    program.values[0].tensor = Some("w".into());
    assert!(Verified::new(program, |_| Some(Stored::f32(&[2]))).is_ok());
    let nothing = Program {
        name: String::new(),
        values: vec![],
        inputs: vec![],
        outputs: vec![],
        ops: vec![],
    };
    assert!(Verified::new(nothing, |_| None).is_ok());
}
