//! How far apart two sets of windows are, as one number that a training can watch.

use burn::tensor::Tensor;

/// Squares of distances are at least this, so that their roots have gradients.
const LEAST: f32 = 1e-12;

/// The energy distance of windows `a` and `b`, both `(batch, time, features)`, divided by the root of
/// the number of their values: `2 E‖a - b‖ - E‖a - a'‖ - E‖b - b'‖` (Székely and Rizzo 2013), which is
/// a maximum mean discrepancy with the kernel `-‖x - y‖` (Sejdinovic et al. 2013). `(1,)`.
///
/// Window `i` of one set is never compared with window `i` of the other, so the two may share what
/// they were completed from; without what they share, the estimate is unbiased: about 0 for equal
/// distributions, and then as often below. Cost `batch² · time · features`.
///
/// # Panics
///
/// If the shapes differ.
#[must_use]
pub fn energy_distance(a: Tensor<3>, b: Tensor<3>) -> Tensor<1> {
    let [batch, time, features] = a.dims();
    assert_eq!([batch, time, features], b.dims(), "sets of windows of one shape");
    let width = time * features;
    let (a, b) = (a.reshape([batch, width]), b.reshape([batch, width]));
    let between = off_diagonal(distances(a.clone(), b.clone())) * 2.0;
    let within = off_diagonal(distances(a.clone(), a)) + off_diagonal(distances(b.clone(), b));
    let pairs = (batch * batch.saturating_sub(1)).max(1) as f32;
    (between - within) / (pairs * (width as f32).sqrt())
}

/// `‖a[i] - b[j]‖` of rows.
fn distances(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    let squares = |x: &Tensor<2>| (x.clone() * x.clone()).sum_dim(1);
    let (of_a, of_b) = (squares(&a), squares(&b).swap_dims(0, 1));
    (of_a + of_b - a.matmul(b.swap_dims(0, 1)) * 2.0).clamp_min(LEAST).sqrt()
}

/// The sum of a square matrix without its diagonal.
fn off_diagonal(x: Tensor<2>) -> Tensor<1> {
    let n = x.dims()[0];
    let diagonal = Tensor::<2>::eye(n, &x.device());
    (x * (diagonal * -1.0 + 1.0)).sum()
}
