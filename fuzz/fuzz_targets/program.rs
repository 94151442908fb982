//! Random programs of verified operations: every level gives what the plain one gives.
#![no_main]

use arbitrary::Unstructured;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    mote_fuzz::program::check(&mut Unstructured::new(data));
});
