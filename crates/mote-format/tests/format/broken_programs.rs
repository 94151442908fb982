//! Programs that break a rule, each with the sentence that it is refused with.

use mote_format::{Array, Error, Op, Program, Stored, ValueId, Verified, limits, program::Unary};

use crate::sample::{
    self, affine, binary, clamp, concat, conv_transpose1d, conv1d, cumulative_sum, layer_norm,
    linear, one, permute, port, reduce, relu, reshape, slice, softmax, value,
};

/// The sample program, edited, is refused with this sentence.
#[track_caller]
fn check(edit: impl Fn(&mut Program), wanted: &str) {
    let (mut program, tensors) = (sample::program(), sample::tensors());
    edit(&mut program);
    let shape = |name: &str| tensors.get(name).map(Array::stored);
    let error = Verified::new(program, shape).unwrap_err();
    assert_eq!(error.to_string(), wanted);
}

/// A program of one operation over these shapes is refused because of this.
#[track_caller]
fn check_op(op: Op, shapes: &[&[usize]], wanted: &str) {
    let (program, tensors) = one(op.clone(), shapes);
    let shape = |name: &str| tensors.get(name).map(|shape| Stored::f32(shape));
    let error = Verified::new(program, shape).unwrap_err();
    let Error::Program { program, op: found, why } = &error else { panic!("{error}") };
    assert_eq!((program.as_str(), why.as_str()), ("one", wanted));
    assert_eq!(found.as_deref(), Some(format!("0 ({})", op.name()).as_str()));
}

#[test]
fn values_are_written_once_and_before_they_are_read() {
    let at =
        |i: u32, name: &str, why: &str| format!("program `score`, operation {i} ({name}): {why}");
    check(|p| p.ops.swap(0, 1), &at(0, "unary", "value 3 is read before it is written"));
    check(|p| p.inputs.clear(), &at(0, "linear", "value 0 is read before it is written"));
    check(|p| p.ops[1] = relu(4, 4), &at(1, "unary", "value 4 is read before it is written"));
    check(|p| p.ops[1] = relu(3, 3), &at(1, "unary", "value 3 is written twice"));
    check(|p| p.ops[1] = relu(3, 0), &at(1, "unary", "value 0 is written twice"));
    check(|p| p.ops.push(p.ops[1].clone()), &at(2, "unary", "value 4 is written twice"));
    check(|p| p.ops[1] = relu(9, 4), &at(1, "unary", "value 9 does not exist"));
    check(|p| p.ops[1] = relu(3, 9), &at(1, "unary", "value 9 does not exist"));
    check(|p| p.ops[1] = relu(3, u32::MAX), &at(1, "unary", "value 4294967295 does not exist"));
    check(|p| p.ops[0] = linear(0, 9, None, 3), &at(0, "linear", "value 9 does not exist"));
    check(
        |p| p.values[4].shape = vec![2, 3],
        &at(1, "unary", "its result is [3, 2], declared as [2, 3]"),
    );
}

#[test]
fn tensors_are_those_of_the_file_and_are_not_written() {
    let tensor = |p: &mut Program, i: usize, name: &str| p.values[i].tensor = Some(name.into());
    check(
        |p| tensor(p, 1, "dense.v"),
        "tensor `dense.v`: wanted F32 [2, 2] for program `score`, found none",
    );
    check(
        |p| p.values[1].shape = vec![4],
        "tensor `dense.w`: wanted F32 [4] for program `score`, found F32 [2, 2]",
    );
    check(
        |p| {
            p.values.push(value(&[2, 2], Some("dense.w")));
            p.inputs.push(port("w", 5));
        },
        "program `score`: value 5 is written twice",
    );
    check(
        |p| {
            p.values[4] = value(&[3, 0], Some("empty"));
            p.ops[1] = slice_of(3, 4);
        },
        "program `score`, operation 1 (slice): value 4 is written twice",
    );
}

fn slice_of(x: u32, y: u32) -> Op {
    Op::Slice { x: ValueId(x), y: ValueId(y), axis: 1, start: 0, end: 0 }
}

#[test]
fn weights_are_tensors() {
    let computed = |p: &mut Program, i: usize| {
        p.values[i].tensor = None;
        p.inputs.push(port("w", i as u32));
    };
    let at = "program `score`, operation 0 (linear): ";
    check(|p| computed(p, 1), &format!("{at}weight 1 is not a tensor of the file"));
    check(|p| computed(p, 2), &format!("{at}weight 2 is not a tensor of the file"));
    check(
        |p| p.ops[0] = linear(0, 0, None, 3),
        &format!("{at}weight 0 is not a tensor of the file"),
    );
}

