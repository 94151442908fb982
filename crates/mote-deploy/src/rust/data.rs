//! Tables for flash, and the vectors of the self-test.

use std::fmt::Write as _;

use super::body::{real, type_of};
use crate::{
    files::Files,
    golden::{Golden, Sample, Tolerance},
    names,
    steps::Firmware,
    tables::Table,
};

/// Adds `src/tables.rs` and the files of packed weights.
pub(super) fn tables(firmware: &Firmware, files: &mut Files) {
    let mut text = String::from(
        "//! Weights and other constants, in the order in which kernels read them.\n\
         #![allow(dead_code, clippy::excessive_precision)]\n\n",
    );
    let mut packed = false;
    for (id, table) in firmware.tables.iter() {
        match table {
            Table::F32(bits) => {
                let list = bits.iter().map(|b| real(f32::from_bits(*b)));
                array(&mut text, id, "f32", list);
            }
            Table::I32(list) => array(&mut text, id, "i32", list.iter().map(ToString::to_string)),
            Table::I8(list) => array(&mut text, id, "i8", list.iter().map(ToString::to_string)),
            Table::Halves(list) => {
                array(&mut text, id, "u32", list.iter().map(ToString::to_string));
            }
            Table::Bytes(bytes) => {
                packed = true;
                weights(&mut text, files, id, "", bytes);
            }
            Table::Native(native) => {
                packed = true;
                let (dsp, mve) = ("feature = \"dsp\"", "feature = \"mve\"");
                for (name, bytes, condition) in [
                    ("rows", &native.rows, format!("not(any({dsp}, {mve}))")),
                    ("dsp", &native.dsp, format!("all({dsp}, not({mve}))")),
                    ("mve", &native.mve, mve.to_string()),
                ] {
                    let _ = writeln!(text, "#[cfg({condition})]");
                    weights(&mut text, files, id, &format!(".{name}"), bytes);
                }
            }
        }
    }
    if packed {
        text.push_str(
            "\n/// Bytes at an address from which words can be read.\n#[repr(align(16))]\n\
             pub(crate) struct Aligned<T>(pub(crate) T);\n",
        );
    }
    files.add("src/tables.rs", text);
}

fn array(text: &mut String, id: usize, of: &str, numbers: impl ExactSizeIterator<Item = String>) {
    let _ = write!(text, "pub(crate) static T{id}: [{of}; {}] = [", numbers.len());
    lines(text, numbers);
    text.push_str("];\n");
}

/// Numbers with commas, in lines of a readable width.
fn lines(text: &mut String, numbers: impl Iterator<Item = String>) {
    let mut width = usize::MAX;
    for number in numbers {
        if width.saturating_add(number.len() + 2) > 100 {
            text.push_str("\n   ");
            width = 3;
        }
        let _ = write!(text, " {number},");
        width += number.len() + 2;
    }
    text.push('\n');
}

fn weights(text: &mut String, files: &mut Files, id: usize, order: &str, bytes: &[u8]) {
    let name = format!("weights/t{id}{order}.bin");
    let _ = writeln!(
        text,
        "pub(crate) static T{id}: Aligned<[u8; {}]> = Aligned(*include_bytes!(\"../{name}\"));",
        bytes.len()
    );
    files.add(name, bytes);
}

