//! What a program remembers from one sample to the next, kept in place.
//!
//! A program that advances by one sample joins what it remembers with the new sample, reads that, and
//! cuts the oldest sample off: three copies of all that is remembered, for one row that is new. Here
//! the three become a ring, in which the new row takes the place of the oldest one.

use std::collections::BTreeMap;

use mote_format::{Op, Program, ValueId, Verified, container::Tensor, program::Port};

/// A value whose rows lie in a ring.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ring {
    /// Where a new row comes from.
    pub(super) row: ValueId,
    /// All rows, the new one among them: an input and an output of the program, and never written.
    pub(super) rows: ValueId,
}

/// `program` with rings in place of the states that can be one.
pub(super) fn find(
    program: &Verified,
    tensors: &BTreeMap<String, Tensor<'_>>,
) -> (Verified, Vec<Ring>) {
    let (mut made, mut rings) = ((**program).clone(), Vec::new());
    for (before, after) in program.states() {
        let Some(ring) = ring(program, before, after) else { continue };
        rings.push(ring);
        made.ops.retain(|op| op.result() != ring.rows && op.result() != after);
        let rename = |port: &mut Port| {
            if port.value == before || port.value == after {
                port.value = ring.rows;
            }
        };
        made.inputs.iter_mut().for_each(rename);
        made.outputs.iter_mut().for_each(rename);
    }
    let made = Verified::new(made, |name| tensors.get(name).map(Tensor::stored));
    (made.expect("what is read was written before, and is an input now"), rings)
}

/// The ring of a state, if it is joined with one row, read row by row, and cut by its oldest row.
fn ring(program: &Program, before: ValueId, after: ValueId) -> Option<Ring> {
    let readers = |x: ValueId| {
        program.ops.iter().filter(move |op| {
            let mut reads = false;
            op.for_each_operand(|operand| reads |= operand == x);
            reads
        })
    };
    let mut joins = readers(before);
    let (Some(Op::Concat { xs, y: rows, axis: 0 }), None) = (joins.next(), joins.next()) else {
        return None;
    };
    let &[first, row] = &xs[..] else { return None };
    let n = program.shape(*rows)[0];
    let port = |id: ValueId| program.outputs.iter().any(|port| port.value == id);
    let computed = program.values[row.index()].tensor.is_none();
    let fits = first == before && row != before && computed && program.shape(row)[0] == 1 && n > 1;
    if !fits || port(*rows) || readers(after).next().is_some() {
        return None;
    }
    let cut = |op: &Op| matches!(op, Op::Slice { y, axis: 0, start: 1, .. } if *y == after);
    let taken = |op: &Op| match op {
        Op::Slice { axis: 0, start: 0, end: 1, .. } => true,
        Op::Conv1d { x, stride: 1, padding: [0, 0], y, .. }
        | Op::QuantizedConv1d { x, stride: 1, padding: [0, 0], y, .. } => {
            x == rows && program.shape(*y)[0] == 1
        }
        // One query, which attends to all of them.
        Op::Attention { q, before: 0, .. } => program.shape(*q)[0] == 1,
        _ => false,
    };
    let cuts = readers(*rows).filter(|op| cut(op)).count();
    let all = readers(*rows).all(|op| cut(op) || taken(op));
    (cuts == 1 && all).then_some(Ring { row, rows: *rows })
}
