//! Operations on integers, as float operators between DequantizeLinear and QuantizeLinear.

use mote_format::{Dtype, Op, Quantization, ValueId, dtype::GROUP, program::Weights};

use super::{
    Exporter, Order,
    layers::{Geometry, turn},
};
use crate::onnx::graph::int;

impl Exporter<'_> {
    pub(super) fn integers(&mut self, op: &Op) {
        match *op {
            Op::Quantize { x, y } => {
                let (order, x) = self.as_it_lies(x);
                let found = self.quantized(&x, self.quantization(y));
                self.set(y, order, found);
            }
            Op::Dequantize { x, y } => {
                let (order, name) = self.as_it_lies(x);
                let found = self.dequantized(&name, self.quantization(x));
                self.set(y, order, found);
            }
            Op::QuantizedLinear { x, ref weights, y, clamp } => {
                let found = self.quantized_linear(x, weights, y, clamp);
                self.set(y, Order::Plain, found);
            }
            Op::QuantizedConv1d { x, ref weights, y, clamp, stride, dilation, padding } => {
                let w = self.kernel_integers(weights, [0, 2, 1], 0);
                let geometry = Geometry { stride, dilation, padding };
                let found = self.quantized_convolution("Conv", x, weights, w, geometry);
                let found = self.ended(found, y, clamp);
                self.set(y, Order::Series, found);
            }
            Op::QuantizedConvTranspose1d { x, ref weights, y, clamp, stride, trim } => {
                let w = self.kernel_integers(weights, [2, 1, 0], 1);
                let geometry = Geometry { stride, dilation: 1, padding: trim };
                let found = self.quantized_convolution("ConvTranspose", x, weights, w, geometry);
                let found = self.ended(found, y, clamp);
                self.set(y, Order::Series, found);
            }
            Op::QuantizedAdd { a, b, y, clamp } => self.quantized_add(a, b, y, clamp),
            Op::Lookup { x, table, y } => self.lookup(x, table, y),
            _ => unreachable!("only operations on integers come here"),
        }
    }

    fn quantized(&mut self, x: &str, q: Quantization) -> String {
        let scale = self.graph.scalar(q.scale);
        let zero = self.graph.bytes("zero_point", &[], &[q.zero_point]);
        self.graph.node("QuantizeLinear", &[x, &scale, &zero], Vec::new())
    }

    fn dequantized(&mut self, x: &str, q: Quantization) -> String {
        let scale = self.graph.scalar(q.scale);
        let zero = self.graph.bytes("zero_point", &[], &[q.zero_point]);
        self.graph.node("DequantizeLinear", &[x, &scale, &zero], Vec::new())
    }

    /// Rows in front become rows of one matrix: `Gemm` is where runtimes have integer kernels with
    /// a bias.
    fn quantized_linear(
        &mut self,
        x: ValueId,
        weights: &Weights,
        y: ValueId,
        clamp: [i8; 2],
    ) -> String {
        let mut x_name = self.read(x, Order::Plain);
        let inputs = *self.program.shape(weights.w).last().expect("verified");
        let several = self.program.shape(x).len() != 1;
        if several {
            let shape = self.graph.list(&[-1, inputs as i64]);
            x_name = self.graph.node("Reshape", &[&x_name, &shape], Vec::new());
        }
        let x_float = self.dequantized(&x_name, self.quantization(x));
        let w = match weights.groups {
            Some(_) => {
                let w = self.real_weights(weights, inputs);
                self.graph.floats("weight", self.program.shape(weights.w), &w)
            }
            None => {
                let data = self.elements::<i8>(weights.w);
                let shape = self.program.shape(weights.w).to_vec();
                self.weights_of(&data, &shape, weights, 0)
            }
        };
        let bias = self.bias(x, weights);
        let operands = [Some(x_float), Some(w), bias];
        let operands: Vec<&str> = operands.iter().flatten().map(String::as_str).collect();
        let product = self.graph.node("Gemm", &operands, vec![int("transB", 1)]);
        let found = self.ended(product, y, clamp);
        if several { self.reshaped(&found, y) } else { found }
    }

    fn quantized_convolution(
        &mut self,
        op: &str,
        x: ValueId,
        weights: &Weights,
        w: String,
        geometry: Geometry,
    ) -> String {
        let name = self.read(x, Order::Series);
        let x_float = self.dequantized(&name, self.quantization(x));
        let bias = self.bias(x, weights);
        let operands = [Some(x_float), Some(w), bias];
        let operands: Vec<&str> = operands.iter().flatten().map(String::as_str).collect();
        self.graph.node(op, &operands, geometry.attributes())
    }

    /// Weights of a convolution with their axes turned; `axis` is where the outputs are then.
    fn kernel_integers(&mut self, weights: &Weights, axes: [usize; 3], axis: i64) -> String {
        let shape = self.program.shape(weights.w);
        let turned_shape = axes.map(|a| shape[a]);
        if weights.groups.is_some() {
            let block = if axis == 0 { shape[1] * shape[2] } else { shape[2] };
            let turned = turn(&self.real_weights(weights, block), shape, &axes);
            return self.graph.floats("weight", &turned_shape, &turned);
        }
        let turned = turn(&self.elements::<i8>(weights.w), shape, &axes);
        self.weights_of(&turned, &turned_shape, weights, axis)
    }

    fn weights_of(&mut self, w: &[i8], shape: &[usize], weights: &Weights, axis: i64) -> String {
        let w = self.graph.bytes("weight_i8", shape, w);
        let scales = self.elements::<f32>(weights.scale);
        let zeros = vec![0; scales.len()];
        let zero = self.graph.bytes("zero_point", &[zeros.len()], &zeros);
        let scale = self.graph.floats("scale", &[scales.len()], &scales);
        self.graph.node("DequantizeLinear", &[&w, &scale, &zero], vec![int("axis", axis)])
    }

    /// The bias of integers in the steps of the product.
    fn bias(&mut self, x: ValueId, weights: &Weights) -> Option<String> {
        let bias = self.elements::<i32>(weights.bias?);
        let step = self.quantization(x).scale;
        let scales: Vec<f32> =
            self.elements::<f32>(weights.scale).iter().map(|s| s * step).collect();
        if weights.groups.is_some() {
            let real: Vec<f32> = bias.iter().zip(&scales).map(|(&b, s)| b as f32 * s).collect();
            return Some(self.graph.floats("bias", &[real.len()], &real));
        }
        let bias = self.graph.sums("bias_i32", &[bias.len()], &bias);
        let scale = self.graph.floats("scale", &[scales.len()], &scales);
        Some(self.graph.node("DequantizeLinear", &[&bias, &scale], vec![int("axis", 0)]))
    }

    /// The end of a layer: its clamp and its rounding, where the result is bytes.
    fn ended(&mut self, found: String, y: ValueId, [low, high]: [i8; 2]) -> String {
        if self.program.dtype(y) != Dtype::I8 {
            return found;
        }
        let q = self.quantization(y);
        let held = match [low, high] {
            [-128, 127] => found,
            [low, 127] if low == q.zero_point => self.graph.node("Relu", &[&found], Vec::new()),
            [low, high] => self.clip(&found, q.dequantize(low), q.dequantize(high)),
        };
        self.quantized(&held, q)
    }

    fn quantized_add(&mut self, a: ValueId, b: ValueId, y: ValueId, clamp: [i8; 2]) {
        let series = [a, b].iter().all(|&x| self.order(x) == Order::Series);
        let order = if series { Order::Series } else { Order::Plain };
        let [a, b] = [a, b].map(|x| {
            let name = self.read(x, order);
            self.dequantized(&name, self.quantization(x))
        });
        let sum = self.graph.node("Add", &[&a, &b], Vec::new());
        let found = self.ended(sum, y, clamp);
        self.set(y, order, found);
    }

    /// A table stays a table: exact, whatever function it is.
    fn lookup(&mut self, x: ValueId, table: ValueId, y: ValueId) {
        let (order, x) = self.as_it_lies(x);
        let table = self.elements::<i8>(table);
        let table = self.graph.bytes("table", &[table.len()], &table);
        let to_i32 = int("to", i64::from(crate::onnx::proto::data_type::INT32));
        let index = self.graph.node("Cast", &[&x], vec![to_i32]);
        let middle = self.graph.sums("middle", &[], &[128]);
        let index = self.graph.node("Add", &[&index, &middle], Vec::new());
        let found = self.graph.node("Gather", &[&table, &index], vec![int("axis", 0)]);
        self.set(y, order, found);
    }

    /// `i4` weights times the factors of their groups and their scales, in the program's order.
    /// `block` weights that follow each other belong to one output.
    fn real_weights(&self, weights: &Weights, block: usize) -> Vec<f32> {
        let packed = self.elements::<u8>(weights.w);
        let groups = self.elements::<u8>(weights.groups.expect("only `i4` comes here"));
        let scales = self.elements::<f32>(weights.scale);
        let shape = self.program.shape(weights.w);
        let row: usize = shape[1..].iter().product();
        let per_block = block.div_ceil(GROUP);
        (0..shape[0] * row)
            .map(|at| {
                let (r, i) = (at / row, at % row);
                let byte = packed[r * row.div_ceil(2) + i / 2];
                // The half is moved to the top, so that the shift back down keeps its sign.
                let half = if i % 2 == 0 { byte << 4 } else { byte & 0xF0 };
                let factor = groups[at / block * per_block + at % block / GROUP];
                let scale = scales[at / block % scales.len()];
                f32::from(half as i8 >> 4) * f32::from(factor) * scale
            })
            .collect()
    }
}
