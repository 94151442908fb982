//! Changes to model files that most of the time leave a file that can be read.

use libfuzzer_sys::fuzzer_mutate;
use mote_format::{
    Manifest, Op, Program, ValueId,
    program::{Port, Value as Declared},
    shape,
};
use serde_json::{Map, Value, json};

use crate::{
    file::{self, Parts},
    random::Random,
};

/// Changes `data[..size]` in place; returns its new size, at most `max_size`.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut random = Random(seed.into());
    let changed = match random.below(16) {
        0 => None,
        1 => header(&data[..size], &mut random),
        2 => tensors(&data[..size], &mut random),
        _ => structure(&data[..size], &mut random),
    };
    match changed {
        Some(file) if file.len() <= max_size => {
            data[..file.len()].copy_from_slice(&file);
            file.len()
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
}

/// Bytes of the header are changed as libFuzzer does it.
fn header(file: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let (header, data) = file::split(file)?;
    let room = header.len() + 1 + random.below(64);
    let mut header = [header, &vec![0; room - header.len()]].concat();
    let size = header.len();
    let size = fuzzer_mutate(&mut header, size, room);
    Some(file::join(&header[..size], data))
}

/// The numbers of tensors become others.
fn tensors(file: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let (header, data) = file::split(file)?;
    let mut data = data.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(data.len() / 4) * 4;
        let new = match random.below(3) {
            0 => random.real().to_le_bytes(),
            1 => random.pick(&[0u32, 1, 127, 128, u32::MAX, 1 << 31]).to_le_bytes(),
            _ => (random.next() as u32).to_le_bytes(),
        };
        data.get_mut(at..at + 4)?.copy_from_slice(&new);
    }
    Some(file::join(header, &data))
}

/// The manifest, a program of it or the entries of tensors become others.
fn structure(file: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let mut parts = Parts::of(file)?;
    for _ in 0..=random.below(3) {
        match random.below(8) {
            0 => {
                let mut entries = Value::Object(std::mem::take(&mut parts.tensors));
                node(&mut entries, random);
                parts.tensors = entries.as_object()?.clone();
            }
            1 | 2 => node(&mut parts.manifest, random),
            _ => {
                let programs = parts.manifest.get_mut("programs")?.as_array_mut()?;
                let i = random.below(programs.len());
                program(programs.get_mut(i)?, random);
            }
        }
    }
    if !random.one_in(4) {
        repair(&mut parts, random);
    }
    Some(parts.write())
}

/// One change to a node of JSON, anywhere below `root`.
fn node(root: &mut Value, random: &mut Random) {
    let other = pick(root, random).clone();
    let node = pick(root, random);
    match node {
        _ if random.one_in(6) => *node = other,
        Value::Number(n) => *node = number(n.as_u64(), random),
        Value::String(s) => *s = random.pick(&WORDS).into(),
        Value::Array(items) => list(items, other, random),
        Value::Object(entries) => {
            let keys: Vec<String> = entries.keys().cloned().collect();
            let key = keys.get(random.below(keys.len())).cloned().unwrap_or_default();
            match random.below(3) {
                0 => drop(entries.remove(&key)),
                1 => drop(entries.insert(random.pick(&WORDS).into(), other)),
                _ => drop(entries.insert(key, other)),
            }
        }
        _ => *node = number(None, random),
    }
}

fn list(items: &mut Vec<Value>, other: Value, random: &mut Random) {
    let (a, b) = (random.below(items.len()), random.below(items.len()));
    match random.below(4) {
        0 if !items.is_empty() => drop(items.remove(a)),
        1 if !items.is_empty() => items.swap(a, b),
        2 if !items.is_empty() => items.insert(b, items[a].clone()),
        _ => items.insert(a, other),
    }
}

/// A random node: each step down is taken with a chance of three in four.
fn pick<'v>(value: &'v mut Value, random: &mut Random) -> &'v mut Value {
    let children = match value {
        Value::Array(items) => items.len(),
        Value::Object(entries) => entries.len(),
        _ => 0,
    };
    if children == 0 || random.one_in(4) {
        return value;
    }
    let i = random.below(children);
    match value {
        Value::Array(items) => pick(&mut items[i], random),
        Value::Object(entries) => pick(entries.values_mut().nth(i).expect("counted above"), random),
        _ => unreachable!("has children"),
    }
}

