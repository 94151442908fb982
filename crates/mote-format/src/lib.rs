//! The program, its tensors, and the `.mote` file: parse, verify, write.
//!
//! A model file is a valid safetensors file whose metadata holds a [`Manifest`]: the programs (its
//! entry points, as lists of operations over shaped values), the schema of the data, the window,
//! the detector and the lineage. Bytes become [`Parsed`], then [`Model`] with [`Verified`]
//! programs; only those run.
//!
//! This crate knows nothing of files, of how a program is executed, or of how it came to be. It
//! allocates in proportion to the header of a file and never for its tensors.
//!
//! ```
//! use mote_format::{Model, Error};
//!
//! let truncated = [0u8; 4];
//! let error = Model::open(&truncated).unwrap_err();
//! assert_eq!(error.to_string(), "wanted 8 bytes for the header length, found 4");
//! assert!(matches!(error, Error::Length { .. }));
//! ```
#![no_std]

extern crate alloc;

pub mod container;
pub mod dtype;
mod error;
mod generator;
pub mod limits;
pub mod manifest;
pub mod model;
pub mod program;
pub mod schema;
pub mod shape;
mod types;
mod verify;

pub use container::{Array, Tensors};
pub use dtype::{Dtype, Quantization};
pub use error::Error;
pub use manifest::Manifest;
pub use model::{Model, Parsed};
pub use program::{Op, Program, ValueId};
pub use schema::{Column, Kind, Schema};
pub use verify::{Stored, Verified};
