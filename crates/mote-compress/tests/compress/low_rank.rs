//! Layers written as two: exact where their rank is low, nearest in their results elsewhere.

use mote_compress::{Found, LowRank, Metric, Ports, Ranks, Sample, factorize, fidelity};
use mote_format::{Array, Op, Tensors, ValueId, Verified, program::Unary};

use crate::net::{Net, Random, found, samples};

fn decibels(
    program: &Verified,
    tensors: &Tensors,
    seen: &[Sample],
    held: &[Sample],
    how: LowRank,
) -> (f64, usize) {
    let tensors: &Found<'_> = &found(tensors);
    let (small, made) = factorize(program, tensors, seen, how).unwrap();
    let near = fidelity((program, tensors), (&small, &found(&made)), held, &Ports::default());
    let weights = made.values().map(|array| array.tensor().bytes.len() / 4).sum();
    (near.unwrap()[0].signal_to_noise_db, weights)
}

/// A layer whose weights are a product of two thin matrices is written as these.
#[test]
fn what_has_a_low_rank_loses_nothing() {
    let mut net = Net::new(&[10, 24]);
    let a = net.linear(ValueId(0), 24);
    let b = net.conv(a, 20, 1, Some(Unary::Tanh));
    let w = net.tensor(&[3, 16, 20], 1.0);
    let bias = Some(net.tensor(&[16], 0.2));
    let (stride, trim, activation) = (2, [1, 1], None);
    let y = net.push(|y| Op::ConvTranspose1d { x: b, w, bias, y, stride, trim, activation });
    let mut random = Random(9);
    for (name, outputs, inputs) in [("t0", 24, 24), ("t2", 20, 48), ("t4", 48, 20)] {
        let (u, v) = (random.fill(outputs * 3, 0.6), random.fill(3 * inputs, 0.6));
        let at = |o: usize, i: usize| (0..3).map(|k| u[o * 3 + k] * v[k * inputs + i]).sum::<f32>();
        let w: Vec<f32> = (0..outputs * inputs).map(|k| at(k / inputs, k % inputs)).collect();
        let shape = net.tensors[name].tensor().shape.to_vec();
        net.tensors.insert(name.into(), Array::new(shape, &w));
    }
    let (program, tensors) = net.finish(y);
    for metric in [Metric::Weights, Metric::Results] {
        let how = LowRank { share: 0.7, metric, ranks: Ranks::Automatic };
        let (seen, held) = (samples(30, 240, 1), samples(10, 240, 2));
        let (db, weights) = decibels(&program, &tensors, &seen, &held, how);
        assert!(db > 90.0, "{metric:?}: {db}");
        let biases = 24 + 20 + 16;
        assert!(weights <= (24 * 24 + 20 * 48 + 48 * 20) * 3 / 10 + biases, "{weights}");
    }
}

/// Inputs that move together: what they never do may be forgotten.
fn together(n: usize, seed: u64) -> Vec<Sample> {
    let (mut mix, mut random) = (Random(77), Random(seed));
    let mix = mix.fill(5 * 32, 1.0);
    let row = |random: &mut Random| -> Vec<f32> {
        let causes = random.fill(5, 1.0);
        let sum = |i: usize| (0..5).map(|k| causes[k] * mix[k * 32 + i]).sum::<f32>();
        (0..32).map(|i| sum(i) + 0.05 * random.unit()).collect()
    };
    (0..n).map(|_| vec![(0..4).flat_map(|_| row(&mut random)).collect()]).collect()
}

#[test]
fn results_are_nearer_by_the_metric_of_results_and_ranks_by_one_price() {
    let mut net = Net::new(&[4, 32]);
    let a = net.linear(ValueId(0), 40);
    let a = net.push(|y| Op::Unary { x: a, y, f: Unary::Silu });
    let y = net.linear(a, 30);
    let (program, tensors) = net.finish(y);
    let (seen, held) = (together(100, 1), together(50, 2));
    let of = |metric, ranks| {
        let how = LowRank { share: 0.6, metric, ranks };
        decibels(&program, &tensors, &seen, &held, how)
    };
    let (plain, _) = of(Metric::Weights, Ranks::Uniform);
    let (aware, weights) = of(Metric::Results, Ranks::Uniform);
    let (automatic, as_many) = of(Metric::Results, Ranks::Automatic);
    assert!(aware > plain + 3.0, "{aware}, plain {plain}");
    assert!(automatic > aware, "{automatic}, uniform {aware}");
    let all: usize = tensors.values().map(|array| array.tensor().bytes.len() / 4).sum();
    assert!(weights.max(as_many) <= all * 4 / 10 + 70, "{weights} {as_many} {all}");
}

#[test]
fn layers_that_gain_nothing_stay() {
    let mut net = Net::new(&[3, 2]);
    let y = net.linear(ValueId(0), 2);
    let (program, tensors) = net.finish(y);
    let how = LowRank { share: 0.9, metric: Metric::Results, ranks: Ranks::Automatic };
    // Two by two: a rank of one has as many weights.
    let (small, made) = factorize(&program, &found(&tensors), &samples(5, 6, 1), how).unwrap();
    assert_eq!((&*small, made), (&*program, tensors));
}
