//! What stays of a layer's inputs makes up for those that go.
//!
//! Inputs move together, so what some gave can be had from others: among all weights for the inputs that stay, and
//! biases, those are taken that come nearest to the results on the samples (least squares, as He et al. 2017,
//! arXiv 1707.06168, do behind each layer).

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use super::{
    cut::Kept,
    readers::{Layer, Readers, Spread},
};
use crate::{cholesky::Factor, elements};

/// Weights and bias of a layer.
type Solution = Rc<(Vec<f32>, Option<Vec<f32>>)>;

/// The weights of a program, and how they make up for each other.
pub(super) struct Weights<'a> {
    readers: &'a Readers<'a>,
    making_up: bool,
    /// For each layer what was found last.
    known: RefCell<BTreeMap<String, Known>>,
}

/// Solutions of a layer, each with what stays of its inputs.
type Known = VecDeque<(Vec<bool>, Solution)>;

/// Solutions of a layer that are kept: with what was tried and without it.
const KNOWN: usize = 3;

impl<'a> Weights<'a> {
    /// Weights that make up for what goes, or stay as they are.
    pub(super) fn new(readers: &'a Readers<'a>, making_up: bool) -> Self {
        Self { readers, making_up, known: RefCell::default() }
    }

    /// The numbers of all tensors, whole, with weights that make up for what does not stay.
    pub(super) fn with(&self, kept: &Kept) -> BTreeMap<String, Vec<f32>> {
        let tensors = self.readers.tensors.iter();
        let mut made: BTreeMap<_, _> =
            tensors.map(|(name, tensor)| (name.clone(), elements(tensor))).collect();
        for (name, layer) in self.readers.layers.iter().filter(|_| self.making_up) {
            let stays = kept.along(layer.w, layer.axis).repeat(layer.taps);
            if stays.iter().all(|stays| *stays) {
                continue;
            }
            let Some(found) = self.solution(name, layer, stays) else { continue };
            made.insert(name.clone(), found.0.clone());
            if let (Some(name), Some(bias)) = (&layer.bias, &found.1) {
                made.insert(name.clone(), bias.clone());
            }
        }
        made
    }

    /// Nothing where nothing was seen of a layer, or what was gives no answer.
    fn solution(&self, name: &str, layer: &Layer, stays: Vec<bool>) -> Option<Solution> {
        let mut all = self.known.borrow_mut();
        let known = all.entry(name.to_owned()).or_default();
        if let Some((_, solution)) = known.iter().find(|(of, _)| *of == stays) {
            return Some(solution.clone());
        }
        let spread = self.readers.spread(name)?;
        let mut w = self.readers.numbers(name);
        let mut bias = layer.bias.as_ref().map(|name| self.readers.numbers(name));
        solve(&mut w, bias.as_deref_mut(), &spread, &stays);
        if !w.iter().chain(bias.iter().flatten()).all(|w| w.is_finite()) {
            return None;
        }
        let made = Rc::new((w, bias));
        known.push_front((stays, made.clone()));
        known.truncate(KNOWN);
        Some(made)
    }
}

/// Gives what stays of the inputs of a layer what it can take over from the others.
fn solve(w: &mut [f32], mut bias: Option<&mut [f32]>, spread: &Spread, stays: &[bool]) {
    let (n, means) = (stays.len(), &spread.means);
    let [kept, gone] =
        [true, false].map(|wanted| (0..n).filter(|i| stays[*i] == wanted).collect::<Vec<_>>());
    let part = |row: usize| kept.iter().map(move |&column| spread.products[row * n + column]);
    let products = kept.iter().flat_map(|&row| part(row)).collect();
    let factor = Factor::new(products, kept.len(), spread.damping);
    // For each input that goes, what each that stays takes of its weight.
    let taken: Vec<Vec<f64>> = gone.iter().map(|&row| factor.solve(part(row).collect())).collect();
    for (o, row) in w.chunks_exact_mut(n).enumerate() {
        let mut moved = 0.0;
        for (&i, taken) in gone.iter().zip(&taken) {
            let weight = f64::from(row[i]);
            moved += weight * means[i];
            for (&j, taken) in kept.iter().zip(taken) {
                row[j] += (weight * taken) as f32;
                moved -= weight * taken * means[j];
            }
        }
        if let Some(bias) = bias.as_deref_mut().and_then(|bias| bias.get_mut(o)) {
            *bias += moved as f32;
        }
    }
}
