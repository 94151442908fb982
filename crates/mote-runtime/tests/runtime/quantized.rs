//! Layers of integers on shapes of every kind: exact against the formula, at every level the same.

use mote_format::{
    Array, Dtype, Op, Quantization, ValueId,
    dtype::{GROUP, addend_multiplier, multiplier},
    program::{Port, Value, Weights},
};
use mote_runtime::{Level, Loaded};
use proptest::prelude::*;

use crate::{
    draft::{Draft, Ready},
    random::{Random, length, some},
    threads::Spawned,
};

/// Any `i8`, with its ends as often as all others together.
fn byte(random: &mut Random) -> i8 {
    match random.below(6) {
        0 => -128,
        1 => 127,
        _ => random.below(256) as u8 as i8,
    }
}

fn bytes(random: &mut Random, n: usize) -> Vec<i8> {
    (0..n).map(|_| byte(random)).collect()
}

/// A layer that is being made: its draft, and what its weights are worth as integers.
struct Layer {
    draft: Draft,
    random: Random,
    x: ValueId,
    xq: Quantization,
    weights: Weights,
    /// In the shape of `w`.
    worth: Vec<i64>,
    bias: Vec<i64>,
    scale: Vec<f32>,
    yq: Option<Quantization>,
    clamp: [i8; 2],
}

/// How the weights and the results of a layer are stored.
#[derive(Clone, Copy, Debug)]
struct Style {
    four_bits: bool,
    bias: bool,
    real: bool,
}

fn style() -> impl Strategy<Value = Style> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(four_bits, bias, real)| Style {
        four_bits,
        bias,
        real,
    })
}

impl Layer {
    /// Weights of `rows` times `inputs`, or `rows` times `blocks` times `inputs`: so four bits are
    /// stored and grouped.
    fn new(
        x: &[usize],
        w: &[usize],
        outputs: usize,
        (rows, blocks, inputs): (usize, Option<usize>, usize),
        style: Style,
        seed: u64,
    ) -> Self {
        let (mut draft, mut random) = (Draft::new("layer"), Random(seed));
        let xq = Quantization { scale: 0.02, zero_point: byte(&mut random) };
        let x = draft.value(Value::i8(x, xq));
        draft.program.inputs.push(Port { name: "x".into(), value: x });
        let (worth, tensor, groups) = if style.four_bits {
            four_bits(&mut draft, &mut random, w, (rows, blocks, inputs))
        } else {
            let data = bytes(&mut random, rows * blocks.unwrap_or(1) * inputs);
            let tensor = draft.array(Dtype::I8, w, Array::new(w, &data));
            (data.iter().map(|&w| w.into()).collect(), tensor, None)
        };
        let scale: Vec<f32> = (0..outputs).map(|_| 0.001 + 0.01 * random.unit().abs()).collect();
        let scales = draft.tensor(&[outputs], scale.clone());
        let numbers: Vec<i32> =
            (0..outputs).map(|_| random.below(20_000) as i32 - 10_000).collect();
        let numbers = if style.bias { numbers } else { vec![0; outputs] };
        let bias = style
            .bias
            .then(|| draft.array(Dtype::I32, &[outputs], Array::new([outputs], &numbers)));
        let weights = Weights { w: tensor, scale: scales, groups, bias };
        let (low, high) = (byte(&mut random), byte(&mut random));
        let yq = Quantization { scale: 0.1, zero_point: byte(&mut random) };
        let (yq, clamp) = match style.real {
            true => (None, [-128, 127]),
            false => (Some(yq), [low.min(high), low.max(high)]),
        };
        let bias = numbers.iter().map(|&b| b.into()).collect();
        Self { draft, random, x, xq, weights, worth, bias, scale, yq, clamp }
    }

