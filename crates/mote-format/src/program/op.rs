//! The operations: what each reads, writes and computes.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::ValueId;

/// A function of one number, applied to each element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unary {
    /// `max(x, 0)`
    Relu,
    /// `x / (1 + e^-x)`
    Silu,
    /// `x/2 · (1 + erf(x/√2))`
    Gelu,
    /// `1 / (1 + e^-x)`
    Sigmoid,
    /// `tanh x`
    Tanh,
    /// `ln(1 + e^x)`
    Softplus,
    /// `e^x`
    Exp,
    /// `ln x`
    Log,
    /// `√x`
    Sqrt,
    /// `x²`
    Square,
    /// `|x|`
    Abs,
    /// `1 / x`
    Recip,
}

/// A function of two numbers, applied element by element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binary {
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `a · b`
    Mul,
    /// `a / b`
    Div,
    /// The larger of both; a NaN stays.
    Max,
    /// The smaller of both; a NaN stays.
    Min,
}

/// How one axis is folded into a single element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// `Σ x`
    Sum,
    /// `Σ x / n`
    Mean,
    /// The largest; a NaN stays.
    Max,
}

/// One operation. `x`, `a`, `b` are read; `y` is written; `w` and `bias` are tensors of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Op {
    /// `y[.., o] = bias[o] + Σ_i x[.., i] · w[o, i]`
    Linear {
        /// `(.., inputs)`
        x: ValueId,
        /// `(outputs, inputs)`
        w: ValueId,
        /// `(outputs,)`
        bias: Option<ValueId>,
        /// `(.., outputs)`
        y: ValueId,
        /// Applied to each element of `y`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        activation: Option<Unary>,
    },
    /// `y[t, o] = bias[o] + Σ_k Σ_i x[t·stride + k·dilation - before, i] · w[o, k, i]`, zero outside.
    Conv1d {
        /// `(time, inputs)`
        x: ValueId,
        /// `(outputs, kernel, inputs)`
        w: ValueId,
        /// `(outputs,)`
        bias: Option<ValueId>,
        /// `(time', outputs)`
        y: ValueId,
        /// Rows between two windows.
        stride: usize,
        /// Rows between two taps of the kernel.
        dilation: usize,
        /// Rows of zeros before the first and after the last.
        padding: [usize; 2],
        /// Applied to each element of `y`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        activation: Option<Unary>,
    },
    /// `y[t·stride + k - before, o] += x[t, i] · w[k, o, i]`, begun at `bias[o]`.
    ConvTranspose1d {
        /// `(time, inputs)`
        x: ValueId,
        /// `(kernel, outputs, inputs)`
        w: ValueId,
        /// `(outputs,)`
        bias: Option<ValueId>,
        /// `((time - 1) · stride + kernel - before - after, outputs)`
        y: ValueId,
        /// Rows of `y` between two rows of `x`.
        stride: usize,
        /// Rows cut off before the first and after the last.
        trim: [usize; 2],
        /// Applied to each element of `y`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        activation: Option<Unary>,
    },
    /// `y = (x - mean) / √(variance + epsilon) · gain + bias` over the last axis.
    LayerNorm {
        /// `(.., n)`
        x: ValueId,
        /// `(n,)`
        gain: ValueId,
        /// `(n,)`
        bias: Option<ValueId>,
        /// `(.., n)`
        y: ValueId,
        /// Added to the variance.
        epsilon: f32,
    },
    /// `y = e^x / Σ e^x` over the last axis.
    Softmax {
        /// `(.., n)`
        x: ValueId,
        /// `(.., n)`
        y: ValueId,
    },
    /// `y[t, h] = Σ_j p_j · v[t + j - before, h]` with
    /// `p = softmax_j(q[t, h] · k[t + j - before, h] + bias[h, j])` and zeros outside: attention to a
    /// window of as many rows as `bias` is wide, of which each has a bias by its place in the window. A
    /// row outside has zeros for key and value; its bias says how much it takes from the others.
    Attention {
        /// `(rows, heads, width)`
        q: ValueId,
        /// `(time, heads, width)`
        k: ValueId,
        /// `(time, heads, outputs)`
        v: ValueId,
        /// `(heads, window)`, a tensor of the file.
        bias: ValueId,
        /// `(rows, heads, outputs)` with `rows = time + before - window + 1`
        y: ValueId,
        /// Rows of zeros before the first; less than the window.
        before: usize,
    },
    /// `y = f(x)`, element by element.
    Unary {
        /// Any shape.
        x: ValueId,
        /// As `x`.
        y: ValueId,
        /// Which function.
        f: Unary,
    },
    /// `y = x · scale + offset`, element by element.
    Affine {
        /// Any shape.
        x: ValueId,
        /// As `x`.
        y: ValueId,
        /// Factor.
        scale: f32,
        /// Summand.
        offset: f32,
    },
    /// `y = min(max(x, low), high)`; a NaN stays.
    Clamp {
        /// Any shape.
        x: ValueId,
        /// As `x`.
        y: ValueId,
        /// Lower bound.
        low: f32,
        /// Upper bound, not below `low`.
        high: f32,
    },
    /// `y = f(a, b)`; axes of length one are repeated, missing ones are added in front.
    Binary {
        /// Any shape.
        a: ValueId,
        /// A shape that broadcasts with that of `a`.
        b: ValueId,
        /// The broadcast shape.
        y: ValueId,
        /// Which function.
        f: Binary,
    },
    /// Folds `axis` to length one.
    Reduce {
        /// Any shape.
        x: ValueId,
        /// As `x`, but 1 at `axis`.
        y: ValueId,
        /// Which fold.
        f: Reduction,
        /// Which axis.
        axis: usize,
    },
    /// `y[.., i, ..] = Σ_{j ≤ i} x[.., j, ..]` along `axis`, added up one by one.
    CumulativeSum {
        /// Any shape.
        x: ValueId,
        /// As `x`.
        y: ValueId,
        /// Which axis.
        axis: usize,
        /// Over `j ≥ i`, from the last on.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        reverse: bool,
    },
    /// `y` is `x` from `start` to `end` along `axis`.
    Slice {
        /// Any shape.
        x: ValueId,
        /// As `x`, but `end - start` at `axis`.
        y: ValueId,
        /// Which axis.
        axis: usize,
        /// First index taken.
        start: usize,
        /// First index no longer taken.
        end: usize,
    },
    /// `y` is all of `xs`, one after the other along `axis`.
    Concat {
        /// Shapes that agree but at `axis`.
        xs: Vec<ValueId>,
        /// The same, with the sum at `axis`.
        y: ValueId,
        /// Which axis.
        axis: usize,
    },
    /// The same numbers under another shape. Costs nothing: `y` shares the memory of `x`.
    Reshape {
        /// Any shape.
        x: ValueId,
        /// As many elements as `x`.
        y: ValueId,
    },
    /// `y` has axis `axes[i]` of `x` as its axis `i`.
    Permute {
        /// Any shape.
        x: ValueId,
        /// The same axes in another order.
        y: ValueId,
        /// A permutation of `0..rank`.
        axes: Vec<usize>,
    },
    /// `y = a · b` of two matrices, each of which may be read turned. Both may be computed: it is what the
    /// gradients of layers are made of.
    Product {
        /// `(m, k)`, or `(k, m)` where it is read turned.
        a: ValueId,
        /// `(k, n)`, or `(n, k)` where it is read turned.
        b: ValueId,
        /// `(m, n)`
        y: ValueId,
        /// Whether `a` and `b` are read turned.
        turned: [bool; 2],
    },
    /// `y[t, k, i] = x[t·stride + k·dilation - before, i]`, zero outside: what a convolution reads.
    Unfold {
        /// `(time, inputs)`
        x: ValueId,
        /// `(time', kernel · inputs)`
        y: ValueId,
        /// Taps.
        kernel: usize,
        /// Rows between two windows.
        stride: usize,
        /// Rows between two taps of the kernel.
        dilation: usize,
        /// Rows of zeros before the first and after the last.
        padding: [usize; 2],
    },
    /// `y[t·stride + k·dilation - before, o] += x[t, k, o]`, begun at zero: the adjoint of
    /// [`Op::Unfold`].
    Fold {
        /// `(time', kernel · outputs)`
        x: ValueId,
        /// `(time, outputs)`
        y: ValueId,
        /// Taps.
        kernel: usize,
        /// Rows between two windows.
        stride: usize,
        /// Rows between two taps of the kernel.
        dilation: usize,
        /// Rows cut off before the first and after the last.
        padding: [usize; 2],
    },
    /// `y` is `x`, where axes of length one are repeated and missing ones are added in front: the adjoint of
    /// a sum.
    Expand {
        /// A shape that broadcasts to that of `y`.
        x: ValueId,
        /// Any shape.
        y: ValueId,
    },
    /// `y` is `x` with zeros around it along `axis`: the adjoint of [`Op::Slice`].
    Pad {
        /// Any shape.
        x: ValueId,
        /// As `x`, but longer at `axis`.
        y: ValueId,
        /// Which axis.
        axis: usize,
        /// Zeros before the first and after the last.
        padding: [usize; 2],
    },
    /// `y = g · f'(x)`, element by element: the adjoint of [`Op::Unary`]. The slope of a rectifier at zero
    /// is zero, and so is that of `|x|`.
    Slope {
        /// Any shape.
        x: ValueId,
        /// As `x`.
        g: ValueId,
        /// As `x`.
        y: ValueId,
        /// Which function.
        f: Unary,
    },
    /// `y = round(x / scale) + zero_point` of `y`, held to -128 to 127; a NaN becomes zero.
    Quantize {
        /// `f32`, any shape.
        x: ValueId,
        /// `i8`, as `x`.
        y: ValueId,
    },
    /// `y = (x - zero_point) · scale` of `x`.
    Dequantize {
        /// `i8`, any shape.
        x: ValueId,
        /// `f32`, as `x`.
        y: ValueId,
    },
    /// [`Op::Linear`] on integers.
    QuantizedLinear {
        /// `i8`, `(.., inputs)`
        x: ValueId,
        /// `(outputs, inputs)`
        weights: Weights,
        /// `i8` or `f32`, `(.., outputs)`
        y: ValueId,
        /// The least and the largest byte of `y`; -128 and 127 where it is `f32`.
        clamp: [i8; 2],
    },
    /// [`Op::Conv1d`] on integers.
    QuantizedConv1d {
        /// `i8`, `(time, inputs)`
        x: ValueId,
        /// `(outputs, kernel, inputs)`
        weights: Weights,
        /// `i8` or `f32`, `(time', outputs)`
        y: ValueId,
        /// The least and the largest byte of `y`; -128 and 127 where it is `f32`.
        clamp: [i8; 2],
        /// Rows between two windows.
        stride: usize,
        /// Rows between two taps of the kernel.
        dilation: usize,
        /// Rows of zeros before the first and after the last.
        padding: [usize; 2],
    },
    /// [`Op::ConvTranspose1d`] on integers.
    QuantizedConvTranspose1d {
        /// `i8`, `(time, inputs)`
        x: ValueId,
        /// `(kernel, outputs, inputs)`
        weights: Weights,
        /// `i8` or `f32`, `((time - 1) · stride + kernel - before - after, outputs)`
        y: ValueId,
        /// The least and the largest byte of `y`; -128 and 127 where it is `f32`.
        clamp: [i8; 2],
        /// Rows of `y` between two rows of `x`.
        stride: usize,
        /// Rows cut off before the first and after the last.
        trim: [usize; 2],
    },
    /// `y = a + b` on bytes that stand for different steps.
    ///
    /// `zero_point_y + (((a - zero_point_a) · m_a + (b - zero_point_b) · m_b + 2¹⁹) >> 20)` with
    /// [`crate::dtype::addend_multiplier`].
    QuantizedAdd {
        /// `i8`, any shape.
        a: ValueId,
        /// `i8`, as `a`.
        b: ValueId,
        /// `i8`, as `a`.
        y: ValueId,
        /// The least and the largest byte of `y`.
        clamp: [i8; 2],
    },
    /// `y = table[x + 128]`: any function of one byte.
    Lookup {
        /// `i8`, any shape.
        x: ValueId,
        /// `i8`, `(256,)`
        table: ValueId,
        /// `i8`, as `x`.
        y: ValueId,
    },
}

/// The weights of a layer of integers, all tensors of the file.
///
/// The layer computes `sum[o] = bias[o] + Σ (x - zero_point) · w`, exactly and modulo 2³², then
/// `y = zero_point + ((sum · multiplier[o] + 2³¹) >> 32)` within its clamp, where `multiplier` is
/// [`crate::dtype::multiplier`] of the scales; or, where `y` is `f32`, `sum · (scale_x · scale[o])`
/// with one rounding in each product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// `i8`, or `i4` with `groups`.
    pub w: ValueId,
    /// `f32`, `(outputs,)`: what one step of `w` stands for.
    pub scale: ValueId,
    /// `u8`: one factor for each [`crate::dtype::GROUP`] inputs of an output, only and always with
    /// `i4`, where a weight is `w · groups · scale`. `(outputs, groups)`, and
    /// `(kernel, outputs, groups)` for the transposed convolution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<ValueId>,
    /// `i32`, `(outputs,)`, in steps of `x · w`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bias: Option<ValueId>,
}
