//! Linear layer in which some inputs do not reach some outputs (Germain et al. 2015, MADE).

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, TensorData},
};

use super::weight;
use crate::random::Random;

/// `y = x · (w ∘ mask)`; the mask is 1 where the degree of the input lets it reach the output.
#[derive(Module, Debug)]
pub struct MaskedDense {
    /// `(inputs, outputs)`
    pub weight: Param<Tensor<2>>,
    /// `(inputs, outputs)`, never learned.
    mask: Param<Tensor<2>>,
}

impl MaskedDense {
    /// A layer in which input `i` reaches output `o` where `reaches(i, o)`.
    #[must_use]
    pub fn new(
        inputs: usize,
        outputs: usize,
        reaches: impl Fn(usize, usize) -> bool,
        rng: &mut Random,
        device: &Device,
    ) -> Self {
        let mask = (0..inputs * outputs)
            .map(|at| if reaches(at / outputs, at % outputs) { 1.0 } else { 0.0 })
            .collect();
        let mask: Tensor<2> = Tensor::from_data(TensorData::new(mask, [inputs, outputs]), device);
        let mask = Param::from_tensor(mask).set_require_grad(false);
        Self { weight: weight(inputs, outputs, rng, device), mask }
    }

    /// `(rows, inputs)` to `(rows, outputs)`.
    #[must_use]
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.weight.val() * self.mask.val())
    }

    /// Starts with no effect at all.
    #[must_use]
    pub fn silenced(mut self) -> Self {
        self.weight = self.weight.map(|w| w.zeros_like());
        self
    }
}
