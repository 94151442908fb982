//! Which channels of bytes can only be scaled together, and which not at all.

use std::collections::{BTreeMap, BTreeSet};

use mote_format::{
    Op, Program, ValueId,
    program::{Unary, Value},
};

use crate::{
    Found, elements,
    quantize::{Way, in_bytes, reads_bytes, way},
};

/// Something that has channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place<'p> {
    /// The bytes of a value, along its last axis.
    Bytes(usize),
    /// What a tensor of weights reads, its last axis.
    Read(&'p str),
    /// What a tensor writes: so many channels, of each so many numbers in a row.
    Written(&'p str, [usize; 2]),
}

/// All channels of a program that is to be one of bytes, in classes that share a factor.
#[derive(Debug)]
pub(super) struct Channels<'p> {
    program: &'p Program,
    /// Whether a value is computed in bytes.
    bytes: Vec<bool>,
    /// Where the channels of a place begin, and how many there are.
    places: BTreeMap<Place<'p>, [usize; 2]>,
    /// A forest: each channel knows another one of its class, the first of all itself.
    class: Vec<usize>,
    /// Of the first of a class whether its factor is 1, whatever would be better.
    fixed: Vec<bool>,
}

impl<'p> Channels<'p> {
    pub(super) fn new(program: &'p Program, tensors: &Found<'_>) -> Self {
        let bytes = in_bytes(program);
        let (places, class, fixed) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut channels = Self { program, bytes, places, class, fixed };
        for op in &program.ops {
            channels.visit(op, tensors);
        }
        channels.keep_what_others_read();
        channels
    }

    /// The class of each channel of a place.
    pub(super) fn classes(&self, place: Place<'p>) -> Vec<usize> {
        let [begin, count] = self.places[&place];
        (begin..begin + count).map(|channel| self.first(channel)).collect()
    }

    /// Classes are below this.
    pub(super) fn count(&self) -> usize {
        self.class.len()
    }

    /// Whether the factor of a class is 1, whatever would be better.
    pub(super) fn is_fixed(&self, class: usize) -> bool {
        self.fixed[class]
    }

