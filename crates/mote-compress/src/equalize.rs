//! Channels of about one size, because all channels of an activation share one step (Nagel et al. 2019, arXiv
//! 1906.04721, section 4.1; Xiao et al. 2023, SmoothQuant, arXiv 2211.10438).
//!
//! Where a layer or a normalization is read by layers alone, each of its channels may be made smaller and the weights that
//! read it larger: the program computes the same. What is gained by the step of the activation is lost by those
//! of the weights, so both meet half way.

use std::collections::{BTreeMap, BTreeSet};

use mote_format::{
    Array, Op, Program, Tensors, ValueId, Verified,
    program::{Port, Unary},
};

use crate::{Error, Found, Sample, elements, ranges::replay};

/// The tensors of `program` with channels equalized by what they are on `samples`, usual ones and others that
/// they should not be shut out by, where that is possible.
pub(crate) fn equalize(
    program: &Verified,
    tensors: &Found<'_>,
    samples: [&[Sample]; 2],
) -> Result<Tensors, Error> {
    let mut made: Tensors = tensors.iter().map(|(n, t)| (n.clone(), t.to_array())).collect();
    let pairs = pairs(program);
    let sizes = sizes(program, tensors, samples, &pairs)?;
    for (pair, sizes) in pairs.iter().zip(&sizes) {
        let mut read = vec![0.0f32; sizes.len()];
        for name in &pair.readers {
            for row in elements(&made[name].tensor()).chunks(sizes.len().max(1)) {
                read.iter_mut().zip(row).for_each(|(read, w)| *read = read.max(w.abs()));
            }
        }
        let factor = |(x, w): (&f32, &f32)| match (x / w).sqrt() {
            factor if factor.is_normal() => factor,
            // Nothing is read there, or by nobody.
            _ => 1.0,
        };
        let factors: Vec<f32> = sizes.iter().zip(&read).map(factor).collect();
        for name in &pair.readers {
            scale(&mut made, name, |i| factors[i % factors.len()]);
        }
        for (name, behind) in &pair.writers {
            scale(&mut made, name, |i| 1.0 / factors[i / behind % factors.len()]);
        }
    }
    Ok(made)
}

/// What writes channels, and what alone reads them.
struct Pair {
    /// The values that hold them.
    values: BTreeSet<usize>,
    /// Tensors that each channel is multiplied or begins with, and how many numbers lie behind a channel.
    writers: BTreeMap<String, usize>,
    /// Weights whose last axis they meet.
    readers: BTreeSet<String>,
}

fn scale(tensors: &mut Tensors, name: &str, factor: impl Fn(usize) -> f32) {
    let tensor = tensors[name].tensor();
    let scaled: Vec<f32> =
        elements(&tensor).into_iter().enumerate().map(|(i, x)| x * factor(i)).collect();
    let array = Array::new(tensor.shape, &scaled);
    tensors.insert(name.to_owned(), array);
}

/// The greatest size of each channel of each pair.
fn sizes(
    program: &Verified,
    tensors: &Found<'_>,
    samples: [&[Sample]; 2],
    pairs: &[Pair],
) -> Result<Vec<Vec<f32>>, Error> {
    let channels = |pair: &Pair| pair.values.first().map_or(0, |value| last(program, *value));
    let mut sizes: Vec<Vec<f32>> = pairs.iter().map(|pair| vec![0.0; channels(pair)]).collect();
    let of: BTreeMap<usize, usize> =
        pairs.iter().enumerate().flat_map(|(i, p)| p.values.iter().map(move |v| (*v, i))).collect();
    for samples in samples {
        replay(program, tensors, samples, |_, next, instance| {
            let Some(op) = next.checked_sub(1).map(|done| &program.ops[done]) else {
                return Ok(());
            };
            if let Some(&pair) = of.get(&op.result().index()) {
                let sizes = &mut sizes[pair];
                for row in instance.output(op.result()).chunks(sizes.len().max(1)) {
                    let finite = sizes.iter_mut().zip(row).filter(|(_, x)| x.is_finite());
                    finite.for_each(|(size, x)| *size = size.max(x.abs()));
                }
            }
            Ok(())
        })?;
    }
    Ok(sizes)
}