#[test]
fn ports_exist_once_and_outputs_are_written() {
    let twice = "stands twice among the";
    check(|p| p.inputs.push(port("x", 3)), &format!("program `score`: `x` {twice} inputs"));
    check(|p| p.inputs.push(port("z", 0)), &format!("program `score`: `z` {twice} inputs"));
    check(|p| p.outputs.push(port("nll", 3)), &format!("program `score`: `nll` {twice} outputs"));
    check(|p| p.outputs.push(port("kl", 4)), &format!("program `score`: `kl` {twice} outputs"));
    check(|p| p.inputs[0].value.0 = 5, "program `score`: value 5 does not exist");
    check(|p| p.outputs[0].value.0 = 5, "program `score`: value 5 does not exist");
    check(|p| drop(p.ops.pop()), "program `score`: output `nll` is never written");
    check(
        |p| p.inputs.push(port("z", 3)),
        "program `score`, operation 0 (linear): value 3 is written twice",
    );
}

/// Copying one state would overwrite what is still to be copied as another.
#[test]
fn states_do_not_come_out_where_others_went_in() {
    let add = |p: &mut Program, outputs: [u32; 2], flat: Option<u32>| {
        p.values.extend([value(&[2], None), value(&[2], None), value(&[2], None)]);
        p.inputs.extend([port("state.a", 5), port("state.b", 6)]);
        if let Some(x) = flat {
            p.ops.push(Op::Reshape { x: ValueId(x), y: ValueId(7) });
        }
        p.outputs.extend([port("state.a", outputs[0]), port("state.b", outputs[1])]);
    };
    let swapped = "program `score`: `state.a` comes out where `state.b` went in";
    check(|p| add(p, [6, 5], None), swapped);
    check(|p| add(p, [7, 6], Some(6)), swapped);
    check(|p| add(p, [5, 2], None), "program `score`: `state.b` comes out as a tensor");
    let (mut program, tensors) = (sample::program(), sample::tensors());
    add(&mut program, [7, 6], Some(5));
    let shape = |name: &str| tensors.get(name).map(Array::stored);
    Verified::new(program, shape).expect("each state comes out where it went in");
}

#[test]
fn sizes_stay_within_the_limits() {
    let shape = |p: &mut Program, shape: &[usize]| p.values[0].shape = shape.into();
    check(|p| shape(p, &[1; 5]), "wanted at most 4 axes of a value, found 5");
    let large = "program `score`: a value of shape";
    check(|p| shape(p, &[1 << 14, 1 << 15]), &format!("{large} [16384, 32768] is too large"));
    check(
        |p| shape(p, &[1 << 40, 1 << 40]),
        &format!("{large} [1099511627776, 1099511627776] is too large"),
    );
    check(
        |p| shape(p, &[0, usize::MAX]),
        &format!("{large} [0, 18446744073709551615] is too large"),
    );
    check(
        |p| p.values.resize(limits::VALUES + 1, value(&[], None)),
        "wanted at most 65536 values in a program, found 65537",
    );
    check(
        |p| p.ops.resize(limits::OPS + 1, relu(3, 4)),
        "wanted at most 65536 operations in a program, found 65537",
    );
    let computed = sample::program().values.into_iter().filter(|v| v.tensor.is_none());
    let found = computed.map(|v| v.bytes()).sum::<usize>() + limits::VALUE_BYTES;
    let largest = |p: &mut Program| {
        p.values.extend([value(&[limits::ELEMENTS], None), value(&[limits::ELEMENTS], None)]);
    };
    check(
        largest,
        &format!("wanted at most 2147483648 bytes of values in a program, found {found}"),
    );
}

#[test]
fn linear_refuses_other_widths() {
    let op = |bias| linear(0, 1, bias, if bias.is_some() { 3 } else { 2 });
    check_op(op(None), &[&[4, 2], &[3, 1], &[4, 3]], "inputs of x and w differ: 2 and 1");
    check_op(op(Some(2)), &[&[4, 2], &[3, 2], &[2], &[4, 3]], "bias is [2], wanted [3]");
    check_op(op(Some(2)), &[&[4, 2], &[3, 2], &[3, 1], &[4, 3]], "bias is [3, 1], wanted [3]");
    let wants = "wants x (.., inputs) and w (outputs, inputs), found";
    check_op(op(None), &[&[], &[3, 2], &[3]], &format!("{wants} [] and [3, 2]"));
    check_op(op(None), &[&[2], &[2], &[2]], &format!("{wants} [2] and [2]"));
}

