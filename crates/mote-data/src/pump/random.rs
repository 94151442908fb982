//! Random numbers of two shapes, from the one generator of a run.

use rand_chacha::{ChaCha8Rng, rand_core::Rng};

/// Uniform in `[low, high)`.
pub(super) fn uniform(rng: &mut ChaCha8Rng, low: f64, high: f64) -> f64 {
    // 53 bits, as many as a float of 64 bits has.
    let unit = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    low + (high - low) * unit
}

/// Normal with mean 0 and deviation 1, by Box and Muller.
pub(super) fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - uniform(rng, 0.0, 1.0)).ln()).sqrt();
    radius * uniform(rng, 0.0, std::f64::consts::TAU).cos()
}
