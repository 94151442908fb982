//! Any bytes at all: refused, or opened and run.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mote_fuzz::run::check(data));
