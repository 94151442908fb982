//! How many different windows does a model make? Vendi score and birthday paradox.

use serde::Serialize;

use super::neighbours::{affordable, each_pair};
use crate::{Error, Result, Windows, input, symmetric::eigen};

/// The most windows of a [`vendi_score`], whose cost grows with their cube.
pub const MAX_VENDI_WINDOWS: usize = 1_000;

/// The effective number of different windows, from 1 to their count: the exponential of the entropy
/// of the eigenvalues of `K / n` (Friedman and Dieng, 2023), with `K` the kernel
/// `exp(−‖x − y‖² / 2σ²)`.
///
/// Compare it with the score of equally many real windows with the same `bandwidth`, for which
/// [`Discrepancy::bandwidth`](super::Discrepancy::bandwidth) is a good choice; by itself it says
/// little.
///
/// # Errors
///
/// A bandwidth that is not positive, or more than [`MAX_VENDI_WINDOWS`].
pub fn vendi_score(windows: Windows<'_>, bandwidth: f64) -> Result<f64> {
    let n = windows.count();
    input::at_most("windows", n, MAX_VENDI_WINDOWS)?;
    if !(bandwidth > 0.0 && bandwidth.is_finite()) {
        return Err(Error::OutOfRange { what: "bandwidth", value: bandwidth, wanted: "above 0" });
    }
    let scale = -0.5 / (bandwidth * bandwidth);
    let mut kernel = vec![0.0; n * n];
    each_pair(windows, windows, |i, j, square| {
        kernel[i * n + j] = (scale * f64::from(square)).exp() / n as f64;
    });
    let entropy: f64 =
        eigen(kernel, n).values.iter().filter(|v| **v > 0.0).map(|v| -v * v.ln()).sum();
    Ok(entropy.exp())
}

/// Outcome of [`birthday`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Birthday {
    /// Pairs of generated windows nearer to one another than `distance`.
    pub twins: u64,
    /// Pairs of windows.
    pub pairs: u64,
    /// `pairs / twins`: about how many different windows the model can make. None without twins: more
    /// than could be told from so few.
    pub variety: Option<f64>,
    /// What counts as the same.
    pub distance: f64,
}

/// The birthday paradox test (Arora, Risteski and Zhang, 2018): among `n` draws from `N` equally
/// likely things, `n² / 2N` pairs are the same.
///
/// Two windows are the same if they are nearer than any two of `real`; where real windows repeat, only
/// equal ones are. Give it real windows that do not overlap, and about as many as generated ones.
///
/// # Errors
///
/// Sets of different shape, fewer than two windows, or more than [`MAX_PAIRS`](super::MAX_PAIRS)
/// pairs.
pub fn birthday(real: Windows<'_>, generated: Windows<'_>) -> Result<Birthday> {
    real.same_shape(&generated)?;
    for windows in [real, generated] {
        input::at_least("windows", windows.count(), 2)?;
        affordable(windows, windows)?;
    }
    let mut least = f32::INFINITY;
    each_pair(real, real, |i, j, square| {
        if i < j {
            least = least.min(square);
        }
    });
    let mut twins = 0;
    each_pair(generated, generated, |i, j, square| {
        twins += u64::from(i < j && (square < least || square == 0.0));
    });
    let n = generated.count() as u64;
    let pairs = n * (n - 1) / 2;
    let variety = (twins > 0).then(|| pairs as f64 / twins as f64);
    Ok(Birthday { twins, pairs, variety, distance: f64::from(least).sqrt() })
}
