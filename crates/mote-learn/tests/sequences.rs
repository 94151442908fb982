//! Models that go sample by sample: their probabilities sum to one, nothing sees the future, what they
//! draw is what they say, and the program that draws equals the module.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod support;

use burn::tensor::Device;
use mote_format::{Dtype, Stored, Verified, container::Tensor as FileTensor};
use mote_learn::{
    entries::entries,
    families::{
        Autoregressive, AutoregressiveConfig, Family, Generation, Next, Score, Transformer,
        TransformerConfig,
    },
    layout::Layout,
    parts::Standardize,
    random::{Purpose, Random},
};
use mote_runtime::{Level, Loaded, Steps};
use support::{mixed, numbers, rng, shaken, tensor, words_only};

fn autoregressive(layout: &Layout) -> Autoregressive {
    let config = AutoregressiveConfig { hidden: 8, convolutions: 2, components: 3 };
    shaken(Autoregressive::new(&config, layout, &mut rng(5), &Device::flex()), 0.3)
}

/// With a window of attention that is shorter than the windows of most tests.
fn transformer(layout: &Layout, experts: usize) -> Transformer {
    let config = TransformerConfig {
        hidden: 12,
        heads: 3,
        blocks: 2,
        window: 5,
        experts,
        active: experts.div_ceil(2),
        components: 3,
    };
    shaken(Transformer::new(&config, layout, &mut rng(5), &Device::flex()), 0.15)
}

/// `ln p` of each of many windows `(time, features)` of which everything is observed.
fn log_density(model: &dyn Score, windows: Vec<f32>, [time, features]: [usize; 2]) -> Vec<f64> {
    let n = windows.len() / (time * features);
    let device = Device::flex();
    let mask = tensor(vec![1.0; windows.len()], [n, time, features], &device);
    let nll = model.score(tensor(windows, [n, time, features], &device), mask).nll;
    numbers(nll.sum_dims(&[1, 2])).into_iter().map(|l| -f64::from(l)).collect()
}

/// The middles of cells from -`LIMIT` to `LIMIT`.
fn middles(cells: usize) -> impl Iterator<Item = f32> {
    (0..cells).map(move |i| LIMIT * (2.0 * (i as f32 + 0.5) / cells as f32 - 1.0))
}

const LIMIT: f32 = 12.0;

#[track_caller]
fn integrates(model: &dyn Score, shape: [usize; 2]) {
    let cells = 300;
    let grid = middles(cells).flat_map(|a| middles(cells).map(move |b| [a, b])).flatten().collect();
    let cell = f64::from(2.0 * LIMIT / cells as f32).powi(2);
    let integral: f64 = log_density(model, grid, shape).iter().map(|l| l.exp() * cell).sum();
    assert!((integral - 1.0).abs() < 1e-3, "{shape:?}: {integral}");
}

#[test]
fn densities_of_numbers_integrate_to_one() {
    // Two numbers at one time, and one number at two times.
    integrates(&autoregressive(&Layout::numbers_only(2)), [1, 2]);
    integrates(&autoregressive(&Layout::numbers_only(1)), [2, 1]);
    for experts in [1, 3] {
        integrates(&transformer(&Layout::numbers_only(2), experts), [1, 2]);
        integrates(&transformer(&Layout::numbers_only(1), experts), [2, 1]);
    }
}

/// Every sample that words of three levels and of one can be, with `a` and `b` as numbers.
fn outcomes(a: f32, b: f32) -> Vec<[f32; 6]> {
    let mut all = Vec::new();
    for first in 0..4 {
        for second in 0..2 {
            let mut x = [a, 0.0, 0.0, 0.0, b, 0.0];
            if first < 3 {
                x[1 + first] = 1.0;
            }
            x[5] = second as f32;
            all.push(x);
        }
    }
    all
}

#[track_caller]
fn sums_to_one(model: &dyn Score) {
    let past = [0.7, 0.0, 1.0, 0.0, -1.1, 1.0];
    let cells = 150;
    let grid: Vec<f32> = middles(cells)
        .flat_map(|a| middles(cells).flat_map(move |b| outcomes(a, b)))
        .flat_map(|now| past.into_iter().chain(now))
        .collect();
    let alone = log_density(model, past.to_vec(), [1, 6])[0];
    let cell = f64::from(2.0 * LIMIT / cells as f32).powi(2);
    let given: f64 =
        log_density(model, grid, [2, 6]).iter().map(|l| (l - alone).exp() * cell).sum();
    assert!((given - 1.0).abs() < 1e-3, "{given}");
}

#[test]
fn probabilities_of_a_mixed_sample_given_its_past_sum_to_one() {
    sums_to_one(&autoregressive(&mixed()));
    sums_to_one(&transformer(&mixed(), 1));
}