fn last(program: &Program, value: usize) -> usize {
    program.values[value].shape.last().copied().unwrap_or(1)
}

/// All pairs: a tensor that has a part in two is in none.
fn pairs(program: &Program) -> Vec<Pair> {
    let mut by_writer: BTreeMap<&str, Pair> = BTreeMap::new();
    for op in &program.ops {
        let Some((name, writers)) = writes(program, op) else { continue };
        let pair = by_writer.entry(name).or_insert_with(|| Pair {
            values: BTreeSet::new(),
            writers: BTreeMap::new(),
            readers: BTreeSet::new(),
        });
        pair.values.insert(op.result().index());
        pair.writers.extend(writers);
    }
    let shown = |value: usize| {
        let is = |port: &Port| port.value.index() == value;
        program.outputs.iter().any(is)
    };
    let mut left: Vec<Pair> = by_writer.into_values().collect();
    left.retain_mut(|pair| {
        let alone = pair.values.iter().all(|value| !shown(*value));
        let mut fits = alone;
        for op in &program.ops {
            let mut reads = false;
            op.for_each_operand(|id| reads |= pair.values.contains(&id.index()));
            let own =
                writes(program, op).is_some_and(|_| pair.values.contains(&op.result().index()));
            match reader(program, op) {
                Some((x, name)) if pair.values.contains(&x.index()) => {
                    pair.readers.insert(name.to_owned());
                }
                _ => fits &= !reads,
            }
            // Nothing else may touch what is scaled.
            let written =
                |id: ValueId| name(program, id).is_some_and(|n| pair.writers.contains_key(n));
            op.for_each_operand(|id| fits &= own || !written(id));
        }
        let strange = |op: &Op| {
            let mut reads = false;
            op.for_each_operand(|id| {
                reads |= name(program, id).is_some_and(|n| pair.readers.contains(n));
            });
            let own = reader(program, op).is_some_and(|(x, _)| pair.values.contains(&x.index()));
            reads && !own
        };
        fits && !pair.readers.is_empty() && !program.ops.iter().any(strange)
    });
    left
}

fn name(program: &Program, id: ValueId) -> Option<&str> {
    program.values[id.index()].tensor.as_deref()
}

/// What each channel of the result is multiplied or begins with, under the name of the first, where a channel that is
/// half as large makes the result half as large.
fn writes<'p>(program: &'p Program, op: &Op) -> Option<(&'p str, Vec<(String, usize)>)> {
    let (w, bias, behind) = match op {
        Op::Linear { w, bias, activation: None | Some(Unary::Relu), .. }
        | Op::Conv1d { w, bias, activation: None | Some(Unary::Relu), .. } => {
            (w, bias, program.shape(*w)[1..].iter().product())
        }
        Op::ConvTranspose1d { w, bias, activation: None | Some(Unary::Relu), .. } => {
            (w, bias, program.shape(*w)[2])
        }
        Op::LayerNorm { gain, bias, .. } => (gain, bias, 1),
        _ => return None,
    };
    let first = name(program, *w)?;
    let mut all = vec![(first.to_owned(), behind)];
    if let Some(bias) = bias {
        all.push((name(program, *bias)?.to_owned(), 1));
    }
    Some((first, all))
}

/// What a layer reads, and the weights that it meets.
fn reader<'p>(program: &'p Program, op: &Op) -> Option<(ValueId, &'p str)> {
    match op {
        Op::Linear { x, w, .. } | Op::Conv1d { x, w, .. } | Op::ConvTranspose1d { x, w, .. } => {
            Some((*x, name(program, *w)?))
        }
        _ => None,
    }
}
