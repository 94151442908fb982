//! `model.c`: memory, ports, and the function that runs all steps.

use std::{collections::BTreeMap, fmt::Write as _};

use mote_format::program::{Binary, Reduction, Unary};

use super::{Names, call, pointer, type_of};
use crate::steps::{
    Attention, Finish, Firmware, Layer, Order, Product, State, Step, What, Windows,
};

/// The text of `model.c`.
pub(super) fn model(
    firmware: &Firmware,
    names: &Names,
    kernels: &BTreeMap<String, String>,
) -> String {
    let mut text = format!(
        "/* The program `{}`, exported by Mote. */\n#include \"{prefix}.h\"\n\n#include <string.h>\n\n\
         #include \"{prefix}_tables.h\"\n",
        firmware.program,
        prefix = names.prefix,
    );
    for header in kernels.keys().filter(|name| name.ends_with(".h")) {
        let _ = writeln!(text, "#include \"kernels/{header}\"");
    }
    let arena = firmware.arena_bytes.div_ceil(4).max(1);
    let _ = write!(text, "\n/* All values, placed by lifetime. */\nstatic float arena[{arena}];\n");
    if firmware.gathered_bytes > 0 {
        let gathered = firmware.gathered_bytes.div_ceil(4).max(1);
        let _ = writeln!(text, "static float gathered[{gathered}];");
    }
    if kernels.contains_key("integer.c") {
        text.push_str("static int32_t scratch[MOTE_SCRATCH_WORDS];\n");
    }
    if firmware.rings > 0 {
        let _ = writeln!(text, "static size_t oldest[{}];", firmware.rings);
    }
    if !firmware.states.is_empty() {
        text.push_str(&begin(firmware, names));
    }
    let _ = write!(text, "\nvoid {}_run(void) {{\n", names.prefix);
    if !firmware.states.is_empty() {
        text.push_str("    if (!started) {\n        begin();\n    }\n");
    }
    for (i, step) in firmware.steps.iter().enumerate() {
        let _ = writeln!(text, "    /* {i}. {} */", step.comment);
        for line in lines(i, step, names) {
            let _ = writeln!(text, "    {line}");
        }
    }
    text.push_str("}\n");
    text.push_str(&ports(firmware, names));
    text
}

/// How what the program remembers begins.
fn begin(firmware: &Firmware, names: &Names) -> String {
    let mut text = String::from("static int started;\n\nstatic void begin(void) {\n");
    for State { place, zero } in &firmware.states {
        let _ = writeln!(text, "    memset({}, {zero}, {});", pointer(place, names), place.bytes());
    }
    if firmware.rings > 0 {
        text.push_str("    memset(oldest, 0, sizeof oldest);\n");
    }
    let _ = write!(
        text,
        "    started = 1;\n}}\n\nvoid {}_reset(void) {{\n    started = 0;\n}}\n",
        names.prefix
    );
    text
}

fn ports(firmware: &Firmware, names: &Names) -> String {
    let mut text = String::new();
    let mut copies = String::new();
    let prefix = &names.prefix;
    for (port, name) in firmware.inputs.iter().zip(&names.inputs) {
        let (of, at) = (type_of(&port.place), pointer(&port.place, names));
        let _ = write!(text, "\n{of} *{prefix}_input_{name}(void) {{\n    return {at};\n}}\n");
        let bytes = port.place.bytes();
        let _ = writeln!(copies, "    memcpy({prefix}_input_{name}(), {name}, {bytes});");
    }
    let _ = writeln!(copies, "    {prefix}_run();");
    for (port, name) in firmware.outputs.iter().zip(&names.outputs) {
        let (of, at) = (type_of(&port.place), pointer(&port.place, names));
        let _ =
            write!(text, "\nconst {of} *{prefix}_output_{name}(void) {{\n    return {at};\n}}\n");
        let (bytes, result) = (port.place.bytes(), names.result(name));
        let _ = writeln!(copies, "    memcpy({result}, {prefix}_output_{name}(), {bytes});");
    }
    let _ = write!(text, "\n{} {{\n{copies}}}\n", call(firmware, names));
    text
}

