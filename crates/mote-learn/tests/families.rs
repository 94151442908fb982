//! What a family claims of itself holds: exact densities integrate, flows are triangular, bounds bound.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod support;

use burn::tensor::{Device, Tensor, TensorData};
use mote_learn::{
    families::{Density, Family, Score, TimeVae, TimeVaeConfig},
    random::{Purpose, Random},
};
use support::{numbers, random_maf, rng, shaken, tensor};

#[test]
fn flow_density_integrates_to_one() {
    let device = Device::flex();
    // Both two sensors at one time and one sensor at two times.
    for shape in [[1, 1, 2], [1, 2, 1]] {
        let maf = random_maf(shape[2], 2, &device);
        let (limit, cells) = (12.0f32, 240);
        let step = 2.0 * limit / cells as f32;
        let centre = |i: usize| -limit + (i as f32 + 0.5) * step;
        let grid: Vec<f32> =
            (0..cells * cells).flat_map(|i| [centre(i / cells), centre(i % cells)]).collect();
        let batch = [cells * cells, shape[1], shape[2]];
        let mask = vec![1.0; grid.len()];
        let nll = maf.score(tensor(grid, batch, &device), tensor(mask, batch, &device)).nll;
        let nll = nll.sum_dims(&[1, 2]).into_data().try_to_vec::<f32>().unwrap();
        let cell = f64::from(step * step);
        let integral: f64 = nll.iter().map(|&l| f64::from(-l).exp() * cell).sum();
        assert!((integral - 1.0).abs() < 0.01, "{shape:?}: {integral}");
    }
}

#[test]
fn flow_log_determinant_is_that_of_its_numeric_jacobian() {
    let device = Device::flex();
    let (time, features) = (3, 2);
    let n = time * features;
    let maf = random_maf(features, 3, &device);
    let x = Random::new(5, Purpose::Noise, 0).normal(n);
    let transform = |x: Vec<f32>| {
        let shape = [1, time, features];
        let mask = tensor(vec![1.0; n], shape, &device);
        let (z, s) = maf.transform(tensor(x, shape, &device), mask);
        (z.into_data().try_to_vec::<f32>().unwrap(), f64::from(s.sum().into_scalar::<f32>()))
    };
    let h = 1e-2f32;
    let mut jacobian = vec![vec![0.0f64; n]; n];
    for j in 0..n {
        let moved = |d: f32| {
            let mut x = x.clone();
            x[j] += d;
            transform(x).0
        };
        let (up, down) = (moved(h), moved(-h));
        for i in 0..n {
            jacobian[i][j] = f64::from(up[i] - down[i]) / f64::from(2.0 * h);
        }
    }
    let (_, log_scale) = transform(x);
    let numeric = determinant(jacobian).abs().ln();
    assert!((numeric + log_scale).abs() < 1e-3 * numeric.abs().max(1.0), "{numeric} {log_scale}");
}

/// By Gaussian elimination with pivots.
fn determinant(mut a: Vec<Vec<f64>>) -> f64 {
    let n = a.len();
    let mut product = 1.0;
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a[i][k].abs().total_cmp(&a[j][k].abs())).unwrap();
        if pivot != k {
            a.swap(pivot, k);
            product = -product;
        }
        product *= a[k][k];
        let (above, below) = a.split_at_mut(k + 1);
        let pivot_row = &above[k];
        for row in below {
            let factor = row[k] / pivot_row[k];
            row.iter_mut().zip(pivot_row).skip(k).for_each(|(x, p)| *x -= factor * p);
        }
    }
    product
}

#[test]
fn flow_does_not_see_the_future() {
    let device = Device::flex();
    let (time, features) = (8, 3);
    let shape = [1, time, features];
    let maf = random_maf(features, 2, &device);
    let x = Random::new(6, Purpose::Noise, 0).normal(time * features);
    let score = |x: Vec<f32>| {
        let mask = tensor(vec![1.0; time * features], shape, &device);
        let nll = maf.score(tensor(x, shape, &device), mask).nll;
        nll.into_data().try_to_vec::<f32>().unwrap()
    };
    let before = score(x.clone());
    for t in 1..time {
        let mut moved = x.clone();
        moved[t * features] += 3.0;
        let after = score(moved);
        assert_eq!(before[..t * features], after[..t * features], "sample {t} changed its past");
        assert_ne!(before[t * features..], after[t * features..]);
    }
}

