//! Layers of integers: exact sums, one rounding for each result.
//!
//! Weights are read through their shape as the float layers read theirs, in `i8`, or in `i16` where
//! four bits times their group's factor were multiplied out.

use mote_format::{Quantization, dtype};

use super::Window;

/// Weights in the order that the float layers read theirs.
#[derive(Clone, Copy, Debug)]
pub enum Integers<'a> {
    /// As in the file.
    I8(&'a [i8]),
    /// Four bits times the factors of their groups.
    I16(&'a [i16]),
}

/// What a layer of integers knows beside its input.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// The weights.
    pub w: Integers<'a>,
    /// What the input stands for.
    pub x: Quantization,
    /// `(outputs,)`: what one step of the weights stands for.
    pub scale: &'a [f32],
    /// `(outputs,)`
    pub bias: Option<&'a [i32]>,
    /// The least and the largest byte of a result.
    pub clamp: [i8; 2],
}

/// Where the results of a layer of integers go.
pub enum Results<'y> {
    /// As bytes that stand for this.
    I8(&'y mut [i8], Quantization),
    /// As real numbers.
    F32(&'y mut [f32]),
}

/// `y = clamp(zero_point + ((sum · multiplier + 2³¹) >> 32))`
#[must_use]
pub fn requantize(sum: i32, multiplier: i32, zero_point: i8, [low, high]: [i8; 2]) -> i8 {
    let product = i64::from(sum) * i64::from(multiplier) + (1 << 31);
    let y = (product >> 32) as i32 + i32::from(zero_point);
    y.clamp(i32::from(low), i32::from(high)) as i8
}

impl Layer<'_> {
    fn store(&self, y: &mut Results<'_>, at: usize, o: usize, sum: i32) {
        match y {
            Results::I8(y, q) => {
                let multiplier = dtype::multiplier(self.x.scale, self.scale[o], q.scale);
                y[at] = requantize(sum, multiplier, q.zero_point, self.clamp);
            }
            Results::F32(y) => y[at] = sum as f32 * (self.x.scale * self.scale[o]),
        }
    }

    fn bias(&self, o: usize) -> i32 {
        self.bias.map_or(0, |bias| bias[o])
    }

    /// `sum + Σ (x - zero_point) · w`, modulo 2³², with the weights from `start` on.
    fn sum(&self, sum: i32, x: &[i8], start: usize) -> i32 {
        let zero_point = i32::from(self.x.zero_point);
        let add =
            |sum: i32, x: i8, w: i32| sum.wrapping_add((i32::from(x) - zero_point).wrapping_mul(w));
        match self.w {
            Integers::I8(w) => {
                x.iter().zip(&w[start..]).fold(sum, |sum, (&x, &w)| add(sum, x, w.into()))
            }
            Integers::I16(w) => {
                x.iter().zip(&w[start..]).fold(sum, |sum, (&x, &w)| add(sum, x, w.into()))
            }
        }
    }
}

/// Rows of `x` `(rows, inputs)` times weights `(outputs, inputs)`.
pub fn quantized_linear(x: &[i8], layer: &Layer<'_>, inputs: usize, y: &mut Results<'_>) {
    let outputs = layer.scale.len();
    let rows = match y {
        Results::I8(y, _) => y.len(),
        Results::F32(y) => y.len(),
    } / outputs.max(1);
    for row in 0..rows {
        let x = &x[row * inputs..][..inputs];
        for o in 0..outputs {
            let sum = layer.sum(layer.bias(o), x, o * inputs);
            layer.store(y, row * outputs + o, o, sum);
        }
    }
}

/// `x` `(time, inputs)`, weights `(outputs, kernel, inputs)`, `y` `(rows, outputs)`.
pub fn quantized_conv1d(x: &[i8], layer: &Layer<'_>, g: Window, rows: usize, y: &mut Results<'_>) {
    let time = x.len().checked_div(g.inputs).unwrap_or(0);
    for row in 0..rows {
        for o in 0..g.outputs {
            let mut sum = layer.bias(o);
            for k in 0..g.kernel {
                let at = (row * g.stride + k * g.dilation).wrapping_sub(g.before);
                if at < time {
                    let x = &x[at * g.inputs..][..g.inputs];
                    sum = layer.sum(sum, x, (o * g.kernel + k) * g.inputs);
                }
            }
            layer.store(y, row * g.outputs + o, o, sum);
        }
    }
}

/// `x` `(time, inputs)`, weights `(kernel, outputs, inputs)`, `y` `(rows, outputs)`; the dilation is one.
pub fn quantized_conv_transpose1d(
    x: &[i8],
    layer: &Layer<'_>,
    g: Window,
    rows: usize,
    y: &mut Results<'_>,
) {
    let time = x.len().checked_div(g.inputs).unwrap_or(0);
    for row in 0..rows {
        for o in 0..g.outputs {
            let mut sum = layer.bias(o);
            let place = row + g.before;
            for k in (place % g.stride..g.kernel).step_by(g.stride) {
                let at = (place / g.stride).wrapping_sub(k / g.stride);
                if at < time {
                    let x = &x[at * g.inputs..][..g.inputs];
                    sum = layer.sum(sum, x, (k * g.outputs + o) * g.inputs);
                }
            }
            layer.store(y, row * g.outputs + o, o, sum);
        }
    }
}

