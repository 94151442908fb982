//! Whole programs: the same numbers as kernel by kernel, the same bits every time, no allocation.

use allocation_counter::measure;
use mote_format::{
    Op,
    program::{Binary, Reduction, Unary},
};
use mote_runtime::{
    Level, Loaded,
    kernels::{self, Window},
};
use proptest::prelude::*;

use crate::{
    draft::{Draft, Ready, bits, run},
    graphs::{alone, graph},
    random::Random,
};

/// Weights of the program below, in the order in which it reads them.
fn weights() -> Vec<(Vec<usize>, Vec<f32>)> {
    let mut random = Random(11);
    [&[5, 3, 2][..], &[5], &[2, 4, 5], &[4], &[4], &[4], &[3, 4]]
        .iter()
        .map(|shape| (shape.to_vec(), random.fill(shape, 1.0)))
        .collect()
}

/// All operations but `Reshape` in a row, on a series of nine rows and two channels.
fn chain() -> Ready {
    let mut draft = Draft::new("chain");
    let x = draft.input("x", &[9, 2]);
    let w: Vec<_> = weights().into_iter().map(|(shape, data)| draft.tensor(&shape, data)).collect();
    let (stride, dilation, padding) = (2, 1, [2, 1]);
    let a = draft.push(|y| Op::Conv1d {
        x,
        w: w[0],
        bias: Some(w[1]),
        y,
        stride,
        dilation,
        padding,
        activation: None,
    });
    let b = draft.push(|y| Op::Unary { x: a, y, f: Unary::Gelu });
    let c = draft.push(|y| Op::ConvTranspose1d {
        x: b,
        w: w[2],
        bias: Some(w[3]),
        y,
        stride: 2,
        trim: [0, 1],
        activation: None,
    });
    let d = draft.push(|y| Op::LayerNorm { x: c, gain: w[4], bias: Some(w[5]), y, epsilon: 1e-5 });
    let e = draft.push(|y| Op::Affine { x: d, y, scale: 0.5, offset: -0.1 });
    let f = draft.push(|y| Op::Clamp { x: e, y, low: -0.4, high: 0.6 });
    let g = draft.push(|y| Op::Binary { a: f, b: d, y, f: Binary::Mul });
    let h = draft.push(|y| Op::Slice { x: g, y, axis: 0, start: 1, end: 4 });
    let i = draft.push(|y| Op::Concat { xs: vec![h, g], y, axis: 0 });
    let j = draft.push(|y| Op::Linear { x: i, w: w[6], bias: None, y, activation: None });
    let k = draft.push(|y| Op::Softmax { x: j, y });
    let l = draft.push(|y| Op::Permute { x: k, y, axes: vec![1, 0] });
    let m = draft.push(|y| Op::Reduce { x: l, y, f: Reduction::Mean, axis: 1 });
    draft.output("g", g);
    draft.output("y", m);
    draft.verify()
}

/// The same by hand: `g` and `y` of the chain.
fn chain_by_hand(x: &[f32]) -> Vec<Vec<f32>> {
    let w: Vec<Vec<f32>> = weights().into_iter().map(|(_, data)| data).collect();
    let window = |inputs, outputs, kernel, before| Window {
        inputs,
        outputs,
        kernel,
        stride: 2,
        dilation: 1,
        before,
    };
    let step = |n: usize, kernel: &dyn Fn(&mut [f32])| {
        let mut y = vec![0.0; n];
        kernel(&mut y);
        y
    };
    let a = step(25, &|y| kernels::conv1d(x, &w[0], Some(&w[1]), window(2, 5, 3, 2), y));
    let b = step(25, &|y| kernels::unary(Unary::Gelu, &a, y));
    let c = step(36, &|y| kernels::conv_transpose1d(&b, &w[2], Some(&w[3]), window(5, 4, 2, 0), y));
    let d = step(36, &|y| kernels::layer_norm(&c, &w[4], Some(&w[5]), 1e-5, y));
    let e = step(36, &|y| kernels::affine(0.5, -0.1, &d, y));
    let f = step(36, &|y| kernels::clamp(-0.4, 0.6, &e, y));
    let shape = &[9, 4][..];
    let g = step(36, &|y| kernels::binary(Binary::Mul, (&f, shape), (&d, shape), (y, shape)));
    let h = step(12, &|y| kernels::slice(&g, 9, 4, 1, 3, y));
    let i = step(48, &|y| {
        kernels::concat(&h, 3, 4, 0, 12, y);
        kernels::concat(&g, 9, 4, 3, 12, y);
    });
    let j = step(36, &|y| kernels::linear(&i, &w[6], None, 4, y));
    let k = step(36, &|y| kernels::softmax(&j, 3, y));
    let l = step(36, &|y| kernels::permute(&k, &[12, 3], &[1, 0], y));
    let m = step(3, &|y| kernels::reduce(Reduction::Mean, &l, 12, 1, y));
    vec![g, m]
}

