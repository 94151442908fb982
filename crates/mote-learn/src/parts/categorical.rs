//! Choices among a few: their logarithms, and how one is drawn with normal noise.

use burn::tensor::Tensor;

/// `ln Σ e^x` along `axis`, which stays with length one.
#[must_use]
pub fn log_sum_exp(x: Tensor<3>, axis: usize) -> Tensor<3> {
    // The gradient through the greatest cancels, so it need not be taken.
    let top = x.clone().max_dim(axis).detach();
    (x - top.clone()).exp().sum_dim(axis).log() + top
}

/// `x - ln Σ e^x` along `axis`: logarithms of probabilities that sum to one.
#[must_use]
pub fn log_softmax(x: Tensor<3>, axis: usize) -> Tensor<3> {
    x.clone() - log_sum_exp(x, axis)
}

/// Draws one of `n` with probabilities in proportion to `e^log_weights`, each along the last axis:
/// `(.., .., n)` to 1 at what is drawn and 0 elsewhere. `noise` is standard normal, `(.., .., 2·n)`.
///
/// Half of the sum of two squared normal numbers is exponential; of exponential times over weights the
/// least is each with the probability of its weight. In logarithms this is the Gumbel-max trick
/// (Maddison et al. 2014), made of operations that programs have.
#[must_use]
pub fn draw_one(log_weights: Tensor<3>, noise: Tensor<3>) -> Tensor<3> {
    let [a, b, n] = log_weights.dims();
    let first = noise.clone().slice([0..a, 0..b, 0..n]);
    let second = noise.slice([0..a, 0..b, n..2 * n]);
    let time = (first.clone() * first + second.clone() * second) * 0.5;
    let raced = log_weights - time.clamp_min(1e-30).log();
    chosen(raced)
}

/// 1 at the greatest along the last axis and 0 elsewhere. No gradient goes through it.
#[must_use]
pub(crate) fn chosen(x: Tensor<3>) -> Tensor<3> {
    let behind = x.clone() - x.max_dim(2);
    // Two different numbers of one size are further apart than the steepness needs.
    (behind * STEEP + 1.0).clamp(0.0, 1.0).detach()
}

/// So steep that a ramp between neighbouring numbers is a step.
pub(crate) const STEEP: f32 = 1e30;