    /// Everything that has channels.
    pub(super) fn places(&self) -> impl Iterator<Item = Place<'p>> {
        self.places.keys().copied()
    }

    /// Classes whose channels share a step: those of one value, and of values that bytes are moved between.
    pub(super) fn components(&self) -> Vec<BTreeSet<usize>> {
        let mut components: Vec<BTreeSet<usize>> = Vec::new();
        let mut add = |of: BTreeSet<usize>| {
            let (mut joined, apart): (Vec<_>, Vec<_>) =
                components.drain(..).partition(|other| !other.is_disjoint(&of));
            joined.push(of);
            components = apart;
            components.push(joined.into_iter().flatten().collect());
        };
        let of = |value: usize| {
            let place = Place::Bytes(value);
            if self.places.contains_key(&place) { self.classes(place) } else { Vec::new() }
        };
        for place in self.places() {
            add(self.classes(place).into_iter().collect());
        }
        for op in &self.program.ops {
            if way(self.program, op) == Way::Move && self.reads_bytes(op) {
                let mut all: BTreeSet<usize> = of(op.result().index()).into_iter().collect();
                op.for_each_operand(|x| all.extend(of(x.index())));
                add(all);
            }
        }
        components
    }

    /// Values that are computed as real numbers and read as bytes, by operations that can be given others
    /// in place of them.
    pub(super) fn crossings(&self) -> Vec<usize> {
        let crosses = |place: &Place<'_>| match place {
            Place::Bytes(value) if !self.bytes[*value] && self.norm_of(*value).is_none() => {
                Some(*value)
            }
            _ => None,
        };
        self.places.keys().filter_map(crosses).collect()
    }

    /// The results of the operations that read a value as bytes.
    pub(super) fn readers(&self, value: usize) -> BTreeSet<ValueId> {
        let reads = |op: &&Op| {
            let mut reads = false;
            op.for_each_operand(|x| reads |= x.index() == value);
            reads && self.reads_bytes(op)
        };
        self.program.ops.iter().filter(reads).map(Op::result).collect()
    }

    fn reads_bytes(&self, op: &Op) -> bool {
        reads_bytes(self.program, &self.bytes, op)
    }

    fn first(&self, mut channel: usize) -> usize {
        while self.class[channel] != channel {
            channel = self.class[channel];
        }
        channel
    }

    fn begin(&mut self, place: Place<'p>, count: usize) -> usize {
        let next = self.class.len();
        let [begin, known] = *self.places.entry(place).or_insert([next, count]);
        if begin == next {
            self.class.extend(next..next + count);
            self.fixed.extend(vec![false; count]);
        }
        debug_assert_eq!(known, count, "{place:?}");
        begin
    }

    /// Channels `a.1 ..` of one place are channels `b.1 ..` of another one, `count` of them.
    fn unite(&mut self, a: (Place<'p>, usize), b: (Place<'p>, usize), count: usize) {
        let [a, b] = [a, b].map(|(place, from)| self.begin(place, self.width(place)) + from);
        for i in 0..count {
            let (a, b) = (self.first(a + i), self.first(b + i));
            self.class[a] = b;
            self.fixed[b] |= self.fixed[a];
        }
    }

    /// Leaves the channels of a place, and all in their classes, as they are.
    pub(super) fn fix(&mut self, place: Place<'p>) {
        let count = self.width(place);
        let begin = self.begin(place, count);
        for i in begin..begin + count {
            let first = self.first(i);
            self.fixed[first] = true;
        }
    }

    fn width(&self, place: Place<'p>) -> usize {
        let of_tensor = |name: &str| {
            let named = |value: &&Value| value.tensor.as_deref() == Some(name);
            self.program.values.iter().find(named).map_or(&[][..], |value| &value.shape[..])
        };
        match place {
            Place::Bytes(value) => last(&self.program.values[value].shape),
            Place::Read(name) => last(of_tensor(name)),
            Place::Written(_, [channels, _]) => channels,
        }
    }

    fn tensor(&self, id: ValueId) -> Option<&'p str> {
        self.program.values[id.index()].tensor.as_deref()
    }

    fn visit(&mut self, op: &'p Op, tensors: &Found<'_>) {
        let y = op.result().index();
        match way(self.program, op) {
            Way::Layer => {
                self.reads(op);
                if self.bytes[y] {
                    self.writes(op);
                }
            }
            Way::Move if self.bytes[y] => self.moves(op, tensors),
            Way::Through if self.bytes[y] => {
                self.fix(Place::Bytes(y));
                op.for_each_operand(|x| self.fix(Place::Bytes(x.index())));
            }
            _ if self.norm_of(y).is_some() => self.writes(op),
            _ => {}
        }
    }

    fn reads(&mut self, op: &'p Op) {
        let (Op::Linear { x, w, .. } | Op::Conv1d { x, w, .. } | Op::ConvTranspose1d { x, w, .. }) =
            op
        else {
            return;
        };
        let name = self.tensor(*w).expect("verified");
        let (x, w) = (Place::Bytes(x.index()), Place::Read(name));
        self.unite((x, 0), (w, 0), self.width(x));
    }

    /// What each channel of the result is multiplied or begins with.
    fn writes(&mut self, op: &'p Op) {
        let y = Place::Bytes(op.result().index());
        let (w, bias, behind) = match op {
            Op::Linear { w, bias, activation: None | Some(Unary::Relu), .. }
            | Op::Conv1d { w, bias, activation: None | Some(Unary::Relu), .. } => {
                (*w, *bias, self.program.shape(*w)[1..].iter().product())
            }
            Op::ConvTranspose1d { w, bias, activation: None | Some(Unary::Relu), .. } => {
                (*w, *bias, self.program.shape(*w)[2])
            }
            Op::LayerNorm { gain, bias, .. } => (*gain, *bias, 1),
            _ => return self.fix(y),
        };
        for (id, behind) in [(Some(w), behind), (bias, 1)] {
            match id.map(|id| self.tensor(id)) {
                None => {}
                Some(Some(name)) => {
                    let channels = self.width(y);
                    let written = Place::Written(name, [channels, behind]);
                    self.unite((y, 0), (written, 0), channels);
                }
                Some(None) => self.fix(y),
            }
        }
    }

    /// Bytes that are moved stay in their channels, or in others that are known.
    fn moves(&mut self, op: &'p Op, tensors: &Found<'_>) {
        let y = op.result();
        let (shape, whole) = (self.program.shape(y), Place::Bytes(y.index()));
        match op {
            Op::Slice { x, axis, start, .. } => {
                let from = if axis + 1 == shape.len() { *start } else { 0 };
                self.unite((Place::Bytes(x.index()), from), (whole, 0), last(shape));
            }
            Op::Concat { xs, axis, .. } => {
                let mut to = 0;
                for x in xs {
                    let part = Place::Bytes(x.index());
                    let count = last(self.program.shape(*x));
                    match self.tensor(*x) {
                        // Nothing stays nothing.
                        Some(name) if elements(&tensors[name]).iter().all(|x| *x == 0.0) => {}
                        Some(_) => {
                            self.unite((part, 0), (whole, to), count);
                            self.fix(part);
                        }
                        None => self.unite((part, 0), (whole, to), count),
                    }
                    to += if axis + 1 == shape.len() { count } else { 0 };
                }
            }
            Op::Reshape { x, .. } if last(self.program.shape(*x)) == last(shape) => {
                self.unite((Place::Bytes(x.index()), 0), (whole, 0), last(shape));
            }
            Op::Permute { x, axes, .. } if axes.last() == Some(&(shape.len() - 1)) => {
                self.unite((Place::Bytes(x.index()), 0), (whole, 0), last(shape));
            }
            _ => {
                self.fix(whole);
                op.for_each_operand(|x| self.fix(Place::Bytes(x.index())));
            }
        }
    }

    /// The normalization that writes a value, if all that reads it reads bytes: then its gains are scaled.
    fn norm_of(&self, value: usize) -> Option<&'p Op> {
        let program = self.program;
        let written = |op: &&Op| op.result().index() == value;
        let norm = program.ops.iter().find(written)?;
        let Op::LayerNorm { .. } = norm else { return None };
        let mut alone = program.outputs.iter().all(|port| port.value.index() != value);
        for op in &program.ops {
            let bytes = self.reads_bytes(op);
            op.for_each_operand(|x| alone &= x.index() != value || bytes);
        }
        alone.then_some(norm)
    }

    /// A tensor that is also read in another way than is known here stays as it is.
    fn keep_what_others_read(&mut self) {
        let known: Vec<Place<'p>> = self.places.keys().copied().collect();
        let mut other: BTreeSet<&'p str> = BTreeSet::new();
        let mut unscaled: BTreeSet<&'p str> = BTreeSet::new();
        for op in &self.program.ops {
            let mut read = BTreeSet::new();
            op.for_each_operand(|x| read.extend(self.tensor(x)));
            let y = op.result().index();
            match op {
                Op::Linear { .. } | Op::Conv1d { .. } | Op::ConvTranspose1d { .. }
                    if way(self.program, op) == Way::Layer =>
                {
                    if !self.bytes[y] {
                        unscaled.extend(read);
                    }
                }
                Op::LayerNorm { .. } if self.norm_of(y).is_some() => {}
                _ => other.extend(read),
            }
        }
        for place in known {
            match place {
                Place::Read(name) if other.contains(name) => self.fix(place),
                Place::Written(name, _) if other.contains(name) || unscaled.contains(name) => {
                    self.fix(place);
                }
                _ => {}
            }
        }
    }
}

fn last(shape: &[usize]) -> usize {
    shape.last().copied().unwrap_or(1)
}
