//! What the fuzz targets share: random programs, changed files, and what has to hold of both.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a finding")]

pub mod file;
pub mod mutate;
pub mod program;
pub mod random;
pub mod run;
