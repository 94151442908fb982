//! The layers that read what may go, and how their inputs spread together on samples.

use std::collections::{BTreeMap, BTreeSet};

use mote_format::{Op, Program, Verified};

use crate::{Error, Found, Sample, elements, gram::Grams};

/// The layers of a program by the names of their weights, of which each is there once, however many programs share it.
pub(crate) struct Readers<'a> {
    pub(super) tensors: &'a Found<'a>,
    pub(super) layers: BTreeMap<String, Layer>,
    grams: Grams,
}

/// A layer.
pub(super) struct Layer {
    /// The value that its weights are.
    pub(super) w: usize,
    /// The axis of them along which inputs lie, and the taps of each. Weights of an output lie side by side, those of
    /// one tap after those of another.
    pub(super) axis: usize,
    pub(super) taps: usize,
    /// Its bias, where no other layer has the same: it takes the means.
    pub(super) bias: Option<String>,
}

/// How inputs of a layer spread together.
pub(super) struct Spread {
    /// `(inputs,)`; zeros where no bias takes them.
    pub(super) means: Vec<f64>,
    /// `(inputs, inputs)`: around the means.
    pub(super) products: Vec<f64>,
}

impl<'a> Readers<'a> {
    /// Runs `program` on `samples`.
    ///
    /// # Errors
    ///
    /// [`Error::NoSamples`], [`Error::Sample`], [`Error::Load`].
    pub(crate) fn new(
        program: &Verified,
        tensors: &'a Found<'a>,
        samples: &[Sample],
    ) -> Result<Self, Error> {
        let grams = Grams::observe(program, tensors, samples)?;
        Ok(Self { tensors, layers: layers(program), grams })
    }

    /// The numbers of a tensor.
    pub(super) fn numbers(&self, name: &str) -> Vec<f32> {
        elements(&self.tensors[name])
    }

    /// What was seen of a layer, if it was.
    pub(super) fn spread(&self, name: &str) -> Option<Spread> {
        let gram = self.grams.of(name)?;
        let mut products = gram.mean();
        let means: Vec<f64> = match self.layers[name].bias {
            Some(_) => gram.means().iter().map(|mean| f64::from(*mean)).collect(),
            None => vec![0.0; gram.means().len()],
        };
        for (row, mean) in products.chunks_exact_mut(means.len().max(1)).zip(&means) {
            row.iter_mut().zip(&means).for_each(|(product, other)| *product -= mean * other);
        }
        Some(Spread { means, products })
    }
}

/// The layers of a program by the names of their weights.
fn layers(program: &Program) -> BTreeMap<String, Layer> {
    let name = |value: usize| program.values[value].tensor.clone();
    let mut layers: BTreeMap<String, Layer> = BTreeMap::new();
    // Weights that are met with each bias, and biases with each weights.
    let mut met: BTreeSet<(String, String)> = BTreeSet::new();
    for op in &program.ops {
        let (w, axis, taps, own) = match *op {
            Op::Linear { w, bias, .. } => (w, 1, 1, bias),
            Op::Conv1d { w, bias, .. } => (w, 2, program.shape(w)[1], bias),
            // Its results hold some of the biases once, but as many inputs as taps reach them.
            Op::ConvTranspose1d { w, .. } => (w, 2, 1, None),
            _ => continue,
        };
        let Some(weights) = name(w.index()) else { continue };
        let bias = own.and_then(|bias| name(bias.index()));
        met.extend(bias.clone().map(|bias| (weights.clone(), bias)));
        let layer = Layer { w: w.index(), axis, taps, bias: bias.clone() };
        let known = layers.entry(weights).or_insert(layer);
        if known.bias != bias {
            known.bias = None;
        }
    }
    for (weights, layer) in &mut layers {
        let alone = |bias: &String| met.iter().all(|(w, b)| b != bias || w == weights);
        layer.bias = layer.bias.take().filter(alone);
    }
    layers
}
