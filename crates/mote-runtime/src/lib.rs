//! Runs programs: kernels, arena, streaming state, detection.
//!
//! A [`mote_format::Model`] holds verified programs. [`Loaded`] finds the weights of one of them in
//! place and plans its memory; [`Instance`] owns the arena and runs. A [`Detector`] feeds a window
//! that slides over a stream through `score` and turns scores into events.
//!
//! Nothing here allocates while it runs, recurses, reads a clock or touches a file. Loops are
//! bounded by numbers in the verified program.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod detect;
mod execute;
pub mod kernels;
mod plan;

pub use detect::{Detector, Event, Sample, Scored, Step, Tracker, UNDEFINED};
pub use execute::{Instance, LoadError, Loaded};
pub use plan::Plan;
