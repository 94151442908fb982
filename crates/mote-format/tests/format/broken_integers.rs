//! Programs of integers that break a rule, each with the sentence that it is refused with.

use mote_format::{
    Array, Dtype, Error, Op, Program, Quantization, Stored, ValueId, Verified, limits,
    program::Value,
};

use crate::{
    quantized::{self, Q, add, linear, weights},
    sample::{concat, permute, port, relu, reshape, slice},
};

/// The program of integers, edited, is refused because of this.
#[track_caller]
fn check(edit: impl Fn(&mut Program), wanted: &str) {
    let (mut program, tensors) = (quantized::program(), quantized::tensors());
    edit(&mut program);
    let error = Verified::new(program, |name| tensors.get(name).map(Array::stored)).unwrap_err();
    let Error::Program { why, .. } = &error else { panic!("{error}") };
    assert_eq!(why, wanted);
}

/// A program of one operation over these values is refused because of this. Tensors lie in the file
/// as they are declared; what is no tensor and no result is an input.
#[track_caller]
fn check_op(op: Op, values: &[Value], wanted: &str) {
    let stored: Vec<_> = values.iter().map(|v| v.dtype.stored(&v.shape)).collect();
    let mut program = Program {
        name: "one".into(),
        values: values.to_vec(),
        inputs: vec![],
        outputs: vec![port("y", op.result().0)],
        ops: vec![op.clone()],
    };
    for (i, value) in values.iter().enumerate() {
        if value.tensor.is_none() && op.result().index() != i {
            program.inputs.push(port(&format!("x{i}"), i as u32));
        }
    }
    let tensor = |name: &str| {
        let i = values.iter().position(|v| v.tensor.as_deref() == Some(name))?;
        Some(Stored { dtype: stored[i].0, shape: &stored[i].1 })
    };
    let error = Verified::new(program, tensor).unwrap_err();
    let Error::Program { op: found, why, .. } = &error else { panic!("{error}") };
    assert_eq!(why, wanted);
    assert_eq!(found.as_deref(), Some(format!("0 ({})", op.name()).as_str()));
}

fn real(shape: &[usize]) -> Value {
    Value::f32(shape)
}

fn bytes(shape: &[usize]) -> Value {
    Value::i8(shape, Q)
}

/// A tensor that is named after its type and shape.
fn tensor(dtype: Dtype, shape: &[usize]) -> Value {
    Value::tensor(format!("{dtype:?} {shape:?}"), dtype, shape)
}

fn quantize(x: u32, y: u32) -> Op {
    Op::Quantize { x: ValueId(x), y: ValueId(y) }
}

fn dequantize(x: u32, y: u32) -> Op {
    Op::Dequantize { x: ValueId(x), y: ValueId(y) }
}

fn lookup(x: u32, table: u32, y: u32) -> Op {
    Op::Lookup { x: ValueId(x), table: ValueId(table), y: ValueId(y) }
}

#[test]
fn the_program_that_is_broken_below_verifies() {
    let tensors = quantized::tensors();
    Verified::new(quantized::program(), |name| tensors.get(name).map(Array::stored)).unwrap();
}

#[test]
fn what_is_computed_is_a_real_number_or_a_byte() {
    for dtype in [Dtype::I4, Dtype::I32, Dtype::U8] {
        let wanted = format!("value 5 is computed and {dtype:?}, wanted F32 or I8");
        check(|p| p.values[5].dtype = dtype, &wanted);
    }
}

#[test]
fn bytes_say_what_they_stand_for_and_nothing_else_does() {
    check(|p| p.values[5].quantization = None, "value 5 is I8 without a quantization");
    check(|p| p.values[0].quantization = Some(Q), "value 0 has a quantization and is not I8");
    for i in [3, 4, 6, 8] {
        let wanted = format!("value {i} has a quantization and is not I8");
        check(|p| p.values[i].quantization = Some(Q), &wanted);
    }
}

#[test]
fn scales_are_positive_numbers() {
    for scale in [0.0, -0.0, -0.25, 1e-40, f32::NAN, f32::INFINITY] {
        let wanted = format!("value 5 has the scale {scale}, wanted a positive number");
        let quantization = Some(Quantization { scale, zero_point: 0 });
        check(|p| p.values[5].quantization = quantization, &wanted);
        // A tensor in bytes may say what it stands for, and then has to say it well.
        let wanted = wanted.replace("value 5", "value 10");
        check(|p| p.values[10].quantization = quantization, &wanted);
    }
}

#[test]
fn quantize_and_dequantize_cross_the_border_in_their_direction() {
    check_op(quantize(0, 1), &[bytes(&[2]), bytes(&[2])], "value 0 is I8, wanted F32");
    check_op(quantize(0, 1), &[real(&[2]), real(&[2])], "value 1 is F32, wanted I8");
    check_op(dequantize(0, 1), &[real(&[2]), real(&[2])], "value 0 is F32, wanted I8");
    check_op(dequantize(0, 1), &[bytes(&[2]), bytes(&[2])], "value 1 is I8, wanted F32");
    check_op(
        dequantize(0, 1),
        &[tensor(Dtype::I8, &[2]), real(&[2])],
        "value 0 does not say what its bytes stand for",
    );
}

