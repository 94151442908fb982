//! Convolutions that change the pace of a series: kernel `2·stride`, so that windows overlap by half.
//!
//! With that kernel a window is the current patch of `stride` samples and the one before it. The
//! convolution is then one matrix product over pairs of patches, its gradient two more, and no
//! sample is copied more than twice. It looks only backwards.

use burn::{
    module::{Module, Param},
    tensor::{
        Device, Tensor,
        module::{conv_transpose1d, conv1d},
        ops::{ConvOptions, ConvTransposeOptions},
    },
};

use super::{vector, weight};
use crate::random::Random;

/// `(batch, time, inputs)` to `(batch, time / stride, outputs)`.
#[derive(Module, Debug)]
pub struct PatchConv {
    /// `(2·stride · inputs, outputs)`, oldest sample first.
    pub weight: Param<Tensor<2>>,
    /// `(outputs,)`
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    stride: usize,
}

impl PatchConv {
    /// A layer with random weights.
    #[must_use]
    pub fn new(
        inputs: usize,
        outputs: usize,
        stride: usize,
        rng: &mut Random,
        device: &Device,
    ) -> Self {
        Self {
            weight: weight(2 * stride * inputs, outputs, rng, device),
            bias: vector(outputs, 0.0, device),
            stride,
        }
    }

    /// # Panics
    ///
    /// If `time` is no multiple of the stride.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, time, inputs] = x.dims();
        let stride = self.stride;
        assert_eq!(time % stride, 0, "a series of {time} does not fall into patches of {stride}");
        if x.device().is_autodiff() {
            let patches = x.reshape([batch, time / stride, stride * inputs]);
            let pairs =
                with_previous(patches).reshape([batch * time / stride, 2 * stride * inputs]);
            let y = pairs.matmul(self.weight.val()) + self.bias.val().unsqueeze();
            let outputs = y.dims()[1];
            return y.reshape([batch, time / stride, outputs]);
        }
        let outputs = self.weight.dims()[1];
        let kernel = self.weight.val().reshape([2 * stride, inputs, outputs]).permute([2, 1, 0]);
        let options = ConvOptions::new_with_padding([stride], [(stride, 0)], [1], 1);
        conv1d(x.swap_dims(1, 2), kernel, Some(self.bias.val()), options).swap_dims(1, 2)
    }
}

/// Each row behind the row before it: `(batch, rows, n)` to `(batch, rows, 2·n)`, zeros first.
fn with_previous(rows: Tensor<3>) -> Tensor<3> {
    let [batch, count, n] = rows.dims();
    let first = Tensor::zeros([batch, 1, n], &rows.device());
    let previous = rows.clone().slice([0..batch, 0..count - 1, 0..n]);
    Tensor::cat(vec![Tensor::cat(vec![first, previous], 1), rows], 2)
}

/// The way back: `(batch, time, inputs)` to `(batch, time · stride, outputs)`.
#[derive(Module, Debug)]
pub struct PatchConvTranspose {
    /// `(inputs, 2·stride · outputs)`, current patch first, then what it adds to the next one.
    pub weight: Param<Tensor<2>>,
    /// `(outputs,)`
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    stride: usize,
}

impl PatchConvTranspose {
    /// A layer with random weights.
    #[must_use]
    pub fn new(
        inputs: usize,
        outputs: usize,
        stride: usize,
        rng: &mut Random,
        device: &Device,
    ) -> Self {
        Self {
            weight: weight(inputs, 2 * stride * outputs, rng, device),
            bias: vector(outputs, 0.0, device),
            stride,
        }
    }

    /// Applies the layer.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, time, inputs] = x.dims();
        let (stride, [outputs]) = (self.stride, self.bias.dims());
        if x.device().is_autodiff() {
            let patch = stride * outputs;
            let y = x.reshape([batch * time, inputs]).matmul(self.weight.val());
            let y = y.reshape([batch, time, 2 * patch]);
            let current = y.clone().slice([0..batch, 0..time, 0..patch]);
            let next = y.slice([0..batch, 0..time - 1, patch..2 * patch]);
            let first = Tensor::zeros([batch, 1, patch], &next.device());
            let sum = current + Tensor::cat(vec![first, next], 1);
            return sum.reshape([batch, time * stride, outputs]) + self.bias.val().unsqueeze();
        }
        let kernel = self.weight.val().reshape([inputs, 2 * stride, outputs]).swap_dims(1, 2);
        let options = ConvTransposeOptions::new([stride], [0], [0], [1], 1);
        let y = conv_transpose1d(x.swap_dims(1, 2), kernel, Some(self.bias.val()), options);
        y.slice([0..batch, 0..outputs, 0..time * stride]).swap_dims(1, 2)
    }
}
