//! What each primitive adds to the gradients of what it read.

use alloc::{vec, vec::Vec};

use mote_format::{
    Op, ValueId,
    program::{Binary, Reduction, Unary},
};

use super::draft::Draft;

/// Appends the gradients of `end` with respect to each of `parameters`, all of which have a part in it.
/// `depends` tells of each value whether it changes with any of them; all others get none.
pub(super) fn write(
    draft: &mut Draft,
    end: ValueId,
    parameters: &[ValueId],
    depends: Vec<bool>,
) -> Vec<ValueId> {
    let forward = draft.program.ops.clone();
    let gradients = vec![None; depends.len()];
    let mut reverse = Reverse { draft, depends, gradients };
    // The slope of the loss itself is one.
    let zero = reverse.draft.affine(end, 0.0, 1.0);
    reverse.gradients[end.index()] = Some(zero);
    for op in forward.iter().rev() {
        if let Some(g) = reverse.gradients[op.result().index()] {
            reverse.rule(op, g);
        }
    }
    let known = |id: &ValueId| reverse.gradients[id.index()].expect("it has a part in the loss");
    parameters.iter().map(known).collect()
}

struct Reverse<'d> {
    draft: &'d mut Draft,
    depends: Vec<bool>,
    /// Of each value of the forward pass, as far as it is known.
    gradients: Vec<Option<ValueId>>,
}

impl Reverse<'_> {
    fn wants(&self, x: ValueId) -> bool {
        self.depends[x.index()]
    }

    /// Adds to the gradient of `x`, if anyone wants that.
    fn add(&mut self, x: ValueId, part: impl FnOnce(&mut Draft) -> ValueId) {
        if !self.wants(x) {
            return;
        }
        let part = part(self.draft);
        let sum = match self.gradients[x.index()] {
            Some(known) => self.draft.binary(Binary::Add, known, part),
            None => part,
        };
        self.gradients[x.index()] = Some(sum);
    }

    fn rule(&mut self, op: &Op, g: ValueId) {
        match *op {
            Op::Unary { x, f, .. } => self.add(x, |d| d.slope(f, x, g)),
            Op::Affine { x, scale, .. } => self.add(x, |d| d.affine(g, scale, 0.0)),
            Op::Clamp { x, low, high, .. } => self.add(x, |d| clamp(d, x, low, high, g)),
            Op::Binary { a, b, y, f } => self.binary(f, [a, b], y, g),
            Op::Reduce { x, y, f, axis } => self.add(x, |d| reduce(d, f, axis, x, y, g)),
            Op::CumulativeSum { x, axis, reverse, .. } => {
                self.add(x, |d| d.push(|y| Op::CumulativeSum { x: g, y, axis, reverse: !reverse }));
            }
            Op::Softmax { x, y } => self.add(x, |d| {
                let last = d.shape(y).len() - 1;
                let met = d.binary(Binary::Mul, g, y);
                let sum = d.reduce(Reduction::Sum, met, last);
                let rest = d.binary(Binary::Sub, g, sum);
                d.binary(Binary::Mul, rest, y)
            }),
            Op::Product { a, b, turned, .. } => self.product(a, b, turned, g),
            _ => self.moves(op, g),
        }
    }

    fn binary(&mut self, f: Binary, [a, b]: [ValueId; 2], y: ValueId, g: ValueId) {
        match f {
            Binary::Add => {
                self.add(a, |d| fit(d, g, a));
                self.add(b, |d| fit(d, g, b));
            }
            Binary::Sub => {
                self.add(a, |d| fit(d, g, a));
                self.add(b, |d| {
                    let sum = fit(d, g, b);
                    d.affine(sum, -1.0, 0.0)
                });
            }
            Binary::Mul => {
                for (x, other) in [(a, b), (b, a)] {
                    self.add(x, |d| {
                        let part = d.binary(Binary::Mul, g, other);
                        fit(d, part, x)
                    });
                }
            }
            Binary::Div => {
                self.add(a, |d| {
                    let part = d.binary(Binary::Div, g, b);
                    fit(d, part, a)
                });
                self.add(b, |d| {
                    let part = d.binary(Binary::Div, g, b);
                    let part = d.binary(Binary::Mul, part, y);
                    let sum = fit(d, part, b);
                    d.affine(sum, -1.0, 0.0)
                });
            }
            // Where both are equal, the second takes it all.
            Binary::Max => self.choice([a, b], [a, b], g),
            Binary::Min => self.choice([b, a], [a, b], g),
        }
    }

    /// The gradient goes to `a` where `larger` is above `smaller`, and to `b` elsewhere.
    fn choice(&mut self, [larger, smaller]: [ValueId; 2], [a, b]: [ValueId; 2], g: ValueId) {
        let taken = |d: &mut Draft| {
            let above = d.binary(Binary::Sub, larger, smaller);
            d.slope(Unary::Relu, above, g)
        };
        self.add(a, |d| {
            let part = taken(d);
            fit(d, part, a)
        });
        self.add(b, |d| {
            let part = taken(d);
            let rest = d.binary(Binary::Sub, g, part);
            fit(d, rest, b)
        });
    }

    fn product(&mut self, a: ValueId, b: ValueId, turned: [bool; 2], g: ValueId) {
        self.add(a, |d| match turned {
            [false, of_b] => d.product(g, b, [false, !of_b]),
            [true, of_b] => d.product(b, g, [of_b, true]),
        });
        self.add(b, |d| match turned {
            [of_a, false] => d.product(a, g, [!of_a, false]),
            [of_a, true] => d.product(g, a, [true, of_a]),
        });
    }

    /// Operations that only move numbers.
    fn moves(&mut self, op: &Op, g: ValueId) {
        match *op {
            Op::Slice { x, axis, start, end, .. } => self.add(x, |d| {
                let padding = [start, d.shape(x)[axis] - end];
                d.push(|y| Op::Pad { x: g, y, axis, padding })
            }),
            Op::Pad { x, axis, padding: [start, _], .. } => self.add(x, |d| {
                let end = start + d.shape(x)[axis];
                d.push(|y| Op::Slice { x: g, y, axis, start, end })
            }),
            Op::Concat { ref xs, axis, .. } => {
                let mut start = 0;
                for &x in xs {
                    let end = start + self.draft.shape(x)[axis];
                    self.add(x, |d| d.push(|y| Op::Slice { x: g, y, axis, start, end }));
                    start = end;
                }
            }
            Op::Reshape { x, .. } => self.add(x, |d| {
                let shape = d.shape(x).to_vec();
                d.reshape(g, &shape)
            }),
            Op::Permute { x, ref axes, .. } => self.add(x, |d| {
                let back = |i: usize| axes.iter().position(|&axis| axis == i).unwrap_or(i);
                let axes = (0..axes.len()).map(back).collect();
                d.push(|y| Op::Permute { x: g, y, axes })
            }),
            Op::Unfold { x, kernel, stride, dilation, padding, .. } => self.add(x, |d| {
                let shape = d.shape(x).to_vec();
                let fold = |y| Op::Fold { x: g, y, kernel, stride, dilation, padding };
                d.shaped(shape, fold)
            }),
            Op::Fold { x, kernel, stride, dilation, padding, .. } => self
                .add(x, |d| d.push(|y| Op::Unfold { x: g, y, kernel, stride, dilation, padding })),
            Op::Expand { x, .. } => self.add(x, |d| fit(d, g, x)),
            _ => unreachable!("`{}` is no primitive", op.name()),
        }
    }
}

