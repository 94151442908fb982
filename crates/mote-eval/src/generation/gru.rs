//! A gated recurrent unit with its gradients by back-propagation through time, in plain Rust.
//!
//! The equations are those of PyTorch (`torch.nn.GRU`, one layer, one direction), where the reset
//! gate acts after the product:
//!
//! ```text
//! r = σ(W_ir x + b_ir + W_hr h + b_hr)
//! z = σ(W_iz x + b_iz + W_hz h + b_hz)
//! n = tanh(W_in x + b_in + r ⊙ (W_hn h + b_hn))
//! h' = (1 − z) ⊙ n + z ⊙ h
//! ```
//!
//! All buffers are `(feature, time, batch)` with the batch innermost: every loop then runs over
//! neighbouring values, whole sequences are one matrix product, and so is each gradient.

use crate::{
    lanes::{self, LANES, Rows, load, store},
    random::SplitMix,
};

/// The sizes of a layer. Its weights live in a slice of the caller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gru {
    /// Features of an input.
    pub(crate) inputs: usize,
    /// Units.
    pub(crate) hidden: usize,
}

/// Weights, or their gradients; gates in the order r, z, n.
struct Split<T> {
    /// `(3 · hidden, inputs)`
    input: T,
    /// `(3 · hidden, hidden)`
    recurrent: T,
    /// `(3 · hidden,)`
    input_bias: T,
    /// `(3 · hidden,)`
    recurrent_bias: T,
}

/// What a forward pass leaves for the backward pass, for sequences of `time` steps in a batch.
#[derive(Debug)]
pub(crate) struct Tape {
    time: usize,
    batch: usize,
    /// `(inputs, time, batch)`, written by the caller.
    pub(crate) x: Vec<f32>,
    /// `(hidden, 1 + time, batch)`: states, the first of which is zero.
    pub(crate) h: Vec<f32>,
    /// `(3 · hidden, time, batch)`: the gates r, z and n.
    gates: Vec<f32>,
    /// `(hidden, time, batch)`: `W_hn h + b_hn`.
    candidate: Vec<f32>,
    /// `(hidden, time, batch)`: the gradient of each state from outside, written by the caller.
    pub(crate) d_h: Vec<f32>,
    /// `(4 · hidden, time, batch)`: gradients of what enters r, z, n, and of `candidate`.
    d_gates: Vec<f32>,
    /// `(3 · hidden, batch)`
    scratch: Vec<f32>,
    /// `(hidden, batch)`: gradient of a state from the step after it.
    carry: Vec<f32>,
}

impl Tape {
    /// Zeros, for a batch of a whole number of lanes. Lanes in which `d_h` stays zero add nothing to
    /// any gradient.
    pub(crate) fn new(gru: Gru, time: usize, batch: usize) -> Self {
        assert!(batch.is_multiple_of(LANES));
        let (n, h) = (time * batch, gru.hidden);
        Self {
            time,
            batch,
            x: vec![0.0; gru.inputs * n],
            h: vec![0.0; h * (time + 1) * batch],
            gates: vec![0.0; 3 * h * n],
            candidate: vec![0.0; h * n],
            d_h: vec![0.0; h * n],
            d_gates: vec![0.0; 4 * h * n],
            scratch: vec![0.0; 3 * h * batch],
            carry: vec![0.0; h * batch],
        }
    }

    /// States of unit `j` at steps `from..`, `(time, batch)`; step 0 is before the first input.
    #[inline(always)]
    pub(crate) fn states(&self, j: usize, from: usize) -> &[f32] {
        let row = (self.time + 1) * self.batch;
        &self.h[j * row..(j + 1) * row][from * self.batch..]
    }

    fn states_before(&self) -> Rows<'_> {
        Rows { data: &self.h, stride: (self.time + 1) * self.batch }
    }
}

impl Gru {
    /// Number of weights.
    pub(crate) fn len(self) -> usize {
        3 * self.hidden * (self.inputs + self.hidden + 2)
    }

