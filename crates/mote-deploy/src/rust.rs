//! Prints firmware as a `no_std` crate.

mod body;
mod data;

use std::{collections::BTreeSet, fmt::Write as _};

use mote_runtime::micro;

use crate::{
    error::Error,
    files::Files,
    golden::Golden,
    names,
    steps::{Firmware, Order, Place, Port, Product, State, What, Windows},
};

/// The files of the crate `name`.
///
/// # Errors
///
/// [`Error::Name`].
pub(crate) fn write(firmware: &Firmware, golden: &Golden, name: &str) -> Result<Files, Error> {
    if !names::is_crate_name(name) {
        return Err(Error::Name { name: name.into() });
    }
    let mut files = Files::default();
    let needs = Needs::of(firmware);
    files.add("Cargo.toml", manifest(name, firmware, &needs));
    files.add("README.md", readme(name, firmware, &needs));
    files.add("src/lib.rs", library(firmware, &needs));
    files.add("src/self_test.rs", data::self_test(firmware, golden));
    for source in micro::SOURCES.iter().filter(|s| needs.files.contains(s.name)) {
        files.add(format!("src/kernels/{}", source.name), source.text);
    }
    files.add("src/kernels.rs", kernels(&needs));
    data::tables(firmware, &mut files);
    Ok(files)
}

/// What of the kernels a program uses.
#[derive(Clone, Debug)]
pub(crate) struct Needs {
    /// Names of files.
    files: BTreeSet<&'static str>,
    /// Whether processors differ.
    native: bool,
    /// The same for four-bit weights, for those in single and for those in half precision.
    native4: bool,
    real: bool,
    half: bool,
    integer: bool,
    libm: bool,
}

impl Needs {
    fn of(firmware: &Firmware) -> Self {
        let mut needs = Self {
            files: BTreeSet::from(["arena.rs"]),
            native: false,
            native4: false,
            real: false,
            half: false,
            integer: false,
            libm: false,
        };
        for step in &firmware.steps {
            needs.step(&step.what);
        }
        needs
    }

    fn step(&mut self, what: &What) {
        match what {
            What::Layer(layer) => {
                match layer.windows {
                    Windows::Rows { .. } => {}
                    Windows::Conv(_) | Windows::Transposed(_) => {
                        self.files.insert("window.rs");
                    }
                    Windows::Ring { .. } => {
                        self.files.insert("ring.rs");
                    }
                }
                match layer.product {
                    Product::Real => {
                        self.real = true;
                        self.files.extend(["real.rs", "fpu.s", "mve_real.rs", "mve_real.s"]);
                    }
                    Product::Half => {
                        self.half = true;
                        self.files.extend(["half.rs", "half.s", "mve_half.rs", "mve_half.s"]);
                    }
                    Product::Integer { order, .. } => self.order(order),
                }
            }
            What::Activate(f) | What::Map(f) => {
                self.files.insert("elements.rs");
                if body::is_from_library(*f) {
                    self.libm = true;
                    self.files.extend(["functions.rs", "root.rs", "root.s"]);
                }
            }
            What::Affine { .. }
            | What::Clamp { .. }
            | What::Zip { .. }
            | What::Broadcast { .. } => {
                self.files.insert("elements.rs");
            }
            What::Fold { .. } => {
                self.files.extend(["normalize.rs", "root.rs", "root.s", "elements.rs"]);
            }
            What::Softmax { .. } | What::LayerNorm { .. } | What::CumulativeSum { .. } => {
                self.files.extend(["normalize.rs", "root.rs", "root.s"]);
            }
            What::Attention(_) => {
                self.libm = true;
                self.files.insert("attention.rs");
            }
            What::Quantize(_) | What::Dequantize(_) | What::Lookup { .. } | What::Add { .. } => {
                self.files.insert("bytes.rs");
            }
            What::CopyBlocks(_) | What::Permute { .. } => {
                self.files.insert("layout.rs");
            }
            What::Push { .. } | What::Oldest { .. } => {
                self.files.insert("ring.rs");
            }
        }
        self.libm |= self.files.contains("normalize.rs");
    }

