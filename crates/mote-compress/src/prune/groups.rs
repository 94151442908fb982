//! Which channels have to go together.
//!
//! Every place along every axis of a value is a node. An operation ties nodes: output `o` of a layer to
//! row `o` of its weights, the two sides of a sum to each other. What is tied in the end is a *group*: it
//! stays whole or goes whole, wherever it is read, in whichever program (Fang et al. 2023, DepGraph,
//! arXiv 2301.12900, do this with layers; here it is done with single channels, so that slices and
//! concatenations need no special care). Groups that reach time, a kernel or a port are fixed.

use std::collections::BTreeMap;

use mote_format::{
    Op, Program, ValueId,
    program::{Port, STATE_PREFIX},
};

use crate::join::BETWEEN;

/// A place along an axis of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) value: usize,
    pub(crate) axis: usize,
    pub(crate) index: usize,
}

/// What goes together. All places are in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) places: Vec<Place>,
}

/// The groups of a program that may go, in classes of which each holds the channels of the same layers.
pub(crate) fn classes(program: &Program) -> Vec<Vec<Group>> {
    let mut ties = Ties::new(program);
    for op in &program.ops {
        ties.op(op);
    }
    for port in program.inputs.iter().chain(&program.outputs) {
        match is_state(port) {
            // What is remembered is nobody else's business: its rows stay, its channels may go.
            true => (0..program.shape(port.value).len().saturating_sub(1))
                .for_each(|axis| ties.fix(port.value, axis)),
            false => ties.fix_all(port.value),
        }
    }
    for port in program.inputs.iter().filter(|port| is_state(port)) {
        if let Some(after) = program.output(&port.name) {
            ties.aligned(port.value, after);
        }
    }
    // Where axes are merged or taken apart, a whole one can go that nothing else holds.
    for op in &program.ops {
        if let Op::Reshape { x, y } = op {
            ties.reshape(*x, *y);
        }
    }
    ties.classes()
}

/// Whether a port of a program, joined or not, carries a state.
pub(crate) fn is_state(port: &Port) -> bool {
    let name = port.name.rsplit_once(BETWEEN).map_or(port.name.as_str(), |(_, name)| name);
    name.starts_with(STATE_PREFIX)
}

struct Ties<'p> {
    program: &'p Program,
    /// For each value and axis its first node.
    first: Vec<Vec<usize>>,
    /// The value, axis and index of each node.
    places: Vec<Place>,
    /// Each node leads to the one that speaks for its group.
    leads: Vec<usize>,
    /// Whether the group of a node that speaks has to stay.
    fixed: Vec<bool>,
}

impl<'p> Ties<'p> {
    fn new(program: &'p Program) -> Self {
        let (mut first, mut places) = (Vec::new(), Vec::new());
        let mut known: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (value, v) in program.values.iter().enumerate() {
            let mut axes = Vec::new();
            if let Some(shared) = v.tensor.as_deref().and_then(|name| known.get(name)) {
                first.push(shared.clone());
                continue;
            }
            for (axis, &length) in v.shape.iter().enumerate() {
                axes.push(places.len());
                places.extend((0..length).map(|index| Place { value, axis, index }));
            }
            if let Some(name) = v.tensor.as_deref() {
                known.insert(name, axes.clone());
            }
            first.push(axes);
        }
        let n = places.len();
        Self { program, first, places, leads: (0..n).collect(), fixed: vec![false; n] }
    }

    fn find(&mut self, mut at: usize) -> usize {
        while self.leads[at] != at {
            self.leads[at] = self.leads[self.leads[at]];
            at = self.leads[at];
        }
        at
    }

    fn node(&self, id: ValueId, axis: usize, index: usize) -> usize {
        self.first[id.index()][axis] + index
    }

    fn length(&self, id: ValueId, axis: usize) -> usize {
        self.program.shape(id)[axis]
    }

    fn tie(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        self.leads[b] = a;
        self.fixed[a] |= self.fixed[b];
    }

    fn fix(&mut self, id: ValueId, axis: usize) {
        for index in 0..self.length(id, axis) {
            let node = self.node(id, axis, index);
            let node = self.find(node);
            self.fixed[node] = true;
        }
    }

    fn fix_all(&mut self, id: ValueId) {
        (0..self.program.shape(id).len()).for_each(|axis| self.fix(id, axis));
    }

    /// Ties two axes of one length, place by place; others are fixed.
    fn same(&mut self, (a, a_axis): (ValueId, usize), (b, b_axis): (ValueId, usize)) {
        let n = self.length(a, a_axis);
        if n != self.length(b, b_axis) {
            self.fix(a, a_axis);
            self.fix(b, b_axis);
            return;
        }
        for i in 0..n {
            let (a, b) = (self.node(a, a_axis, i), self.node(b, b_axis, i));
            self.tie(a, b);
        }
    }

