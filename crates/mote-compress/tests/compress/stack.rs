//! Passes one after the other, and the repair between them.

use std::ops::ControlFlow;

use mote_compress::{
    Bits, Error, Importance, Lesson, LowRank, Metric, Ports, Pruning, Ranks, Repair, Sample,
    Spread, Stack, fidelity, repair,
};
use mote_format::{Op, Tensors, ValueId, Verified, program::Unary};

use crate::net::{Net, found, samples};

fn network() -> (Verified, Tensors) {
    let mut net = Net::new(&[8, 6]);
    let a = net.conv(ValueId(0), 24, 1, Some(Unary::Silu));
    let b = net.conv(a, 24, 2, Some(Unary::Silu));
    let y = net.linear(b, 6);
    net.finish(y)
}

fn go(_: usize, _: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn stack(bits: Option<Bits>) -> Stack {
    let (importance, spread) = (Importance::Activation, Spread::Uniform);
    Stack {
        pruning: Some(Pruning { share: 0.4, importance, spread, multiple: 1 }),
        low_rank: Some(LowRank { share: 0.3, metric: Metric::Results, ranks: Ranks::Automatic }),
        repair: Some(Repair { steps: 150, ..Repair::default() }),
        scheme: bits.map(Into::into),
    }
}

fn bytes(tensors: &Tensors) -> usize {
    tensors.values().map(|array| array.tensor().bytes.len()).sum()
}

#[test]
fn a_stack_is_smaller_pass_by_pass_and_the_same_on_every_run() {
    let (program, tensors) = network();
    let (seen, held) = (samples(64, 48, 1), samples(30, 48, 2));
    let tensors_found = found(&tensors);
    let mut sizes = vec![bytes(&tensors)];
    for bits in [None, Some(Bits::Eight), Some(Bits::Four)] {
        let apply = || stack(bits).apply(&program, &tensors_found, &seen, &mut go).unwrap();
        let (made, again) = (apply(), apply());
        assert_eq!(made.tensors, again.tensors);
        assert_eq!(made.program, again.program);
        assert!(
            made.repairs.iter().all(|r| r.after < r.before && r.bytes > 0),
            "{:?}",
            made.repairs
        );
        let near = fidelity(
            (&program, &tensors_found),
            (&made.program, &found(&made.tensors)),
            &held,
            &made.ports,
        );
        let db = near.unwrap()[0].signal_to_noise_db;
        assert!(db > 5.0, "{bits:?}: {db}");
        sizes.push(bytes(&made.tensors));
    }
    assert!(sizes.is_sorted_by(|a, b| a > b), "{sizes:?}");
    assert!(sizes[3] * 5 < sizes[0], "{sizes:?}");
}

#[test]
fn a_repair_brings_back_most_of_what_was_taken() {
    let (program, tensors) = network();
    let (seen, held) = (samples(256, 48, 1), samples(30, 48, 2));
    let db = |repair| {
        let stack = Stack { repair, low_rank: None, ..stack(None) };
        let made = stack.apply(&program, &found(&tensors), &seen, &mut go).unwrap();
        let other = (&made.program, &found(&made.tensors));
        fidelity((&program, &found(&tensors)), other, &held, &made.ports).unwrap()[0]
            .signal_to_noise_db
    };
    let (before, after) = (db(None), db(Some(Repair { steps: 400, ..Repair::default() })));
    assert!(after > before + 6.0, "{before} dB, repaired {after}");
}

/// Weights that are zero stay zero, whatever else is learned.
#[test]
fn zeros_are_held_where_that_is_asked_for() {
    let (program, tensors) = network();
    let mut sparse = tensors.clone();
    for array in sparse.values_mut() {
        let mut x: Vec<f32> = array.tensor().elements().unwrap().to_vec();
        x.iter_mut().step_by(3).for_each(|x| *x = 0.0);
        *array = mote_format::Array::new(array.tensor().shape.to_vec(), &x);
    }
    let zeros = |t: &Tensors| -> Vec<bool> {
        let x = t.values().flat_map(|a| a.tensor().elements::<f32>().unwrap().to_vec());
        x.map(|x| x == 0.0).collect()
    };
    let before = zeros(&sparse);
    let (seen, ports) = (samples(64, 48, 1), Ports::default());
    let lesson = Lesson { teacher: (&program, &found(&tensors)), samples: &seen, ports: &ports };
    let how = Repair { steps: 100, hold_zeros: true, ..Repair::default() };
    let repaired = repair(&program, &mut sparse, lesson, how, &mut go).unwrap();
    assert!(repaired.after < 0.7 * repaired.before, "{repaired:?}");
    assert_eq!(zeros(&sparse), before);
}

#[test]
fn what_cannot_be_stacked_is_refused_and_a_repair_can_be_broken_off() {
    let (program, tensors) = network();
    let seen: Vec<Sample> = samples(64, 48, 1);
    let small = stack(Some(Bits::Eight)).apply(&program, &found(&tensors), &seen, &mut go).unwrap();
    let error = stack(None).apply(&small.program, &found(&small.tensors), &seen, &mut go);
    assert!(matches!(error.unwrap_err(), Error::Quantized { .. }));
    let error = stack(None).apply(&program, &found(&tensors), &[], &mut go);
    assert!(matches!(error.unwrap_err(), Error::NoSamples));
    let mut steps = 0;
    let mut three = |_, _| {
        steps += 1;
        if steps > 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let only = Stack { low_rank: None, ..stack(None) };
    assert!(only.apply(&program, &found(&tensors), &seen, &mut three).is_ok());
    assert_eq!(steps, 4);
    let y = program.output("y").unwrap();
    assert!(matches!(program.ops.last(), Some(Op::Linear { y: last, .. }) if *last == y));
}
