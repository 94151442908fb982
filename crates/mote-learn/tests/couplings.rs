//! A coupling flow is a density: it inverts, its slopes are those of its Jacobian, it integrates to one,
//! alone and given what is shown.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod support;

use burn::tensor::Device;
use mote_learn::{
    families::{Complete, Score, SplineFlow, SplineFlowConfig},
    parts::Spline,
    random::{Purpose, Random},
};
use support::{numbers, rng, shaken, tensor};

fn flow(length: usize, features: usize, bins: usize) -> SplineFlow {
    let config = SplineFlowConfig { hidden: 8, bins, ..SplineFlowConfig::default() };
    // More makes slopes that a numeric derivative steps over.
    shaken(SplineFlow::new(&config, length, features, &mut rng(6), &Device::flex()), 0.12)
}

/// A window with its roles: numbers, where they are present, and where they are shown.
struct Window {
    shape: [usize; 3],
    x: Vec<f32>,
    present: Vec<f32>,
    shown: Vec<f32>,
}

impl Window {
    /// A third is shown and a seventh is missing; of one number after the other.
    fn random([length, features]: [usize; 2], seed: u64) -> Self {
        let n = length * features;
        let each = |role: fn(usize) -> bool| (0..n).map(|i| f32::from(u8::from(role(i)))).collect();
        let present: Vec<f32> = each(|i| i % 7 != 3);
        let shown: Vec<f32> = each(|i| i % 7 != 3 && i % 3 == 1);
        let x = Random::new(seed, Purpose::Noise, 0).normal(n);
        let x = x.iter().zip(&present).map(|(x, p)| 2.0 * x * p).collect();
        Self { shape: [1, length, features], x, present, shown }
    }

    /// Latents and logarithms of slopes of the window with other numbers.
    fn transform(&self, flow: &SplineFlow, x: &[f32]) -> [Vec<f32>; 2] {
        let tensor = |v: &[f32]| tensor(v.to_vec(), self.shape, &Device::flex());
        let (z, slope) = flow.transform(tensor(x), tensor(&self.present), tensor(&self.shown));
        [numbers(z), numbers(slope)]
    }

    fn asked(&self) -> Vec<usize> {
        (0..self.x.len()).filter(|&i| self.present[i] > self.shown[i]).collect()
    }
}

const SHAPES: [[usize; 2]; 4] = [[2, 1], [1, 2], [6, 3], [5, 4]];

#[test]
fn flows_invert() {
    for bins in [0, 2, 8] {
        for shape in SHAPES {
            let flow = flow(shape[0], shape[1], bins);
            let mut farthest = 0.0f32;
            for seed in 0..20 {
                let w = Window::random(shape, seed);
                let [z, _] = w.transform(&flow, &w.x);
                let tensor = |v: &[f32]| tensor(v.to_vec(), w.shape, &Device::flex());
                let back = flow.invert(tensor(&z), tensor(&w.present), tensor(&w.shown));
                for (i, (found, wanted)) in numbers(back).iter().zip(&w.x).enumerate() {
                    let error = (found - wanted).abs();
                    assert!(error < 1e-4, "{bins} bins, {shape:?}, value {i}: off by {error}");
                }
                let moved = w.asked().into_iter().map(|i| (z[i] - w.x[i]).abs());
                farthest = moved.fold(farthest, f32::max);
            }
            assert!(farthest > 0.2, "a flow that does nothing shows nothing");
        }
    }
}

#[test]
fn slopes_are_those_of_the_numeric_jacobian() {
    for bins in [0, 5] {
        for shape in SHAPES {
            let flow = flow(shape[0], shape[1], bins);
            let w = Window::random(shape, 3);
            let asked = w.asked();
            let h = 2e-3f32;
            let columns: Vec<Vec<f64>> = (asked.iter())
                .map(|&j| {
                    let moved = |d: f32| {
                        let mut x = w.x.clone();
                        x[j] += d;
                        w.transform(&flow, &x)[0].clone()
                    };
                    let (up, down) = (moved(h), moved(-h));
                    let slope = |&i: &usize| f64::from(up[i] - down[i]) / f64::from(2.0 * h);
                    asked.iter().map(slope).collect()
                })
                .collect();
            let numeric = determinant(columns).abs().ln();
            let [_, slopes] = w.transform(&flow, &w.x);
            let found: f64 = slopes.iter().map(|&s| f64::from(s)).sum();
            let near = (found - numeric).abs() < 0.02 * (1.0 + numeric.abs());
            assert!(near, "{bins} bins, {shape:?}: {found}, numerically {numeric}");
            let elsewhere = (0..slopes.len()).filter(|i| !asked.contains(i));
            assert!(elsewhere.into_iter().all(|i| slopes[i] == 0.0));
        }
    }
}

/// By Gauss's elimination with the largest pivot of each column.
fn determinant(mut m: Vec<Vec<f64>>) -> f64 {
    let n = m.len();
    let mut product = 1.0;
    for i in 0..n {
        let pivot = (i..n).max_by(|&a, &b| m[a][i].abs().total_cmp(&m[b][i].abs())).unwrap();
        m.swap(i, pivot);
        product *= if pivot == i { m[i][i] } else { -m[i][i] };
        let (above, below) = m.split_at_mut(i + 1);
        for row in below {
            let factor = row[i] / above[i][i];
            for (x, &p) in row[i..].iter_mut().zip(&above[i][i..]) {
                *x -= factor * p;
            }
        }
    }
    product
}

