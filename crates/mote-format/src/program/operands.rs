//! What operations read and write, as values to look at or to renumber.

use super::{Op, ValueId, Weights};

impl Weights {
    /// The tensors that there are.
    pub fn iter(&self) -> impl Iterator<Item = ValueId> {
        [Some(self.w), Some(self.scale), self.groups, self.bias].into_iter().flatten()
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut ValueId> {
        [&mut self.w, &mut self.scale].into_iter().chain(&mut self.groups).chain(&mut self.bias)
    }
}

impl Op {
    /// Whether it is one of those that gradients are made of, which no captured model has.
    #[must_use]
    pub fn is_adjoint(&self) -> bool {
        matches!(
            self,
            Self::Product { .. }
                | Self::Unfold { .. }
                | Self::Fold { .. }
                | Self::Expand { .. }
                | Self::Pad { .. }
                | Self::Slope { .. }
        )
    }

    /// The value that it writes.
    #[must_use]
    pub fn result(&self) -> ValueId {
        match self {
            Self::Linear { y, .. }
            | Self::Conv1d { y, .. }
            | Self::ConvTranspose1d { y, .. }
            | Self::LayerNorm { y, .. }
            | Self::Softmax { y, .. }
            | Self::Attention { y, .. }
            | Self::Unary { y, .. }
            | Self::Affine { y, .. }
            | Self::Clamp { y, .. }
            | Self::Binary { y, .. }
            | Self::Reduce { y, .. }
            | Self::CumulativeSum { y, .. }
            | Self::Slice { y, .. }
            | Self::Concat { y, .. }
            | Self::Reshape { y, .. }
            | Self::Permute { y, .. }
            | Self::Product { y, .. }
            | Self::Unfold { y, .. }
            | Self::Fold { y, .. }
            | Self::Expand { y, .. }
            | Self::Pad { y, .. }
            | Self::Slope { y, .. }
            | Self::Quantize { y, .. }
            | Self::Dequantize { y, .. }
            | Self::QuantizedLinear { y, .. }
            | Self::QuantizedConv1d { y, .. }
            | Self::QuantizedConvTranspose1d { y, .. }
            | Self::QuantizedAdd { y, .. }
            | Self::Lookup { y, .. } => *y,
        }
    }

    /// The same, to be renumbered.
    pub fn result_mut(&mut self) -> &mut ValueId {
        match self {
            Self::Linear { y, .. }
            | Self::Conv1d { y, .. }
            | Self::ConvTranspose1d { y, .. }
            | Self::LayerNorm { y, .. }
            | Self::Softmax { y, .. }
            | Self::Attention { y, .. }
            | Self::Unary { y, .. }
            | Self::Affine { y, .. }
            | Self::Clamp { y, .. }
            | Self::Binary { y, .. }
            | Self::Reduce { y, .. }
            | Self::CumulativeSum { y, .. }
            | Self::Slice { y, .. }
            | Self::Concat { y, .. }
            | Self::Reshape { y, .. }
            | Self::Permute { y, .. }
            | Self::Product { y, .. }
            | Self::Unfold { y, .. }
            | Self::Fold { y, .. }
            | Self::Expand { y, .. }
            | Self::Pad { y, .. }
            | Self::Slope { y, .. }
            | Self::Quantize { y, .. }
            | Self::Dequantize { y, .. }
            | Self::QuantizedLinear { y, .. }
            | Self::QuantizedConv1d { y, .. }
            | Self::QuantizedConvTranspose1d { y, .. }
            | Self::QuantizedAdd { y, .. }
            | Self::Lookup { y, .. } => y,
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
            | Self::CumulativeSum { x, .. }
            | Self::Slice { x, .. }
            | Self::Reshape { x, .. }
            | Self::Permute { x, .. }
            | Self::Unfold { x, .. }
            | Self::Fold { x, .. }
            | Self::Expand { x, .. }
            | Self::Pad { x, .. }
            | Self::Quantize { x, .. }
            | Self::Dequantize { x, .. } => visit(*x),
            Self::Binary { a, b, .. }
            | Self::Product { a, b, .. }
            | Self::Slope { x: a, g: b, .. }
            | Self::QuantizedAdd { a, b, .. }
            | Self::Lookup { x: a, table: b, .. } => {
                visit(*a);
                visit(*b);
            }
            Self::QuantizedLinear { x, weights, .. }
            | Self::QuantizedConv1d { x, weights, .. }
            | Self::QuantizedConvTranspose1d { x, weights, .. } => {
                visit(*x);
                weights.iter().for_each(visit);
            }
            Self::Attention { q, k, v, bias, .. } => {
                [*q, *k, *v, *bias].into_iter().for_each(visit);
            }
            Self::Concat { xs, .. } => xs.iter().copied().for_each(visit),
        }
    }