fn number(old: Option<u64>, random: &mut Random) -> Value {
    const REALS: [f64; 12] =
        [0.5, -1.0, -0.0, 1e-46, 1e-40, 1.2e-38, 1e38, 3.5e38, 1e300, 1e-300, 0.02, 255.0];
    const WHOLE: [u64; 28] = [
        0,
        1,
        2,
        3,
        4,
        5,
        7,
        8,
        9,
        15,
        16,
        17,
        31,
        32,
        33,
        64,
        127,
        128,
        255,
        256,
        1 << 12,
        1 << 15,
        1 << 28,
        (1 << 31) - 1,
        1 << 32,
        1 << 63,
        u64::MAX - 1,
        u64::MAX,
    ];
    match (random.below(6), old) {
        (0, Some(n)) => n.wrapping_add(1).into(),
        (1, Some(n)) => n.wrapping_sub(1).into(),
        (2, _) => random.pick(&REALS).into(),
        (3, _) => (i64::from(random.byte())).into(),
        // Small ones more often: numbers of values, lengths of axes.
        (4, _) => random.below(12).into(),
        _ => random.pick(&WHOLE).into(),
    }
}

const WORDS: [&str; 30] = [
    "x", "y", "nll", "mask", "score", "state.0", "state.1", "f32", "i8", "i4", "i32", "u8", "F32",
    "I8", "I32", "U8", "relu", "gelu", "exp", "log", "add", "div", "max", "sum", "mean", "linear",
    "t0", "t1", "exact", "",
];

/// One change to a program that keeps its form: another operation, operand, value or port.
fn program(value: &mut Value, random: &mut Random) {
    let Ok(mut program) = serde_json::from_value::<Program>(value.clone()) else {
        return node(value, random);
    };
    match random.below(9) {
        0 | 1 => append(&mut program, random),
        2 | 3 => reconnect(&mut program, random),
        4 => redeclare(&mut program, random),
        5 => port(&mut program, random),
        6 => reorder(&mut program, random),
        _ => {}
    }
    *value = serde_json::to_value(&program).unwrap();
    // Numbers of one operation: strides, clamps, axes.
    let ops = value.get_mut("ops").and_then(Value::as_array_mut);
    if let Some(ops) = ops.filter(|ops| !ops.is_empty() && random.one_in(3)) {
        let i = random.below(ops.len());
        node(&mut ops[i], random);
    }
}

/// Any value of `program`, or the first that it lacks.
fn any(program: &Program, random: &mut Random) -> ValueId {
    ValueId(random.below(program.values.len() + 1) as u32)
}

/// A new operation behind the others, with a value for it.
fn append(program: &mut Program, random: &mut Random) {
    let y = ValueId(program.values.len() as u32);
    if let Ok(op) = operation(random, program.values.len(), y) {
        program.ops.push(op);
        program.values.push(declared(random));
        program.outputs.push(Port { name: format!("y{}", y.0), value: y });
    }
}

/// One operand or result becomes another value.
fn reconnect(program: &mut Program, random: &mut Random) {
    let (i, n) = (random.below(program.ops.len()), random.below(5));
    let new = any(program, random);
    let Some(op) = program.ops.get_mut(i) else { return };
    let mut at = 0;
    op.for_each_operand_mut(|x| {
        if at == n {
            *x = new;
        }
        at += 1;
    });
    if n >= at {
        *op.result_mut() = new;
    }
}

/// One value gets another shape or type.
fn redeclare(program: &mut Program, random: &mut Random) {
    let i = random.below(program.values.len());
    let Some(value) = program.values.get_mut(i) else { return };
    let axis = random.below(value.shape.len());
    match random.below(4) {
        0 => value.shape.push(random.below(5)),
        1 => drop(value.shape.pop()),
        2 => *value = Declared { tensor: value.tensor.clone(), ..declared(random) },
        _ => value.shape.iter_mut().skip(axis).take(1).for_each(|n| *n = random.below(40)),
    }
}

