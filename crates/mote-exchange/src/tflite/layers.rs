//! Layers with weights, and sums.

use mote_format::{
    Op, Quantization, ValueId,
    program::{Binary, Unary, Weights},
};

use super::{
    flatbuffer::Result,
    import::Importer,
    model::{Element, Operator},
};

/// How a layer walks over its input.
#[derive(Clone, Copy)]
enum Geometry {
    Dense,
    Conv { stride: usize, dilation: usize, padding: [usize; 2] },
    ConvTranspose { stride: usize, trim: [usize; 2] },
}

/// A function that ends an operator, by its number: nothing, or bounds.
fn bounds(activation: u8) -> Result<Option<[f32; 2]>> {
    match activation {
        0 => Ok(None),
        1 => Ok(Some([0.0, f32::INFINITY])),
        2 => Ok(Some([-1.0, 1.0])),
        3 => Ok(Some([0.0, 6.0])),
        other => Err(format!("wanted no activation, RELU, RELU_N1_TO_1 or RELU6, found {other}")),
    }
}

fn clamp(bounds: Option<[f32; 2]>, q: Quantization) -> [i8; 2] {
    bounds.map_or([-128, 127], |b| b.map(|bound| q.quantize(bound)))
}

impl Importer<'_, '_> {
    pub(super) fn fully_connected(&mut self, op: &Operator<'_>) -> Result<()> {
        let (x, w, y) = (self.operand(op, 0)?, self.operand(op, 1)?, self.result(op)?);
        let options = op.options.ok_or("it has no options")?;
        if options.byte(1)? != 0 {
            return Err("wanted weights in their usual order".into());
        }
        let &[_, inputs] = self.tensor(w).shape.as_slice() else {
            return Err(format!("wanted a matrix, found {:?}", self.tensor(w).shape));
        };
        // Its input counts as rows of so many numbers, whatever its axes are.
        let (mut shape, _) = self.own_shape(self.tensor(y))?;
        *shape.last_mut().ok_or("its result is a scalar")? = inputs;
        let bounds = bounds(options.byte(0)?)?;
        self.layer(op, [x, w], y, &shape, Geometry::Dense, bounds)
    }

    pub(super) fn conv(&mut self, op: &Operator<'_>) -> Result<()> {
        let (mut x, w, y) = (self.operand(op, 0)?, self.operand(op, 1)?, self.result(op)?);
        let options = op.options.ok_or("it has no options")?;
        let mut padding = [0, 0];
        if let Some(&(source, rows)) = self.padded.get(&x) {
            (x, padding) = (source, rows);
        }
        let length = |n: i32| {
            usize::try_from(n).ok().filter(|&n| n > 0).ok_or_else(|| format!("a stride of {n}"))
        };
        let (stride, dilation) = (length(options.int(1, 0)?)?, length(options.int(4, 1)?)?);
        let (shape, kernel) = self.series(x, w)?;
        if options.byte(0)? == 0 {
            let time = shape[0]
                .checked_add(padding[0] + padding[1])
                .ok_or("a padding that is too large")?;
            let span = (kernel - 1).checked_mul(dilation).ok_or("a kernel that is too long")? + 1;
            let rows = time.div_ceil(stride);
            let all = (rows.saturating_sub(1) * stride).saturating_add(span).saturating_sub(time);
            padding = [padding[0] + all / 2, padding[1] + all - all / 2];
        }
        let geometry = Geometry::Conv { stride, dilation, padding };
        let bounds = bounds(options.byte(3)?)?;
        self.layer(op, [x, w], y, &shape, geometry, bounds)
    }

    pub(super) fn conv_transpose(&mut self, op: &Operator<'_>) -> Result<()> {
        let (w, x, y) = (self.operand(op, 1)?, self.operand(op, 2)?, self.result(op)?);
        let options = op.options.ok_or("it has no options")?;
        let stride = usize::try_from(options.int(1, 0)?).map_err(|_| "a negative stride")?;
        let (shape, kernel) = self.series(x, w)?;
        let (wanted, _) = self.own_shape(self.tensor(y))?;
        let rows = *wanted.get(1).ok_or("its result has no time")?;
        let all =
            shape[0].saturating_sub(1).checked_mul(stride).and_then(|n| n.checked_add(kernel));
        let over = all.and_then(|all| all.checked_sub(rows)).ok_or("its result is too long")?;
        // `SAME` cuts off as much on both sides, one more behind; `VALID` what is too much behind.
        let before = if options.byte(0)? == 0 { over / 2 } else { 0 };
        let geometry = Geometry::ConvTranspose { stride, trim: [before, over - before] };
        let bounds = bounds(options.byte(3)?)?;
        self.layer(op, [x, w], y, &shape, geometry, bounds)
    }

