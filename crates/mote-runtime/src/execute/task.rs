//! An operation with everything found that can be found before it runs: where it reads and writes,
//! how many numbers, and which loop.

use alloc::{vec, vec::Vec};

use mote_format::{Dtype, Op, Quantization, ValueId};

use super::fuse::Fused;
use crate::{
    fast::{
        self, Beside, Blocks, Level, Threads,
        chain::{Block, Each, Link, around, chain},
    },
    kernels::quantized::Sum,
    load::{Loaded, Place, Prepared},
};

/// How an operation is run.
#[derive(Clone, Debug)]
pub(super) enum Task<'m> {
    /// It is looked at while it runs.
    General,
    /// What it moves lies there already.
    Nothing,
    /// A packed layer, by the number of the operation.
    Layer { i: usize, x: Place<'m>, y: Block },
    /// The same for one sample, with what is done beside it.
    Beside { i: usize, x: Place<'m>, y: Block, second: Option<Place<'m>>, add: Option<Place<'m>> },
    /// Runs of bytes are copied.
    Move(Vec<Move<'m>>),
    /// In each sample rows become columns.
    Turn(Turn<'m>),
    /// Element by element, one operation or several.
    Chain(Vec<Link<'m>>),
}

/// Matrices of so many rows and columns, one for each sample, of numbers or of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn<'m> {
    x: Place<'m>,
    y: Block,
    sizes: [usize; 2],
    dtype: Dtype,
}

/// Rows of bytes that lie at equal distances, here and there.
#[derive(Clone, Debug)]
pub(super) struct Move<'m> {
    x: Place<'m>,
    x_stride: usize,
    y: Block,
    y_stride: usize,
    rows: usize,
    bytes: usize,
}

impl<'m> Task<'m> {
    /// The task of operation `i`, where a value is at its place.
    pub(super) fn new(loaded: &Loaded<'m>, places: &[Place<'m>], batch: usize, i: usize) -> Self {
        if loaded.level() == Level::Plain {
            return Self::General;
        }
        let finder = Finder { loaded, places, batch };
        finder.task(i).unwrap_or(Self::General)
    }

    /// The same with what is fused with it, or nothing.
    pub(super) fn fused(
        loaded: &Loaded<'m>,
        places: &[Place<'m>],
        i: usize,
        fused: Fused,
    ) -> Option<Self> {
        match fused {
            Fused { away: true, .. } => Some(Self::Nothing),
            Fused { halves: None, add: None, .. } => None,
            _ => Finder { loaded, places, batch: 1 }.beside(i, fused),
        }
    }

    /// Adds what begins with operation `i` to what is done before; operations on elements become one
    /// chain.
    pub(super) fn push(tasks: &mut Vec<(usize, Self)>, i: usize, task: Self) {
        match (tasks.last_mut(), task) {
            (_, Self::Nothing) => {}
            (Some((_, Self::Chain(links))), Self::Chain(more)) => links.extend(more),
            (_, task) => tasks.push((i, task)),
        }
    }

    /// Runs it.
    pub(super) fn run(
        &self,
        loaded: &Loaded<'m>,
        batch: usize,
        arena: &mut [u8],
        scratch: &mut [u64],
        threads: Option<&dyn Threads>,
    ) {
        match self {
            Self::Nothing => {}
            Self::Layer { i, x, y } => {
                let Prepared::Packed(product) = &loaded.prepared[*i] else {
                    unreachable!("only packed layers become such tasks")
                };
                let (around, y) = around(arena, *y);
                product.run((loaded.level(), threads), batch, around.bytes(*x), y, scratch);
            }
            Self::Beside { i, x, y, second, add } => {
                let Prepared::Packed(product) = &loaded.prepared[*i] else {
                    unreachable!("only packed layers become such tasks")
                };
                let (around, y) = around(arena, *y);
                let [second, add] = [second, add].map(|id| id.map(|place| around.read(place)));
                let beside = Beside { second, add };
                product.run_beside((loaded.level(), threads), around.bytes(*x), y, beside);
            }
            Self::Move(moves) => {
                for part in moves {
                    let (around, y) = around(arena, part.y);
                    part.run(around.bytes(part.x), y);
                }
            }
            Self::Turn(turn) => {
                let (around, y) = around(arena, turn.y);
                turn.run(loaded.level(), around.bytes(turn.x), y);
            }
            Self::Chain(links) => chain(loaded.level(), links, arena),
            Self::General => unreachable!("an instance runs these itself"),
        }
    }
}

impl Turn<'_> {
    fn run(&self, level: Level, x: &[u8], y: &mut [u8]) {
        let sample = self.dtype.bytes(self.sizes[0] * self.sizes[1]);
        for (x, y) in x.chunks_exact(sample).zip(y.chunks_exact_mut(sample)) {
            match self.dtype {
                Dtype::F32 => {
                    let (x, y) = (bytemuck::cast_slice(x), bytemuck::cast_slice_mut(y));
                    fast::turn_real(level, x, self.sizes, y);
                }
                _ => {
                    let (x, y) = (bytemuck::cast_slice(x), bytemuck::cast_slice_mut(y));
                    fast::turn_bytes(level, x, self.sizes, y);
                }
            }
        }
    }
}

impl Move<'_> {
    fn run(&self, x: &[u8], y: &mut [u8]) {
        match self.bytes {
            4 => self.short::<4>(x, y),
            8 => self.short::<8>(x, y),
            12 => self.short::<12>(x, y),
            16 => self.short::<16>(x, y),
            20 => self.short::<20>(x, y),
            24 => self.short::<24>(x, y),
            28 => self.short::<28>(x, y),
            32 => self.short::<32>(x, y),
            64 => self.short::<64>(x, y),
            bytes => {
                for row in 0..self.rows {
                    let x = &x[row * self.x_stride..][..bytes];
                    copy(x, &mut y[row * self.y_stride..][..bytes]);
                }
            }
        }
    }

    /// The same for rows of `N` bytes, which a register or two hold. By itself, so that its places stay in registers.
    #[inline(never)]
    fn short<const N: usize>(&self, x: &[u8], y: &mut [u8]) {
        let (mut from, mut to) = (0, 0);
        for _ in 0..self.rows {
            y[to..][..N].copy_from_slice(&x[from..][..N]);
            from += self.x_stride;
            to += self.y_stride;
        }
    }
}

