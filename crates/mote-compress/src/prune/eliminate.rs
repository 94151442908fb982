//! Which channels the others of their layer can make up for best: one goes after the other.
//!
//! Where `C` is how inputs of a layer spread together, what its results lose at least with its inputs `g` is
//! `w_gᵀ ((C⁻¹)_gg)⁻¹ w_g`, and what is left of `C⁻¹` without one is an elimination away (Hassibi and Stork 1993,
//! Optimal Brain Surgeon; Frantar and Alistarh 2022, arXiv 2208.11580, for layers). Two channels that say the same do
//! not both go for nothing: with the first, the second becomes dear.

use mote_format::Program;

use super::{groups::Group, readers::Readers};
use crate::cholesky::Factor;

/// What is added to a diagonal so that roundings leave it above zero.
const ROUNDING: f64 = 1e-12;

/// A layer that reads channels of a class.
struct Reader {
    inputs: usize,
    /// For each group its inputs.
    of_groups: Vec<Vec<usize>>,
    /// `(outputs, inputs)`, for what is left.
    w: Vec<f64>,
    /// `(inputs, inputs)`: the inverse of how those that are left spread together.
    inverse: Vec<f64>,
    /// The mean square of its results, in which losses are counted.
    energy: f64,
}

/// For each class and group when it goes, from zero for the first one; nothing for a class that layers read of which
/// nothing was seen, or none.
pub(crate) fn turns(
    program: &Program,
    readers: &Readers<'_>,
    classes: &[Vec<Group>],
) -> Vec<Option<Vec<f64>>> {
    let of = |groups: &Vec<Group>| {
        let reading = reading(program, readers, groups)?;
        (!reading.is_empty()).then(|| of_class(reading, groups.len()))
    };
    classes.iter().map(of).collect()
}

/// The layers that read some of `groups`, but those that are given nothing but the same; nothing if one of them was not
/// seen.
fn reading(program: &Program, readers: &Readers<'_>, groups: &[Group]) -> Option<Vec<Reader>> {
    let mut reading = Vec::new();
    for (name, layer) in &readers.layers {
        let channels = program.values[layer.w].shape[layer.axis];
        let inputs = channels * layer.taps;
        let of_group = |group: &Group| {
            let own = group.places.iter().filter(|place| {
                place.axis == layer.axis
                    && program.values[place.value].tensor.as_ref() == Some(name)
            });
            own.flat_map(|p| (0..layer.taps).map(|tap| tap * channels + p.index)).collect()
        };
        let of_groups: Vec<Vec<usize>> = groups.iter().map(of_group).collect();
        if of_groups.iter().all(Vec::is_empty) {
            continue;
        }
        let spread = readers.spread(name)?;
        let w: Vec<f64> = readers.numbers(name).iter().map(|w| f64::from(*w)).collect();
        let energy = energy(&w, &spread.products, inputs);
        if energy <= spread.damping * w.iter().map(|w| w * w).sum::<f64>() {
            continue;
        }
        let inverse = Factor::new(spread.products, inputs, spread.damping).inverse();
        reading.push(Reader { inputs, of_groups, w, inverse, energy });
    }
    Some(reading)
}

/// The mean square of the results of weights `(outputs, inputs)`, all outputs together.
fn energy(w: &[f64], products: &[f64], inputs: usize) -> f64 {
    let of_row = |row: &[f64]| -> f64 {
        let products = products.chunks_exact(inputs);
        let along = |p: &[f64]| p.iter().zip(row).map(|(p, w)| p * w).sum::<f64>();
        products.zip(row).map(|(p, w)| w * along(p)).sum()
    };
    w.chunks_exact(inputs).map(of_row).sum()
}

fn of_class(mut readers: Vec<Reader>, groups: usize) -> Vec<f64> {
    let mut turns = vec![groups as f64; groups];
    let mut left: Vec<usize> = (0..groups).collect();
    for turn in 0..groups {
        let loss = |group: usize| readers.iter().map(|reader| reader.loss(group)).sum::<f64>();
        let losses: Vec<f64> = left.iter().map(|group| loss(*group)).collect();
        let Some(at) = (0..left.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b])) else {
            break;
        };
        let group = left.remove(at);
        turns[group] = turn as f64;
        for reader in &mut readers {
            for i in reader.of_groups[group].clone() {
                reader.eliminate(i);
            }
        }
    }
    turns
}

impl Reader {
    /// What results lose with all inputs of a group, in the mean square, as a share of what they are.
    fn loss(&self, group: usize) -> f64 {
        let (own, n) = (&self.of_groups[group], self.inputs);
        let part = own.iter().flat_map(|&i| own.iter().map(move |&j| (i, j)));
        let part: Vec<f64> = part.map(|(i, j)| self.inverse[i * n + j]).collect();
        let largest = own.iter().map(|&i| self.inverse[i * n + i]).fold(0.0, f64::max);
        let factor = Factor::new(part, own.len(), ROUNDING * largest + f64::MIN_POSITIVE);
        let of_row = |w: &[f64]| factor.square(own.iter().map(|&i| w[i]).collect());
        self.w.chunks_exact(n).map(of_row).sum::<f64>() / self.energy
    }

    /// Takes input `i` out: the others make up for it.
    fn eliminate(&mut self, i: usize) {
        let n = self.inputs;
        let row = self.inverse[i * n..][..n].to_vec();
        let own = row[i].max(f64::MIN_POSITIVE);
        for w in self.w.chunks_exact_mut(n) {
            let share = w[i] / own;
            w.iter_mut().zip(&row).for_each(|(w, r)| *w -= share * r);
            w[i] = 0.0;
        }
        for (j, line) in self.inverse.chunks_exact_mut(n).enumerate() {
            let share = row[j] / own;
            line.iter_mut().zip(&row).for_each(|(x, r)| *x -= share * r);
        }
    }
}
