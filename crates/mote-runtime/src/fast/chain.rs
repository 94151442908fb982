//! Operations on elements that follow each other, in one call: what each of them does takes less time
//! than calling it.

use mote_format::{
    Quantization,
    container::Element,
    program::{Binary, Unary},
};

use super::{
    Level, bytes,
    elements::{self, Blocks},
    unary,
};
use crate::{kernels::quantized::Sum, load::Place};

/// Operations on elements, each with what it reads.
#[derive(Clone, Debug)]
pub(crate) enum Each<'m> {
    Unary { x: Place<'m>, f: Unary },
    Affine { x: Place<'m>, scale: f32, offset: f32 },
    Clamp { x: Place<'m>, low: f32, high: f32 },
    Binary { a: Place<'m>, b: Place<'m>, f: Binary },
    Blocks { a: Place<'m>, b: Place<'m>, how: Blocks },
    Quantize { x: Place<'m>, q: Quantization },
    Dequantize { x: Place<'m>, q: Quantization },
    Add { a: Place<'m>, b: Place<'m>, sum: Sum },
    Lookup { x: Place<'m>, table: &'m [i8] },
}

/// One of the operations of a chain.
#[derive(Clone, Debug)]
pub(crate) struct Link<'m> {
    pub(crate) work: Each<'m>,
    pub(crate) y: Block,
}

/// Bytes of the arena: the first one, and how many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub(crate) first: usize,
    pub(crate) length: usize,
}

/// The arena around the block that is written.
pub(crate) struct Around<'a> {
    before: &'a [u8],
    after: &'a [u8],
    after_start: usize,
}

/// Runs `links` in an arena, one after the other.
pub(crate) fn chain(level: Level, links: &[Link<'_>], arena: &mut [u8]) {
    for Link { work, y } in links {
        let (around, y) = around(arena, *y);
        work.run(level, &around, y);
    }
}

#[inline(always)]
pub(crate) fn around(arena: &mut [u8], y: Block) -> (Around<'_>, &mut [u8]) {
    let (before, rest) = arena.split_at_mut(y.first);
    let (y, after) = rest.split_at_mut(y.length);
    (Around { before, after_start: before.len() + y.len(), after }, y)
}

impl<'a> Around<'a> {
    /// The bytes of what is read. No operation of these reads what it writes.
    #[inline(always)]
    pub(crate) fn bytes<'m: 'a>(&self, place: Place<'m>) -> &'a [u8] {
        match place {
            Place::File(bytes) => bytes,
            Place::Arena(first, length) if first >= self.after_start => {
                &self.after[first - self.after_start..][..length]
            }
            Place::Arena(first, length) => &self.before[first..][..length],
        }
    }

    #[inline(always)]
    pub(crate) fn read<'m: 'a, T: Element>(&self, place: Place<'m>) -> &'a [T] {
        bytemuck::cast_slice(self.bytes(place))
    }
}

impl Each<'_> {
    #[inline(always)]
    fn run(&self, level: Level, around: &Around<'_>, y: &mut [u8]) {
        match self {
            Self::Unary { x, f } => {
                unary::unary(level, *f, around.read(*x), bytemuck::cast_slice_mut(y));
            }
            Self::Affine { x, scale, offset } => {
                let y = bytemuck::cast_slice_mut(y);
                elements::affine(level, *scale, *offset, around.read(*x), y);
            }
            Self::Clamp { x, low, high } => {
                elements::clamp(level, *low, *high, around.read(*x), bytemuck::cast_slice_mut(y));
            }
            Self::Binary { a, b, f } => {
                let y = bytemuck::cast_slice_mut(y);
                elements::binary(level, *f, around.read(*a), around.read(*b), y);
            }
            Self::Blocks { a, b, how } => {
                let y = bytemuck::cast_slice_mut(y);
                elements::blocks(level, *how, around.read(*a), around.read(*b), y);
            }
            Self::Quantize { x, q } => {
                elements::quantize(level, around.read(*x), *q, bytemuck::cast_slice_mut(y));
            }
            Self::Dequantize { x, q } => {
                elements::dequantize(level, around.read(*x), *q, bytemuck::cast_slice_mut(y));
            }
            Self::Add { a, b, sum } => {
                let y = bytemuck::cast_slice_mut(y);
                bytes::add(level, sum, around.read(*a), around.read(*b), y);
            }
            Self::Lookup { x, table } => {
                bytes::lookup(level, around.read(*x), table, bytemuck::cast_slice_mut(y));
            }
        }
    }
}
