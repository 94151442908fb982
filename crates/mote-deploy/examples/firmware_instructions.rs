//! Counts the instructions of exported firmware on boards that QEMU has.
//!
//! Writes `docs/results/firmware.md`; needs what the tests of this crate need:
//!
//! `cargo run --release -p mote-deploy --example firmware_instructions`
#[path = "../tests/support/mod.rs"]
mod support;

use std::{fmt::Write as _, fs, path::Path};

use mote_deploy::{Files, Language};
use support::{
    bare::{Board, Firmware, M4, M55},
    draft::{Bits, Draft, WINDOW, autoencoder, causal},
};

/// Bytes that the values of the autoencoder take in one arena: its input and its first layer.
const VALUES: [(Bits, usize); 3] = [(Bits::Eight, 768), (Bits::Four, 768), (Bits::Real, 5120)];

const INTRODUCTION: &str = "\
# Firmware

Made by `cargo run --release -p mote-deploy --example firmware_instructions`.

The anomaly autoencoder of MLPerf Tiny, 640-128×4-8-128×4-640, 264,192 multiplications with weights,
random weights, one inference with all requantization. Built with GCC 12 `-O2` and Rust 1.96 `opt-level 3`,
run under QEMU 7.2 on `mps2-an386` (Cortex-M4) and `mps3-an547` (Cortex-M55), after three vectors agreed with
the runtime on the host: bit for bit in eight and four bits, within 1e-4 in `f32`. Instructions are what the emulated
processor executed from the call to the return, every one counted, the same on every run. They are no
time: a load may take longer than a sum.

| weights | processor | language | instructions | for a product | code, bytes | tables, bytes | memory beyond values, bytes |
|---|---|---|---|---|---|---|---|
";

const PEERS: &str = "
Memory beyond values is what kernels keep beside the arena, and the stack. Peers in eight bits, the
same network on the same emulated boards; these were counted once, beforehand, and this command does not count
them again:

| | Cortex-M4 | Cortex-M55 |
|---|---|---|
| TensorFlow Lite Micro, reference kernels | 1,951,326 | – |
| TensorFlow Lite Micro with CMSIS-NN | 582,545 | 285,559; optimized for speed 149,991 |
| CMSIS-NN called directly, no interpreter | 579,839 | 147,296 |

Instructions for a product: with eight bits the M4 takes three for four products and the M55 two for sixteen, plus
loads; with four bits four for four, and five for thirty-two, plus the factor of each group and the inputs, which are widened
once for each 64 outputs. Real numbers take one instruction each on the M4 and one for four on the M55, plus loads.
";

const STEPS: &str = "
## Sample by sample

A causal model need not compute its window again for each sample: `mote export --program step` advances by one sample, and
keeps what it looks back at in rings. A stack of dilated causal convolutions, as the flow conditions on the past: 64 samples
of 12 numbers, 32 channels, two taps, dilation 1, 2, 4, 8, 7,680 multiplications with weights for a sample. Real numbers
go in and come out. The bar is a step of at most 1.2 windows ÷ 64; tests hold steps to the rows of the window,
and the firmware to the steps, bit for bit in eight bits.

| weights | processor | language | one step, instructions | window ÷ 64 | ratio | memory of values, window | step |
|---|---|---|---|---|---|---|---|
";

fn main() {
    let mut text = INTRODUCTION.to_string();
    for (bits, values) in VALUES {
        let draft = autoencoder(bits);
        for board in [M4, M55] {
            for language in [Language::Rust, Language::C] {
                let firmware = Firmware::build(&draft.export(language), language, board, "count");
                row(&mut text, (bits, values), board, language, &firmware);
            }
        }
    }
    text.push_str(PEERS);
    text.push_str(STEPS);
    for bits in [Bits::Eight, Bits::Real] {
        let window = causal(bits);
        for board in [M4, M55] {
            for language in [Language::Rust, Language::C] {
                step_row(&mut text, bits, [&window.step(), &window], board, language);
            }
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/results/firmware.md");
    fs::write(path, &text).expect("the folder is in the repository");
    print!("{text}");
}

fn row(
    text: &mut String,
    (bits, values): (Bits, usize),
    board: Board,
    language: Language,
    firmware: &Firmware,
) {
    let (run, sizes) = (firmware.run(), firmware.sizes());
    assert_eq!(run.status, 0, "{bits:?} in {language:?} on a {} is wrong", board.name);
    let name = name(bits);
    let _ = writeln!(
        text,
        "| {name} | {} | {language:?} | {} | {:.2} | {} | {} | {} |",
        board.name,
        thousands(run.instructions as usize),
        run.instructions as f64 / 264_192.0,
        thousands(sizes.code),
        thousands(sizes.tables),
        thousands(sizes.ram - values + run.stack_bytes),
    );
}

fn step_row(text: &mut String, bits: Bits, drafts: [&Draft; 2], board: Board, language: Language) {
    let [step, window] = drafts.map(|draft| {
        let run = Firmware::build(&draft.export(language), language, board, "count").run();
        assert_eq!(run.status, 0, "{bits:?} in {language:?} on a {} is wrong", board.name);
        run.instructions as f64
    });
    let [step_bytes, window_bytes] =
        drafts.map(|draft| thousands(value_bytes(&draft.export(language))));
    let row = window / WINDOW as f64;
    let _ = writeln!(
        text,
        "| {} | {} | {language:?} | {} | {} | {:.2} | {window_bytes} | {step_bytes} |",
        name(bits),
        board.name,
        thousands(step as usize),
        thousands(row as usize),
        step / row,
    );
}

/// What the README of the firmware says.
fn value_bytes(files: &Files) -> usize {
    let readme = String::from_utf8_lossy(files.get("README.md").expect("exported"));
    let before = readme.split(" bytes of values").next().and_then(|text| text.rsplit(' ').next());
    before.and_then(|n| n.parse().ok()).expect("a number")
}

fn name(bits: Bits) -> &'static str {
    match bits {
        Bits::Eight => "8 bits",
        Bits::Four => "4 bits",
        Bits::Real => "`f32`",
    }
}

fn thousands(n: usize) -> String {
    if n < 1000 { n.to_string() } else { format!("{},{:03}", thousands(n / 1000), n % 1000) }
}
