//! Training programs against finite differences, operation by operation and on programs of many.

use std::collections::BTreeMap;

use mote_format::{
    Array, Op, ValueId, Verified,
    container::Tensor,
    program::{Binary, Reduction, Unary},
};
use mote_runtime::{Adam, Learner, Level, Loaded, NotTrainable, gradient};
use proptest::prelude::*;

use crate::{
    draft::{Draft, Ready},
    elementwise::UNARY,
    graphs::graph,
    random::Random,
};

/// Adds the output `loss`: a sum of `y`, each element with a weight of its own.
fn with_loss(mut draft: Draft, y: ValueId, random: &mut Random) -> Ready {
    let n = draft.program.elements(y);
    let flat = draft.reshape(y, &[n]);
    let weights = random.fill(&[n], 1.0);
    let weights = draft.tensor(&[n], weights);
    let name = draft.program.values[weights.index()].tensor.clone().unwrap();
    let array = draft.tensors.remove(&name).unwrap();
    draft.tensors.insert("weights of the loss".into(), array);
    draft.program.values[weights.index()].tensor = Some("weights of the loss".into());
    let met = draft.push(|y| Op::Binary { a: flat, b: weights, y, f: Binary::Mul });
    let loss = draft.push(|y| Op::Reduce { x: met, y, f: Reduction::Sum, axis: 0 });
    draft.output("loss", loss);
    draft.verify()
}

fn trained(name: &str) -> bool {
    name.starts_with('t')
}

fn training(ready: &Ready) -> Verified {
    let stored = |name: &str| ready.tensors.get(name).map(Array::stored);
    gradient(&ready.program, "loss", trained, stored).unwrap_or_else(|e| panic!("{e}"))
}

fn learner<'m>(
    program: &'m Verified,
    tensors: &BTreeMap<String, Tensor<'m>>,
    level: Level,
) -> Learner<'m> {
    let instance = Loaded::from_parts(level, program, tensors).unwrap().instance();
    Learner::new(instance, "loss", |name| tensors[name].elements().unwrap())
}

fn fill(learner: &mut Learner<'_>, inputs: &[Vec<f32>]) {
    let program = learner.instance().program();
    for (port, x) in program.inputs.iter().zip(inputs) {
        learner.instance().input(port.value).copy_from_slice(x);
    }
}

/// The loss where every trained tensor is moved along its direction.
fn moved(
    ready: &Ready,
    directions: &BTreeMap<String, Vec<f32>>,
    step: f32,
    inputs: &[Vec<f32>],
) -> f32 {
    let mut ready = ready.clone();
    for (name, direction) in directions {
        let array = &ready.tensors[name];
        let old: Vec<f32> = array.tensor().elements().unwrap().to_vec();
        let new: Vec<f32> = old.iter().zip(direction).map(|(x, d)| x + step * d).collect();
        let shape = array.tensor().shape.to_vec();
        ready.tensors.insert(name.clone(), Array::new(shape, &new));
    }
    let outputs = ready.run(inputs);
    let at = ready.program.outputs.iter().position(|port| port.name == "loss").unwrap();
    outputs[at][0]
}

/// Along random directions the loss rises as fast as the gradient says, at every level. Says whether it
/// could be told: the loss of a program may have corners, or no number.
fn agrees(ready: &Ready, inputs: &[Vec<f32>], random: &mut Random) -> bool {
    let program = training(ready);
    let tensors = ready.tensors();
    let mut told = false;
    for level in Level::available() {
        let mut learner = learner(&program, &tensors, level);
        fill(&mut learner, inputs);
        let Some(loss) = learner.see() else { return false };
        let known = moved(ready, &BTreeMap::new(), 0.0, inputs);
        assert!((loss - known).abs() <= 1e-4 * (1.0 + known.abs()), "{loss}, wanted {known}");
        let gradients: BTreeMap<String, Vec<f32>> =
            learner.gradients().map(|(name, g)| (name.to_owned(), g)).collect();
        for _ in 0..3 {
            let direction =
                |(name, g): (&String, &Vec<f32>)| (name.clone(), random.fill(&[g.len()], 1.0));
            let directions: BTreeMap<_, _> = gradients.iter().map(direction).collect();
            let at = |step: f32| f64::from(moved(ready, &directions, step, inputs));
            let rise = |from: f32, to: f32| (at(to) - at(from)) / f64::from(to - from);
            let met = |(name, g): (&String, &Vec<f32>)| -> f64 {
                g.iter().zip(&directions[name]).map(|(g, d)| f64::from(*g) * f64::from(*d)).sum()
            };
            let found: f64 = gradients.iter().map(met).sum();
            let [nearest, near, far] = [0.001, 0.004, 0.008].map(|step| rise(-step, step));
            let tolerance = 4e-3 * (1.0 + near.abs() + f64::from(loss.abs()));
            // A corner here shows in the slopes at both sides, a corner nearby in a longer step or a shorter one.
            let corner = rise(-0.004, 0.0) - rise(0.0, 0.004);
            let bends = (near - far).abs().max((near - nearest).abs()) > tolerance;
            if bends || corner.abs() > 2.0 * tolerance || !near.is_finite() {
                continue;
            }
            told = true;
            // Several corners can hide each other from these.
            assert!(
                (near - found).abs() < 4.0 * tolerance,
                "{}: {found}, wanted {near}",
                level.name()
            );
        }
    }
    told
}