/// `p(a)` of a window in which `b` is missing is `∫ p(a, b) db`: leaving out is exact.
#[test]
fn what_is_missing_is_integrated_out() {
    let model = autoregressive(&Layout::numbers_only(2));
    let device = Device::flex();
    let (cells, a) = (2000, 0.4);
    let joint = log_density(&model, middles(cells).flat_map(|b| [a, b]).collect(), [1, 2]);
    let cell = f64::from(2.0 * LIMIT / cells as f32);
    let wanted: f64 = joint.iter().map(|l| l.exp() * cell).sum();
    let given = |x: Vec<f32>, mask: Vec<f32>| {
        let [x, mask] = [x, mask].map(|v| tensor(v, [1, 1, 2], &device));
        numbers(model.score(x, mask).nll)
    };
    let nll = given(vec![a, 0.0], vec![1.0, 0.0]);
    assert!((f64::from(-nll[0]).exp() / wanted - 1.0).abs() < 1e-4, "{nll:?} {wanted}");
    assert_eq!(nll[1], 0.0);
    // Of a word too: its probability is that of all numbers with it.
    let model = autoregressive(&mixed());
    let mut mask = [0.0; 6];
    mask[1..4].fill(1.0);
    let x = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0];
    let [x, mask] = [x, mask].map(|v| tensor(v.to_vec(), [1, 1, 6], &device));
    let nll: f32 = numbers(model.score(x, mask).nll).iter().sum();
    let cells = 150;
    let with: Vec<f32> = middles(cells)
        .flat_map(|a| middles(cells).flat_map(move |b| outcomes(a, b)))
        .filter(|x| x[3] == 1.0)
        .flatten()
        .collect();
    let cell = f64::from(2.0 * LIMIT / cells as f32).powi(2);
    let wanted: f64 = log_density(&model, with, [1, 6]).iter().map(|l| l.exp() * cell).sum();
    assert!((f64::from(-nll).exp() / wanted - 1.0).abs() < 1e-3, "{nll} {wanted}");
}

#[track_caller]
fn ignores_the_future(model: &dyn Score, time: usize) {
    let device = Device::flex();
    let x = Random::new(4, Purpose::Noise, 0).normal(2 * time);
    let score = |x: Vec<f32>, mask: Vec<f32>| {
        let [x, mask] = [x, mask].map(|v| tensor(v, [1, time, 2], &device));
        numbers(model.score(x, mask).nll)
    };
    let whole = vec![1.0; x.len()];
    let before = score(x.clone(), whole.clone());
    for t in 0..time {
        let mut moved = x.clone();
        moved[2 * t + 1] += 3.0;
        let after = score(moved, whole.clone());
        assert_eq!(before[..=2 * t], after[..=2 * t], "sample {t} changed what is before it");
        assert_ne!(before[2 * t + 1..], after[2 * t + 1..]);
        let mut mask = whole.clone();
        let mut hidden = x.clone();
        (mask[2 * t], hidden[2 * t]) = (0.0, 0.0);
        let after = score(hidden, mask);
        assert_eq!(before[..2 * t], after[..2 * t], "a hole at {t} changed what is before it");
    }
}

#[test]
fn nothing_sees_the_future() {
    ignores_the_future(&autoregressive(&Layout::numbers_only(2)), 9);
    for experts in [1, 3] {
        ignores_the_future(&transformer(&Layout::numbers_only(2), experts), 9);
    }
}

/// Draws of a number, given the past and the word beside it, have the moments that the density has.
#[track_caller]
fn draws_what_it_says<M: Score + Next>(model: &M) {
    let device = Device::flex();
    let n = 40_000;
    let past = [0.7, 0.0, 1.0, 0.0, -1.1, 1.0];
    let known = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0];
    let shown = [0.0, 1.0, 1.0, 1.0, 0.0, 0.0];
    let zeros = [0.0; 12];
    let two = |a: &[f32], b: &[f32]| [a, b].concat().repeat(n);
    let before = tensor(two(&zeros, &[past, [1.0; 6]].concat()), [n, 2, 12], &device);
    let x = tensor(two(&past, &known), [n, 2, 6], &device);
    let shown = tensor(two(&[1.0; 6], &shown), [n, 2, 6], &device);
    let width = Next::noise_width(model);
    let noise = Random::new(3, Purpose::Noise, 0).normal(2 * n * width);
    let drawn = numbers(model.next(before, x, shown, tensor(noise, [n, 2, width], &device)));
    let cells = 150;
    let candidates: Vec<[f32; 6]> = middles(cells)
        .flat_map(|a| middles(cells).flat_map(move |b| outcomes(a, b)))
        .filter(|x| x[1..4] == known[1..4])
        .collect();
    let windows = candidates.iter().flat_map(|now| past.iter().chain(now)).copied().collect();
    let p: Vec<f64> = log_density(model, windows, [2, 6]).iter().map(|l| l.exp()).collect();
    let total: f64 = p.iter().sum();
    // Two numbers, their product, and a word that goes with them.
    let moments: [fn(&[f32]) -> f32; 5] =
        [|x| x[0], |x| x[4], |x| x[0] * x[0], |x| x[0] * x[4], |x| x[5]];
    for (i, moment) in moments.iter().enumerate() {
        let of = |x: &[f32]| f64::from(moment(x));
        // What is no level is not drawn: of the words of one level, that one always is.
        if i == 4 {
            assert!(drawn.chunks_exact(12).all(|w| w[11] == 1.0));
            continue;
        }
        let given_level = |f: &dyn Fn(&[f32]) -> f64| {
            candidates.iter().zip(&p).map(|(x, p)| p * f(x)).sum::<f64>() / total
        };
        let wanted = given_level(&of);
        let variance = given_level(&|x| (of(x) - wanted).powi(2));
        let found: f64 = drawn.chunks_exact(12).map(|w| of(&w[6..])).sum::<f64>() / n as f64;
        let error = (variance / n as f64).sqrt();
        assert!((found - wanted).abs() < 5.0 * error + 1e-3, "moment {i}: {found}, not {wanted}");
    }
    assert!(drawn.chunks_exact(12).all(|w| w[..6] == past && w[7..10] == known[1..4]));
}