#[test]
fn densities_integrate_to_one() {
    let device = Device::flex();
    let (limit, cells) = (12.0f32, 400);
    let middle = |i: usize| limit * (2.0 * (i as f32 + 0.5) / cells as f32 - 1.0);
    let side = f64::from(2.0 * limit / cells as f32);
    for (bins, shape) in [(0, [1, 2]), (8, [1, 2]), (8, [2, 1]), (3, [2, 1])] {
        let flow = flow(shape[0], shape[1], bins);
        let grid: Vec<f32> =
            (0..cells * cells).flat_map(|i| [middle(i / cells), middle(i % cells)]).collect();
        let batch = [cells * cells, shape[0], shape[1]];
        let mask = tensor(vec![1.0; grid.len()], batch, &device);
        let nll = numbers(flow.score(tensor(grid, batch, &device), mask).nll.sum_dims(&[1, 2]));
        let integral: f64 = nll.iter().map(|&l| f64::from(-l).exp() * side * side).sum();
        assert!((integral - 1.0).abs() < 2e-3, "{bins} bins, {shape:?}: {integral}");

        // Of the second given the first.
        let line: Vec<f32> = (0..cells).flat_map(|i| [0.7, middle(i)]).collect();
        let batch = [cells, shape[0], shape[1]];
        let roles = |a: f32, b: f32| tensor([a, b].repeat(cells), batch, &device);
        let (z, slope) =
            flow.transform(tensor(line, batch, &device), roles(1.0, 1.0), roles(1.0, 0.0));
        let (z, slope) = (numbers(z), numbers(slope));
        let density = |i: usize| {
            let (z, slope) = (f64::from(z[2 * i + 1]), f64::from(slope[2 * i + 1]));
            (-0.5 * z * z + slope).exp() / std::f64::consts::TAU.sqrt()
        };
        let integral: f64 = (0..cells).map(|i| density(i) * side).sum();
        assert!((integral - 1.0).abs() < 2e-3, "{bins} bins, {shape:?}, given: {integral}");
        assert!(z.iter().step_by(2).all(|&z| z == 0.7), "what is shown stays");
    }
}

#[test]
fn completions_are_where_the_density_says() {
    let flow = flow(2, 1, 8);
    let device = Device::flex();
    let n = 20_000;
    let noise = Random::new(5, Purpose::Noise, 0).normal(2 * n);
    let noise = support::matrix(noise, [n, 2], &device);
    let roles = |a: f32, b: f32| tensor([a, b].repeat(n), [n, 2, 1], &device);
    let drawn = numbers(flow.complete(roles(0.7, 0.0), roles(1.0, 0.0), noise));
    // By the way of the density: the latents of what was drawn are standard normal.
    let (z, _) =
        flow.transform(tensor(drawn, [n, 2, 1], &device), roles(1.0, 1.0), roles(1.0, 0.0));
    let z: Vec<f64> = numbers(z).iter().skip(1).step_by(2).map(|&z| f64::from(z)).collect();
    let mean = z.iter().sum::<f64>() / n as f64;
    let variance = z.iter().map(|z| z * z).sum::<f64>() / n as f64 - mean * mean;
    assert!(mean.abs() < 5.0 / (n as f64).sqrt(), "{mean}");
    assert!((variance - 1.0).abs() < 5.0 * (2.0 / n as f64).sqrt(), "{variance}");
}

#[test]
fn splines_are_monotone_and_the_identity_beyond_their_bound() {
    let device = Device::flex();
    let (bins, n) = (6, 4001);
    let parameters = Random::new(1, Purpose::Noise, 0).normal(Spline::parameters(bins));
    let each = burn::tensor::TensorData::new(
        parameters.iter().map(|p| 2.0 * p).collect::<Vec<f32>>(),
        [1, parameters.len(), 1],
    );
    let parameters = burn::tensor::Tensor::<3>::from_data(each, &device).repeat_dim(2, n);
    let spline = Spline::new(parameters, bins);
    let x: Vec<f32> = (0..n).map(|i| -8.0 + 16.0 * i as f32 / (n - 1) as f32).collect();
    let (y, slope) = spline.forward(tensor(x.clone(), [1, 1, n], &device));
    let back = numbers(spline.inverse(y.clone()));
    let (y, slope) = (numbers(y), numbers(slope));
    for i in 0..n {
        assert!((back[i] - x[i]).abs() < 1e-4, "{} came back as {}", x[i], back[i]);
        if x[i].abs() > 5.0 {
            assert!((y[i] - x[i]).abs() < 1e-5 && slope[i].abs() < 1e-3, "at {}", x[i]);
        }
        if i > 0 {
            assert!(y[i] > y[i - 1], "at {}", x[i]);
            let numeric = (y[i] - y[i - 1]) / (x[i] - x[i - 1]);
            let [low, high] = [slope[i].min(slope[i - 1]), slope[i].max(slope[i - 1])];
            let near = (low - 0.2..high + 0.2).contains(&numeric.ln());
            assert!(near, "at {}: {numeric} between {low} and {high}", x[i]);
        }
    }
}
