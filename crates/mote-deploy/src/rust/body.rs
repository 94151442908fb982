//! The function that runs all steps.

use std::fmt::Write as _;

use mote_format::program::{Binary, Reduction, Unary};

use super::{array, view_mut};
use crate::{
    steps::{At, Attention, Finish, Firmware, Layer, Order, Place, Product, Step, What, Windows},
    tables::TableId,
};

/// Whether the function takes more than arithmetic.
pub(super) fn is_from_library(f: Unary) -> bool {
    !matches!(f, Unary::Relu | Unary::Square | Unary::Abs | Unary::Recip)
}

/// `run`, with a block for each step.
pub(super) fn run(firmware: &Firmware) -> String {
    let mut text = String::from(
        "    /// Runs every operation once, in order.\n    pub fn run(&mut self) {\n        \
         #[allow(unused_imports)]\n        use kernels::*;\n        \
         // What lies in tables is read there: a compiler that saw the numbers would make code of some.\n        \
         #[allow(unused_imports)]\n        use core::hint::black_box;\n",
    );
    if !firmware.states.is_empty() {
        text.push_str("        if !self.started {\n            self.begin();\n        }\n");
    }
    for (i, step) in firmware.steps.iter().enumerate() {
        let _ = write!(text, "\n        // {i}. {}\n        {{\n", step.comment);
        for line in lines(step) {
            let _ = writeln!(text, "            {line}");
        }
        text.push_str("        }\n");
    }
    text.push_str("    }\n");
    text
}

/// Bindings for what a step reads and writes, and its call.
fn lines(step: &Step) -> Vec<String> {
    let y = step.y.words().expect("verified: results are no tensors");
    let in_arena: Vec<_> =
        step.xs.iter().enumerate().filter(|(_, x)| x.words().is_some()).collect();
    let list = |text: &dyn Fn(usize, &Place) -> String| {
        in_arena.iter().map(|(i, x)| text(*i, x)).collect::<Vec<_>>().join(", ")
    };
    let names = list(&|i, _| format!("x{i}"));
    let ranges = list(&|_, x| format!("{:?}", x.words().expect("filtered")));
    let mut lines =
        vec![format!("let (y, [{names}]) = arena::split(&mut self.arena, {y:?}, [{ranges}]);")];
    let (of_words_y, of_words_x) = in_words(step);
    if !of_words_y {
        lines.push(format!("let y = {};", view_mut(&step.y, "y").replace("kernels::", "")));
    }
    for (i, x) in step.xs.iter().enumerate() {
        lines.push(match x.at {
            At::Arena(_) if of_words_x => continue,
            At::Table(id) => format!("let x{i} = &{}[..];", table(id)),
            At::Arena(_) if x.real => format!("let x{i} = arena::reals(x{i});"),
            At::Arena(_) => format!("let x{i} = arena::bytes(x{i}, {});", x.elements),
        });
    }
    match &step.what {
        What::Layer(layer) => lines.extend(layer_lines(step, layer)),
        what => lines.push(call(what)),
    }
    lines
}

/// Whether a step writes and reads words, whatever they hold: rows of whole words are copied to and
/// from rings as such, which takes a quarter of the instructions.
fn in_words(step: &Step) -> (bool, bool) {
    let whole = |row_bytes: usize| row_bytes.is_multiple_of(4);
    match &step.what {
        What::Push { .. } => (whole(step.xs[0].bytes()), whole(step.xs[0].bytes())),
        What::Oldest { .. } => (whole(step.y.bytes()), whole(step.y.bytes())),
        What::Layer(Layer { windows: Windows::Ring { geometry, .. }, .. }) => {
            (false, whole(step.xs[0].dtype().bytes(geometry.inputs)))
        }
        _ => (false, false),
    }
}

