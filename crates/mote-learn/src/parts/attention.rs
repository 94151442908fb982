//! Attention of each sample to those before it and itself, in heads (Vaswani et al. 2017, arXiv
//! 1706.03762), within a window of samples, with a learned bias by distance (Raffel et al. 2020, arXiv
//! 1910.10683).
//!
//! Before the first sample there are zeros, as there are for convolutions: a sample at the start also
//! attends to them, as much as their biases say, and so may attend to nothing. That lets the same
//! weights run over a window or one sample at a time, with keys and values of late as the only state.

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, activation::softmax, module::attention, ops::AttentionModuleOptions},
};

use super::Dense;
use crate::{compile::is_recorded, random::Random};

/// `(batch, time, hidden)` to the same: what each sample takes from the newest `window`.
#[derive(Module, Debug)]
pub struct CausalAttention {
    /// To queries, keys and values, side by side.
    project: Dense,
    out: Dense,
    /// `(heads, window)`, the oldest sample of the window first.
    bias: Param<Tensor<2>>,
}

impl CausalAttention {
    /// A layer with random weights whose heads prefer no sample.
    ///
    /// # Panics
    ///
    /// If `hidden` is no multiple of `heads`, or the window is empty.
    #[must_use]
    pub fn new(
        hidden: usize,
        heads: usize,
        window: usize,
        rng: &mut Random,
        device: &Device,
    ) -> Self {
        assert!(hidden.is_multiple_of(heads), "{hidden} channels in {heads} heads");
        assert!(window > 0, "attention to nothing");
        Self {
            project: Dense::new(hidden, 3 * hidden, rng, device),
            out: Dense::new(hidden, hidden, rng, device),
            bias: Param::from_tensor(Tensor::zeros([heads, window], device)),
        }
    }

    /// Applies the layer.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, time, hidden] = x.dims();
        let [heads, _] = self.bias.dims();
        let width = hidden / heads;
        let all = self.project.forward_series(x);
        let part = |i: usize| all.clone().slice([0..batch, 0..time, i * hidden..(i + 1) * hidden]);
        let split = |x: Tensor<3>| x.reshape([batch, time, heads, width]).swap_dims(1, 2);
        let q = split(part(0) * (1.0 / (width as f32).sqrt()));
        let y = attend(q, split(part(1)), split(part(2)), self.bias.val());
        self.out.forward_series(y.swap_dims(1, 2).reshape([batch, time, hidden]))
    }
}

/// `y[t] = Σ_j p_j · v[t - window + 1 + j]` with `p = softmax_j(q[t] · k[..] + bias[j])` for each head,
/// and zeros before the start. `q`, `k` and `v` are `(batch, heads, time, width)`, `bias` is
/// `(heads, window)`.
///
/// A recording holds it as one operation: Burn's attention, with the bias as `(1, heads, 1, window)`,
/// which is how lowering knows it.
#[must_use]
pub fn attend(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, bias: Tensor<2>) -> Tensor<4> {
    if is_recorded(&q) {
        let bias = bias.unsqueeze_dim::<3>(1).unsqueeze_dim::<4>(0);
        let options = AttentionModuleOptions { scale: Some(1.0), softcap: None, is_causal: true };
        return attention(q, k, v, None, Some(bias), options);
    }
    let [batch, heads, time, _] = q.dims();
    let scores = q.matmul(k.swap_dims(2, 3)) + by_distance(bias.clone(), time);
    let zeros = before_the_start(bias, time).expand([batch, heads, time, 1]);
    let p = softmax(Tensor::cat(vec![scores, zeros], 3), 3);
    p.slice([0..batch, 0..heads, 0..time, 0..time]).matmul(v)
}

/// A score that weighs nothing.
const NOTHING: f32 = -1e9;

/// The bias of sample `s` for sample `t`, `(1, heads, time, time)`: [`NOTHING`] in the future and before
/// the window.
fn by_distance(bias: Tensor<2>, time: usize) -> Tensor<4> {
    let ([heads, window], device) = (bias.dims(), bias.device());
    let nothing = |n: usize| Tensor::<2>::full([heads, n], NOTHING, &device);
    let seen = window.min(time);
    let mut line = vec![bias.slice([0..heads, window - seen..window]), nothing(time)];
    if seen < time {
        line.insert(0, nothing(time - seen));
    }
    // Rows of one number less than the line, from the line again and again, begin one further back each
    // (Huang et al. 2019, arXiv 1809.04281).
    let lines = Tensor::cat(line, 1).repeat_dim(1, time);
    let rows = lines.slice([0..heads, 0..time * (2 * time - 1)]);
    let rows = rows.reshape([1, heads, time, 2 * time - 1]);
    rows.slice([0..1, 0..heads, 0..time, time - 1..2 * time - 1])
}

/// The score of all zeros before the start together, `(1, heads, time, 1)`.
fn before_the_start(bias: Tensor<2>, time: usize) -> Tensor<4> {
    let ([heads, window], device) = (bias.dims(), bias.device());
    let outside =
        (0..window * time).map(|at| if at / time + at % time + 1 < window { 1.0 } else { 0.0 });
    let outside = burn::tensor::TensorData::new(outside.collect::<Vec<f32>>(), [window, time]);
    let weights = bias.exp().matmul(Tensor::from_data(outside, &device));
    weights.clamp_min(f32::MIN_POSITIVE).log().reshape([1, heads, time, 1])
}
