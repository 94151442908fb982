//! A program: the static list of operations that computes one entry point of a model.
//!
//! Values are numbered. Each has a fixed shape *per sample*: the batch is implied in front and no
//! operation can cross it. Series are stored with time first and channels last, so one time step is
//! one contiguous row, and a convolution reads overlapping rows without copying them.

mod op;
mod operands;

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::dtype::{Dtype, Quantization};
pub use op::{Binary, Op, Reduction, Unary, Weights};

/// Names of ports that carry state from one sample to the next begin with this.
pub const STATE_PREFIX: &str = "state.";

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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Value {
    /// Lengths of the axes, outermost first; at most [`crate::limits::RANK`] of them.
    pub shape: Vec<usize>,
    /// The tensor of the file that holds it, or `None` where it is an input or computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensor: Option<String>,
    /// What its elements are.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dtype: Dtype,
    /// What its bytes stand for; where it is an activation in `i8`, and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantization: Option<Quantization>,
}

fn is_default(dtype: &Dtype) -> bool {
    *dtype == Dtype::default()
}

impl Value {
    /// An activation in `f32`.
    #[must_use]
    pub fn f32(shape: impl Into<Vec<usize>>) -> Self {
        Self { shape: shape.into(), ..Self::default() }
    }

    /// An activation in `i8`.
    #[must_use]
    pub fn i8(shape: impl Into<Vec<usize>>, quantization: Quantization) -> Self {
        let quantization = Some(quantization);
        Self { shape: shape.into(), dtype: Dtype::I8, quantization, ..Self::default() }
    }

    /// A tensor of the file.
    #[must_use]
    pub fn tensor(name: impl Into<String>, dtype: Dtype, shape: impl Into<Vec<usize>>) -> Self {
        let tensor = Some(name.into());
        Self { shape: shape.into(), tensor, dtype, ..Self::default() }
    }

    /// Bytes of its elements in memory, per sample.
    ///
    /// # Panics
    ///
    /// If its shape overflows: that does not survive verification.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.dtype.bytes(self.shape.iter().product())
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

    /// What the elements of a value are.
    ///
    /// # Panics
    ///
    /// If the program has no such value.
    #[must_use]
    pub fn dtype(&self, id: ValueId) -> Dtype {
        self.values[id.index()].dtype
    }

    /// Multiplications in layers and attention that one run takes: the usual measure of a network's cost.
    ///
    /// # Panics
    ///
    /// As [`Self::elements`].
    #[must_use]
    pub fn multiply_adds(&self) -> u64 {
        self.ops.iter().map(|op| self.multiply_adds_of(op)).fold(0, u64::saturating_add)
    }

    /// The same of one operation.
    ///
    /// # Panics
    ///
    /// As [`Self::elements`].
    #[must_use]
    pub fn multiply_adds_of(&self, op: &Op) -> u64 {
        let product = |shape: &[usize]| shape.iter().map(|&n| n as u64).product::<u64>();
        match op {
            // Each output element is a dot product with one row of the weights.
            Op::Linear { w, y, .. }
            | Op::Conv1d { w, y, .. }
            | Op::QuantizedLinear { weights: Weights { w, .. }, y, .. }
            | Op::QuantizedConv1d { weights: Weights { w, .. }, y, .. } => {
                product(self.shape(*y)) * product(&self.shape(*w)[1..])
            }
            // Each input row meets all weights.
            Op::ConvTranspose1d { x, w, .. }
            | Op::QuantizedConvTranspose1d { x, weights: Weights { w, .. }, .. } => {
                product(&self.shape(*x)[..1]) * product(self.shape(*w))
            }
            // Each element is a dot product as long as the axis that both share.
            Op::Product { a, y, turned, .. } => {
                let shared = self.shape(*a)[usize::from(!turned[0])] as u64;
                product(self.shape(*y)) * shared
            }
            // Each row and head meets a window of keys, and as many values.
            Op::Attention { q, v, bias, .. } => {
                let (heads, rows) = (self.shape(*v)[1] as u64, self.shape(*q)[0] as u64);
                let widths = (self.shape(*q)[2] + self.shape(*v)[2]) as u64;
                rows * heads * self.shape(*bias)[1] as u64 * widths
            }
            _ => 0,
        }
    }

    /// The input and the output of each state: two ports of one name that begins with
    /// [`STATE_PREFIX`], of the same shape and type. What comes out with one sample is to be given in
    /// with the next; a state begins as real zero.
    pub fn states(&self) -> impl Iterator<Item = (ValueId, ValueId)> {
        self.inputs.iter().filter(|port| port.name.starts_with(STATE_PREFIX)).filter_map(|port| {
            let (input, output) = (port.value, self.output(&port.name)?);
            let (a, b) = (&self.values[input.index()], &self.values[output.index()]);
            let same = (&a.shape, a.dtype, a.quantization) == (&b.shape, b.dtype, b.quantization);
            same.then_some((input, output))
        })
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
