//! Training programs of whole families give the gradients that Burn gives.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod support;

use std::collections::HashMap;

use burn::{
    module::{ModuleMapper, ModuleVisitor, Param},
    optim::GradientsParams,
    tensor::{Device, Tensor},
};
use mote_format::{
    Dtype, Op, Program, Stored, ValueId, Verified,
    container::Tensor as FileTensor,
    program::{Binary, Port, Reduction, Value},
};
use mote_learn::{
    entries::entries,
    families::{
        Autoregressive, AutoregressiveConfig, Density, Family, SplineFlow, SplineFlowConfig,
        TimeVae, TimeVaeConfig, Transformer, TransformerConfig,
    },
    layout::Layout,
    parts::Standardize,
};
use mote_runtime::{Learner, Level, Loaded, gradient};
use support::{mixed, numbers, random_maf, rng, shaken, tensor};

/// The same weights on a device that keeps track of gradients.
struct Trained;

impl ModuleMapper for Trained {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|t| t.autodiff().require_grad())
    }
}

/// For each number of a weight its gradient. Weights are random: where a program keeps one turned, joined or
/// under another name, its number still tells which it is.
type Gradients = HashMap<u32, f32>;

/// Of the sum of everything that `score` answers, by Burn.
fn by_burn<M: Family>(model: &M, x: &[f32], mask: &[f32], shape: [usize; 2]) -> Gradients {
    let device = Device::flex().autodiff();
    let window = |data: &[f32]| tensor(data.to_vec(), [1, shape[0], shape[1]], &device);
    let (Density::Exact(s) | Density::Bound(s) | Density::Energy(s)) = model.density() else {
        panic!("a family that scores")
    };
    let scores = s.score(window(x), window(mask));
    let kl = scores.kl.map(|kl| kl.sum());
    let loss = kl.into_iter().fold(scores.nll.sum(), |sum, kl| sum + kl);
    let gradients = GradientsParams::from_grads(loss.backward(), model);
    struct Visit(GradientsParams, Gradients);
    impl ModuleVisitor for Visit {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let Some(g) = self.0.get::<D>(param.id) else { return };
            let w = param.val().inner();
            self.1.extend(numbers(w).iter().zip(numbers(g)).map(|(w, g)| (w.to_bits(), g)));
        }
    }
    let mut visit = Visit(gradients, Gradients::new());
    model.visit(&mut visit);
    visit.1
}

/// The program with the sum of all of its outputs as one more.
fn with_loss(program: &Program) -> Program {
    let mut made = program.clone();
    let push = |made: &mut Program, shape: &[usize], op: &dyn Fn(ValueId) -> Op| {
        let y = ValueId(made.values.len() as u32);
        made.values.push(Value::f32(shape));
        made.ops.push(op(y));
        y
    };
    let mut loss = None;
    for port in &program.outputs {
        let flat =
            push(&mut made, &[program.elements(port.value)], &|y| Op::Reshape { x: port.value, y });
        let sum = push(&mut made, &[1], &|y| Op::Reduce { x: flat, y, f: Reduction::Sum, axis: 0 });
        loss = Some(match loss {
            Some(a) => push(&mut made, &[1], &|y| Op::Binary { a, b: sum, y, f: Binary::Add }),
            None => sum,
        });
    }
    made.outputs.push(Port { name: "loss".into(), value: loss.unwrap() });
    made
}

#[track_caller]
fn check<M: Family>(model: &M, shape: [usize; 2]) {
    let training = &model.clone().map(&mut Trained);
    let standardize = Standardize { mean: vec![0.0; shape[1]], scale: vec![1.0; shape[1]] };
    let entries = entries(model, &standardize, shape).unwrap();
    let tensors = entries
        .tensors
        .iter()
        .map(|(name, (shape, data))| {
            let bytes = bytemuck::cast_slice(data);
            (name.clone(), FileTensor { dtype: Dtype::F32, shape: shape.clone(), bytes })
        })
        .collect();
    let stored = |name: &str| entries.tensors.get(name).map(|(shape, _)| Stored::f32(shape));
    let score = entries.programs.iter().find(|program| program.name == "score").unwrap();
    let score = Verified::new(with_loss(score), stored).unwrap();
    let program = gradient(&score, "loss", |_| true, stored).unwrap();
    let mut x = rng(5).normal(shape[0] * shape[1]);
    let mask: Vec<f32> = (0..x.len()).map(|i| if i % 7 == 3 { 0.0 } else { 1.0 }).collect();
    standardize.apply(&mut x, &mask);
    let wanted = by_burn(training, &x, &mask, shape);
    let largest = wanted.values().fold(0.0f32, |m, g| m.max(g.abs()));
    for level in Level::available() {
        let instance = Loaded::from_parts(level, &program, &tensors).unwrap().instance();
        let mut learner = Learner::new(instance, "loss", |name| &entries.tensors[name].1);
        for (name, data) in [("x", &x), ("mask", &mask)] {
            let port = program.input(name).unwrap();
            learner.instance().input(port).copy_from_slice(data);
        }
        assert!(learner.see().unwrap().is_finite());
        // A weight may lie in two tensors, in another order for another layer.
        let mut found = Gradients::new();
        for (name, gradient) in learner.gradients() {
            for (w, g) in entries.tensors[name].1.iter().zip(gradient) {
                *found.entry(w.to_bits()).or_default() += g;
            }
        }
        let mut compared = 0;
        // Masks are whole numbers, and no weights.
        for (w, &wanted) in wanted.iter().filter(|(w, _)| f32::from_bits(**w).fract() != 0.0) {
            let Some(found) = found.get(w) else { continue };
            compared += 1;
            let near = (found - wanted).abs() <= 2e-4 * (largest + wanted.abs());
            assert!(near, "{}: {found}, wanted {wanted}", f32::from_bits(*w));
        }
        assert!(compared * 2 > wanted.len(), "{compared} of {}", wanted.len());
    }
}

#[test]
fn vae() {
    let device = Device::flex();
    let model = {
        TimeVae::new(
            &TimeVaeConfig { hidden: 12, ..Default::default() },
            16,
            3,
            &mut rng(9),
            &device,
        )
    };
    check(&model, [16, 3]);
}

#[test]
fn flows() {
    let device = Device::flex();
    let model = random_maf(3, 2, &device);
    check(&model, [9, 3]);
    let device = Device::flex();
    let model = {
        let config = SplineFlowConfig { hidden: 12, ..Default::default() };
        shaken(SplineFlow::new(&config, 8, 2, &mut rng(9), &device), 0.2)
    };
    check(&model, [8, 2]);
}

#[test]
fn sequences() {
    let device = Device::flex();
    let model = {
        let config = AutoregressiveConfig { hidden: 12, convolutions: 3, components: 4 };
        shaken(Autoregressive::new(&config, &mixed(), &mut rng(9), &device), 0.2)
    };
    check(&model, [7, 6]);
    let device = Device::flex();
    let model = {
        let config =
            TransformerConfig { hidden: 12, heads: 2, window: 5, experts: 2, ..Default::default() };
        let layout = Layout::numbers_only(3);
        shaken(Transformer::new(&config, &layout, &mut rng(9), &device), 0.2)
    };
    check(&model, [16, 3]);
}
