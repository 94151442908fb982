//! Has the latent space of a trained model collapsed? Asked on held-back windows.

use burn::tensor::{Device, Tensor, TensorData};
use mote_eval::Posterior;

use crate::{
    families::Family,
    train::{Windows, gather},
};

/// Windows that are looked at: enough for variances, few enough not to be felt.
const WINDOWS: usize = 1024;

/// The posterior over held-back windows, or `None` where there is no latent space or too few
/// windows to speak of one.
#[must_use]
pub fn posterior<M: Family>(model: &M, windows: &dyn Windows) -> Option<Posterior> {
    let encoder = model.encoder()?;
    let [length, features] = windows.shape();
    let count = windows.len().min(WINDOWS);
    let (mut mean, mut log_variance, mut width) = (Vec::new(), Vec::new(), 0);
    for chunk in (0..count).collect::<Vec<_>>().chunks(128) {
        let rows: Vec<usize> = chunk.iter().map(|i| i * windows.len() / count).collect();
        let (x, mask) = gather(windows, &rows);
        let tensor = |v| {
            let data = TensorData::new(v, [rows.len(), length, features]);
            Tensor::<3>::from_data(data, &Device::flex())
        };
        let (m, v) = encoder.encode(tensor(x), tensor(mask));
        width = m.dims()[1];
        mean.extend(numbers(m));
        log_variance.extend(numbers(v));
    }
    Posterior::of(&mean, &log_variance, width).ok()
}

fn numbers(t: Tensor<2>) -> Vec<f64> {
    let numbers = t.into_data().try_to_vec::<f32>().expect("models compute in f32");
    numbers.into_iter().map(f64::from).collect()
}
