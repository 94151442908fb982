//! Single weights become zero, wherever they are or so many of each few.
//!
//! Kernels for whole matrices do not gain from zeros that lie anywhere: this is for machines that skip them,
//! for files that are packed, and to know how many weights a model needs at all. To make a model smaller
//! and faster on any machine, [`prune`](crate::prune) it.

use mote_format::{Array, Tensors, Verified};

use crate::{
    Error, Found, Sample,
    cholesky::Factor,
    elements,
    gram::{Gram, Grams},
    integers::layers,
};

/// How weights become zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sparsity {
    /// Which places may become zero.
    pub pattern: Pattern,
    /// Which of them do.
    pub choice: Choice,
}

/// Which places may become zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pattern {
    /// This share of the weights of each output that are not zero yet, 0 to below 1, wherever they are.
    Share(f64),
    /// Of each so many weights in a row of inputs all but a few: 2 of 4 is what machines have units for.
    Few {
        /// Weights that stay.
        kept: usize,
        /// Of so many.
        of: usize,
    },
}

/// Which weights become zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The smallest (Han et al. 2015).
    Magnitude,
    /// Those whose share of the result is smallest on the samples (Sun et al. 2023, Wanda, arXiv 2306.11695).
    Activation,
    /// The same, and the others make up for them on the samples (Frantar and Alistarh 2023, SparseGPT, arXiv
    /// 2301.00774).
    #[default]
    Compensated,
}

/// Weights among which a share is chosen: what they did not yet lose, the next ones do.
const CHOSEN_AMONG: usize = 128;

/// The tensors of `program` with zeros among the weights of its layers.
///
/// # Errors
///
/// [`Error::Quantized`] if it holds integers, [`Error::Share`], [`Error::NoSamples`], [`Error::Sample`],
/// [`Error::Load`].
pub fn sparsify(
    program: &Verified,
    tensors: &Found<'_>,
    samples: &[Sample],
    how: Sparsity,
) -> Result<Tensors, Error> {
    crate::refuse_integers(program)?;
    how.pattern.check()?;
    if samples.is_empty() {
        return Err(Error::NoSamples);
    }
    let grams = match how.choice {
        Choice::Magnitude => Grams::default(),
        _ => Grams::observe(program, tensors, samples)?,
    };
    let mut made: Tensors = tensors.iter().map(|(n, t)| (n.clone(), t.to_array())).collect();
    for (name, layout) in layers(program, program.ops.iter()) {
        let (tensor, gram) = (&tensors[name], grams.of(name));
        let mut w = elements(tensor);
        let factor = gram.filter(|_| how.choice == Choice::Compensated).map(Gram::factor);
        let squares = gram.map(Gram::mean_squares);
        for (_, start) in layout.runs() {
            let run = &mut w[start..start + layout.inputs];
            let costs = match (&factor, &squares) {
                (Some(factor), _) => Costs::Compensated(factor),
                (None, Some(squares)) => Costs::Activation(squares),
                (None, None) => Costs::Magnitude,
            };
            thin(run, how.pattern, &costs);
        }
        made.insert(name.into(), Array::new(tensor.shape.clone(), &w));
    }
    Ok(made)
}

impl Pattern {
    fn check(self) -> Result<(), Error> {
        let share = match self {
            Self::Share(share) => share,
            Self::Few { kept, of } => 1.0 - kept as f64 / of as f64,
        };
        match (0.0..1.0).contains(&share) {
            true => Ok(()),
            false => Err(Error::Share { what: "weights that become zero", found: share }),
        }
    }

    /// Weights among which some are chosen.
    fn among(self) -> usize {
        match self {
            Self::Share(_) => CHOSEN_AMONG,
            Self::Few { of, .. } => of,
        }
    }
}

/// What a weight costs.
enum Costs<'a> {
    Magnitude,
    Activation(&'a [f64]),
    Compensated(&'a Factor),
}

impl Costs<'_> {
    fn of(&self, i: usize, w: f32) -> f64 {
        let square = f64::from(w).powi(2);
        match self {
            Self::Magnitude => square,
            Self::Activation(squares) => square * squares[i],
            Self::Compensated(factor) => square * factor.own(i),
        }
    }

    /// What a weight should be beside what it is, given the errors of those behind it.
    fn correction(&self, i: usize, errors: &[f64]) -> f32 {
        match self {
            Self::Compensated(factor) => factor.correction(i, errors) as f32,
            _ => 0.0,
        }
    }
}

/// Makes zeros in the weights of one output, from the last to the first.
fn thin(run: &mut [f32], pattern: Pattern, costs: &Costs<'_>) {
    let among = pattern.among();
    let mut errors = vec![0.0f64; run.len()];
    let (mut gone, mut seen) = (0, 0);
    for from in (0..run.len()).step_by(among).rev() {
        let part = from..run.len().min(from + among);
        let best = |i: usize, errors: &[f64], run: &[f32]| run[i] + costs.correction(i, errors);
        // What is zero already stays so, and is none of those that are chosen.
        let mut ranked: Vec<(f64, usize)> = part
            .clone()
            .filter(|&i| run[i] != 0.0)
            .map(|i| (costs.of(i, best(i, &errors, run)), i))
            .collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
        let zeros = match pattern {
            Pattern::Share(share) => {
                let all = ((seen + ranked.len()) as f64 * share).round() as usize;
                all.saturating_sub(gone).min(ranked.len())
            }
            Pattern::Few { kept, .. } => ranked.len().saturating_sub(kept),
        };
        let goes: Vec<usize> = ranked[..zeros].iter().map(|(_, i)| *i).collect();
        for i in part.rev().filter(|&i| run[i] != 0.0).collect::<Vec<_>>() {
            let made = if goes.contains(&i) { 0.0 } else { best(i, &errors, run) };
            errors[i] = f64::from(run[i]) - f64::from(made);
            run[i] = made;
        }
        (gone, seen) = (gone + zeros, seen + ranked.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_each_output_goes_the_smallest_first() {
        let mut run: Vec<f32> = (1..=200).map(|i| i as f32 * 0.01).collect();
        thin(&mut run, Pattern::Share(0.25), &Costs::Magnitude);
        assert_eq!(run.iter().filter(|w| **w == 0.0).count(), 50);
        let mut few = [5.0, -1.0, 2.0, 0.5, 1.0, 1.5];
        thin(&mut few, Pattern::Few { kept: 2, of: 4 }, &Costs::Magnitude);
        assert_eq!(few, [5.0, 0.0, 2.0, 0.0, 1.0, 1.5], "what is left at the end are two");
    }

    #[test]
    fn what_is_read_large_counts_for_more() {
        let mut run = [1.0, 2.0];
        thin(&mut run, Pattern::Few { kept: 1, of: 2 }, &Costs::Activation(&[9.0, 1.0]));
        assert_eq!(run, [1.0, 0.0]);
    }
}
