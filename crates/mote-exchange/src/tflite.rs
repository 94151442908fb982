//! TFLite: models for small devices, mostly in INT8.
//!
//! Read are models with one subgraph whose first axis is the batch; convolutions have a height of
//! one. Source: <https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs>.

mod flatbuffer;
mod import;
mod layers;
mod model;
mod moves;

pub use import::import;
