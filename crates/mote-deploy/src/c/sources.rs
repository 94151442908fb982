//! The files of kernels, and which of them a program needs.

use std::collections::{BTreeMap, BTreeSet};

use mote_runtime::micro;

use crate::steps::{Firmware, Layer, Order, Product, What, Windows};

macro_rules! source {
    ($name:literal) => {
        ($name, include_str!($name))
    };
}

const SOURCES: [(&str, &str); 25] = [
    source!("attention.c"),
    source!("attention.h"),
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

const DSP: &str = "defined(__ARM_FEATURE_DSP) && !defined(__ARM_FEATURE_MVE)";
const MVE: &str = "defined(__ARM_FEATURE_MVE)";
const MVE_REALS: &str = "defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2)";
const FPU: &str = "defined(__ARM_PCS_VFP) && __ARM_ARCH_PROFILE == 'M' && \
                   !(defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2))";

/// The assembly of the runtime, and the processors that each is for.
const ASSEMBLY: [(&str, &str); 8] = [
    ("dsp.s", DSP),
    ("dsp4.s", DSP),
    ("fpu.s", FPU),
    ("half.s", FPU),
    ("mve.s", MVE),
    ("mve4.s", MVE),
    ("mve_half.s", MVE_REALS),
    ("mve_real.s", MVE_REALS),
];

/// The kernels that the program uses, by name.
pub(super) fn needed(firmware: &Firmware) -> BTreeMap<String, String> {
    let steps = firmware.steps.iter().flat_map(|step| stems(&step.what)).copied();
    let layers = firmware.layers().flat_map(|(_, layer)| layer_stems(layer));
    let stems: BTreeSet<&str> = steps.chain(layers).collect();
    let of_stem = |name: &str| name.split('.').next().is_some_and(|stem| stems.contains(stem));
    let mut files: BTreeMap<String, String> = SOURCES
        .iter()
        .filter(|(name, _)| of_stem(name))
        .map(|(name, text)| (name.to_string(), text.to_string()))
        .collect();
    for (name, condition) in ASSEMBLY.into_iter().filter(|(name, _)| of_stem(name)) {
        let source = micro::SOURCES.iter().find(|source| source.name == name);
        let text = source.expect("the runtime has all assembly").text;
        // The upper case asks the compiler to look at conditions first.
        // What says nothing of its stack gets one that can be executed, and a warning.
        let note =
            "#if defined(__ELF__)\n        .section .note.GNU-stack, \"\", %progbits\n#endif\n";
        let text = format!("#if {condition}\n{text}#endif\n{note}");
        files.insert(name.replace(".s", ".S"), text);
    }
    files
}

/// What the names of the files begin with that a step needs.
fn stems(what: &What) -> &'static [&'static str] {
    match what {
        // By their windows and products.
        What::Layer(_) => &[],
        What::Fold { .. } => &["normalize", "elements"],
        What::Softmax { .. } | What::LayerNorm { .. } | What::CumulativeSum { .. } => {
            &["normalize"]
        }
        What::Attention(_) => &["attention"],
        What::Quantize(_) | What::Dequantize(_) | What::Lookup { .. } | What::Add { .. } => {
            &["bytes"]
        }
        What::CopyBlocks(_) | What::Permute { .. } => &["layout"],
        What::Push { .. } | What::Oldest { .. } => &["ring"],
        What::Activate(_)
        | What::Map(_)
        | What::Affine { .. }
        | What::Clamp { .. }
        | What::Zip { .. }
        | What::Broadcast { .. } => &["elements"],
    }
}

fn layer_stems(layer: &Layer) -> impl Iterator<Item = &'static str> {
    let windows: &[&str] = match layer.windows {
        Windows::Rows { .. } => &[],
        Windows::Conv(_) | Windows::Transposed(_) => &["window"],
        Windows::Ring { .. } => &["ring"],
    };
    let product: &[&str] = match layer.product {
        Product::Real => &["real", "fpu", "mve_real"],
        Product::Half => &["half", "mve_half"],
        Product::Integer { order: Order::Native, .. } => &["integer", "rows", "dsp", "mve"],
        Product::Integer { order: Order::Rows, .. } => &["integer", "rows", "mve"],
        Product::Integer { order: Order::Native4, .. } => {
            &["integer", "nibbles", "dsp4", "mve4", "mve"]
        }
    };
    windows.iter().chain(product).copied()
}
