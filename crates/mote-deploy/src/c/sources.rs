//! The files of kernels, and which of them a program needs.

use std::collections::BTreeMap;

use mote_runtime::micro;

use crate::steps::{Firmware, Order, Product, What, Windows};

macro_rules! source {
    ($name:literal) => {
        ($name, include_str!($name))
    };
}

const SOURCES: [(&str, &str); 23] = [
    source!("bytes.c"),
    source!("bytes.h"),
    source!("dsp.c"),
    source!("dsp4.c"),
    source!("elements.h"),
    source!("half.c"),
    source!("half.h"),
    source!("integer.c"),
    source!("integer.h"),
    source!("layout.c"),
    source!("layout.h"),
    source!("mve.c"),
    source!("mve4.c"),
    source!("nibbles.c"),
    source!("normalize.c"),
    source!("normalize.h"),
    source!("real.c"),
    source!("real.h"),
    source!("ring.c"),
    source!("ring.h"),
    source!("rows.c"),
    source!("window.c"),
    source!("window.h"),
];

/// The kernels that the program uses, by name.
pub(super) fn needed(firmware: &Firmware) -> BTreeMap<String, String> {
    let mut stems: Vec<&str> = Vec::new();
    for step in &firmware.steps {
        match &step.what {
            What::Layer(layer) => {
                match layer.windows {
                    Windows::Rows { .. } => {}
                    Windows::Conv(_) | Windows::Transposed(_) => stems.push("window"),
                    Windows::Ring { .. } => stems.push("ring"),
                }
                stems.extend_from_slice(match layer.product {
                    Product::Real => &["real", "fpu"],
                    Product::Half => &["half"],
                    Product::Integer { order: Order::Native, .. } => {
                        &["integer", "rows", "dsp", "mve"]
                    }
                    Product::Integer { order: Order::Rows, .. } => &["integer", "rows", "mve"],
                    Product::Integer { order: Order::Native4, .. } => {
                        &["integer", "nibbles", "dsp4", "mve4", "mve"]
                    }
                });
            }
            What::Fold { .. } => stems.extend(["normalize", "elements"]),
            What::Softmax { .. } | What::LayerNorm { .. } => stems.push("normalize"),
            What::Quantize(_) | What::Dequantize(_) | What::Lookup { .. } | What::Add { .. } => {
                stems.push("bytes");
            }
            What::CopyBlocks(_) | What::Permute { .. } => stems.push("layout"),
            What::Push { .. } | What::Oldest { .. } => stems.push("ring"),
            What::Activate(_)
            | What::Map(_)
            | What::Affine { .. }
            | What::Clamp { .. }
            | What::Zip { .. }
            | What::Broadcast { .. } => stems.push("elements"),
        }
    }
    let of_stem = |name: &str| stems.iter().any(|s| name.split('.').next() == Some(s));
    let mut files: BTreeMap<String, String> = SOURCES
        .iter()
        .filter(|(name, _)| of_stem(name))
        .map(|(name, text)| (name.to_string(), text.to_string()))
        .collect();
    let dsp = "defined(__ARM_FEATURE_DSP) && !defined(__ARM_FEATURE_MVE)";
    let mve = "defined(__ARM_FEATURE_MVE)";
    let fpu = "defined(__ARM_PCS_VFP) && __ARM_ARCH_PROFILE == 'M'";
    for (name, condition) in [
        ("dsp.s", dsp),
        ("dsp4.s", dsp),
        ("mve.s", mve),
        ("mve4.s", mve),
        ("fpu.s", fpu),
        ("half.s", fpu),
    ] {
        if of_stem(name) {
            let source = micro::SOURCES.iter().find(|source| source.name == name);
            let text = source.expect("the runtime has all assembly").text;
            // The upper case asks the compiler to look at conditions first.
            // What says nothing of its stack gets one that can be executed, and a warning.
            let note =
                "#if defined(__ELF__)\n        .section .note.GNU-stack, \"\", %progbits\n#endif\n";
            let text = format!("#if {condition}\n{text}#endif\n{note}");
            files.insert(name.replace(".s", ".S"), text);
        }
    }
    files
}