/// The gradient of one operation, all of whose operands are trained.
#[track_caller]
fn check(shapes: &[&[usize]], op: impl Fn(&mut Draft, &[ValueId]) -> ValueId) {
    let mut random = Random(shapes.len() as u64);
    let mut draft = Draft::new("one");
    // Away from corners and from where functions end.
    let operands: Vec<ValueId> = shapes
        .iter()
        .map(|shape| {
            let x = random.fill(shape, 0.4).into_iter().map(|x| x + x.signum() * 0.1).collect();
            draft.tensor(shape, x)
        })
        .collect();
    let y = op(&mut draft, &operands);
    assert!(agrees(&with_loss(draft, y, &mut random), &[], &mut random));
}

#[test]
fn layers_have_the_gradients_of_their_formulas() {
    for activation in [None, Some(Unary::Silu)] {
        check(&[&[3, 2, 5], &[4, 5], &[4]], |d, x| {
            let (w, bias) = (x[1], Some(x[2]));
            d.push(|y| Op::Linear { x: x[0], w, bias, y, activation })
        });
        check(&[&[9, 3], &[4, 3, 3], &[4]], |d, x| {
            let (w, bias, stride, dilation, padding) = (x[1], Some(x[2]), 2, 2, [3, 1]);
            d.push(|y| Op::Conv1d { x: x[0], w, bias, y, stride, dilation, padding, activation })
        });
        check(&[&[5, 3], &[4, 2, 3], &[2]], |d, x| {
            let (w, bias, stride, trim) = (x[1], Some(x[2]), 2, [1, 2]);
            d.push(|y| Op::ConvTranspose1d { x: x[0], w, bias, y, stride, trim, activation })
        });
    }
    check(&[&[3, 7], &[7], &[7]], |d, x| {
        let (gain, bias, epsilon) = (x[1], Some(x[2]), 1e-5);
        d.push(|y| Op::LayerNorm { x: x[0], gain, bias, y, epsilon })
    });
    for (rows, before) in [(6, 2), (4, 0)] {
        check(&[&[rows, 2, 4], &[6, 2, 4], &[6, 2, 3], &[2, 3]], |d, x| {
            let (q, k, v, bias) = (x[0], x[1], x[2], x[3]);
            d.push(|y| Op::Attention { q, k, v, bias, y, before })
        });
    }
}

#[test]
fn functions_have_the_gradients_of_their_formulas() {
    for f in UNARY {
        check(&[&[3, 5]], |d, x| {
            // Where logarithms and roots are defined.
            let x = d.push(|y| Op::Affine { x: x[0], y, scale: 1.0, offset: 1.0 });
            d.push(|y| Op::Unary { x, y, f })
        });
    }
    for f in [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Max, Binary::Min] {
        let shapes: [[&[usize]; 2]; 5] = [
            [&[3, 4], &[3, 4]],
            [&[3, 4], &[4]],
            [&[1, 4], &[3, 1]],
            [&[4], &[2, 3, 4]],
            [&[], &[2, 3]],
        ];
        for shapes in shapes {
            check(&shapes, |d, x| {
                let b = d.push(|y| Op::Affine { x: x[1], y, scale: 0.3, offset: 0.05 });
                let b = d.push(|y| Op::Unary { x: b, y, f: Unary::Exp });
                d.push(|y| Op::Binary { a: x[0], b, y, f })
            });
        }
    }
    check(&[&[4, 3]], |d, x| d.push(|y| Op::Clamp { x: x[0], y, low: -0.05, high: 0.3 }));
    check(&[&[4, 3]], |d, x| {
        d.push(|y| Op::Clamp { x: x[0], y, low: f32::NEG_INFINITY, high: 0.3 })
    });
    check(&[&[4, 3]], |d, x| d.push(|y| Op::Softmax { x: x[0], y }));
}

#[test]
fn what_moves_numbers_has_the_gradient_of_its_formula() {
    for f in [Reduction::Sum, Reduction::Mean, Reduction::Max] {
        for axis in 0..3 {
            check(&[&[3, 2, 4]], |d, x| d.push(|y| Op::Reduce { x: x[0], y, f, axis }));
        }
    }
    for axis in 0..3 {
        for reverse in [false, true] {
            check(&[&[3, 2, 4]], |d, x| {
                d.push(|y| Op::CumulativeSum { x: x[0], y, axis, reverse })
            });
        }
    }
    check(&[&[5, 3]], |d, x| d.push(|y| Op::Slice { x: x[0], y, axis: 0, start: 1, end: 4 }));
    check(&[&[5, 3]], |d, x| d.push(|y| Op::Pad { x: x[0], y, axis: 1, padding: [1, 2] }));
    check(&[&[5, 3], &[5, 2]], |d, x| {
        d.push(|y| Op::Concat { xs: vec![x[0], x[1], x[0]], y, axis: 1 })
    });
    check(&[&[5, 3, 2]], |d, x| d.push(|y| Op::Permute { x: x[0], y, axes: vec![2, 0, 1] }));
    check(&[&[6, 2]], |d, x| d.reshape(x[0], &[3, 4]));
    for turned in [[false, false], [false, true], [true, false], [true, true]] {
        let matrix = |[a, b]: [usize; 2], turned| if turned { [b, a] } else { [a, b] };
        let (a, b) = (matrix([3, 4], turned[0]), matrix([4, 5], turned[1]));
        check(&[&a, &b], |d, x| d.push(|y| Op::Product { a: x[0], b: x[1], y, turned }));
    }
}

