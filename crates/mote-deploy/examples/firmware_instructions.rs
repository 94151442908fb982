//! Counts instructions.
#[path = "../tests/support/mod.rs"]
mod support;

use mote_deploy::Language;
use support::{
    bare::{Firmware, M4, M55},
    draft::{Bits, autoencoder},
};

fn main() {
    for bits in [Bits::Eight, Bits::Four, Bits::Real] {
        let draft = autoencoder(bits);
        for board in if bits == Bits::Real { vec![M4] } else { vec![M4, M55] } {
            for language in [Language::C, Language::Rust] {
                let firmware =
                    Firmware::build(&draft.export(language), language, board, "autoencoder");
                println!(
                    "{bits:?} {} {language:?} {:?} {:?}",
                    board.name,
                    firmware.run(),
                    firmware.sizes()
                );
            }
        }
    }
}
