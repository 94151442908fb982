//! ONNX: the format that most runtimes read.
//!
//! Written is opset 17, in the default domain alone, with a free batch axis in front of every input
//! and output; integers as QuantizeLinear and DequantizeLinear around float operators, the form in
//! which runtimes find their integer kernels. Read are opsets 13 and later.
//! Source: <https://github.com/onnx/onnx/blob/main/docs/Operators.md>.

mod budget;
mod export;
mod graph;
mod import;
mod proto;

pub use export::export;
pub(crate) use export::turn;
pub use import::import;

/// The opset that is written: the oldest with `LayerNormalization`.
pub const OPSET: i64 = 17;
/// The version of the file format that came with it.
const IR_VERSION: i64 = 8;
