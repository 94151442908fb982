//! A training program with its optimizer.

use alloc::{borrow::ToOwned, string::String, vec, vec::Vec};

use mote_format::{ValueId, program::STATE_PREFIX};

use super::GRADIENT_PREFIX;
use crate::execute::Instance;

/// Adam with decoupled weight decay (Kingma and Ba 2015; Loshchilov and Hutter 2019).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// How much of the mean of gradients stays with each step.
    pub first: f32,
    /// How much of the mean of their squares stays with each step.
    pub second: f32,
    /// Added to the root of the mean of squares.
    pub epsilon: f32,
    /// How much of each number is lost with each step, times the rate.
    pub decay: f32,
    /// A gradient that is longer is shortened to this.
    pub longest: f32,
}

impl Default for Adam {
    /// The values of the paper; no decay, because what is learned here begins near its end; gradients no
    /// longer than one, because single samples may be far out.
    fn default() -> Self {
        Self { first: 0.9, second: 0.999, epsilon: 1e-8, decay: 0.0, longest: 1.0 }
    }
}

/// A training program with what its optimizer remembers: three numbers for each that is trained, all taken
/// at the beginning.
#[derive(Clone, Debug)]
pub struct Learner<'m> {
    instance: Instance<'m>,
    loss: ValueId,
    parts: Vec<Part>,
    /// The gradients of all samples since the last step, part by part.
    sums: Vec<f32>,
    firsts: Vec<f32>,
    seconds: Vec<f32>,
    /// Numbers that stay zero, where some do.
    held: Vec<bool>,
    /// The numbers that are learned, part by part, where the program runs with others.
    behind: Vec<f32>,
    samples: usize,
    steps: i32,
}

/// One tensor that is trained.
#[derive(Clone, Debug)]
struct Part {
    name: String,
    state: ValueId,
    gradient: ValueId,
    /// Where it begins among all that are trained, and how many numbers it has.
    first: usize,
    length: usize,
}

