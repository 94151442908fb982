//! Programs in, smaller programs out.
//!
//! Compression is a function on programs: it knows neither the family that a program was captured
//! from nor the device that will run it. [`quantize`] turns layers of real numbers into layers of
//! integers, with ranges that were [observed](Ranges) on data; [`fidelity`] tells what that cost.
#![forbid(unsafe_code)]

mod clip;
mod error;
mod fidelity;
mod gram;
mod integers;
mod merge;
mod quantize;
mod ranges;

pub use clip::Clip;
pub use error::Error;
pub use fidelity::{Fidelity, fidelity};
pub use integers::Bits;
pub use merge::merge;
pub use quantize::{Rounding, Scheme, quantize};
pub use ranges::{Ranges, unfuse};

/// Tensors of a file, or of one that is being made, by name.
pub type Found<'a> = std::collections::BTreeMap<String, mote_format::container::Tensor<'a>>;

/// One sample: for each input of a program its elements, row major.
pub type Sample = Vec<Vec<f32>>;
