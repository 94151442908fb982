//! Functions of numbers, and what is normalized along an axis.

use mote_format::{
    Op, ValueId,
    program::{Binary, Reduction, Unary},
};

use super::{Importer, Order, Place, Result2, node};
use crate::onnx::proto::Node;

/// The function of one number that an operator is.
pub(super) fn function(operator: &str) -> Option<Unary> {
    Some(match operator {
        "Relu" => Unary::Relu,
        "Sigmoid" => Unary::Sigmoid,
        "Tanh" => Unary::Tanh,
        "Softplus" => Unary::Softplus,
        "Exp" => Unary::Exp,
        "Log" => Unary::Log,
        "Sqrt" => Unary::Sqrt,
        "Abs" => Unary::Abs,
        "Reciprocal" => Unary::Recip,
        "Gelu" => Unary::Gelu,
        _ => return None,
    })
}

/// The same on numbers, for tables.
fn apply(f: Unary, x: f32) -> f32 {
    match f {
        Unary::Relu => x.max(0.0),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Tanh => x.tanh(),
        Unary::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Sqrt => x.sqrt(),
        Unary::Square => x * x,
        Unary::Abs => x.abs(),
        Unary::Recip => 1.0 / x,
        Unary::Silu | Unary::Gelu => f32::NAN,
    }
}

impl<'m> Importer<'m> {
    pub(super) fn unary(&mut self, node: &'m Node, f: Unary) -> Result2<()> {
        if node.op_type == "Gelu" && node.attribute.iter().any(|a| a.s == b"tanh") {
            return Err("wanted the exact function, found its approximation by tanh".into());
        }
        let name = node.wanted(0)?;
        let tabled = self.stands_for(name).is_some() && f != Unary::Gelu;
        if tabled && let Some(end) = self.ending(node.result()?) {
            let active = self.active(name)?;
            let order = self.order(name);
            let x = self.bytes(name, order)?;
            let [low, high] = end.clamp.map(|q| end.q.dequantize(q));
            let value = self.draft.table(x, end.q, |x| apply(f, x).max(low).min(high))?;
            return self.set_bytes(end.name, Place { value, order }, active.merged, true);
        }
        self.each(node, name, |x, y| Op::Unary { x, y, f })
    }

    /// One operation on each element of `name`, as it lies.
    fn each(
        &mut self,
        node: &'m Node,
        name: &str,
        op: impl FnOnce(ValueId, ValueId) -> Op,
    ) -> Result2<()> {
        let (order, merged) = (self.order(name), self.active(name)?.merged);
        let x = self.real(name, order)?;
        let value = self.draft.push(|y| op(x, y))?;
        self.set_real(node.result()?, Place { value, order }, merged);
        Ok(())
    }

    pub(super) fn affine_of(&mut self, node: &'m Node, scale: f32, offset: f32) -> Result2<()> {
        self.each(node, node.wanted(0)?, |x, y| Op::Affine { x, y, scale, offset })
    }

    pub(super) fn clip(&mut self, node: &'m Node) -> Result2<()> {
        let [low, high] = self.bounds(node)?;
        self.each(node, node.wanted(0)?, |x, y| Op::Clamp { x, y, low, high })
    }

    pub(super) fn leaky(&mut self, node: &'m Node) -> Result2<()> {
        let scale = node.float("alpha").unwrap_or(0.01);
        if !(0.0..=1.0).contains(&scale) {
            return Err(format!("wanted `alpha` from 0 to 1, found {scale}"));
        }
        let name = node.wanted(0)?;
        let order = self.order(name);
        let a = self.real(name, order)?;
        let b = self.draft.push(|y| Op::Affine { x: a, y, scale, offset: 0.0 })?;
        self.each(node, name, |a, y| Op::Binary { a, b, y, f: Binary::Max })
    }

    pub(super) fn arithmetic(&mut self, i: usize, node: &'m Node) -> Result2<()> {
        let kind = node.op_type.as_str();
        if node.input.len() != 2 {
            return Err(format!("wanted two operands, found {}", node.input.len()));
        }
        let (a, b) = (node.wanted(0)?, node.wanted(1)?);
        if kind == "Add" && self.quantized_add(node)?.is_some() {
            return Ok(());
        }
        if kind == "Div" && self.gelu(i, node).is_some() {
            return Ok(());
        }
        if kind == "Mul" && a == b {
            return self.each(node, a, |x, y| Op::Unary { x, y, f: Unary::Square });
        }
        let number = |this: &Self, name: &str| {
            let (shape, data) = this.numbers(name).ok()?;
            (shape.iter().product::<usize>() == 1 && shape.len() <= 1).then(|| data[0])
        };
        if kind == "Pow" {
            let f = match number(self, b) {
                Some(2.0) => Unary::Square,
                Some(0.5) => Unary::Sqrt,
                found => return Err(format!("wanted a power of 2 or 0.5, found {found:?}")),
            };
            return self.each(node, a, |x, y| Op::Unary { x, y, f });
        }
        let affine = match (kind, number(self, a), number(self, b)) {
            ("Add", Some(c), None) => Some((b, 1.0, c)),
            ("Add", None, Some(c)) => Some((a, 1.0, c)),
            ("Sub", None, Some(c)) => Some((a, 1.0, -c)),
            ("Sub", Some(c), None) => Some((b, -1.0, c)),
            ("Mul", Some(c), None) => Some((b, c, 0.0)),
            ("Mul", None, Some(c)) => Some((a, c, 0.0)),
            ("Div", None, Some(c)) if c.is_normal() && (1.0 / c).is_finite() => {
                Some((a, 1.0 / c, 0.0))
            }
            _ => None,
        };
        if let Some((x, scale, offset)) = affine {
            return self.each(node, x, |x, y| Op::Affine { x, y, scale, offset });
        }
        let f = match kind {
            "Add" => Binary::Add,
            "Sub" => Binary::Sub,
            "Mul" => Binary::Mul,
            "Div" => Binary::Div,
            "Max" => Binary::Max,
            _ => Binary::Min,
        };
        self.binary(node, a, b, f)
    }

