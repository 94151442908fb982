//! Layers of low rank: one product becomes two thinner ones.
//!
//! The weights `W` of a layer that reads `x` become `U Uᵀ W`, where the columns of `U` are the directions in
//! which its results `W x` spread most over the samples: the eigenvectors of `W G Wᵀ`, `G` the mean of
//! `x xᵀ`. No other matrix of that rank comes nearer to the results in the mean square (Eckart and
//! Young, in the metric of the inputs; Wang et al. 2024, SVD-LLM, arXiv 2403.07378, whiten to the same
//! end). With `G` the identity it is the plain singular value decomposition.

use std::collections::BTreeMap;

use mote_eval::symmetric::{Eigen, eigen};
use mote_format::{Array, Dtype, Op, Program, Tensors, ValueId, Verified, program::Value};

use crate::{Error, Found, Sample, elements, gram::Grams, repair::is_masked, verified};

/// How a program is factorized.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LowRank {
    /// The share of the weights of layers that goes, at least where ranks allow it; 0 to 1.
    pub share: f64,
    /// What counts as near.
    pub metric: Metric,
    /// Which rank each layer gets.
    pub ranks: Ranks,
}

/// What counts as near.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metric {
    /// Weights that are near.
    Weights,
    /// Results that are near, on the samples.
    #[default]
    Results,
}

/// Which rank each layer gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ranks {
    /// The same share of its weights goes from each layer.
    Uniform,
    /// As many directions as pay for their weights, by one price for all layers.
    #[default]
    Automatic,
}

/// A layer that can be written as two.
struct Layer {
    /// The tensor.
    name: String,
    outputs: usize,
    /// Numbers that an output reads.
    inputs: usize,
    /// Of `W G Wᵀ`, the largest first: energies, and directions, each a row of `outputs`.
    energies: Vec<f64>,
    directions: Vec<Vec<f64>>,
}

impl Layer {
    /// Weights at a rank; as they are where that is none.
    fn weights(&self, rank: Option<usize>) -> usize {
        rank.map_or(self.outputs * self.inputs, |r| r * (self.outputs + self.inputs))
    }

    /// The largest rank at which two layers have fewer weights, and so fewer products, than one.
    fn break_even(&self) -> usize {
        (self.outputs * self.inputs).saturating_sub(1) / (self.outputs + self.inputs).max(1)
    }

    /// The share of the spread of the results that is lost.
    fn lost(&self, rank: Option<usize>) -> f64 {
        let all: f64 = self.energies.iter().sum();
        rank.map_or(0.0, |r| self.energies[r..].iter().sum::<f64>() / all.max(f64::MIN_POSITIVE))
    }

    /// The rank at which `price` for each weight and the loss are least together.
    fn best(&self, price: f64) -> Option<usize> {
        let options = (1..=self.break_even()).map(Some).chain([None]);
        let cost = |rank: &Option<usize>| self.lost(*rank) + price * self.weights(*rank) as f64;
        options.min_by(|a, b| cost(a).total_cmp(&cost(b))).flatten()
    }
}

/// Writes layers of `program` as two of lower rank, until the share of their weights is gone. Returns the
/// program and its tensors.
///
/// # Errors
///
/// [`Error::Quantized`] if it holds integers, [`Error::Share`], [`Error::NoSamples`], [`Error::Sample`],
/// [`Error::Load`].
pub fn factorize(
    program: &Verified,
    tensors: &Found<'_>,
    samples: &[Sample],
    how: LowRank,
) -> Result<(Verified, Tensors), Error> {
    crate::refuse_integers(program)?;
    if !(0.0..1.0).contains(&how.share) {
        return Err(Error::Share { what: "weights that go", found: how.share });
    }
    if samples.is_empty() {
        return Err(Error::NoSamples);
    }
    let grams = Grams::observe(program, tensors, samples)?;
    let layers = layers(program, tensors, &grams, how.metric);
    let all: usize = layers.iter().map(|layer| layer.weights(None)).sum();
    let wanted = ((1.0 - how.share) * all as f64) as usize;
    let chosen = match how.ranks {
        Ranks::Uniform => uniform(&layers, 1.0 - how.share),
        Ranks::Automatic => automatic(&layers, wanted),
    };
    let ranks: BTreeMap<&str, (&Layer, usize)> = layers
        .iter()
        .zip(chosen)
        .filter_map(|(layer, rank)| Some((layer.name.as_str(), (layer, rank?))))
        .collect();
    let (made, arrays) = rewrite(program, tensors, &ranks);
    Ok((verified(made, &arrays)?, arrays))
}

fn uniform(layers: &[Layer], kept: f64) -> Vec<Option<usize>> {
    let rank = |layer: &Layer| {
        let rank = kept * layer.weights(None) as f64 / (layer.outputs + layer.inputs) as f64;
        let rank = (rank as usize).min(layer.break_even());
        (rank > 0).then_some(rank)
    };
    layers.iter().map(rank).collect()
}

