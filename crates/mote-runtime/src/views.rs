//! Which values lie within others, so that moving them costs nothing.
//!
//! Reshaped values always share their memory. Where one sample runs alone, a slice of rows is a part
//! of what it is cut from, and what is joined is written where it will lie: each is one run of memory
//! then, which it is not in a batch.

use alloc::{vec, vec::Vec};

use mote_format::{Op, Program, ValueId};

use crate::execute::fuse::Fused;

/// The memory that a value uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    /// The value whose memory it is: itself, or one that is at least as large.
    pub(crate) of: usize,
    /// Bytes of it that lie in front.
    pub(crate) offset: usize,
}

/// The homes of all values where only reshaped ones share.
pub(crate) fn reshaped(program: &Program) -> Vec<Home> {
    let mut views = Views::new(program);
    for op in &program.ops {
        views.reshape(op);
    }
    views.homes
}

/// The homes of all values where a single sample runs; what another operation does needs no home.
pub(crate) fn parts(program: &Program, fused: &[Fused]) -> Vec<Home> {
    let mut views = Views::new(program);
    for (op, fused) in program.ops.iter().zip(fused) {
        match op {
            Op::Slice { x, y, axis, start, .. } => views.cut(*x, *y, *axis, *start),
            Op::Concat { .. } if fused.away => {}
            Op::Concat { xs, y, axis } => views.join(xs, *y, *axis),
            _ => views.reshape(op),
        }
    }
    (0..program.values.len()).map(|i| views.home(i)).collect()
}

/// Homes under construction: each leads to the next, up to one that is its own.
struct Views<'p> {
    program: &'p Program,
    homes: Vec<Home>,
    /// What callers read after a run, perhaps under another shape.
    shown: Vec<bool>,
    /// How many states went in there, which what comes out will be written over.
    states: Vec<usize>,
}

impl<'p> Views<'p> {
    fn new(program: &'p Program) -> Self {
        let n = program.values.len();
        let (mut shown, mut states) = (vec![false; n], vec![0; n]);
        for port in &program.outputs {
            shown[port.value.index()] = true;
        }
        for op in program.ops.iter().rev() {
            if let Op::Reshape { x, y } = op {
                shown[x.index()] |= shown[y.index()];
            }
        }
        for (input, _) in program.states() {
            states[input.index()] += 1;
        }
        let homes = (0..n).map(|of| Home { of, offset: 0 }).collect();
        Self { program, homes, shown, states }
    }

    fn computed(&self, id: ValueId) -> bool {
        self.program.values[id.index()].tensor.is_none()
    }

    fn bytes(&self, i: usize) -> usize {
        self.program.values[i].bytes()
    }

    fn home(&self, i: usize) -> Home {
        let mut home = Home { of: i, offset: 0 };
        while self.homes[home.of].of != home.of {
            let next = self.homes[home.of];
            home = Home { of: next.of, offset: home.offset + next.offset };
        }
        home
    }

    /// Whether `axis` is the first one that is longer than one.
    fn leads(&self, id: ValueId, axis: usize) -> bool {
        self.program.shape(id)[..axis].iter().all(|&n| n == 1)
    }

    fn reshape(&mut self, op: &Op) {
        if let Op::Reshape { x, y } = *op
            && self.computed(x)
        {
            self.homes[y.index()] = self.home(x.index());
        }
    }

    /// What is read after a run must not lie where states are written over. Only what one state
    /// becomes may share memory with it, and with no other state.
    fn cut(&mut self, x: ValueId, y: ValueId, axis: usize, start: usize) {
        let home = self.home(x.index());
        let becomes = |(input, output): (ValueId, ValueId)| {
            output == y && self.home(input.index()).of == home.of
        };
        let ports = self.program.outputs.iter().filter(|port| port.value == y).count();
        let kept = ports == 1 && self.states[home.of] == 1 && self.program.states().any(becomes);
        if !self.computed(x) || !self.leads(x, axis) || self.shown[y.index()] && !kept {
            return;
        }
        let inner: usize = self.program.shape(x)[axis + 1..].iter().product();
        let row = self.program.values[y.index()].dtype.bytes(inner);
        self.homes[y.index()] = Home { of: home.of, offset: home.offset + start * row };
    }

    /// A part can be written in place if it is whole and not in another place already.
    fn join(&mut self, xs: &[ValueId], y: ValueId, axis: usize) {
        if !self.leads(y, axis) {
            return;
        }
        let mut offset = 0;
        for x in xs {
            let home = self.home(x.index());
            let whole = home.offset == 0 && self.bytes(home.of) == self.bytes(x.index());
            let safe = self.states[home.of] == 0 || !self.shown[y.index()];
            if self.computed(*x) && whole && safe && home.of != y.index() {
                self.homes[home.of] = Home { of: y.index(), offset };
                self.states[y.index()] += self.states[home.of];
            }
            offset += self.bytes(x.index());
        }
    }
}
