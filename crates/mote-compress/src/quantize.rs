//! From layers of real numbers to layers of integers.
//!
//! Every layer with weights becomes one of integers. What flows between two of them stays in bytes
//! where everything that reads it can: layers, copies, sums of two branches, and any function of one
//! number, which becomes a table. Everything else stays in `f32`, and values cross over where the two
//! meet. A layer whose result is read as real numbers gives them without a rounding in between.

mod emit;
mod grid;
mod plan;
mod width;

use std::cell::RefCell;

use mote_format::{Tensors, Verified};

use crate::{
    Bits, Clip, Error, Found, Ports, Ranges, Sample,
    equalize::equalize,
    fidelity, found,
    gram::Grams,
    ranges::{extents, unfuse},
    verified,
};
use emit::{Emitter, Read};
pub(crate) use grid::Grids;
use plan::Plan;
pub(crate) use plan::{Way, in_bytes, reads_bytes, way};
pub use width::Width;
use width::Widths;

/// How integers stand for real numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scheme {
    /// The width of weights.
    pub width: Width,
    /// The ranges of activations.
    pub clip: Clip,
    /// The rounding of weights.
    pub rounding: Rounding,
    /// Whether biases make up for what the rounding of weights adds to the mean of each output on the samples
    /// that ranges come from (Nagel et al. 2019, arXiv 1906.04721, section 4.2).
    pub correct_biases: bool,
    /// Whether channels that only layers read become about equally large first, where that is possible: all of
    /// an activation share one step (Nagel et al. 2019, section 4.1; Xiao et al. 2023, arXiv 2211.10438).
    pub equalize: bool,
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
    /// As `Compensated`, and then as a repair says in which the program runs with the rounded ones (in place of
    /// the relaxation of Nagel et al. 2020, AdaRound, arXiv 2004.10568, gradients go straight through): see
    /// [`Stack`](crate::Stack). [`quantize`] alone does as for `Compensated`.
    Learned,
}

impl From<Bits> for Scheme {
    /// Weights of this width, the rest as usual.
    fn from(bits: Bits) -> Self {
        Self {
            width: Width::Uniform(bits),
            clip: Clip::default(),
            rounding: Rounding::default(),
            correct_biases: true,
            equalize: true,
        }
    }
}

/// How far ranges reach beyond what is usual at either end, at most, as a share of its width.
const HEADROOM: f32 = 0.5;
/// And how far where what is usual can spare the digits: the first of these for which it can.
const WIDER_HEADROOM: [f32; 3] = [2.5, 1.5, 1.0];
/// It can where every output stays this many decibels above its error, or loses no more than one.
const SPARE_DB: f64 = 25.0;
const LOST_DB: f64 = 1.0;
/// Samples on which that is tried.
const TRIED: usize = 64;

/// What a program is shown before it becomes one of integers. None of it is what it is measured on.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Data like that which it will see.
    pub usual: &'a [Sample],
    /// And what it should not choke on, if anything: of that, ranges take in what is no further beyond the
    /// usual range than half of its width, and up to two and a half times where the outputs for what is usual
    /// bear such steps. So a fault does not look like the edge of what is usual.
    pub unusual: &'a [Sample],
}

impl<'a> From<&'a [Sample]> for Shown<'a> {
    /// Nothing unusual.
    fn from(usual: &'a [Sample]) -> Self {
        Self { usual, unusual: &[] }
    }
}

impl<'a> From<&'a Vec<Sample>> for Shown<'a> {
    /// Nothing unusual.
    fn from(usual: &'a Vec<Sample>) -> Self {
        usual.as_slice().into()
    }
}

/// The same program on integers, and all the tensors that it needs. Scales of activations come from the
/// ranges of what it is shown.
///
/// # Errors
///
/// [`Error::Quantized`] if it holds integers already, [`Error::Share`] of a mixed width, else as [`Ranges::observe`].
pub fn quantize<'s>(
    program: &Verified,
    tensors: &Found<'_>,
    shown: impl Into<Shown<'s>>,
    scheme: impl Into<Scheme>,
) -> Result<(Verified, Tensors), Error> {
    quantize_on(&Grids::default(), program, tensors, shown.into(), scheme.into())
}

/// The same, where weights that have learned to be rounded are rounded as they learned.
pub(crate) fn quantize_on(
    grids: &Grids,
    program: &Verified,
    tensors: &Found<'_>,
    shown: Shown<'_>,
    scheme: Scheme,
) -> Result<(Verified, Tensors), Error> {
    let (
        Shown { usual, unusual },
        Scheme { width, clip, rounding, correct_biases, equalize: equal },
    ) = (shown, scheme);
    crate::refuse_integers(program)?;
    let program = unfuse(program, tensors)?;
    // What has learned to be rounded has done so as it is, its biases too.
    let learned = *grids != Grids::default();
    let correct_biases = correct_biases && !learned;
    let equal = match equal && !learned {
        true => Some(equalize(&program, tensors, usual)?),
        false => None,
    };
    let (program, equal) = match &equal {
        Some((program, made)) => (program, Some(found(made))),
        None => (&program, None),
    };
    let tensors = equal.as_ref().unwrap_or(tensors);
    let ranges = Ranges::observe(program, tensors, usual)?;
    let beyond = extents(program, tensors, unusual)?;
    let read = match rounding {
        Rounding::Nearest if !correct_biases => Grams::default(),
        _ => Grams::observe(program, tensors, usual)?,
    };
    let nothing = Grams::default();
    let grams = if rounding == Rounding::Nearest { &nothing } else { &read };
    let read = if correct_biases { &read } else { &nothing };
    let widths = Widths::new(width, program, tensors, usual, grams)?;
    let rounded = RefCell::default();
    let read = Read { grams, means: read, grids, rounded: &rounded };
    let within = |headroom: f32| {
        let plan = Plan::new(program, |id| {
            let (low, high) = ranges.of(id, clip)?;
            let more = headroom * (high - low);
            let (lowest, highest) = beyond[id.index()].unwrap_or((low, high));
            Some((lowest.clamp(low - more, low), highest.clamp(high, high + more)))
        });
        let (made, arrays) = Emitter::new(program, tensors, plan, widths.clone(), read).run();
        Ok::<_, Error>((verified(made, &arrays)?, arrays))
    };
    match unusual {
        [] => within(HEADROOM),
        _ => widest_that_spares((program, tensors), usual, within),
    }
}

/// The program whose ranges reach as far as its answers for what is usual bear.
fn widest_that_spares(
    whole: (&Verified, &Found<'_>),
    usual: &[Sample],
    within: impl Fn(f32) -> Result<(Verified, Tensors), Error>,
) -> Result<(Verified, Tensors), Error> {
    let tried: Vec<Sample> = usual.iter().step_by(usual.len().div_ceil(TRIED)).cloned().collect();
    let decibels = |(made, arrays): &(Verified, Tensors)| {
        let near = fidelity(whole, (made, &found(arrays)), &tried, &Ports::default())?;
        Ok::<_, Error>(near.into_iter().map(|near| near.signal_to_noise_db).collect::<Vec<_>>())
    };
    let narrow = within(HEADROOM)?;
    let before = decibels(&narrow)?;
    for headroom in WIDER_HEADROOM {
        let wide = within(headroom)?;
        let spares = |(narrow, wide): (&f64, f64)| wide >= SPARE_DB || wide >= narrow - LOST_DB;
        if before.iter().zip(decibels(&wide)?).all(spares) {
            return Ok(wide);
        }
    }
    Ok(narrow)
}
