//! Passes one after the other, and the repair between them.

use std::ops::ControlFlow;

use mote_compress::{
    Bits, Error, Importance, Lesson, LowRank, Metric, Numbers, Ports, Pruning, Ranks, Repair,
    Rounding, Sample, Scheme, Spread, Stack, Update, fidelity, repair,
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
        pruning: Some(Pruning { share: 0.4, importance, spread, multiple: 1, making_up: true }),
        low_rank: Some(LowRank { share: 0.3, metric: Metric::Results, ranks: Ranks::Automatic }),
        repair: Some(Repair { steps: 150, ..Repair::default() }),
        sparsity: None,
        numbers: bits.map_or(Numbers::Single, |bits| Numbers::Integers(bits.into())),
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
        // Weights as they are, so that there is much to bring back.
        let pruning = stack.pruning.map(|how| Pruning { making_up: false, ..how });
        let stack = Stack { pruning, ..stack };
        let made = stack.apply(&program, &found(&tensors), &seen, &mut go).unwrap();
        let other = (&made.program, &found(&made.tensors));
        fidelity((&program, &found(&tensors)), other, &held, &made.ports).unwrap()[0]
            .signal_to_noise_db
    };
    let (before, after) = (db(None), db(Some(Repair { steps: 400, ..Repair::default() })));
    assert!(after > before + 6.0, "{before} dB, repaired {after}");
}

/// Weights that are zero among others stay zero, whatever else is learned, and adapters keep them too.
#[test]
fn zeros_among_weights_are_held() {
    let (program, tensors) = network();
    let mut sparse = tensors.clone();
    for array in sparse.values_mut().filter(|array| array.tensor().shape.len() > 1) {
        let mut x: Vec<f32> = array.tensor().elements().unwrap().to_vec();
        x.iter_mut().step_by(3).for_each(|x| *x = 0.0);
        *array = mote_format::Array::new(array.tensor().shape.to_vec(), &x);
    }
    let zeros = |t: &Tensors| -> Vec<bool> {
        let x = t.values().flat_map(|a| a.tensor().elements::<f32>().unwrap().to_vec());
        x.map(|x| x == 0.0).collect()
    };
    let before = zeros(&sparse);
    let how = Repair { steps: 100, ..Repair::default() };
    let (seen, ports) = (samples(64, 48, 1), Ports::default());
    let lesson = Lesson { teacher: (&program, &found(&tensors)), samples: &seen, ports: &ports };
    for (update, most) in [(Update::All, 0.7), (Update::Adapters(4), 0.97)] {
        let (mut learned, how) = (sparse.clone(), Repair { update, ..how });
        let repaired = repair(&program, &mut learned, lesson, how, &mut go).unwrap();
        assert!(repaired.after < most * repaired.before, "{update:?} {repaired:?}");
        assert_eq!(zeros(&learned), before, "{update:?}");
        let again = Repair { steps: 0, ..how };
        let measured = repair(&program, &mut learned, lesson, again, &mut go).unwrap();
        assert!((measured.before / repaired.after - 1.0).abs() < 1e-4, "{measured:?} {repaired:?}");
    }
    // Nor does lower rank fill them, or single zeros that make up for others, or a rounding.
    let how = LowRank { share: 0.5, metric: Metric::Results, ranks: Ranks::Uniform };
    let stack = Stack { low_rank: Some(how), ..Stack::default() };
    let made = stack.apply(&program, &found(&sparse), &seen, &mut go).unwrap();
    assert_eq!(zeros(&made.tensors), before);
}

