//! From layers of real numbers to layers of integers.
//!
//! Every layer with weights becomes one of integers. What flows between two of them stays in bytes
//! where everything that reads it can: layers, copies, sums of two branches, and any function of one
//! number, which becomes a table. Everything else stays in `f32`, and values cross over where the two
//! meet. A layer whose result is read as real numbers gives them without a rounding in between.

mod emit;
mod plan;

use mote_format::{Tensors, Verified};

use crate::{Bits, Clip, Error, Found, Ranges, Sample, gram::Grams, ranges::unfuse, verified};
use emit::Emitter;
use plan::Plan;

/// How integers stand for real numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scheme {
    /// The width of weights.
    pub bits: Bits,
    /// The ranges of activations.
    pub clip: Clip,
    /// The rounding of weights.
    pub rounding: Rounding,
}

/// How weights become integers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rounding {
    /// Each to the nearest.
    Nearest,
    /// One after the other, each so that it makes up for the errors of those before it on the samples that
    /// ranges come from (Frantar et al. 2023, GPTQ).
    #[default]
    Compensated,
}

impl From<Bits> for Scheme {
    /// Weights of this width, the rest as usual.
    fn from(bits: Bits) -> Self {
        Self { bits, clip: Clip::default(), rounding: Rounding::default() }
    }
}

/// The same program on integers, and all the tensors that it needs.
///
/// Scales of activations come from the ranges that `samples` show: data like that which the program
/// will see, none of which it is measured on.
///
/// # Errors
///
/// [`Error::Quantized`] if it holds integers already, else as [`Ranges::observe`].
pub fn quantize(
    program: &Verified,
    tensors: &Found<'_>,
    samples: &[Sample],
    scheme: impl Into<Scheme>,
) -> Result<(Verified, Tensors), Error> {
    let Scheme { bits, clip, rounding } = scheme.into();
    crate::refuse_integers(program)?;
    let program = unfuse(program, tensors)?;
    let ranges = Ranges::observe(&program, tensors, samples)?;
    let plan = Plan::new(&program, &ranges, clip);
    let grams = match rounding {
        Rounding::Nearest => Grams::default(),
        Rounding::Compensated => Grams::observe(&program, tensors, samples)?,
    };
    let (program, made) = Emitter::new(&program, tensors, plan, bits, &grams).run();
    let program = verified(program, &made)?;
    Ok((program, made))
}
