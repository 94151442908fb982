//! Prints firmware as C99.

mod body;
mod data;
mod sources;

use std::fmt::Write as _;

use crate::{
    error::Error,
    files::Files,
    golden::Golden,
    names,
    steps::{At, Firmware, Place, Port},
};

/// The files of the firmware `name`.
///
/// # Errors
///
/// [`Error::Name`].
pub(crate) fn write(firmware: &Firmware, golden: &Golden, name: &str) -> Result<Files, Error> {
    if !names::is_crate_name(name) {
        return Err(Error::Name { name: name.into() });
    }
    let names = Names::of(firmware);
    let mut files = Files::default();
    let kernels = sources::needed(firmware);
    for (name, text) in &kernels {
        files.add(format!("kernels/{name}"), text.clone());
    }
    files.add("README.md", readme(name, firmware, &names));
    files.add("model.h", header(firmware, &names));
    files.add("model.c", body::model(firmware, &names, &kernels));
    files.add("tables.h", data::declarations(firmware));
    files.add("tables.c", data::tables(firmware));
    files.add("self_test.c", data::self_test(firmware, golden, &names));
    Ok(files)
}

/// What everything is called.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    program: String,
    inputs: Vec<String>,
    outputs: Vec<String>,
}

impl Names {
    fn of(firmware: &Firmware) -> Self {
        Self {
            program: names::identifier(&firmware.program),
            inputs: names::identifiers(firmware.inputs.iter().map(|p| p.name.as_str())),
            outputs: names::identifiers(firmware.outputs.iter().map(|p| p.name.as_str())),
        }
    }

    /// The name of an output beside those of the inputs.
    fn result(&self, name: &str) -> String {
        if self.inputs.iter().any(|n| n == name) { format!("{name}_out") } else { name.into() }
    }
}

fn type_of(place: &Place) -> &'static str {
    if place.real { "float" } else { "int8_t" }
}

/// A pointer to the elements of a value.
fn pointer(place: &Place) -> String {
    match place.at {
        At::Table(id) => format!("t{}", id.0),
        At::Arena(byte) if place.real => format!("arena + {}", byte / 4),
        // Characters may be read from and written to memory of any type.
        At::Arena(byte) => format!("(int8_t *)(arena + {})", byte / 4),
    }
}

fn header(firmware: &Firmware, names: &Names) -> String {
    let mut text = format!(
        "/* The program `{}`, exported by Mote. All memory that it needs is static; it cannot fail, and\n   \
         runs for one caller at a time. */\n#ifndef MOTE_MODEL_H\n#define MOTE_MODEL_H\n\n\
         #include <stdint.h>\n\n",
        firmware.program
    );
    let ports = firmware.inputs.iter().zip(&names.inputs);
    for (port, name) in ports.chain(firmware.outputs.iter().zip(&names.outputs)) {
        let _ = writeln!(text, "/* `{name}`: {} */", describe(port));
    }
    let _ =
        write!(text, "\n/* Runs `{}` once. */\n{};\n\n", firmware.program, call(firmware, names));
    text.push_str("/* The same without copies: fill the inputs before each run, which may overwrite them;\n   \
                   outputs are valid until the next one. */\n");
    for (port, name) in firmware.inputs.iter().zip(&names.inputs) {
        let _ = writeln!(text, "{} *mote_input_{name}(void);", type_of(&port.place));
    }
    text.push_str("void mote_run(void);\n");
    for (port, name) in firmware.outputs.iter().zip(&names.outputs) {
        let _ = writeln!(text, "const {} *mote_output_{name}(void);", type_of(&port.place));
    }
    text.push_str(
        "\n/* Computes vectors whose results the runtime on the host computed before; returns 0, or the\n   \
         number of the first that differs, from one. */\nint mote_self_test(void);\n\n#endif\n",
    );
    text
}

/// The declaration of the function that is called as the program is.
fn call(firmware: &Firmware, names: &Names) -> String {
    let mut arguments = Vec::new();
    for (port, name) in firmware.inputs.iter().zip(&names.inputs) {
        arguments.push(format!("const {} {name}[{}]", type_of(&port.place), port.place.elements));
    }
    for (port, name) in firmware.outputs.iter().zip(&names.outputs) {
        let (of, n) = (type_of(&port.place), port.place.elements);
        arguments.push(format!("{of} {}[{n}]", names.result(name)));
    }
    let arguments = if arguments.is_empty() { "void".into() } else { arguments.join(", ") };
    format!("void mote_{}({arguments})", names.program)
}

/// Shape and unit of a port.
fn describe(port: &Port) -> String {
    match port.quantization {
        Some(q) => format!(
            "int8_t, {:?}, row major, real = {:?} * (q - {}).",
            port.shape, q.scale, q.zero_point
        ),
        None => format!("float, {:?}, row major.", port.shape),
    }
}

fn readme(name: &str, firmware: &Firmware, names: &Names) -> String {
    format!(
        "# {name}\n\nThe program `{}`, exported by Mote as C99: {} multiplications with weights, {} \
         bytes of values. It allocates nothing, cannot fail, depends on the standard library alone, and \
         contains the kernels that it uses and no others. Processors are little endian.\n\n\
         `model.h` declares `mote_{}`.\n\n## Build\n\nCompile all `.c` and `.S` files, with `kernels` \
         among the folders of headers, and link `-lm`:\n\n```sh\ncc -std=c99 -O2 -Ikernels -c *.c \
         kernels/*.[cS]\n```\n\nThe compiler's target chooses the kernels: `-mcpu=cortex-m4` (also M7, M33) those \
         with DSP instructions, `-mcpu=cortex-m55` (also M85) those with vectors, all others plain ones, with the \
         same results bit for bit.\n\n## Self-test\n\n`self_test.c` holds vectors whose results the runtime \
         on the host computed before. It is needed by nothing else and may be left out.\n",
        firmware.program, firmware.multiply_adds, firmware.arena_bytes, names.program,
    )
}
