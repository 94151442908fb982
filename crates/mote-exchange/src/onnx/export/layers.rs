//! Layers with weights in `f32`.

use mote_format::{Op, ValueId, program::Unary};

use super::{Exporter, Order};
use crate::onnx::graph::{int, ints};

impl Exporter<'_> {
    pub(super) fn layer(&mut self, op: &Op) {
        match *op {
            Op::Linear { x, w, bias, y, activation } => {
                let found = self.linear(x, w, bias);
                self.activated(y, Order::Plain, found, activation);
            }
            Op::Conv1d { x, w, bias, y, stride, dilation, padding, activation } => {
                let w = self.kernel(w, [0, 2, 1]);
                let geometry = Geometry { stride, dilation, padding };
                let found = self.convolution("Conv", x, w, bias, geometry);
                self.activated(y, Order::Series, found, activation);
            }
            Op::ConvTranspose1d { x, w, bias, y, stride, trim, activation } => {
                let w = self.kernel(w, [2, 1, 0]);
                let geometry = Geometry { stride, dilation: 1, padding: trim };
                let found = self.convolution("ConvTranspose", x, w, bias, geometry);
                self.activated(y, Order::Series, found, activation);
            }
            _ => unreachable!("only layers come here"),
        }
    }

    /// One row is a `Gemm`; several are a `MatMul`, which takes any axes in front.
    fn linear(&mut self, x: ValueId, w: ValueId, bias: Option<ValueId>) -> String {
        let x_name = self.read(x, Order::Plain);
        let (shape, weights) = (self.program.shape(w), self.reals(w));
        let &[outputs, inputs] = shape else { unreachable!("verified") };
        let bias = bias.map(|b| self.constant(b));
        if self.program.shape(x).len() == 1 {
            let w = self.graph.floats("weight", shape, &weights);
            let inputs = [Some(x_name), Some(w), bias];
            let inputs: Vec<&str> = inputs.iter().flatten().map(String::as_str).collect();
            return self.graph.node("Gemm", &inputs, vec![int("transB", 1)]);
        }
        let turned = turn(&weights, &[outputs, inputs], &[1, 0]);
        let w = self.graph.floats("weight", &[inputs, outputs], &turned);
        let product = self.graph.node("MatMul", &[&x_name, &w], Vec::new());
        match bias {
            Some(bias) => self.graph.node("Add", &[&product, &bias], Vec::new()),
            None => product,
        }
    }

    /// Weights of a convolution in `f32` with their axes in another order.
    fn kernel(&mut self, w: ValueId, axes: [usize; 3]) -> String {
        let shape = self.program.shape(w);
        let turned = turn(&self.reals(w), shape, &axes);
        self.graph.floats("weight", &axes.map(|a| shape[a]), &turned)
    }

    fn convolution(
        &mut self,
        op: &str,
        x: ValueId,
        w: String,
        bias: Option<ValueId>,
        geometry: Geometry,
    ) -> String {
        let x = self.read(x, Order::Series);
        let bias = bias.map(|b| self.constant(b));
        let inputs = [Some(x), Some(w), bias];
        let inputs: Vec<&str> = inputs.iter().flatten().map(String::as_str).collect();
        self.graph.node(op, &inputs, geometry.attributes())
    }

    /// Ends a layer: its activation, then its name.
    fn activated(&mut self, y: ValueId, order: Order, found: String, f: Option<Unary>) {
        let found = f.map_or(found.clone(), |f| self.function(f, &found));
        self.set(y, order, found);
    }
}

/// How a convolution walks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub(super) stride: usize,
    pub(super) dilation: usize,
    /// Rows added, or for a transposed convolution cut off, before and after.
    pub(super) padding: [usize; 2],
}

impl Geometry {
    pub(super) fn attributes(self) -> Vec<super::super::proto::Attribute> {
        vec![
            ints("strides", vec![self.stride as i64]),
            ints("dilations", vec![self.dilation as i64]),
            ints("pads", self.padding.map(|n| n as i64).into()),
        ]
    }
}

/// `x` with axis `axes[i]` as its axis `i`.
pub(crate) fn turn<T: Copy>(x: &[T], shape: &[usize], axes: &[usize]) -> Vec<T> {
    let strides: Vec<usize> =
        (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
    (0..x.len())
        .map(|at| {
            let (mut rest, mut from) = (at, 0);
            for &axis in axes.iter().rev() {
                from += rest % shape[axis] * strides[axis];
                rest /= shape[axis];
            }
            x[from]
        })
        .collect()
}
