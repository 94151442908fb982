//! Has the latent space of a trained model collapsed, is its codebook used? Asked on held-back windows.

use burn::tensor::{Device, Tensor, TensorData};
use mote_eval::Posterior;
use serde::Serialize;

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
    let (mut mean, mut log_variance, mut width) = (Vec::new(), Vec::new(), 0);
    each_chunk(windows, |x, mask| {
        let (m, v) = encoder.encode(x, mask);
        width = m.dims()[1];
        mean.extend(numbers(m));
        log_variance.extend(numbers(v));
    });
    Posterior::of(&mean, &log_variance, width).ok()
}

/// How much of a codebook is used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Codebook {
    /// Codes in the book.
    pub codes: usize,
    /// Codes that stand for something.
    pub used: usize,
    /// `e^entropy` of how often each is taken: as many codes, if they were taken alike.
    pub perplexity: f64,
}

/// The codebook over held-back windows, or `None` where there is none.
#[must_use]
pub fn codebook<M: Family>(model: &M, windows: &dyn Windows) -> Option<Codebook> {
    let quantizer = model.quantizer()?;
    let mut taken: Vec<f64> = Vec::new();
    each_chunk(windows, |x, mask| {
        let choice = quantizer.quantize(x, mask);
        let [batch, places, codes] = choice.dims();
        let sums = choice.reshape([batch * places, codes]).sum_dim(0);
        taken.resize(codes, 0.0);
        taken.iter_mut().zip(numbers(sums)).for_each(|(all, more)| *all += more);
    });
    let total: f64 = taken.iter().sum();
    let shares = taken.iter().filter(|&&n| n > 0.0).map(|n| n / total);
    let entropy: f64 = shares.clone().map(|p| -p * p.ln()).sum();
    Some(Codebook { codes: taken.len(), used: shares.count(), perplexity: entropy.exp() })
}

/// Shows held-back windows, spread evenly, as values and masks `(batch, time, features)`.
fn each_chunk(windows: &dyn Windows, mut look: impl FnMut(Tensor<3>, Tensor<3>)) {
    let [length, features] = windows.shape();
    let count = windows.len().min(WINDOWS);
    for chunk in (0..count).collect::<Vec<_>>().chunks(128) {
        let rows: Vec<usize> = chunk.iter().map(|i| i * windows.len() / count).collect();
        let (x, mask) = gather(windows, &rows);
        let tensor = |v| {
            let data = TensorData::new(v, [rows.len(), length, features]);
            Tensor::<3>::from_data(data, &Device::flex())
        };
        look(tensor(x), tensor(mask));
    }
}

fn numbers(t: Tensor<2>) -> Vec<f64> {
    let numbers = t.into_data().try_to_vec::<f32>().expect("models compute in f32");
    numbers.into_iter().map(f64::from).collect()
}