    fn order(&mut self, order: Order) {
        self.integer = true;
        self.files.insert("integer.rs");
        match order {
            Order::Native => {
                self.native = true;
                self.files.extend(["rows.rs", "dsp.rs", "dsp.s", "mve.rs", "mve.s"]);
            }
            Order::Rows => self.files.extend(["rows.rs"]),
            Order::Native4 => {
                self.native4 = true;
                self.files.extend(["nibbles.rs", "groups.rs", "dsp4.rs", "dsp4.s"]);
                self.files.extend(["mve4.rs", "mve4.s", "mve.rs", "mve.s"]);
            }
        }
    }
}

fn manifest(name: &str, firmware: &Firmware, needs: &Needs) -> String {
    let libm = if needs.libm {
        "# exp, tanh and their kin, the same bits on every machine.\nlibm = \"0.2\"\n"
    } else {
        ""
    };
    format!(
        "[package]\nname = \"{name}\"\ndescription = \"The program `{}`, exported by Mote.\"\n\
         version = \"0.1.0\"\nedition = \"2024\"\n\n[features]\n\
         # Vectors that show whether this build computes what it should.\nself-test = []\n\
         # Kernels for the DSP instructions of a Cortex-M4, M7 or M33.\ndsp = []\n\
         # Kernels for the vectors of a Cortex-M55 or M85; wins over `dsp`.\nmve = []\n\n\
         [dependencies]\n{libm}\n[workspace]\n",
        firmware.program
    )
}

fn kernels(needs: &Needs) -> String {
    let mut text = String::from(
        "//! The kernels that the program uses, as the tests of Mote run them.\n\
         #![allow(dead_code, missing_docs)]\n\n",
    );
    for file in needs.files.iter().filter_map(|file| file.strip_suffix(".rs")) {
        let condition = match file {
            "dsp" | "dsp4" => "#[cfg(all(feature = \"dsp\", not(feature = \"mve\")))]\n",
            "mve" | "mve4" | "mve_real" | "mve_half" => "#[cfg(feature = \"mve\")]\n",
            _ => "",
        };
        let _ = writeln!(text, "{condition}pub(crate) mod {file};");
    }
    let natives = [
        (needs.native, "Native", "dsp::Dsp", "mve::Mve", "rows::Rows"),
        (needs.native4, "Native4", "dsp4::Dsp4", "mve4::Mve4", "nibbles::Nibbles"),
        (needs.real, "Real", "real::Fpu", "mve_real::MveReal", "real::Fpu"),
        (needs.half, "Half", "half::HalfFpu", "mve_half::MveHalf", "half::HalfFpu"),
    ];
    for (_, name, dsp, mve, plain) in natives.iter().filter(|native| native.0) {
        let _ = write!(
            text,
            "\n#[cfg(all(feature = \"dsp\", not(feature = \"mve\")))]\npub(crate) use {dsp} as {name};\n\
             #[cfg(feature = \"mve\")]\npub(crate) use {mve} as {name};\n\
             #[cfg(not(any(feature = \"dsp\", feature = \"mve\")))]\npub(crate) use {plain} as {name};\n",
        );
    }
    text
}

