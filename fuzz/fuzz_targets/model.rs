//! Model files whose manifest, programs and tensors were changed and sealed again, so that changes
//! reach the verifier, the loader and the kernels.
#![no_main]

use mote_fuzz::{file, mutate, run};

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::mutate(data, size, max_size, seed)
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut data = data.to_vec();
    file::seal(&mut data);
    run::check(&data);
});
