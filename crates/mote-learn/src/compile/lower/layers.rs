//! Layers: products with weights, normalization, and attention.

use burn_ir::{AttentionOpIr, ModuleOperationIr as ModuleOp, TensorIr};
use mote_format::{Op, ValueId};

use super::{Batch, Lowering, Result, scalar};

impl Lowering<'_> {
    pub(super) fn module(&mut self, op: &ModuleOp) -> Result<()> {
        match op {
            ModuleOp::Linear(op) => self.linear(&op.x, &op.weight, op.bias.as_ref(), &op.out),
            ModuleOp::Conv1d(op) => {
                let o = &op.options;
                if o.groups != 1 {
                    return Err(format!("a convolution in {} groups", o.groups));
                }
                let x = self.rows(&op.x)?;
                let w = self.permuted(&op.weight, [0, 2, 1])?;
                let bias = op.bias.as_ref().map(|b| self.weight(b)).transpose()?;
                let (stride, dilation) = (o.stride[0], o.dilation[0]);
                let padding = [o.padding[0].0, o.padding[0].1];
                let y = self.draft.push(|y| Op::Conv1d {
                    x,
                    w,
                    bias,
                    y,
                    stride,
                    dilation,
                    padding,
                    activation: None,
                })?;
                self.columns(y, &op.out)
            }
            ModuleOp::ConvTranspose1d(op) => {
                let o = &op.options;
                if (o.groups, o.dilation[0], o.padding_out[0]) != (1, 1, 0) {
                    return Err(format!("a transposed convolution with {o:?}"));
                }
                let x = self.rows(&op.x)?;
                let w = self.permuted(&op.weight, [2, 1, 0])?;
                let bias = op.bias.as_ref().map(|b| self.weight(b)).transpose()?;
                let (stride, trim) = (o.stride[0], [o.padding[0]; 2]);
                let y = self.draft.push(|y| Op::ConvTranspose1d {
                    x,
                    w,
                    bias,
                    y,
                    stride,
                    trim,
                    activation: None,
                })?;
                self.columns(y, &op.out)
            }
            ModuleOp::LayerNorm(op) => {
                let x = self.get(&op.input)?;
                let gain = self.weight(&op.gamma)?;
                let bias = op.beta.as_ref().map(|b| self.weight(b)).transpose()?;
                let epsilon = scalar(op.epsilon);
                let value =
                    self.draft.push(|y| Op::LayerNorm { x: x.value, gain, bias, y, epsilon })?;
                self.set(&op.out, value, x.batch)
            }
            ModuleOp::Attention(op) => self.attention(op),
            _ => Err("programs have no such operation".into()),
        }
    }

    /// As [`crate::parts::attend`] records it: heads before time, and a bias by place in the window.
    fn attention(&mut self, op: &AttentionOpIr) -> Result<()> {
        let bias = op.attn_bias.as_ref().ok_or("attention without a bias by place")?;
        if op.mask.is_some() || op.options.softcap.is_some() || !op.options.is_causal {
            return Err("attention that is masked, capped or not causal".into());
        }
        if op.options.scale.map(scalar) != Some(1.0) {
            return Err("attention that scales its scores".into());
        }
        let mut rows = |x: &TensorIr| {
            let x = self.get(x)?;
            if x.batch != Batch::Leading {
                return Err("attention of something without a batch".into());
            }
            self.draft.push(|y| Op::Permute { x: x.value, y, axes: vec![1, 0, 2] })
        };
        let (q, k, v) = (rows(&op.query)?, rows(&op.key)?, rows(&op.value)?);
        let bias = self.weight(bias)?;
        let &[1, heads, 1, window] = self.draft.program.shape(bias) else {
            return Err("attention with a bias that is not by place".into());
        };
        let bias = self.draft.reshape(bias, vec![heads, window])?;
        let before = window - 1;
        let y = self.draft.push(|y| Op::Attention { q, k, v, bias, y, before })?;
        let value = self.draft.push(|x| Op::Permute { x: y, y: x, axes: vec![1, 0, 2] })?;
        self.set(&op.out, value, Batch::Leading)
    }

    /// `(channels, time)` of the recording as `(time, channels)` of the program.
    fn rows(&mut self, x: &TensorIr) -> Result<ValueId> {
        let x = self.get(x)?;
        if x.batch != Batch::Leading {
            return Err("a convolution of something without a batch".into());
        }
        self.draft.push(|y| Op::Permute { x: x.value, y, axes: vec![1, 0] })
    }

    /// And back.
    fn columns(&mut self, x: ValueId, out: &TensorIr) -> Result<()> {
        let value = self.draft.push(|y| Op::Permute { x, y, axes: vec![1, 0] })?;
        self.set(out, value, Batch::Leading)
    }

    pub(super) fn linear(
        &mut self,
        x: &TensorIr,
        w: &TensorIr,
        bias: Option<&TensorIr>,
        out: &TensorIr,
    ) -> Result<()> {
        let x = self.get(x)?;
        let w = self.weight(w)?;
        if x.batch == Batch::None {
            return Err("a product of weights with weights".into());
        }
        let shape = self.draft.program.shape(w).to_vec();
        let Some((lead, &[inputs, outputs])) = shape.split_last_chunk::<2>() else {
            return Err(format!("a product with {shape:?}"));
        };
        if lead.iter().any(|&n| n != 1) {
            return Err(format!("a batched product with {shape:?}"));
        }
        let w = self.draft.reshape(w, vec![inputs, outputs])?;
        let w = self.draft.push(|y| Op::Permute { x: w, y, axes: vec![1, 0] })?;
        let bias = bias.map(|b| self.weight(b)).transpose()?;
        let value = self.draft.push(|y| Op::Linear { x: x.value, w, bias, y, activation: None })?;
        self.set(out, value, x.batch)
    }
}