/// Nor does a layer learn that is zero throughout: it hides what is never to be seen.
#[test]
fn a_layer_of_zeros_stays_silent() {
    let (program, tensors) = network();
    let mut silent = tensors.clone();
    let shape = tensors["t2"].tensor().shape.to_vec();
    let zeros = vec![0.0; shape.iter().product()];
    silent.insert("t2".into(), mote_format::Array::new(shape, &zeros));
    let (seen, ports) = (samples(64, 48, 1), Ports::default());
    let lesson = Lesson { teacher: (&program, &found(&tensors)), samples: &seen, ports: &ports };
    for update in [Update::All, Update::Adapters(4)] {
        let how = Repair { steps: 60, update, ..Repair::default() };
        let mut learned = silent.clone();
        let repaired = repair(&program, &mut learned, lesson, how, &mut go).unwrap();
        assert!(repaired.after < repaired.before, "{update:?} {repaired:?}");
        assert_eq!(learned["t2"], silent["t2"], "{update:?}");
    }
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

/// A repair that trains some of the numbers: what else there is stays as it was, the loss falls, and the
/// optimizer needs less memory.
#[test]
fn parts_of_a_program_can_learn_alone() {
    let (program, tensors) = network();
    let seen = samples(128, 48, 1);
    let ports = Ports::default();
    let lesson = Lesson { teacher: (&program, &found(&tensors)), samples: &seen, ports: &ports };
    let mut broken = tensors.clone();
    for array in broken.values_mut() {
        let mut random = crate::net::Random(9);
        let x =
            array.tensor().reals().unwrap().into_iter().map(|x| x * (1.0 + 0.2 * random.unit()));
        *array = mote_format::Array::new(array.tensor().shape.to_vec(), &x.collect::<Vec<_>>());
    }
    let learn = |update| {
        let mut tensors = broken.clone();
        let how = Repair { steps: 400, update, ..Repair::default() };
        let done = repair(&program, &mut tensors, lesson, how, &mut go).unwrap();
        (done, tensors)
    };
    let weights = |t: &Tensors| -> Vec<_> {
        t.iter()
            .filter(|(_, a)| a.tensor().shape.len() > 1)
            .map(|(n, a)| (n.clone(), a.clone()))
            .collect()
    };
    let (all, _) = learn(Update::All);
    let (few, tensors) = learn(Update::Biases);
    assert_eq!(weights(&tensors), weights(&broken));
    let (thin, tensors) = learn(Update::Adapters(4));
    assert!(weights(&tensors).iter().zip(weights(&broken)).all(|(a, b)| a.1 != b.1));
    assert!(few.after < 0.97 * few.before, "{few:?}");
    assert!(thin.after < 0.7 * thin.before && all.after < thin.after, "{thin:?} {all:?}");
    assert!(few.bytes < all.bytes, "{few:?} {all:?}");
    // What was merged is what was trained.
    let how = Repair { steps: 0, ..Repair::default() };
    let mut merged = tensors;
    let again = repair(&program, &mut merged, lesson, how, &mut go).unwrap();
    assert!((again.before / thin.after - 1.0).abs() < 1e-4, "{again:?} {thin:?}");
}

/// Weights of four bits that learned to be rounded are nearer than weights that were only rounded.
#[test]
fn weights_learn_to_be_rounded() {
    let (program, tensors) = network();
    let (seen, held) = (samples(256, 48, 1), samples(30, 48, 2));
    let db = |rounding| {
        let scheme = Scheme { rounding, ..Bits::Four.into() };
        let repair = Some(Repair { steps: 2000, ..Repair::default() });
        let stack = Stack { repair, numbers: Numbers::Integers(scheme), ..Stack::default() };
        let made = stack.apply(&program, &found(&tensors), &seen, &mut go).unwrap();
        assert_eq!(made.repairs.len(), usize::from(rounding == Rounding::Learned));
        let other = (&made.program, &found(&made.tensors));
        fidelity((&program, &found(&tensors)), other, &held, &made.ports).unwrap()[0]
            .signal_to_noise_db
    };
    let [nearest, compensated, learned] =
        [Rounding::Nearest, Rounding::Compensated, Rounding::Learned].map(db);
    let all = format!("{learned} dB, {nearest} to the nearest, {compensated} by GPTQ");
    assert!(compensated > nearest && learned > compensated + 1.0, "{all}");
}