    /// The layer `op` gives what `products` says: for each result its output and its terms, as
    /// places in `x` and in the weights.
    #[track_caller]
    fn check(
        mut self,
        op: impl FnOnce(ValueId) -> Op,
        products: impl Fn(usize) -> (usize, Vec<(usize, usize)>),
    ) {
        let y = match self.yq {
            Some(q) => self.draft.push_i8(q, op),
            None => self.draft.push(op),
        };
        self.draft.output("y", y);
        let n = self.draft.program.elements(self.x);
        let batch: Vec<Vec<i8>> = (0..3).map(|_| bytes(&mut self.random, n)).collect();
        let wanted = batch.iter().map(|x| {
            let results = self.draft.program.elements(y);
            (0..results).map(|i| self.result(x, products(i))).collect::<Vec<_>>()
        });
        let wanted: Vec<f32> = wanted.collect::<Vec<_>>().concat();
        let x: Vec<i8> = batch.concat();
        let (real, input) = (self.yq.is_none(), self.x);
        let ready = self.draft.verify();
        for level in Level::available() {
            let found = run(&ready, level, batch.len(), (input, &x), (y, real));
            assert_eq!(found, wanted, "{}", level.name());
            let one = run(&ready, level, 1, (input, &x[..n]), (y, real));
            assert_eq!(one, wanted[..one.len()], "{} alone", level.name());
        }
    }

    /// From the formula, in numbers so wide that nothing can overflow.
    fn result(&self, x: &[i8], (o, terms): (usize, Vec<(usize, usize)>)) -> f32 {
        let zero_point = i64::from(self.xq.zero_point);
        let products = terms.iter().map(|&(i, w)| (i64::from(x[i]) - zero_point) * self.worth[w]);
        let sum = i128::from(self.bias[o] + products.sum::<i64>());
        let Some(q) = self.yq else {
            return sum as f32 * (self.xq.scale * self.scale[o]);
        };
        let m = i128::from(multiplier(self.xq.scale, self.scale[o], q.scale));
        let steps = (sum * m + (1 << 31)).div_euclid(1 << 32) + i128::from(q.zero_point);
        steps.clamp(self.clamp[0].into(), self.clamp[1].into()) as f32
    }
}

/// What four-bit weights are worth, their tensor, and that of their groups.
fn four_bits(
    draft: &mut Draft,
    random: &mut Random,
    w: &[usize],
    (rows, blocks, inputs): (usize, Option<usize>, usize),
) -> (Vec<i64>, ValueId, Option<ValueId>) {
    let per_block = inputs.div_ceil(GROUP);
    let shape: Vec<usize> = [Some(rows), blocks, Some(per_block)].into_iter().flatten().collect();
    let blocks = blocks.unwrap_or(1);
    let factors: Vec<u8> =
        (0..rows * blocks * per_block).map(|_| random.below(256) as u8).collect();
    let row_bytes = (blocks * inputs).div_ceil(2);
    let mut packed = vec![0u8; rows * row_bytes];
    let mut worth = Vec::new();
    for i in 0..rows * blocks * inputs {
        let weight = random.below(16) as i64 - 8;
        let (row, at) = (i / (blocks * inputs), i % (blocks * inputs));
        packed[row * row_bytes + at / 2] |= ((weight & 15) as u8) << (4 * (at % 2));
        let group = i / inputs * per_block + i % inputs / GROUP;
        worth.push(weight * i64::from(factors[group]));
    }
    let stored = Dtype::I4.stored(w).1;
    let tensor = draft.array(Dtype::I4, w, Array::new(stored, &packed));
    let groups = draft.array(Dtype::U8, &shape, Array::new(shape.clone(), &factors));
    (worth, tensor, Some(groups))
}

/// Runs a batch; bytes come out as numbers.
fn run(
    ready: &Ready,
    level: Level,
    batch: usize,
    (input, x): (ValueId, &[i8]),
    (output, real): (ValueId, bool),
) -> Vec<f32> {
    let tensors = ready.tensors();
    let loaded = Loaded::from_parts(level, &ready.program, &tensors).unwrap();
    let mut instance = loaded.batch(batch);
    instance.input_of::<i8>(input).copy_from_slice(x);
    // Large layers in parts, all others as ever.
    instance.run_on(&Spawned::new(3));
    if real {
        return instance.output(output).to_vec();
    }
    instance.output_of::<i8>(output).iter().map(|&y| y.into()).collect()
}

#[track_caller]
fn linear(rows: usize, inputs: usize, outputs: usize, style: Style, seed: u64) {
    let shape = (outputs, None, inputs);
    let layer = Layer::new(&[rows, inputs], &[outputs, inputs], outputs, shape, style, seed);
    let (x, weights, clamp) = (layer.x, layer.weights, layer.clamp);
    layer.check(
        |y| Op::QuantizedLinear { x, weights, y, clamp },
        |i| {
            let (row, o) = (i / outputs, i % outputs);
            (o, (0..inputs).map(|i| (row * inputs + i, o * inputs + i)).collect())
        },
    );
}