#[test]
fn conv1d_refuses_windows_that_do_not_fit() {
    let shapes: &[&[usize]] = &[&[5, 2], &[4, 3, 2], &[3, 4]];
    let op = |stride, dilation, padding| conv1d([0, 1, 2], None, stride, dilation, padding);
    let fit = "do not fit 5 rows with padding";
    check_op(op(0, 1, [0, 0]), shapes, &format!("kernel 3, stride 0, dilation 1 {fit} [0, 0]"));
    check_op(op(1, 0, [0, 0]), shapes, &format!("kernel 3, stride 1, dilation 0 {fit} [0, 0]"));
    check_op(op(1, 4, [1, 2]), shapes, &format!("kernel 3, stride 1, dilation 4 {fit} [1, 2]"));
    let huge = usize::MAX;
    check_op(
        op(1, huge, [0, 0]),
        shapes,
        &format!("kernel 3, stride 1, dilation {huge} {fit} [0, 0]"),
    );
    check_op(
        op(1, 1, [huge, 1]),
        shapes,
        &format!("kernel 3, stride 1, dilation 1 {fit} [{huge}, 1]"),
    );
    check_op(
        op(1, 1, [0, 0]),
        &[&[5, 2], &[4, 0, 2], &[3, 4]],
        &format!("kernel 0, stride 1, dilation 1 {fit} [0, 0]"),
    );
    check_op(
        op(1, 1, [0, 0]),
        &[&[5, 2], &[4, 6, 2], &[3, 4]],
        &format!("kernel 6, stride 1, dilation 1 {fit} [0, 0]"),
    );
    check_op(
        op(1, 1, [0, 0]),
        &[&[5, 2], &[4, 3, 1], &[3, 4]],
        "inputs of x and w differ: 2 and 1",
    );
    let wants = "wants x (time, inputs) and w (outputs, kernel, inputs), found";
    check_op(op(1, 1, [0, 0]), &[&[5], &[4, 3, 2], &[3, 4]], &format!("{wants} [5] and [4, 3, 2]"));
    check_op(op(1, 1, [0, 0]), &[&[5, 2], &[4, 2], &[3, 4]], &format!("{wants} [5, 2] and [4, 2]"));
    check_op(
        conv1d([0, 1, 3], Some(2), 1, 1, [0, 0]),
        &[&[5, 2], &[4, 3, 2], &[3], &[3, 4]],
        "bias is [3], wanted [4]",
    );
    check_op(
        op(1, 1, [0, 0]),
        &[&[5, 2], &[4, 3, 2], &[4, 4]],
        "its result is [3, 4], declared as [4, 4]",
    );
}

#[test]
fn conv_transpose1d_refuses_to_cut_off_more_than_there_is() {
    let shapes: &[&[usize]] = &[&[3, 2], &[4, 5, 2], &[8, 5]];
    let op = |stride, trim| conv_transpose1d([0, 1, 2], None, stride, trim);
    check_op(op(0, [0, 0]), shapes, "kernel 4, stride 0, trim [0, 0] leave no rows of 3");
    check_op(op(2, [5, 4]), shapes, "kernel 4, stride 2, trim [5, 4] leave no rows of 3");
    check_op(
        op(usize::MAX, [0, 0]),
        shapes,
        &format!("kernel 4, stride {}, trim [0, 0] leave no rows of 3", usize::MAX),
    );
    check_op(
        op(1, [0, 0]),
        &[&[0, 2], &[4, 5, 2], &[3, 5]],
        "kernel 4, stride 1, trim [0, 0] leave no rows of 0",
    );
    check_op(op(1, [0, 0]), &[&[3, 2], &[4, 5, 3], &[6, 5]], "inputs of x and w differ: 2 and 3");
    let wants = "wants x (time, inputs) and w (kernel, outputs, inputs), found";
    check_op(
        op(1, [0, 0]),
        &[&[1, 3, 2], &[4, 5, 2], &[6, 5]],
        &format!("{wants} [1, 3, 2] and [4, 5, 2]"),
    );
    check_op(
        conv_transpose1d([0, 1, 3], Some(2), 2, [0, 0]),
        &[&[3, 2], &[4, 5, 2], &[4], &[8, 5]],
        "bias is [4], wanted [5]",
    );
}

