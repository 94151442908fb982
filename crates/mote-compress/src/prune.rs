//! Structured pruning: whole channels, units and heads go, so that memory and time fall on any machine.
//!
//! [`groups`] finds what has to go together, [`importance`](crate::importance) says which channels of a layer
//! are missed least, [`harm`] how much those of each layer are missed, and [`cut`] takes them out, while
//! [`make_up`] lets the others stand in for them. Nothing here knows a family: channels are found in the program.

pub(crate) mod cut;
pub(crate) mod eliminate;
pub(crate) mod groups;
mod harm;
mod make_up;
pub(crate) mod readers;

use mote_format::{Program, Tensors, ValueId, Verified, program::Port};

use crate::{
    Error, Found, Sample,
    importance::{Importance, importance},
    verified,
};
use cut::Kept;
use groups::{Group, Place};
use harm::Harm;
use make_up::Weights;
use readers::Readers;

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
    /// Whether the weights that are left make up for those that go.
    pub making_up: bool,
}

/// How much of each layer goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spread {
    /// The same share of each.
    Uniform,
    /// What moves the outputs least for the weights that it frees, wherever it is: tried on samples, for each
    /// block of channels.
    #[default]
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
    fn left(program: &Program, kept: &Kept) -> Self {
        let left = |ports: &[Port]| ports.iter().map(|port| kept.numbers(port.value)).collect();
        Self { inputs: left(&program.inputs), outputs: left(&program.outputs) }
    }

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
    if samples.is_empty() {
        return Err(Error::NoSamples);
    }
    let readers = Readers::new(program, tensors, samples)?;
    let scores = importance(program, &readers, samples, &classes, how.importance)?;
    let mut kept = Kept::all(program);
    let before = kept.parameters(program);
    let least = ((1.0 - how.share) * before as f64) as usize;
    let blocks = blocks(program, &classes, &scores, how.multiple);
    let weights = Weights::new(&readers, how.making_up);
    match how.spread {
        Spread::Uniform => uniform(program, &classes, &blocks, least, &mut kept),
        Spread::Automatic => {
            let harm = Harm::new(program, tensors, samples, &weights)?;
            automatic(program, &harm, &classes, &blocks, least, &mut kept)?;
        }
    }
    let (made, arrays) = cut::cut(program, &weights.with(&kept), &kept);
    let ports = Ports::left(program, &kept);
    Ok(Pruned { program: verified(made, &arrays)?, tensors: arrays, ports })
}

/// Groups of one class that go at once.
struct Block {
    class: usize,
    members: Vec<usize>,
}

impl Block {
    fn take_out(&self, classes: &[Vec<Group>], kept: &mut Kept) {
        let groups = self.members.iter().map(|member| &classes[self.class][*member]);
        groups.flat_map(|group| &group.places).for_each(|place| kept.take_out(*place));
    }
}

/// The blocks of each class, in the order in which they go. The last one stays.
fn blocks(
    program: &Verified,
    classes: &[Vec<Group>],
    scores: &[Vec<f64>],
    multiple: usize,
) -> Vec<Vec<Block>> {
    let of_class = |(class, groups): (usize, &Vec<Group>)| {
        let scores = &scores[class];
        let mut ranked: Vec<usize> = (0..groups.len()).collect();
        ranked.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        let step = step(program, groups, multiple);
        let (mut left, mut blocks) = (&ranked[..], Vec::new());
        while left.len() > step {
            let odd = left.len() % step;
            let (members, others) = left.split_at(if odd > 0 { odd } else { step });
            blocks.push(Block { class, members: members.to_vec() });
            left = others;
        }
        blocks
    };
    classes.iter().enumerate().map(of_class).collect()
}

/// Takes blocks out until so many weights are left: next is that of the class of which the least share is gone when
/// half of it is. By the end of it, layers of few blocks would lose theirs last.
fn uniform(
    program: &Verified,
    classes: &[Vec<Group>],
    blocks: &[Vec<Block>],
    least: usize,
    kept: &mut Kept,
) {
    let mut all: Vec<(f64, &Block)> = Vec::new();
    for (groups, blocks) in classes.iter().zip(blocks) {
        let mut gone = 0;
        for block in blocks {
            all.push((
                (gone as f64 + 0.5 * block.members.len() as f64) / groups.len() as f64,
                block,
            ));
            gone += block.members.len();
        }
    }
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (_, block) in all {
        if kept.parameters(program) <= least {
            break;
        }
        block.take_out(classes, kept);
    }
}

/// Takes blocks out until so many weights are left: next is the one whose loss moves the outputs least for each weight
/// that goes with it, on top of what is gone already.
///
/// That is found without a trial of each block each time: prices mostly rise when something else goes. So the cheapest by
/// prices of old is tried again, and taken if it is the cheapest still; one that fell meanwhile waits for its turn.
fn automatic(
    program: &Verified,
    harm: &Harm<'_>,
    classes: &[Vec<Group>],
    blocks: &[Vec<Block>],
    least: usize,
    kept: &mut Kept,
) -> Result<(), Error> {
    /// The next block of a class.
    struct Offer<'b> {
        blocks: &'b [Block],
        /// What outputs lose for each weight, when so many weights were left.
        price: f64,
        left: usize,
        /// The harm with it gone too.
        harm: f64,
    }
    let (mut now, mut left) = (0.0, kept.parameters(program));
    let offer = |blocks| Offer { blocks, price: f64::NEG_INFINITY, left: usize::MAX, harm: 0.0 };
    let mut offers: Vec<Offer<'_>> = blocks.iter().map(|blocks| offer(&blocks[..])).collect();
    while left > least {
        offers.retain(|offer| !offer.blocks.is_empty());
        let Some(best) = offers.iter_mut().min_by(|a, b| a.price.total_cmp(&b.price)) else {
            break;
        };
        let mut tried = kept.clone();
        best.blocks[0].take_out(classes, &mut tried);
        let after = tried.parameters(program);
        if best.left == left {
            best.blocks = &best.blocks[1..];
            (*kept, left, now) = (tried, after, best.harm);
            continue;
        }
        best.harm = harm.without(&tried)?;
        best.price = (best.harm - now) / (left - after).max(1) as f64;
        best.left = left;
    }
    Ok(())
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