fn library(firmware: &Firmware, needs: &Needs) -> String {
    let inputs = names::identifiers(firmware.inputs.iter().map(|p| p.name.as_str()));
    let outputs = names::identifiers(firmware.outputs.iter().map(|p| p.name.as_str()));
    let arena = firmware.arena_bytes.div_ceil(4);
    let gathered = firmware.gathered_bytes.div_ceil(4);
    let words = |order: &str| format!("kernels::integer::scratch_words::<kernels::{order}>()");
    let scratch = match (needs.integer, needs.native, needs.native4) {
        (false, ..) => "0".into(),
        (true, false, false) => words("rows::Rows"),
        (true, true, false) => words("Native"),
        (true, false, true) => words("Native4"),
        (true, true, true) => {
            format!("kernels::integer::larger({}, {})", words("Native"), words("Native4"))
        }
    };
    let rings = firmware.rings;
    let (fields, values) = if firmware.states.is_empty() {
        (String::new(), String::new())
    } else {
        (
            format!("    oldest: [usize; {rings}],\n    started: bool,\n"),
            format!(", oldest: [0; {rings}], started: false"),
        )
    };
    let mut text = format!(
        "//! The program `{program}`, exported by Mote.\n//!\n\
         //! [`Model`] holds all memory that it needs, and runs it. Nothing here allocates or fails.\n\
         #![no_std]\n\nmod kernels;\n#[cfg(feature = \"self-test\")]\npub mod self_test;\n\
         mod tables;\n\n\
         /// The memory of the program: its values, and what kernels use.\n\
         #[derive(Clone, Debug)]\n#[allow(dead_code)]\npub struct Model {{\n    arena: [u32; {arena}],\n    \
         gathered: [u32; {gathered}],\n    scratch: [i32; {scratch}],\n{fields}}}\n\n\
         impl Default for Model {{\n    fn default() -> Self {{\n        Self::new()\n    }}\n}}\n\n\
         impl Model {{\n    /// All zeros; may stand in a `static`.\n    #[must_use]\n    \
         pub const fn new() -> Self {{\n        Self {{ arena: [0; {arena}], \
         gathered: [0; {gathered}], scratch: [0; {scratch}]{values} }}\n    }}\n\n",
        program = firmware.program,
    );
    if !firmware.states.is_empty() {
        text.push_str(&begin(&firmware.states));
    }
    text.push_str(&call(firmware, &inputs, &outputs));
    for (port, name) in firmware.inputs.iter().zip(&inputs) {
        text.push_str(&input(port, name));
    }
    for (port, name) in firmware.outputs.iter().zip(&outputs) {
        text.push_str(&output(port, name));
    }
    text.push_str(&body::run(firmware));
    text.push_str("}\n");
    text
}

/// How what the program remembers begins.
fn begin(states: &[State]) -> String {
    let mut text = String::from(
        "    /// Forgets all samples, as at the beginning of a stream.\n    pub fn reset(&mut self) {\n        \
         self.started = false;\n    }\n\n    fn begin(&mut self) {\n",
    );
    for State { place, zero } in states {
        let words = place.words().expect("verified: inputs are written, so they are no tensors");
        let view = view_mut(place, &format!("&mut self.arena[{words:?}]"));
        let zero = if place.real { "0.0".into() } else { zero.to_string() };
        let _ = writeln!(text, "        {view}.fill({zero});");
    }
    text.push_str("        self.oldest.fill(0);\n        self.started = true;\n    }\n\n");
    text
}

/// The function that is called as the program is.
fn call(firmware: &Firmware, inputs: &[String], outputs: &[String]) -> String {
    let name = names::identifier(&firmware.program);
    let mut text = format!("    /// Runs `{}` once.\n    ///\n", firmware.program);
    let both = firmware.inputs.iter().zip(inputs).chain(firmware.outputs.iter().zip(outputs));
    for (port, name) in both {
        let _ = writeln!(text, "    /// - `{name}`: {}", describe(port));
    }
    let mut arguments: Vec<String> = Vec::new();
    let mut copies = String::new();
    for (port, name) in firmware.inputs.iter().zip(inputs) {
        arguments.push(format!("{name}: &{}", array(&port.place)));
        let _ = writeln!(copies, "        self.input_{name}().copy_from_slice({name});");
    }
    copies.push_str("        self.run();\n");
    for (port, name) in firmware.outputs.iter().zip(outputs) {
        let argument = if inputs.contains(name) { format!("{name}_out") } else { name.clone() };
        arguments.push(format!("{argument}: &mut {}", array(&port.place)));
        let _ = writeln!(copies, "        {argument}.copy_from_slice(self.output_{name}());");
    }
    let _ = write!(
        text,
        "    pub fn {name}(&mut self, {}) {{\n{copies}    }}\n\n",
        arguments.join(", ")
    );
    text
}