    /// Calls `visit` for each value that it reads, to be renumbered.
    pub fn for_each_operand_mut(&mut self, mut visit: impl FnMut(&mut ValueId)) {
        match self {
            Self::Linear { x, w, bias, .. }
            | Self::Conv1d { x, w, bias, .. }
            | Self::ConvTranspose1d { x, w, bias, .. }
            | Self::LayerNorm { x, gain: w, bias, .. } => {
                visit(x);
                visit(w);
                bias.iter_mut().for_each(visit);
            }
            Self::Softmax { x, .. }
            | Self::Unary { x, .. }
            | Self::Affine { x, .. }
            | Self::Clamp { x, .. }
            | Self::Reduce { x, .. }
            | Self::CumulativeSum { x, .. }
            | Self::Slice { x, .. }
            | Self::Reshape { x, .. }
            | Self::Permute { x, .. }
            | Self::Unfold { x, .. }
            | Self::Fold { x, .. }
            | Self::Expand { x, .. }
            | Self::Pad { x, .. }
            | Self::Quantize { x, .. }
            | Self::Dequantize { x, .. } => visit(x),
            Self::Binary { a, b, .. }
            | Self::Product { a, b, .. }
            | Self::Slope { x: a, g: b, .. }
            | Self::QuantizedAdd { a, b, .. }
            | Self::Lookup { x: a, table: b, .. } => {
                visit(a);
                visit(b);
            }
            Self::QuantizedLinear { x, weights, .. }
            | Self::QuantizedConv1d { x, weights, .. }
            | Self::QuantizedConvTranspose1d { x, weights, .. } => {
                visit(x);
                weights.iter_mut().for_each(visit);
            }
            Self::Attention { q, k, v, bias, .. } => {
                [q, k, v, bias].into_iter().for_each(visit);
            }
            Self::Concat { xs, .. } => xs.iter_mut().for_each(visit),
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
            Self::Attention { .. } => "attention",
            Self::Unary { .. } => "unary",
            Self::Affine { .. } => "affine",
            Self::Clamp { .. } => "clamp",
            Self::Binary { .. } => "binary",
            Self::Reduce { .. } => "reduce",
            Self::CumulativeSum { .. } => "cumulative_sum",
            Self::Slice { .. } => "slice",
            Self::Concat { .. } => "concat",
            Self::Reshape { .. } => "reshape",
            Self::Permute { .. } => "permute",
            Self::Product { .. } => "product",
            Self::Unfold { .. } => "unfold",
            Self::Fold { .. } => "fold",
            Self::Expand { .. } => "expand",
            Self::Pad { .. } => "pad",
            Self::Slope { .. } => "slope",
            Self::Quantize { .. } => "quantize",
            Self::Dequantize { .. } => "dequantize",
            Self::QuantizedLinear { .. } => "quantized_linear",
            Self::QuantizedConv1d { .. } => "quantized_conv1d",
            Self::QuantizedConvTranspose1d { .. } => "quantized_conv_transpose1d",
            Self::QuantizedAdd { .. } => "quantized_add",
            Self::Lookup { .. } => "lookup",
        }
    }
}