/// The lowest price at which few enough weights are left, found by halving.
fn automatic(layers: &[Layer], wanted: usize) -> Vec<Option<usize>> {
    let at = |price: f64| layers.iter().map(|l| l.best(price)).collect::<Vec<_>>();
    let left = |ranks: &[Option<usize>]| -> usize {
        layers.iter().zip(ranks).map(|(layer, rank)| layer.weights(*rank)).sum()
    };
    // Between a price at which all stay and one at which each keeps one direction.
    let (mut low, mut high) = (1e-12f64, 1e3f64);
    for _ in 0..80 {
        let middle = (low * high).sqrt();
        if left(&at(middle)) > wanted { low = middle } else { high = middle }
    }
    at(high)
}

/// The layers that have a rank to lose.
fn layers(program: &Program, tensors: &Found<'_>, grams: &Grams, metric: Metric) -> Vec<Layer> {
    let mut layers: Vec<Layer> = Vec::new();
    for op in &program.ops {
        let Some(w) = &weights_of(op) else { continue };
        let Some(name) = &program.values[w.index()].tensor else { continue };
        let shape = program.shape(*w);
        let (outputs, inputs) = match (op, shape) {
            (Op::ConvTranspose1d { .. }, &[kernel, outputs, inputs]) => (kernel * outputs, inputs),
            _ => (shape[0], shape[1..].iter().product::<usize>()),
        };
        let known = layers.iter().any(|layer| layer.name == *name);
        if known || outputs.min(inputs) < 2 || !only_weights(program, name) {
            continue;
        }
        let weights = elements(&tensors[name]);
        if is_masked(&weights) {
            // A product of two thin layers has no zeros where this one has to have some.
            continue;
        }
        let weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
        let gram = match metric {
            Metric::Results => grams.of(name).map(|gram| gram.mean()),
            Metric::Weights => None,
        };
        let (energies, directions) = spectrum(&weights, [outputs, inputs], gram.as_deref());
        layers.push(Layer { name: name.clone(), outputs, inputs, energies, directions });
    }
    layers
}

/// The weights of a layer that can be written as two.
fn weights_of(op: &Op) -> Option<ValueId> {
    match op {
        Op::Linear { w, .. } | Op::Conv1d { w, .. } | Op::ConvTranspose1d { w, .. } => Some(*w),
        _ => None,
    }
}

/// Whether a tensor is read as the weights of one kind of layer, and in no other way.
fn only_weights(program: &Program, name: &str) -> bool {
    let is = |id: ValueId| program.values[id.index()].tensor.as_deref() == Some(name);
    let mut kinds = Vec::new();
    let mut reads = 0;
    for op in &program.ops {
        op.for_each_operand(|x| reads += usize::from(is(x)));
        kinds.extend(weights_of(op).filter(|w| is(*w)).map(|_| op.name()));
    }
    let shown = program.outputs.iter().any(|port| is(port.value));
    reads == kinds.len() && kinds.iter().all(|kind| *kind == kinds[0]) && !shown
}

/// Eigenvalues and eigenvectors of `W G Wᵀ`, the largest first.
fn spectrum(
    w: &[f64],
    [outputs, inputs]: [usize; 2],
    gram: Option<&[f64]>,
) -> (Vec<f64>, Vec<Vec<f64>>) {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let row = |o: usize| &w[o * inputs..][..inputs];
    // What each row of weights meets.
    let met: Vec<Vec<f64>> = (0..outputs)
        .map(|o| match gram {
            Some(gram) => gram.chunks_exact(inputs).map(|g| dot(g, row(o))).collect(),
            None => row(o).to_vec(),
        })
        .collect();
    let mut matrix = vec![0.0; outputs * outputs];
    for i in 0..outputs {
        for j in 0..=i {
            let value = dot(row(i), &met[j]);
            (matrix[i * outputs + j], matrix[j * outputs + i]) = (value, value);
        }
    }
    let Eigen { values, vectors } = eigen(matrix, outputs);
    let mut order: Vec<usize> = (0..outputs).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    let vector = |&k: &usize| vectors[k * outputs..][..outputs].to_vec();
    (order.iter().map(|&k| values[k].max(0.0)).collect(), order.iter().map(vector).collect())
}

/// Each layer with a rank becomes two: the first reads what it read, the second mixes.
fn rewrite(
    program: &Program,
    tensors: &Found<'_>,
    ranks: &BTreeMap<&str, (&Layer, usize)>,
) -> (Program, Tensors) {
    let mut made = Program { ops: Vec::new(), ..program.clone() };
    let mut arrays = Tensors::new();
    for name in program.values.iter().filter_map(|value| value.tensor.as_ref()) {
        if !ranks.contains_key(name.as_str()) {
            arrays.insert(name.clone(), tensors[name].to_array());
        }
    }
    for op in &program.ops {
        let name = weights_of(op).and_then(|w| program.values[w.index()].tensor.as_deref());
        let Some((name, &(layer, rank))) = name.and_then(|n| Some((n, ranks.get(n)?))) else {
            made.ops.push(op.clone());
            continue;
        };
        let weights = elements(&tensors[name]);
        let [thin, mix] = shapes(op, program, rank);
        let first = tensor(&mut made, &mut arrays, format!("{name}.first"), &thin, || {
            layer.first(&weights, rank)
        });
        let second =
            tensor(&mut made, &mut arrays, format!("{name}.second"), &mix, || layer.second(rank));
        let both = two(op, &mut made.values, [first, second], rank);
        made.ops.extend(both);
    }
    drop_unread(&mut made);
    (made, arrays)
}