fn call(what: &What) -> String {
    match what {
        What::Activate(f) => format!("elements::map_in_place(y, {});", unary(*f)),
        What::Map(f) => format!("elements::map(x0, y, {});", unary(*f)),
        What::Affine { scale, offset } => {
            format!("elements::affine(x0, {}, {}, y);", real(*scale), real(*offset))
        }
        What::Clamp { low, high } => {
            format!("elements::clamp(x0, {}, {}, y);", real(*low), real(*high))
        }
        What::Zip { f } => format!("elements::zip(x0, x1, y, {});", binary(*f)),
        What::Broadcast { f, lengths, a, b } => format!(
            "elements::broadcast((x0, {a:?}), (x1, {b:?}), y, {lengths:?}, {});",
            binary(*f)
        ),
        What::Fold { f, length, inner, .. } => {
            let folded = |f| format!("normalize::fold(x0, {length}, {inner}, y, {f});");
            match f {
                Reduction::Sum => folded(binary(Binary::Add)),
                Reduction::Max => folded(binary(Binary::Max)),
                Reduction::Mean => {
                    let sum = folded(binary(Binary::Add));
                    format!("{sum}\n            elements::map_in_place(y, |y| y / {length}.0);")
                }
            }
        }
        What::CumulativeSum { length, inner, reverse, .. } => {
            format!("normalize::cumulative_sum(x0, {length}, {inner}, {reverse}, y);")
        }
        What::Softmax { width } => format!("normalize::softmax(x0, {width}, y);"),
        What::LayerNorm { gain, bias, epsilon, .. } => {
            let (gain, bias) = (table(*gain), table(*bias));
            format!("normalize::layer_norm(x0, {gain}, {bias}, {}, y);", real(*epsilon))
        }
        What::Attention(attention) => attend(attention),
        What::Quantize(q) => {
            format!("bytes::quantize(x0, {}, {}, y);", real(q.scale), q.zero_point)
        }
        What::Dequantize(q) => {
            format!("bytes::dequantize(x0, {}, {}, y);", real(q.scale), q.zero_point)
        }
        What::Lookup { table } => {
            format!("bytes::lookup(x0, black_box(&tables::T{}), y);", table.0)
        }
        What::Add { a, b, zero_point, clamp } => {
            let addend = |a: &crate::steps::Addend| {
                format!(
                    "bytes::Addend {{ zero_point: {}, multiplier: {} }}",
                    a.zero_point, a.multiplier
                )
            };
            let (a, b) = (addend(a), addend(b));
            format!("bytes::add((x0, {a}), (x1, {b}), {zero_point}, {clamp:?}, y);")
        }
        What::CopyBlocks(b) => format!(
            "layout::copy_blocks(&x0[{}..], {}, &mut y[{}..], {}, {});",
            b.x_start, b.x_step, b.y_start, b.y_step, b.n
        ),
        What::Permute { lengths, steps } => {
            format!("layout::permute(x0, {lengths:?}, {steps:?}, y);")
        }
        What::Push { ring } => {
            format!("self.oldest[{ring}] = ring::push(x0, y, self.oldest[{ring}]);")
        }
        What::Oldest { ring } => {
            format!("y.copy_from_slice(&x0[self.oldest[{ring}]..][..y.len()]);")
        }
        What::Layer(_) => unreachable!("layers have lines of their own"),
    }
}

/// A table whose numbers the compiler does not see.
fn table(id: TableId) -> String {
    format!("black_box(&tables::T{})", id.0)
}

fn attend(attention: &Attention) -> String {
    let &Attention { heads, width, outputs, before, rings } = attention;
    let first = |ring: Option<usize>| ring.map_or("0".into(), |r| format!("self.oldest[{r}]"));
    let [keys, values] = rings.map(first);
    format!(
        "attention::attention(x0, &attention::Attention {{ keys: (x1, {keys}), values: (x2, {values}), \
         bias: x3, heads: {heads}, width: {width}, outputs: {outputs}, before: {before} }}, y);"
    )
}

fn layer_lines(step: &Step, layer: &Layer) -> Vec<String> {
    let mut lines = layer_tables(layer);
    let outputs = layer.outputs;
    let (before, window, matrix) = match layer.windows {
        Windows::Rows { inputs } if step.xs[0].elements == inputs => {
            // One row: no loop.
            lines.push(product(layer, "x0", "&m[0]", "y"));
            return lines;
        }
        Windows::Rows { inputs } => {
            let rows = format!("x0.chunks_exact({inputs}).zip(y.chunks_exact_mut({outputs}))");
            (format!("for (x, y) in {rows} {{"), None, "&m[0]")
        }
        Windows::Ring { ring, geometry: g } => {
            let n = g.taps * g.inputs;
            let (gathered, inputs) = match in_words(step).1 {
                true => {
                    let words = |n: usize| step.xs[0].dtype().bytes(n) / 4;
                    (format!("&mut self.gathered[..{}]", words(n)), words(g.inputs))
                }
                false => (format!("arena::bytes_mut(&mut self.gathered, {n})"), g.inputs),
            };
            let (oldest, apart) = (format!("self.oldest[{ring}]"), g.dilation * inputs);
            lines.push(format!(
                "let x = ring::window(x0, {oldest}, {inputs}, {apart}, {gathered});"
            ));
            match (step.xs[0].real, in_words(step).1) {
                (true, _) => lines.push("let x = arena::reals(x);".into()),
                (false, true) => lines.push(format!("let x = arena::bytes(x, {n});")),
                (false, false) => {}
            }
            lines.push(product(layer, "x", "&m[0]", "y"));
            return lines;
        }
        Windows::Conv(g) | Windows::Transposed(g) => {
            let gathered = if step.xs[0].real {
                "arena::reals_mut(&mut self.gathered)".to_string()
            } else {
                let inputs = layer.matrices.iter().map(|m| m.inputs).max().unwrap_or(0);
                format!("arena::bytes_mut(&mut self.gathered, {inputs})")
            };
            lines.push(format!("let gathered = {gathered};"));
            lines.push(format!(
                "let g = window::Geometry {{ inputs: {}, taps: {}, stride: {}, dilation: {}, \
                 before: {} }};",
                g.inputs, g.taps, g.stride, g.dilation, g.before
            ));
            let fill = if step.xs[0].real { "0.0".into() } else { g.fill.to_string() };
            let arguments = format!("(x0, &g, t, {fill}, gathered)");
            let (window, matrix) = match layer.windows {
                Windows::Conv(_) => (format!("let x = window::conv{arguments};"), "&m[0]"),
                _ => (format!("let (phase, x) = window::transposed{arguments};"), "&m[phase]"),
            };
            let rows = format!("for (t, y) in y.chunks_exact_mut({outputs}).enumerate() {{");
            (rows, Some(window), matrix)
        }
    };
    lines.push(before);
    lines.extend(window.map(|w| format!("    {w}")));
    lines.push(format!("    {}", product(layer, "x", matrix, "y")));
    lines.push("}".into());
    lines
}