#[test]
fn normalizations_refuse_scalars_and_other_widths() {
    let norm = |epsilon| layer_norm([0, 1, 2], None, epsilon);
    check_op(norm(1e-5), &[&[], &[1], &[]], "wants x (.., n), found a scalar");
    check_op(norm(1e-5), &[&[4, 3], &[4], &[4, 3]], "gain is [4], wanted [3]");
    check_op(
        layer_norm([0, 1, 3], Some(2), 1e-5),
        &[&[4, 3], &[3], &[4], &[4, 3]],
        "bias is [4], wanted [3]",
    );
    for epsilon in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        check_op(
            norm(epsilon),
            &[&[4, 3], &[3], &[4, 3]],
            &format!("epsilon {epsilon} is not positive"),
        );
    }
    check_op(softmax(), &[&[], &[]], "wants x (.., n), found a scalar");
}

#[test]
fn elementwise_operations_refuse_numbers_that_are_none() {
    let shapes: &[&[usize]] = &[&[2], &[2]];
    check_op(affine(f32::NAN, 0.0), shapes, "scale NaN or offset 0 is not finite");
    check_op(affine(f32::INFINITY, 0.0), shapes, "scale inf or offset 0 is not finite");
    check_op(affine(1.0, f32::NEG_INFINITY), shapes, "scale 1 or offset -inf is not finite");
    check_op(affine(1.0, f32::NAN), shapes, "scale 1 or offset NaN is not finite");
    check_op(clamp(f32::NAN, 1.0), shapes, "low NaN is not below high 1");
    check_op(clamp(0.0, f32::NAN), shapes, "low 0 is not below high NaN");
    check_op(clamp(1.0, 0.0), shapes, "low 1 is not below high 0");
    check_op(binary(0, 1, 2), &[&[2, 3], &[2], &[2, 3]], "[2, 3] and [2] do not broadcast");
    check_op(binary(0, 1, 2), &[&[0], &[2], &[2]], "[0] and [2] do not broadcast");
}

#[test]
fn reductions_refuse_axes_that_are_empty_or_missing() {
    check_op(cumulative_sum(2), &[&[4, 3], &[4, 3]], "axis 2 of [4, 3] does not exist");
    check_op(reduce(2), &[&[4, 3], &[4, 3]], "axis 2 of [4, 3] does not exist");
    check_op(reduce(0), &[&[], &[]], "axis 0 of [] does not exist");
    check_op(reduce(0), &[&[0, 3], &[1, 3]], "axis 0 of [0, 3] is empty");
}

#[test]
fn layouts_refuse_to_invent_or_to_lose_elements() {
    check_op(slice(0, 1, 5), &[&[4, 3], &[4, 3]], "1..5 of axis 0 is outside [4, 3]");
    check_op(slice(0, 3, 2), &[&[4, 3], &[0, 3]], "3..2 of axis 0 is outside [4, 3]");
    check_op(slice(2, 0, 1), &[&[4, 3], &[4, 3]], "0..1 of axis 2 is outside [4, 3]");
    let huge = usize::MAX;
    check_op(slice(0, 0, huge), &[&[4], &[4]], &format!("0..{huge} of axis 0 is outside [4]"));
    check_op(concat(&[], 0, 0), &[&[4]], "wants at least one operand");
    check_op(
        concat(&[0, 1], 2, 0),
        &[&[4, 3], &[4, 2], &[8, 3]],
        "[4, 2] does not fit [4, 3] along axis 0",
    );
    check_op(
        concat(&[0, 1], 2, 0),
        &[&[4, 3], &[4], &[8, 3]],
        "[4] does not fit [4, 3] along axis 0",
    );
    check_op(concat(&[0], 1, 1), &[&[4], &[4]], "axis 1 of [4] does not exist");
    check_op(concat(&[0], 1, 0), &[&[], &[]], "axis 0 of [] does not exist");
    check_op(reshape(), &[&[4, 3], &[11]], "12 elements cannot become [11]");
    check_op(reshape(), &[&[0, 3], &[]], "0 elements cannot become []");
    let none = |axes: &[usize]| format!("axes {axes:?} are not a permutation of those of [4, 3]");
    for axes in [&[0, 0][..], &[0], &[0, 1, 1], &[1, 2], &[]] {
        check_op(permute(axes), &[&[4, 3], &[3, 4]], &none(axes));
    }
}

