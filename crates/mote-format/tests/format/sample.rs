//! One small model to write, open and damage, and short names for operations.

use std::collections::BTreeMap;

use mote_format::{
    Array, Column, Dtype, Kind, Manifest, Op, Program, Schema, Tensors, ValueId,
    manifest::{
        Density, Detector, Generator, Lineage, Margins, Path, Solver, Tracking, Typical, Window,
    },
    model,
    program::{Binary, Port, Reduction, Unary, Value},
};

/// What the header holds in place of the digest while the digest is computed.
pub(crate) const NO_DIGEST: &str = concat!(
    "\"mote.digest\":\"",
    "0000000000000000000000000000000000000000000000000000000000000000\""
);

/// `score`: two values of `x` times weights, plus a bias, through a rectifier.
pub(crate) fn program() -> Program {
    Program {
        name: "score".into(),
        values: vec![
            value(&[3, 2], None),
            value(&[2, 2], Some("dense.w")),
            value(&[2], Some("dense.b")),
            value(&[3, 2], None),
            value(&[3, 2], None),
        ],
        inputs: vec![port("x", 0)],
        outputs: vec![port("nll", 4)],
        ops: vec![linear(0, 1, Some(2), 3), relu(3, 4)],
    }
}

pub(crate) fn tensors() -> Tensors {
    [
        ("dense.w", vec![2, 2], vec![1.0, -0.0, f32::MIN_POSITIVE / 2.0, f32::MAX]),
        ("dense.b", vec![2], vec![f32::INFINITY, -1.5]),
        ("empty", vec![3, 0], vec![]),
        ("scalar", vec![], vec![0.1]),
    ]
    .map(|(name, shape, data)| (name.to_owned(), Array::new::<f32>(shape, &data)))
    .into()
}

pub(crate) fn manifest() -> Manifest {
    let numeric = |name: &str| Column { name: name.into(), kind: Kind::Numeric };
    Manifest {
        family: "TimeVae".into(),
        density: Density::Bound,
        schema: Schema {
            columns: vec![numeric("flow \"l/s\" µ"), numeric("pressure")],
            period_s: Some(0.1),
        },
        window: Window { length: 3, tail: 1 },
        detector: Some(Detector {
            threshold: 1.0 / 3.0,
            tracking: Some(Tracking {
                memory: 2000.0,
                clip: 4.0,
                floor: -1.5,
                unit: 0.3,
                mean: 0.7,
                deviation: 0.2,
                threshold: 5.5,
            }),
            typical: Some(Typical { least: 0.25, slope: 0.7 }),
            false_alarm_rate: 0.001,
            feature_mean: vec![0.1, -0.2],
            feature_deviation: vec![1e-6, 3.5],
            score_quantiles: vec![-1.25, 0.0, 7.5],
        }),
        generator: Some(Generator::Iterative {
            path: Path::Cosine,
            solver: Solver::Ancestral,
            evaluations: 12,
        }),
        margins: Some(Margins {
            coverages: vec![0.5, 0.9],
            horizon: 2,
            values: vec![0.25, -0.1, 0.3, 0.0, 1.5, 2.5, 1e-7, 4.0],
        }),
        programs: vec![program()],
        lineage: Lineage {
            made_by: "mote 0.1.0".into(),
            data_digest: "ab".repeat(32),
            files: vec!["pump.csv".into()],
            config: serde_json::json!({ "epochs": 3, "rates": [0.1, 1e-7], "note": null }),
            seed: u64::MAX,
            metrics: [("validation_loss".to_owned(), 0.1 + 0.2)].into(),
        },
    }
}

/// The model as a file.
pub(crate) fn file() -> Vec<u8> {
    model::write(&manifest(), &tensors())
}

/// A file of any header and data. Where the header has a place for the digest, the digest is right,
/// so that what else is wrong can be seen.
pub(crate) fn sealed(header: &[u8], data: &[u8]) -> Vec<u8> {
    let length = (header.len() as u64).to_le_bytes();
    let mut file = [&length[..], header, data].concat();
    reseal(&mut file);
    file
}

/// Writes the digest that `file` ought to have, if there is a place for it.
pub(crate) fn reseal(file: &mut [u8]) {
    let key = b"\"mote.digest\":\"";
    let Some(place) = file.windows(key.len()).position(|w| w == key).map(|i| i + key.len()) else {
        return;
    };
    if let Some(digits) = file.get_mut(place..place + 64) {
        digits.fill(b'0');
        let digest = blake3::hash(file).to_hex();
        file[place..place + 64].copy_from_slice(digest.as_bytes());
    }
}

pub(crate) fn value(shape: &[usize], tensor: Option<&str>) -> Value {
    match tensor {
        Some(name) => Value::tensor(name, Dtype::F32, shape),
        None => Value::f32(shape),
    }
}

