//! Counts in equal bins.

use serde::Serialize;

use crate::{Result, input};

/// The most bins of a histogram.
const MAX_BINS: usize = 100_000;

/// Counts of values in bins of equal width.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Histogram {
    /// Left edge of the first bin.
    pub low: f64,
    /// Right edge of the last bin, which holds the values equal to it.
    pub high: f64,
    /// `(bins,)`
    pub counts: Vec<usize>,
}

impl Histogram {
    /// Counts `values` in `bins` bins between their smallest and their largest.
    ///
    /// A single distinct value is given the range ±0.5 around it, as NumPy does.
    ///
    /// # Errors
    ///
    /// Empty or non-finite input, no bins, or more than 100,000.
    pub fn of(values: &[f64], bins: usize) -> Result<Self> {
        input::some("values", values)?;
        input::finite("values", values)?;
        input::at_least("bins", bins, 1)?;
        input::at_most("bins", bins, MAX_BINS)?;
        let mut low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let mut high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if low == high {
            (low, high) = (low - 0.5, high + 0.5);
        }
        let mut counts = vec![0; bins];
        for value in values {
            let bin = ((value - low) / (high - low) * bins as f64) as usize;
            counts[bin.min(bins - 1)] += 1;
        }
        Ok(Self { low, high, counts })
    }

    /// Width of a bin.
    pub fn bin_width(&self) -> f64 {
        (self.high - self.low) / self.counts.len() as f64
    }
}
