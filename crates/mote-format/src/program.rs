//! A program: the static list of operations that computes one entry point of a model.
//!
//! Values are numbered. Each has a fixed shape *per sample*: the batch is implied in front and no
//! operation can cross it. Series are stored with time first and channels last, so one time step is
//! one contiguous row, and a convolution reads overlapping rows without copying them.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

/// The number of a value within its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ValueId(pub u32);

impl ValueId {
    /// The position of this value in [`Program::values`].
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A list of operations over numbered values, in the order in which they run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// What the entry point computes: `score`, `encode`, …
    pub name: String,
    /// Every value, by number.
    pub values: Vec<Value>,
    /// The values that the caller fills, in order.
    pub inputs: Vec<Port>,
    /// The values that the caller reads, in order.
    pub outputs: Vec<Port>,
    /// What runs, in order.
    pub ops: Vec<Op>,
}

/// A value that crosses the border of a program, under the name that callers know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// `x`, `mask`, `nll`, …
    pub name: String,
    /// Which value it is.
    pub value: ValueId,
}

/// What is known of a value before anything runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Value {
    /// Lengths of the axes, outermost first; at most [`crate::limits::RANK`] of them.
    pub shape: Vec<usize>,
    /// The tensor of the file that holds it, or `None` where it is an input or computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensor: Option<String>,
}

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
}

impl Op {
    /// The value that it writes.
    #[must_use]
    pub fn result(&self) -> ValueId {
        match self {
            Self::Linear { y, .. }
            | Self::Conv1d { y, .. }
            | Self::ConvTranspose1d { y, .. }
            | Self::LayerNorm { y, .. }
            | Self::Softmax { y, .. }
            | Self::Unary { y, .. }
            | Self::Affine { y, .. }
            | Self::Clamp { y, .. }
            | Self::Binary { y, .. }
            | Self::Reduce { y, .. }
            | Self::Slice { y, .. }
            | Self::Concat { y, .. }
            | Self::Reshape { y, .. }
            | Self::Permute { y, .. } => *y,
        }
    }

    /// Calls `visit` for each value that it reads.
    pub fn for_each_operand(&self, mut visit: impl FnMut(ValueId)) {
        match self {
            Self::Linear { x, w, bias, .. }
            | Self::Conv1d { x, w, bias, .. }
            | Self::ConvTranspose1d { x, w, bias, .. }
            | Self::LayerNorm { x, gain: w, bias, .. } => {
                visit(*x);
                visit(*w);
                bias.iter().copied().for_each(visit);
            }
            Self::Softmax { x, .. }
            | Self::Unary { x, .. }
            | Self::Affine { x, .. }
            | Self::Clamp { x, .. }
            | Self::Reduce { x, .. }
            | Self::Slice { x, .. }
            | Self::Reshape { x, .. }
            | Self::Permute { x, .. } => visit(*x),
            Self::Binary { a, b, .. } => {
                visit(*a);
                visit(*b);
            }
            Self::Concat { xs, .. } => xs.iter().copied().for_each(visit),
        }
    }

    /// The name under which people know it: `linear`, `conv1d`, …
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Linear { .. } => "linear",
            Self::Conv1d { .. } => "conv1d",
            Self::ConvTranspose1d { .. } => "conv_transpose1d",
            Self::LayerNorm { .. } => "layer_norm",
            Self::Softmax { .. } => "softmax",
            Self::Unary { .. } => "unary",
            Self::Affine { .. } => "affine",
            Self::Clamp { .. } => "clamp",
            Self::Binary { .. } => "binary",
            Self::Reduce { .. } => "reduce",
            Self::Slice { .. } => "slice",
            Self::Concat { .. } => "concat",
            Self::Reshape { .. } => "reshape",
            Self::Permute { .. } => "permute",
        }
    }
}

impl Program {
    /// The number of elements of a value, per sample.
    ///
    /// # Panics
    ///
    /// If the program has no such value, or its shape overflows: neither survives verification.
    #[must_use]
    pub fn elements(&self, id: ValueId) -> usize {
        self.values[id.index()].shape.iter().product()
    }

    /// The shape of a value, per sample.
    ///
    /// # Panics
    ///
    /// If the program has no such value.
    #[must_use]
    pub fn shape(&self, id: ValueId) -> &[usize] {
        &self.values[id.index()].shape
    }

    /// Multiplications with weights that one run takes: the usual measure of a network's cost.
    ///
    /// # Panics
    ///
    /// As [`Self::elements`].
    #[must_use]
    pub fn multiply_adds(&self) -> u64 {
        let product = |shape: &[usize]| shape.iter().map(|&n| n as u64).product::<u64>();
        self.ops
            .iter()
            .map(|op| match op {
                // Each output element is a dot product with one row of the weights.
                Op::Linear { w, y, .. } | Op::Conv1d { w, y, .. } => {
                    product(self.shape(*y)) * product(&self.shape(*w)[1..])
                }
                // Each input row meets all weights.
                Op::ConvTranspose1d { x, w, .. } => {
                    product(&self.shape(*x)[..1]) * product(self.shape(*w))
                }
                _ => 0,
            })
            .fold(0, u64::saturating_add)
    }

    /// The input of that name, if there is one.
    #[must_use]
    pub fn input(&self, name: &str) -> Option<ValueId> {
        self.inputs.iter().find(|p| p.name == name).map(|p| p.value)
    }

    /// The output of that name, if there is one.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<ValueId> {
        self.outputs.iter().find(|p| p.name == name).map(|p| p.value)
    }
}
