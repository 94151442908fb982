//! Mixture density head (Bishop 1994): a distribution over samples of numbers and words.
//!
//! A sample comes from one of a few components, and within a component its columns are independent:
//! numbers are normal, words have one probability for each level and one for all words that are no
//! level. So the density is joint and exact, what is missing is left out exactly, and what is known of
//! a sample tells of the rest through the component that it speaks for.

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, TensorData, activation::tanh},
};

use super::{Dense, categorical::draw_one, log_softmax, log_sum_exp};
use crate::{layout::Layout, random::Random};

/// `½ ln 2π`
const HALF_LN_TAU: f32 = 0.918_938_5;

/// Deviations stay within `e^±`this: a sensor that stands still must not make infinite density.
const LOG_DEVIATION: f32 = 5.0;

/// From `(batch, time, hidden)` to distributions over samples `(batch, time, features)`.
#[derive(Module, Debug)]
pub struct MixtureHead {
    parameters: Dense,
    #[module(skip)]
    components: usize,
    #[module(skip)]
    layout: Layout,
}

/// What a head says of `r` samples with `k` components.
struct Components {
    /// `(r, 1, k)`, logarithms of probabilities.
    weights: Tensor<3>,
    /// Means and logarithms of deviations, `(r, k, numbers)` each; absent where there are no numbers.
    normal: Option<[Tensor<3>; 2]>,
    /// For each column of words `(r, k, levels + 1)`, logarithms of probabilities; the last is that of
    /// all other words.
    words: Vec<Tensor<3>>,
}

impl MixtureHead {
    /// A head whose components begin apart, so that each can find its own part of the data.
    ///
    /// # Panics
    ///
    /// If there is no component.
    #[must_use]
    pub fn new(
        hidden: usize,
        components: usize,
        layout: &Layout,
        rng: &mut Random,
        device: &Device,
    ) -> Self {
        assert!(components > 0, "a mixture of nothing");
        let numbers = layout.numbers().count();
        let words: usize = layout.words().map(|w| w.len() + 1).sum();
        let mut parameters =
            Dense::new(hidden, components * (1 + 2 * numbers + words), rng, device);
        let mut bias = vec![0.0; components * (1 + 2 * numbers + words)];
        let means = components..components * (1 + numbers);
        bias[means].copy_from_slice(&rng.uniform(components * numbers, 1.5));
        let n = bias.len();
        parameters.bias = Param::from_data(TensorData::new(bias, [n]), device);
        Self { parameters, components, layout: layout.clone() }
    }

    /// Standard normal numbers that [`Self::draw`] needs for a sample.
    #[must_use]
    pub fn noise_width(&self) -> usize {
        let words: usize = self.layout.words().map(|w| 2 * w.len()).sum();
        2 * self.components + self.layout.numbers().count() + words
    }

    /// `-ln p` of each value of `x` given `context` and what is observed of the columns before it:
    /// numbers first, then words, whose share is spread evenly over their features. Zero where nothing
    /// was observed. A word is observed where all of its features are.
    #[must_use]
    pub fn score(&self, context: Tensor<3>, x: Tensor<3>, mask: Tensor<3>) -> Tensor<3> {
        let [batch, time, features] = x.dims();
        let said = self.say(context);
        let each = self.log_likelihoods(&said, &x, &mask);
        let [rows, _, columns] = each.dims();
        // `ln p` of a component and of its columns up to each.
        let joint = each.cumsum(2) + said.weights.swap_dims(1, 2);
        let up_to = log_sum_exp(joint, 1);
        let part = |from, to| up_to.clone().slice([0..rows, 0..1, from..to]);
        let mut nll = -part(0, 1);
        if columns > 1 {
            nll = Tensor::cat(vec![nll, part(0, columns - 1) - part(1, columns)], 2);
        }
        let numbers = self.layout.numbers().count();
        let words = self.layout.words().enumerate().map(|(i, levels)| {
            let at = numbers + i;
            let n = levels.len();
            let even = TensorData::new(vec![1.0 / n as f32; n], [1, 1, n]);
            nll.clone().slice([0..rows, 0..1, at..at + 1]) * Tensor::from_data(even, &nll.device())
        });
        let words = words.collect();
        let nll =
            self.in_order((numbers > 0).then(|| nll.slice([0..rows, 0..1, 0..numbers])), words);
        nll.reshape([batch, time, features]) * mask
    }

