//! Writes the files that fuzzing begins with into `corpus/`, where `cargo fuzz` looks for them.
#![allow(clippy::unwrap_used, reason = "a tool for developers")]

use std::{collections::BTreeMap, fs, path::Path};

use arbitrary::Unstructured;
use mote_compress::{Bits, Found, halve, quantize};
use mote_format::{
    Array, Dtype, Manifest, Op, Program, Quantization, Tensors, ValueId, Verified,
    manifest::{Density, Lineage, Window},
    model,
    program::{Port, Unary, Value, Weights},
};
use mote_fuzz::{program::Draft, random::Random};
use mote_runtime::step;

/// The sample of the tests of mote-format, which use all of it.
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../../../crates/mote-format/tests/format/sample.rs"]
mod sample;

/// Larger files are slow to change.
const MOST: usize = 12 << 10;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for part in ["file", "model", "program"] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
    let mut files = vec![sample::file()];
    files.extend(nets());
    files.extend(every_quantized_layer());
    for seed in 0..400 {
        let mut random = Random(seed);
        let bytes: Vec<u8> = (0..512).map(|_| random.next() as u8).collect();
        fs::write(folder.join(format!("program/{seed}")), &bytes).unwrap();
        if let Ok(draft) = Draft::draw(&mut Unstructured::new(&bytes)) {
            files.push(file(vec![draft.program], &draft.tensors));
        }
    }
    for (i, file) in files.iter().enumerate().filter(|(_, file)| file.len() <= MOST) {
        mote_fuzz::run::check(file);
        fs::write(folder.join(format!("model/{i}")), file).unwrap();
        fs::write(folder.join(format!("file/{i}")), file).unwrap();
    }
}

fn file(programs: Vec<Program>, tensors: &Tensors) -> Vec<u8> {
    let manifest = Manifest {
        family: "TimeVae".into(),
        density: Density::Bound,
        schema: mote_format::Schema { columns: vec![], period_s: None },
        window: Window { length: 1, tail: 1 },
        detector: None,
        generator: None,
        margins: None,
        programs,
        lineage: Lineage::default(),
    };
    model::write(&manifest, tensors)
}

/// A causal network: as it is, advancing by one sample, in eight bits and in four, and in half precision.
fn nets() -> Vec<Vec<u8>> {
    let mut net = Net::default();
    net.program.values.push(Value::f32([8, 3]));
    net.program.inputs.push(Port { name: "x".into(), value: ValueId(0) });
    let (w, bias) = (net.tensor(&[6, 2, 3]), net.tensor(&[6]));
    let conv = |x, w, bias, y, dilation| Op::Conv1d {
        x,
        w,
        bias: Some(bias),
        y,
        stride: 1,
        dilation,
        padding: [dilation, 0],
        activation: Some(Unary::Relu),
    };
    let a = net.push(&[8, 6], |y| conv(ValueId(0), w, bias, y, 1));
    let (w, bias) = (net.tensor(&[6, 2, 6]), net.tensor(&[6]));
    let b = net.push(&[8, 6], |y| conv(a, w, bias, y, 2));
    let f = mote_format::program::Binary::Add;
    let c = net.push(&[8, 6], |y| Op::Binary { a, b, y, f });
    let (w, bias) = (net.tensor(&[2, 6]), Some(net.tensor(&[2])));
    let d = net.push(&[8, 2], |y| Op::Linear { x: c, w, bias, y, activation: None });
    net.program.outputs.push(Port { name: "y".into(), value: d });

    let Net { program, tensors, mut random } = net;
    let found: Found<'_> = tensors.iter().map(|(n, a)| (n.clone(), a.tensor())).collect();
    let verified = Verified::new(program.clone(), |n| tensors.get(n).map(Array::stored)).unwrap();
    let stepped = step(&verified, "step", |n| found.get(n).cloned()).unwrap();
    let samples: Vec<_> =
        (0..8).map(|_| vec![(0..24).map(|_| random.real().clamp(-4.0, 4.0)).collect()]).collect();
    let mut files = vec![file(vec![program, stepped], &tensors)];
    for bits in [Bits::Eight, Bits::Four] {
        let (small, made) = quantize(&verified, &found, &samples, bits).unwrap();
        files.push(file(vec![(*small).clone()], &made));
    }
    let (small, made) = halve(&verified, &found).unwrap();
    files.push(file(vec![(*small).clone()], &made));
    files
}

