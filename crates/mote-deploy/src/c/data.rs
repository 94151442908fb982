//! `tables.h`, `tables.c` and `self_test.c`: weights, constants, and vectors with known results.

use std::fmt::Write as _;

use super::{Names, body, type_of};
use crate::{
    golden::{Golden, Sample, Tolerance},
    steps::{Firmware, Layer, Port, Product},
    tables::Table,
};

/// The text of `tables.h`.
pub(super) fn declarations(firmware: &Firmware, names: &Names) -> String {
    let (prefix, guard) = (&names.prefix, names.prefix.to_uppercase());
    let mut text = format!(
        "/* Weights and other constants, in the order in which kernels read them. */\n\
         #ifndef {guard}_TABLES_H\n#define {guard}_TABLES_H\n\n#include <stddef.h>\n\
         #include <stdint.h>\n",
    );
    let layers = || firmware.layers();
    let integer = layers().any(|(_, l)| matches!(l.product, Product::Integer { .. }));
    if integer {
        text.push_str("\n#include \"kernels/integer.h\"\n");
    }
    if layers().any(|(_, l)| matches!(l.product, Product::Real)) {
        text.push_str("\n#include \"kernels/real.h\"\n");
    }
    if layers().any(|(_, l)| matches!(l.product, Product::Half)) {
        text.push_str("\n#include \"kernels/half.h\"\n");
    }
    text.push('\n');
    for (id, table) in firmware.tables.iter() {
        let (of, n) = match table {
            Table::F32(x) => ("float", x.len()),
            Table::I32(x) => ("int32_t", x.len()),
            Table::I8(x) => ("int8_t", x.len()),
            Table::Halves(x) => ("uint32_t", x.len()),
            Table::Bytes(_) | Table::Native(_) => continue,
        };
        let _ = writeln!(text, "extern const {of} {prefix}_t{id}[{}];", n.max(1));
    }
    for (i, layer) in layers() {
        let of = matrix_type(layer);
        let _ = writeln!(text, "extern const {of} {prefix}_m{i}[{}];", layer.matrices.len());
    }
    text.push_str("\n#endif\n");
    text
}

fn matrix_type(layer: &Layer) -> &'static str {
    match layer.product {
        Product::Real => "mote_real_matrix",
        Product::Half => "mote_half_matrix",
        Product::Integer { .. } => "mote_matrix",
    }
}

/// The text of `tables.c`.
pub(super) fn tables(firmware: &Firmware, names: &Names) -> String {
    let prefix = &names.prefix;
    let mut text = format!(
        "/* Weights and other constants, in the order in which kernels read them. */\n\
         #include \"{prefix}_tables.h\"\n",
    );
    for (id, table) in firmware.tables.iter() {
        match table {
            Table::F32(x) => {
                let list = x.iter().map(|bits| body::real(f32::from_bits(*bits)));
                array(&mut text, &format!("const float {prefix}_t{id}"), list);
            }
            Table::I32(x) => {
                array(&mut text, &format!("const int32_t {prefix}_t{id}"), x.iter().map(word));
            }
            Table::Halves(x) => {
                array(&mut text, &format!("const uint32_t {prefix}_t{id}"), x.iter());
            }
            Table::I8(x) => array(&mut text, &format!("const int8_t {prefix}_t{id}"), x.iter()),
            Table::Bytes(x) => words(&mut text, prefix, id, x),
            Table::Native(native) => {
                text.push_str("\n#if defined(MOTE_MVE)");
                words(&mut text, prefix, id, &native.mve);
                text.push_str("#elif defined(MOTE_DSP)");
                words(&mut text, prefix, id, &native.dsp);
                text.push_str("#else");
                words(&mut text, prefix, id, &native.rows);
                text.push_str("#endif\n");
            }
        }
    }
    for (i, layer) in firmware.layers() {
        matrices(&mut text, i, layer, names);
    }
    text
}

