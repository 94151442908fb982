//! Each layer has two forms, one product for gradients and one canonical operation: they are equal.

use burn::tensor::{Device, Tensor, TensorData};
use mote_learn::{
    parts::{CausalConv, PatchConv, PatchConvTranspose},
    random::{Purpose, Random},
};

fn rng() -> Random {
    Random::new(7, Purpose::Weights, 0)
}

fn series(batch: usize, time: usize, channels: usize, device: &Device) -> Tensor<3> {
    let data = Random::new(1, Purpose::Noise, 0).normal(batch * time * channels);
    Tensor::from_data(TensorData::new(data, [batch, time, channels]), device)
}

/// Runs `layer` in both forms on the same numbers.
#[track_caller]
fn check(shape: [usize; 3], layer: impl Fn(Tensor<3>, &Device) -> Tensor<3>) {
    let [batch, time, channels] = shape;
    let plain = Device::flex();
    let learning = Device::flex().autodiff();
    let canonical = layer(series(batch, time, channels, &plain), &plain);
    let product = layer(series(batch, time, channels, &learning), &learning).inner();
    assert_eq!(canonical.dims(), product.dims());
    let difference = (canonical.clone() - product).abs().max().into_scalar::<f32>();
    let size = canonical.abs().max().into_scalar::<f32>();
    assert!(difference <= 1e-5 * size.max(1.0), "{shape:?}: {difference} of {size}");
}

#[test]
fn patch_conv_is_a_strided_causal_convolution() {
    for stride in [1, 2, 4] {
        for shape in [[1, stride, 1], [2, 8 * stride, 3], [3, 12, 5]] {
            check(shape, |x, d| PatchConv::new(x.dims()[2], 4, stride, &mut rng(), d).forward(x));
        }
    }
}

#[test]
fn patch_conv_transpose_is_a_transposed_convolution() {
    for stride in [1, 2, 3] {
        for shape in [[1, 1, 1], [2, 6, 3], [3, 5, 4]] {
            check(shape, |x, d| {
                PatchConvTranspose::new(x.dims()[2], 2, stride, &mut rng(), d).forward(x)
            });
        }
    }
}

#[test]
fn causal_conv_is_a_dilated_convolution() {
    for dilation in [1, 2, 4, 8] {
        for shape in [[1, 1, 1], [2, 9, 3], [2, 16, 4]] {
            check(shape, |x, d| {
                CausalConv::new(x.dims()[2], 5, dilation, &mut rng(), d).forward(x)
            });
        }
    }
}