    fn split(self, weights: &[f32]) -> Split<&[f32]> {
        let (input, rest) = weights.split_at(3 * self.hidden * self.inputs);
        let (recurrent, rest) = rest.split_at(3 * self.hidden * self.hidden);
        let (input_bias, rest) = rest.split_at(3 * self.hidden);
        Split { input, recurrent, input_bias, recurrent_bias: &rest[..3 * self.hidden] }
    }

    fn split_mut(self, weights: &mut [f32]) -> Split<&mut [f32]> {
        let (input, rest) = weights.split_at_mut(3 * self.hidden * self.inputs);
        let (recurrent, rest) = rest.split_at_mut(3 * self.hidden * self.hidden);
        let (input_bias, rest) = rest.split_at_mut(3 * self.hidden);
        Split { input, recurrent, input_bias, recurrent_bias: &mut rest[..3 * self.hidden] }
    }

    /// Random weights, uniform within `±1 / √hidden` as PyTorch has it.
    pub(crate) fn fill(self, weights: &mut [f32], rng: &mut SplitMix) {
        let bound = 1.0 / (self.hidden as f32).sqrt();
        weights[..self.len()].fill_with(|| bound * (2.0 * rng.unit() as f32 - 1.0));
    }

    /// From `tape.x` to `tape.h`.
    #[inline(always)]
    pub(crate) fn forward(self, weights: &[f32], tape: &mut Tape) {
        let Split { input, recurrent, input_bias, recurrent_bias } = self.split(weights);
        let (h, batch, n) = (self.hidden, tape.batch, tape.time * tape.batch);
        for (row, &b) in tape.gates.chunks_exact_mut(n).zip(input_bias) {
            row.fill(b);
        }
        let x = Rows { data: &tape.x, stride: n };
        lanes::multiply(input, self.inputs, x, &mut tape.gates, n, n);
        for t in 0..tape.time {
            let at = t * batch;
            for (row, &b) in tape.scratch.chunks_exact_mut(batch).zip(recurrent_bias) {
                row.fill(b);
            }
            let before = Rows { data: &tape.h[at..], stride: n + batch };
            lanes::multiply(recurrent, h, before, &mut tape.scratch, batch, batch);
            for j in 0..h {
                for b in (0..batch).step_by(LANES) {
                    self.gate(tape, j, t, b);
                }
            }
        }
    }

    /// The state of unit `j` after step `t`, for the lanes from `b` on. Through copies, because a loop
    /// over ten slices that might overlap does not vectorize.
    #[inline(always)]
    fn gate(self, tape: &mut Tape, j: usize, t: usize, b: usize) {
        let (h, batch, n) = (self.hidden, tape.batch, tape.time * tape.batch);
        let (here, there) = (j * n + t * batch + b, j * (n + batch) + t * batch + b);
        let [mut r, mut z, mut new] = [0, 1, 2].map(|g| load(&tape.gates, g * h * n + here));
        let [u_r, u_z, u_n] = [0, 1, 2].map(|g| load(&tape.scratch, (g * h + j) * batch + b));
        let mut state = load(&tape.h, there);
        for i in 0..LANES {
            r[i] = lanes::sigmoid(r[i] + u_r[i]);
            z[i] = lanes::sigmoid(z[i] + u_z[i]);
            new[i] = lanes::tanh(new[i] + r[i] * u_n[i]);
            state[i] = new[i] + z[i] * (state[i] - new[i]);
        }
        store(&mut tape.gates, here, r);
        store(&mut tape.gates, h * n + here, z);
        store(&mut tape.gates, 2 * h * n + here, new);
        store(&mut tape.candidate, here, u_n);
        store(&mut tape.h, there + batch, state);
    }