fn port(program: &mut Program, random: &mut Random) {
    let new = Port { name: random.pick(&WORDS).into(), value: any(program, random) };
    let ports = if random.one_in(2) { &mut program.inputs } else { &mut program.outputs };
    let i = random.below(ports.len());
    match random.below(3) {
        0 if i < ports.len() => drop(ports.remove(i)),
        1 if i < ports.len() => ports[i] = new,
        _ => ports.push(new),
    }
}

fn reorder(program: &mut Program, random: &mut Random) {
    let (a, b) = (random.below(program.ops.len()), random.below(program.ops.len()));
    match random.below(3) {
        _ if program.ops.is_empty() => {}
        0 => drop(program.ops.remove(a)),
        _ => program.ops.swap(a, b),
    }
}

/// What a value may be declared as; its shape is inferred later.
fn declared(random: &mut Random) -> Declared {
    let shape: Vec<usize> = (0..random.below(4)).map(|_| random.below(9)).collect();
    match random.below(3) {
        0 => Declared::f32(shape),
        _ => {
            let scale = random.pick(&[0.02, 0.1, 1.0, 1e-6, 1e6, 0.0, 1e-38, 3e38, f32::MAX]);
            let zero_point = random.byte();
            Declared::i8(shape, mote_format::Quantization { scale, zero_point })
        }
    }
}

/// Any operation on the first `values` values.
fn operation(random: &mut Random, values: usize, y: ValueId) -> serde_json::Result<Op> {
    let mut id = || random.below(values);
    let (x, w, b, s, g) = (id(), id(), id(), id(), id());
    let mut small = |n| random.below(n);
    let (p, q, axis, stride) = (small(4), small(4), small(3), small(4) + usize::from(small(8) > 0));
    let (kind, flags) = (small(28), small(8));
    let on = |bit: usize, v: usize| if flags & bit == 0 { Value::Null } else { v.into() };
    let f = ["relu", "silu", "gelu", "sigmoid", "tanh", "softplus", "exp", "log", "sqrt", "recip"];
    let f = f[small(f.len())];
    let binary = ["add", "sub", "mul", "div", "max", "min"][small(6)];
    let fold = ["sum", "mean", "max"][small(3)];
    let weights = json!({ "w": w, "scale": s, "groups": on(1, g), "bias": on(2, b) });
    let (low, high) = (random.byte(), random.byte());
    let clamp = if flags & 4 == 0 { [-128, 127] } else { [low.min(high), low.max(high)] };
    let mut op = match kind {
        0 => json!({ "op": "linear", "w": w, "bias": on(1, b) }),
        1 => json!({ "op": "conv1d", "w": w, "bias": on(1, b), "stride": stride, "dilation": 1 + q,
            "padding": [p, q] }),
        2 => json!({ "op": "conv_transpose1d", "w": w, "bias": on(1, b), "stride": stride,
            "trim": [p, q] }),
        3 => json!({ "op": "layer_norm", "gain": w, "bias": on(1, b), "epsilon": 1e-5 }),
        4 => json!({ "op": "softmax" }),
        5 => json!({ "op": "unary", "f": f }),
        6 => json!({ "op": "affine", "scale": random.real(), "offset": random.real() }),
        7 => json!({ "op": "clamp", "low": -0.5, "high": random.real() }),
        8 => json!({ "op": "binary", "a": x, "b": w, "f": binary }),
        9 => json!({ "op": "reduce", "f": fold, "axis": axis }),
        10 => json!({ "op": "slice", "axis": axis, "start": p.min(q), "end": p.max(q) }),
        11 => json!({ "op": "concat", "xs": [x, w], "axis": axis }),
        12 => json!({ "op": "reshape" }),
        13 => json!({ "op": "permute", "axes": [p % 2, 1 - p % 2] }),
        14 => json!({ "op": "quantize" }),
        15 => json!({ "op": "dequantize" }),
        16 => json!({ "op": "quantized_linear", "weights": weights, "clamp": clamp }),
        17 => json!({ "op": "quantized_conv1d", "weights": weights, "clamp": clamp,
            "stride": stride, "dilation": 1 + q, "padding": [p, q] }),
        18 => json!({ "op": "quantized_conv_transpose1d", "weights": weights, "clamp": clamp,
            "stride": stride, "trim": [p, q] }),
        19 => json!({ "op": "quantized_add", "a": x, "b": w, "clamp": clamp }),
        20 => json!({ "op": "lookup", "table": w }),
        22 => json!({ "op": "product", "a": x, "b": w, "turned": [flags & 1 == 0, flags & 2 == 0] }),
        23 => json!({ "op": "unfold", "kernel": q, "stride": stride, "dilation": 1 + q,
            "padding": [p, q] }),
        24 => json!({ "op": "fold", "kernel": q, "stride": stride, "dilation": 1 + q,
            "padding": [p, q] }),
        25 => json!({ "op": "expand" }),
        26 => json!({ "op": "pad", "axis": axis, "padding": [p, q] }),
        27 => json!({ "op": "slope", "g": w, "f": f }),
        _ => json!({ "op": "binary", "a": x, "b": x, "f": binary }),
    };
    op["y"] = y.0.into();
    if !matches!(kind, 8 | 11 | 19 | 21 | 22) {
        op["x"] = x.into();
    }
    serde_json::from_value(op)
}

