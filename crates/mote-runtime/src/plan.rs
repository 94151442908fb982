//! Places every value of a program in one arena, by lifetime.
//!
//! Sizes are bytes for one sample; with a batch, everything is as many times as large.
//!
//! A value lives from the operation that writes it to the last one that reads it; inputs live from
//! the start, outputs and states to the end. Reshaped values share their memory. Values are placed largest
//! first, each at the lowest offset that is free for its whole life: the greedy rule of Pisarchyk
//! and Lee (2020, arXiv 2001.03288), which comes within a few per cent of the optimum on networks.

use alloc::{vec, vec::Vec};
use core::ops::Range;

use mote_format::{Program, ValueId, Verified};

use crate::{
    execute::fuse::Fused,
    views::{self, Home},
};

/// Where each value lies, and how large the arena is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// For each value its bytes in the arena; empty for tensors of the file.
    places: Vec<Range<usize>>,
    bytes: usize,
}

/// When a block of memory is in use, by operation number; inputs are written before number zero.
#[derive(Clone, Debug)]
struct Life {
    first: usize,
    last: usize,
    /// A multiple of the alignment.
    bytes: usize,
    offset: usize,
}

/// Every value begins at a multiple of this, so that numbers of any type can be read in place.
pub const ALIGNMENT: usize = 4;

impl Plan {
    /// Plans `program`.
    ///
    /// Quadratic in the number of values that are computed, at worst.
    #[must_use]
    pub fn new(program: &Verified) -> Self {
        Self::of(program, &views::reshaped(program), &[], ALIGNMENT)
    }

    /// Plans `program` for a single sample, where [`views::parts`] share memory too, and every block
    /// begins at a multiple of `alignment`.
    pub(crate) fn alone(program: &Verified, alignment: usize, fused: &[Fused]) -> Self {
        Self::of(program, &views::parts(program, fused), fused, alignment)
    }

    fn of(program: &Program, homes: &[Home], fused: &[Fused], alignment: usize) -> Self {
        let mut lives = lives(program, homes, fused, alignment);
        place(&mut lives);
        let places = (0..program.values.len())
            .map(|i| match &lives[homes[i].of] {
                Some(life) => {
                    let start = life.offset + homes[i].offset;
                    start..start + program.values[i].bytes()
                }
                None => 0..0,
            })
            .collect();
        let bytes = lives.iter().flatten().map(|l| l.offset + l.bytes).max().unwrap_or(0);
        Self { places, bytes }
    }

    /// Bytes of the arena: the peak of what is alive at once, plus what the greedy rule wastes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The bytes of `id` in the arena; empty for a tensor of the file.
    #[must_use]
    pub fn place(&self, id: ValueId) -> Range<usize> {
        self.places[id.index()].clone()
    }

    /// The least bytes that any plan needs: the most that is alive during one operation.
    #[must_use]
    pub fn lower_bound(program: &Verified) -> usize {
        let lives = lives(program, &views::reshaped(program), &[], ALIGNMENT);
        (0..=program.ops.len())
            .map(|t| {
                let alive = lives.iter().flatten().filter(|l| l.first <= t && t <= l.last);
                alive.map(|l| l.bytes).sum()
            })
            .max()
            .unwrap_or(0)
    }
}

/// The life of each home; `None` for tensors, which need no memory, and for what owns nothing.
fn lives(
    program: &Program,
    homes: &[Home],
    fused: &[Fused],
    alignment: usize,
) -> Vec<Option<Life>> {
    let mut lives: Vec<Option<Life>> = vec![None; program.values.len()];
    let mut touch = |id: ValueId, t: usize| {
        if program.values[id.index()].tensor.is_some() {
            return;
        }
        let home = homes[id.index()].of;
        let bytes = program.values[home].bytes().next_multiple_of(alignment);
        let fresh = Life { first: t, last: t, bytes, offset: 0 };
        let life = lives[home].get_or_insert(fresh);
        life.first = life.first.min(t);
        life.last = life.last.max(t);
    };
    for port in &program.inputs {
        touch(port.value, 0);
    }
    for (i, op) in program.ops.iter().enumerate() {
        op.for_each_operand(|x| touch(x, i + 1));
        touch(op.result(), i + 1);
    }
    for (i, fused) in fused.iter().enumerate() {
        fused.halves.into_iter().chain(fused.add).flatten().for_each(|x| touch(x, i + 1));
    }
    for port in &program.outputs {
        touch(port.value, program.ops.len() + 1);
    }
    // What comes out is written over what went in, while other outputs are still to be read.
    for (input, _) in program.states() {
        touch(input, program.ops.len() + 1);
    }
    lives
}

fn place(lives: &mut [Option<Life>]) {
    let mut order: Vec<usize> = (0..lives.len()).filter(|&i| lives[i].is_some()).collect();
    order.sort_by_key(|&i| lives[i].as_ref().map(|l| (core::cmp::Reverse(l.bytes), l.first)));
    let mut placed: Vec<Life> = Vec::with_capacity(order.len());
    for i in order {
        let Some(life) = &mut lives[i] else { continue };
        let mut busy: Vec<Range<usize>> = placed
            .iter()
            .filter(|p| p.first <= life.last && life.first <= p.last)
            .map(|p| p.offset..p.offset + p.bytes)
            .collect();
        busy.sort_by_key(|r| r.start);
        for r in busy {
            if life.offset + life.bytes <= r.start {
                break;
            }
            life.offset = life.offset.max(r.end);
        }
        placed.push(life.clone());
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use mote_format::{
        Op,
        program::{Port, Unary, Value},
    };

    use super::*;

    /// A chain of `n` unary operations over `width` elements.
    fn chain(n: u32, width: usize) -> Verified {
        let value = || Value::f32([width]);
        let program = Program {
            name: "chain".to_string(),
            values: (0..=n).map(|_| value()).collect(),
            inputs: vec![Port { name: "x".to_string(), value: ValueId(0) }],
            outputs: vec![Port { name: "y".to_string(), value: ValueId(n) }],
            ops: (0..n)
                .map(|i| Op::Unary { x: ValueId(i), y: ValueId(i + 1), f: Unary::Relu })
                .collect(),
        };
        Verified::new(program, |_| None).unwrap()
    }

    #[test]
    fn a_chain_needs_two_buffers_however_long_it_is() {
        for n in [1, 2, 7, 100] {
            let program = chain(n, 5);
            let plan = Plan::new(&program);
            assert_eq!(plan.bytes(), 40, "{n} operations");
            assert_eq!(plan.bytes(), Plan::lower_bound(&program));
        }
    }

    #[test]
    fn values_that_live_together_never_overlap() {
        let program = chain(9, 4);
        let plan = Plan::new(&program);
        for i in 0..9 {
            let (x, y) = (plan.place(ValueId(i)), plan.place(ValueId(i + 1)));
            assert!(x.end <= y.start || y.end <= x.start, "{x:?} and {y:?}");
        }
    }

    #[test]
    fn an_empty_program_needs_nothing() {
        let program = Program {
            name: "none".to_string(),
            values: vec![],
            inputs: vec![],
            outputs: vec![],
            ops: vec![],
        };
        let program = Verified::new(program, |_| None).unwrap();
        assert_eq!(Plan::new(&program).bytes(), 0);
    }
}
