//! Mode coverage: which of the known clusters of a toy distribution does a model find?

use serde::Serialize;

use crate::{Error, Result, Windows, input};

/// Deviations from a centre within which a sample is of high quality, as in VEEGAN and PacGAN.
const NEAR_DEVIATIONS: f64 = 3.0;

/// Clusters of equal weight and width.
#[derive(Clone, Debug)]
pub struct Modes {
    /// `(modes, width)`
    centres: Vec<f64>,
    width: usize,
    /// Of each coordinate.
    deviation: f64,
}

/// Outcome of [`Modes::coverage`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModeCoverage {
    /// Modes with at least one high-quality sample.
    pub found: usize,
    /// Modes there are.
    pub modes: usize,
    /// Share of samples within three deviations of a centre.
    pub high_quality: f64,
    /// `(modes,)`: high-quality samples of each.
    pub counts: Vec<usize>,
    /// Kullback-Leibler divergence of the distribution of high-quality samples over modes from the
    /// uniform one, in nats: 0 is ideal, `ln modes` one mode only. None where no sample is near one.
    pub divergence: Option<f64>,
}

impl Modes {
    /// Takes centres `(modes, width)`.
    ///
    /// # Errors
    ///
    /// Empty or non-finite centres, no whole number of them, or a deviation that is not positive.
    pub fn new(centres: Vec<f64>, width: usize, deviation: f64) -> Result<Self> {
        input::rows("centres", &centres, width)?;
        if !(deviation > 0.0 && deviation.is_finite()) {
            let wanted = "above 0";
            return Err(Error::OutOfRange { what: "deviation", value: deviation, wanted });
        }
        Ok(Self { centres, width, deviation })
    }

    /// The grid of 25 Gaussians that GANs are tried on: centres at -4, -2, 0, 2, 4 in each of two
    /// coordinates, with a deviation of 0.05 (Srivastava et al., *VEEGAN*, 2017; PacGAN).
    #[must_use]
    pub fn grid_of_25() -> Self {
        let steps = [-4.0, -2.0, 0.0, 2.0, 4.0];
        let centres = steps.iter().flat_map(|&x| steps.iter().flat_map(move |&y| [x, y])).collect();
        Self { centres, width: 2, deviation: 0.05 }
    }

    /// Counts the samples near each mode. 2,500 samples are usual.
    ///
    /// A sample belongs to the nearest centre, if that is within three deviations. In two dimensions
    /// 1.1 % of samples of the true distribution are not; in more dimensions many more are.
    ///
    /// # Errors
    ///
    /// Samples of another width.
    pub fn coverage(&self, samples: Windows<'_>) -> Result<ModeCoverage> {
        let modes = self.centres.len() / self.width;
        if samples.width() != self.width {
            let (left, right) = ((1, self.width), (samples.length(), samples.features()));
            return Err(Error::Shapes { left, right });
        }
        let mut counts = vec![0; modes];
        for sample in samples.data().chunks_exact(self.width) {
            let squares = self.centres.chunks_exact(self.width).map(|centre| {
                let pairs = centre.iter().zip(sample);
                pairs.map(|(c, x)| (c - f64::from(*x)).powi(2)).sum::<f64>()
            });
            let nearest = squares.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
            if let Some((mode, square)) = nearest
                && square.sqrt() <= NEAR_DEVIATIONS * self.deviation
            {
                counts[mode] += 1;
            }
        }
        let near: usize = counts.iter().sum();
        let divergence = (near > 0).then(|| {
            let shares = counts.iter().map(|&c| c as f64 / near as f64).filter(|p| *p > 0.0);
            shares.map(|p| p * (p * modes as f64).ln()).sum()
        });
        Ok(ModeCoverage {
            found: counts.iter().filter(|c| **c > 0).count(),
            modes,
            high_quality: near as f64 / samples.count() as f64,
            counts,
            divergence,
        })
    }
}
