//! What families are composed of: layers, masks, likelihoods. Each lives in one place.
//!
//! Series are `(batch, time, channels)` throughout. Every layer of a convolution is written as one
//! matrix product over rows, because that is the form in which a CPU computes gradients fastest;
//! where nothing is to be learned (validation, capture) the same layer is the canonical operation.

mod attention;
mod categorical;
mod causal;
mod codebook;
mod dense;
mod discrepancy;
mod experts;
mod gaussian;
mod guess;
mod masked;
mod mixer;
mod mixture;
mod moment;
mod norm;
mod patch;
mod separable;
mod smooth;
mod spline;
mod standardize;

pub use attention::{CausalAttention, attend};
pub use categorical::{draw_one, log_softmax, log_sum_exp};
pub(crate) use causal::delayed;
pub use causal::{CausalConv, CausalStack};
pub use codebook::Codebook;
pub use dense::Dense;
pub use discrepancy::energy_distance;
pub use experts::{Experts, Routes};
pub use gaussian::{gaussian_nll, kl_between, kl_from_standard_normal, reparameterize};
pub use guess::Guess;
pub use masked::MaskedDense;
pub use mixer::{Mixer, MixerSize};
pub use mixture::MixtureHead;
pub use moment::Moment;
pub use norm::LayerNorm;
pub use patch::{PatchConv, PatchConvTranspose};
pub use separable::{Angle, Separable};
pub use smooth::{SmoothMixer, Trace};
pub use spline::Spline;
pub use standardize::Standardize;

use burn::{
    module::Param,
    tensor::{Device, Tensor, TensorData},
};

use crate::random::Random;

/// A weight of shape `(inputs, outputs)`, uniform within `±1/√inputs` as is usual for layers with
/// rectifiers behind them (He et al. 2015, gain 1/√3).
pub(crate) fn weight(
    inputs: usize,
    outputs: usize,
    rng: &mut Random,
    device: &Device,
) -> Param<Tensor<2>> {
    let bound = 1.0 / (inputs.max(1) as f32).sqrt();
    let data = rng.uniform(inputs * outputs, bound);
    Param::from_data(TensorData::new(data, [inputs, outputs]), device)
}

/// A vector of equal numbers that is learned.
pub(crate) fn vector(n: usize, value: f32, device: &Device) -> Param<Tensor<1>> {
    Param::from_data(TensorData::new(vec![value; n], [n]), device)
}
