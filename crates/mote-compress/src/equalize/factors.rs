//! What the channels of each class are divided by, and the weights that read them multiplied with.
//!
//! The step of an activation is that of its largest channel, and the step of an output's weights that of its
//! largest weight. With both the rounding errors of a layer's results have the variance, up to one factor,
//! `step_x² · Σ w² + Σ_o step_w(o)² · Σ x²`. Dividing by a power of `x / w`, the largest value of a channel
//! over the largest weight that reads it, shares what is uneven between the two, and the best power is the one
//! with the least errors (as Lin et al. 2023, AWQ, arXiv 2306.00978, search theirs).

use std::collections::BTreeSet;

use mote_format::{Program, ValueId, Verified};

use super::channels::{Channels, Place};
use crate::{
    Error, Found, Sample, elements,
    integers::{Layout, layers},
    ranges::replay,
};

/// The powers that are tried.
const EXPONENTS: [f32; 3] = [0.25, 0.5, 0.75];
/// A product pays where errors become this small a share by it.
const PAYS: f64 = 0.5;

/// The factor of each class.
pub(super) fn factors(
    program: &Program,
    channels: &Channels<'_>,
    tensors: &Found<'_>,
    seen: &Seen,
) -> Vec<f32> {
    let weights = Weights::all(program, channels, tensors);
    let mut read = vec![0.0f32; channels.count()];
    for Weights { classes, w, .. } in &weights {
        for (i, w) in w.iter().enumerate() {
            let read = &mut read[classes[i % classes.len()]];
            *read = read.max(w.abs());
        }
    }
    let ratio = |class: usize| match seen.most[class] / read[class] {
        ratio if ratio.is_normal() && !channels.is_fixed(class) => ratio,
        // Nothing is read there, or by nobody, or by others too.
        _ => 1.0,
    };
    let ratios: Vec<f32> = (0..channels.count()).map(ratio).collect();
    let crossings: Vec<BTreeSet<usize>> = channels
        .crossings()
        .into_iter()
        .map(|value| channels.classes(Place::Bytes(value)).into_iter().collect())
        .collect();
    let mut factors = vec![1.0; channels.count()];
    for component in channels.components() {
        let reads = |w: &&Weights| w.classes.first().is_some_and(|class| component.contains(class));
        let readers: Vec<&Weights> = weights.iter().filter(reads).collect();
        let error = |factors: &[f32]| {
            let size = |&class: &usize| f64::from(seen.most[class] / factors[class]);
            let step = component.iter().map(size).fold(0.0, f64::max);
            readers.iter().map(|w| w.error(step, factors, &seen.squares)).sum::<f64>()
        };
        let tried = EXPONENTS.map(|exponent| {
            let mut tried = factors.clone();
            component.iter().for_each(|&class| tried[class] = ratios[class].powf(exponent));
            (error(&tried), tried)
        });
        let best = tried.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
        let (least, mut best) = best.expect("some are tried");
        let crossings: Vec<_> = crossings.iter().filter(|c| !c.is_disjoint(&component)).collect();
        let pays = if crossings.is_empty() { 1.0 } else { PAYS };
        if least >= pays * error(&factors) {
            continue;
        }
        for crossing in crossings {
            let mut spared = best.clone();
            crossing.iter().for_each(|&class| spared[class] = 1.0);
            if PAYS * error(&spared) < least {
                best = spared;
            }
        }
        factors = best;
    }
    factors
}

/// What was seen of the channels of each class.
pub(super) struct Seen {
    /// The largest size.
    most: Vec<f32>,
    /// The mean of squares.
    squares: Vec<f64>,
}

impl Seen {
    pub(super) fn new(
        program: &Verified,
        tensors: &Found<'_>,
        samples: &[Sample],
        channels: &Channels<'_>,
    ) -> Result<Self, Error> {
        let mut classes: Vec<Vec<usize>> = vec![Vec::new(); program.values.len()];
        for place in channels.places() {
            if let Place::Bytes(value) = place {
                classes[value] = channels.classes(place);
            }
        }
        let (mut most, mut squares) = (vec![0.0f32; channels.count()], vec![0.0; channels.count()]);
        let mut counts = vec![0usize; channels.count()];
        replay(program, tensors, samples, |_, next, instance| {
            let mut see = |id: ValueId| {
                let classes = &classes[id.index()];
                if classes.is_empty() {
                    return;
                }
                for row in instance.output(id).chunks(classes.len()) {
                    for (&class, &x) in classes.iter().zip(row).filter(|(_, x)| x.is_finite()) {
                        most[class] = most[class].max(x.abs());
                        squares[class] += f64::from(x) * f64::from(x);
                        counts[class] += 1;
                    }
                }
            };
            match next.checked_sub(1) {
                Some(done) => see(program.ops[done].result()),
                None => program.inputs.iter().for_each(|port| see(port.value)),
            }
            Ok(())
        })?;
        squares.iter_mut().zip(counts).for_each(|(sum, count)| *sum /= count.max(1) as f64);
        Ok(Self { most, squares })
    }
}

/// Weights that read channels.
struct Weights {
    /// Of each number of the last axis.
    classes: Vec<usize>,
    w: Vec<f32>,
    layout: Layout,
}

impl Weights {
    fn all(program: &Program, channels: &Channels<'_>, tensors: &Found<'_>) -> Vec<Self> {
        let layouts = layers(program, program.ops.iter());
        let one = |place| match place {
            Place::Read(name) => Some(Self {
                classes: channels.classes(place),
                w: elements(&tensors[name]),
                layout: layouts[name],
            }),
            _ => None,
        };
        channels.places().filter_map(one).collect()
    }

    /// The variance of the errors of rounding, where the activation has a `step` and each class a factor.
    fn error(&self, step: f64, factors: &[f32], squares: &[f64]) -> f64 {
        let factors: Vec<f64> =
            self.classes.iter().map(|&class| f64::from(factors[class])).collect();
        let squares: Vec<f64> = self.classes.iter().map(|&class| squares[class]).collect();
        let mut of = vec![[0.0f64; 3]; self.layout.outputs()];
        for (o, start) in self.layout.runs() {
            let [largest, weights, read] = &mut of[o];
            for i in start..start + self.layout.inputs {
                let channel = i % factors.len();
                let w = f64::from(self.w[i].abs()) * factors[channel];
                *largest = largest.max(w);
                *weights += w * w;
                *read += squares[channel] / (factors[channel] * factors[channel]);
            }
        }
        of.iter().map(|[largest, w, x]| step * step * w + largest * largest * x).sum()
    }
}
