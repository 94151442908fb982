//! What the inputs of each layer have in common: how far other weights can make up for the error of one
//! (Frantar et al. 2023, arXiv 2210.17323, GPTQ).
//!
//! The mean square of what an error `e` of a row of weights changes in the result is `eᵀ G e`, where `G` is
//! the mean of `x xᵀ`. With `G = L Lᵀ` it is a sum of squares, of which the last holds the last error
//! alone, the one before the last two, and so on: so weights are rounded from the last to the first,
//! each after what is best given the errors made so far (Babai's nearest plane; Chen et al. 2025, arXiv
//! 2507.18553, show that GPTQ is the same).

use std::collections::BTreeMap;

use mote_format::{Op, Program, Verified};
use mote_runtime::Instance;

use crate::{Error, Found, Sample, cholesky::Factor, ranges::replay};

/// Inputs of a layer, at most; a larger one is rounded weight by weight.
const MOST_INPUTS: usize = 1024;
/// Rows of inputs that are looked at in each layer, at most.
const MOST_ROWS: usize = 16_384;

/// For each tensor of weights, the mean of `x xᵀ` over what all layers read that have these weights.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Grams {
    of: BTreeMap<String, Gram>,
}

/// The mean of `x xᵀ` over rows `x` of inputs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gram {
    inputs: usize,
    rows: usize,
    /// `(inputs,)`
    firsts: Vec<f64>,
    /// `(inputs, inputs)`, the lower triangle.
    sum: Vec<f64>,
}

impl Grams {
    /// Runs `program` on each of `samples`.
    pub(crate) fn observe(
        program: &Verified,
        tensors: &Found<'_>,
        samples: &[Sample],
    ) -> Result<Self, Error> {
        let mut grams = Self::default();
        replay(program, tensors, samples, |_, next, instance| {
            // Looked at before it runs: its result may be written over what it reads.
            if let Some(op) = program.ops.get(next) {
                grams.see(op, instance, samples.len());
            }
            Ok(())
        })?;
        Ok(grams)
    }

    /// That of the layers with these weights, if there are some that were seen.
    pub(crate) fn of(&self, weights: &str) -> Option<&Gram> {
        self.of.get(weights)
    }

    fn see(&mut self, op: &Op, instance: &Instance<'_>, samples: usize) {
        let program = instance.program();
        let Some(rows) = Rows::of(op, program) else { return };
        if rows.inputs() > MOST_INPUTS {
            return;
        }
        let (Op::Linear { x, w, .. } | Op::Conv1d { x, w, .. } | Op::ConvTranspose1d { x, w, .. }) =
            op
        else {
            return;
        };
        let Some(name) = &program.values[w.index()].tensor else { return };
        if !self.of.contains_key(name) {
            self.of.insert(name.clone(), Gram::new(rows.inputs()));
        }
        let Some(gram) = self.of.get_mut(name).filter(|gram| gram.inputs == rows.inputs()) else {
            return;
        };
        let x = instance.output(*x);
        // As many of each sample, evenly chosen.
        let step = (rows.count * samples).div_ceil(MOST_ROWS).max(1);
        let mut row = vec![0.0; rows.inputs()];
        for t in (0..rows.count).step_by(step) {
            rows.gather(x, t, &mut row);
            gram.add(&row);
        }
    }
}

impl Gram {
    fn new(inputs: usize) -> Self {
        Self { inputs, rows: 0, firsts: vec![0.0; inputs], sum: vec![0.0; inputs * inputs] }
    }

    /// A row that is not finite tells nothing.
    fn add(&mut self, row: &[f32]) {
        if !row.iter().all(|x| x.is_finite()) {
            return;
        }
        self.rows += 1;
        for (i, &a) in row.iter().enumerate().filter(|(_, a)| **a != 0.0) {
            self.firsts[i] += f64::from(a);
            let sums = &mut self.sum[i * self.inputs..][..=i];
            sums.iter_mut().zip(row).for_each(|(sum, &b)| *sum += f64::from(a) * f64::from(b));
        }
    }

    /// `(inputs, inputs)`, the whole of it.
    pub(crate) fn mean(&self) -> Vec<f64> {
        let n = self.inputs;
        let rows = self.rows.max(1) as f64;
        let at = |i: usize, j: usize| self.sum[i.max(j) * n + i.min(j)] / rows;
        (0..n * n).map(|k| at(k / n, k % n)).collect()
    }

    /// `(inputs,)`: the mean of each input.
    pub(crate) fn means(&self) -> Vec<f64> {
        self.firsts.iter().map(|sum| sum / self.rows.max(1) as f64).collect()
    }

    /// `(inputs,)`: the mean square of each input.
    pub(crate) fn mean_squares(&self) -> Vec<f64> {
        let rows = self.rows.max(1) as f64;
        (0..self.inputs).map(|i| self.sum[i * self.inputs + i] / rows).collect()
    }

    /// `L` of `L Lᵀ = mean x xᵀ + damping`: what an error `e` of a row of weights costs is `‖Lᵀ e‖²`, the mean square of
    /// what it changes in the result.
    pub(crate) fn factor(&self) -> Factor {
        let n = self.inputs;
        let mean = self.mean_squares().iter().sum::<f64>() / n.max(1) as f64;
        // So that inputs that never move, or always together, have a place too.
        let damping = (DAMPING * mean).max(f64::MIN_POSITIVE.sqrt());
        Factor::new(self.mean(), n, damping)
    }
}

/// The share of the mean square of inputs that is added to each (Frantar et al. 2023).
const DAMPING: f64 = 0.01;

/// How a layer reads its inputs: `count` rows of as many numbers as an output has weights.
struct Rows {
    count: usize,
    /// Taps of a convolution, one for other layers.
    kernel: usize,
    channels: usize,
    stride: usize,
    dilation: usize,
    before: usize,
}