#[test]
fn missing_values_neither_score_nor_matter() {
    let device = Device::flex();
    let shape = [1, 8, 2];
    let maf = random_maf(2, 2, &device);
    let vae = TimeVae::new(&TimeVaeConfig::default(), 8, 2, &mut rng(3), &device);
    let x = Random::new(8, Purpose::Noise, 0).normal(16);
    let mut mask = vec![1.0; 16];
    for i in [3, 8, 9] {
        mask[i] = 0.0;
    }
    let observed: Vec<f32> = x.iter().zip(&mask).map(|(x, m)| x * m).collect();
    for score in [&maf as &dyn Score, &vae] {
        let scores = score
            .score(tensor(observed.clone(), shape, &device), tensor(mask.clone(), shape, &device));
        let nll = scores.nll.into_data().try_to_vec::<f32>().unwrap();
        for (i, (&nll, &m)) in nll.iter().zip(&mask).enumerate() {
            assert_eq!(nll == 0.0, m == 0.0, "value {i}");
        }
    }
}

#[test]
fn the_kind_of_density_is_part_of_the_type() {
    let device = Device::flex();
    let maf = random_maf(1, 2, &device);
    let vae = TimeVae::new(&TimeVaeConfig::default(), 8, 1, &mut rng(3), &device);
    assert!(matches!(maf.density(), Density::Exact(_)));
    assert!(matches!(vae.density(), Density::Bound(_)));
    assert!(maf.encoder().is_none());
}

/// `-ln p(x)` of a linear-Gaussian toy is not known here, but the importance-weighted bound with K
/// draws (Burda et al. 2016) tightens with K, and K = 1 is the evidence bound itself.
#[test]
fn importance_weighted_bounds_tighten_with_their_draws_up_to_the_evidence() {
    let device = Device::flex();
    let config = TimeVaeConfig { latent: 1, halvings: 1, hidden: 8, ..TimeVaeConfig::default() };
    let vae = shaken(TimeVae::new(&config, 4, 1, &mut rng(4), &device), 0.3);
    let x = Random::new(2, Purpose::Noise, 0).normal(4);
    let log_weights = |noise: Vec<f32>| {
        let n = noise.len();
        let shape = [n, 4, 1];
        let (x, mask) =
            (tensor(x.repeat(n), shape, &device), tensor(vec![1.0; 4 * n], shape, &device));
        let noise = Tensor::from_data(TensorData::new(noise, [n, 1]), &device);
        numbers(vae.log_weights(x, mask, noise))
    };
    let log_mean = |weights: &[f32]| {
        let top = weights.iter().copied().fold(f32::MIN, f32::max);
        let mean = weights.iter().map(|w| f64::from(w - top).exp()).sum::<f64>();
        f64::from(top) + (mean / weights.len() as f64).ln()
    };
    let bound = |k: usize| {
        let draws = 4000;
        let noise = Random::new(1, Purpose::Noise, k as u64).normal(draws * k);
        let all = log_weights(noise);
        all.chunks_exact(k).map(log_mean).sum::<f64>() / draws as f64
    };
    // `∫ p(x, z) dz`: of one latent number a sum over a fine grid of the noise that it is made of.
    let (step, cells) = (0.005f32, 4000i32);
    let grid: Vec<f32> = (-cells / 2..cells / 2).map(|i| step * i as f32).collect();
    let normal = |e: &f32| (-0.5 * f64::from(e * e)).exp() / std::f64::consts::TAU.sqrt();
    let weights = log_weights(grid.clone());
    let evidence: f64 =
        grid.iter().zip(weights).map(|(e, w)| normal(e) * f64::from(w).exp()).sum::<f64>();
    let evidence = (evidence * f64::from(step)).ln();

    let bounds = [1, 5, 50].map(bound);
    assert!(bounds[0] + 0.01 < bounds[1] && bounds[1] < bounds[2], "{bounds:?}");
    assert!(bounds[2] < evidence + 0.002, "{bounds:?}, the evidence is {evidence}");
    assert!(evidence - bounds[2] < 0.5 * (evidence - bounds[0]), "{bounds:?} and {evidence}");
}