/// Results get the shapes that follow from what they read, ids become ones that exist, and tensors
/// lie in the file as programs declare them: so a change reaches what lies behind these rules.
fn repair(parts: &mut Parts, random: &mut Random) {
    let Ok(mut manifest) = serde_json::from_value::<Manifest>(parts.manifest.clone()) else {
        return;
    };
    for program in &mut manifest.programs {
        shapes(program);
        if random.one_in(2) {
            declare(program, parts);
        }
    }
    parts.manifest = serde_json::to_value(&manifest).unwrap();
}

fn shapes(program: &mut Program) {
    let n = program.values.len() as u32;
    for i in 0..program.ops.len() {
        let mut op = program.ops[i].clone();
        let hold = |id: &mut ValueId| id.0 = id.0.min(n.saturating_sub(1));
        op.for_each_operand_mut(hold);
        hold(op.result_mut());
        if n > 0
            && let Ok(shape) = shape::infer(&op, |id| program.shape(id))
        {
            program.values[op.result().index()].shape = shape;
        }
        program.ops[i] = op;
    }
}

/// Entries and data for the tensors that `program` reads, as large as it declares them.
fn declare(program: &Program, parts: &mut Parts) {
    const MOST: usize = 1 << 12;
    let old = std::mem::take(&mut parts.tensors);
    let mut entries: Map<String, Value> = Map::new();
    let mut data = Vec::new();
    let wanted = program.values.iter().filter_map(|value| {
        let (dtype, shape) = value.dtype.stored(&value.shape);
        let size = shape::elements(&shape).map(|n| dtype.bytes(n)).filter(|&n| n <= MOST)?;
        Some((value.tensor.clone()?, (dtype, shape, size)))
    });
    let mut wanted: Vec<_> = wanted.collect();
    wanted.sort_by_key(|(_, (dtype, _, _))| std::cmp::Reverse(dtype.bytes(1)));
    for (name, (dtype, shape, size)) in wanted {
        let (start, end) = (data.len(), data.len() + size);
        let new = json!({
            "dtype": format!("{dtype:?}"), "shape": shape, "data_offsets": [start, end],
        });
        if entries.insert(name.clone(), new).is_some() {
            return parts.tensors = old;
        }
        let from = old.get(&name).and_then(|e| e["data_offsets"][0].as_u64()).unwrap_or(0);
        let from = (from as usize).min(parts.data.len());
        let kept = parts.data[from..].iter().copied().chain(std::iter::repeat(3));
        data.extend(kept.take(size));
    }
    (parts.tensors, parts.data) = (entries, data);
}
