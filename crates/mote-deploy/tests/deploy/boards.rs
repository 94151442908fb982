//! Exported firmware on microcontrollers: every program agrees with the runtime, bit for bit where
//! it computes with integers.

use mote_deploy::Language;

use crate::{
    cases,
    support::{
        bare::{Board, Firmware, M4, M55},
        draft::{Bits, autoencoder},
    },
};

#[track_caller]
fn check_all(language: Language, board: Board) {
    for (name, draft) in cases::all() {
        let firmware = Firmware::build(&draft.export(language), language, board, name);
        let run = firmware.run();
        assert_eq!(run.status, 0, "`{name}` in {language:?} on a {}: {run:?}", board.name);
    }
}

#[test]
fn c_agrees_on_a_cortex_m4() {
    check_all(Language::C, M4);
}

#[test]
fn c_agrees_on_a_cortex_m55() {
    check_all(Language::C, M55);
}

#[test]
fn rust_agrees_on_a_cortex_m4() {
    check_all(Language::Rust, M4);
}

#[test]
fn rust_agrees_on_a_cortex_m55() {
    check_all(Language::Rust, M55);
}

#[test]
fn plain_kernels_agree_on_a_cortex_m4() {
    check_all(Language::Rust, M4.plain());
}

/// The bars: three quarters of what CMSIS-NN takes on the M4, nine tenths on the M55; 8 KB of code,
/// and 1 KB of memory beyond what values take, stack included.
#[test]
fn the_autoencoder_is_fast_and_small() {
    let draft = autoencoder(Bits::Eight);
    for (board, instructions) in [(M4, 320_000), (M55, 60_000)] {
        for language in [Language::C, Language::Rust] {
            let firmware = Firmware::build(&draft.export(language), language, board, "bars");
            let (run, sizes) = (firmware.run(), firmware.sizes());
            let what = format!("{} {language:?}: {run:?} {sizes:?}", board.name);
            assert_eq!(run.status, 0, "{what}");
            assert!(run.instructions <= instructions, "{what}");
            assert!(sizes.code <= 8 << 10, "{what}");
            assert!(sizes.ram - 768 + run.stack_bytes <= 1 << 10, "{what}");
        }
    }
}
