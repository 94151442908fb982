//! Counts instructions.
#[path = "../tests/support/mod.rs"]
mod support;

use mote_deploy::Language;
use support::{
    bare::{Firmware, M4, M55},
    draft::autoencoder,
};

fn main() {
    let draft = autoencoder();
    for board in [M4, M55] {
        for language in [Language::C, Language::Rust] {
            let firmware = Firmware::build(&draft.export(language), language, board, "autoencoder");
            println!("{} {language:?} {:?} {:?}", board.name, firmware.run(), firmware.sizes());
        }
    }
}