/// Each layer of integers, eight bits and four, small enough to be changed often.
fn every_quantized_layer() -> Vec<Vec<u8>> {
    let mut files = vec![];
    for four_bits in [false, true] {
        for kind in 0..3 {
            let (inputs, outputs, kernel) = (3, 5, 2);
            let (w, groups) = match kind {
                0 => (vec![outputs, inputs], vec![outputs, 1]),
                1 => (vec![outputs, kernel, inputs], vec![outputs, 1]),
                _ => (vec![kernel, outputs, inputs], vec![kernel, outputs, 1]),
            };
            let mut net = Net::default();
            let q = Quantization { scale: 0.1, zero_point: 3 };
            net.program.values.push(Value::f32([4, inputs]));
            net.program.inputs.push(Port { name: "x".into(), value: ValueId(0) });
            let (w, groups) = if four_bits {
                let stored = Dtype::I4.stored(&w).1;
                let bytes = vec![0x5au8; stored.iter().product()];
                let w = net.add(Dtype::I4, &w, Array::new(stored, &bytes));
                let factors = vec![9u8; groups.iter().product()];
                (w, Some(net.add(Dtype::U8, &groups, Array::new(groups.clone(), &factors))))
            } else {
                let bytes = vec![-7i8; w.iter().product()];
                (net.add(Dtype::I8, &w, Array::new(w.clone(), &bytes)), None)
            };
            let scale = net.add(Dtype::F32, &[outputs], Array::new([outputs], &[0.01f32; 5]));
            let bias = net.add(Dtype::I32, &[outputs], Array::new([outputs], &[40i32; 5]));
            let weights = Weights { w, scale, groups, bias: Some(bias) };
            let x = net.push_i8(&[4, inputs], q, |y| Op::Quantize { x: ValueId(0), y });
            let clamp = [-100, 100];
            let padding = [1, 0];
            let (rows, trim) = ([4, 4, 7][kind], [1, 0]);
            let y = net.push_i8(&[rows, outputs], q, |y| match kind {
                0 => Op::QuantizedLinear { x, weights, y, clamp },
                1 => {
                    let (stride, dilation) = (1, 1);
                    Op::QuantizedConv1d { x, weights, y, clamp, stride, dilation, padding }
                }
                _ => Op::QuantizedConvTranspose1d { x, weights, y, clamp, stride: 2, trim },
            });
            let table = net.add(Dtype::I8, &[256], Array::new([256], &[5i8; 256]));
            let a = net.push_i8(&[rows, outputs], q, |z| Op::Lookup { x: y, table, y: z });
            let b =
                net.push_i8(&[rows, outputs], q, |z| Op::QuantizedAdd { a: y, b: a, y: z, clamp });
            let z = net.push(&[rows, outputs], |z| Op::Dequantize { x: b, y: z });
            net.program.outputs.push(Port { name: "y".into(), value: z });
            files.push(file(vec![net.program], &net.tensors));
        }
    }
    files
}

struct Net {
    program: Program,
    tensors: Tensors,
    random: Random,
}

impl Default for Net {
    fn default() -> Self {
        let program = Program {
            name: "score".into(),
            values: vec![],
            inputs: vec![],
            outputs: vec![],
            ops: vec![],
        };
        Self { program, tensors: BTreeMap::new(), random: Random(7) }
    }
}

impl Net {
    fn value(&mut self, value: Value) -> ValueId {
        self.program.values.push(value);
        ValueId(self.program.values.len() as u32 - 1)
    }

    fn add(&mut self, dtype: Dtype, shape: &[usize], array: Array) -> ValueId {
        let name = format!("t{}", self.tensors.len());
        self.tensors.insert(name.clone(), array);
        self.value(Value::tensor(name, dtype, shape))
    }

    fn tensor(&mut self, shape: &[usize]) -> ValueId {
        let n = shape.iter().product();
        let data: Vec<f32> = (0..n).map(|_| self.random.real().clamp(-1.0, 1.0)).collect();
        self.add(Dtype::F32, shape, Array::new(shape, &data))
    }

    fn push(&mut self, shape: &[usize], op: impl FnOnce(ValueId) -> Op) -> ValueId {
        self.program.ops.push(op(ValueId(self.program.values.len() as u32)));
        self.value(Value::f32(shape))
    }

    fn push_i8(
        &mut self,
        shape: &[usize],
        q: Quantization,
        op: impl FnOnce(ValueId) -> Op,
    ) -> ValueId {
        self.program.ops.push(op(ValueId(self.program.values.len() as u32)));
        self.value(Value::i8(shape, q))
    }
}
