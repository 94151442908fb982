//! Runs programs: kernels, arena, streaming state, detection.
//!
//! A [`mote_format::Model`] holds verified programs. [`Loaded`] finds the weights of one of them in
//! place and plans its memory; [`Instance`] owns the arena and runs. A [`Detector`] feeds a window
//! that slides over a stream through `score` and turns scores into events.
//!
//! Nothing here allocates while it runs, recurses, reads a clock or touches a file. Loops are
//! bounded by numbers in the verified program.
#![no_std]

extern crate alloc;

#[cfg(feature = "std")]
extern crate std;

mod detect;
mod execute;
mod fast;
mod generate;
mod gradient;
pub mod kernels;
mod load;
pub mod micro;
mod noise;
mod plan;
mod step;
mod views;

pub use detect::{Detector, Event, Reason, Sample, Scored, Step, Tracker, UNDEFINED};
pub use execute::Instance;
pub use fast::{Level, Part, Threads, attends_along_time, peak};
pub use generate::{Completer, Denoiser, Moment, Schedule, mixture};
pub use gradient::{Adam, GRADIENT_PREFIX, Learner, NotTrainable, gradient};
pub use load::{LoadError, Loaded};
pub use noise::Noise;
pub use plan::{ALIGNMENT, Plan};
pub use step::{NotCausal, Steps, step};