    /// A sample `(batch, time, features)` from each distribution given what is `shown` of it. `noise` is
    /// `(batch, time, noise_width)`. Words that are no level are not drawn.
    #[must_use]
    pub fn draw(
        &self,
        context: Tensor<3>,
        x: Tensor<3>,
        shown: Tensor<3>,
        noise: Tensor<3>,
    ) -> Tensor<3> {
        let [batch, time, features] = x.dims();
        let said = self.say(context);
        let known = self.log_likelihoods(&said, &x, &shown).sum_dim(2).swap_dims(1, 2);
        let (rows, k) = (batch * time, self.components);
        let width = self.noise_width();
        let noise = noise.reshape([rows, 1, width]);
        let mut used = 0;
        let mut next = |n: usize| {
            used += n;
            noise.clone().slice([0..rows, 0..1, used - n..used])
        };
        let component = draw_one(said.weights + known, next(2 * k)).swap_dims(1, 2);
        let of_it = |all: Tensor<3>| (all * component.clone()).sum_dim(1);
        let numbers = said.normal.map(|[mean, log_deviation]| {
            let z = next(self.layout.numbers().count());
            of_it(mean) + of_it(log_deviation).exp() * z
        });
        let words = self.layout.words().zip(said.words).map(|(levels, log)| {
            let log = of_it(log).slice([0..rows, 0..1, 0..levels.len()]);
            draw_one(log, next(2 * levels.len()))
        });
        let words = words.collect();
        let drawn = self.in_order(numbers, words);
        let hidden = shown.clone() * -1.0 + 1.0;
        x * shown + drawn.reshape([batch, time, features]) * hidden
    }

    fn say(&self, context: Tensor<3>) -> Components {
        let [batch, time, hidden] = context.dims();
        let (rows, k) = (batch * time, self.components);
        let said = self.parameters.forward(context.reshape([rows, hidden]));
        let mut used = 0;
        let mut next = |width: usize| {
            used += k * width;
            said.clone().slice([0..rows, used - k * width..used]).reshape([rows, k, width])
        };
        let numbers = self.layout.numbers().count();
        let weights = log_softmax(next(1).swap_dims(1, 2), 2);
        let normal = (numbers > 0)
            .then(|| [next(numbers), tanh(next(numbers) / LOG_DEVIATION) * LOG_DEVIATION]);
        let words = self.layout.words().map(|w| log_softmax(next(w.len() + 1), 2)).collect();
        Components { weights, normal, words }
    }

    /// `ln p` of each column in each component, `(rows, k, columns)`: numbers first, then words; zero
    /// where nothing was observed.
    fn log_likelihoods(&self, said: &Components, x: &Tensor<3>, mask: &Tensor<3>) -> Tensor<3> {
        let [batch, time, features] = x.dims();
        let rows = batch * time;
        let flat = |t: &Tensor<3>| t.clone().reshape([rows, 1, features]);
        let (x, mask) = (flat(x), flat(mask));
        let mut columns = Vec::new();
        if let Some([mean, log_deviation]) = &said.normal {
            let numbers: Vec<usize> = self.layout.numbers().collect();
            let of = |t: &Tensor<3>| taken(t.clone(), &numbers, features);
            let z = (of(&x) - mean.clone()) * (-log_deviation.clone()).exp();
            let nll = z.clone() * z * 0.5 + log_deviation.clone() + HALF_LN_TAU;
            columns.push(-nll * of(&mask));
        }
        for (levels, log) in self.layout.words().zip(&said.words) {
            let n = levels.len();
            let of = |t: &Tensor<3>| t.clone().slice([0..rows, 0..1, levels.clone()]);
            let other = of(&x).sum_dim(2) * -1.0 + 1.0;
            let word = Tensor::cat(vec![of(&x), other], 2);
            let observed = (of(&mask).sum_dim(2) - (n as f32 - 1.0)).clamp(0.0, 1.0);
            columns.push((log.clone() * word).sum_dim(2) * observed);
        }
        Tensor::cat(columns, 2)
    }

    /// Numbers `(r, 1, numbers)` and words `(r, 1, levels)` each, as features `(r, 1, features)`.
    fn in_order(&self, numbers: Option<Tensor<3>>, words: Vec<Tensor<3>>) -> Tensor<3> {
        let (mut number, mut words) = (0, words.into_iter());
        let mut pieces = Vec::new();
        for run in self.layout.columns().chunk_by(|a, b| a.is_number() && b.is_number()) {
            match (&numbers, run[0].is_number()) {
                (Some(numbers), true) => {
                    let [rows, ..] = numbers.dims();
                    let places = number..number + run.len();
                    number = places.end;
                    pieces.push(numbers.clone().slice([0..rows, 0..1, places]));
                }
                _ => pieces.extend(words.next()),
            }
        }
        Tensor::cat(pieces, 2)
    }
}

/// `(.., .., features)` to those at `places`, in order.
fn taken(x: Tensor<3>, places: &[usize], features: usize) -> Tensor<3> {
    if places.len() == features {
        return x;
    }
    let [a, b, _] = x.dims();
    let one = |&i: &usize| x.clone().slice([0..a, 0..b, i..i + 1]);
    Tensor::cat(places.iter().map(one).collect(), 2)
}
