//! Do generated windows lie where real ones do, and everywhere they do?

use serde::Serialize;

use super::neighbours::{affordable, each_pair, radii};
use crate::{Error, Result, Windows, input};

/// Outcome of [`support`]. All but `density` are shares from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Support {
    /// Share of generated windows within the ball of a real one: are they plausible?
    pub precision: f64,
    /// Share of real windows within the ball of a generated one. One far generated window with its
    /// huge ball can cover everything; `coverage` is not fooled so.
    pub recall: f64,
    /// Real balls that a generated window lies in, on average, over `k`: precision that outliers of
    /// the real data do not lift. About 1 for equal distributions, and may be above.
    pub density: f64,
    /// Share of real windows with a generated one in their ball: is everything there?
    pub coverage: f64,
}

/// Precision and recall (Kynkäänniemi et al., 2019), density and coverage (Naeem et al., 2020) with
/// balls that reach to the `k`-th nearest window of the same set; 5 is usual.
///
/// Distances are Euclidean, between whole windows or embeddings. With equally many windows, coverage
/// of equal distributions is about `1 − 2⁻ᵏ`, and depends on how many there are: compare equal
/// numbers only. Cost `(n + m)² · width`.
///
/// # Errors
///
/// Sets of different shape, `k` of zero, not more than `k` windows, or more than
/// [`MAX_PAIRS`](super::MAX_PAIRS) pairs.
pub fn support(real: Windows<'_>, generated: Windows<'_>, k: usize) -> Result<Support> {
    affordable(real, generated)?;
    if k == 0 {
        return Err(Error::OutOfRange { what: "k", value: 0.0, wanted: "at least 1" });
    }
    for windows in [real, generated] {
        affordable(windows, windows)?;
        input::at_least("windows", windows.count(), k + 1)?;
    }
    let (real_radii, generated_radii) = (radii(real, k), radii(generated, k));
    let (n, m) = (real.count(), generated.count());
    let (mut precise, mut recalled, mut covered) = (vec![false; m], vec![false; n], vec![false; n]);
    let mut inside = 0_u64;
    each_pair(real, generated, |i, j, square| {
        if square < real_radii[i] {
            precise[j] = true;
            covered[i] = true;
            inside += 1;
        }
        recalled[i] |= square < generated_radii[j];
    });
    let share = |marks: &[bool]| marks.iter().filter(|m| **m).count() as f64 / marks.len() as f64;
    Ok(Support {
        precision: share(&precise),
        recall: share(&recalled),
        density: inside as f64 / (k * m) as f64,
        coverage: share(&covered),
    })
}
