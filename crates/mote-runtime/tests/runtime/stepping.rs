//! Causal programs, advanced sample by sample, give what the whole window gives.

use mote_format::{
    Array, Dtype, Op, Quantization, ValueId, Verified,
    program::{Binary, Unary, Value, Weights},
};
use mote_runtime::{Level, Loaded, Steps, step};
use proptest::prelude::*;

use crate::{
    draft::{Draft, Ready},
    random::Random,
};

/// Dilated convolutions with residual branches behind a delay, and a normalization of each sample.
fn causal(time: usize, channels: usize, random: &mut Random) -> Draft {
    let mut draft = Draft::new("causal");
    let x = draft.input("x", &[time, channels]);
    let mut h = delayed(&mut draft, x, time, channels);
    for dilation in [1, 2, 4] {
        let w = draft.tensor(&[channels, 3, channels], random.fill(&[channels, 3, channels], 0.5));
        let bias = Some(draft.tensor(&[channels], random.fill(&[channels], 0.5)));
        let conv = draft.push(|y| Op::Conv1d {
            x: h,
            w,
            bias,
            y,
            stride: 1,
            dilation,
            padding: [2 * dilation, 0],
            activation: Some(Unary::Tanh),
        });
        h = draft.push(|y| Op::Binary { a: h, b: conv, y, f: Binary::Add });
    }
    let gain = draft.tensor(&[channels], random.fill(&[channels], 1.0));
    let y = draft.push(|y| Op::LayerNorm { x: h, gain, bias: None, y, epsilon: 1e-3 });
    draft.output("y", y);
    draft.output("h", h);
    draft
}

fn delayed(draft: &mut Draft, x: ValueId, time: usize, channels: usize) -> ValueId {
    let zeros = draft.tensor(&[1, channels], vec![0.0; channels]);
    let early = draft.push(|y| Op::Slice { x, y, axis: 0, start: 0, end: time - 1 });
    draft.push(|y| Op::Concat { xs: vec![zeros, early], y, axis: 0 })
}

fn stepping(ready: &Ready) -> Ready {
    let tensors = ready.tensors();
    let program = step(&ready.program, "step", |name| tensors.get(name).cloned()).unwrap();
    let program = Verified::new(program, |name| ready.tensors.get(name).map(Array::stored));
    Ready { program: program.unwrap(), tensors: ready.tensors.clone() }
}

