//! A model file of any family that completes windows does so: what is known stays, seeds decide.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod support;

use burn::tensor::Device;
use mote_format::{
    Column, Kind, Manifest, Model, Schema,
    manifest::{Generator, Lineage, Window},
    model,
};
use mote_learn::{
    entries::entries,
    families::{
        Autoregressive, AutoregressiveConfig, Diffusion, DiffusionConfig, EnergyConfig,
        EnergyModel, Family, Gan, GanConfig, Generation, LatentDiffusion, LatentDiffusionConfig,
        SplineFlow, SplineFlowConfig, TimeVae, TimeVaeConfig, Transformer, TransformerConfig,
        VqVae, VqVaeConfig,
    },
    layout::Layout,
    parts::Standardize,
    random::{Purpose, Random},
};
use mote_runtime::{Completer, Noise};
use support::{rng, shaken};

const LENGTH: usize = 8;
const FEATURES: usize = 3;
const N: usize = LENGTH * FEATURES;

/// The bytes of a model file.
fn file<M: Family>(model: &M) -> Vec<u8> {
    let standardize = Standardize { mean: vec![10.0; FEATURES], scale: vec![2.0; FEATURES] };
    let entries = entries(model, &standardize, [LENGTH, FEATURES]).unwrap();
    let column = |i: usize| Column { name: i.to_string(), kind: Kind::Numeric };
    let manifest = Manifest {
        family: "test".into(),
        density: entries.density,
        schema: Schema { columns: (0..FEATURES).map(column).collect(), period_s: None },
        window: Window { length: LENGTH, tail: LENGTH },
        detector: None,
        generator: entries.generator,
        margins: None,
        programs: entries.programs.clone(),
        lineage: Lineage::default(),
    };
    model::write(&manifest, &entries.arrays())
}

fn complete(file: &[u8], batch: usize, x: &[f32], mask: &[f32], seed: u64) -> Vec<f32> {
    let model = Model::open(file).unwrap();
    let mut completer = Completer::new(&model, batch, None).unwrap();
    let mut y = vec![f32::NAN; x.len()];
    // What was drawn before must not matter.
    for _ in 0..2 {
        completer.complete(x, mask, &mut Noise::new(seed, 0), &mut y);
    }
    y
}

#[track_caller]
fn check<M: Family>(model: &M, generator: Generator) {
    let file = file(model);
    assert_eq!(Model::open(&file).unwrap().manifest.generator, Some(generator));
    let x: Vec<f32> = Random::new(2, Purpose::Noise, 0).normal(2 * N);
    let x: Vec<f32> = x.iter().map(|z| 10.0 + 2.0 * z).collect();
    let past = |i: usize| i % N < N / 2;
    let holes = |i: usize| i % 4 != 1;
    let column = |i: usize| i % FEATURES == 1;
    for known in [|_| false, |_| true, past, holes, column] as [fn(usize) -> bool; 5] {
        let mask: Vec<f32> = (0..2 * N).map(|i| f32::from(u8::from(known(i)))).collect();
        let y = complete(&file, 2, &x, &mask, 1);
        for i in 0..2 * N {
            assert!(y[i].is_finite());
            assert_eq!(y[i] == x[i], known(i), "value {i}: {} and {}", y[i], x[i]);
        }
        // What is not known is not looked at.
        let other: Vec<f32> = x.iter().zip(&mask).map(|(x, m)| x * m - 7.0 * (1.0 - m)).collect();
        assert_eq!(complete(&file, 2, &other, &mask, 1), y);
        if mask.contains(&0.0) {
            assert_ne!(complete(&file, 2, &x, &mask, 2), y, "another seed");
        }
    }
}

#[test]
fn vae() {
    let config = TimeVaeConfig { hidden: 8, halvings: 2, ..TimeVaeConfig::default() };
    let model = TimeVae::new(&config, LENGTH, FEATURES, &mut rng(1), &Device::flex());
    check(&model, Generator::Direct);
}

#[test]
fn spline_flow() {
    let config = SplineFlowConfig { hidden: 8, ..SplineFlowConfig::default() };
    let model = SplineFlow::new(&config, LENGTH, FEATURES, &mut rng(1), &Device::flex());
    check(&shaken(model, 0.2), Generator::Direct);
}

#[test]
fn diffusion() {
    let config = DiffusionConfig { hidden: 8, blocks: 1, ..DiffusionConfig::default() };
    let model = Diffusion::new(&config, LENGTH, FEATURES, &mut rng(1), &Device::flex());
    let generator = path_of(&model);
    check(&shaken(model, 0.1), generator);
}

#[test]
fn energy() {
    let config = EnergyConfig { hidden: 8, blocks: 1, ..EnergyConfig::default() };
    let model = EnergyModel::new(&config, LENGTH, FEATURES, &mut rng(1), &Device::flex());
    let generator = path_of(&model);
    check(&shaken(model, 0.1), generator);
}

#[test]
fn gan() {
    let config = GanConfig { hidden: 8, blocks: 1, ..GanConfig::default() };
    let model = Gan::new(&config, LENGTH, FEATURES, &mut rng(1), &Device::flex());
    check(&shaken(model, 0.2), Generator::Direct);
}

fn path_of<M: Family>(model: &M) -> Generator {
    match model.generation() {
        Generation::Iterative(denoise) => denoise.generator(),
        _ => panic!("goes along a path"),
    }
}

#[test]
fn autoregressive() {
    let config = AutoregressiveConfig { hidden: 8, convolutions: 2, components: 3 };
    let layout = Layout::numbers_only(FEATURES);
    let model = Autoregressive::new(&config, &layout, &mut rng(1), &Device::flex());
    check(&shaken(model, 0.2), Generator::Sequential);
}

#[test]
fn transformer() {
    let config = TransformerConfig { hidden: 8, heads: 2, window: 4, ..Default::default() };
    let layout = Layout::numbers_only(FEATURES);
    let model = Transformer::new(&config, &layout, &mut rng(1), &Device::flex());
    check(&shaken(model, 0.2), Generator::Sequential);
}

#[test]
fn latent_diffusion() {
    let vae = TimeVaeConfig { hidden: 8, halvings: 1, latent: 3, ..Default::default() };
    let config = LatentDiffusionConfig { vae, hidden: 8, blocks: 1, steps: 3 };
    let model = LatentDiffusion::new(&config, LENGTH, FEATURES, &mut rng(1), &Device::flex());
    check(&shaken(model, 0.2), Generator::Direct);
}

#[test]
fn vq_vae() {
    let config = VqVaeConfig { hidden: 8, halvings: 1, codes: 5, ..Default::default() };
    let model = VqVae::new(&config, LENGTH, FEATURES, &mut rng(1), &Device::flex());
    check(&shaken(model, 0.2), Generator::Direct);
}