#[test]
fn attention_wants_shapes_that_fit_each_other() {
    let op = |before| Op::Attention {
        q: ValueId(0),
        k: ValueId(1),
        v: ValueId(2),
        bias: ValueId(3),
        y: ValueId(4),
        before,
    };
    let good: [&[usize]; 5] = [&[6, 2, 3], &[6, 2, 3], &[6, 2, 5], &[2, 4], &[6, 2, 5]];
    let with = |at: usize, shape: &'static [usize]| {
        let mut shapes = good;
        shapes[at] = shape;
        shapes
    };
    let (program, tensors) = one(op(3), &good);
    assert!(Verified::new(program, |name| tensors.get(name).map(|s| Stored::f32(s))).is_ok());
    let window = "4 rows before a window of 4";
    check_op(op(4), &good, window);
    check_op(op(2), &good, "rows of q and windows differ: 6 and 5");
    check_op(op(0), &with(1, &[3, 2, 3]), "times of k and v differ: 3 and 6");
    check_op(op(3), &with(1, &[6, 2, 4]), "widths of q and k differ: 3 and 4");
    check_op(op(3), &with(1, &[6, 3, 3]), "heads differ: 2 and 3");
    check_op(op(3), &with(3, &[3, 4]), "heads differ: 2 and 3");
    check_op(op(3), &with(3, &[2, 0]), "3 rows before a window of 0");
    check_op(op(0), &with(3, &[2, 7]), "a window of 7 does not fit 6 rows with 0 before them");
    check_op(
        op(3),
        &with(0, &[6, 6]),
        "wants q and k (rows, heads, width), found [6, 6] and [6, 2, 3]",
    );
    check_op(
        op(3),
        &with(2, &[6, 5]),
        "wants v (time, heads, outputs) and bias (heads, window), found [6, 5] and [2, 4]",
    );
}

#[test]
fn adjoints_want_the_shapes_of_what_they_belong_to() {
    let [x, other, y] = [0, 1, 2].map(ValueId);
    let product = |turned| Op::Product { a: x, b: other, y, turned };
    let differ = "axes that are summed over differ: 3 and 4";
    check_op(product([false; 2]), &[&[2, 3], &[4, 5], &[2, 5]], differ);
    check_op(product([true; 2]), &[&[3, 2], &[5, 4], &[2, 5]], differ);
    let matrices = "wants two matrices, found [3] and [3, 5]";
    check_op(product([false; 2]), &[&[3], &[3, 5], &[5]], matrices);

    let y = ValueId(1);
    let (stride, dilation) = (1, 1);
    let unfold = |kernel, padding| Op::Unfold { x, y, kernel, stride, dilation, padding };
    let fold = |kernel, padding| Op::Fold { x, y, kernel, stride, dilation, padding };
    let fits = "kernel 5, stride 1, dilation 1 do not fit 4 rows with padding [0, 0]";
    check_op(unfold(5, [0, 0]), &[&[4, 2], &[0, 10]], fits);
    let huge = usize::MAX;
    let fits = format!("kernel 2, stride 1, dilation 1 do not fit 4 rows with padding [{huge}, 1]");
    check_op(unfold(2, [huge, 1]), &[&[4, 2], &[4, 4]], &fits);
    check_op(unfold(2, [0, 0]), &[&[4], &[3]], "wants x (time, channels), found [4]");
    check_op(fold(2, [0, 0]), &[&[4, 4], &[4, 2]], "[4, 2] unfolds to [3, 4], found [4, 4]");

    let expand = Op::Expand { x, y };
    check_op(expand.clone(), &[&[2, 3], &[4, 3]], "[2, 3] does not broadcast to [4, 3]");
    check_op(expand, &[&[4, 3], &[3]], "[4, 3] does not broadcast to [3]");
    let pad = |axis, padding| Op::Pad { x, y, axis, padding };
    check_op(pad(1, [0, 0]), &[&[4], &[4]], "axis 1 of [4] does not exist");
    check_op(pad(0, [huge, 0]), &[&[4], &[4]], "the padded axis overflows");
    let slope = Op::Slope { x, g: other, y: ValueId(2), f: Unary::Exp };
    check_op(slope, &[&[4], &[1], &[4]], "[4] and [1] differ");
}
