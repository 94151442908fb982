//! What folds an axis or moves numbers.

use mote_format::{Op, ValueId, program::Reduction};

use super::{Exporter, Order};
use crate::onnx::graph::{int, ints};

impl Exporter<'_> {
    pub(super) fn moves(&mut self, op: &Op) {
        match op {
            Op::Reduce { x, y, f, axis } => {
                let (order, name) = self.as_it_lies(*x);
                let axis = axis_in(order, *axis);
                let (keep, axes) = (int("keepdims", 1), vec![axis]);
                let found = match f {
                    Reduction::Sum => {
                        let axes = self.graph.list(&axes);
                        self.graph.node("ReduceSum", &[&name, &axes], vec![keep])
                    }
                    Reduction::Mean => {
                        self.graph.node("ReduceMean", &[&name], vec![keep, ints("axes", axes)])
                    }
                    Reduction::Max => {
                        self.graph.node("ReduceMax", &[&name], vec![keep, ints("axes", axes)])
                    }
                };
                self.set(*y, order, found);
            }
            Op::CumulativeSum { x, y, axis, reverse } => {
                let (order, name) = self.as_it_lies(*x);
                let axis = self.graph.index(axis_in(order, *axis));
                let attributes = vec![int("reverse", (*reverse).into())];
                let found = self.graph.node("CumSum", &[&name, &axis], attributes);
                self.set(*y, order, found);
            }
            Op::Slice { x, y, axis, start, end } => {
                let (order, name) = self.as_it_lies(*x);
                let lists = [*start as i64, *end as i64, axis_in(order, *axis)];
                let [start, end, axis] = lists.map(|i| self.graph.list(&[i]));
                let found = self.graph.node("Slice", &[&name, &start, &end, &axis], Vec::new());
                self.set(*y, order, found);
            }
            Op::Concat { xs, y, axis } => {
                let series = xs.iter().all(|&x| self.order(x) == Order::Series);
                let order = if series { Order::Series } else { Order::Plain };
                let names: Vec<String> = xs.iter().map(|&x| self.read(x, order)).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let axis = int("axis", axis_in(order, *axis));
                let found = self.graph.node("Concat", &names, vec![axis]);
                self.set(*y, order, found);
            }
            Op::Reshape { x, y } => {
                let name = self.read(*x, Order::Plain);
                let found = self.reshaped(&name, *y);
                self.set(*y, Order::Plain, found);
            }
            Op::Permute { x, y, axes } => self.permute(*x, *y, axes),
            _ => unreachable!("only moves come here"),
        }
    }

    /// `name` with the batch in front and behind it the axes of `y`.
    pub(super) fn reshaped(&mut self, name: &str, y: ValueId) -> String {
        let axes = self.program.shape(y).iter().map(|&n| n as i64);
        let shape: Vec<i64> = [-1].into_iter().chain(axes).collect();
        let shape = self.graph.list(&shape);
        self.graph.node("Reshape", &[name, &shape], Vec::new())
    }

    /// Turning a series over is only a matter of what its two orders are called.
    fn permute(&mut self, x: ValueId, y: ValueId, axes: &[usize]) {
        if axes == [1, 0] {
            let (order, name) = self.as_it_lies(x);
            let other = if order == Order::Plain { Order::Series } else { Order::Plain };
            self.set(y, other, name);
            return;
        }
        let name = self.read(x, Order::Plain);
        let axes = axes.iter().map(|&a| a as i64 + 1);
        let perm = ints("perm", [0].into_iter().chain(axes).collect());
        let found = self.graph.node("Transpose", &[&name], vec![perm]);
        self.set(y, Order::Plain, found);
    }
}

/// Where an axis of a value stands in the graph: behind the batch, and turned over in a series.
fn axis_in(order: Order, axis: usize) -> i64 {
    match order {
        Order::Plain => axis as i64 + 1,
        Order::Series => 2 - axis as i64,
    }
}
