//! Gaussian likelihood and posterior, with the constants that make them nats.

use burn::tensor::Tensor;

/// `½ ln 2π`
const HALF_LN_TAU: f32 = 0.918_938_5;

/// `-ln N(x | mean, e^log_variance)`, element by element.
#[must_use]
pub fn gaussian_nll<const D: usize>(
    x: Tensor<D>,
    mean: Tensor<D>,
    log_variance: Tensor<D>,
) -> Tensor<D> {
    let z = (x - mean) * (log_variance.clone() * -0.5).exp();
    (z.clone() * z + log_variance) * 0.5 + HALF_LN_TAU
}

/// `KL(N(mean, e^log_variance) ‖ N(0, 1))`, element by element: `½ (μ² + σ² - ln σ² - 1)`.
#[must_use]
pub fn kl_from_standard_normal(mean: Tensor<2>, log_variance: Tensor<2>) -> Tensor<2> {
    (mean.clone() * mean + log_variance.clone().exp() - log_variance - 1.0) * 0.5
}

/// Kullback-Leibler divergence of a diagonal normal from another, both as mean and logarithm of the
/// variance, dimension by dimension.
#[must_use]
pub fn kl_between(
    (mean, log_variance): (Tensor<2>, Tensor<2>),
    (other_mean, other_log_variance): (Tensor<2>, Tensor<2>),
) -> Tensor<2> {
    let off = mean - other_mean;
    let inverse = (other_log_variance.clone() * -1.0).exp();
    let relative = log_variance - other_log_variance;
    (off.clone() * off * inverse + relative.clone().exp() - relative - 1.0) * 0.5
}

/// `mean + e^(log_variance / 2) · noise`: a sample through which gradients flow (Kingma and
/// Welling 2014).
#[must_use]
pub fn reparameterize(mean: Tensor<2>, log_variance: Tensor<2>, noise: Tensor<2>) -> Tensor<2> {
    mean + (log_variance * 0.5).exp() * noise
}