/// Where the tables of a layer lie. It is said on the stack, but for many phases: a table of tables would take flash
/// unless a compiler sees that it need not.
fn layer_tables(layer: &Layer) -> Vec<String> {
    let (kind, part, factors) = match layer.product {
        Product::Real => ("real", "", None),
        Product::Half => ("half", "", None),
        Product::Integer { finish: Finish::Bytes { multiplier, .. }, .. } => {
            ("integer", ".0", Some(multiplier))
        }
        Product::Integer { finish: Finish::Reals { scale }, .. } => ("integer", ".0", Some(scale)),
    };
    // A table of tables is opaque as a whole; else each table is, and its length is seen.
    let in_flash = layer.has_table_of_phases();
    let place = |id: TableId| match in_flash {
        true => format!("tables::T{}", id.0),
        false => format!("(*{})", table(id)),
    };
    let (first, last) = match in_flash {
        true => {
            let n = layer.matrices.len();
            (format!("static M: [{kind}::Matrix<'static>; {n}] = ["), "]; let m = black_box(&M);")
        }
        false => ("let m = [".into(), "];"),
    };
    let mut lines = vec![first];
    for m in &layer.matrices {
        let (weights, bias) = (place(m.weights), place(m.bias));
        lines.push(format!("    {kind}::Matrix {{ weights: &{weights}{part}, bias: &{bias} }},"));
    }
    lines.push(last.into());
    lines.extend(factors.map(|f| format!("let factors = {};", table(f))));
    lines
}

/// One window times a matrix.
fn product(layer: &Layer, x: &str, matrix: &str, y: &str) -> String {
    let (order, finish) = match layer.product {
        Product::Real => return format!("real::product::<Real>({x}, {matrix}, {y});"),
        Product::Half => return format!("half::product::<Half>({x}, {matrix}, {y});"),
        Product::Integer { order, finish } => (order, finish),
    };
    let order = match order {
        Order::Native => "Native",
        Order::Rows => "rows::Rows",
        Order::Native4 => "Native4",
    };
    match finish {
        Finish::Bytes { zero_point, clamp: [low, high], .. } => format!(
            "integer::to_bytes::<{order}>({x}, {matrix}, factors, integer::Range {{ \
             zero_point: {zero_point}, low: {low}, high: {high} }}, &mut self.scratch, {y});"
        ),
        Finish::Reals { .. } => {
            format!("integer::to_reals::<{order}>({x}, {matrix}, factors, &mut self.scratch, {y});")
        }
    }
}

/// A number as Rust writes it, infinities and NaN as well.
pub(super) fn real(x: f32) -> String {
    if x.is_finite() { format!("{x:?}_f32") } else { format!("f32::from_bits({:#x})", x.to_bits()) }
}

fn unary(f: Unary) -> &'static str {
    match f {
        Unary::Relu => "elements::relu",
        Unary::Silu => "functions::silu",
        Unary::Gelu => "functions::gelu",
        Unary::Sigmoid => "functions::sigmoid",
        Unary::Tanh => "functions::tanh",
        Unary::Softplus => "functions::softplus",
        Unary::Exp => "functions::exp",
        Unary::Log => "functions::log",
        Unary::Sqrt => "root::sqrt",
        Unary::Square => "elements::square",
        Unary::Abs => "f32::abs",
        Unary::Recip => "elements::recip",
    }
}

fn binary(f: Binary) -> &'static str {
    match f {
        Binary::Add => "core::ops::Add::add",
        Binary::Sub => "core::ops::Sub::sub",
        Binary::Mul => "core::ops::Mul::mul",
        Binary::Div => "core::ops::Div::div",
        Binary::Max => "elements::larger",
        Binary::Min => "elements::smaller",
    }
}

/// The type of the elements of a place, as an array.
pub(super) fn type_of(place: &Place) -> String {
    array(place)
}