    /// Ties axis by axis, from the last; what is missing or repeated stays.
    fn aligned(&mut self, x: ValueId, y: ValueId) {
        let (m, n) = (self.program.shape(x).len(), self.program.shape(y).len());
        for back in 1..=m.min(n) {
            self.same((x, m - back), (y, n - back));
        }
        (0..n.saturating_sub(m)).for_each(|axis| self.fix(y, axis));
    }

    fn last(&self, id: ValueId) -> usize {
        self.program.shape(id).len() - 1
    }

    fn op(&mut self, op: &Op) {
        match *op {
            Op::Linear { x, w, bias, y, .. } => {
                self.same((x, self.last(x)), (w, 1));
                self.same((w, 0), (y, self.last(y)));
                bias.into_iter().for_each(|bias| self.same((w, 0), (bias, 0)));
                (0..self.last(x)).for_each(|axis| self.same((x, axis), (y, axis)));
            }
            Op::Conv1d { x, w, bias, y, .. } => {
                self.same((x, 1), (w, 2));
                self.same((w, 0), (y, 1));
                bias.into_iter().for_each(|bias| self.same((w, 0), (bias, 0)));
                [(x, 0), (y, 0), (w, 1)].into_iter().for_each(|(id, axis)| self.fix(id, axis));
            }
            Op::ConvTranspose1d { x, w, bias, y, .. } => {
                self.same((x, 1), (w, 2));
                self.same((w, 1), (y, 1));
                bias.into_iter().for_each(|bias| self.same((w, 1), (bias, 0)));
                [(x, 0), (y, 0), (w, 0)].into_iter().for_each(|(id, axis)| self.fix(id, axis));
            }
            Op::LayerNorm { x, gain, bias, y, .. } => {
                self.aligned(x, y);
                [Some(gain), bias].into_iter().flatten().for_each(|p| self.aligned(p, x));
            }
            Op::Softmax { x, y } => {
                self.aligned(x, y);
                self.fix(x, self.last(x));
            }
            Op::Attention { q, k, v, bias, y, .. } => {
                [(q, k, 2), (v, y, 2), (q, k, 1), (q, v, 1), (q, y, 1)]
                    .into_iter()
                    .for_each(|(a, b, axis)| self.same((a, axis), (b, axis)));
                self.same((q, 1), (bias, 0));
                [(q, 0), (k, 0), (v, 0), (y, 0), (bias, 1)]
                    .into_iter()
                    .for_each(|(id, axis)| self.fix(id, axis));
            }
            Op::Unary { x, y, .. } | Op::Affine { x, y, .. } | Op::Clamp { x, y, .. } => {
                self.aligned(x, y);
            }
            Op::Binary { a, b, y, .. } => {
                self.aligned(a, y);
                self.aligned(b, y);
            }
            _ => self.moves(op),
        }
    }

    fn moves(&mut self, op: &Op) {
        match op {
            Op::Reduce { x, y, axis, .. } | Op::CumulativeSum { x, y, axis, .. } => {
                self.aligned(*x, *y);
                self.fix(*x, *axis);
            }
            Op::Slice { x, y, axis, start, .. } => self.part(*y, *x, *axis, *start),
            Op::Concat { xs, y, axis } => {
                let mut start = 0;
                for &x in xs {
                    self.part(x, *y, *axis, start);
                    start += self.length(x, *axis);
                }
            }
            Op::Permute { x, y, axes } => {
                for (to, &from) in axes.iter().enumerate() {
                    self.same((*x, from), (*y, to));
                }
            }
            // Tied last.
            Op::Reshape { .. } => {}
            _ => {
                op.for_each_operand(|x| self.fix_all(x));
                self.fix_all(op.result());
            }
        }
    }

    /// `part` is `whole` from `start` on along `axis`.
    fn part(&mut self, part: ValueId, whole: ValueId, axis: usize, start: usize) {
        for other in 0..self.program.shape(part).len() {
            if other != axis {
                self.same((part, other), (whole, other));
            }
        }
        for i in 0..self.length(part, axis) {
            let (a, b) = (self.node(part, axis, i), self.node(whole, axis, start + i));
            self.tie(a, b);
        }
    }

    /// Axes that lie side by side in both shapes and hold as many numbers: one in one, or several in one,
    /// of which one may then go.
    fn reshape(&mut self, x: ValueId, y: ValueId) {
        for (of_x, of_y) in blocks(self.program.shape(x), self.program.shape(y)) {
            match (of_x.len(), of_y.len()) {
                (1, 1) => self.same((x, of_x.start), (y, of_y.start)),
                (1, _) => self.merged((y, of_y), (x, of_x.start)),
                (_, 1) => self.merged((x, of_x), (y, of_y.start)),
                _ => {
                    of_x.for_each(|axis| self.fix(x, axis));
                    of_y.for_each(|axis| self.fix(y, axis));
                }
            }
        }
    }

