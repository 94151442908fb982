//! What a program would lose with a group of channels.

use mote_format::{
    Op, Program, ValueId, Verified,
    program::{Binary, Port, Reduction, Value},
};
use mote_runtime::{GRADIENT_PREFIX, Level, Loaded, Noise};

use crate::{
    Error, Found, Sample, elements,
    prune::{
        eliminate::turns,
        groups::{Group, Place},
        readers::Readers,
    },
    ranges::fill_first,
    spread::units,
};

/// How it is told which channels are missed least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Importance {
    /// The squares of its weights (Han et al. 2015).
    Magnitude,
    /// The squares of its weights times those of what they read on the samples (Sun et al. 2023, Wanda,
    /// arXiv 2306.11695).
    Activation,
    /// What the results of the layers that read it lose where the other channels make up for it, one channel after
    /// the other (Hassibi and Stork 1993, Optimal Brain Surgeon).
    #[default]
    Residual,
    /// How far all outputs would move without it, to first order: the gradient of a random mixture of them
    /// times the weights, over the samples (Molchanov et al. 2019, arXiv 1906.10771). Sizes are added, not
    /// squares, because a few samples far out would outweigh all others. For a program that is run at many
    /// times of a diffusion, the samples hold all of them, so it is summed over times (Fang et al. 2023,
    /// Diff-Pruning, arXiv 2305.10924).
    Taylor,
}

/// Samples whose gradients are looked at, at most.
const SEEN: usize = 256;

/// For each class and group a score: of one class, the lowest is missed least. Those of different classes have no common
/// unit.
pub(crate) fn importance(
    program: &Verified,
    readers: &Readers<'_>,
    samples: &[Sample],
    classes: &[Vec<Group>],
    kind: Importance,
) -> Result<Vec<Vec<f64>>, Error> {
    let tensors = readers.tensors;
    match kind {
        Importance::Magnitude => {
            let squares = |w: &[f32]| w.iter().map(|w| f64::from(*w).powi(2)).collect();
            Ok(sums(program, classes, |name| squares(&elements(&tensors[name]))))
        }
        Importance::Activation => Ok(activation(program, readers, classes)),
        Importance::Residual => {
            // What no layer reads, as queries and keys, counts by what it is made of.
            let others = activation(program, readers, classes);
            let turns = turns(program, readers, classes).into_iter().zip(others);
            Ok(turns.map(|(turns, other)| turns.unwrap_or(other)).collect())
        }
        Importance::Taylor => taylor(program, tensors, samples, classes),
    }
}

fn activation(program: &Program, readers: &Readers<'_>, classes: &[Vec<Group>]) -> Vec<Vec<f64>> {
    sums(program, classes, |name| {
        let w = readers.numbers(name);
        let read = readers.grams().of(name).map(|gram| gram.mean_squares()).unwrap_or_default();
        let square = |(i, w): (usize, &f32)| {
            // What is no weight of a layer counts as it is.
            let x = read.get(i % read.len().max(1)).copied().unwrap_or(1.0);
            f64::from(*w).powi(2) * x
        };
        w.iter().enumerate().map(square).collect()
    })
}

/// For each group the sum of `of` over the places of tensors that it holds.
fn sums(program: &Program, classes: &[Vec<Group>], of: impl Fn(&str) -> Vec<f64>) -> Vec<Vec<f64>> {
    let along = along_axes(program, of);
    let one = |group: &Group| group.places.iter().map(|place| at(&along, place)).sum();
    classes.iter().map(|class| class.iter().map(one).collect()).collect()
}

/// For each tensor, axis and index the sum over everything there.
type Along = Vec<Vec<Vec<f64>>>;

fn along_axes(program: &Program, of: impl Fn(&str) -> Vec<f64>) -> Along {
    let one = |value: &Value| {
        let Some(name) = &value.tensor else { return Vec::new() };
        let numbers = of(name);
        let axis = |axis: usize| {
            let behind: usize = value.shape[axis + 1..].iter().product();
            let mut sums = vec![0.0; value.shape[axis]];
            for (i, x) in numbers.iter().enumerate() {
                sums[i / behind % value.shape[axis]] += x;
            }
            sums
        };
        (0..value.shape.len()).map(axis).collect()
    };
    program.values.iter().map(one).collect()
}

