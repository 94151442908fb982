//! Programs equal the modules that they were captured from.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod support;

use burn::tensor::{Device, Tensor};
use mote_format::manifest::Path;
use mote_format::{Dtype, Stored, Verified, container::Tensor as FileTensor};
use mote_learn::{
    entries::entries,
    families::{
        Autoregressive, AutoregressiveConfig, Density, Diffusion, DiffusionConfig, Distilled,
        EnergyConfig, EnergyModel, Family, Gan, GanConfig, Generation, LatentDiffusion,
        LatentDiffusionConfig, Prediction, SplineFlow, SplineFlowConfig, TimeVae, TimeVaeConfig,
        Transformer, TransformerConfig, VqVae, VqVaeConfig,
    },
    layout::Layout,
    parts::Standardize,
    random::{Purpose, Random},
    train::Windows,
};
use mote_runtime::{Level, Loaded};
use support::{matrix, mixed, numbers, random_maf, rng, shaken, tensor, words_only};

/// Numbers for a port: windows in raw units, masks of zeros and ones, times in 0 to 1, noise.
fn given(port: &str, n: usize, standardize: &Standardize, seed: u64) -> Vec<f32> {
    let mut rng = Random::new(seed, Purpose::Noise, port.len() as u64);
    let features = standardize.mean.len();
    match port {
        "x" => (0..n)
            .zip(rng.normal(n))
            .map(|(i, z)| standardize.mean[i % features] + z * standardize.scale[i % features])
            .collect(),
        "mask" => (0..n).map(|i| if (i as u64 + seed) % 7 == 3 { 0.0 } else { 1.0 }).collect(),
        "time" => (0..n).map(|_| rng.unit()).collect(),
        _ => rng.normal(n),
    }
}

/// What the module answers to the inputs of a program, in the order of its outputs.
fn answers<M: Family>(
    model: &M,
    program: &str,
    standardize: &Standardize,
    shape: [usize; 2],
    input: impl Fn(&str) -> Vec<f32>,
) -> Vec<(&'static str, Vec<f32>)> {
    let device = Device::flex();
    let window = |data| tensor(data, [1, shape[0], shape[1]], &device);
    let row = |data: Vec<f32>| {
        let n = data.len();
        matrix(data, [1, n], &device)
    };
    let restored = |x: Tensor<3>| vec![("y", numbers(standardize.restore(x, &device)))];
    if program == "restore" {
        return restored(window(input("state")));
    }
    let mut standard = input("x");
    standardize.apply(&mut standard, &input("mask"));
    let (x, mask) = (window(standard), window(input("mask")));
    match (program, model.density(), model.generation()) {
        ("encode", ..) => {
            let (mean, log_variance) = model.encoder().unwrap().encode(x, mask);
            vec![("mean", numbers(mean)), ("log_variance", numbers(log_variance))]
        }
        ("score", Density::Exact(s) | Density::Bound(s) | Density::Energy(s), _) => {
            let scores = s.score(x, mask);
            let kl = scores.kl.map(|kl| ("kl", numbers(kl)));
            [("nll", numbers(scores.nll))].into_iter().chain(kl).collect()
        }
        ("complete", _, Generation::Direct(direct)) => {
            restored(direct.complete(x, mask, row(input("noise"))))
        }
        ("denoise", _, Generation::Iterative(iterative)) => {
            let (state, time) = (window(input("state")), row(input("time")));
            vec![("estimate", numbers(iterative.denoise(state, time, x, mask)))]
        }
        _ => panic!("a program `{program}` that nobody asked for"),
    }
}

#[track_caller]
fn check<M: Family>(model: &M, shape: [usize; 2], wanted_programs: &[&str]) {
    let standardize = Standardize {
        mean: (0..shape[1]).map(|i| 10.0 * i as f32).collect(),
        scale: (0..shape[1]).map(|i| 0.5 + i as f32).collect(),
    };
    let entries = entries(model, &standardize, shape).unwrap();
    let names: Vec<&str> = entries.programs.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, wanted_programs);
    let tensors = entries
        .tensors
        .iter()
        .map(|(name, (shape, data))| {
            let bytes = bytemuck::cast_slice(data);
            (name.clone(), FileTensor { dtype: Dtype::F32, shape: shape.clone(), bytes })
        })
        .collect();
    // What advances by one sample is compared in `sequences.rs`.
    for program in entries.programs.into_iter().filter(|p| p.name != "next") {
        let program =
            Verified::new(program, |t| entries.tensors.get(t).map(|(shape, _)| Stored::f32(shape)));
        let program = program.unwrap();
        let mut instance =
            Loaded::from_parts(Level::best(), &program, &tensors).unwrap().instance();
        for seed in 0..20 {
            let input = |port: &str| {
                let n = program.elements(program.input(port).unwrap());
                given(port, n, &standardize, seed)
            };
            for port in &program.inputs {
                instance.input(port.value).copy_from_slice(&input(&port.name));
            }
            instance.run();
            for (name, wanted) in answers(model, &program.name, &standardize, shape, input) {
                let found = instance.output(program.output(name).unwrap());
                assert_eq!(found.len(), wanted.len());
                for (i, (f, w)) in found.iter().zip(&wanted).enumerate() {
                    let close = (f - w).abs() <= 1e-4 * w.abs().max(1.0);
                    assert!(close, "{} {name}[{i}]: found {f}, wanted {w}", program.name);
                }
            }
        }
    }
}

