//! The recurrent network that both scores of TimeGAN train: a GRU and one output.

use super::{
    adam::Adam,
    gru::{Gru, Tape},
};
use crate::{
    Windows,
    lanes::{LANES, Work, dot, sigmoid, sum, vectorized},
    random::SplitMix,
};

/// Windows that are copied together, so that what is read of each is used while it is near.
const GATHER: usize = 16;

/// Where the network answers, and what its error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// A logit after the last step; binary cross entropy, real windows and generated ones weighing
    /// the same.
    TellApart,
    /// A value in (0, 1) after each step; absolute error.
    Predict,
}

/// A network in training.
#[derive(Debug)]
pub(crate) struct Judge {
    gru: Gru,
    task: Task,
    /// Those of the GRU, then the output's `(hidden,)` and its bias.
    weights: Vec<f32>,
    gradients: Vec<f32>,
    adam: Adam,
}

/// A batch on its way through the network.
#[derive(Debug)]
pub(crate) struct Batch {
    tape: Tape,
    time: usize,
    /// Sequences, and places for them: a whole number of lanes.
    count: usize,
    places: usize,
    /// `(outputs, places)`, outputs being 1 or `time`: logits, then their gradients.
    logits: Vec<f32>,
    /// Same shape: 1 for real and 0 for generated windows, or the values to be predicted.
    pub(crate) targets: Vec<f32>,
}

impl Judge {
    /// A network with random weights.
    pub(crate) fn new(inputs: usize, hidden: usize, task: Task, rng: &mut SplitMix) -> Self {
        let gru = Gru { inputs, hidden };
        let count = gru.len() + hidden + 1;
        let mut weights = vec![0.0; count];
        gru.fill(&mut weights, rng);
        let bound = 1.0 / (hidden as f32).sqrt();
        weights[gru.len()..].fill_with(|| bound * (2.0 * rng.unit() as f32 - 1.0));
        Self { gru, task, weights, gradients: vec![0.0; count], adam: Adam::new(count) }
    }

    /// Room for `count` sequences of `time` steps.
    pub(crate) fn batch(&self, time: usize, count: usize) -> Batch {
        let outputs = if self.task == Task::TellApart { 1 } else { time };
        let places = count.next_multiple_of(LANES);
        Batch {
            tape: Tape::new(self.gru, time, places),
            time,
            count,
            places,
            logits: vec![0.0; outputs * places],
            targets: vec![0.0; outputs * places],
        }
    }

    /// One step of Adam on a batch; its mean loss before the step.
    pub(crate) fn step(&mut self, batch: &mut Batch) -> f64 {
        let loss = self.differentiate(batch);
        self.adam.step(&mut self.weights, &self.gradients);
        loss
    }

    /// The mean loss of a batch; its gradients are left in `self.gradients`.
    fn differentiate(&mut self, batch: &mut Batch) -> f64 {
        vectorized(Differentiate { judge: self, batch })
    }