pub(crate) fn port(name: &str, value: u32) -> Port {
    Port { name: name.into(), value: ValueId(value) }
}

pub(crate) fn linear(x: u32, w: u32, bias: Option<u32>, y: u32) -> Op {
    Op::Linear {
        x: ValueId(x),
        w: ValueId(w),
        bias: bias.map(ValueId),
        y: ValueId(y),
        activation: None,
    }
}

pub(crate) fn relu(x: u32, y: u32) -> Op {
    Op::Unary { x: ValueId(x), y: ValueId(y), f: Unary::Relu }
}

/// A program of one operation. Value `i` has the shape `shapes[i]`; the last one is the result,
/// weights are tensors named after their number, and what else is read is an input.
pub(crate) fn one(op: Op, shapes: &[&[usize]]) -> (Program, BTreeMap<String, Vec<usize>>) {
    let weights: Vec<ValueId> = match &op {
        Op::Linear { w, bias, .. }
        | Op::Conv1d { w, bias, .. }
        | Op::ConvTranspose1d { w, bias, .. }
        | Op::LayerNorm { gain: w, bias, .. } => [Some(*w), *bias].into_iter().flatten().collect(),
        Op::Attention { bias, .. } => vec![*bias],
        _ => vec![],
    };
    let mut program = Program {
        name: "one".into(),
        values: shapes.iter().map(|shape| value(shape, None)).collect(),
        inputs: vec![],
        outputs: vec![port("y", op.result().0)],
        ops: vec![],
    };
    let mut tensors = BTreeMap::new();
    for id in weights {
        let name = id.0.to_string();
        tensors.insert(name.clone(), shapes[id.index()].to_vec());
        program.values[id.index()].tensor = Some(name);
    }
    op.for_each_operand(|id| {
        let seen = program.inputs.iter().any(|p| p.value == id);
        if program.values[id.index()].tensor.is_none() && !seen {
            program.inputs.push(port(&format!("x{}", id.0), id.0));
        }
    });
    program.ops.push(op);
    (program, tensors)
}

pub(crate) fn conv1d(
    [x, w, y]: [u32; 3],
    bias: Option<u32>,
    stride: usize,
    dilation: usize,
    padding: [usize; 2],
) -> Op {
    let (x, w, y) = (ValueId(x), ValueId(w), ValueId(y));
    Op::Conv1d { x, w, bias: bias.map(ValueId), y, stride, dilation, padding, activation: None }
}

pub(crate) fn conv_transpose1d(
    [x, w, y]: [u32; 3],
    bias: Option<u32>,
    stride: usize,
    trim: [usize; 2],
) -> Op {
    let (x, w, y) = (ValueId(x), ValueId(w), ValueId(y));
    Op::ConvTranspose1d { x, w, bias: bias.map(ValueId), y, stride, trim, activation: None }
}

pub(crate) fn layer_norm([x, gain, y]: [u32; 3], bias: Option<u32>, epsilon: f32) -> Op {
    let (x, gain, y) = (ValueId(x), ValueId(gain), ValueId(y));
    Op::LayerNorm { x, gain, bias: bias.map(ValueId), y, epsilon }
}

pub(crate) fn softmax() -> Op {
    Op::Softmax { x: ValueId(0), y: ValueId(1) }
}

pub(crate) fn affine(scale: f32, offset: f32) -> Op {
    Op::Affine { x: ValueId(0), y: ValueId(1), scale, offset }
}

pub(crate) fn clamp(low: f32, high: f32) -> Op {
    Op::Clamp { x: ValueId(0), y: ValueId(1), low, high }
}

pub(crate) fn binary(a: u32, b: u32, y: u32) -> Op {
    Op::Binary { a: ValueId(a), b: ValueId(b), y: ValueId(y), f: Binary::Add }
}

pub(crate) fn reduce(axis: usize) -> Op {
    Op::Reduce { x: ValueId(0), y: ValueId(1), f: Reduction::Mean, axis }
}

pub(crate) fn cumulative_sum(axis: usize) -> Op {
    Op::CumulativeSum { x: ValueId(0), y: ValueId(1), axis, reverse: false }
}

pub(crate) fn slice(axis: usize, start: usize, end: usize) -> Op {
    Op::Slice { x: ValueId(0), y: ValueId(1), axis, start, end }
}

pub(crate) fn concat(xs: &[u32], y: u32, axis: usize) -> Op {
    Op::Concat { xs: xs.iter().copied().map(ValueId).collect(), y: ValueId(y), axis }
}

pub(crate) fn reshape() -> Op {
    Op::Reshape { x: ValueId(0), y: ValueId(1) }
}

pub(crate) fn permute(axes: &[usize]) -> Op {
    Op::Permute { x: ValueId(0), y: ValueId(1), axes: axes.into() }
}
