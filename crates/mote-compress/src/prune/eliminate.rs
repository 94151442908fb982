//! Which channels the others of their layer can make up for best: one goes after the other.
//!
//! Where `C` is how inputs of a layer spread together, what its results lose at least with input `i` is `w_i² / (C⁻¹)_ii`,
//! and what is left of `C⁻¹` without it is one elimination away (Hassibi and Stork 1993, Optimal Brain Surgeon;
//! Frantar and Alistarh 2022, arXiv 2208.11580, for layers). Two channels that say the same do not both go for
//! nothing: with the first, the second becomes dear.

use mote_format::Program;

use super::{groups::Group, readers::Readers, solve::Factor};

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

/// For each class and group when it goes: from zero for the first one. A class that no layer reads keeps its order.
pub(crate) fn turns(
    program: &Program,
    readers: &Readers<'_>,
    classes: &[Vec<Group>],
) -> Vec<Vec<f64>> {
    let of = |groups: &Vec<Group>| of_class(reading(program, readers, groups), groups.len());
    classes.iter().map(of).collect()
}

/// The layers that read some of `groups`.
fn reading(program: &Program, readers: &Readers<'_>, groups: &[Group]) -> Vec<Reader> {
    let reader = |name: &String| {
        let layer = &readers.layers[name];
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
            return None;
        }
        let spread = readers.spread(name)?;
        let w: Vec<f64> = readers.numbers(name).iter().map(|w| f64::from(*w)).collect();
        let energy = energy(&w, &spread.products, inputs);
        let inverse = Factor::new(spread.products, inputs).inverse();
        Some(Reader { inputs, of_groups, w, inverse, energy })
    };
    readers.layers.keys().filter_map(reader).collect()
}

/// The mean square of the results of weights `(outputs, inputs)`, all outputs together.
fn energy(w: &[f64], products: &[f64], inputs: usize) -> f64 {
    let of_row = |row: &[f64]| -> f64 {
        let products = products.chunks_exact(inputs);
        let along = |p: &[f64]| p.iter().zip(row).map(|(p, w)| p * w).sum::<f64>();
        products.zip(row).map(|(p, w)| w * along(p)).sum()
    };
    w.chunks_exact(inputs).map(of_row).sum::<f64>().max(f64::MIN_POSITIVE)
}

fn of_class(mut readers: Vec<Reader>, groups: usize) -> Vec<f64> {
    let mut turns = vec![groups as f64; groups];
    let mut left: Vec<usize> = (0..groups).collect();
    for turn in 0..groups {
        let losses: Vec<Vec<f64>> = readers.iter().map(Reader::losses).collect();
        let loss = |group: usize| -> f64 {
            let of = |(reader, losses): (&Reader, &Vec<f64>)| -> f64 {
                reader.of_groups[group].iter().map(|i| losses[*i]).sum()
            };
            readers.iter().zip(&losses).map(of).sum()
        };
        let Some(at) = (0..left.len()).min_by(|&a, &b| loss(left[a]).total_cmp(&loss(left[b])))
        else {
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
    /// What results lose with each input, in the mean square, as a share of what they are.
    fn losses(&self) -> Vec<f64> {
        let mut squares = vec![0.0; self.inputs];
        for row in self.w.chunks_exact(self.inputs) {
            squares.iter_mut().zip(row).for_each(|(sum, w)| *sum += w * w);
        }
        let own = |i: usize| self.inverse[i * self.inputs + i].max(f64::MIN_POSITIVE);
        squares.iter().enumerate().map(|(i, square)| square / own(i) / self.energy).collect()
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
