//! How many bits each layer gets.

use std::collections::BTreeMap;

use mote_format::{Array, Program, Verified};
use mote_runtime::{Instance, Level, Loaded};

use super::plan::{Way, way};
use crate::{
    Bits, Error, Found, Sample, elements,
    gram::{Gram, Grams},
    integers::{Layout, integers, layers},
    ranges::fill,
    spread::units,
};

/// The width of weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Width {
    /// All alike.
    Uniform(Bits),
    /// Four bits for this share of the weights, 0 to 1, in the layers that bear it best, and eight for the
    /// others. How a layer bears it is what the outputs lose on the samples where it alone has four bits, for
    /// each of its weights (Dong et al. 2019, HAWQ, arXiv 1905.03696, estimate that by curvature; programs
    /// this small can be run instead).
    Mixed(f64),
}

/// The width of each tensor of weights.
#[derive(Clone, Debug)]
pub(super) enum Widths {
    Uniform(Bits),
    Each(BTreeMap<String, Bits>),
}

/// Samples that are run for each layer.
const RUN: usize = 32;

impl Widths {
    pub(super) fn new(
        width: Width,
        program: &Verified,
        tensors: &Found<'_>,
        samples: &[Sample],
        grams: &Grams,
    ) -> Result<Self, Error> {
        let share = match width {
            Width::Uniform(bits) => return Ok(Self::Uniform(bits)),
            Width::Mixed(share) if (0.0..=1.0).contains(&share) => share,
            Width::Mixed(found) => {
                return Err(Error::Share { what: "weights of four bits", found });
            }
        };
        let few: Vec<Sample> =
            samples.iter().step_by(samples.len().div_ceil(RUN).max(1)).cloned().collect();
        let mut layers = losses(program, tensors, &few, grams)?;
        layers.sort_by(|a, b| (a.loss / a.weights as f64).total_cmp(&(b.loss / b.weights as f64)));
        let all: usize = layers.iter().map(|layer| layer.weights).sum();
        let (mut narrow, most) = (0, share * all as f64);
        let mut each = BTreeMap::new();
        for layer in layers {
            let fits = (narrow + layer.weights) as f64 <= most;
            narrow += if fits { layer.weights } else { 0 };
            each.insert(layer.name, if fits { Bits::Four } else { Bits::Eight });
        }
        Ok(Self::Each(each))
    }

    /// That of the tensor with this name.
    pub(super) fn of(&self, name: &str) -> Bits {
        match self {
            Self::Uniform(bits) => *bits,
            Self::Each(each) => each.get(name).copied().unwrap_or(Bits::Eight),
        }
    }
}

/// What a program loses where one tensor of weights has four bits.
struct Layer {
    name: String,
    weights: usize,
    loss: f64,
}

fn losses(
    program: &Verified,
    tensors: &Found<'_>,
    samples: &[Sample],
    grams: &Grams,
) -> Result<Vec<Layer>, Error> {
    let units = units(program, tensors, samples)?;
    let wanted = outputs(program, tensors, samples)?;
    let mut layers = Vec::new();
    for (name, layout) in weights(program) {
        let tensor = &tensors[name];
        let w = elements(tensor);
        let least = vec![f32::MIN_POSITIVE; layout.outputs()];
        let factor = grams.of(name).map(Gram::factor);
        let rounded = integers(&w, layout, Bits::Four, &least, factor.as_ref()).reals(layout);
        let array = Array::new(tensor.shape.clone(), &rounded);
        let mut others = tensors.clone();
        others.insert(name.into(), array.tensor());
        let found = outputs(program, &others, samples)?;
        let off = |((wanted, found), unit): ((&Vec<f32>, &Vec<f32>), &f64)| {
            let square = |(a, b): (&f32, &f32)| ((f64::from(*a) - f64::from(*b)) / unit).powi(2);
            let squares = wanted.iter().zip(found).map(square).filter(|s| s.is_finite());
            squares.sum::<f64>() / wanted.len().max(1) as f64
        };
        let loss = wanted.iter().zip(&found).zip(&units).map(off).sum();
        layers.push(Layer { name: name.into(), weights: w.len(), loss });
    }
    Ok(layers)
}

/// The weights that become integers, by name.
pub(super) fn weights(program: &Program) -> BTreeMap<&str, Layout> {
    layers(program, program.ops.iter().filter(|op| way(program, op) == Way::Layer))
}

/// For each output its numbers on all samples.
fn outputs(
    program: &Verified,
    tensors: &Found<'_>,
    samples: &[Sample],
) -> Result<Vec<Vec<f32>>, Error> {
    let mut instance: Instance<'_> =
        Loaded::from_parts(Level::best(), program, tensors)?.instance();
    let mut all = vec![Vec::new(); program.outputs.len()];
    for (i, sample) in samples.iter().enumerate() {
        fill(&mut instance, sample, i)?;
        instance.run();
        for (port, all) in program.outputs.iter().zip(&mut all) {
            all.extend_from_slice(instance.output(port.value));
        }
    }
    Ok(all)
}
