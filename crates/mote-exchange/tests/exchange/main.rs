//! Programs that cross over and come back compute the same numbers, here and in ONNX Runtime.

mod draft;
mod export;
mod import;
mod peer;
mod programs;
mod tflite;