    /// The input of a convolution as `(time, channels)`, and the length of the kernel.
    fn series(&self, x: usize, w: usize) -> Result<([usize; 2], usize)> {
        let (shape, merged) = self.own_shape(self.tensor(x))?;
        let &[1, time, channels] = shape.as_slice() else {
            return Err(format!("wanted a height of 1, found {shape:?} behind the batch"));
        };
        let &[_, 1, kernel, inputs] = self.tensor(w).shape.as_slice() else {
            return Err(format!("wanted kernels of height 1, found {:?}", self.tensor(w).shape));
        };
        if merged || inputs != channels || kernel == 0 {
            return Err(format!("{channels} channels meet kernels of {kernel} by {inputs}"));
        }
        Ok(([time, channels], kernel))
    }

    /// A layer from `x`, seen as `shape`, to `y`.
    fn layer(
        &mut self,
        op: &Operator<'_>,
        [x, w]: [usize; 2],
        y: usize,
        shape: &[usize],
        geometry: Geometry,
        bounds: Option<[f32; 2]>,
    ) -> Result<()> {
        let transposed = matches!(geometry, Geometry::ConvTranspose { .. });
        let bias = self.optional(op, if transposed { 3 } else { 2 })?;
        let outputs = *self.tensor(w).shape.first().ok_or("weights without axes")?;
        let bias = bias.map(|b| self.bias(b, outputs)).transpose()?;
        let kernel = self.kernel_shape(w, transposed)?;
        let quantized = self.stands_for(x).filter(|_| self.tensor(w).element == Element::I8);
        let value = match quantized {
            None => {
                let (x, data) = (self.real_of(x)?, self.real_weights(w)?);
                let x = self.draft.reshape(x, shape)?;
                let data = ordered(&data, &kernel, transposed);
                let w = self.draft.tensor("weight", &kernel, &data);
                let bias = bias.map(|b| self.draft.tensor("bias", &[outputs], &b));
                let value = self.draft.push(|y| geometry.real(x, w, bias, y))?;
                self.bounded(value, bounds)?
            }
            Some(q) => {
                let x = self.bytes_of(x)?;
                let x = self.draft.reshape(x, shape)?;
                let (data, scale) = self.integer_weights(w, outputs)?;
                let data = ordered(&data, &kernel, transposed);
                let weights = self.draft.weights(q, (&kernel, &data), &scale, bias.as_deref());
                let layer = |y, clamp| geometry.integers(x, weights, y, clamp);
                if self.tensor(y).element == Element::I8 {
                    let end = self.tensor(y).quantization()?;
                    self.draft.end(q, &scale, (end, clamp(bounds, end)), layer)?
                } else {
                    let value = self.draft.push(|y| layer(y, [-128, 127]))?;
                    self.bounded(value, bounds)?
                }
            }
        };
        let (wanted, _) = self.own_shape(self.tensor(y))?;
        let value = self.draft.reshape(value, &wanted)?;
        self.set(y, value)
    }

    fn bounded(&mut self, x: ValueId, bounds: Option<[f32; 2]>) -> Result<ValueId> {
        match bounds {
            None => Ok(x),
            Some([0.0, f32::INFINITY]) => self.draft.push(|y| Op::Unary { x, y, f: Unary::Relu }),
            Some([low, high]) => self.draft.push(|y| Op::Clamp { x, y, low, high }),
        }
    }

    /// Without its height of one, and in the order of programs.
    fn kernel_shape(&self, w: usize, transposed: bool) -> Result<Vec<usize>> {
        let shape = &self.tensor(w).shape;
        match (shape.as_slice(), transposed) {
            (found, _) if found.contains(&0) => Err(format!("weights of shape {found:?}")),
            (&[o, 1, k, i], true) => Ok(vec![k, o, i]),
            (&[o, 1, k, i], false) => Ok(vec![o, k, i]),
            (&[o, i], false) => Ok(vec![o, i]),
            (found, _) => Err(format!("weights of shape {found:?}")),
        }
    }

    fn integer_weights(&self, w: usize, outputs: usize) -> Result<(Vec<i8>, Vec<f32>)> {
        let tensor = self.tensor(w);
        if tensor.zero_point.iter().any(|&z| z != 0) {
            return Err("wanted symmetric weights, found a zero point".into());
        }
        let scale = match tensor.scale.as_slice() {
            &[scale] => vec![scale; outputs],
            scales if scales.len() == outputs && tensor.axis == 0 => scales.to_vec(),
            scales => {
                return Err(format!(
                    "{} scales along axis {} for {outputs} outputs",
                    scales.len(),
                    tensor.axis
                ));
            }
        };
        Ok((tensor.bytes()?, scale))
    }

    fn real_weights(&self, w: usize) -> Result<Vec<f32>> {
        if self.tensor(w).element != Element::I8 {
            return self.tensor(w).floats();
        }
        let outputs = self.tensor(w).shape[0];
        let (data, scale) = self.integer_weights(w, outputs)?;
        let inner = data.len() / outputs.max(1);
        Ok(data.iter().enumerate().map(|(i, &q)| f32::from(q) * scale[i / inner.max(1)]).collect())
    }

