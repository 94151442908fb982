//! How near one program comes to another.

use mote_format::Verified;
use mote_runtime::{Level, Loaded};

use crate::{Error, Found, Ports, Sample, ranges::fill};

/// How near an output of one program is to that of another.
#[derive(Clone, Debug, PartialEq)]
pub struct Fidelity {
    /// The output.
    pub name: String,
    /// Power of the reference over power of the difference, in decibels; infinite where both agree.
    pub signal_to_noise_db: f64,
    /// The largest difference.
    pub largest_difference: f64,
}

/// Compares `other` with `reference`, of whose ports it has what `left` says, on `samples`.
///
/// # Errors
///
/// [`Error::NoSamples`], [`Error::Sample`], [`Error::Load`].
///
/// # Panics
///
/// If the outputs are not the same.
pub fn fidelity(
    reference: (&Verified, &Found<'_>),
    other: (&Verified, &Found<'_>),
    samples: &[Sample],
    left: &Ports,
) -> Result<Vec<Fidelity>, Error> {
    if samples.is_empty() {
        return Err(Error::NoSamples);
    }
    let mut a = Loaded::from_parts(Level::best(), reference.0, reference.1)?.instance();
    let mut b = Loaded::from_parts(Level::best(), other.0, other.1)?.instance();
    let ports = &reference.0.outputs;
    let mut sums = vec![(0.0f64, 0.0f64, 0.0f64); ports.len()];
    for (i, sample) in samples.iter().enumerate() {
        fill(&mut a, sample, i)?;
        fill(&mut b, &left.of_inputs(sample), i)?;
        a.run();
        b.run();
        for ((k, (pa, pb)), (signal, noise, largest)) in
            ports.iter().zip(&other.0.outputs).enumerate().zip(&mut sums)
        {
            assert_eq!(pa.name, pb.name, "outputs");
            for (x, &y) in left.of_output(k, a.output(pa.value)).zip(b.output(pb.value)) {
                let difference = f64::from(x) - f64::from(y);
                *signal += f64::from(x).powi(2);
                *noise += difference.powi(2);
                *largest = largest.max(difference.abs());
            }
        }
    }
    let each = ports.iter().zip(sums).map(|(port, (signal, noise, largest))| Fidelity {
        name: port.name.clone(),
        signal_to_noise_db: 10.0 * (signal / noise).log10(),
        largest_difference: largest,
    });
    Ok(each.collect())
}
