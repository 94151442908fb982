//! Layers with weights.

use mote_format::{Op, ValueId};

use super::{Data, Importer, Known, Order, Place, Result2};
use crate::onnx::{export::turn, proto::Node};

/// Weights in the order in which programs read them: the outputs have an axis of their own.
struct Kernel {
    shape: Vec<usize>,
    numbers: Numbers,
}

enum Numbers {
    Real(Vec<f32>),
    /// With a scale for each output.
    Integers(Vec<i8>, Vec<f32>),
}

/// A layer that is ready to be written.
struct Layer {
    x: String,
    order: Order,
    kernel: Kernel,
    outputs: usize,
    bias: Option<Vec<f32>>,
    geometry: Geometry,
}

/// How a layer walks over its input.
#[derive(Clone, Copy)]
enum Geometry {
    Dense,
    Conv { stride: usize, dilation: usize, padding: [usize; 2] },
    ConvTranspose { stride: usize, trim: [usize; 2] },
}

impl<'m> Importer<'m> {
    pub(super) fn linear(&mut self, node: &'m Node) -> Result2<()> {
        let (x, w) = (node.wanted(0)?, node.wanted(1)?);
        let active = self.active(x)?;
        if active.shape.is_empty() {
            return Err("wanted inputs behind the batch, found a scalar".into());
        }
        let gemm = node.op_type == "Gemm";
        if gemm {
            node.only("transA", 0)?;
            let rank = active.shape.len() + usize::from(!active.merged);
            if rank != 2 {
                return Err(format!("wanted a matrix, found {rank} axes"));
            }
            for (name, found) in [("alpha", node.float("alpha")), ("beta", node.float("beta"))] {
                if found.is_some_and(|f| f != 1.0) {
                    return Err(format!("wanted `{name}` of 1, found {found:?}"));
                }
            }
        }
        let axes: &[usize] = if gemm && node.int("transB") == Some(1) { &[0, 1] } else { &[1, 0] };
        let kernel = self.kernel(w, axes, 0)?;
        let outputs = kernel.shape[0];
        let (mut y, mut bias) = (node.result()?, None);
        if gemm {
            bias = node.operand(2).map(|b| self.vector(b, outputs)).transpose()?;
        } else if let Some((i, add)) = self.reader(y).filter(|(_, n)| n.op_type == "Add") {
            let other = add.input.iter().find(|name| *name != y);
            if let Some(found) = other.and_then(|b| self.vector(b, outputs).ok()) {
                bias = Some(found);
                self.done.insert(i);
                y = add.result()?;
            }
        }
        let geometry = Geometry::Dense;
        let layer = Layer { x: x.into(), order: Order::Plain, kernel, outputs, bias, geometry };
        self.layer(layer, y, active.merged)
    }

    pub(super) fn conv(&mut self, node: &'m Node) -> Result2<()> {
        node.only("group", 1)?;
        let (x, stride, dilation, padding) = self.walk(node)?;
        let kernel = self.kernel(node.wanted(1)?, &[0, 2, 1], 0)?;
        let outputs = kernel.shape[0];
        let bias = node.operand(2).map(|b| self.vector(b, outputs)).transpose()?;
        let geometry = Geometry::Conv { stride, dilation, padding };
        let layer = Layer { x, order: Order::Turned, kernel, outputs, bias, geometry };
        self.layer(layer, node.result()?, false)
    }

    pub(super) fn conv_transpose(&mut self, node: &'m Node) -> Result2<()> {
        node.only("group", 1)?;
        let (x, stride, dilation, mut trim) = self.walk(node)?;
        if dilation != 1 {
            return Err(format!("wanted a dilation of 1, found {dilation}"));
        }
        if let Some(&[extra]) = node.ints("output_padding") {
            let extra = usize::try_from(extra).map_err(|_| "a negative `output_padding`")?;
            trim[1] = trim[1].checked_sub(extra).ok_or("rows beyond the last are not supported")?;
        }
        if node.ints("output_shape").is_some_and(|s| !s.is_empty()) {
            return Err("wanted `pads`, found `output_shape`".into());
        }
        let kernel = self.kernel(node.wanted(1)?, &[2, 1, 0], 1)?;
        let outputs = kernel.shape[1];
        let bias = node.operand(2).map(|b| self.vector(b, outputs)).transpose()?;
        let geometry = Geometry::ConvTranspose { stride, trim };
        let layer = Layer { x, order: Order::Turned, kernel, outputs, bias, geometry };
        self.layer(layer, node.result()?, false)
    }