fn matrices(text: &mut String, number: usize, layer: &Layer, names: &Names) {
    let of = matrix_type(layer);
    let _ =
        write!(text, "\nconst {of} {}_m{number}[{}] = {{\n", names.prefix, layer.matrices.len());
    for m in &layer.matrices {
        let (weights, bias) = (names.table(m.weights), names.table(m.bias));
        let _ = match layer.product {
            Product::Real | Product::Half => {
                writeln!(text, "    {{{}, {weights}, {bias}}},", m.inputs)
            }
            Product::Integer { order, .. } => writeln!(
                text,
                "    {{{}, (const uint8_t *){weights}, {bias}, {}, {}}},",
                body::order(order),
                m.inputs,
                layer.outputs
            ),
        };
    }
    text.push_str("};\n");
}

/// Bytes as words, which begin where words can be read.
fn words(text: &mut String, prefix: &str, id: usize, bytes: &[u8]) {
    let word = |bytes: &[u8]| {
        let byte = |i: usize| bytes.get(i).copied().unwrap_or(0);
        format!("{:#x}u", u32::from_le_bytes([byte(0), byte(1), byte(2), byte(3)]))
    };
    array(text, &format!("static const uint32_t {prefix}_t{id}"), bytes.chunks(4).map(word));
}

/// A word; the least one is no literal of C.
fn word(x: &i32) -> String {
    if *x == i32::MIN { "-2147483647 - 1".into() } else { x.to_string() }
}

fn array(text: &mut String, name: &str, numbers: impl ExactSizeIterator<Item = impl ToString>) {
    // An array of C has at least one element.
    let _ = write!(text, "\n{name}[{}] = {{", numbers.len().max(1));
    if numbers.len() == 0 {
        text.push('0');
    }
    lines(text, numbers);
    text.push_str("};\n");
}

/// Numbers with commas, in lines of a readable width.
fn lines(text: &mut String, numbers: impl Iterator<Item = impl ToString>) {
    let mut width = usize::MAX;
    for number in numbers {
        let number = number.to_string();
        if width.saturating_add(number.len() + 2) > 100 {
            text.push_str("\n   ");
            width = 3;
        }
        let _ = write!(text, " {number},");
        width += number.len() + 2;
    }
    text.push('\n');
}

/// The text of `self_test.c`.
pub(super) fn self_test(firmware: &Firmware, golden: &Golden, names: &Names) -> String {
    let count = golden.vectors.len();
    let prefix = &names.prefix;
    let mut text = format!(
        "/* Vectors whose results the runtime on the host computed before. */\n\
         #include \"{prefix}.h\"\n\n#include <stddef.h>\n#include <string.h>\n",
    );
    for (i, port) in firmware.inputs.iter().enumerate() {
        let (of, n) = (type_of(&port.place), port.place.elements);
        let samples = golden.vectors.iter().map(|v| &v.inputs[i]);
        vectors(&mut text, &format!("static const {of} input_{i}[{count}][{n}]"), samples);
    }
    for (i, port) in firmware.outputs.iter().enumerate() {
        let (of, n) = (type_of(&port.place), port.place.elements);
        let samples = golden.vectors.iter().map(|v| &v.outputs[i]);
        vectors(&mut text, &format!("static const {of} output_{i}[{count}][{n}]"), samples);
    }
    for (i, _) in real_outputs(firmware, golden) {
        let slack: Vec<String> = golden.vectors.iter().map(|v| body::real(v.slack[i])).collect();
        let slack = slack.join(", ");
        let _ = writeln!(text, "\nstatic const float slack_{i}[{count}] = {{{slack}}};");
    }
    let real = firmware.outputs.iter().any(|p| p.place.real);
    let bytes = firmware.outputs.iter().any(|p| !p.place.real);
    let (reals, steps) = comparison(golden.tolerance);
    text.push_str(if real { reals } else { "" });
    text.push_str(if bytes { steps } else { "" });
    let _ = write!(
        text,
        "\nint {prefix}_self_test(void) {{\n{reset}    for (int i = 0; i < {count}; i++) {{\n",
        reset = if firmware.states.is_empty() {
            String::new()
        } else {
            format!("    {prefix}_reset();\n")
        },
    );
    for (i, name) in names.inputs.iter().enumerate() {
        let _ = writeln!(
            text,
            "        memcpy({prefix}_input_{name}(), input_{i}[i], sizeof input_{i}[i]);"
        );
    }
    let _ = writeln!(text, "        {prefix}_run();");
    for (i, (port, name)) in firmware.outputs.iter().zip(&names.outputs).enumerate() {
        let (n, near) = (port.place.elements, if port.place.real { "reals" } else { "bytes" });
        let slack = match golden.tolerance {
            Tolerance::Near if port.place.real => format!(", slack_{i}[i]"),
            _ => String::new(),
        };
        let _ = writeln!(
            text,
            "        if (!near_{near}({prefix}_output_{name}(), output_{i}[i], {n}{slack})) {{\n            \
             return i + 1;\n        }}"
        );
    }
    text.push_str("    }\n    return 0;\n}\n");
    text
}

