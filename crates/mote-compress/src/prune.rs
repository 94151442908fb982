//! Structured pruning: whole channels, units and heads go, so that memory and time fall on any machine.
//!
//! [`groups`] finds what has to go together, [`importance`](crate::importance) says what each costs, and
//! [`cut`] takes it out. Nothing here knows a family: channels are found in the program.

pub(crate) mod cut;
pub(crate) mod groups;

use mote_format::{Tensors, Verified, program::Port};

use crate::{
    Error, Found, Sample,
    importance::{Importance, importance},
    verified,
};
use cut::Kept;
use groups::{Group, Place};

/// How a program is pruned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pruning {
    /// The share of all weights that goes, at least; 0 to 1.
    pub share: f64,
    /// What tells which are missed least.
    pub importance: Importance,
    /// How much of each layer goes.
    pub spread: Spread,
}

/// How much of each layer goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spread {
    /// The same share of each.
    #[default]
    Uniform,
    /// What costs least for the weights that it frees, wherever it is. Before a repair less is lost so, after
    /// a long one more: narrow layers can learn less.
    Automatic,
}

/// What [`prune`] makes.
#[derive(Clone, Debug)]
pub struct Pruned {
    /// The smaller program.
    pub program: Verified,
    /// All the tensors that it needs.
    pub tensors: Tensors,
    /// What is left of its ports.
    pub ports: Ports,
}

/// Which numbers are left of the inputs and outputs of a program. Only states lose some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// For each input; all where there is none.
    inputs: Vec<Vec<bool>>,
    /// For each output; all where there is none.
    outputs: Vec<Vec<bool>>,
}

impl Ports {
    /// What is left of a sample.
    #[must_use]
    pub fn of_inputs(&self, sample: &Sample) -> Sample {
        let left = |(i, x): (usize, &Vec<f32>)| kept(self.inputs.get(i), x).collect();
        sample.iter().enumerate().map(left).collect()
    }

    /// What is left of output number `i`.
    pub fn of_output<'x>(&'x self, i: usize, y: &'x [f32]) -> impl Iterator<Item = f32> + 'x {
        kept(self.outputs.get(i), y)
    }
}

fn kept<'x>(mask: Option<&'x Vec<bool>>, x: &'x [f32]) -> impl Iterator<Item = f32> + 'x {
    let stays = move |i: usize| mask.is_none_or(|mask| mask[i]);
    x.iter().enumerate().filter(move |(i, _)| stays(*i)).map(|(_, x)| *x)
}

/// Takes the least important channels out of `program` until the share of its weights is gone, or one
/// channel is left of each kind.
///
/// # Errors
///
/// [`Error::Quantized`] if it holds integers, [`Error::Share`], [`Error::NoSamples`], [`Error::Sample`],
/// [`Error::Load`], [`Error::NotTrainable`] where gradients are wanted and an operation has none.
pub fn prune(
    program: &Verified,
    tensors: &Found<'_>,
    samples: &[Sample],
    how: Pruning,
) -> Result<Pruned, Error> {
    crate::refuse_integers(program)?;
    if !(0.0..1.0).contains(&how.share) {
        return Err(Error::Share { what: "weights that go", found: how.share });
    }
    let classes = groups::classes(program);
    let scores = importance(program, tensors, samples, &classes, how.importance)?;
    let mut kept = Kept::all(program);
    let before = kept.parameters(program);
    let least = ((1.0 - how.share) * before as f64) as usize;
    let mut left: Vec<usize> = classes.iter().map(Vec::len).collect();
    for (class, member) in order(program, &classes, &scores, how.spread) {
        if kept.parameters(program) <= least {
            break;
        }
        if left[class] > 1 {
            left[class] -= 1;
            classes[class][member].places.iter().for_each(|place| kept.take_out(*place));
        }
    }
    let (made, arrays) = cut::cut(program, tensors, &kept);
    let left = |ports: &[Port]| ports.iter().map(|port| kept.numbers(port.value)).collect();
    let ports = Ports { inputs: left(&program.inputs), outputs: left(&program.outputs) };
    Ok(Pruned { program: verified(made, &arrays)?, tensors: arrays, ports })
}

/// All groups, the one that goes first in front.
fn order(
    program: &Verified,
    classes: &[Vec<Group>],
    scores: &[Vec<f64>],
    spread: Spread,
) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    for (class, (groups, scores)) in classes.iter().zip(scores).enumerate() {
        let mut ranked: Vec<usize> = (0..groups.len()).collect();
        ranked.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        for (rank, &member) in ranked.iter().enumerate() {
            let key = match spread {
                Spread::Uniform => rank as f64 / groups.len() as f64,
                Spread::Automatic => scores[member] / freed(program, &groups[member]).max(1.0),
            };
            all.push((key, class, member));
        }
    }
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.into_iter().map(|(_, class, member)| (class, member)).collect()
}

/// Weights that go with a group.
fn freed(program: &Verified, group: &Group) -> f64 {
    let weights = |place: &&Place| program.values[place.value].tensor.is_some();
    let slice = |place: &Place| {
        let shape = &program.values[place.value].shape;
        shape.iter().product::<usize>() as f64 / shape[place.axis] as f64
    };
    group.places.iter().filter(weights).map(slice).sum()
}
