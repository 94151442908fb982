//! Exported firmware on microcontrollers: every program agrees with the runtime, bit for bit where
//! it computes with integers.

use mote_deploy::{Kernels, Language, footprint};

use crate::{
    cases,
    support::{
        bare::{Board, Firmware, M4, M55, Sizes},
        draft::{Bits, Draft, WINDOW, autoencoder, causal},
    },
    table,
};

/// The networks and the table in one firmware, because a build takes longer than what it builds
/// runs.
#[track_caller]
fn check(language: Language, board: Board) {
    let models = table::exported(language);
    let run = Firmware::build_all(&models, language, board).run();
    let failed = run.status.checked_sub(1).and_then(|i| models.get(i as usize));
    let failed = failed.map(|(name, _)| name);
    assert_eq!(run.status, 0, "{failed:?} in {language:?} on a {}: {run:?}", board.name);
}

#[test]
fn c_agrees_on_a_cortex_m4() {
    check(Language::C, M4);
}

#[test]
fn c_agrees_on_a_cortex_m55() {
    check(Language::C, M55);
}

#[test]
fn rust_agrees_on_a_cortex_m4() {
    check(Language::Rust, M4);
}

#[test]
fn rust_agrees_on_a_cortex_m55() {
    check(Language::Rust, M55);
}

#[test]
fn plain_kernels_agree_on_a_cortex_m4() {
    check(Language::Rust, M4.plain());
}

/// What exported Rust takes is what was predicted, to the byte.
#[track_caller]
fn check_footprint(draft: &Draft, board: Board, found: Sizes) {
    let kernels = if board == M4 { Kernels::Dsp } else { Kernels::Mve };
    let (program, tensors) = (draft.verified(), draft.tensors());
    let wanted = footprint(&program, &tensors, kernels).expect("it was exported");
    let what = format!("{}: {found:?}, predicted {wanted:?}", board.name);
    assert_eq!((found.tables, found.ram), (wanted.tables, wanted.memory), "{what}");
}

#[test]
fn tables_and_memory_are_predicted_to_the_byte() {
    let held = ["odd_integers", "four_bits", "layers", "integer_steps"];
    for (name, draft) in cases::all().into_iter().filter(|(name, _)| held.contains(name)) {
        for board in [M4, M55] {
            let files = draft.export(Language::Rust);
            let firmware = Firmware::build(&files, Language::Rust, board, name);
            check_footprint(&draft, board, firmware.sizes());
        }
    }
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
            if language == Language::Rust {
                check_footprint(&draft, board, sizes);
            }
        }
    }
}

/// The bar: a causal model that is advanced sample by sample costs at most 1.2 times what the sample
/// costs in a window.
#[test]
fn a_step_costs_little_more_than_a_row_of_the_window() {
    for bits in [Bits::Eight, Bits::Real] {
        let window = causal(bits);
        let step = window.step();
        for (board, language) in
            [(M4, Language::C), (M4, Language::Rust), (M55, Language::C), (M55, Language::Rust)]
        {
            let [step, window] = [&step, &window].map(|draft| {
                let files = draft.export(language);
                let firmware = Firmware::build(&files, language, board, "causal");
                if language == Language::Rust {
                    check_footprint(draft, board, firmware.sizes());
                }
                firmware.run()
            });
            let what = format!("{} {language:?} {bits:?}: {step:?} {window:?}", board.name);
            assert_eq!((step.status, window.status), (0, 0), "{what}");
            assert!(step.instructions * WINDOW as u64 * 10 <= window.instructions * 12, "{what}");
        }
    }
}
