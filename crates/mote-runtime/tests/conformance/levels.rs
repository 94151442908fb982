//! The table, at every level of this machine: one sample at a time and several at once.

use std::collections::BTreeMap;

use mote_format::{Array, Dtype, ValueId, Verified, container::Tensor};
use mote_runtime::{Level, Loaded};

use crate::{
    networks,
    operations::{self, Case},
    support::draft::{Bits, Draft, autoencoder},
    tolerance::Tolerance,
};

/// The elements of one value.
#[derive(Clone, Debug)]
enum Numbers {
    Real(Vec<f32>),
    Bytes(Vec<i8>),
}

/// Numbers of every port.
type Sample = Vec<Numbers>;

/// Samples that are run together.
const BATCH: usize = 3;

/// Without a pattern: real numbers from -2 to 2 and bytes of every value; the first sample is zero
/// throughout, where padding and zero points show.
fn sample(program: &Verified, seed: usize, draft: &mut Draft) -> Sample {
    let one = |id: ValueId| {
        let n = program.elements(id);
        match (program.dtype(id), program.values[id.index()].quantization) {
            (Dtype::F32, _) if seed == 0 => Numbers::Real(vec![0.0; n]),
            (_, Some(q)) if seed == 0 => Numbers::Bytes(vec![q.zero_point; n]),
            (Dtype::F32, _) => {
                Numbers::Real((0..n).map(|_| f32::from(draft.random()) / 16384.0 - 2.0).collect())
            }
            _ => Numbers::Bytes((0..n).map(|_| (draft.random() >> 8) as u8 as i8).collect()),
        }
    };
    program.inputs.iter().map(|port| port.value).map(one).collect()
}

/// What a batch gives, sample by sample.
fn run(
    level: Level,
    program: &Verified,
    tensors: &BTreeMap<String, Tensor<'_>>,
    samples: &[Sample],
) -> Vec<Sample> {
    let loaded = Loaded::from_parts(level, program, tensors).expect("tensors are aligned");
    let mut instance = loaded.batch(samples.len());
    for (i, port) in program.inputs.iter().enumerate() {
        for (s, sample) in samples.iter().enumerate() {
            match &sample[i] {
                Numbers::Real(x) => {
                    let to = instance.input(port.value);
                    to[s * x.len()..][..x.len()].copy_from_slice(x);
                }
                Numbers::Bytes(x) => {
                    let to = instance.input_of::<i8>(port.value);
                    to[s * x.len()..][..x.len()].copy_from_slice(x);
                }
            }
        }
    }
    instance.run();
    let part = |s: usize, id: ValueId| {
        let n = program.elements(id);
        // A tensor of the file is the same for all samples.
        let from = if program.values[id.index()].tensor.is_some() { 0 } else { s * n };
        match program.dtype(id) {
            Dtype::F32 => Numbers::Real(instance.output(id)[from..][..n].to_vec()),
            _ => Numbers::Bytes(instance.output_of::<i8>(id)[from..][..n].to_vec()),
        }
    };
    let all = |s| program.outputs.iter().map(|port| part(s, port.value)).collect();
    (0..samples.len()).map(all).collect()
}

#[track_caller]
fn compare(tolerance: Tolerance, found: &[Sample], wanted: &[Sample], which: &str) {
    assert_eq!(found.len(), wanted.len(), "{which}");
    for (found, wanted) in found.iter().flatten().zip(wanted.iter().flatten()) {
        match (found, wanted) {
            (Numbers::Real(found), Numbers::Real(wanted)) => {
                assert_eq!(found.len(), wanted.len(), "{which}");
                for (i, (&found, &wanted)) in found.iter().zip(wanted).enumerate() {
                    let near = tolerance.real(found, wanted);
                    assert!(near, "{which}: element {i} is {found}, wanted {wanted}");
                }
            }
            (Numbers::Bytes(found), Numbers::Bytes(wanted)) => {
                assert_eq!(found.len(), wanted.len(), "{which}");
                for (i, (&found, &wanted)) in found.iter().zip(wanted).enumerate() {
                    let near = tolerance.byte(found, wanted);
                    assert!(near, "{which}: element {i} is {found}, wanted {wanted}");
                }
            }
            _ => panic!("{which}: outputs of another type"),
        }
    }
}

/// Every level gives what the plain one gives, however many samples run at once; the plain one
/// itself gives the same bits for a sample whatever runs beside it.
#[track_caller]
fn check(Case { name, tolerance, mut draft }: Case) {
    let stored = |name: &str| draft.tensors.get(name).map(Array::stored);
    let program =
        Verified::new(draft.program.clone(), stored).unwrap_or_else(|e| panic!("{name}: {e}"));
    let samples: Vec<_> = (0..BATCH).map(|seed| sample(&program, seed, &mut draft)).collect();
    let tensors: BTreeMap<_, _> =
        draft.tensors.iter().map(|(name, array)| (name.clone(), array.tensor())).collect();
    let alone = |level| -> Vec<Sample> {
        samples
            .iter()
            .flat_map(|s| run(level, &program, &tensors, std::slice::from_ref(s)))
            .collect()
    };
    let wanted = alone(Level::Plain);
    for level in Level::available() {
        let tolerance = if level == Level::Plain { Tolerance::Exact } else { tolerance };
        let which = |how| format!("{name}, {} {how}", level.name());
        compare(tolerance, &alone(level), &wanted, &which("alone"));
        let together = run(level, &program, &tensors, &samples);
        compare(tolerance, &together, &wanted, &which("together"));
    }
}

#[test]
fn every_operation_agrees_at_every_level() {
    let cases = operations::all();
    assert!(cases.len() > 200, "{} cases", cases.len());
    cases.into_iter().for_each(check);
}

/// Roundings of whole networks add up; the firmware of the same programs is held to 1e-4.
const NETWORK: Tolerance = Tolerance::Ulp(256);

#[test]
fn every_network_of_the_firmware_agrees_at_every_level() {
    for (name, draft) in networks::all() {
        let real = draft.program.ops.iter().any(|op| op.name() == "linear" || op.name() == "unary");
        let tolerance = if real { NETWORK } else { Tolerance::Exact };
        check(Case { name: name.into(), tolerance, draft });
    }
}

#[test]
fn the_autoencoder_agrees_in_every_kind_of_weights() {
    for (bits, tolerance) in
        [(Bits::Real, NETWORK), (Bits::Eight, Tolerance::Exact), (Bits::Four, Tolerance::Exact)]
    {
        check(Case { name: format!("{bits:?}"), tolerance, draft: autoencoder(bits) });
    }
}