fn input(port: &Port, name: &str) -> String {
    let words = port.place.words().expect("verified: inputs are written, so they are no tensors");
    let view = view_mut(&port.place, &format!("&mut self.arena[{words:?}]"));
    format!(
        "    /// The memory of `{name}`, to be filled before each run, which may overwrite it: {}\n    \
         pub fn input_{name}(&mut self) -> &mut {} {{\n        {view}\n            \
         .try_into()\n            .expect(\"the memory of a value is as long as the value\")\n    }}\n\n",
        describe(port),
        array(&port.place),
    )
}

fn output(port: &Port, name: &str) -> String {
    let view = view(&port.place, "self.arena");
    format!(
        "    /// `{name}`, valid after a run until the next: {}\n    #[must_use]\n    \
         pub fn output_{name}(&self) -> &{} {{\n        {view}\n            .try_into()\n            \
         .expect(\"the memory of a value is as long as the value\")\n    }}\n\n",
        describe(port),
        array(&port.place),
    )
}

/// Shape and unit of a port, as a sentence.
fn describe(port: &Port) -> String {
    match port.quantization {
        Some(q) => format!(
            "`i8`, {:?}, row major, `real = {:?} * (q - {})`.",
            port.shape, q.scale, q.zero_point
        ),
        None => format!("`f32`, {:?}, row major.", port.shape),
    }
}

fn array(place: &Place) -> String {
    format!("[{}; {}]", if place.real { "f32" } else { "i8" }, place.elements)
}

/// An expression for the elements of a value.
fn view(place: &Place, arena: &str) -> String {
    match (place.words(), place.at) {
        (Some(words), _) if place.real => format!("kernels::arena::reals(&{arena}[{words:?}])"),
        (Some(words), _) => {
            format!("kernels::arena::bytes(&{arena}[{words:?}], {})", place.elements)
        }
        (None, crate::steps::At::Table(id)) => format!("(&tables::T{}[..])", id.0),
        (None, crate::steps::At::Arena(_)) => {
            unreachable!("what lies in the arena has words there")
        }
    }
}

fn view_mut(place: &Place, words: &str) -> String {
    if place.real {
        format!("kernels::arena::reals_mut({words})")
    } else {
        format!("kernels::arena::bytes_mut({words}, {})", place.elements)
    }
}

fn readme(name: &str, firmware: &Firmware, needs: &Needs) -> String {
    let module = name.replace('-', "_");
    let mut text = format!(
        "# {name}\n\nThe program `{}`, exported by Mote as a `no_std` crate: {} multiplications with \
         weights, {} bytes of values. It allocates nothing, cannot fail, and contains the kernels that \
         it uses and no others.\n\n```rust\nstatic mut MODEL: {module}::Model = \
         {module}::Model::new();\n```\n\n`Model::{}` copies its inputs in and its results out; \
         `input_…`, `run` and `output_…` do the same without copies.\n\n## Ports\n\n",
        firmware.program,
        firmware.multiply_adds,
        firmware.arena_bytes,
        names::identifier(&firmware.program),
    );
    for (way, ports) in [("in", &firmware.inputs), ("out", &firmware.outputs)] {
        for port in ports {
            let _ = writeln!(text, "- {way} `{}`: {}", port.name, describe(port));
        }
    }
    if needs.native || needs.native4 || needs.real || needs.half {
        text.push_str(
            "\n## Processors\n\nWithout features it runs anywhere. Exactly one of these makes it faster, \
             with the same results bit for bit, but for sums of real numbers, which `mve` rounds less \
             often:\n\n| feature | for | how to build |\n|---|---|---|\n\
             | `dsp` | Cortex-M4, M7, M33 | `--target thumbv7em-none-eabihf --features dsp` |\n\
             | `mve` | Cortex-M55, M85, with floating point in vectors | \
             `--target thumbv8m.main-none-eabihf --features mve`, and \
             `-Ctarget-cpu=cortex-m55` in `RUSTFLAGS` |\n",
        );
    }
    text.push_str(
        "\n## Self-test\n\nWith the feature `self-test`, `self_test::run` computes vectors whose results \
         the runtime on the host computed before, and says which one differs.\n",
    );
    text
}
