//! Everything that mote-runtime promises: kernels against oracles, memory plans, detection.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod adjoints;
mod alone;
mod attention;
mod convolution;
mod detection;
mod draft;
mod elementwise;
mod gradients;
mod graphs;
mod layout;
mod loading;
mod normalization;
mod oracle;
mod plan;
mod programs;
mod quantized;
mod random;
mod series;
mod special;
mod stepping;
mod threads;
