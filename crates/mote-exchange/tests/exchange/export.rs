//! What ONNX Runtime computes with exported programs is what the runtime computes.

use mote_format::{Dtype, Op};

use crate::{
    draft::{Draft, Ready},
    peer::{self, BATCH, Case, ONE_STEP},
    programs::{FLOATS, INTEGERS, Random},
};

/// A case with random samples.
pub(crate) fn case(ready: Ready) -> Case {
    let mut random = Random(3);
    let sample = |port: &mote_format::program::Port, random: &mut Random| {
        let n = ready.program.elements(port.value);
        match ready.program.dtype(port.value) {
            Dtype::I8 => (0..n).map(|_| random.below(256) as f32 - 128.0).collect(),
            _ => random.fill(n, 1.5),
        }
    };
    let inputs = ready.program.inputs.iter();
    let inputs = inputs.map(|p| (0..BATCH).map(|_| sample(p, &mut random)).collect()).collect();
    Case { onnx: ready.onnx(), ready, inputs }
}

#[test]
fn onnx_runtime_computes_the_same() {
    let Some(python) = peer::python() else { return };
    let lines: Vec<_> = FLOATS.iter().chain(INTEGERS).collect();
    let cases: Vec<Case> = lines.iter().map(|line| case(Draft::line(line))).collect();
    let results = peer::onnx_runtime(&python, &cases);
    for ((line, case), result) in lines.iter().zip(&cases).zip(results) {
        let theirs = result.unwrap_or_else(|e| panic!("{}: {e}", line.0));
        peer::compare(line.0, case, &theirs, ONE_STEP);
    }
}

#[test]
fn equal_programs_give_equal_bytes() {
    for line in FLOATS.iter().chain(INTEGERS) {
        assert_eq!(Draft::line(line).onnx(), Draft::line(line).onnx(), "{}", line.0);
    }
}

#[test]
fn attention_beyond_what_a_model_can_hold_is_refused() {
    let mut draft = Draft::new("long");
    let shape = [1 << 13, 1, 1];
    let [q, k, v] = ["q", "k", "v"].map(|name| draft.input(name, &shape));
    let bias = draft.tensor(&[1, 1], vec![0.0]);
    let y = draft.push(|y| Op::Attention { q, k, v, bias, y, before: 0 });
    draft.output("y", y);
    let ready = draft.verify();
    let error = ready.try_onnx().expect_err("2 to the power of 26 scores").to_string();
    assert!(error.contains("scores of an attention") && error.contains("67108864"), "{error}");
}
