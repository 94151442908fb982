//! Where points lie densely: histograms, kernel densities, and a flat view of a latent.
//!
//! Points are flat `(rows, width)` slices, row major.

mod histogram;
mod kernel;
mod principal;

pub use histogram::Histogram;
pub use kernel::{CurvePoint, KernelDensity, MAX_POINTS, density_curve};
pub(crate) use principal::covariance;
pub use principal::{MAX_WIDTH, Principal};
