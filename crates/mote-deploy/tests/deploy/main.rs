//! Exported firmware against the runtime: every operation, in Rust and in C, on the host and on
//! boards that QEMU has.

#[path = "../support/mod.rs"]
mod support;

mod boards;
mod cases;
mod host;
mod kernels;
mod writing;
