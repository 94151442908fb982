//! Functions of numbers, and what is normalized along an axis.

use mote_format::{
    Op, ValueId,
    program::{Binary, Unary},
};

use super::{Exporter, Order};
use crate::onnx::graph::{float, int};

impl Exporter<'_> {
    pub(super) fn elementwise(&mut self, op: &Op) {
        match *op {
            Op::Unary { x, y, f } => {
                let (order, x) = self.as_it_lies(x);
                let found = self.function(f, &x);
                self.set(y, order, found);
            }
            Op::Affine { x, y, scale, offset } => {
                let (order, x) = self.as_it_lies(x);
                let found = self.affine(&x, scale, offset);
                self.set(y, order, found);
            }
            Op::Clamp { x, y, low, high } => {
                let (order, x) = self.as_it_lies(x);
                let found = self.clip(&x, low, high);
                self.set(y, order, found);
            }
            Op::Softmax { x, y } => {
                let x = self.read(x, Order::Plain);
                let found = self.graph.node("Softmax", &[&x], vec![int("axis", -1)]);
                self.set(y, Order::Plain, found);
            }
            Op::LayerNorm { x, gain, bias, y, epsilon } => {
                let x = self.read(x, Order::Plain);
                let inputs = [Some(x), Some(self.constant(gain)), bias.map(|b| self.constant(b))];
                let inputs: Vec<&str> = inputs.iter().flatten().map(String::as_str).collect();
                let attributes = vec![int("axis", -1), float("epsilon", epsilon)];
                let found = self.graph.node("LayerNormalization", &inputs, attributes);
                self.set(y, Order::Plain, found);
            }
            Op::Binary { a, b, y, f } => self.binary(a, b, y, f),
            _ => unreachable!("only functions of numbers come here"),
        }
    }

    /// A value in the order in which it is there.
    pub(super) fn as_it_lies(&mut self, x: ValueId) -> (Order, String) {
        let order = self.order(x);
        (order, self.read(x, order))
    }

    pub(super) fn function(&mut self, f: Unary, x: &str) -> String {
        let simple = |op: &str, this: &mut Self| this.graph.node(op, &[x], Vec::new());
        match f {
            Unary::Relu => simple("Relu", self),
            Unary::Sigmoid => simple("Sigmoid", self),
            Unary::Tanh => simple("Tanh", self),
            Unary::Softplus => simple("Softplus", self),
            Unary::Exp => simple("Exp", self),
            Unary::Log => simple("Log", self),
            Unary::Sqrt => simple("Sqrt", self),
            Unary::Abs => simple("Abs", self),
            Unary::Recip => simple("Reciprocal", self),
            Unary::Square => self.graph.node("Mul", &[x, x], Vec::new()),
            Unary::Silu => {
                let gate = simple("Sigmoid", self);
                self.graph.node("Mul", &[x, &gate], Vec::new())
            }
            // In the order of nodes that runtimes recognize and fuse.
            Unary::Gelu => {
                let root = self.graph.scalar(core::f32::consts::SQRT_2);
                let (one, half) = (self.graph.scalar(1.0), self.graph.scalar(0.5));
                let scaled = self.graph.node("Div", &[x, &root], Vec::new());
                let erf = self.graph.node("Erf", &[&scaled], Vec::new());
                let gate = self.graph.node("Add", &[&erf, &one], Vec::new());
                let product = self.graph.node("Mul", &[x, &gate], Vec::new());
                self.graph.node("Mul", &[&product, &half], Vec::new())
            }
        }
    }

    fn affine(&mut self, x: &str, scale: f32, offset: f32) -> String {
        let mut found = x.to_owned();
        // A factor of one is kept where the offset is nothing, so that there is a node at all.
        if scale != 1.0 || offset == 0.0 {
            let scale = self.graph.scalar(scale);
            found = self.graph.node("Mul", &[&found, &scale], Vec::new());
        }
        if offset != 0.0 {
            let offset = self.graph.scalar(offset);
            found = self.graph.node("Add", &[&found, &offset], Vec::new());
        }
        found
    }

    pub(super) fn clip(&mut self, x: &str, low: f32, high: f32) -> String {
        let (low, high) = (self.graph.scalar(low), self.graph.scalar(high));
        self.graph.node("Clip", &[x, &low, &high], Vec::new())
    }

    fn binary(&mut self, a: ValueId, b: ValueId, y: ValueId, f: Binary) {
        let op = match f {
            Binary::Add => "Add",
            Binary::Sub => "Sub",
            Binary::Mul => "Mul",
            Binary::Div => "Div",
            Binary::Max => "Max",
            Binary::Min => "Min",
        };
        let series = [a, b].iter().all(|&x| self.order(x) == Order::Series)
            && self.program.shape(a) == self.program.shape(b);
        let order = if series { Order::Series } else { Order::Plain };
        let rank = self.program.shape(y).len();
        let both_fixed = self.is_tensor(a) && self.is_tensor(b);
        let a = if both_fixed { self.read(a, order) } else { self.operand(a, rank, order) };
        let b = self.operand(b, rank, order);
        let found = self.graph.node(op, &[&a, &b], Vec::new());
        self.set(y, order, found);
    }

    /// An operand whose axes lie under those of a result of `rank`, behind the batch.
    fn operand(&mut self, x: ValueId, rank: usize, order: Order) -> String {
        if self.is_tensor(x) {
            return self.constant(x);
        }
        let name = self.read(x, order);
        let shape = self.program.shape(x);
        if shape.len() == rank {
            return name;
        }
        let ones = core::iter::repeat_n(1, rank - shape.len());
        let axes = shape.iter().map(|&n| n as i64);
        let shape: Vec<i64> = [-1].into_iter().chain(ones).chain(axes).collect();
        let shape = self.graph.list(&shape);
        self.graph.node("Reshape", &[&name, &shape], Vec::new())
    }
}