proptest! {
    // A third of the programs has nothing to learn.
    #![proptest_config(ProptestConfig { max_global_rejects: 1 << 16, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn programs_of_many_operations_have_the_gradients_of_their_losses(seed: u64, ops in 1..14usize) {
        let (ready, inputs) = graph(seed, ops);
        let Ready { program, tensors } = ready;
        let mut program = program.into_inner();
        let last = program.output("last").unwrap();
        prop_assume!(program.elements(last) > 0);
        program.outputs.clear();
        let mut draft = Draft { program, tensors };
        // So that no loss is too steep to be measured.
        let small = draft.push(|y| Op::Unary { x: last, y, f: Unary::Tanh });
        let mut random = Random(seed ^ 1);
        let ready = with_loss(draft, small, &mut random);
        let stored = |name: &str| ready.tensors.get(name).map(Array::stored);
        match gradient(&ready.program, "loss", trained, stored) {
            Err(NotTrainable::Nothing { .. }) => prop_assume!(false),
            Err(e) => panic!("{e}"),
            Ok(_) => prop_assume!(agrees(&ready, &inputs, &mut random)),
        }
    }
}

/// `y = w · x + b` on numbers that a line explains.
fn line() -> Ready {
    let mut draft = Draft::new("line");
    let (x, target) = (draft.input("x", &[1, 2]), draft.input("target", &[1, 1]));
    let (w, bias) = (draft.tensor(&[1, 2], vec![0.0; 2]), Some(draft.tensor(&[1], vec![0.0])));
    let y = draft.push(|y| Op::Linear { x, w, bias, y, activation: None });
    let off = draft.push(|z| Op::Binary { a: y, b: target, y: z, f: Binary::Sub });
    let loss = draft.push(|y| Op::Unary { x: off, y, f: Unary::Square });
    draft.output("y", y);
    draft.output("loss", loss);
    draft.verify()
}

/// Steps of batches of eight.
fn learn(learner: &mut Learner<'_>, steps: usize) -> f32 {
    let mut random = Random(3);
    let adam = Adam { longest: f32::INFINITY, ..Adam::default() };
    let mut last = 0.0;
    for _ in 0..steps {
        last = 0.0;
        for _ in 0..8 {
            let x = random.fill(&[2], 1.0);
            let target = vec![2.0 * x[0] - 3.0 * x[1] + 0.5];
            fill(learner, &[x, target]);
            last += learner.see().unwrap();
        }
        learner.step(&adam, 0.03);
    }
    last
}

#[test]
fn a_line_is_learned_and_zeros_are_held() {
    let ready = line();
    let program = training(&ready);
    let tensors = ready.tensors();
    let numbers = |learner: &Learner<'_>| -> Vec<f32> {
        learner.tensors().flat_map(|(_, x)| x.to_vec()).collect()
    };
    for level in Level::available() {
        let mut learner = learner(&program, &tensors, level);
        let last = learn(&mut learner, 600);
        assert!(last < 1e-4, "{last}");
        for (found, wanted) in numbers(&learner).iter().zip([2.0, -3.0, 0.5]) {
            assert!((found - wanted).abs() < 0.01, "{found}, wanted {wanted}");
        }
    }
    let mut learner = learner(&program, &tensors, Level::Plain);
    learner.hold_zeros(|_, _| true);
    learn(&mut learner, 20);
    assert_eq!(numbers(&learner), [0.0; 3]);
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let ready = line();
    let stored = |name: &str| ready.tensors.get(name).map(Array::stored);
    let refused = |loss, trained: fn(&str) -> bool| {
        gradient(&ready.program, loss, trained, stored).unwrap_err()
    };
    assert!(matches!(refused("nll", |_| true), NotTrainable::Loss { .. }));
    assert!(matches!(refused("loss", |_| false), NotTrainable::Nothing { .. }));
}

/// What has no number teaches nothing.
#[test]
fn samples_without_a_loss_are_left_out() {
    let ready = line();
    let (program, tensors) = (training(&ready), ready.tensors());
    let mut learner = learner(&program, &tensors, Level::best());
    let before: Vec<f32> = learner.tensors().flat_map(|(_, x)| x.to_vec()).collect();
    fill(&mut learner, &[vec![f32::NAN, 1.0], vec![0.0]]);
    assert_eq!(learner.see(), None);
    learner.step(&Adam::default(), 1.0);
    let after: Vec<f32> = learner.tensors().flat_map(|(_, x)| x.to_vec()).collect();
    assert_eq!(before, after);
}