#[test]
fn draws_are_those_of_the_density() {
    draws_what_it_says(&autoregressive(&mixed()));
    draws_what_it_says(&transformer(&mixed(), 2));
}

/// Runs the program `next` over a window and the module over the same, sample by sample.
#[track_caller]
fn next_equals<M: Family>(model: &M, features: usize, length: usize) {
    let device = Device::flex();
    let standardize = Standardize { mean: vec![3.0; features], scale: vec![2.0; features] };
    let made = entries(model, &standardize, [length, features]).unwrap();
    let stored = |t: &str| made.tensors.get(t).map(|(shape, _)| Stored::f32(shape));
    let program = made.programs.iter().find(|p| p.name == "next").unwrap().clone();
    let program = Verified::new(program, stored).unwrap();
    let tensors = made
        .tensors
        .iter()
        .map(|(name, (shape, data))| {
            let bytes = bytemuck::cast_slice(data);
            (name.clone(), FileTensor { dtype: Dtype::F32, shape: shape.clone(), bytes })
        })
        .collect();
    let Generation::Sequential(next) = model.generation() else { panic!("goes by samples") };
    let width = next.noise_width();
    let mut random = Random::new(6, Purpose::Noise, 0);
    let x = random.normal(length * features);
    let mask: Vec<f32> = (0..x.len()).map(|i| if i % 3 == 0 { 1.0 } else { 0.0 }).collect();
    let noise = random.normal(length * width);
    for level in Level::available() {
        let loaded = Loaded::from_parts(level, &program, &tensors).unwrap();
        let mut steps = Steps::new(loaded.instance());
        let port = |name: &str| program.input(name).unwrap();
        let mut before = vec![0.0; length * 2 * features];
        for t in 0..length {
            let row = t * features..(t + 1) * features;
            let raw: Vec<f32> = x[row.clone()].iter().map(|x| 3.0 + 2.0 * x).collect();
            steps.instance().input(port("x")).copy_from_slice(&raw);
            steps.instance().input(port("mask")).copy_from_slice(&mask[row.clone()]);
            let now = &noise[t * width..(t + 1) * width];
            steps.instance().input(port("noise")).copy_from_slice(now);
            steps.run();
            let found = steps.instance().output(program.output("y").unwrap()).to_vec();
            let observed = x.iter().zip(&mask).map(|(x, m)| x * m).collect();
            let wanted = next.next(
                tensor(before.clone(), [1, length, 2 * features], &device),
                tensor(observed, [1, length, features], &device),
                tensor(mask.clone(), [1, length, features], &device),
                tensor(noise.clone(), [1, length, width], &device),
            );
            let wanted = &numbers(wanted)[row];
            for (i, (&f, &w)) in found.iter().zip(wanted).enumerate() {
                let w = 3.0 + 2.0 * w;
                let near = (f - w).abs() <= 1e-5 * w.abs().max(1.0);
                assert!(near, "{level:?}, sample {t}, feature {i}: {f}, not {w}");
            }
            if t + 1 < length {
                let to = &mut before[(t + 1) * 2 * features..][..2 * features];
                to[..features].copy_from_slice(wanted);
                to[features..].fill(1.0);
            }
        }
    }
}

#[test]
fn the_program_draws_what_the_module_draws() {
    next_equals(&autoregressive(&Layout::numbers_only(1)), 1, 12);
    next_equals(&autoregressive(&mixed()), 6, 17);
    next_equals(&autoregressive(&words_only()), 5, 4);
}

/// One sample at a time, with keys and values of the newest kept, is the whole window at once; also where
/// the window is longer than what attention sees.
#[test]
fn decoding_with_a_cache_is_the_full_forward_pass() {
    for experts in [1, 3] {
        for length in [1, 4, 5, 17] {
            next_equals(&transformer(&Layout::numbers_only(2), experts), 2, length);
        }
        next_equals(&transformer(&mixed(), experts), 6, 9);
    }
}
