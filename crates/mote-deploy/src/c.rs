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
    tables::TableId,
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
    let names = Names::of(firmware, name);
    let prefix = &names.prefix;
    let mut files = Files::default();
    let kernels = sources::needed(firmware);
    for (name, text) in &kernels {
        files.add(format!("kernels/{name}"), text.clone());
    }
    files.add("README.md", readme(name, firmware, &names));
    files.add(format!("{prefix}.h"), header(firmware, &names));
    files.add(format!("{prefix}.c"), body::model(firmware, &names, &kernels));
    files.add(format!("{prefix}_tables.h"), data::declarations(firmware, &names));
    files.add(format!("{prefix}_tables.c"), data::tables(firmware, &names));
    files.add(format!("{prefix}_self_test.c"), data::self_test(firmware, golden, &names));
    Ok(files)
}

/// What everything is called.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// Begins every name, so that several models may meet in one firmware.
    prefix: String,
    program: String,
    inputs: Vec<String>,
    outputs: Vec<String>,
}

impl Names {
    fn of(firmware: &Firmware, name: &str) -> Self {
        Self {
            prefix: names::identifier(name),
            program: names::identifier(&firmware.program),
            inputs: names::identifiers(firmware.inputs.iter().map(|p| p.name.as_str())),
            outputs: names::identifiers(firmware.outputs.iter().map(|p| p.name.as_str())),
        }
    }

    fn table(&self, id: TableId) -> String {
        format!("{}_t{}", self.prefix, id.0)
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
fn pointer(place: &Place, names: &Names) -> String {
    match place.at {
        At::Table(id) => names.table(id),
        At::Arena(byte) if place.real => format!("arena + {}", byte / 4),
        // Characters may be read from and written to memory of any type.
        At::Arena(byte) => format!("(int8_t *)(arena + {})", byte / 4),
    }
}

fn header(firmware: &Firmware, names: &Names) -> String {
    let mut text = format!(
        "/* The program `{}`, exported by Mote. All memory that it needs is static; it cannot fail, and\n   \
         runs for one caller at a time. */\n#ifndef {guard}_H\n#define {guard}_H\n\n\
         #include <stdint.h>\n\n",
        firmware.program,
        guard = names.prefix.to_uppercase(),
    );
    let prefix = &names.prefix;
    let ports = firmware.inputs.iter().zip(&names.inputs);
    for (port, name) in ports.chain(firmware.outputs.iter().zip(&names.outputs)) {
        let _ = writeln!(text, "/* `{name}`: {} */", describe(port));
    }
    let _ =
        write!(text, "\n/* Runs `{}` once. */\n{};\n\n", firmware.program, call(firmware, names));
    text.push_str("/* The same without copies: fill the inputs before each run, which may overwrite them;\n   \
                   outputs are valid until the next one. */\n");
    for (port, name) in firmware.inputs.iter().zip(&names.inputs) {
        let _ = writeln!(text, "{} *{prefix}_input_{name}(void);", type_of(&port.place));
    }
    let _ = writeln!(text, "void {prefix}_run(void);");
    if !firmware.states.is_empty() {
        let _ = writeln!(
            text,
            "\n/* Forgets all samples, as at the beginning of a stream. */\nvoid {prefix}_reset(void);\n"
        );
    }
    for (port, name) in firmware.outputs.iter().zip(&names.outputs) {
        let _ = writeln!(text, "const {} *{prefix}_output_{name}(void);", type_of(&port.place));
    }
    let _ = write!(
        text,
        "\n/* Computes vectors whose results the runtime on the host computed before; returns 0, or the\n   \
         number of the first that differs, from one. */\nint {prefix}_self_test(void);\n\n#endif\n",
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
    format!("void {}_{}({arguments})", names.prefix, names.program)
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
         `{prefix}.h` declares `{prefix}_{}`.\n\n## Build\n\nCompile all `.c` and `.S` files, and link \
         `-lm`:\n\n```sh\ncc -std=c99 -O2 -c *.c kernels/*.[cS]\n```\n\nThe compiler's target chooses the \
         kernels: `-mcpu=cortex-m4` (also M7, M33) those with DSP instructions, `-mcpu=cortex-m55` (also M85) \
         those with vectors, all others plain ones, with the same results bit for bit, but for sums of real \
         numbers, which vectors round less often.\n\n## Self-test\n\n`{prefix}_self_test.c` holds vectors whose results the runtime \
         on the host computed before. It is needed by nothing else and may be left out.\n\n\
         ## Several models\n\nAll names of this one begin with `{prefix}_`. What is in `kernels` is the same for all \
         models and is compiled once.\n",
        firmware.program,
        firmware.multiply_adds,
        firmware.arena_bytes,
        names.program,
        prefix = names.prefix,
    )
}