#[test]
fn real_operations_refuse_bytes_and_integers() {
    check_op(relu(0, 1), &[bytes(&[2]), real(&[2])], "value 0 is I8, wanted F32");
    check_op(relu(0, 1), &[real(&[2]), bytes(&[2])], "value 1 is I8, wanted F32");
    for dtype in [Dtype::I8, Dtype::I32, Dtype::U8] {
        let wanted = format!("value 0 is {dtype:?}, wanted F32");
        check_op(relu(0, 1), &[tensor(dtype, &[2]), real(&[2])], &wanted);
    }
    let w = |dtype| [real(&[2]), tensor(dtype, &[3, 2]), real(&[3])];
    let op = crate::sample::linear(0, 1, None, 2);
    check_op(op, &w(Dtype::I8), "value 1 is I8, wanted F32");
}

#[test]
fn layers_of_integers_want_each_tensor_in_its_type() {
    let values = |x: Value, w: Dtype, scale: Dtype, bias: Dtype, y: Value| {
        let shapes: [(Dtype, &[usize]); 3] = [(w, &[3, 2]), (scale, &[3]), (bias, &[3])];
        let [w, scale, bias] = shapes.map(|(dtype, shape)| tensor(dtype, shape));
        vec![x, w, scale, Value { tensor: bias.tensor.map(|n| n + "b"), ..bias }, y]
    };
    let op = linear(0, weights(1, 2, None, Some(3)), 4, [-128, 127]);
    let (x, y) = (bytes(&[2]), bytes(&[3]));
    let (w, scale, bias) = (Dtype::I8, Dtype::F32, Dtype::I32);
    let refused = |values: &[Value], wanted: &str| check_op(op.clone(), values, wanted);
    refused(&values(real(&[2]), w, scale, bias, y.clone()), "value 0 is F32, wanted I8");
    for found in [Dtype::F32, Dtype::I32, Dtype::U8, Dtype::I4] {
        let wanted = format!("value 1 is {found:?}, wanted I8");
        refused(&values(x.clone(), found, scale, bias, y.clone()), &wanted);
    }
    for found in [Dtype::I8, Dtype::I32, Dtype::U8] {
        let wanted = format!("value 2 is {found:?}, wanted F32");
        refused(&values(x.clone(), w, found, bias, y.clone()), &wanted);
    }
    for found in [Dtype::F32, Dtype::I8, Dtype::U8] {
        let wanted = format!("value 3 is {found:?}, wanted I32");
        refused(&values(x.clone(), w, scale, found, y.clone()), &wanted);
    }
    let bare = Value { tensor: Some("x".into()), quantization: None, ..x };
    refused(&values(bare, w, scale, bias, y), "value 0 does not say what its bytes stand for");
}

#[test]
fn four_bits_come_with_groups_and_groups_with_four_bits() {
    let op = linear(0, weights(1, 2, Some(3), None), 4, [-128, 127]);
    let values = |w, groups, shape: &[usize]| {
        let (w, groups) = (tensor(w, &[3, 2]), tensor(groups, shape));
        vec![bytes(&[2]), w, tensor(Dtype::F32, &[3]), groups, bytes(&[3])]
    };
    let groups: &[usize] = &[3, 1];
    check_op(op.clone(), &values(Dtype::I8, Dtype::U8, groups), "value 1 is I8, wanted I4");
    check_op(op.clone(), &values(Dtype::I4, Dtype::I8, groups), "value 3 is I8, wanted U8");
    for shape in [&[3usize][..], &[1, 3], &[3, 2], &[3, 1, 1]] {
        let wanted = format!("groups are {shape:?}, wanted [3, 1]");
        check_op(op.clone(), &values(Dtype::I4, Dtype::U8, shape), &wanted);
    }
    // And in the sample, where they are taken away or given to eight bits.
    let of = |p: &mut Program, i: usize, groups| match &mut p.ops[i] {
        Op::QuantizedLinear { weights, .. } => weights.groups = groups,
        op => panic!("{op:?}"),
    };
    check(|p| of(p, 5, None), "value 13 is I4, wanted I8");
    check(|p| of(p, 6, Some(ValueId(15))), "groups are [3, 1], wanted [1, 1]");
}

#[test]
fn scales_and_tables_have_their_lengths() {
    let op = linear(0, weights(1, 2, None, None), 3, [-128, 127]);
    let values = |w: &[usize], scale: &[usize]| {
        vec![bytes(&[2]), tensor(Dtype::I8, w), tensor(Dtype::F32, scale), bytes(&[3])]
    };
    check_op(op.clone(), &values(&[3, 2], &[2]), "scale is [2], wanted [3]");
    check_op(op.clone(), &values(&[3, 2], &[3, 1]), "scale is [3, 1], wanted [3]");
    check_op(op, &values(&[], &[3]), "the weights are a scalar");
    let table = |shape: &[usize]| vec![bytes(&[2]), tensor(Dtype::I8, shape), bytes(&[2])];
    check_op(lookup(0, 1, 2), &table(&[255]), "table is [255], wanted [256]");
    check_op(lookup(0, 1, 2), &table(&[16, 16]), "table is [16, 16], wanted [256]");
}