    /// Logits, or predictions, of a batch, each with its target.
    pub(crate) fn answer<'b>(
        &self,
        batch: &'b mut Batch,
    ) -> impl Iterator<Item = (f32, f32)> + use<'b> {
        vectorized(Forward { judge: self, batch });
        if self.task == Task::Predict {
            batch.logits.iter_mut().for_each(|y| *y = sigmoid(*y));
        }
        let count = batch.count;
        let rows = batch.logits.chunks_exact(batch.places);
        let pairs = rows.zip(batch.targets.chunks_exact(batch.places));
        pairs.flat_map(move |(y, t)| y[..count].iter().copied().zip(t[..count].iter().copied()))
    }

    #[inline(always)]
    fn forward(&self, batch: &mut Batch) {
        self.gru.forward(&self.weights, &mut batch.tape);
        let (w, bias) = self.output();
        batch.logits.fill(bias);
        for (j, w) in w.iter().enumerate() {
            let states = batch.tape.states(j, self.first_output(batch.time));
            batch.logits.iter_mut().zip(states).for_each(|(y, h)| *y += w * h);
        }
    }

    /// The mean loss; turns the logits into its gradient with respect to them.
    #[inline(always)]
    fn loss(&self, batch: &mut Batch) -> f64 {
        let (count, places) = (batch.count, batch.places);
        let real: f32 = batch.targets[..count].iter().sum();
        let outputs = batch.targets.len() / places;
        let mut loss = 0.0;
        let rows = batch.logits.chunks_exact_mut(places);
        for (row, targets) in rows.zip(batch.targets.chunks_exact(places)) {
            let (row, unused) = row.split_at_mut(count);
            unused.fill(0.0);
            for (y, &target) in row.iter_mut().zip(targets) {
                let (part, slope) = match self.task {
                    Task::TellApart => {
                        let weight = 1.0 / if target > 0.5 { real } else { count as f32 - real };
                        (weight * (softplus(*y) - target * *y), weight * (sigmoid(*y) - target))
                    }
                    Task::Predict => {
                        let (weight, answer) = (1.0 / (outputs * count) as f32, sigmoid(*y));
                        let error = answer - target;
                        let sign = if error == 0.0 { 0.0 } else { error.signum() };
                        (weight * error.abs(), weight * sign * answer * (1.0 - answer))
                    }
                };
                loss += f64::from(part);
                *y = slope;
            }
        }
        loss
    }

    #[inline(always)]
    fn backward(&mut self, batch: &mut Batch) {
        self.gradients.fill(0.0);
        let at = self.gru.len();
        let n = batch.time * batch.places;
        let from = (self.first_output(batch.time) - 1) * batch.places;
        batch.tape.d_h.fill(0.0);
        for j in 0..self.gru.hidden {
            let states = batch.tape.states(j, self.first_output(batch.time));
            self.gradients[at + j] = dot(&batch.logits, states);
            let w = self.weights[at + j];
            let d_h = &mut batch.tape.d_h[j * n..(j + 1) * n][from..];
            d_h.iter_mut().zip(&batch.logits).for_each(|(g, d)| *g = w * d);
        }
        self.gradients[at + self.gru.hidden] = sum(&batch.logits);
        self.gru.backward(&self.weights, &mut batch.tape, &mut self.gradients);
    }

    /// Weights and bias of the output.
    fn output(&self) -> (&[f32], f32) {
        let (w, bias) = self.weights[self.gru.len()..].split_at(self.gru.hidden);
        (w, bias[0])
    }

    /// The step, counted from 1, after which the network first answers.
    fn first_output(&self, time: usize) -> usize {
        if self.task == Task::TellApart { time } else { 1 }
    }
}

impl Batch {
    /// Copies the first steps and features of windows, as many as the network takes, to the places
    /// from `slot` on.
    pub(crate) fn gather(&mut self, windows: Windows<'_>, chosen: &[usize], slot: usize) {
        let (time, places) = (self.time, self.places);
        let inputs = self.tape.x.len() / (time * places);
        for (block, chosen) in chosen.chunks(GATHER).enumerate() {
            let at = slot + block * GATHER;
            for t in 0..time {
                for i in 0..inputs {
                    let row = &mut self.tape.x[(i * time + t) * places + at..][..chosen.len()];
                    for (x, &window) in row.iter_mut().zip(chosen) {
                        *x = windows.window(window)[t * windows.features() + i];
                    }
                }
            }
        }
    }

    /// Makes the last feature of each next step the target.
    pub(crate) fn aim_at_next(&mut self, windows: Windows<'_>, chosen: &[usize]) {
        let features = windows.features();
        for t in 0..self.time {
            let row = &mut self.targets[t * self.places..][..self.count];
            for (target, &window) in row.iter_mut().zip(chosen) {
                *target = windows.window(window)[(t + 2) * features - 1];
            }
        }
    }
}

struct Forward<'a> {
    judge: &'a Judge,
    batch: &'a mut Batch,
}

impl Work for Forward<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        self.judge.forward(self.batch);
    }
}

struct Differentiate<'a> {
    judge: &'a mut Judge,
    batch: &'a mut Batch,
}

impl Work for Differentiate<'_> {
    type Output = f64;
    #[inline(always)]
    fn run(self) -> f64 {
        self.judge.forward(self.batch);
        let loss = self.judge.loss(self.batch);
        self.judge.backward(self.batch);
        loss
    }
}

/// `ln(1 + eˣ)` without overflow.
fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
