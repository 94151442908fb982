//! Structured pruning: whole channels, units and heads go, so that memory and time fall on any machine.
//!
//! [`groups`] finds what has to go together, [`importance`](crate::importance) says what each costs, and
//! [`cut`] takes it out. Nothing here knows a family: channels are found in the program.

pub(crate) mod cut;
pub(crate) mod groups;

use mote_format::{Tensors, ValueId, Verified, program::Port};

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
    /// What is left of each layer comes in multiples of so many channels, because machines compute that many
    /// at once, or so many only that two of them are in the layer.
    pub multiple: usize,
}

/// How much of each layer goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spread {
    /// The same share of each.
    #[default]
    Uniform,
    /// What costs least for the weights that it frees, wherever it is: only as good as importances of different
    /// layers can be compared, which those by activations and magnitudes cannot well.
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

/// Takes the least important channels out of `program` until the share of its weights is gone, or nothing is
/// left that may go.
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
    let how = Pruning { multiple: how.multiple.max(1), ..how };
    let classes = groups::classes(program);
    let scores = importance(program, tensors, samples, &classes, how.importance)?;
    let mut kept = Kept::all(program);
    let before = kept.parameters(program);
    let least = ((1.0 - how.share) * before as f64) as usize;
    for Block { class, members, .. } in order(program, &classes, &scores, how) {
        if kept.parameters(program) <= least {
            break;
        }
        let groups = members.iter().map(|member| &classes[class][*member]);
        groups.flat_map(|group| &group.places).for_each(|place| kept.take_out(*place));
    }
    let (made, arrays) = cut::cut(program, tensors, &kept);
    let left = |ports: &[Port]| ports.iter().map(|port| kept.numbers(port.value)).collect();
    let ports = Ports { inputs: left(&program.inputs), outputs: left(&program.outputs) };
    Ok(Pruned { program: verified(made, &arrays)?, tensors: arrays, ports })
}

/// Groups of one class that go at once.
struct Block {
    /// When it goes: what is least goes first.
    key: (f64, f64),
    class: usize,
    members: Vec<usize>,
}

/// All that may go, in its order. The last block of each class stays.
fn order(
    program: &Verified,
    classes: &[Vec<Group>],
    scores: &[Vec<f64>],
    how: Pruning,
) -> Vec<Block> {
    let mut all = Vec::new();
    for (class, (groups, scores)) in classes.iter().zip(scores).enumerate() {
        let mut ranked: Vec<usize> = (0..groups.len()).collect();
        ranked.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        let step = step(program, groups, how.multiple);
        let (mut gone, mut last) = (0, 0.0f64);
        while groups.len() - gone > step {
            let odd = (groups.len() - gone) % step;
            let members = ranked[gone..][..if odd > 0 { odd } else { step }].to_vec();
            let sum = |of: &dyn Fn(usize) -> f64| members.iter().map(|m| of(*m)).sum::<f64>();
            let weights = sum(&|m| freed(program, &groups[m])).max(1.0);
            // Blocks of unlike sizes never overtake each other.
            last = last.max(sum(&|m| scores[m]) / weights);
            let middle = gone as f64 + 0.5 * members.len() as f64;
            let key = match how.spread {
                // By the middle of the block: else layers of few blocks would lose theirs first.
                Spread::Uniform => (middle / groups.len() as f64, last),
                Spread::Automatic => (last, gone as f64),
            };
            gone += members.len();
            all.push(Block { key, class, members });
        }
    }
    all.sort_by(|a, b| a.key.0.total_cmp(&b.key.0).then(a.key.1.total_cmp(&b.key.1)));
    all
}

/// Groups of a class that go at once, so that its layers keep a multiple of so many channels.
fn step(program: &Verified, groups: &[Group], multiple: usize) -> usize {
    // What reads a flattened layer has many inputs for each channel; the layer itself has one output.
    let outputs = |(w, axis): (ValueId, usize)| {
        let name = &program.values[w.index()].tensor;
        let own = |p: &&Place| p.axis == axis && program.values[p.value].tensor == *name;
        groups.first().map_or(0, |group| group.places.iter().filter(own).count())
    };
    let layers = program.ops.iter().filter_map(groups::outputs);
    let channels = layers.map(outputs).filter(|count| *count > 0).min().unwrap_or(1);
    let mut step = multiple / common(multiple, channels);
    while step > 1 && step > groups.len() / 2 {
        step /= 2;
    }
    step
}

/// The greatest common divisor.
fn common(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common(b, a % b) }
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