impl<'m> Learner<'m> {
    /// `instance` runs what [`super::gradient`] made, one sample at a time; `loss` is the output that it was
    /// made for. `tensor` tells with which numbers each trained tensor begins.
    ///
    /// # Panics
    ///
    /// If the program is no training program or has no such output, or a tensor has another size.
    #[must_use]
    pub fn new<'t>(instance: Instance<'m>, loss: &str, tensor: impl Fn(&str) -> &'t [f32]) -> Self {
        let program = instance.program();
        let loss = program.output(loss).expect("the loss is an output");
        let mut parts: Vec<Part> = Vec::new();
        for port in &program.outputs {
            let Some(name) = port.name.strip_prefix(GRADIENT_PREFIX) else { continue };
            let state = alloc::format!("{STATE_PREFIX}{name}");
            let state = program.input(&state).expect("what has a gradient is a state");
            let first = parts.last().map_or(0, |part| part.first + part.length);
            let (gradient, length) = (port.value, program.elements(port.value));
            parts.push(Part { name: name.to_owned(), state, gradient, first, length });
        }
        let all = parts.last().map_or(0, |part| part.first + part.length);
        let zeros = || vec![0.0; all];
        let (sums, firsts, seconds) = (zeros(), zeros(), zeros());
        let (held, behind, samples, steps) = (Vec::new(), Vec::new(), 0, 0);
        let mut learner =
            Self { instance, loss, parts, sums, firsts, seconds, held, behind, samples, steps };
        for part in &learner.parts {
            learner.instance.input(part.state).copy_from_slice(tensor(&part.name));
        }
        learner
    }

    /// Numbers that are zero now stay so in the tensors that `of` says: what was taken out, or never was there, is not
    /// learned.
    pub fn hold_zeros(&mut self, of: impl Fn(&str, &[f32]) -> bool) {
        self.held = vec![false; self.sums.len()];
        for part in &self.parts {
            let now = self.instance.output(part.state);
            if of(&part.name, now) {
                for (held, w) in self.held[part.first..].iter_mut().zip(now) {
                    *held = *w == 0.0;
                }
            }
        }
    }

    /// From now on the program runs with what `round` makes of the numbers that are learned, part by part
    /// anew whenever this is called; a part that it says nothing of stays as it is. Gradients are taken as
    /// if there were no rounding (straight through: Bengio et al. 2013, arXiv 1308.3432).
    ///
    /// # Panics
    ///
    /// If it makes more or fewer numbers.
    pub fn round(&mut self, round: impl Fn(&str, &[f32]) -> Option<Vec<f32>>) {
        if self.behind.is_empty() {
            for part in &self.parts {
                self.behind.extend_from_slice(self.instance.output(part.state));
            }
        }
        for part in &self.parts {
            let learned = &self.behind[part.first..][..part.length];
            let state = self.instance.input(part.state);
            match round(&part.name, learned) {
                Some(rounded) => state.copy_from_slice(&rounded),
                None => state.copy_from_slice(learned),
            }
        }
    }

    /// The instance, whose inputs are to be filled before each sample.
    #[must_use]
    pub fn instance(&mut self) -> &mut Instance<'m> {
        &mut self.instance
    }

    /// Bytes of everything that training takes: the arena, and what the optimizer remembers.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.instance.arena_bytes()
            + 3 * size_of_val(&*self.sums)
            + self.held.len()
            + size_of_val(&*self.behind)
    }

    /// Runs one sample and adds its gradient to those of the others. Returns its loss; nothing is added or
    /// returned where loss or gradient are no finite numbers.
    pub fn see(&mut self) -> Option<f32> {
        self.instance.run();
        let loss = self.instance.output(self.loss)[0];
        let finite =
            |part: &Part| self.instance.output(part.gradient).iter().all(|g| g.is_finite());
        if !loss.is_finite() || !self.parts.iter().all(finite) {
            return None;
        }
        self.samples += 1;
        for part in &self.parts {
            let sums = &mut self.sums[part.first..][..part.length];
            let gradient = self.instance.output(part.gradient);
            sums.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += g);
        }
        Some(loss)
    }

    /// One step along the mean gradient of the samples seen since the last one; none if there are none,
    /// or if it is no number.
    pub fn step(&mut self, adam: &Adam, rate: f32) {
        let share = 1.0 / self.samples.max(1) as f32;
        let square = |sum: &f32| f64::from(sum * share) * f64::from(sum * share);
        let length = libm::sqrt(self.sums.iter().map(square).sum::<f64>()) as f32;
        if self.samples > 0 && length.is_finite() {
            let shortened = if length > adam.longest { adam.longest / length } else { 1.0 };
            self.steps = self.steps.saturating_add(1);
            self.update(adam, rate, share * shortened);
        }
        self.forget();
    }

    fn update(&mut self, adam: &Adam, rate: f32, share: f32) {
        let grown = |kept: f32| 1.0 - libm::powf(kept, self.steps as f32);
        let (first, second) = (grown(adam.first), grown(adam.second));
        for part in &self.parts {
            let w = match self.behind.is_empty() {
                true => self.instance.input(part.state),
                false => &mut self.behind[part.first..][..part.length],
            };
            for (i, w) in (part.first..).zip(w) {
                let g = self.sums[i] * share;
                let (m, v) = (&mut self.firsts[i], &mut self.seconds[i]);
                *m += (1.0 - adam.first) * (g - *m);
                *v += (1.0 - adam.second) * (g * g - *v);
                let slope = *m / first / (crate::kernels::sqrt(*v / second) + adam.epsilon);
                if !self.held.get(i).is_some_and(|held| *held) {
                    *w -= rate * (slope + adam.decay * *w);
                }
            }
        }
    }

    /// Forgets the samples seen since the last step: they were only looked at.
    pub fn forget(&mut self) {
        self.sums.fill(0.0);
        self.samples = 0;
    }

    /// The tensors that are trained, as they are now: what is learned, before any rounding.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &[f32])> {
        self.parts.iter().map(|part| match self.behind.is_empty() {
            true => (&*part.name, self.instance.output(part.state)),
            false => (&*part.name, &self.behind[part.first..][..part.length]),
        })
    }

    /// The mean gradients of the samples seen since the last step, tensor by tensor.
    pub fn gradients(&self) -> impl Iterator<Item = (&str, Vec<f32>)> {
        let share = 1.0 / self.samples.max(1) as f32;
        self.parts.iter().map(move |part| {
            let sums = &self.sums[part.first..][..part.length];
            (&*part.name, sums.iter().map(|sum| sum * share).collect())
        })
    }
}
