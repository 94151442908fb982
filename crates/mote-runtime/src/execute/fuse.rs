//! Operations that the one before them can do on its way: a sum behind a layer is added where the
//! layer stores its results, and two halves that a layer reads are read where they lie.
//!
//! Both give the same bits as the operations one by one, and both are for a single sample.

use alloc::{vec, vec::Vec};

use mote_format::{Op, Program, ValueId, program::Binary};

use crate::load::{Loaded, Prepared};

/// What a run does of an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fused {
    /// Another operation does it.
    pub(crate) away: bool,
    /// A layer reads these instead of what they are joined to.
    pub(crate) halves: Option<[ValueId; 2]>,
    /// A layer adds the first to its results, and writes the second.
    pub(crate) add: Option<[ValueId; 2]>,
}

/// For each operation of a program that runs for a single sample.
pub(crate) fn fuse(loaded: &Loaded<'_>) -> Vec<Fused> {
    let program = loaded.program();
    let uses = Uses::new(program);
    let mut fused = vec![Fused::default(); program.ops.len()];
    for (i, op) in program.ops.iter().enumerate() {
        match op {
            Op::Binary { a, b, y, f: Binary::Add } => {
                for [sum, other] in [[*a, *b], [*b, *a]] {
                    if let Some(layer) = uses.adds(loaded, sum, other, *y) {
                        (fused[layer].add, fused[i].away) = (Some([other, *y]), true);
                        break;
                    }
                }
            }
            Op::Linear { x, .. } => {
                if let Some((join, halves)) = uses.halves(loaded, i, *x) {
                    (fused[i].halves, fused[join].away) = (Some(halves), true);
                }
            }
            _ => {}
        }
    }
    fused
}

/// Who writes and reads the values of a program.
struct Uses<'p> {
    program: &'p Program,
    /// The operation that writes a value.
    writer: Vec<Option<usize>>,
    /// How often a value is read, by operations and from outside.
    readers: Vec<usize>,
}

impl<'p> Uses<'p> {
    fn new(program: &'p Program) -> Self {
        let mut writer = vec![None; program.values.len()];
        let mut readers = vec![0; program.values.len()];
        for (i, op) in program.ops.iter().enumerate() {
            writer[op.result().index()] = Some(i);
            op.for_each_operand(|x| readers[x.index()] += 1);
        }
        for port in &program.outputs {
            readers[port.value.index()] += 1;
        }
        Self { program, writer, readers }
    }

    /// The layer that writes `sum`, if it can add `other` to it: that is there before.
    fn adds(&self, loaded: &Loaded<'_>, sum: ValueId, other: ValueId, y: ValueId) -> Option<usize> {
        let shape = |id| self.program.shape(id);
        let layer = self.writer[sum.index()].filter(|_| self.readers[sum.index()] == 1)?;
        let Prepared::Packed(product) = &loaded.prepared[layer] else { return None };
        let before = self.program.values[other.index()].tensor.is_none()
            && self.writer[other.index()].is_none_or(|writer| writer < layer);
        let same = shape(sum) == shape(y) && shape(other) == shape(y);
        (product.is_short() && before && same).then_some(layer)
    }

    /// The operation that joins `x`, which only layer `i` reads as its one row, from two halves.
    fn halves(&self, loaded: &Loaded<'_>, i: usize, x: ValueId) -> Option<(usize, [ValueId; 2])> {
        let Prepared::Packed(product) = &loaded.prepared[i] else { return None };
        let join = self.writer[x.index()].filter(|_| self.readers[x.index()] == 1)?;
        let Op::Concat { xs, .. } = &self.program.ops[join] else { return None };
        let &[a, b] = &xs[..] else { return None };
        let computed = |id: ValueId| self.program.values[id.index()].tensor.is_none();
        let equal = self.program.elements(a) == self.program.elements(b);
        let one_row = product.is_short() && product.row() == Some(self.program.elements(x));
        (one_row && equal && computed(a) && computed(b)).then_some((join, [a, b]))
    }
}
