//! Which values are bytes, and what their bytes stand for.

use mote_format::{
    Op, Program, Quantization, ValueId,
    program::{Binary, Unary},
};

/// What is decided before anything is written.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// For each value whether it is computed in bytes.
    bytes: Vec<bool>,
    /// For each value the one that speaks for all that have to share its quantization.
    group: Vec<usize>,
    /// For each group its range.
    ranges: Vec<(f32, f32)>,
    /// For each group the least step.
    least: Vec<f32>,
}

/// How an operation treats bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It has weights: it wants bytes, and gives what is wanted.
    Layer,
    /// It only moves numbers: operands and result share one quantization.
    Move,
    /// It can be done on bytes, each with a quantization of its own.
    Through,
    /// It works on real numbers.
    Real,
}

pub(crate) fn way(program: &Program, op: &Op) -> Way {
    let computed = |id: &ValueId| program.values[id.index()].tensor.is_none();
    match op {
        Op::Linear { x, .. } | Op::Conv1d { x, .. } | Op::ConvTranspose1d { x, .. } => {
            if computed(x) { Way::Layer } else { Way::Real }
        }
        Op::Slice { x, .. } | Op::Reshape { x, .. } | Op::Permute { x, .. } if computed(x) => {
            Way::Move
        }
        Op::Concat { xs, .. } if xs.iter().any(computed) => Way::Move,
        Op::Unary { x, .. } if computed(x) => Way::Through,
        Op::Binary { a, b, f: Binary::Add, .. }
            if computed(a) && computed(b) && program.shape(*a) == program.shape(*b) =>
        {
            Way::Through
        }
        _ => Way::Real,
    }
}

impl Plan {
    /// `range` of a value is nothing where it is not computed.
    pub(super) fn new(program: &Program, range: impl Fn(ValueId) -> Option<(f32, f32)>) -> Self {
        let bytes = in_bytes(program);
        let group = groups(program, &bytes);
        let mut of: Vec<(f32, f32)> = vec![(0.0, 0.0); program.values.len()];
        for (i, &g) in group.iter().enumerate() {
            if let Some((low, high)) = range(ValueId(i as u32)) {
                of[g] = (of[g].0.min(low), of[g].1.max(high));
            }
        }
        let least = vec![0.0; program.values.len()];
        Self { bytes, group, ranges: of, least }
    }

    /// Whether the value is computed in bytes.
    pub(super) fn in_bytes(&self, id: ValueId) -> bool {
        self.bytes[id.index()]
    }

    /// What the bytes of a value stand for.
    pub(super) fn quantization(&self, id: ValueId) -> Quantization {
        let group = self.group[id.index()];
        let (low, high) = self.ranges[group];
        let q = Quantization::of_range(low, high);
        let wider = self.least[group] / q.scale;
        if wider <= 1.0 {
            return q;
        }
        Quantization::of_range(low * wider, high * wider)
    }

    /// No step of the value is below `step`. Says whether that changed anything.
    pub(super) fn widen(&mut self, id: ValueId, step: f32) -> bool {
        let narrow = self.quantization(id).scale < step;
        if narrow {
            // A little more, so that the rounding of a range does not fall below it again.
            self.least[self.group[id.index()]] = step * 1.001;
        }
        narrow
    }

    /// Widens the range of a value.
    pub(super) fn include(&mut self, id: ValueId, x: f32) {
        let (low, high) = &mut self.ranges[self.group[id.index()]];
        (*low, *high) = (low.min(x), high.max(x));
    }
}

/// A value is in bytes if a layer reads it, perhaps through what works on bytes, nothing reads it as
/// real numbers, and what writes it can write bytes.
pub(crate) fn in_bytes(program: &Program) -> Vec<bool> {
    let n = program.values.len();
    let (mut wanted, mut real) = (vec![false; n], vec![false; n]);
    for port in &program.outputs {
        real[port.value.index()] = true;
    }
    for op in program.ops.iter().rev() {
        let y = op.result().index();
        let on_bytes = match way(program, op) {
            Way::Layer => true,
            Way::Move | Way::Through => wanted[y] && !real[y],
            Way::Real => false,
        };
        op.for_each_operand(|x| {
            wanted[x.index()] |= on_bytes;
            real[x.index()] |= !on_bytes;
        });
        real[y] |= way(program, op) == Way::Real;
    }
    for port in &program.inputs {
        real[port.value.index()] = true;
    }
    (0..n).map(|i| wanted[i] && !real[i] && program.values[i].tensor.is_none()).collect()
}

/// Whether `op` reads its operands as bytes, where these values are `bytes`. What only passes bytes on has them
/// on both of its sides or on none.
pub(crate) fn reads_bytes(program: &Program, bytes: &[bool], op: &Op) -> bool {
    match way(program, op) {
        Way::Layer => true,
        Way::Move | Way::Through => bytes[op.result().index()],
        Way::Real => false,
    }
}

/// Values that moves connect share a quantization.
fn groups(program: &Program, bytes: &[bool]) -> Vec<usize> {
    fn find(group: &mut [usize], i: usize) -> usize {
        let mut at = i;
        while group[at] != at {
            group[at] = group[group[at]];
            at = group[at];
        }
        at
    }
    let mut group: Vec<usize> = (0..program.values.len()).collect();
    for op in &program.ops {
        let y = op.result().index();
        if way(program, op) == Way::Move && bytes[y] {
            op.for_each_operand(|x| {
                let (a, b) = (find(&mut group, x.index()), find(&mut group, y));
                group[a] = b;
            });
        }
    }
    (0..group.len()).map(|i| find(&mut group, i)).collect()
}

/// Whether the activation of a layer is a rectifier, which is the lower end of a clamp.
pub(super) fn rectified(activation: Option<Unary>) -> bool {
    debug_assert!(matches!(activation, None | Some(Unary::Relu)), "others were taken apart");
    activation.is_some()
}
