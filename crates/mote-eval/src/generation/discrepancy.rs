//! Maximum mean discrepancy with a Gaussian kernel.

use serde::Serialize;

use super::neighbours::{affordable, each_pair};
use crate::{Error, Result, Windows, input};

/// Windows of each set from which the median distance is taken, evenly spaced.
const MEDIAN_WINDOWS: usize = 500;

/// Outcome of [`mean_discrepancy`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Discrepancy {
    /// The unbiased estimate of MMD²: about 0 for equal distributions, and then as often below.
    pub squared: f64,
    /// Width `σ` of the kernel.
    pub bandwidth: f64,
}

/// The unbiased estimate of the squared maximum mean discrepancy with the kernel
/// `exp(−‖x − y‖² / 2σ²)` (Gretton et al., 2012, equation 3), of whole windows.
///
/// Without a `bandwidth`, `σ` is the median distance between different windows of both sets together,
/// from at most 500 evenly spaced windows of each. It depends on the generated windows too; to compare
/// models pass the one of real windows against themselves to all. Cost `(n + m)² · width`.
///
/// # Errors
///
/// Sets of different shape, fewer than two windows, a bandwidth that is not positive, windows that
/// are all the same, or more than [`MAX_PAIRS`](super::MAX_PAIRS) pairs.
pub fn mean_discrepancy(
    real: Windows<'_>,
    generated: Windows<'_>,
    bandwidth: Option<f64>,
) -> Result<Discrepancy> {
    real.same_shape(&generated)?;
    for windows in [real, generated] {
        input::at_least("windows", windows.count(), 2)?;
        affordable(windows, windows)?;
    }
    let bandwidth = match bandwidth {
        Some(width) if width > 0.0 && width.is_finite() => width,
        Some(value) => {
            return Err(Error::OutOfRange { what: "bandwidth", value, wanted: "above 0" });
        }
        None => median_distance(real, generated)?,
    };
    let scale = -0.5 / (bandwidth * bandwidth);
    let mean_kernel = |a: Windows<'_>, b: Windows<'_>, pairs: f64, own: f64| {
        let mut sum = 0.0;
        each_pair(a, b, |_, _, square| sum += (scale * f64::from(square)).exp());
        (sum - own) / pairs
    };
    let (n, m) = (real.count() as f64, generated.count() as f64);
    let squared = mean_kernel(real, real, n * (n - 1.0), n)
        + mean_kernel(generated, generated, m * (m - 1.0), m)
        - 2.0 * mean_kernel(real, generated, n * m, 0.0);
    Ok(Discrepancy { squared, bandwidth })
}

fn median_distance(real: Windows<'_>, generated: Windows<'_>) -> Result<f64> {
    let mut pooled = Vec::new();
    for windows in [real, generated] {
        let taken = windows.count().min(MEDIAN_WINDOWS);
        for i in 0..taken {
            pooled.extend_from_slice(windows.window(i * windows.count() / taken));
        }
    }
    let pooled = Windows::new(&pooled, real.length(), real.features())?;
    let mut squares = Vec::new();
    each_pair(pooled, pooled, |i, j, square| {
        if i < j {
            squares.push(f64::from(square));
        }
    });
    let squared = crate::median(&squares)?;
    if squared > 0.0 {
        return Ok(squared.sqrt());
    }
    let value = f64::from(pooled.data()[0]);
    Err(Error::Constant { what: "windows", value, count: pooled.count() })
}
