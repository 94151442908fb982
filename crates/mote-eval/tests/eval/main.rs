//! Everything that mote-eval promises, against golden values, known answers and properties.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(clippy::single_range_in_vec_init, reason = "lists of ranges are inputs here")]

mod autocorrelation;
mod baseline;
mod density;
mod distances;
mod events;
mod extreme;
mod forecast;
mod golden;
mod interval;
mod judges;
mod modes;
mod nab;
mod posterior;
mod properties;
mod rank;
mod ranking;
mod sampling;
mod table;
