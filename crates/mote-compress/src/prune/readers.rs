//! The layers that read what may go, and how their inputs spread together on samples.

use std::collections::BTreeMap;

use mote_format::{Op, Program, ValueId, Verified};

use crate::{Error, Found, Sample, elements, gram::Grams};

/// The layers of a program by the names of their weights, of which each is there once, however many programs share it.
pub(crate) struct Readers<'a> {
    pub(crate) tensors: &'a Found<'a>,
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
    /// Its bias, where nothing else reads that: it takes the means.
    pub(super) bias: Option<String>,
}

/// The share of the mean variance of inputs that is added to each, so that inputs that always go together have an answer
/// too (Frantar et al. 2023), and at least this share of their mean square, which is far above roundings.
const DAMPING: [f64; 2] = [0.01, 1e-9];

/// How inputs of a layer spread together.
pub(super) struct Spread {
    /// `(inputs,)`; zeros where no bias takes them.
    pub(super) means: Vec<f64>,
    /// `(inputs, inputs)`: around the means.
    pub(super) products: Vec<f64>,
    /// What is to be added to the diagonal; above zero.
    pub(super) damping: f64,
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
    pub(crate) fn numbers(&self, name: &str) -> Vec<f32> {
        elements(&self.tensors[name])
    }

    /// What was seen of a layer, if anything was.
    pub(super) fn spread(&self, name: &str) -> Option<Spread> {
        let gram = self.grams.of(name)?;
        let (mut products, mut means) = (gram.mean(), gram.means());
        let n = means.len().max(1);
        if self.layers[name].bias.is_none() {
            means.fill(0.0);
        }
        for (row, mean) in products.chunks_exact_mut(n).zip(&means) {
            row.iter_mut().zip(&means).for_each(|(product, other)| *product -= mean * other);
        }
        let variance = (0..means.len()).map(|i| products[i * n + i]).sum::<f64>() / n as f64;
        let square = gram.mean_squares().iter().sum::<f64>() / n as f64;
        let damping = (DAMPING[0] * variance).max(DAMPING[1] * square);
        (damping > 0.0).then_some(Spread { means, products, damping })
    }

    /// What was seen of all layers.
    pub(crate) fn grams(&self) -> &Grams {
        &self.grams
    }
}

/// The layers of a program whose weights nothing else reads, by the names of those.
fn layers(program: &Program) -> BTreeMap<String, Layer> {
    let name = |id: ValueId| program.values[id.index()].tensor.clone();
    let mut readers: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = |id: ValueId| {
        if let Some(name) = name(id) {
            *readers.entry(name).or_default() += 1;
        }
    };
    program.ops.iter().for_each(|op| op.for_each_operand(&mut count));
    program.outputs.iter().for_each(|port| count(port.value));
    // For each weights their layer, and how many read them with each bias.
    let mut layers: BTreeMap<String, (Layer, BTreeMap<Option<String>, usize>)> = BTreeMap::new();
    for op in &program.ops {
        let (w, axis, taps, bias) = match *op {
            Op::Linear { w, bias, .. } => (w, 1, 1, bias),
            Op::Conv1d { w, bias, .. } => (w, 2, program.shape(w)[1], bias),
            // Its results hold some of the biases once, but as many inputs as taps reach them.
            Op::ConvTranspose1d { w, .. } => (w, 2, 1, None),
            _ => continue,
        };
        let Some(weights) = name(w) else { continue };
        let layer = || (Layer { w: w.index(), axis, taps, bias: None }, BTreeMap::new());
        let (_, met) = layers.entry(weights).or_insert_with(layer);
        *met.entry(bias.and_then(name)).or_default() += 1;
    }
    layers.retain(|weights, (_, met)| met.values().sum::<usize>() == readers[weights]);
    let made = layers.into_iter().map(|(weights, (layer, met))| {
        let mut met = met.into_iter();
        let bias = match (met.next(), met.next()) {
            (Some((Some(bias), times)), None) if readers[&bias] == times => Some(bias),
            _ => None,
        };
        (weights, Layer { bias, ..layer })
    });
    made.collect()
}
