//! Everything that mote-compress promises: what becomes smaller stays near, and what cannot is refused.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod equalize;
mod half;
mod low_rank;
mod net;
mod prune;
mod quantize;
mod sparse;
mod stack;
