//! Everything that mote-format promises: files that open, and files and programs that are refused.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod broken_integers;
mod broken_programs;
mod damage;
mod good_programs;
mod headers;
mod manifests;
mod memory;
mod mutated;
mod quantized;
mod round_trip;
mod sample;
mod shapes;
