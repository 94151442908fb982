//! Exported firmware against the runtime: every operation, in Rust and in C, on the host and on
//! boards that QEMU has.

#[path = "../support/mod.rs"]
mod support;

/// One table of cases for every implementation.
#[path = "../../../mote-runtime/tests/conformance/operations.rs"]
mod operations;
#[path = "../../../mote-runtime/tests/conformance/tolerance.rs"]
mod tolerance;

mod boards;
mod cases;
mod host;
mod kernels;
mod table;
mod writing;
