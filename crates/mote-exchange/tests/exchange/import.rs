//! What was exported comes back as a program that computes the same, and hostile bytes do no harm.

use mote_exchange::onnx;

use crate::{
    draft::{Draft, Ready},
    export::case,
    peer::{BATCH, Case, ONE_STEP, compare},
    programs::{FLOATS, INTEGERS, Random},
};

/// What was imported, to be run.
pub(crate) fn ready(imported: mote_exchange::Imported) -> Ready {
    Ready { program: imported.program, tensors: imported.tensors }
}

/// Our own results for a whole batch, in the form of those of a peer.
pub(crate) fn batch(ready: &Ready, inputs: &[Vec<Vec<f32>>]) -> Vec<Vec<f64>> {
    let mut all = vec![Vec::new(); ready.program.outputs.len()];
    for sample in 0..BATCH {
        let inputs: Vec<Vec<f32>> = inputs.iter().map(|x| x[sample].clone()).collect();
        for (all, y) in all.iter_mut().zip(ready.run(&inputs)) {
            all.extend(y.iter().map(|&y| f64::from(y)));
        }
    }
    all
}

#[test]
fn what_was_exported_comes_back() {
    for line in FLOATS.iter().chain(INTEGERS) {
        let case: Case = case(Draft::line(line));
        let back = onnx::import(&case.onnx).unwrap_or_else(|e| panic!("{}: {e}", line.0));
        let theirs = batch(&ready(back), &case.inputs);
        compare(line.0, &case, &theirs, ONE_STEP);
    }
}

/// Integers stay integers on the way there and back.
#[test]
fn layers_of_integers_come_back_as_such() {
    for line in INTEGERS.iter().filter(|l| !l.0.contains("four bits")) {
        let case = case(Draft::line(line));
        let back = onnx::import(&case.onnx).unwrap();
        let names = |program: &mote_format::Program| {
            let mut names: Vec<_> = program
                .ops
                .iter()
                .map(mote_format::Op::name)
                .filter(|n| n.starts_with("quantized") || *n == "lookup")
                .collect();
            names.sort_unstable();
            names
        };
        assert_eq!(names(&back.program), names(&case.ready.program), "{}", line.0);
    }
}

#[test]
fn any_change_is_a_model_or_an_error() {
    let mut random = Random(11);
    let models: Vec<Vec<u8>> =
        FLOATS.iter().chain(INTEGERS).map(|line| Draft::line(line).onnx()).collect();
    let (mut good, mut bad) = (0, 0);
    for _ in 0..10_000 {
        let mut bytes = models[random.below(models.len())].clone();
        for _ in 0..1 + random.below(4) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes[at] ^= 1 << random.below(8),
                2 => bytes[at] = random.below(256) as u8,
                _ => {
                    let end = (at + random.below(20)).min(bytes.len());
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part);
                }
            }
        }
        match onnx::import(&bytes) {
            Ok(_) => good += 1,
            Err(e) => {
                assert!(!e.to_string().is_empty());
                bad += 1;
            }
        }
    }
    assert!(good > 100 && bad > 1000, "{good} good, {bad} bad");
}