proptest! {
    #[test]
    fn steps_are_the_rows_of_the_window(time in 2..20usize, channels in 1..9usize, seed: u64) {
        let mut random = Random(seed);
        let ready = causal(time, channels, &mut random).verify();
        let single = stepping(&ready);
        let x = random.fill(&[time, channels], 1.0);
        for level in Level::available() {
            let tensors = ready.tensors();
            let mut whole = Loaded::from_parts(level, &ready.program, &tensors).unwrap().instance();
            whole.input(ready.program.input("x").unwrap()).copy_from_slice(&x);
            whole.run();
            let loaded = Loaded::from_parts(level, &single.program, &tensors).unwrap();
            let mut steps = Steps::new(loaded.instance());
            for round in 0..2 {
                for (t, x) in x.chunks(channels).enumerate() {
                    steps.instance().input(single.program.input("x").unwrap()).copy_from_slice(x);
                    steps.run();
                    for name in ["h", "y"] {
                        let wanted = whole.output(ready.program.output(name).unwrap());
                        let wanted = &wanted[t * channels..][..channels];
                        let found = steps.instance().output(single.program.output(name).unwrap());
                        for (a, b) in wanted.iter().zip(found) {
                            // A normalized row of nearly equal numbers magnifies roundings.
                            let near = (a - b).abs() <= 2e-3 * (1.0 + a.abs());
                            prop_assert!(near, "round {round}, {name} at {t}: {a} {b}");
                        }
                    }
                }
                steps.reset();
            }
        }
    }

    #[test]
    fn attention_steps_with_a_cache_of_its_window(
        time in 1..20usize,
        heads in 1..4usize,
        window in 1..12usize,
        seed: u64,
    ) {
        let mut random = Random(seed);
        let mut draft = Draft::new("attention");
        let channels = 3 * heads;
        let x = draft.input("x", &[time, channels]);
        let [q, k, v] = [0; 3].map(|_| {
            let w = draft.tensor(&[channels, channels], random.fill(&[channels, channels], 0.7));
            let y = draft.push(|y| Op::Linear { x, w, bias: None, y, activation: None });
            draft.reshape(y, &[time, heads, 3])
        });
        let bias = draft.tensor(&[heads, window], random.fill(&[heads, window], 1.0));
        let y = draft.push(|y| Op::Attention { q, k, v, bias, y, before: window - 1 });
        let y = draft.reshape(y, &[time, channels]);
        draft.output("y", y);
        let ready = draft.verify();
        let single = stepping(&ready);
        let kept: usize = single.program.states().map(|(x, _)| single.program.elements(x)).sum();
        prop_assert_eq!(kept, 2 * (window - 1) * channels);
        let x = random.fill(&[time, channels], 1.0);
        let wanted = ready.run(std::slice::from_ref(&x)).remove(0);
        for level in Level::available() {
            let mut steps = Steps::new(single.instance_at(level));
            for (t, x) in x.chunks(channels).enumerate() {
                steps.instance().input(single.program.input("x").unwrap()).copy_from_slice(x);
                steps.run();
                let found = steps.instance().output(single.program.output("y").unwrap());
                for (a, b) in wanted[t * channels..].iter().zip(found) {
                    prop_assert!((a - b).abs() <= 1e-4 * (1.0 + a.abs()), "{t}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn integers_step_to_the_bit(time in 2..20usize, channels in 1..9usize, seed: u64) {
        let mut random = Random(seed);
        let mut draft = Draft::new("bytes");
        let q = Quantization { scale: 0.1, zero_point: -7 };
        let x = draft.input("x", &[time, channels]);
        let mut h = draft.push_i8(q, |y| Op::Quantize { x, y });
        let zeros = draft.array(Dtype::I8, &[1, channels], Array::new([1, channels], &vec![-7i8; channels]));
        draft.program.values[zeros.index()].quantization = Some(q);
        let early = draft.push_i8(q, |y| Op::Slice { x: h, y, axis: 0, start: 0, end: time - 1 });
        h = draft.push_i8(q, |y| Op::Concat { xs: vec![zeros, early], y, axis: 0 });
        for dilation in [1, 3] {
            let shape = [channels, 2, channels];
            let data: Vec<i8> = (0..2 * channels * channels).map(|_| random.below(256) as u8 as i8).collect();
            let w = draft.array(Dtype::I8, &shape, Array::new(shape, &data));
            let scale = draft.tensor(&[channels], vec![0.01; channels]);
            let weights = Weights { w, scale, groups: None, bias: None };
            let (clamp, padding) = ([-128, 127], [dilation, 0]);
            let x = h;
            h = draft.push_i8(q, |y| Op::QuantizedConv1d { x, weights, y, clamp, stride: 1, dilation, padding });
        }
        let y = draft.push(|y| Op::Dequantize { x: h, y });
        draft.output("y", y);
        let ready = draft.verify();
        let single = stepping(&ready);
        let x = random.fill(&[time, channels], 10.0);
        let wanted = ready.run(std::slice::from_ref(&x)).remove(0);
        let mut steps = Steps::new(single.instance_at(Level::best()));
        let mut found = Vec::new();
        for x in x.chunks(channels) {
            steps.instance().input(single.program.input("x").unwrap()).copy_from_slice(x);
            steps.run();
            found.extend_from_slice(steps.instance().output(single.program.output("y").unwrap()));
        }
        prop_assert_eq!(found, wanted);
    }
}

/// What `push` appends to a window of four samples cannot be advanced, because of this.
#[track_caller]
fn check(push: impl FnOnce(&mut Draft, ValueId) -> ValueId, wanted: &str) {
    let mut draft = Draft::new("window");
    let x = draft.input("x", &[4, 2]);
    let y = push(&mut draft, x);
    draft.output("y", y);
    let ready = draft.verify();
    let tensors = ready.tensors();
    let error = step(&ready.program, "step", |name| tensors.get(name).cloned()).unwrap_err();
    assert_eq!(error.to_string(), wanted);
}

#[test]
fn what_looks_ahead_is_refused_by_name() {
    let conv = |padding: [usize; 2], stride| {
        move |draft: &mut Draft, x| {
            let w = draft.tensor(&[3, 3, 2], vec![1.0; 18]);
            draft.push(|y| Op::Conv1d {
                x,
                w,
                bias: None,
                y,
                stride,
                dilation: 1,
                padding,
                activation: None,
            })
        }
    };
    let not_causal =
        "operation 0 (conv1d) of `window` is not causal: wanted stride 1 and all padding in front";
    check(conv([1, 1], 1), not_causal);
    check(conv([2, 0], 2), "operation 0 (conv1d) of `window` mixes samples of different times");
    check(
        |draft, x| {
            let x = draft.reshape(x, &[4, 1, 2]);
            let bias = draft.tensor(&[1, 3], vec![0.0; 3]);
            let k = draft.tensor(&[4, 1, 2], vec![0.5; 8]);
            draft.push(|y| Op::Attention { q: x, k, v: k, bias, y, before: 2 })
        },
        "operation 1 (attention) of `window` attends to something else than samples",
    );
    check(
        |draft, x| {
            let x = draft.reshape(x, &[4, 1, 2]);
            let bias = draft.tensor(&[1, 3], vec![0.0; 3]);
            let q = draft.push(|y| Op::Slice { x, y, axis: 0, start: 0, end: 3 });
            draft.push(|y| Op::Attention { q, k: x, v: x, bias, y, before: 1 })
        },
        "operation 2 (attention) of `window` mixes samples of different times",
    );
    check(
        |draft, x| draft.push(|y| Op::Permute { x, y, axes: vec![1, 0] }),
        "operation 0 (permute) of `window` mixes samples of different times",
    );
    check(
        |draft, x| draft.reshape(x, &[8]),
        "operation 0 (reshape) of `window` mixes samples of different times",
    );
    check(
        |draft, x| {
            let late = draft.tensor(&[4, 2], vec![0.5; 8]);
            draft.push(|y| Op::Binary { a: x, b: late, y, f: Binary::Mul })
        },
        "operation 0 (binary) of `window` reads a constant that changes over the window",
    );
    check(
        |draft, x| {
            let first = draft.tensor(&[1, 2], vec![0.5; 2]);
            let early = draft.push(|y| Op::Slice { x, y, axis: 0, start: 0, end: 3 });
            draft.push(|y| Op::Concat { xs: vec![first, early], y, axis: 0 })
        },
        "operation 1 (concat) of `window` joins samples in another way than by a delay that begins with zeros",
    );
    check(
        |draft, x| draft.push(|y| Op::Slice { x, y, axis: 0, start: 0, end: 3 }),
        "operation 0 (slice) of `window` is read without its newest samples",
    );
}

#[test]
fn an_instance_without_states_steps_like_it_runs() {
    let mut draft = Draft::new("plain");
    let x = draft.value(Value::f32([1, 2]));
    draft.program.inputs.push(mote_format::program::Port { name: "x".into(), value: x });
    let y = draft.push(|y| Op::Unary { x, y, f: Unary::Square });
    draft.output("y", y);
    let ready = draft.verify();
    let mut steps = Steps::new(ready.instance());
    steps.instance().input(x).copy_from_slice(&[3.0, -2.0]);
    steps.run();
    assert_eq!(steps.instance().output(y), [9.0, 4.0]);
}
