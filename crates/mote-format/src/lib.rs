//! The program, its tensors, and the `.mote` file: parse, verify, write.
#![no_std]

extern crate alloc;

pub mod schema;

pub use schema::{Column, Kind, Schema};