/// `g` summed over the axes along which `x` was repeated.
fn fit(d: &mut Draft, g: ValueId, x: ValueId) -> ValueId {
    let shape = d.shape(x).to_vec();
    let mut sum = g;
    let missing = d.shape(g).len() - shape.len();
    for axis in 0..d.shape(g).len() {
        let own = axis.checked_sub(missing).map_or(1, |axis| shape[axis]);
        if own == 1 && d.shape(sum)[axis] != 1 {
            sum = d.reduce(Reduction::Sum, sum, axis);
        }
    }
    d.reshape(sum, &shape)
}

/// Nothing passes outside of the range.
fn clamp(d: &mut Draft, x: ValueId, low: f32, high: f32, g: ValueId) -> ValueId {
    let mut g = g;
    for (sign, bound) in [(1.0, low), (-1.0, high)] {
        if bound.is_finite() {
            let inside = d.affine(x, sign, -sign * bound);
            g = d.slope(Unary::Relu, inside, g);
        }
    }
    g
}

fn reduce(d: &mut Draft, f: Reduction, axis: usize, x: ValueId, y: ValueId, g: ValueId) -> ValueId {
    let shape = d.shape(x).to_vec();
    match f {
        Reduction::Sum => d.expand(g, &shape),
        Reduction::Mean => {
            let share = d.affine(g, 1.0 / shape[axis] as f32, 0.0);
            d.expand(share, &shape)
        }
        // To equal parts for those that are as large as the largest.
        Reduction::Max => {
            let below = d.binary(Binary::Sub, y, x);
            let ones = d.affine(below, 0.0, 1.0);
            let others = d.slope(Unary::Relu, below, ones);
            let largest = d.affine(others, -1.0, 1.0);
            let count = d.reduce(Reduction::Sum, largest, axis);
            let share = d.binary(Binary::Div, g, count);
            d.binary(Binary::Mul, largest, share)
        }
    }
}
