//! How far the outputs of a program spread.

use mote_format::Verified;
use mote_runtime::{Level, Loaded};

use crate::{Error, Found, Sample, ranges::fill};

/// Numbers of each output that are looked at, at most.
const SEEN: usize = 1 << 16;

/// For each output of `program` half of the way between the quartiles of its elements over `samples`, which
/// those far out do not move, but no less than a tenth of their standard deviation; one where it does
/// not move. In this unit errors of outputs of different kinds can be added.
///
/// # Errors
///
/// [`Error::NoSamples`], [`Error::Sample`], [`Error::Load`].
pub(crate) fn units(
    program: &Verified,
    tensors: &Found<'_>,
    samples: &[Sample],
) -> Result<Vec<f64>, Error> {
    if samples.is_empty() {
        return Err(Error::NoSamples);
    }
    let mut instance = Loaded::from_parts(Level::best(), program, tensors)?.instance();
    let mut seen: Vec<Vec<f32>> = vec![Vec::new(); program.outputs.len()];
    for (i, sample) in samples.iter().enumerate() {
        fill(&mut instance, sample, i)?;
        instance.run();
        for (port, seen) in program.outputs.iter().zip(&mut seen) {
            let y = instance.output(port.value).iter().filter(|y| y.is_finite());
            let step = (samples.len() * program.elements(port.value)).div_ceil(SEEN).max(1);
            seen.extend(y.skip(i % step).step_by(step));
        }
    }
    Ok(seen.into_iter().map(unit).collect())
}

fn unit(mut y: Vec<f32>) -> f64 {
    y.sort_by(f32::total_cmp);
    let n = y.len().max(1);
    let quartile = |k: usize| y.get(k * n / 4).map_or(0.0, |y| f64::from(*y));
    let mean = y.iter().map(|y| f64::from(*y)).sum::<f64>() / n as f64;
    let variance = y.iter().map(|y| (f64::from(*y) - mean).powi(2)).sum::<f64>() / n as f64;
    let unit = (0.5 * (quartile(3) - quartile(1))).max(0.1 * variance.sqrt());
    // A millionth of the size of the numbers is rounding.
    if unit > 1e-6 * (1.0 + mean.abs()) { unit } else { 1.0 }
}