/// Copies a few bytes: that takes less than finding out how to copy many.
#[inline(always)]
fn copy(x: &[u8], y: &mut [u8]) {
    const FEW: usize = 256;
    if x.len() > FEW {
        return y.copy_from_slice(x);
    }
    let (x, x_rest) = x.as_chunks::<32>();
    let (y, y_rest) = y.as_chunks_mut::<32>();
    y.iter_mut().zip(x).for_each(|(y, x)| *y = *x);
    let (x, x_rest) = x_rest.as_chunks::<4>();
    let (y, y_rest) = y_rest.as_chunks_mut::<4>();
    y.iter_mut().zip(x).for_each(|(y, x)| *y = *x);
    y_rest.iter_mut().zip(x_rest).for_each(|(y, x)| *y = *x);
}

/// Finds what operations need.
struct Finder<'a, 'm> {
    loaded: &'a Loaded<'m>,
    places: &'a [Place<'m>],
    batch: usize,
}

impl<'m> Finder<'_, 'm> {
    fn task(&self, i: usize) -> Option<Task<'m>> {
        let op = &self.loaded.program().ops[i];
        let y = self.block(op.result());
        if y.length == 0 {
            return Some(Task::Nothing);
        }
        match op {
            Op::Reshape { x, .. } => self.computed(*x).then_some(Task::Nothing),
            Op::Slice { x, axis, start, .. } => self.cut(*x, op.result(), *axis, *start),
            Op::Concat { xs, axis, .. } => self.join(xs, op.result(), *axis),
            Op::Permute { x, axes, .. } if self.stays(*x, axes) => {
                let (x, bytes) = (self.whole(*x)?, y.length);
                let all = Move { x, x_stride: bytes, y, y_stride: bytes, rows: 1, bytes };
                Some(Task::Move(vec![all]))
            }
            Op::Permute { x, y: id, axes } => {
                let sizes = self.exchanged(*x, axes)?;
                let dtype = self.loaded.program().dtype(*id);
                Some(Task::Turn(Turn { x: self.whole(*x)?, y, sizes, dtype }))
            }
            _ if let Prepared::Packed(product) = &self.loaded.prepared[i] => {
                Some(Task::Layer { i, x: self.whole(product.x)?, y })
            }
            _ => Some(Task::Chain(vec![Link { work: self.each(op)?, y }])),
        }
    }

    fn beside(&self, i: usize, fused: Fused) -> Option<Task<'m>> {
        let Prepared::Packed(product) = &self.loaded.prepared[i] else { return None };
        let y = fused.add.map_or(self.loaded.program().ops[i].result(), |[_, y]| y);
        let (x, second) = match fused.halves {
            Some([a, b]) => (self.whole(a)?, Some(self.whole(b)?)),
            None => (self.whole(product.x)?, None),
        };
        let add = fused.add.and_then(|[add, _]| self.whole(add));
        Some(Task::Beside { i, x, y: self.block(y), second, add })
    }

    fn each(&self, op: &Op) -> Option<Each<'m>> {
        Some(match *op {
            Op::Unary { x, f, .. } => Each::Unary { x: self.whole(x)?, f },
            Op::Affine { x, scale, offset, .. } => {
                Each::Affine { x: self.whole(x)?, scale, offset }
            }
            Op::Clamp { x, low, high, .. } => Each::Clamp { x: self.whole(x)?, low, high },
            Op::Binary { a, b, f, y } => match self.operands(a, b, y) {
                Some((a, b)) => Each::Binary { a, b, f },
                None => {
                    let turned = self.blocks(a, b, y).is_none();
                    let (a, b) = if turned { (b, a) } else { (a, b) };
                    let [row, block] = self.blocks(a, b, y)?;
                    let how = Blocks { f, row, block, turned };
                    Each::Blocks { a: self.whole(a)?, b: self.whole(b)?, how }
                }
            },
            Op::Quantize { x, y } => Each::Quantize { x: self.whole(x)?, q: self.meaning(y)? },
            Op::Dequantize { x, .. } => Each::Dequantize { x: self.whole(x)?, q: self.meaning(x)? },
            Op::QuantizedAdd { a, b, y, clamp } => {
                let sum = Sum::new([self.meaning(a)?, self.meaning(b)?], self.meaning(y)?, clamp);
                Each::Add { a: self.whole(a)?, b: self.whole(b)?, sum }
            }
            Op::Lookup { x, table, .. } if !self.computed(table) => {
                Each::Lookup { x: self.whole(x)?, table: self.loaded.tensor(table) }
            }
            _ => return None,
        })
    }

    fn computed(&self, id: ValueId) -> bool {
        self.loaded.program().values[id.index()].tensor.is_none()
    }

    fn meaning(&self, id: ValueId) -> Option<Quantization> {
        self.loaded.program().values[id.index()].quantization
    }

    /// Whether numbers lie as before when axes change places: only those move that have one place.
    fn stays(&self, x: ValueId, axes: &[usize]) -> bool {
        let shape = self.loaded.program().shape(x);
        axes.iter().filter(|&&axis| shape[axis] > 1).is_sorted()
    }

    /// The rows and columns of the matrix that is turned when axes change places, if that is all they do: those of more
    /// than one place are in order, but begin somewhere in the middle.
    fn exchanged(&self, x: ValueId, axes: &[usize]) -> Option<[usize; 2]> {
        let shape = self.loaded.program().shape(x);
        let long: Vec<usize> = axes.iter().copied().filter(|&axis| shape[axis] > 1).collect();
        let middle = long.windows(2).position(|pair| pair[0] > pair[1])? + 1;
        let (columns, rows) = long.split_at(middle);
        let size = |axes: &[usize]| axes.iter().map(|&axis| shape[axis]).product();
        let turned = rows.is_sorted() && rows.last() < columns.first();
        turned.then(|| [size(rows), size(columns)])
    }

    /// All samples of a value; a tensor is there only once.
    fn whole(&self, id: ValueId) -> Option<Place<'m>> {
        match self.places[id.index()] {
            Place::Arena(first, length) => Some(Place::Arena(first, length * self.batch)),
            file @ Place::File(_) => (self.batch == 1).then_some(file),
        }
    }

    fn block(&self, id: ValueId) -> Block {
        match self.places[id.index()] {
            Place::Arena(first, length) => Block { first, length: length * self.batch },
            Place::File(_) => unreachable!("verified: no operation writes a tensor of the file"),
        }
    }

    /// Operands that agree element by element, or the second of which begins again and again.
    fn operands(&self, a: ValueId, b: ValueId, y: ValueId) -> Option<(Place<'m>, Place<'m>)> {
        let shape = |id| self.loaded.program().shape(id);
        if shape(a) != shape(y) {
            return None;
        }
        let first = shape(b).iter().take_while(|&&n| n == 1).count();
        let again = shape(y).ends_with(&shape(b)[first..]);
        let b = match self.places[b.index()] {
            file @ Place::File(_) if again => file,
            _ if shape(b) == shape(y) || again && self.batch == 1 => self.whole(b)?,
            _ => return None,
        };
        Some((self.whole(a)?, b))
    }

    /// The numbers of a row of `b` and of the block of `a` that it meets, where both are computed and differ in some
    /// axes side by side that `b` has but one place along.
    fn blocks(&self, a: ValueId, b: ValueId, y: ValueId) -> Option<[usize; 2]> {
        let [a, b, y] = [a, b, y].map(|id| (self.computed(id), self.loaded.program().shape(id)));
        if !(a.0 && b.0) || a.1 != y.1 || b.1.len() != y.1.len() {
            return None;
        }
        let unlike = |axis: &usize| b.1[*axis] != y.1[*axis];
        let first = (0..y.1.len()).find(unlike)?;
        let last = (first..y.1.len()).rev().find(unlike)?;
        let row: usize = y.1[last + 1..].iter().product();
        let missing = b.1[first..=last].iter().all(|&n| n == 1);
        missing.then(|| [row, row * y.1[first..=last].iter().product::<usize>()])
    }

    /// The bytes behind one step along an axis.
    fn inner(&self, id: ValueId, axis: usize) -> usize {
        let value = &self.loaded.program().values[id.index()];
        value.dtype.bytes(value.shape[axis + 1..].iter().product())
    }

    fn cut(&self, x: ValueId, y: ValueId, axis: usize, start: usize) -> Option<Task<'m>> {
        let (inner, to) = (self.inner(x, axis), self.block(y));
        let stride = self.loaded.program().shape(x)[axis] * inner;
        let bytes = self.loaded.program().shape(y)[axis] * inner;
        let skipped = start * inner;
        let x = match self.whole(x)? {
            Place::Arena(first, length) => Place::Arena(first + skipped, length - skipped),
            Place::File(x) => Place::File(&x[skipped..]),
        };
        if matches!(x, Place::Arena(first, _) if first == to.first) {
            return Some(Task::Nothing);
        }
        let rows = to.length / bytes;
        Some(Task::Move(vec![Move { x, x_stride: stride, y: to, y_stride: bytes, rows, bytes }]))
    }

    fn join(&self, xs: &[ValueId], y: ValueId, axis: usize) -> Option<Task<'m>> {
        let (inner, all) = (self.inner(y, axis), self.block(y));
        let stride = self.loaded.program().shape(y)[axis] * inner;
        let rows = all.length / stride;
        let (mut moves, mut start) = (Vec::new(), all.first);
        for &id in xs {
            let bytes = self.loaded.program().shape(id)[axis] * inner;
            let x = self.whole(id)?;
            let there = matches!(x, Place::Arena(first, _) if first == start);
            if bytes > 0 && !there {
                // Up to the end of its last row; behind it another part may lie.
                let y = Block { first: start, length: (rows - 1) * stride + bytes };
                moves.push(Move { x, x_stride: bytes, y, y_stride: stride, rows, bytes });
            }
            start += bytes;
        }
        Some(if moves.is_empty() { Task::Nothing } else { Task::Move(moves) })
    }
}