    /// A bias in real numbers.
    fn bias(&self, b: usize, outputs: usize) -> Result<Vec<f32>> {
        let tensor = self.tensor(b);
        let data: Vec<f32> = if tensor.element == Element::I32 {
            let scale = &tensor.scale;
            if scale.len() != 1 && scale.len() != outputs {
                return Err(format!("{} scales for {outputs} biases", scale.len()));
            }
            let at = |i: usize| scale[if scale.len() == 1 { 0 } else { i }];
            tensor
                .ints()?
                .iter()
                .enumerate()
                .map(|(i, &b)| (f64::from(b) * f64::from(at(i))) as f32)
                .collect()
        } else {
            tensor.floats()?
        };
        if data.len() != outputs {
            return Err(format!("{} biases for {outputs} outputs", data.len()));
        }
        Ok(data)
    }

    pub(super) fn add(&mut self, op: &Operator<'_>) -> Result<()> {
        let (a, b, y) = (self.operand(op, 0)?, self.operand(op, 1)?, self.result(op)?);
        let integers = self.stands_for(a).is_some()
            && self.stands_for(b).is_some()
            && self.tensor(a).shape == self.tensor(b).shape
            && self.tensor(y).element == Element::I8;
        if !integers {
            return self.binary(op, Binary::Add);
        }
        let q = self.tensor(y).quantization()?;
        let activation = op.options.map_or(Ok(0), |o| o.byte(0))?;
        let clamp = clamp(bounds(activation)?, q);
        let (a, b) = (self.bytes_of(a)?, self.bytes_of(b)?);
        let value = self.draft.push_i8(q, |y| Op::QuantizedAdd { a, b, y, clamp })?;
        self.set(y, value)
    }

    pub(super) fn binary(&mut self, op: &Operator<'_>, f: Binary) -> Result<()> {
        let (a, b, y) = (self.operand(op, 0)?, self.operand(op, 1)?, self.result(op)?);
        let activation = match f {
            Binary::Max | Binary::Min => 0,
            _ => op.options.map_or(Ok(0), |o| o.byte(0))?,
        };
        let (_, merged) = self.own_shape(self.tensor(y))?;
        let [a, b] = [self.addend(a, y, merged)?, self.addend(b, y, merged)?];
        let value = self.draft.push(|y| Op::Binary { a, b, y, f })?;
        let value = self.bounded(value, bounds(activation)?)?;
        self.set(y, value)
    }

    /// An operand whose axes lie under those of the result: constants lose their batch of one.
    fn addend(&mut self, x: usize, y: usize, merged: bool) -> Result<ValueId> {
        let computed = self.real.contains_key(&x) || self.bytes.contains_key(&x);
        let (shape, rank) = (self.tensor(x).shape.clone(), self.tensor(y).shape.len());
        if computed && self.tensor(x).data.is_empty() {
            return if shape.len() == rank {
                self.real_of(x)
            } else {
                Err(format!("wanted {rank} axes, found {shape:?}"))
            };
        }
        let data = self.constant(x)?;
        if shape.len() == rank && shape[0] == self.batch && !merged {
            let (own, data) = self.repeated(x, data)?;
            return Ok(self.draft.tensor("constant", &own, &data));
        }
        let own = if shape.len() == rank { &shape[1..] } else { &shape[..] };
        let rows = shape.len() == rank && (shape[0] != 1 || merged);
        if rows || shape.len() > rank {
            return Err(format!("a constant of {shape:?} meets the batch"));
        }
        Ok(self.draft.tensor("constant", own, &data))
    }
}

/// From `(outputs, kernel, inputs)` to `(kernel, outputs, inputs)`, where that is `shape`.
fn ordered<T: Copy>(data: &[T], shape: &[usize], transposed: bool) -> Vec<T> {
    let (&[k, o, i], true) = (shape, transposed) else { return data.into() };
    crate::onnx::turn(data, &[o, k, i], &[1, 0, 2])
}

impl Geometry {
    fn real(self, x: ValueId, w: ValueId, bias: Option<ValueId>, y: ValueId) -> Op {
        let activation = None;
        match self {
            Self::Dense => Op::Linear { x, w, bias, y, activation },
            Self::Conv { stride, dilation, padding } => {
                Op::Conv1d { x, w, bias, y, stride, dilation, padding, activation }
            }
            Self::ConvTranspose { stride, trim } => {
                Op::ConvTranspose1d { x, w, bias, y, stride, trim, activation }
            }
        }
    }

    fn integers(self, x: ValueId, weights: Weights, y: ValueId, clamp: [i8; 2]) -> Op {
        match self {
            Self::Dense => Op::QuantizedLinear { x, weights, y, clamp },
            Self::Conv { stride, dilation, padding } => {
                Op::QuantizedConv1d { x, weights, y, clamp, stride, dilation, padding }
            }
            Self::ConvTranspose { stride, trim } => {
                Op::QuantizedConvTranspose1d { x, weights, y, clamp, stride, trim }
            }
        }
    }
}