#[test]
fn sums_fit_into_32_bits() {
    let layer = |inputs: usize, four_bits: bool| {
        let w = if four_bits { Dtype::I4 } else { Dtype::I8 };
        let mut values =
            vec![bytes(&[inputs]), tensor(w, &[1, inputs]), tensor(Dtype::F32, &[1]), bytes(&[1])];
        if four_bits {
            values.push(tensor(Dtype::U8, &[1, inputs.div_ceil(32)]));
        }
        let groups = four_bits.then_some(4);
        (linear(0, weights(1, 2, groups, None), 3, [-128, 127]), values)
    };
    for (four_bits, limit) in [(false, limits::I8_INPUTS), (true, limits::I4_INPUTS)] {
        let (op, values) = layer(limit + 1, four_bits);
        let wanted = format!("{} products in a sum, at most {limit} fit into 32 bits", limit + 1);
        check_op(op, &values, &wanted);
    }
}

#[test]
fn clamps_have_their_ends_in_order_and_are_for_bytes() {
    for op in [1, 2, 4, 5] {
        let clamp = |p: &mut Program| match &mut p.ops[op] {
            Op::QuantizedLinear { clamp, .. }
            | Op::QuantizedConv1d { clamp, .. }
            | Op::QuantizedConvTranspose1d { clamp, .. }
            | Op::QuantizedAdd { clamp, .. } => *clamp = [4, 3],
            op => panic!("{op:?}"),
        };
        check(clamp, "low 4 is above high 3");
    }
    let on_real =
        |p: &mut Program| p.ops[6] = linear(17, weights(18, 19, None, None), 20, [0, 127]);
    check(on_real, "a clamp of [0, 127] on a result in F32");
}

#[test]
fn sums_of_bytes_are_of_one_shape_and_all_bytes() {
    check_op(add(0, 1, 2), &[bytes(&[2]), bytes(&[3]), bytes(&[2])], "[2] and [3] differ");
    check_op(add(0, 1, 2), &[bytes(&[2]), bytes(&[1]), bytes(&[2])], "[2] and [1] differ");
    check_op(add(0, 1, 2), &[real(&[2]), bytes(&[2]), bytes(&[2])], "value 0 is F32, wanted I8");
    check_op(add(0, 1, 2), &[bytes(&[2]), real(&[2]), bytes(&[2])], "value 1 is F32, wanted I8");
    check_op(add(0, 1, 2), &[bytes(&[2]), bytes(&[2]), real(&[2])], "value 2 is F32, wanted I8");
    check_op(
        add(0, 1, 2),
        &[bytes(&[2]), tensor(Dtype::I8, &[2]), bytes(&[2])],
        "value 1 does not say what its bytes stand for",
    );
}

#[test]
fn tables_are_bytes_of_the_file() {
    let table = |table: Value| vec![bytes(&[2]), table, bytes(&[2])];
    let op = || lookup(0, 1, 2);
    check_op(op(), &table(bytes(&[256])), "table 1 is not a tensor of the file");
    check_op(op(), &table(tensor(Dtype::U8, &[256])), "value 1 is U8, wanted I8");
    check_op(op(), &table(tensor(Dtype::F32, &[256])), "value 1 is F32, wanted I8");
    let values = [real(&[2]), tensor(Dtype::I8, &[256]), bytes(&[2])];
    check_op(op(), &values, "value 0 is F32, wanted I8");
    let values = [bytes(&[2]), tensor(Dtype::I8, &[256]), real(&[2])];
    check_op(op(), &values, "value 2 is F32, wanted I8");
}

#[test]
fn what_moves_keeps_what_it_stands_for() {
    let other = Value::i8([2], Quantization { scale: 0.5, zero_point: -3 });
    let sentence = |found: &Value, wanted: &Value| {
        format!(
            "value 0 is {:?} {:?}, its result {:?} {:?}",
            found.dtype, found.quantization, wanted.dtype, wanted.quantization
        )
    };
    for op in [slice(0, 0, 2), concat(&[0], 1, 0), reshape(), permute(&[0])] {
        for (x, y) in [
            (bytes(&[2]), real(&[2])),
            (real(&[2]), bytes(&[2])),
            (bytes(&[2]), other.clone()),
            (tensor(Dtype::I8, &[2]), bytes(&[2])),
        ] {
            let wanted = sentence(&x, &y);
            check_op(op.clone(), &[x, y], &wanted);
        }
    }
    let both = [bytes(&[2]), other, bytes(&[4])];
    let wanted = sentence(&both[1], &both[2]).replace("value 0", "value 1");
    check_op(concat(&[0, 1], 2, 0), &both, &wanted);
}

#[test]
fn weights_of_integers_are_tensors() {
    for i in [2, 3, 4] {
        let computed = |p: &mut Program| {
            p.values[i] = if i == 2 { bytes(&[5, 2, 3]) } else { real(&[5]) };
            p.inputs.push(port("w", i as u32));
        };
        check(computed, &format!("weight {i} is not a tensor of the file"));
    }
}