#[track_caller]
fn convolution(
    (time, inputs, outputs): (usize, usize, usize),
    (kernel, stride, dilation): (usize, usize, usize),
    padding: [usize; 2],
    style: Style,
    seed: u64,
) {
    let (shape, w) = ((outputs, None, kernel * inputs), [outputs, kernel, inputs]);
    let layer = Layer::new(&[time, inputs], &w, outputs, shape, style, seed);
    let (x, weights, clamp) = (layer.x, layer.weights, layer.clamp);
    layer.check(
        |y| Op::QuantizedConv1d { x, weights, y, clamp, stride, dilation, padding },
        |i| {
            let (t, o) = (i / outputs, i % outputs);
            let rows = (0..kernel).filter_map(|k| {
                let row = (t * stride + k * dilation).checked_sub(padding[0])?;
                (row < time).then_some((row, k))
            });
            let terms = rows.flat_map(|(row, k)| {
                (0..inputs).map(move |i| (row * inputs + i, (o * kernel + k) * inputs + i))
            });
            (o, terms.collect())
        },
    );
}

#[test]
fn large_layers_are_their_formula_on_either_side_of_every_size_of_a_tile() {
    let style = Style { four_bits: false, bias: true, real: false };
    // Windows that are copied before they are multiplied, up to which each length, and longer ones; the last has
    // more weights than are held near.
    for (rows, inputs, outputs) in
        [(3, 63, 272), (3, 128, 130), (4, 129, 128), (5, 1024, 33), (1, 1025, 17)]
    {
        linear(rows, inputs, outputs, style, 1);
    }
    for (rows, inputs, outputs) in [(1, 4096, 20), (3, 4099, 9), (3, 2050, 180)] {
        linear(rows, inputs, outputs, style, 2);
    }
    // So large that they are cut in parts: one row along its outputs, and several in rows.
    linear(1, 4100, 4100, style, 5);
    linear(11, 1024, 512, Style { real: true, ..style }, 6);
    // Several runs, and one.
    convolution((30, 64, 96), (3, 1, 4), [5, 0], style, 3);
    convolution((21, 36, 130), (4, 2, 1), [3, 2], style, 4);
}

/// Enough products for tiles of a matrix unit, where there is one.
#[test]
fn layers_in_tiles_are_their_formula_on_either_side_of_every_size_of_a_tile() {
    let style = Style { four_bits: false, bias: true, real: false };
    for (rows, inputs, outputs) in [
        (8, 640, 128),
        (16, 512, 33),
        (17, 1000, 48),
        (31, 515, 17),
        (32, 1024, 16),
        (33, 257, 70),
        (47, 1087, 40),
        (64, 96, 130),
        (100, 2500, 10),
    ] {
        linear(rows, inputs, outputs, style, 7);
    }
    linear(40, 320, 30, Style { bias: false, real: true, ..style }, 8);
    // Runs of one tile and some bytes, of less than a tile, and several in one.
    convolution((70, 68, 40), (3, 1, 2), [4, 0], style, 9);
    convolution((90, 36, 36), (4, 2, 3), [9, 3], style, 10);
    convolution((120, 64, 48), (2, 1, 1), [1, 0], style, 11);
}

