//! Kernels for microcontrollers: the very files that `mote export` copies into firmware.
//!
//! Everything here is a pure function over slices and knows nothing of programs. Each file needs
//! only what it names; the assembly, which C firmware uses as well, is for one family of processors
//! each, and the Rust file of the same name says what it does on all others.

pub mod arena;
pub mod attention;
pub mod bytes;
pub mod dsp;
pub mod dsp4;
pub mod elements;
pub mod functions;
pub mod groups;
pub mod half;
pub mod integer;
pub mod layout;
pub mod mve;
pub mod mve4;
pub mod mve_half;
pub mod mve_real;
pub mod nibbles;
pub mod normalize;
pub mod real;
pub mod ring;
pub mod root;
pub mod rows;
pub mod window;

/// A file of this folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name, without the folder.
    pub name: &'static str,
    /// What it holds.
    pub text: &'static str,
}

macro_rules! sources {
    ($($name:literal),+ $(,)?) => {
        &[$(Source { name: $name, text: include_str!(concat!("micro/", $name)) }),+]
    };
}

/// All files of this folder.
pub const SOURCES: &[Source] = sources![
    "arena.rs",
    "attention.rs",
    "bytes.rs",
    "dsp.rs",
    "dsp.s",
    "dsp4.rs",
    "dsp4.s",
    "elements.rs",
    "fpu.s",
    "functions.rs",
    "groups.rs",
    "half.rs",
    "half.s",
    "integer.rs",
    "layout.rs",
    "mve.rs",
    "mve.s",
    "mve4.rs",
    "mve4.s",
    "mve_half.rs",
    "mve_half.s",
    "mve_real.rs",
    "mve_real.s",
    "nibbles.rs",
    "normalize.rs",
    "real.rs",
    "ring.rs",
    "root.rs",
    "root.s",
    "rows.rs",
    "window.rs",
];
