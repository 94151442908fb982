//! A network behind each sample, or a few of several: mixture of experts, with one expert for each
//! sample (Switch Transformer, Fedus et al. 2022, arXiv 2101.03961) or more (Shazeer et al. 2017, arXiv
//! 1701.06538).

use burn::{
    module::Module,
    tensor::{
        Device, Tensor,
        activation::{relu, softmax},
    },
};

use super::{Dense, categorical::chosen};
use crate::random::Random;

/// `(batch, time, hidden)` to the same. A router sends each sample to the experts that it finds the most
/// probable, and weighs what they say by their probabilities, so that it learns.
///
/// Programs have no branches: all experts are computed, also on a device, and those that were not
/// chosen weigh nothing. More experts are more capacity at more cost.
#[derive(Module, Debug)]
pub struct Experts {
    /// Absent where there is one expert.
    router: Option<Dense>,
    widen: Vec<Dense>,
    narrow: Vec<Dense>,
    /// How many a sample takes.
    #[module(skip)]
    active: usize,
}

/// Which experts samples went to, `(batch, time, experts)` each: 1 where one was taken, and how probable
/// each was.
#[derive(Clone, Debug)]
pub struct Routes {
    taken: Tensor<3>,
    probability: Tensor<3>,
}

impl Routes {
    /// The share of all that was sent to each expert, `(experts,)`; together 1.
    #[must_use]
    pub fn shares(&self) -> Tensor<1> {
        let shares = mean(&self.taken);
        shares.clone() / shares.sum()
    }

    /// How unevenly experts are used, `(1,)`: `n · Σ share · probability`, which is 1 where all are used
    /// alike and up to `n` where one is.
    #[must_use]
    pub fn unevenness(&self) -> Tensor<1> {
        let [_, _, n] = self.taken.dims();
        (self.shares() * mean(&self.probability)).sum() * n as f32
    }
}

/// `(batch, time, experts)` to `(experts,)`.
fn mean(t: &Tensor<3>) -> Tensor<1> {
    let [batch, time, n] = t.dims();
    t.clone().reshape([batch * time, n]).mean_dim(0).reshape([n])
}

impl Experts {
    /// `count` experts with random weights, of which each sample takes `active`.
    ///
    /// # Panics
    ///
    /// If a sample takes none, or more than there are.
    #[must_use]
    pub fn new(
        hidden: usize,
        [count, active]: [usize; 2],
        rng: &mut Random,
        device: &Device,
    ) -> Self {
        assert!(active > 0 && active <= count, "{active} of {count} experts");
        Self {
            router: (count > 1).then(|| Dense::new(hidden, count, rng, device)),
            widen: (0..count).map(|_| Dense::new(hidden, 2 * hidden, rng, device)).collect(),
            narrow: (0..count).map(|_| Dense::new(2 * hidden, hidden, rng, device)).collect(),
            active,
        }
    }

    /// Applies the layer; where there are several experts, it also says which were taken.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>) -> (Tensor<3>, Option<Routes>) {
        let expert = |i: usize| {
            let h = relu(self.widen[i].forward_series(x.clone()));
            self.narrow[i].forward_series(h)
        };
        let Some(router) = &self.router else { return (expert(0), None) };
        let probability = softmax(router.forward_series(x.clone()), 2);
        let taken = most_probable(probability.clone(), self.active);
        let [batch, time, n] = probability.dims();
        let weights = probability.clone() * taken.clone();
        let each = |i: usize| expert(i) * weights.clone().slice([0..batch, 0..time, i..i + 1]);
        let y = (1..n).fold(each(0), |sum, i| sum + each(i));
        (y, Some(Routes { taken, probability }))
    }
}

/// 1 at the `count` greatest probabilities along the last axis and 0 elsewhere.
fn most_probable(probability: Tensor<3>, count: usize) -> Tensor<3> {
    let first = chosen(probability.clone());
    (1..count).fold(first, |choice, _| {
        // Below all probabilities, what is chosen is not chosen again.
        let rest = probability.clone() - choice.clone() * 2.0;
        choice + chosen(rest)
    })
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;
    use crate::random::Purpose;

    /// Numbers of a tensor.
    fn numbers<const D: usize>(t: Tensor<D>) -> Vec<f32> {
        t.into_data().try_to_vec::<f32>().expect("real numbers")
    }

    #[test]
    fn the_most_probable_experts_speak_and_no_others() {
        const N: usize = 4;
        const HIDDEN: usize = 3;
        for active in 1..=N {
            let mut rng = Random::new(3, Purpose::Weights, active as u64);
            let device = Device::flex();
            let experts = Experts::new(HIDDEN, [N, active], &mut rng, &device);
            let data = TensorData::new(rng.normal(2 * 5 * HIDDEN), [2, 5, HIDDEN]);
            let x = Tensor::<3>::from_data(data, &device);
            let router = experts.router.as_ref().expect("there are several");
            let probability = numbers(softmax(router.forward_series(x.clone()), 2));
            let said: Vec<Vec<f32>> = (0..N)
                .map(|i| {
                    let h = relu(experts.widen[i].forward_series(x.clone()));
                    numbers(experts.narrow[i].forward_series(h))
                })
                .collect();
            let found = numbers(experts.forward(x).0);
            for (row, p) in probability.chunks_exact(N).enumerate() {
                let mut order: Vec<usize> = (0..N).collect();
                order.sort_by(|a, b| p[*b].total_cmp(&p[*a]));
                for c in row * HIDDEN..(row + 1) * HIDDEN {
                    let wanted: f32 = order[..active].iter().map(|&i| p[i] * said[i][c]).sum();
                    assert!((found[c] - wanted).abs() < 1e-6, "{active}: {} {wanted}", found[c]);
                }
            }
        }
    }

    #[test]
    fn unevenness_is_one_where_experts_are_used_alike_and_their_number_where_one_is() {
        let device = Device::flex().autodiff();
        let mut rng = Random::new(3, Purpose::Weights, 0);
        let mut experts = Experts::new(3, [3, 1], &mut rng, &device);
        let router = experts.router.as_mut().expect("there are several");
        let eye = |i: usize| if i.is_multiple_of(4) { 50.0f32 } else { 0.0 };
        let eye = TensorData::new((0..9).map(eye).collect::<Vec<_>>(), [3, 3]);
        router.weight = burn::module::Param::from_data(eye, &device);
        // Each sample is sent to the expert of its one channel.
        let of = |channels: [usize; 6]| {
            let x = channels
                .into_iter()
                .flat_map(|c| (0..3).map(move |i| if i == c { 1.0 } else { 0.0 }));
            let x = TensorData::new(x.collect::<Vec<f32>>(), [2, 3, 3]);
            let routes = experts.forward(Tensor::from_data(x, &device)).1;
            numbers(routes.expect("there are several").unevenness())[0]
        };
        for (channels, wanted) in [
            ([0, 1, 2, 2, 1, 0], 1.0),
            ([1; 6], 3.0),
            ([0, 0, 0, 0, 1, 1], 3.0 * (4.0 / 9.0 + 1.0 / 9.0)),
        ] {
            let found = of(channels);
            assert!((found - wanted).abs() < 1e-5, "{channels:?}: {found}, not {wanted}");
        }
    }
}