proptest! {
    #[test]
    fn quantized_linear_is_its_formula(
        rows in length(),
        (inputs, outputs) in (prop_oneof![9 => length(), 1 => Just(301usize)], length()),
        style in style(),
        seed: u64,
    ) {
        linear(rows, inputs, outputs, style, seed);
    }

    #[test]
    fn quantized_conv1d_is_its_formula(
        time in length(),
        (inputs, outputs) in (length(), length()),
        (kernel, stride, dilation) in (1..6usize, 1..5usize, 1..5usize),
        padding in prop::array::uniform2(0..9usize),
        style in style(),
        seed: u64,
    ) {
        prop_assume!(padding[0] + time + padding[1] > (kernel - 1) * dilation);
        convolution((time, inputs, outputs), (kernel, stride, dilation), padding, style, seed);
    }

    #[test]
    fn quantized_conv_transpose1d_is_its_formula(
        time in some(),
        (inputs, outputs) in (length(), length()),
        (kernel, stride) in (1..6usize, 1..5usize),
        trim in prop::array::uniform2(0..5usize),
        style in style(),
        seed: u64,
    ) {
        prop_assume!((time - 1) * stride + kernel >= trim[0] + trim[1]);
        let (shape, w) = ((kernel, Some(outputs), inputs), [kernel, outputs, inputs]);
        let layer = Layer::new(&[time, inputs], &w, outputs, shape, style, seed);
        let (x, weights, clamp) = (layer.x, layer.weights, layer.clamp);
        layer.check(
            |y| Op::QuantizedConvTranspose1d { x, weights, y, clamp, stride, trim },
            |i| {
                let (u, o) = (i / outputs, i % outputs);
                let pairs = (0..time).flat_map(|t| (0..kernel).map(move |k| (t, k)));
                let meeting = pairs.filter(|(t, k)| t * stride + k == u + trim[0]);
                let terms = meeting.flat_map(|(t, k)| {
                    (0..inputs).map(move |i| (t * inputs + i, (k * outputs + o) * inputs + i))
                });
                (o, terms.collect())
            },
        );
    }

    #[test]
    fn quantized_add_is_its_formula(n in length(), seed: u64) {
        let mut random = Random(seed);
        let mut q = |scale| Quantization { scale, zero_point: byte(&mut random) };
        let (qa, qb, qy) = (q(0.02), q(0.3), q(0.05));
        let mut draft = Draft::new("add");
        let a = draft.value(Value::i8([n], qa));
        let b = draft.value(Value::i8([n], qb));
        for (name, value) in [("a", a), ("b", b)] {
            draft.program.inputs.push(Port { name: name.into(), value });
        }
        let y = draft.push_i8(qy, |y| Op::QuantizedAdd { a, b, y, clamp: [-100, 90] });
        draft.output("y", y);
        let ready = draft.verify();
        let (xa, xb) = (bytes(&mut random, n), bytes(&mut random, n));
        let mut instance = ready.instance();
        instance.input_of::<i8>(a).copy_from_slice(&xa);
        instance.input_of::<i8>(b).copy_from_slice(&xb);
        instance.run();
        for (i, &found) in instance.output_of::<i8>(y).iter().enumerate() {
            let part = |x: i8, q: Quantization| {
                let m = i64::from(addend_multiplier(q.scale, qy.scale));
                (i64::from(x) - i64::from(q.zero_point)) * m
            };
            let sum = (part(xa[i], qa) + part(xb[i], qb) + (1 << 19)).div_euclid(1 << 20);
            let wanted = (sum + i64::from(qy.zero_point)).clamp(-100, 90);
            prop_assert_eq!(i64::from(found), wanted);
            // And it is the sum of what the bytes stand for, within a step.
            let real = qa.dequantize(xa[i]) + qb.dequantize(xb[i]);
            let held = real.clamp(qy.dequantize(-100), qy.dequantize(90));
            prop_assert!((qy.dequantize(found) - held).abs() <= qy.scale * 0.51, "{real} {found}");
        }
    }
}

#[test]
fn every_byte_goes_through_quantize_lookup_and_back() {
    let q = Quantization { scale: 0.5, zero_point: -3 };
    let table: Vec<i8> = (0..=255u8).map(|i| (i ^ 0x55) as i8).collect();
    let mut draft = Draft::new("bytes");
    let x = draft.input("x", &[256]);
    let table_id = draft.array(Dtype::I8, &[256], Array::new([256], &table));
    let a = draft.push_i8(q, |y| Op::Quantize { x, y });
    let b = draft.push_i8(q, |y| Op::Lookup { x: a, table: table_id, y });
    let y = draft.push(|y| Op::Dequantize { x: b, y });
    draft.output("y", y);
    let real: Vec<f32> = (-128..=127).map(|i| q.dequantize(i)).collect();
    let found = &draft.verify().run(&[real])[0];
    let wanted: Vec<f32> = table.iter().map(|&i| q.dequantize(i)).collect();
    assert_eq!(found, &wanted);
}
