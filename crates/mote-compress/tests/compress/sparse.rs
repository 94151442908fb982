//! Zeros among weights.

use mote_compress::{
    Bits, Choice, Error, Pattern, Ports, Repair, Sparsity, Stack, fidelity, quantize, sparsify,
};
use mote_format::{Array, Dtype, Tensors, ValueId, Verified, program::Unary};

use crate::net::{Net, found, samples};

fn network() -> (Verified, Tensors) {
    let mut net = Net::new(&[8, 6]);
    let a = net.conv(ValueId(0), 32, 1, Some(Unary::Silu));
    let b = net.conv(a, 32, 2, Some(Unary::Silu));
    let y = net.linear(b, 6);
    net.finish(y)
}

const CHOICES: [Choice; 3] = [Choice::Magnitude, Choice::Activation, Choice::Compensated];

/// For each output of each layer its weights.
fn rows(tensors: &Tensors) -> Vec<Vec<f32>> {
    let weights = tensors.values().map(|array| array.tensor()).filter(|t| t.shape.len() > 1);
    weights
        .flat_map(|t| {
            let inputs = t.shape[1..].iter().product::<usize>();
            t.reals().unwrap().chunks(inputs).map(<[f32]>::to_vec).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn every_output_keeps_what_the_pattern_says() {
    let (program, tensors) = network();
    let seen = samples(32, 48, 1);
    let zeros = |w: &[f32]| w.iter().filter(|w| **w == 0.0).count();
    for choice in CHOICES {
        let made = |pattern| {
            let how = Sparsity { pattern, choice };
            rows(&sparsify(&program, &found(&tensors), &seen, how).unwrap())
        };
        for row in made(Pattern::Share(0.6)) {
            assert_eq!(zeros(&row), (0.6 * row.len() as f64).round() as usize, "{choice:?}");
        }
        for row in made(Pattern::Few { kept: 2, of: 4 }) {
            assert!(row.chunks_exact(4).all(|four| zeros(four) == 2), "{choice:?}: {row:?}");
        }
    }
}

/// On other samples than those that were looked at, and without a repair.
#[test]
fn who_looks_at_activations_loses_less_and_who_makes_up_for_it_least() {
    let (program, tensors) = network();
    let (tensors, seen) = (found(&tensors), uneven(samples(128, 48, 1)));
    let held = uneven(samples(64, 48, 2));
    let near = |choice| {
        let how = Sparsity { pattern: Pattern::Share(0.5), choice };
        let made = sparsify(&program, &tensors, &seen, how).unwrap();
        let other = (&program, &found(&made));
        fidelity((&program, &tensors), other, &held, &Ports::default()).unwrap()[0]
            .signal_to_noise_db
    };
    let [size, activation, compensated] = CHOICES.map(near);
    assert!(activation > size + 0.5, "{activation} dB, by size {size}");
    assert!(compensated > activation + 0.5, "{compensated} dB, alone {activation}");
}

/// Inputs of which some are much larger than others.
fn uneven(mut all: Vec<mote_compress::Sample>) -> Vec<mote_compress::Sample> {
    for (i, x) in all.iter_mut().flatten().flat_map(|x| x.iter_mut().enumerate()) {
        *x *= [0.1, 3.0, 0.3, 1.0, 0.2, 2.0][i % 6];
    }
    all
}

#[test]
fn zeros_outlast_repair_and_rounding() {
    let (program, tensors) = network();
    let seen = samples(64, 48, 1);
    let how = Sparsity { pattern: Pattern::Few { kept: 1, of: 4 }, choice: Choice::default() };
    let repair = Some(Repair { steps: 100, ..Repair::default() });
    let stack = Stack { sparsity: Some(how), repair, ..Stack::default() };
    let made = stack
        .apply(&program, &found(&tensors), &seen, &mut |_, _| std::ops::ControlFlow::Continue(()))
        .unwrap();
    assert!(made.repairs[0].after < 0.5 * made.repairs[0].before, "{:?}", made.repairs);
    let (_, small) = quantize(&program, &found(&made.tensors), &seen, Bits::Eight).unwrap();
    for (name, array) in &made.tensors {
        let (before, after) = (array.tensor(), small[name].tensor());
        if after.dtype == Dtype::I8 {
            let w = before.reals().unwrap();
            assert!(w.iter().filter(|w| **w == 0.0).count() * 3 > 2 * w.len(), "{name}");
            let stays = w.iter().zip(after.bytes).all(|(w, q)| *w != 0.0 || *q == 0);
            assert!(stays, "{name}");
        }
    }
}

#[test]
fn a_pattern_that_leaves_nothing_is_refused() {
    let (program, tensors) = network();
    let seen = samples(8, 48, 1);
    for pattern in [Pattern::Share(1.0), Pattern::Share(f64::NAN), Pattern::Few { kept: 0, of: 4 }]
    {
        let how = Sparsity { pattern, choice: Choice::Magnitude };
        let error = sparsify(&program, &found(&tensors), &seen, how).unwrap_err();
        assert!(matches!(error, Error::Share { .. }), "{error}");
    }
    let how = Sparsity { pattern: Pattern::Share(0.5), choice: Choice::Magnitude };
    assert_eq!(sparsify(&program, &found(&tensors), &[], how).unwrap_err(), Error::NoSamples);
}

/// What was zero is none of those that are chosen, and stays.
#[test]
fn zeros_that_were_there_stay() {
    let (program, mut tensors) = network();
    let masked = "t2";
    let mut w = tensors[masked].tensor().reals().unwrap();
    w.iter_mut().step_by(3).for_each(|w| *w = 0.0);
    let shape = tensors[masked].tensor().shape;
    tensors.insert(masked.into(), Array::new(shape, &w));
    let seen = samples(32, 48, 1);
    for pattern in [Pattern::Share(0.5), Pattern::Few { kept: 2, of: 4 }] {
        let how = Sparsity { pattern, choice: Choice::Compensated };
        let made = sparsify(&program, &found(&tensors), &seen, how).unwrap();
        let after = made[masked].tensor().reals().unwrap();
        assert!(w.iter().zip(&after).all(|(before, after)| *before != 0.0 || *after == 0.0));
        let left = |w: &[f32]| w.iter().filter(|w| **w != 0.0).count();
        if pattern == Pattern::Share(0.5) {
            let half = left(&w) / 2;
            assert!(left(&after).abs_diff(half) <= 32, "{} of {half}", left(&after));
        }
    }
}
