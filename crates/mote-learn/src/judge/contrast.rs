//! The hierarchical contrastive loss of TS2Vec.

use burn::tensor::{Device, Tensor, TensorData, activation::log_softmax};

/// What stands for minus infinity where a value is compared with itself.
const NEVER: f32 = -1e9;

/// Two views `(batch, time, outputs)` of the same samples. At each scale, halving time by maxima until
/// one sample is left, half of the loss tells a sample from the same time of other windows, and half
/// from other times of its window; the mean over scales.
pub(super) fn hierarchical(mut first: Tensor<3>, mut second: Tensor<3>) -> Tensor<1> {
    let mut losses = Vec::new();
    loop {
        let [batch, time, _] = first.dims();
        let by_time = |x: &Tensor<3>| x.clone().swap_dims(0, 1);
        let mut loss = Tensor::zeros([1], &first.device());
        if batch > 1 {
            loss = loss + pairs(by_time(&first), by_time(&second)).mul_scalar(0.5);
        }
        if time > 1 {
            loss = loss + pairs(first.clone(), second.clone()).mul_scalar(0.5);
        }
        losses.push(loss);
        if time == 1 {
            break;
        }
        (first, second) = (halved(first), halved(second));
    }
    let scales = losses.len() as f32;
    losses.into_iter().reduce(|a, b| a + b).expect("there is a first scale").div_scalar(scales)
}

/// Of `(groups, items, outputs)`, each item of one view is to be told from all other items of its group
/// in both views by being like itself in the other: mean cross entropy of inner products.
fn pairs(first: Tensor<3>, second: Tensor<3>) -> Tensor<1> {
    let [groups, items, _] = first.dims();
    let device = first.device();
    let both = Tensor::cat(vec![first, second], 1);
    let likeness = both.clone().matmul(both.swap_dims(1, 2));
    let logits = likeness + square(2 * items, NEVER, &device, |i, j| i == j);
    let partners = square(2 * items, 1.0, &device, |i, j| i.abs_diff(j) == items);
    let chosen = (log_softmax(logits, 2) * partners).sum();
    chosen.div_scalar(-((groups * 2 * items) as f32))
}

/// `(1, n, n)`: `value` where a pair of positions is chosen, and zero elsewhere.
fn square(
    n: usize,
    value: f32,
    device: &Device,
    chosen: impl Fn(usize, usize) -> bool,
) -> Tensor<3> {
    let cells = (0..n * n).map(|k| if chosen(k / n, k % n) { value } else { 0.0 });
    Tensor::from_data(TensorData::new(cells.collect::<Vec<f32>>(), [1, n, n]), device)
}

/// Maxima of neighbouring samples; an odd last one is left out.
fn halved(x: Tensor<3>) -> Tensor<3> {
    let [batch, time, outputs] = x.dims();
    let pairs = x.narrow(1, 0, time / 2 * 2).reshape([batch, time / 2, 2, outputs]);
    pairs.max_dim(2).reshape([batch, time / 2, outputs])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loss of `(groups, items, outputs)` by its definition.
    fn plain(a: &[f32], b: &[f32], groups: usize, items: usize, outputs: usize) -> f64 {
        let item = |g: usize, i: usize| {
            let (view, i) = if i < items { (a, i) } else { (b, i - items) };
            &view[(g * items + i) * outputs..][..outputs]
        };
        let mut loss = 0.0;
        for g in 0..groups {
            for i in 0..2 * items {
                let like = |j: usize| -> f64 {
                    item(g, i).iter().zip(item(g, j)).map(|(x, y)| f64::from(x * y)).sum()
                };
                let others = (0..2 * items).filter(|&j| j != i).map(|j| like(j).exp());
                loss += others.sum::<f64>().ln() - like((i + items) % (2 * items));
            }
        }
        loss / (groups * 2 * items) as f64
    }

    #[test]
    fn loss_equals_its_definition() {
        let (groups, items, outputs) = (3, 4, 5);
        let values = |k: usize| -> Vec<f32> {
            (0..groups * items * outputs).map(|i| ((i * k % 17) as f32 - 8.0) / 10.0).collect()
        };
        let (a, b) = (values(5), values(7));
        let tensor = |v: &[f32]| {
            let data = TensorData::new(v.to_vec(), [groups, items, outputs]);
            Tensor::<3>::from_data(data, &Device::flex())
        };
        let ours = f64::from(pairs(tensor(&a), tensor(&b)).into_scalar::<f32>());
        let wanted = plain(&a, &b, groups, items, outputs);
        assert!((ours - wanted).abs() < 1e-5, "{ours} and {wanted}");
        let whole = hierarchical(tensor(&a), tensor(&b)).into_scalar::<f32>();
        assert!(whole.is_finite());
    }

    #[test]
    fn one_window_of_one_sample_has_nothing_to_tell_apart() {
        let x = Tensor::<3>::ones([1, 1, 2], &Device::flex());
        assert_eq!(hierarchical(x.clone(), x).into_scalar::<f32>(), 0.0);
    }

    #[test]
    fn maxima_of_pairs_leave_an_odd_sample_out() {
        let x = TensorData::new(vec![1.0f32, 5.0, 3.0, 2.0, 9.0], [1, 5, 1]);
        let halves = halved(Tensor::from_data(x, &Device::flex())).into_data();
        assert_eq!(halves.iter::<f32>().collect::<Vec<_>>(), [5.0, 3.0]);
    }
}