    /// From `tape.d_h` to the gradients of the weights, which are added to `gradients`.
    ///
    /// The tape is that of [`Self::forward`] with the same weights.
    #[inline(always)]
    pub(crate) fn backward(self, weights: &[f32], tape: &mut Tape, gradients: &mut [f32]) {
        let turned = transposed(self.split(weights).recurrent, self.hidden);
        let (h, batch, n) = (self.hidden, tape.batch, tape.time * tape.batch);
        tape.carry.fill(0.0);
        for t in (0..tape.time).rev() {
            for j in 0..h {
                for b in (0..batch).step_by(LANES) {
                    self.gate_gradients(tape, j, t, b);
                }
            }
            // What reaches the state before goes through r and z, and through the candidate.
            let at = t * batch;
            for (from, rows) in [(0, 2 * h), (3 * h, h)] {
                let d = Rows { data: &tape.d_gates[from * n + at..], stride: n };
                let w = if from == 0 { &turned.0 } else { &turned.1 };
                lanes::multiply(w, rows, d, &mut tape.carry, batch, batch);
            }
        }
        let g = self.split_mut(gradients);
        let d = Rows { data: &tape.d_gates, stride: n };
        let d_candidate = Rows { data: &tape.d_gates[3 * h * n..], stride: n };
        lanes::outer(g.input, self.inputs, d, Rows { data: &tape.x, stride: n }, n);
        let (gates, candidate) = g.recurrent.split_at_mut(2 * h * h);
        lanes::outer(gates, h, d, tape.states_before(), n);
        lanes::outer(candidate, h, d_candidate, tape.states_before(), n);
        let sums = tape.d_gates.chunks_exact(n).map(lanes::sum);
        for (i, sum) in sums.enumerate() {
            if i < 3 * h {
                g.input_bias[i] += sum;
            }
            if i < 2 * h {
                g.recurrent_bias[i] += sum;
            } else if i >= 3 * h {
                g.recurrent_bias[i - h] += sum;
            }
        }
    }

    /// `tape.d_gates` of unit `j` at step `t`, and the direct part of `tape.carry`.
    #[inline(always)]
    fn gate_gradients(self, tape: &mut Tape, j: usize, t: usize, b: usize) {
        let (h, batch, n) = (self.hidden, tape.batch, tape.time * tape.batch);
        let (here, there) = (j * n + t * batch + b, j * (n + batch) + t * batch + b);
        let [r, z, new] = [0, 1, 2].map(|g| load(&tape.gates, g * h * n + here));
        let (candidate, outside) = (load(&tape.candidate, here), load(&tape.d_h, here));
        let (old, mut carry) = (load(&tape.h, there), load(&tape.carry, j * batch + b));
        let [mut d_r, mut d_z, mut d_n, mut d_c] = [[0.0; LANES]; 4];
        for i in 0..LANES {
            let d = outside[i] + carry[i];
            d_z[i] = d * (old[i] - new[i]) * z[i] * (1.0 - z[i]);
            d_n[i] = d * (1.0 - z[i]) * (1.0 - new[i] * new[i]);
            d_c[i] = d_n[i] * r[i];
            d_r[i] = d_n[i] * candidate[i] * r[i] * (1.0 - r[i]);
            carry[i] = d * z[i];
        }
        for (g, d) in [d_r, d_z, d_n, d_c].into_iter().enumerate() {
            store(&mut tape.d_gates, g * h * n + here, d);
        }
        store(&mut tape.carry, j * batch + b, carry);
    }
}

/// The recurrent weights of r and z, and of n, with states as rows: `(hidden, 2 · hidden)` and
/// `(hidden, hidden)`.
fn transposed(w: &[f32], h: usize) -> (Vec<f32>, Vec<f32>) {
    let turn = |from: usize, rows: usize| {
        let of = move |j: usize| (from..from + rows).map(move |o| w[o * h + j]);
        (0..h).flat_map(of).collect()
    };
    (turn(0, 2 * h), turn(2 * h, h))
}

#[cfg(test)]
#[path = "gru_tests.rs"]
mod tests;