fn at(along: &Along, place: &Place) -> f64 {
    along[place.value].get(place.axis).map_or(0.0, |axis| axis[place.index])
}

fn taylor(
    program: &Verified,
    tensors: &Found<'_>,
    samples: &[Sample],
    classes: &[Vec<Group>],
) -> Result<Vec<Vec<f64>>, Error> {
    let units = units(program, tensors, samples)?;
    let probed = probed(program, tensors)?;
    let trained = crate::repair::trainable(&probed);
    let stored = |name: &str| tensors.get(name).map(|t| t.stored());
    let training = mote_runtime::gradient(&probed, LOSS, |name| trained.contains(name), stored)?;
    let mut instance = Loaded::from_parts(Level::best(), &training, tensors)?.instance();
    let mut parts: Vec<(&str, ValueId)> = Vec::new();
    for port in &training.outputs {
        if let Some(name) = port.name.strip_prefix(GRADIENT_PREFIX) {
            let state = training.input(&format!("{}{name}", mote_format::program::STATE_PREFIX));
            let state = state.expect("what has a gradient is a state");
            instance.input(state).copy_from_slice(&elements(&tensors[name]));
            parts.push((name, port.value));
        }
    }
    let mut scores: Vec<Vec<f64>> = classes.iter().map(|class| vec![0.0; class.len()]).collect();
    let step = samples.len().div_ceil(SEEN);
    for (i, sample) in samples.iter().enumerate().step_by(step) {
        let mut noise = Noise::new(0, i as u64);
        fill_first(&mut instance, program.inputs.len(), sample, i)?;
        for (k, unit) in units.iter().enumerate() {
            let probe = training.input(&format!("{PROBE}{k}")).expect("added above");
            let shares = instance.input(probe);
            noise.fill(shares);
            shares.iter_mut().for_each(|x| *x /= *unit as f32);
        }
        instance.run();
        let gradients = |name: &str| parts.iter().find(|(n, _)| *n == name).map(|(_, id)| *id);
        let along = along_axes(program, |name| match gradients(name) {
            Some(id) => {
                let met = |(w, g): (&f32, &f32)| f64::from(*w) * f64::from(*g);
                elements(&tensors[name]).iter().zip(instance.output(id)).map(met).collect()
            }
            None => vec![0.0; elements(&tensors[name]).len()],
        });
        for (scores, class) in scores.iter_mut().zip(classes) {
            for (score, group) in scores.iter_mut().zip(class) {
                let moved: f64 = group.places.iter().map(|place| at(&along, place)).sum();
                *score += moved.abs();
            }
        }
    }
    Ok(scores)
}

const PROBE: &str = "probe.";
const LOSS: &str = "loss";

/// The same program with a mixture of all its outputs as another one, and the shares of that as inputs.
fn probed(program: &Program, tensors: &Found<'_>) -> Result<Verified, Error> {
    let mut made = program.clone();
    let push = |made: &mut Program, value: Value| {
        made.values.push(value);
        ValueId(made.values.len() as u32 - 1)
    };
    let mut sums = Vec::new();
    for (k, port) in program.outputs.iter().enumerate() {
        let n = program.elements(port.value);
        let probe = push(&mut made, Value::f32([n]));
        made.inputs.push(Port { name: format!("{PROBE}{k}"), value: probe });
        let (flat, met, sum) = (
            push(&mut made, Value::f32([n])),
            push(&mut made, Value::f32([n])),
            push(&mut made, Value::f32([1])),
        );
        made.ops.extend([
            Op::Reshape { x: port.value, y: flat },
            Op::Binary { a: flat, b: probe, y: met, f: Binary::Mul },
            Op::Reduce { x: met, y: sum, f: Reduction::Sum, axis: 0 },
        ]);
        sums.push(sum);
    }
    let loss = crate::repair::add_up(&mut made, &sums);
    made.outputs.push(Port { name: LOSS.into(), value: loss });
    Ok(Verified::new(made, |name| tensors.get(name).map(|t| t.stored()))?)
}