    fn binary(&mut self, node: &'m Node, a: &str, b: &str, f: Binary) -> Result2<()> {
        let mut merged = false;
        let mut both = true;
        for name in [a, b].into_iter().filter(|n| self.is_active(n)) {
            let active = self.active(name)?;
            merged |= active.merged;
            both &= self.order(name) == Order::Turned;
        }
        let same = match (self.active(a), self.active(b)) {
            (Ok(a), Ok(b)) => a.shape == b.shape && a.merged == b.merged,
            _ => false,
        };
        if merged && !same {
            self.under_rows(a, b)?;
        }
        let order = if both && same { Order::Turned } else { Order::Plain };
        let ranks = [a, b].map(|n| self.active(n).map_or(0, |active| active.shape.len()));
        let rank = ranks[0].max(ranks[1]);
        let operands = [self.under(a, order, rank)?, self.under(b, order, rank)?];
        let [a, b] = operands;
        let value = self.draft.push(|y| Op::Binary { a, b, y, f })?;
        self.set_real(node.result()?, Place { value, order }, merged);
        Ok(())
    }

    /// Merged rows meet constants only, which then have to be the same for all rows.
    fn under_rows(&self, a: &str, b: &str) -> Result2<()> {
        for name in [a, b] {
            let rows = match self.active(name) {
                Ok(active) => !active.merged,
                Err(_) => self.numbers(name)?.0.len() > 1,
            };
            if rows {
                return Err("rows that are merged with the batch meet what is not".into());
            }
        }
        Ok(())
    }

    /// An operand for a result of `rank` axes behind the batch: the axes of computed values begin
    /// behind the batch, so those of shorter ones stand in front, as they do in the model.
    fn under(&mut self, name: &str, order: Order, rank: usize) -> Result2<ValueId> {
        if !self.is_active(name) {
            let (mut shape, data) = self.numbers(name)?;
            if shape.len() > rank {
                let extra = shape.len() - rank;
                if shape[..extra].iter().any(|&n| n != 1) {
                    return Err(format!("a constant of {shape:?} meets the batch"));
                }
                shape.drain(..extra);
            }
            return Ok(self.draft.tensor("constant", &shape, &data));
        }
        let found = self.active(name)?.shape;
        let x = self.real(name, order)?;
        if found.len() == rank {
            return Ok(x);
        }
        Err(format!("wanted {rank} axes behind the batch, found {found:?}"))
    }

    /// The five nodes of the exact function that begin with a division by the root of two.
    fn gelu(&mut self, _: usize, node: &'m Node) -> Option<()> {
        let x = node.operand(0)?;
        let number = |this: &Self, n: &Node, near: f32| {
            n.input.iter().any(|name| {
                let found = this.constant(name).ok().and_then(|c| c.scalar());
                found.is_some_and(|c| (c - near).abs() < 1e-4)
            })
        };
        let is = |n: &Node, kind: &str| (n.op_type == kind).then_some(());
        if !number(self, node, core::f32::consts::SQRT_2) {
            return None;
        }
        let (i, erf) = self.reader(node.output.first()?)?;
        is(erf, "Erf")?;
        let (j, add) = self.reader(erf.output.first()?)?;
        is(add, "Add")?;
        let (k, mul) = self.reader(add.output.first()?)?;
        is(mul, "Mul")?;
        let (l, half) = self.reader(mul.output.first()?)?;
        is(half, "Mul")?;
        let whole = number(self, add, 1.0) && number(self, half, 0.5);
        if !whole || !mul.input.iter().any(|name| name == x) {
            return None;
        }
        self.each(half, x, |x, y| Op::Unary { x, y, f: Unary::Gelu }).ok()?;
        self.done.extend([i, j, k, l]);
        Some(())
    }

    pub(super) fn softmax(&mut self, node: &'m Node) -> Result2<()> {
        let name = node.wanted(0)?;
        let active = self.active(name)?;
        let rank = active.shape.len() + usize::from(!active.merged);
        let axis = node::axis(node.int("axis").unwrap_or(-1), rank)?;
        if axis + 1 != rank || active.shape.is_empty() {
            return Err(format!("wanted the last axis of {rank}, found {axis}"));
        }
        let x = self.real(name, Order::Plain)?;
        let value = self.draft.push(|y| Op::Softmax { x, y })?;
        self.set_real(node.result()?, Place { value, order: Order::Plain }, active.merged);
        Ok(())
    }