    /// `axes` of `many` are one axis of `flat`. The last of them that nothing holds may go, with all its
    /// numbers; the others stay.
    fn merged(
        &mut self,
        (many, axes): (ValueId, std::ops::Range<usize>),
        (flat, flat_axis): (ValueId, usize),
    ) {
        let free = axes.clone().rev().find(|&axis| self.is_free(many, axis));
        for axis in axes.clone().filter(|axis| Some(*axis) != free) {
            self.fix(many, axis);
        }
        let Some(free) = free else { return self.fix(flat, flat_axis) };
        let behind: usize = (free + 1..axes.end).map(|axis| self.length(many, axis)).product();
        let length = self.length(many, free);
        for i in 0..self.length(flat, flat_axis) {
            let (a, b) =
                (self.node(many, free, i / behind % length), self.node(flat, flat_axis, i));
            self.tie(a, b);
        }
    }

    fn is_free(&mut self, id: ValueId, axis: usize) -> bool {
        (0..self.length(id, axis)).any(|i| {
            let node = self.node(id, axis, i);
            let node = self.find(node);
            !self.fixed[node]
        })
    }

    fn classes(mut self) -> Vec<Vec<Group>> {
        let mut groups: BTreeMap<usize, Vec<Place>> = BTreeMap::new();
        for node in 0..self.places.len() {
            let root = self.find(node);
            if !self.fixed[root] {
                groups.entry(root).or_default().push(self.places[node]);
            }
        }
        let weights = self.outputs_of_layers();
        let mut classes: BTreeMap<Vec<(usize, usize, usize)>, Vec<Group>> = BTreeMap::new();
        for places in groups.into_values() {
            if !places.iter().any(|p| weights.contains(&(p.value, p.axis))) {
                continue;
            }
            // The axes that it is in, and how often in each.
            let mut axes: BTreeMap<(usize, usize), usize> = BTreeMap::new();
            places.iter().for_each(|p| *axes.entry((p.value, p.axis)).or_default() += 1);
            let key = axes.into_iter().map(|((value, axis), n)| (value, axis, n)).collect();
            classes.entry(key).or_default().push(Group { places });
        }
        classes.into_values().collect()
    }

    /// The axes of weights along which outputs lie.
    fn outputs_of_layers(&self) -> Vec<(usize, usize)> {
        let own = |w: ValueId, axis: usize| {
            let place = self.places[self.first[w.index()][axis]];
            (place.value, place.axis)
        };
        let layers = self.program.ops.iter().filter_map(outputs);
        layers
            .filter(|(w, axis)| self.length(*w, *axis) > 0)
            .map(|(w, axis)| own(w, axis))
            .collect()
    }
}

/// The weights of a layer, and the axis of them along which its outputs lie.
pub(crate) fn outputs(op: &Op) -> Option<(ValueId, usize)> {
    match op {
        Op::Linear { w, .. } | Op::Conv1d { w, .. } => Some((*w, 0)),
        Op::ConvTranspose1d { w, .. } => Some((*w, 1)),
        _ => None,
    }
}

/// Runs of axes of two shapes that hold the same numbers, as short as possible.
fn blocks(x: &[usize], y: &[usize]) -> Vec<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    let (mut blocks, mut i, mut j) = (Vec::new(), 0, 0);
    while i < x.len() || j < y.len() {
        let (from_i, from_j) = (i, j);
        let (mut a, mut b) = (1usize, 1usize);
        loop {
            if a <= b && i < x.len() && (a < b || i == from_i) {
                a *= x[i];
                i += 1;
            } else if j < y.len() && (b < a || j == from_j) {
                b *= y[j];
                j += 1;
            } else if a < b && i < x.len() {
                a *= x[i];
                i += 1;
            } else {
                break;
            }
            if a == b && i > from_i && j > from_j {
                break;
            }
        }
        // Axes of one number at the end belong to no other.
        blocks.push((from_i..i, from_j..j));
        if i == from_i && j == from_j {
            break;
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reshaped_axes_are_told_apart() {
        let check = |x: &[usize], y: &[usize], wanted: &[(usize, usize)]| {
            let found: Vec<_> = blocks(x, y).into_iter().map(|(a, b)| (a.len(), b.len())).collect();
            assert_eq!(found, wanted, "{x:?} {y:?}");
        };
        check(&[4, 6], &[4, 6], &[(1, 1), (1, 1)]);
        check(&[4, 6], &[24], &[(2, 1)]);
        check(&[4, 6], &[4, 2, 3], &[(1, 1), (1, 2)]);
        check(&[1, 6], &[6], &[(2, 1)]);
        check(&[6], &[1, 6], &[(1, 2)]);
        check(&[4, 6], &[8, 3], &[(2, 2)]);
        check(&[], &[1], &[(0, 1)]);
    }
}
