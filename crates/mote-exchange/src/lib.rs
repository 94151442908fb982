//! Programs to and from the files of other runtimes.
//!
//! [`onnx::export`] writes any verified program, in floats or integers, so that others can run it;
//! [`onnx::import`] and [`tflite::import`] read models that someone else has trained, for the
//! operations that programs have. What has no counterpart is an error that names the node.
//!
//! Bytes come in and bytes go out: this crate knows nothing of files, and it computes nothing but
//! weights. Bytes may be hostile: sizes are bounded before anything is allocated for them, and
//! nothing panics.
//!
//! ```
//! let error = mote_exchange::onnx::import(b"not a model").unwrap_err();
//! assert!(error.to_string().starts_with("wanted an ONNX model"));
//! ```

mod draft;
mod error;
mod fuse;
pub mod onnx;
pub mod tflite;

use std::collections::BTreeMap;

use mote_format::{Tensors, Verified, container::Tensor};

pub use error::Error;

/// The tensors of a model file, by name.
pub type Stored<'a> = BTreeMap<String, Tensor<'a>>;

/// A program that came from another format, with its weights.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Ready to run.
    pub program: Verified,
    /// What it reads.
    pub tensors: Tensors,
}