/// The outputs that may be off by more than the tolerance.
fn real_outputs<'f>(
    firmware: &'f Firmware,
    golden: &Golden,
) -> impl Iterator<Item = (usize, &'f Port)> + use<'f> {
    let near = golden.tolerance == Tolerance::Near;
    firmware.outputs.iter().enumerate().filter(move |(_, port)| near && port.place.real)
}

fn vectors<'a>(text: &mut String, name: &str, samples: impl Iterator<Item = &'a Sample>) {
    let _ = writeln!(text, "\n{name} = {{");
    for sample in samples {
        text.push_str("    {");
        match sample {
            Sample::F32(x) => lines(text, x.iter().map(|x| body::real(*x))),
            Sample::I8(x) => lines(text, x.iter()),
        }
        text.push_str("    },\n");
    }
    text.push_str("};\n");
}

/// How real numbers and how bytes are compared.
fn comparison(tolerance: Tolerance) -> (&'static str, &'static str) {
    match tolerance {
        Tolerance::Exact => (
            "\n/* Bit for bit; which NaN it is does not matter. */\n\
             static int near_reals(const float *found, const float *wanted, size_t n) {\n    \
             for (size_t i = 0; i < n; i++) {\n        \
             const int nan = found[i] != found[i] && wanted[i] != wanted[i];\n        \
             if (!nan && memcmp(found + i, wanted + i, sizeof *found) != 0) {\n            \
             return 0;\n        }\n    }\n    return 1;\n}\n",
            "\n/* Bit for bit. */\n\
             static int near_bytes(const int8_t *found, const int8_t *wanted, size_t n) {\n    \
             return memcmp(found, wanted, n) == 0;\n}\n",
        ),
        Tolerance::Near => (
            "\n/* |found - wanted| <= 1e-4 * max(1, |wanted|) + slack: sums run in another order. */\n\
             static int near_reals(const float *found, const float *wanted, size_t n, float slack) {\n    \
             for (size_t i = 0; i < n; i++) {\n        \
             const float f = found[i], w = wanted[i], size = w < 0 ? -w : w;\n        \
             const float away = f < w ? w - f : f - w;\n        \
             const int same = f == w || (f != f && w != w);\n        \
             if (!same && !(away <= 1e-4f * (size > 1 ? size : 1) + slack)) {\n            return 0;\n        \
             }\n    }\n    return 1;\n}\n",
            "\n/* Within one step. */\n\
             static int near_bytes(const int8_t *found, const int8_t *wanted, size_t n) {\n    \
             for (size_t i = 0; i < n; i++) {\n        \
             if (found[i] - wanted[i] > 1 || wanted[i] - found[i] > 1) {\n            return 0;\n        \
             }\n    }\n    return 1;\n}\n",
        ),
    }
}
