//! Generative models for things: from files and streams to a model, and from a model to events.
//!
//! This crate joins the others and is what the `mote` command and the console show. [`source`]
//! reads the data that a person named, [`advice`] chooses a family, [`training`] makes a model file of it, [`scoring`] and
//! [`stream`] run the model on files and on live data, [`completion`] generates, imputes and forecasts, [`evaluation`] measures it against labels,
//! and [`report`] draws all of that into one HTML file.
//!
//! It prints nothing and reads no clock; that is the business of the binary.

pub mod advice;
pub mod assemble;
pub mod calibration;
pub mod completion;
pub mod compression;
pub mod device;
mod error;
pub mod evaluation;
pub mod exchange;
pub mod files;
#[cfg(target_os = "linux")]
pub mod instructions;
pub mod latent;
pub mod machine;
pub mod profile;
pub mod report;
pub mod scoring;
pub mod source;
pub mod stream;
pub mod threads;
pub mod training;

pub use error::Error;