    pub(super) fn layer_norm(&mut self, node: &'m Node) -> Result2<()> {
        let name = node.wanted(0)?;
        let active = self.active(name)?;
        let rank = active.shape.len() + usize::from(!active.merged);
        if node::axis(node.int("axis").unwrap_or(-1), rank)? + 1 != rank {
            return Err("wanted the last axis alone".into());
        }
        let vector = |this: &mut Self, name: &str, base: &str| -> Result2<ValueId> {
            let (_, data) = this.numbers(name)?;
            Ok(this.draft.tensor(base, &[data.len()], &data))
        };
        let gain = vector(self, node.wanted(1)?, "gain")?;
        let bias = node.operand(2).map(|b| vector(self, b, "bias")).transpose()?;
        let epsilon = node.float("epsilon").unwrap_or(1e-5);
        let x = self.real(name, Order::Plain)?;
        let value = self.draft.push(|y| Op::LayerNorm { x, gain, bias, y, epsilon })?;
        self.set_real(node.result()?, Place { value, order: Order::Plain }, active.merged);
        Ok(())
    }

    /// With its statistics fixed it is a factor and an offset for each channel, the axis behind the
    /// batch.
    pub(super) fn batch_norm(&mut self, node: &'m Node) -> Result2<()> {
        node.only("training_mode", 0)?;
        let name = node.wanted(0)?;
        let active = self.active(name)?;
        if active.merged || !matches!(active.shape.len(), 1 | 2) {
            return Err(format!("wanted (batch, channels[, time]), found {:?}", active.shape));
        }
        let mut parts = Vec::new();
        for i in 1..5 {
            parts.push(self.numbers(node.wanted(i)?)?.1);
        }
        let channels = active.shape[0];
        if parts.iter().any(|p| p.len() != channels) {
            return Err(format!("wanted {channels} numbers for each part"));
        }
        let epsilon = node.float("epsilon").unwrap_or(1e-5);
        let scale: Vec<f32> =
            (0..channels).map(|c| parts[0][c] / (parts[3][c] + epsilon).sqrt()).collect();
        let offset: Vec<f32> =
            (0..channels).map(|c| parts[1][c] - parts[2][c] * scale[c]).collect();
        // Turned over, channels are the last axis, under which a vector lies by itself.
        let order = if active.shape.len() == 2 { Order::Turned } else { Order::Plain };
        let a = self.real(name, order)?;
        let b = self.draft.tensor("scale", &[channels], &scale);
        let a = self.draft.push(|y| Op::Binary { a, b, y, f: Binary::Mul })?;
        let b = self.draft.tensor("offset", &[channels], &offset);
        let value = self.draft.push(|y| Op::Binary { a, b, y, f: Binary::Add })?;
        self.set_real(node.result()?, Place { value, order }, false);
        Ok(())
    }

    pub(super) fn cumulative_sum(&mut self, node: &'m Node) -> Result2<()> {
        let (name, y) = (node.wanted(0)?, node.result()?);
        let active = self.active(name)?;
        node.only("exclusive", 0)?;
        let axis = match self.list(node.wanted(1)?)?[..] {
            [axis] => self.own_axis(axis, &active)?,
            ref list => return Err(format!("wanted one axis, found {}", list.len())),
        };
        let x = self.real(name, Order::Plain)?;
        let reverse = node.int("reverse") == Some(1);
        let x = self.draft.push(|y| Op::CumulativeSum { x, y, axis, reverse })?;
        self.set_real(y, Place { value: x, order: Order::Plain }, active.merged);
        Ok(())
    }

    pub(super) fn reduce(&mut self, node: &'m Node) -> Result2<()> {
        let (name, y) = (node.wanted(0)?, node.result()?);
        let active = self.active(name)?;
        let global = node.op_type == "GlobalAveragePool";
        let f = match node.op_type.as_str() {
            "ReduceSum" => Reduction::Sum,
            "ReduceMax" => Reduction::Max,
            _ => Reduction::Mean,
        };
        let axes = match (node.ints("axes"), node.operand(1)) {
            _ if global => vec![2],
            (Some(axes), _) => axes.to_vec(),
            (None, Some(list)) => self.list(list)?,
            (None, None) => return Err("wanted `axes`, found all of them, the batch too".into()),
        };
        let mut x = self.real(name, Order::Plain)?;
        let mut shape = active.shape.clone();
        for axis in axes {
            let axis = self.own_axis(axis, &active)?;
            x = self.draft.push(|y| Op::Reduce { x, y, f, axis })?;
            shape[axis] = 0;
        }
        if !global && node.int("keepdims") == Some(0) {
            shape.retain(|&n| n != 0);
            x = self.draft.reshape(x, &shape)?;
        }
        self.set_real(y, Place { value: x, order: Order::Plain }, active.merged);
        Ok(())
    }
}