#[test]
fn vae() {
    let device = Device::flex();
    for shape in [[8, 1], [16, 3], [64, 8]] {
        let [time, features] = shape;
        let vae = TimeVae::new(&TimeVaeConfig::default(), time, features, &mut rng(9), &device);
        check(&vae, shape, &["score", "encode", "complete"]);
    }
}

#[test]
fn flow() {
    let device = Device::flex();
    for shape in [[1, 1], [5, 2], [16, 5]] {
        check(&random_maf(shape[1], 2, &device), shape, &["score"]);
    }
}

#[test]
fn spline_flow() {
    let device = Device::flex();
    for (shape, bins) in [([1, 2], 8), ([2, 1], 2), ([16, 3], 8), ([7, 4], 0)] {
        let config = SplineFlowConfig { hidden: 12, bins, ..Default::default() };
        let model = SplineFlow::new(&config, shape[0], shape[1], &mut rng(9), &device);
        check(&shaken(model, 0.2), shape, &["score", "complete"]);
    }
}

#[test]
fn transformer() {
    let device = Device::flex();
    for (layout, time, experts, window) in [
        (Layout::numbers_only(1), 1, 1, 4),
        (Layout::numbers_only(3), 16, 3, 5),
        (mixed(), 9, 1, 32),
    ] {
        let config =
            TransformerConfig { hidden: 12, heads: 2, window, experts, ..Default::default() };
        let model = Transformer::new(&config, &layout, &mut rng(9), &device);
        check(&shaken(model, 0.2), [time, layout.features()], &["score", "next"]);
    }
}

#[test]
fn vq_vae() {
    let device = Device::flex();
    for (shape, halvings, codes) in [([1, 1], 0, 1), ([8, 3], 2, 7), ([64, 2], 3, 64)] {
        let config = VqVaeConfig { hidden: 12, halvings, codes, ..Default::default() };
        let model = VqVae::new(&config, shape[0], shape[1], &mut rng(9), &device);
        check(&shaken(model, 0.2), shape, &["score", "complete"]);
    }
}

#[test]
fn autoregressive() {
    let device = Device::flex();
    let config = AutoregressiveConfig { hidden: 12, convolutions: 3, components: 4 };
    let layouts = [Layout::numbers_only(1), Layout::numbers_only(5), mixed(), words_only()];
    for (layout, time) in layouts.iter().zip([1, 12, 7, 3]) {
        let model = Autoregressive::new(&config, layout, &mut rng(9), &device);
        check(&shaken(model, 0.2), [time, layout.features()], &["score", "next"]);
    }
}

/// Windows that are smooth and of which each feature is much of the one before.
struct Smooth([usize; 2]);

impl Windows for Smooth {
    fn len(&self) -> usize {
        200
    }

    fn shape(&self) -> [usize; 2] {
        self.0
    }

    fn fill(&self, i: usize, values: &mut [f32], mask: &mut [f32]) {
        let mut rng = Random::new(3, Purpose::Order, i as u64);
        let (phase, height) = (6.0 * rng.unit(), rng.normal(1)[0]);
        for (t, row) in values.chunks_exact_mut(self.0[1]).enumerate() {
            for (c, v) in row.iter_mut().enumerate() {
                *v = height * (phase + 0.3 * t as f32 + 0.2 * c as f32).sin();
            }
        }
        mask.fill(1.0);
    }
}

#[test]
fn diffusion() {
    let device = Device::flex();
    for shape in [[1, 1], [5, 2], [24, 6]] {
        for path in [Path::Straight, Path::Cosine] {
            for prediction in [Prediction::Clean, Prediction::Velocity] {
                let config = DiffusionConfig {
                    hidden: 16,
                    blocks: 2,
                    path,
                    prediction,
                    ..Default::default()
                };
                let model = Diffusion::new(&config, shape[0], shape[1], &mut rng(9), &device);
                let model = shaken(model, 0.2).around(&Smooth(shape));
                check(&model, shape, &["denoise", "restore"]);
                check(&Distilled::new(model, 4), shape, &["denoise", "restore"]);
            }
        }
    }
}

#[test]
fn latent_diffusion() {
    let device = Device::flex();
    for shape in [[2, 1], [8, 3], [24, 6]] {
        let vae = TimeVaeConfig { hidden: 12, halvings: 1, latent: 3, ..Default::default() };
        let config = LatentDiffusionConfig { vae, hidden: 12, blocks: 2, steps: 5 };
        let model = LatentDiffusion::new(&config, shape[0], shape[1], &mut rng(9), &device);
        check(&shaken(model, 0.2), shape, &["score", "encode", "complete"]);
    }
}

#[test]
fn gan() {
    let device = Device::flex();
    for shape in [[1, 1], [5, 2], [24, 6]] {
        let config = GanConfig { hidden: 16, blocks: 2, ..Default::default() };
        let model = Gan::new(&config, shape[0], shape[1], &mut rng(9), &device);
        check(&shaken(model, 0.2), shape, &["complete"]);
    }
}

#[test]
fn energy() {
    let device = Device::flex();
    for shape in [[1, 1], [5, 2], [24, 6]] {
        for path in [Path::Straight, Path::Cosine] {
            let config = EnergyConfig { hidden: 16, blocks: 2, path, ..Default::default() };
            let model = EnergyModel::new(&config, shape[0], shape[1], &mut rng(9), &device);
            check(&shaken(model, 0.1), shape, &["score", "denoise", "restore"]);
        }
    }
}