/// `src/self_test.rs`.
pub(super) fn self_test(firmware: &Firmware, golden: &Golden) -> String {
    let inputs = names::identifiers(firmware.inputs.iter().map(|p| p.name.as_str()));
    let outputs = names::identifiers(firmware.outputs.iter().map(|p| p.name.as_str()));
    let mut text = format!(
        "//! Vectors whose results the runtime on the host computed before.\n\
         #![allow(clippy::excessive_precision)]\n\nuse super::Model;\n\n\
         /// How many vectors there are.\npub const VECTORS: usize = {};\n\n\
         /// Runs all vectors; the first that differs is the error.\n///\n/// # Errors\n///\n\
         /// The number of the vector, from zero.\n\
         pub fn run(model: &mut Model) -> Result<(), usize> {{\n{reset}    \
         (0..VECTORS).try_for_each(|i| if agrees(model, i) {{ Ok(()) }} else {{ Err(i) }})\n}}\n\n\
         fn agrees(model: &mut Model, i: usize) -> bool {{\n    let _ = i;\n",
        golden.vectors.len(),
        reset = if firmware.states.is_empty() { "" } else { "    model.reset();\n" },
    );
    for (port, name) in inputs.iter().enumerate() {
        let _ = writeln!(text, "    model.input_{name}().copy_from_slice(&INPUT_{port}[i]);");
    }
    text.push_str("    model.run();\n    true\n");
    for (port, name) in outputs.iter().enumerate() {
        let _ = match (firmware.outputs[port].place.real, golden.tolerance) {
            (false, _) => {
                writeln!(
                    text,
                    "        && all(model.output_{name}(), &OUTPUT_{port}[i], near_byte)"
                )
            }
            (true, Tolerance::Exact) => {
                writeln!(text, "        && all(model.output_{name}(), &OUTPUT_{port}[i], near)")
            }
            (true, Tolerance::Near) => {
                let slack: Vec<String> =
                    golden.vectors.iter().map(|v| real(v.slack[port])).collect();
                let slack = format!("[{}][i]", slack.join(", "));
                writeln!(
                    text,
                    "        && all_near(model.output_{name}(), &OUTPUT_{port}[i], {slack})"
                )
            }
        };
    }
    text.push_str(
        "}\n\n// Alone, because LLVM fails at vectors of what short arrays have in common.\n\
         #[allow(dead_code)]\n#[inline(never)]\n\
         fn all<T: Copy>(found: &[T], wanted: &[T], near: fn(T, T) -> bool) -> bool {\n    \
         found.iter().zip(wanted).all(|(&found, &wanted)| near(found, wanted))\n}\n\n",
    );
    text.push_str(comparison(golden.tolerance));
    for (port, place) in firmware.inputs.iter().map(|p| &p.place).enumerate() {
        let samples = golden.vectors.iter().map(|v| &v.inputs[port]);
        vectors(&mut text, &format!("INPUT_{port}"), &type_of(place), samples);
    }
    for (port, place) in firmware.outputs.iter().map(|p| &p.place).enumerate() {
        let samples = golden.vectors.iter().map(|v| &v.outputs[port]);
        vectors(&mut text, &format!("OUTPUT_{port}"), &type_of(place), samples);
    }
    text
}

fn comparison(tolerance: Tolerance) -> &'static str {
    match tolerance {
        Tolerance::Exact => {
            "/// Bit for bit; which NaN it is does not matter.\n#[allow(dead_code)]\n\
             fn near(found: f32, wanted: f32) -> bool {\n    \
             found.to_bits() == wanted.to_bits() || found.is_nan() && wanted.is_nan()\n}\n\n\
             #[allow(dead_code)]\nfn near_byte(found: i8, wanted: i8) -> bool {\n    \
             found == wanted\n}\n"
        }
        Tolerance::Near => {
            "/// `|found - wanted| <= 1e-4 * max(1, |wanted|) + slack`: sums run in another order.\n\
             #[allow(dead_code)]\n#[inline(never)]\n\
             fn all_near(found: &[f32], wanted: &[f32], slack: f32) -> bool {\n    \
             found.iter().zip(wanted).all(|(&found, &wanted)| {\n        \
             let same = found.is_nan() && wanted.is_nan() || found == wanted;\n        \
             same || (found - wanted).abs() <= 1e-4 * wanted.abs().max(1.0) + slack\n    })\n}\n\n\
             /// Within one step.\n\
             #[allow(dead_code)]\nfn near_byte(found: i8, wanted: i8) -> bool {\n    \
             found.abs_diff(wanted) <= 1\n}\n"
        }
    }
}

fn vectors<'a>(
    text: &mut String,
    name: &str,
    of: &str,
    samples: impl ExactSizeIterator<Item = &'a Sample>,
) {
    let _ = writeln!(text, "\nstatic {name}: [{of}; VECTORS] = [");
    for sample in samples {
        text.push_str("    [");
        match sample {
            Sample::F32(x) => lines(text, x.iter().map(|x| real(*x))),
            Sample::I8(x) => lines(text, x.iter().map(ToString::to_string)),
        }
        text.push_str("    ],\n");
    }
    text.push_str("];\n");
}
