//! A network behind each sample, or one of several: mixture of experts with one expert for each sample
//! (Switch Transformer, Fedus et al. 2022, arXiv 2101.03961).

use burn::{
    module::Module,
    tensor::{
        Device, Tensor,
        activation::{relu, softmax},
    },
};

use super::{Dense, categorical::chosen};
use crate::random::Random;

/// `(batch, time, hidden)` to the same. A router sends each sample to the expert that it finds the most
/// probable, and weighs what that says by the probability, so that it learns.
///
/// Programs have no branches: all experts are computed, and all but one weigh nothing. More experts
/// are more capacity at more cost.
#[derive(Module, Debug)]
pub struct Experts {
    /// Absent where there is one expert.
    router: Option<Dense>,
    widen: Vec<Dense>,
    narrow: Vec<Dense>,
}

impl Experts {
    /// `count` experts with random weights.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn new(hidden: usize, count: usize, rng: &mut Random, device: &Device) -> Self {
        assert!(count > 0, "no experts");
        Self {
            router: (count > 1).then(|| Dense::new(hidden, count, rng, device)),
            widen: (0..count).map(|_| Dense::new(hidden, 2 * hidden, rng, device)).collect(),
            narrow: (0..count).map(|_| Dense::new(2 * hidden, hidden, rng, device)).collect(),
        }
    }

    /// Applies the layer. Where there is something to learn, it also says how unevenly experts are
    /// used: `n · Σ share · probability`, which is 1 where all are used alike and `n` where one is alone.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>) -> (Tensor<3>, Option<Tensor<1>>) {
        let expert = |i: usize| {
            let h = relu(self.widen[i].forward_series(x.clone()));
            self.narrow[i].forward_series(h)
        };
        let Some(router) = &self.router else { return (expert(0), None) };
        let probability = softmax(router.forward_series(x.clone()), 2);
        let choice = chosen(probability.clone());
        let [batch, time, n] = probability.dims();
        let weights = probability.clone() * choice.clone();
        let each = |i: usize| expert(i) * weights.clone().slice([0..batch, 0..time, i..i + 1]);
        let y = (1..n).fold(each(0), |sum, i| sum + each(i));
        let unevenness = x.device().is_autodiff().then(|| {
            let mean = |t: Tensor<3>| t.reshape([batch * time, n]).mean_dim(0);
            (mean(choice) * mean(probability)).sum() * n as f32
        });
        (y, unevenness)
    }
}
