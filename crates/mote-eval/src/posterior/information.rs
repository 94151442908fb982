//! How much the latent tells about the input.

use crate::{Result, input, random::SplitMix};

/// The most rows of [`mutual_information`], whose cost grows with their square.
pub const MAX_INFORMATION_ROWS: usize = 4096;

/// Mutual information between input and latent under the encoder, in nats: `E[ln q(z|x) − ln 1/n Σᵢ
/// q(z|xᵢ)]` with one sample of `z` for each row (Hoffman and Johnson, 2016).
///
/// `mean` and `log_variance` are `(rows, width)` row major. The estimate cannot exceed `ln rows`;
/// near that it says only that every row can be told apart. Same `seed`, same estimate. Cost
/// `O(rows² · width)`.
///
/// # Errors
///
/// As [`super::Posterior::of`], or more than [`MAX_INFORMATION_ROWS`] rows.
pub fn mutual_information(
    mean: &[f64],
    log_variance: &[f64],
    width: usize,
    seed: u64,
) -> Result<f64> {
    let rows = input::rows("mean", mean, width)?;
    input::same_length("mean", mean, "log_variance", log_variance)?;
    input::finite("log_variance", log_variance)?;
    input::at_least("rows", rows, 2)?;
    input::at_most("rows", rows, MAX_INFORMATION_ROWS)?;

    let mut rng = SplitMix::new(seed);
    let posteriors = || mean.chunks_exact(width).zip(log_variance.chunks_exact(width));
    let mut sum = 0.0;
    for (m, v) in posteriors() {
        let z: Vec<f64> =
            m.iter().zip(v).map(|(m, v)| m + (v / 2.0).exp() * rng.normal()).collect();
        let own = log_density(&z, m, v);
        // Relative to the own density, which is one of the terms: so the sum is never zero.
        let all: f64 = posteriors().map(|(m, v)| (log_density(&z, m, v) - own).exp()).sum();
        sum -= (all / rows as f64).ln();
    }
    Ok(sum / rows as f64)
}

/// Log-density of a diagonal Gaussian without the constant, which cancels.
fn log_density(z: &[f64], mean: &[f64], log_variance: &[f64]) -> f64 {
    let terms = z.iter().zip(mean).zip(log_variance);
    -0.5 * terms.map(|((z, m), v)| (z - m) * (z - m) * (-v).exp() + v).sum::<f64>()
}