/// `i4` weights times the factors of their groups: `rows` rows of `blocks` outputs of `inputs` each.
///
/// `packed`: `(rows, ⌈blocks · inputs / 2⌉)`, `groups`: `(rows, blocks, ⌈inputs / 32⌉)`.
#[must_use]
pub fn unpack_i4(
    packed: &[u8],
    groups: &[u8],
    rows: usize,
    blocks: usize,
    inputs: usize,
) -> alloc::vec::Vec<i16> {
    let per_block = inputs.div_ceil(dtype::GROUP);
    let row_bytes = (blocks * inputs).div_ceil(2);
    let weight = |row: usize, i: usize| {
        let byte = packed[row * row_bytes + i / 2];
        // The half is moved to the top, so that the shift back down keeps its sign.
        let half = if i.is_multiple_of(2) { byte << 4 } else { byte & 0xF0 };
        let group = (row * blocks + i / inputs) * per_block + i % inputs / dtype::GROUP;
        i16::from(half as i8 >> 4) * i16::from(groups[group])
    };
    (0..rows * blocks * inputs)
        .map(|i| weight(i / (blocks * inputs), i % (blocks * inputs)))
        .collect()
}

/// `y = round(x / scale) + zero_point`, held to a byte.
#[inline(always)]
pub fn quantize(x: &[f32], q: Quantization, y: &mut [i8]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = q.quantize(x);
    }
}

/// `y = (x - zero_point) · scale`
#[inline(always)]
pub fn dequantize(x: &[i8], q: Quantization, y: &mut [f32]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = q.dequantize(x);
    }
}

/// A sum of two bytes of different scales, its factors found.
#[derive(Clone, Copy, Debug)]
pub struct Sum {
    factors: [i32; 2],
    /// Of both operands and of the result.
    zero_points: [i32; 3],
    clamp: [i32; 2],
}

impl Sum {
    /// The sum of what stands for `operands` in what stands for `y`, within `clamp`.
    #[must_use]
    pub fn new(operands: [Quantization; 2], y: Quantization, clamp: [i8; 2]) -> Self {
        let [a, b] = operands;
        Self {
            factors: operands.map(|q| dtype::addend_multiplier(q.scale, y.scale)),
            zero_points: [a, b, y].map(|q| i32::from(q.zero_point)),
            clamp: clamp.map(i32::from),
        }
    }

    /// The same in 32 bits, where both products and their sum fit.
    #[inline(always)]
    #[must_use]
    pub fn narrow(&self) -> Option<NarrowSum> {
        let ([ma, mb], [za, zb, zero_point]) = (self.factors, self.zero_points);
        let offset = (1 << 19) - i64::from(za) * i64::from(ma) - i64::from(zb) * i64::from(mb);
        // Only the sum of everything has to fit, so the offset may wrap around.
        let offset = offset as i32;
        (ma <= 1 << 22 && mb <= 1 << 22).then_some(NarrowSum {
            factors: self.factors,
            offset,
            zero_point,
            clamp: self.clamp,
        })
    }

    /// The sum of two bytes.
    #[inline(always)]
    #[must_use]
    pub fn of(&self, a: i8, b: i8) -> i8 {
        let ([ma, mb], [za, zb, zy], [low, high]) = (self.factors, self.zero_points, self.clamp);
        let product = |x: i8, z: i32, m: i32| i64::from(i32::from(x) - z) * i64::from(m);
        let sum = product(a, za, ma) + product(b, zb, mb);
        let steps = ((sum + (1 << 19)) >> 20) + i64::from(zy);
        steps.clamp(i64::from(low), i64::from(high)) as i8
    }
}

/// A [`Sum`] in 32 bits: `((a · factors[0] + b · factors[1] + offset) >> 20) + zero_point`.
#[derive(Clone, Copy, Debug)]
pub struct NarrowSum {
    pub(crate) factors: [i32; 2],
    pub(crate) offset: i32,
    pub(crate) zero_point: i32,
    pub(crate) clamp: [i32; 2],
}

impl NarrowSum {
    /// The sum of two bytes.
    #[inline(always)]
    #[must_use]
    pub fn of(&self, a: i8, b: i8) -> i8 {
        let [ma, mb] = self.factors;
        let products = i32::from(a).wrapping_mul(ma).wrapping_add(i32::from(b).wrapping_mul(mb));
        let steps = (products.wrapping_add(self.offset) >> 20) + self.zero_point;
        steps.clamp(self.clamp[0], self.clamp[1]) as i8
    }
}

/// `y = a + b` on bytes of different scales.
pub fn quantized_add(sum: &Sum, a: &[i8], b: &[i8], y: &mut [i8]) {
    for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
        *y = sum.of(a, b);
    }
}

/// `y = table[x + 128]`
pub fn lookup(x: &[i8], table: &[i8], y: &mut [i8]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = table[(i16::from(x) + 128) as usize];
    }
}