impl Layer {
    /// `Uᵀ W`, `(rank, inputs)`.
    fn first(&self, w: &[f32], rank: usize) -> Vec<f32> {
        let mut first = Vec::with_capacity(rank * self.inputs);
        for direction in &self.directions[..rank] {
            let mut row = vec![0.0f64; self.inputs];
            for (u, w) in direction.iter().zip(w.chunks_exact(self.inputs)) {
                row.iter_mut().zip(w).for_each(|(sum, w)| *sum += u * f64::from(*w));
            }
            first.extend(row.into_iter().map(|x| x as f32));
        }
        first
    }

    /// `U`, `(outputs, rank)`.
    fn second(&self, rank: usize) -> Vec<f32> {
        let row = |o: usize| self.directions[..rank].iter().map(move |u| u[o] as f32);
        (0..self.outputs).flat_map(row).collect()
    }
}

/// The shapes of the two tensors of weights.
fn shapes(op: &Op, program: &Program, rank: usize) -> [Vec<usize>; 2] {
    let shape = weights_of(op).map(|w| program.shape(w)).unwrap_or_default();
    match (op, shape) {
        (Op::ConvTranspose1d { .. }, &[kernel, outputs, inputs]) => {
            [vec![rank, inputs], vec![kernel, outputs, rank]]
        }
        _ => [[&[rank], &shape[1..]].concat(), vec![shape[0], rank]],
    }
}

/// Two layers in place of one: the first has no bias and no activation, and writes a new value.
fn two(op: &Op, values: &mut Vec<Value>, [w, second]: [ValueId; 2], rank: usize) -> [Op; 2] {
    // As long in time as what it reads, or as what the layer gives.
    let like = match op {
        Op::ConvTranspose1d { x, .. } => *x,
        _ => op.result(),
    };
    let mut shape = values[like.index()].shape.clone();
    shape.pop();
    shape.push(rank);
    values.push(Value::f32(shape));
    let between = ValueId(values.len() as u32 - 1);
    match *op {
        Op::Linear { x, bias, y, activation, .. } => [
            Op::Linear { x, w, bias: None, y: between, activation: None },
            Op::Linear { x: between, w: second, bias, y, activation },
        ],
        Op::Conv1d { x, bias, y, stride, dilation, padding, activation, .. } => [
            Op::Conv1d {
                x,
                w,
                bias: None,
                y: between,
                stride,
                dilation,
                padding,
                activation: None,
            },
            Op::Linear { x: between, w: second, bias, y, activation },
        ],
        Op::ConvTranspose1d { x, bias, y, stride, trim, activation, .. } => [
            Op::Linear { x, w, bias: None, y: between, activation: None },
            Op::ConvTranspose1d { x: between, w: second, bias, y, stride, trim, activation },
        ],
        _ => unreachable!("only layers have weights"),
    }
}

/// The value of a tensor, which is made where it is not there yet.
fn tensor(
    program: &mut Program,
    arrays: &mut Tensors,
    name: String,
    shape: &[usize],
    numbers: impl FnOnce() -> Vec<f32>,
) -> ValueId {
    let known = program.values.iter().position(|value| value.tensor.as_ref() == Some(&name));
    if let Some(at) = known {
        return ValueId(at as u32);
    }
    arrays.insert(name.clone(), Array::new(shape.to_vec(), &numbers()));
    program.values.push(Value::tensor(name, Dtype::F32, shape));
    ValueId(program.values.len() as u32 - 1)
}

/// Takes out the values of tensors that no operation reads any more.
fn drop_unread(program: &mut Program) {
    let mut read = vec![false; program.values.len()];
    for op in &program.ops {
        op.for_each_operand(|x| read[x.index()] = true);
        read[op.result().index()] = true;
    }
    let ports = program.inputs.iter().chain(&program.outputs);
    ports.for_each(|port| read[port.value.index()] = true);
    let mut number = vec![ValueId(0); read.len()];
    let mut next = 0;
    for (number, read) in number.iter_mut().zip(&read) {
        *number = ValueId(next);
        next += u32::from(*read);
    }
    for op in &mut program.ops {
        op.for_each_operand_mut(|x| *x = number[x.index()]);
        *op.result_mut() = number[op.result().index()];
    }
    for port in program.inputs.iter_mut().chain(&mut program.outputs) {
        port.value = number[port.value.index()];
    }
    let mut read = read.into_iter();
    program.values.retain(|_| read.next().unwrap_or(false));
}