fn all_bits(outputs: &[Vec<f32>]) -> Vec<Vec<u32>> {
    outputs.iter().map(|y| bits(y)).collect()
}

#[test]
fn a_program_is_its_kernels_one_after_the_other() {
    let (ready, mut random) = (chain(), Random(3));
    let mut instance = ready.instance();
    for _ in 0..20 {
        let x = random.fill(&[9, 2], 3.0);
        let found = run(&mut instance, std::slice::from_ref(&x));
        assert_eq!(all_bits(&found), all_bits(&chain_by_hand(&x)));
    }
}

#[test]
fn running_allocates_nothing() {
    for (ready, inputs) in
        (0..40).map(|seed| graph(seed, 40)).chain([(chain(), vec![vec![1.0; 18]])])
    {
        let mut instance = ready.instance();
        let info = measure(|| {
            for (port, x) in ready.program.inputs.iter().zip(&inputs) {
                instance.input(port.value).copy_from_slice(x);
            }
            instance.run();
            std::hint::black_box(instance.output(ready.program.outputs[0].value));
        });
        assert_eq!(info.count_total, 0);
    }
}

proptest! {
    /// The plan gives each value its own place as long as anybody reads it: so every operation
    /// writes what it writes when it has the arena to itself.
    #[test]
    fn a_program_is_its_operations_each_alone(seed: u64, ops in 1..40usize) {
        let (ready, inputs) = graph(seed, ops);
        let found = ready.run(&inputs);

        let mut known: Vec<Vec<f32>> = ready
            .program
            .values
            .iter()
            .map(|v| v.tensor.as_ref().map_or(vec![], |name| ready.tensors[name].tensor().elements().unwrap().to_vec()))
            .collect();
        for (port, x) in ready.program.inputs.iter().zip(inputs) {
            known[port.value.index()] = x;
        }
        for i in 0..ready.program.ops.len() {
            let alone = alone(&ready, i);
            let inputs: Vec<_> =
                alone.program.inputs.iter().map(|p| known[p.value.index()].clone()).collect();
            known[alone.program.outputs[0].value.index()] = alone.run(&inputs).remove(0);
        }
        for (port, found) in ready.program.outputs.iter().zip(&found) {
            prop_assert_eq!(bits(found), bits(&known[port.value.index()]));
        }
    }

    /// No sample of a batch sees another one, and each gives what it gives alone.
    #[test]
    fn a_batch_is_its_samples_one_by_one(seed: u64, ops in 1..40usize) {
        const BATCH: usize = 3;
        let (ready, inputs) = graph(seed, ops);
        let mut random = Random(seed ^ 1);
        let samples: Vec<Vec<Vec<f32>>> = (0..BATCH)
            .map(|_| inputs.iter().map(|x| random.fill(&[x.len()], 2.0)).collect())
            .collect();
        let tensors = ready.tensors();
        let loaded = Loaded::from_parts(Level::Plain, &ready.program, &tensors).unwrap();
        let mut together = loaded.batch(BATCH);
        for (i, port) in ready.program.inputs.iter().enumerate() {
            let all: Vec<f32> = samples.iter().flat_map(|sample| sample[i].clone()).collect();
            together.input(port.value).copy_from_slice(&all);
        }
        together.run();
        for (s, sample) in samples.iter().enumerate() {
            let alone = ready.run(sample);
            for (port, wanted) in ready.program.outputs.iter().zip(&alone) {
                let found = together.output(port.value);
                // A tensor of the file is the same for all.
                let found = if found.len() == wanted.len() { found } else {
                    &found[s * wanted.len()..][..wanted.len()]
                };
                prop_assert_eq!(bits(found), bits(wanted), "sample {}", s);
            }
        }
    }

    #[test]
    fn the_same_input_gives_the_same_bits_whatever_ran_before(seed: u64, ops in 1..30usize) {
        let (ready, inputs) = graph(seed, ops);
        let first = ready.run(&inputs);
        let mut instance = ready.instance();
        let other: Vec<Vec<f32>> = inputs.iter().map(|x| vec![f32::NAN; x.len()]).collect();
        for _ in 0..2 {
            run(&mut instance, &other);
            prop_assert_eq!(all_bits(&run(&mut instance, &inputs)), all_bits(&first));
        }
        let mut copy = instance.clone();
        prop_assert_eq!(all_bits(&run(&mut copy, &inputs)), all_bits(&first));
    }
}
