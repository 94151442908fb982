//! The entry points that a trained model leaves behind: programs from raw units to nats.

mod sequential;

use burn::tensor::Tensor;
use mote_format::{
    Array, Program,
    manifest::{self, Generator},
};

use crate::{
    compile::{CompileError, Input, Tensors, capture, merge},
    families::{Density, Family, Generation, Score},
    parts::Standardize,
};

/// Everything that a model file needs of a trained model.
#[derive(Clone, Debug)]
pub struct Entries {
    /// What a score means.
    pub density: manifest::Density,
    /// How windows are completed.
    pub generator: Option<Generator>,
    /// The entry points.
    pub programs: Vec<Program>,
    /// The weights that they share.
    pub tensors: Tensors,
}

/// Captures the entry points of `model` for windows of `[length, features]`.
///
/// - `score`: `x`, `mask` to `nll` `(length, features)` and, for a bound, `kl` `(1,)`.
/// - `encode`: `x`, `mask` to `mean` and `log_variance`, `(latent,)` each.
///
/// - `complete`: `x`, `mask`, `noise` to `y` `(length, features)`; or `denoise` and `restore` for a model
///   that takes many evaluations, or `next` for one that draws sample by sample. See [`Generator`].
///
/// `x` and `y` are in raw units: standardization is part of the program.
///
/// # Errors
///
/// [`CompileError`].
pub fn entries<M: Family>(
    model: &M,
    standardize: &Standardize,
    shape: [usize; 2],
) -> Result<Entries, CompileError> {
    let inputs = [Input { name: "x", shape }, Input { name: "mask", shape }];
    let mut entries = Entries {
        density: kind(model),
        generator: None,
        programs: Vec::new(),
        tensors: Tensors::new(),
    };
    if scorer(model).is_some() {
        let captured = capture(model, "score", &inputs, |model, inputs, device| {
            let [x, mask] = pair(inputs);
            let x = standardize.forward(x, mask.clone(), device);
            let scores = scorer(model).expect("asked above").score(x, mask);
            let kl = scores.kl.map(|kl| ("kl", kl.into()));
            [("nll", scores.nll.into())].into_iter().chain(kl).collect()
        })?;
        entries.add(captured);
    }
    if model.encoder().is_some() {
        let captured = capture(model, "encode", &inputs, |model, inputs, device| {
            let [x, mask] = pair(inputs);
            let x = standardize.forward(x, mask.clone(), device);
            let (mean, log_variance) = model.encoder().expect("asked above").encode(x, mask);
            vec![("mean", mean.into()), ("log_variance", log_variance.into())]
        })?;
        entries.add(captured);
    }
    entries.completing(model, standardize, shape)?;
    Ok(entries)
}

impl Entries {
    /// The weights as a file stores them.
    #[must_use]
    pub fn arrays(&self) -> mote_format::Tensors {
        let array = |(shape, data): &(Vec<usize>, Vec<f32>)| Array::new(shape.clone(), data);
        self.tensors.iter().map(|(name, tensor)| (name.clone(), array(tensor))).collect()
    }

    /// Captures what completes windows, where there is something.
    fn completing<M: Family>(
        &mut self,
        model: &M,
        standardize: &Standardize,
        shape: [usize; 2],
    ) -> Result<(), CompileError> {
        let [x, mask] = [Input { name: "x", shape }, Input { name: "mask", shape }];
        match model.generation() {
            Generation::None => {}
            Generation::Direct(direct) => {
                let noise = Input { name: "noise", shape: [1, direct.noise_width()] };
                let inputs = [x, mask, noise];
                self.add(capture(model, "complete", &inputs, |model, inputs, device| {
                    let Generation::Direct(model) = model.generation() else {
                        unreachable!("above")
                    };
                    let [x, mask] = pair(inputs);
                    let noise = flat(inputs[2].clone());
                    let x = standardize.forward(x, mask.clone(), device);
                    let y = standardize.restore(model.complete(x, mask, noise), device);
                    vec![("y", y.into())]
                })?);
                self.generator = Some(Generator::Direct);
            }
            Generation::Iterative(iterative) => {
                let [state, time] =
                    [Input { name: "state", shape }, Input { name: "time", shape: [1, 1] }];
                let inputs = [x, mask, state.clone(), time];
                self.add(capture(model, "denoise", &inputs, |model, inputs, device| {
                    let Generation::Iterative(model) = model.generation() else {
                        unreachable!("above")
                    };
                    let [x, mask] = pair(inputs);
                    let (state, time) = (inputs[2].clone(), flat(inputs[3].clone()));
                    let x = standardize.forward(x, mask.clone(), device);
                    vec![("estimate", model.denoise(state, time, x, mask).into())]
                })?);
                self.add(capture(model, "restore", &[state], |_, inputs, device| {
                    vec![("y", standardize.restore(inputs[0].clone(), device).into())]
                })?);
                self.generator = Some(iterative.generator());
            }
            Generation::Sequential(_) => {
                self.add(sequential::next(model, standardize, shape)?);
                self.generator = Some(Generator::Sequential);
            }
        }
        Ok(())
    }

    fn add(&mut self, (mut program, tensors): (Program, Tensors)) {
        merge(&mut program, tensors, &mut self.tensors);
        self.programs.push(program);
    }
}

/// `(batch, 1, n)` as `(batch, n)`.
fn flat(x: Tensor<3>) -> Tensor<2> {
    let [batch, _, n] = x.dims();
    x.reshape([batch, n])
}

fn pair(inputs: &[Tensor<3>]) -> [Tensor<3>; 2] {
    [inputs[0].clone(), inputs[1].clone()]
}

fn kind<M: Family>(model: &M) -> manifest::Density {
    match model.density() {
        Density::Exact(_) => manifest::Density::Exact,
        Density::Bound(_) => manifest::Density::Bound,
        Density::Energy(_) => manifest::Density::Energy,
        Density::Implicit => manifest::Density::Implicit,
    }
}

fn scorer<M: Family>(model: &M) -> Option<&dyn Score> {
    match model.density() {
        Density::Exact(s) | Density::Bound(s) | Density::Energy(s) => Some(s),
        Density::Implicit => None,
    }
}
