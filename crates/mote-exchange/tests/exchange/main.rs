//! Programs that cross over and come back compute the same numbers, here and in ONNX Runtime.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod draft;
mod export;
mod import;
mod peer;
mod programs;
mod tflite;