    /// The input, stride, dilation and padding of a convolution over time.
    fn walk(&self, node: &Node) -> Result2<(String, usize, usize, [usize; 2])> {
        let x = node.wanted(0)?;
        let active = self.active(x)?;
        if active.shape.len() != 2 || active.merged {
            return Err(format!(
                "wanted (batch, channels, time), found {:?} behind the batch",
                active.shape
            ));
        }
        if node
            .attribute
            .iter()
            .any(|a| a.name == "auto_pad" && !a.s.is_empty() && a.s != b"NOTSET")
        {
            return Err("wanted explicit `pads`, found `auto_pad`".into());
        }
        let one = |name: &str| match node.ints(name) {
            None | Some([]) => Ok(1),
            Some(&[n]) => usize::try_from(n).map_err(|_| format!("`{name}` of {n}")),
            Some(more) => Err(format!("wanted one of `{name}`, found {more:?}")),
        };
        let pads = match node.ints("pads") {
            None | Some([]) => [0, 0],
            Some(&[a, b]) => {
                let pad = |n: i64| usize::try_from(n).map_err(|_| format!("a padding of {n}"));
                [pad(a)?, pad(b)?]
            }
            Some(more) => return Err(format!("wanted two of `pads`, found {more:?}")),
        };
        Ok((x.into(), one("strides")?, one("dilations")?, pads))
    }

    /// Weights with their axes turned; `outputs` is the axis of the outputs in the model.
    fn kernel(&self, name: &str, axes: &[usize], outputs: usize) -> Result2<Kernel> {
        let order = |shape: &[usize]| match shape.len() == axes.len() && !shape.contains(&0) {
            true => Ok(axes.iter().map(|&a| shape[a]).collect::<Vec<_>>()),
            false => Err(format!("wanted weights of {} axes, found {shape:?}", axes.len())),
        };
        if let Some(Known::Scaled { integers, scale, axis }) = self.known.get(name)
            && let Data::I8(data) = &integers.data
        {
            let shape = order(&integers.shape)?;
            // Where the outputs are an axis of the model's own order, so are its scales.
            let own = if axes.len() == 2 { axes[0] } else { outputs };
            let n = integers.shape[own];
            if scale.len() == 1 || *axis == own {
                let scale = if scale.len() == 1 { vec![scale[0]; n] } else { scale.clone() };
                let data = turn(data, &integers.shape, axes);
                return Ok(Kernel { shape, numbers: Numbers::Integers(data, scale) });
            }
        }
        let (found, data) = self.numbers(name)?;
        let shape = order(&found)?;
        Ok(Kernel { shape, numbers: Numbers::Real(turn(&data, &found, axes)) })
    }

    /// A constant with a number for each output.
    fn vector(&self, name: &str, outputs: usize) -> Result2<Vec<f32>> {
        let (shape, data) = self.numbers(name)?;
        match data.len() {
            n if n == outputs && shape.last() == Some(&outputs) => Ok(data),
            1 => Ok(vec![data[0]; outputs]),
            _ => Err(format!("wanted {outputs} biases, found {shape:?}")),
        }
    }

    fn layer(&mut self, layer: Layer, y: &'m str, merged: bool) -> Result2<()> {
        let quantized = self.stands_for(&layer.x);
        let Layer { x, order, kernel, outputs, bias, geometry } = layer;
        let (Some(q), Numbers::Integers(w, scale)) = (quantized, &kernel.numbers) else {
            let x = self.real(&x, order)?;
            let data = match kernel.numbers {
                Numbers::Real(data) => data,
                Numbers::Integers(w, scale) => {
                    let inner = if let Geometry::ConvTranspose { .. } = geometry {
                        kernel.shape[2]
                    } else {
                        kernel.shape[1..].iter().product()
                    };
                    let at = |i: usize| scale[i / inner.max(1) % outputs];
                    w.iter().enumerate().map(|(i, &q)| f32::from(q) * at(i)).collect()
                }
            };
            let w = self.draft.tensor("weight", &kernel.shape, &data);
            let bias = bias.map(|b| self.draft.tensor("bias", &[outputs], &b));
            let value = self.draft.push(|y| geometry.real(x, w, bias, y))?;
            self.set_real(y, Place { value, order }, merged);
            return Ok(());
        };
        let x = self.bytes(&x, order)?;
        let weights = self.draft.weights(q, (&kernel.shape, w), scale, bias.as_deref());
        match self.ending(y) {
            Some(end) => {
                let op = |y, clamp| geometry.integers(x, weights, y, clamp);
                let value = self.draft.end(q, scale, (end.q, end.clamp), op)?;
                self.set_bytes(end.name, Place { value, order }, merged, true)
            }
            None => {
                let value = self.draft.push(|y| geometry.integers(x, weights, y, [-128, 127]))?;
                self.set_real(y, Place { value, order }, merged);
                Ok(())
            }
        }
    }
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

    fn integers(
        self,
        x: ValueId,
        weights: mote_format::program::Weights,
        y: ValueId,
        clamp: [i8; 2],
    ) -> Op {
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