impl Rows {
    fn of(op: &Op, program: &Program) -> Option<Self> {
        let one = |x| {
            let channels = *program.shape(x).last()?;
            let count = program.elements(x) / channels.max(1);
            Some(Self { count, kernel: 1, channels, stride: 1, dilation: 1, before: 0 })
        };
        match op {
            Op::Linear { x, .. } | Op::ConvTranspose1d { x, .. } => one(*x),
            Op::Conv1d { w, y, stride, dilation, padding, .. } => {
                let &[_, kernel, channels] = program.shape(*w) else { return None };
                let count = program.shape(*y)[0];
                let [before, _] = *padding;
                let (stride, dilation) = (*stride, *dilation);
                Some(Self { count, kernel, channels, stride, dilation, before })
            }
            _ => None,
        }
    }

    fn inputs(&self) -> usize {
        self.kernel * self.channels
    }

    /// Writes row `t` of `x`, in the order of the weights.
    fn gather(&self, x: &[f32], t: usize, row: &mut [f32]) {
        for (k, taps) in row.chunks_exact_mut(self.channels).enumerate() {
            let from = (t * self.stride + k * self.dilation).checked_sub(self.before);
            match from.and_then(|from| x.get(from * self.channels..(from + 1) * self.channels)) {
                Some(found) => taps.copy_from_slice(found),
                None => taps.fill(0.0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integers::{Bits, Layout, integers};

    const N: usize = 40;

    /// Rows of inputs that move together: each is a mixture of four numbers, and a little of its own.
    fn rows(count: usize) -> Vec<Vec<f32>> {
        let mut state = 5u64;
        let mut unit = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        };
        let mix: Vec<f32> = (0..4 * N).map(|_| unit()).collect();
        let row = |_| {
            let causes = [unit(), unit(), unit(), unit()];
            let sum = |i: usize| causes.iter().zip(&mix[4 * i..]).map(|(c, m)| c * m).sum::<f32>();
            (0..N).map(|i| sum(i) + 0.1 * unit()).collect()
        };
        (0..count).map(row).collect()
    }

    fn gram(rows: &[Vec<f32>]) -> Gram {
        let mut gram = Gram::new(N);
        rows.iter().for_each(|row| gram.add(row));
        gram
    }

    /// The mean square of what errors change in the result.
    fn change(rows: &[Vec<f32>], errors: &[f64]) -> f64 {
        let one = |row: &Vec<f32>| {
            row.iter().zip(errors).map(|(&x, e)| f64::from(x) * e).sum::<f64>().powi(2)
        };
        rows.iter().map(one).sum::<f64>() / rows.len() as f64
    }

    #[test]
    fn an_error_costs_what_it_changes_in_the_result_and_the_damping() {
        let rows = rows(300);
        let errors: Vec<f64> = (0..N).map(|i| (i as f64 * 1.7).sin()).collect();
        let square = |row: &Vec<f32>| row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
        let mean = rows.iter().map(square).sum::<f64>() / (300 * N) as f64;
        let damping = DAMPING * mean * errors.iter().map(|e| e * e).sum::<f64>();
        let wanted = change(&rows, &errors) + damping;
        let found = gram(&rows).factor().cost(&errors);
        assert!((found / wanted - 1.0).abs() < 1e-9, "{found} {wanted}");
    }

    #[test]
    fn weights_make_up_for_each_other_on_other_rows_too() {
        let all = rows(800);
        let (seen, held) = all.split_at(400);
        let factor = gram(seen).factor();
        let w: Vec<f32> = (0..N).map(|i| (i as f32 * 2.3).cos()).collect();
        let layout = Layout { rows: 1, blocks: 1, inputs: N, transposed: false };
        for (bits, least_gain) in [(Bits::Eight, 4.0), (Bits::Four, 4.0)] {
            let cost = |factor| {
                let made = integers(&w, layout, bits, &[1e-9], factor);
                let step = |i: usize| match &made.groups {
                    Some(groups) => {
                        made.scale[0] * f32::from(groups[i / mote_format::dtype::GROUP])
                    }
                    None => made.scale[0],
                };
                let error = |i: usize| f64::from(w[i]) - f64::from(made.w[i]) * f64::from(step(i));
                change(held, &(0..N).map(error).collect::<Vec<_>>())
            };
            let (alone, together) = (cost(None), cost(Some(&factor)));
            assert!(together * least_gain < alone, "{bits:?}: {together}, alone {alone}");
        }
    }

    /// Inputs that are always zero or always the same are no trouble.
    #[test]
    fn inputs_without_any_spread_have_a_factor() {
        let mut gram = Gram::new(3);
        for row in [[0.0, 1.0, 1.0], [0.0, 2.0, 2.0]] {
            gram.add(&row);
        }
        let factor = gram.factor();
        assert!((0..3).all(|i| factor.correction(i, &[1.0; 3]).is_finite()));
        assert!((factor.correction(1, &[0.0, 0.0, 0.5]) - 0.5).abs() < 0.02, "the other takes it");
        assert!(Gram::new(2).factor().correction(0, &[1.0, 1.0]).is_finite());
    }

    #[test]
    fn rows_of_a_convolution_are_what_its_weights_meet() {
        let rows = Rows { count: 3, kernel: 2, channels: 2, stride: 1, dilation: 2, before: 2 };
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let row = |t| {
            let mut row = [9.0; 4];
            rows.gather(&x, t, &mut row);
            row
        };
        assert_eq!(row(0), [0.0, 0.0, 1.0, 2.0], "the first tap is before the beginning");
        assert_eq!(row(2), [1.0, 2.0, 5.0, 6.0]);
    }
}
