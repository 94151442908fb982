//! One table of cases that every implementation has to pass: the plain kernels, those on vector
//! registers, and, from `mote-deploy`, firmware in Rust and in C.
//!
//! The plain kernels are the reference; that they compute what the formulas say is proven by the
//! tests in `runtime`. A new case costs one line in `operations.rs`.

mod levels;
mod operations;
mod support;
mod tolerance;

/// Programs of many operations, the ones that exported firmware is tested with.
#[path = "../../../mote-deploy/tests/deploy/cases.rs"]
mod networks;