fn lines(number: usize, step: &Step, names: &Names) -> Vec<String> {
    let y = pointer(&step.y, names);
    let x = |i: usize| pointer(&step.xs[i], names);
    let n = step.y.elements;
    vec![match &step.what {
        What::Layer(layer) => return layer_lines(number, step, layer, names),
        What::Activate(f) => format!("mote_map({y}, {n}, {y}, {});", unary(*f)),
        What::Map(f) => format!("mote_map({}, {n}, {y}, {});", x(0), unary(*f)),
        What::Affine { scale, offset } => {
            format!("mote_affine({}, {n}, {}, {}, {y});", x(0), real(*scale), real(*offset))
        }
        What::Clamp { low, high } => {
            format!("mote_clamp({}, {n}, {}, {}, {y});", x(0), real(*low), real(*high))
        }
        What::Zip { f } => {
            let (axes, steps) = (axes(&[1, 1, 1, n]), axes(&[0, 0, 0, 1]));
            let (a, b, f) = (x(0), x(1), binary(*f));
            format!("mote_broadcast({a}, {steps}, {b}, {steps}, {axes}, {y}, {f});")
        }
        What::Broadcast { f, lengths, a, b } => format!(
            "mote_broadcast({}, {}, {}, {}, {}, {y}, {});",
            x(0),
            axes(a),
            x(1),
            axes(b),
            axes(lengths),
            binary(*f)
        ),
        What::Fold { f, outer, length, inner } => {
            let by = binary(if *f == Reduction::Max { Binary::Max } else { Binary::Add });
            let fold = format!("mote_fold({}, {outer}, {length}, {inner}, {y}, {by});", x(0));
            if *f != Reduction::Mean {
                return vec![fold];
            }
            let each = format!("for (size_t i = 0; i < {n}; i++) ({y})[i] /= {length}.0f;");
            return vec![fold, each];
        }
        What::CumulativeSum { outer, length, inner, reverse } => {
            let reverse = u8::from(*reverse);
            format!("mote_cumulative_sum({}, {outer}, {length}, {inner}, {reverse}, {y});", x(0))
        }
        What::Softmax { width } => {
            format!("mote_softmax({}, {}, {width}, {y});", x(0), n / width)
        }
        What::LayerNorm { width, gain, bias, epsilon } => format!(
            "mote_layer_norm({}, {}, {width}, {}, {}, {}, {y});",
            x(0),
            n / width,
            names.table(*gain),
            names.table(*bias),
            real(*epsilon)
        ),
        What::Attention(attention) => attend(step, attention, names),
        what => byte_or_move(step, what, names),
    }]
}

fn attend(step: &Step, attention: &Attention, names: &Names) -> String {
    let &Attention { heads, width, outputs, before, rings } = attention;
    let [queries, keys, values, bias] = [0, 1, 2, 3].map(|i| pointer(&step.xs[i], names));
    let time = step.xs[1].elements / (heads * width);
    let first = |ring: Option<usize>| {
        ring.map_or("0".into(), |ring| format!("oldest[{ring}] / sizeof(float)"))
    };
    let [first_key, first_value] = rings.map(first);
    let rows = step.y.elements / (heads * outputs);
    let window = step.xs[3].elements / heads;
    format!(
        "mote_attention({queries}, {rows}, &(const mote_attended){{{keys}, {first_key}, {values}, \
         {first_value}, {bias}, {time}, {heads}, {width}, {outputs}, {window}, {before}}}, {y});",
        y = pointer(&step.y, names),
    )
}

/// Operations on bytes, and those that only move numbers.
fn byte_or_move(step: &Step, what: &What, names: &Names) -> String {
    let y = pointer(&step.y, names);
    let x = |i: usize| pointer(&step.xs[i], names);
    let (n, size) = (step.y.elements, if step.y.real { 4 } else { 1 });
    match what {
        What::Quantize(q) => {
            format!("mote_quantize({}, {n}, {}, {}, {y});", x(0), real(q.scale), q.zero_point)
        }
        What::Dequantize(q) => {
            format!("mote_dequantize({}, {n}, {}, {}, {y});", x(0), real(q.scale), q.zero_point)
        }
        What::Lookup { table } => {
            format!("mote_lookup({}, {n}, {}, {y});", x(0), names.table(*table))
        }
        What::Add { a, b, zero_point, clamp: [low, high] } => format!(
            "mote_add({}, (mote_addend){{{}, {}}}, {}, (mote_addend){{{}, {}}}, {n}, {zero_point}, \
             {low}, {high}, {y});",
            x(0),
            a.zero_point,
            a.multiplier,
            x(1),
            b.zero_point,
            b.multiplier
        ),
        What::CopyBlocks(b) => {
            format!(
                "mote_copy_blocks({} + {}, {}, {y} + {}, {}, {}, {});",
                x(0),
                b.x_start,
                b.x_step * size,
                b.y_start,
                b.y_step * size,
                b.blocks,
                b.n * size
            )
        }
        What::Permute { lengths, steps } => {
            format!("mote_permute({}, {size}, {}, {}, {y});", x(0), axes(lengths), axes(steps))
        }
        What::Push { ring } => format!(
            "oldest[{ring}] = mote_push({}, {}, {y}, {}, oldest[{ring}]);",
            x(0),
            step.xs[0].bytes(),
            step.y.bytes()
        ),
        What::Oldest { ring } => {
            format!("memcpy({y}, (const char *)({}) + oldest[{ring}], {});", x(0), step.y.bytes())
        }
        _ => unreachable!("real numbers have lines of their own"),
    }
}

