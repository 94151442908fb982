//! A single sample, where parts of values share memory and layers do what follows them: the same
//! results, for random programs that move and add numbers and remember some of them.
//!
//! All numbers are small and whole, so that no order of adding them makes a difference.

use mote_format::{
    Array, Op, ValueId, Verified,
    program::{Binary, Unary},
};
use mote_runtime::{Level, Loaded, Steps};
use proptest::prelude::*;

use crate::{
    draft::{Draft, Ready, bits},
    random::Random,
};

/// Small whole numbers.
fn whole(random: &mut Random, n: usize) -> Vec<f32> {
    (0..n).map(|_| random.below(5) as f32 - 2.0).collect()
}

fn linear(draft: &mut Draft, random: &mut Random, x: ValueId) -> ValueId {
    let inputs = *draft.program.shape(x).last().unwrap();
    // As wide as what is read, now and then, so that it can be added to that.
    let outputs = if random.below(2) == 0 { inputs } else { 1 + random.below(36) };
    let w = draft.tensor(&[outputs, inputs], whole(random, outputs * inputs));
    let bias = (random.below(2) == 0).then(|| draft.tensor(&[outputs], whole(random, outputs)));
    let activation = (random.below(2) == 0).then_some(Unary::Relu);
    let y = draft.push(|y| Op::Linear { x, w, bias, y, activation });
    draft.push(|to| Op::Clamp { x: y, y: to, low: -9.0, high: 9.0 });
    // Sums are added to a layer that only they read.
    if outputs == inputs && random.below(2) == 0 {
        let z = draft.push(|y| Op::Linear { x, w, bias, y, activation });
        let [a, b] = if random.below(2) == 0 { [x, z] } else { [z, x] };
        let sum = draft.push(|y| Op::Binary { a, b, y, f: Binary::Add });
        return draft.push(|y| Op::Clamp { x: sum, y, low: -9.0, high: 9.0 });
    }
    ValueId(draft.program.values.len() as u32 - 1)
}

fn grow(draft: &mut Draft, random: &mut Random, known: &mut Vec<ValueId>) {
    let x = known[random.below(known.len())];
    let shape = draft.program.shape(x).to_vec();
    let axis = random.below(2);
    let like = |axis: usize, draft: &Draft| {
        let other = 1 - axis;
        let fits = |id: &&ValueId| draft.program.shape(**id)[other] == shape[other];
        known.iter().filter(fits).copied().collect::<Vec<_>>()
    };
    let y = match random.below(8) {
        0 | 1 => {
            let start = random.below(shape[axis]);
            let end = start + 1 + random.below(shape[axis] - start);
            draft.push(|y| Op::Slice { x, y, axis, start, end })
        }
        2 | 3 => {
            let fitting = like(axis, draft);
            let xs: Vec<_> =
                (0..1 + random.below(3)).map(|_| fitting[random.below(fitting.len())]).collect();
            draft.push(|y| Op::Concat { xs, y, axis })
        }
        4 => draft.reshape(x, &[1, shape[0] * shape[1]]),
        5 => draft.push(|y| Op::Unary { x, y, f: Unary::Abs }),
        _ => linear(draft, random, x),
    };
    let small = |id: ValueId| draft.program.elements(id) <= 80;
    known.extend(Some(y).filter(|&y| small(y)));
}

/// A program of about `ops` operations, some of whose results are states and outputs.
fn remembering(random: &mut Random, ops: usize) -> Option<Ready> {
    let mut draft = Draft::new("remembering");
    let shape = |random: &mut Random| [1 + random.below(3), 1 + random.below(20)];
    let mut known = vec![draft.input("x", &shape(random))];
    for i in 0..random.below(4) {
        known.push(draft.input(&format!("state.{i}"), &shape(random)));
    }
    let inputs = known.clone();
    (0..ops).for_each(|_| grow(&mut draft, random, &mut known));
    for (i, &input) in inputs[1..].iter().enumerate() {
        let same = |id: &&ValueId| draft.program.shape(**id) == draft.program.shape(input);
        let same: Vec<_> = known.iter().filter(same).copied().collect();
        let value = same[random.below(same.len())];
        draft.output(&format!("state.{i}"), value);
    }
    for i in 0..1 + random.below(3) {
        draft.output(&format!("y{i}"), known[random.below(known.len())]);
    }
    // Where a state comes out where another went in, there is no such program.
    let shape = |name: &str| draft.tensors.get(name).map(Array::stored);
    let program = Verified::new(draft.program.clone(), shape).ok()?;
    Some(Ready { program, tensors: draft.tensors.clone() })
}

/// What comes out of the program in each of a few steps, states after them included.
fn advance(ready: &Ready, level: Level, x: &[Vec<f32>]) -> Vec<Vec<u32>> {
    let loaded = Loaded::from_parts(level, &ready.program, &ready.tensors()).unwrap();
    let mut steps = Steps::new(loaded.instance());
    let mut found = Vec::new();
    for x in x {
        steps.instance().input(ready.program.inputs[0].value).copy_from_slice(x);
        steps.run();
        for port in ready.program.outputs.iter().filter(|port| port.name.starts_with('y')) {
            // States are written over where they went in, also where that comes out.
            if ready.program.inputs[1..].iter().all(|input| input.value != port.value) {
                found.push(bits(steps.instance().output(port.value)));
            }
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn a_single_sample_gives_the_same_however_memory_is_shared(seed: u64, ops in 1..25usize) {
        let random = &mut Random(seed);
        let Some(ready) = remembering(random, ops) else { return Ok(()) };
        let n = ready.program.elements(ready.program.inputs[0].value);
        let x: Vec<_> = (0..4).map(|_| whole(random, n)).collect();
        let wanted = advance(&ready, Level::Plain, &x);
        for level in Level::available() {
            prop_assert_eq!(&advance(&ready, level, &x), &wanted, "{}", level.name());
        }
    }

    #[test]
    fn operations_apart_write_every_value(seed: u64, ops in 1..25usize) {
        let random = &mut Random(seed);
        let Some(ready) = remembering(random, ops) else { return Ok(()) };
        let n = ready.program.elements(ready.program.inputs[0].value);
        let x = whole(random, n);
        let values = |level| -> Vec<Vec<u32>> {
            let mut instance = ready.instance_at(level);
            instance.input(ready.program.inputs[0].value).copy_from_slice(&x);
            for port in &ready.program.inputs[1..] {
                instance.input(port.value).fill(1.0);
            }
            let apart = |(i, op): (usize, &Op)| {
                instance.run_apart(i);
                bits(instance.output(op.result()))
            };
            ready.program.ops.iter().enumerate().map(apart).collect()
        };
        prop_assert_eq!(values(Level::best()), values(Level::Plain));
    }
}