fn layer_lines(number: usize, step: &Step, layer: &Layer, names: &Names) -> Vec<String> {
    let (x, y, outputs) = (pointer(&step.xs[0], names), pointer(&step.y, names), layer.outputs);
    let rows = step.y.elements / outputs;
    let of = type_of(&step.xs[0]);
    let to = |row: &str| format!("{y} + {row}");
    let matrix = |phase: &str| format!("&{}_m{number}[{phase}]", names.prefix);
    let (setup, window, phase) = match layer.windows {
        Windows::Rows { .. } if rows == 1 => {
            return vec![product(layer, names, &x, &matrix("0"), &y)];
        }
        Windows::Rows { inputs } => {
            (vec![], vec![format!("const {of} *x = {x} + t * {inputs};")], "0")
        }
        Windows::Ring { ring, geometry: g } => {
            let row_bytes = g.inputs * if step.xs[0].real { 4 } else { 1 };
            let (ring_bytes, taps, apart) = (step.xs[0].bytes(), g.taps, g.dilation * row_bytes);
            let window = format!(
                "const {of} *x = mote_ring_window({x}, {ring_bytes}, oldest[{ring}], {row_bytes}, \
                 {taps}, {apart}, gathered);"
            );
            let product = product(layer, names, "x", &matrix("0"), &y);
            return vec!["{".into(), format!("    {window}"), format!("    {product}"), "}".into()];
        }
        Windows::Conv(g) | Windows::Transposed(g) => {
            let row_bytes = g.inputs * if step.xs[0].real { 4 } else { 1 };
            let fill = if step.xs[0].real { 0 } else { g.fill };
            let setup = format!(
                "static const mote_geometry g{number} = {{{}, {row_bytes}, {}, {}, {}, {}, {fill}}};",
                g.time, g.taps, g.stride, g.dilation, g.before
            );
            let (window, phase) = match layer.windows {
                Windows::Conv(_) => (
                    vec![format!("const {of} *x = mote_window({x}, &g{number}, t, gathered);")],
                    "0",
                ),
                _ => (
                    vec![
                        "size_t phase;".to_string(),
                        format!(
                            "const {of} *x = mote_transposed_window({x}, &g{number}, t, gathered, \
                             &phase);"
                        ),
                    ],
                    "phase",
                ),
            };
            (vec![setup], window, phase)
        }
    };
    let mut lines = setup;
    lines.push(format!("for (size_t t = 0; t < {rows}; t++) {{"));
    lines.extend(window.iter().map(|line| format!("    {line}")));
    let y = to(&format!("t * {outputs}"));
    lines.push(format!("    {}", product(layer, names, "x", &matrix(phase), &y)));
    lines.push("}".into());
    lines
}

/// One window times a matrix.
fn product(layer: &Layer, names: &Names, x: &str, matrix: &str, y: &str) -> String {
    match layer.product {
        Product::Real => {
            format!("mote_product({x}, {matrix}, {}, {y});", layer.outputs)
        }
        Product::Half => {
            format!("mote_half_product({x}, {matrix}, {}, {y});", layer.outputs)
        }
        Product::Integer { finish: Finish::Bytes { multiplier, zero_point, clamp }, .. } => {
            let [low, high] = clamp;
            format!(
                "mote_to_bytes({x}, {matrix}, {}, &(const mote_range){{{zero_point}, {low}, {high}}}, \
                 scratch, {y});",
                names.table(multiplier)
            )
        }
        Product::Integer { finish: Finish::Reals { scale }, .. } => {
            format!("mote_to_reals({x}, {matrix}, {}, scratch, {y});", names.table(scale))
        }
    }
}

/// The function that reads weights in this order.
pub(super) fn order(order: Order) -> &'static str {
    match order {
        Order::Native => "mote_native",
        Order::Rows => "mote_rows",
        Order::Native4 => "mote_native4",
    }
}

fn axes(axes: &[usize; 4]) -> String {
    let [a, b, c, d] = axes;
    format!("(const size_t[4]){{{a}, {b}, {c}, {d}}}")
}

/// A number as C writes it, infinities and NaN as well.
pub(super) fn real(x: f32) -> String {
    match x {
        x if x.is_nan() => "(0.0f / 0.0f)".into(),
        f32::INFINITY => "(1.0f / 0.0f)".into(),
        f32::NEG_INFINITY => "(-1.0f / 0.0f)".into(),
        x => format!("{x:?}f"),
    }
}

fn unary(f: Unary) -> &'static str {
    match f {
        Unary::Relu => "mote_relu",
        Unary::Silu => "mote_silu",
        Unary::Gelu => "mote_gelu",
        Unary::Sigmoid => "mote_sigmoid",
        Unary::Tanh => "mote_tanh",
        Unary::Softplus => "mote_softplus",
        Unary::Exp => "mote_exp",
        Unary::Log => "mote_log",
        Unary::Sqrt => "mote_sqrt",
        Unary::Square => "mote_square",
        Unary::Abs => "mote_abs",
        Unary::Recip => "mote_recip",
    }
}

fn binary(f: Binary) -> &'static str {
    match f {
        Binary::Add => "mote_add_reals",
        Binary::Sub => "mote_sub",
        Binary::Mul => "mote_mul",
        Binary::Div => "mote_div",
        Binary::Max => "mote_max",
        Binary::Min => "mote_min",
    }
}
