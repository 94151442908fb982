//! The numbers of a layer as kernels read them, and what becomes of its sums.

use alloc::vec::Vec;

use mote_format::{
    Dtype, Quantization, ValueId,
    dtype::multiplier,
    program::{Unary, Weights},
};

use crate::{
    fast::{
        aligned::Aligned,
        geometry::Geometry,
        pack,
        tile::{self, Numbers, Store},
    },
    load::Loaded,
};

/// Numbers and how they are multiplied.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Real { phases: Vec<RealPhase>, activation: Option<Unary> },
    Integer { phases: Vec<IntegerPhase>, numbers: Numbers, zero_point: i8, results: Results },
}

#[derive(Clone, Debug)]
pub(super) struct RealPhase {
    pub(super) w: Aligned<f32>,
    pub(super) bias: Vec<f32>,
}

#[derive(Clone, Debug)]
pub(super) struct IntegerPhase {
    pub(super) w: Aligned<u8>,
    pub(super) bias: Vec<i32>,
    /// See [`Integer::signed`](tile::Integer::signed).
    pub(super) signed: Vec<i32>,
}

/// What becomes of exact sums.
#[derive(Clone, Debug)]
pub(super) enum Results {
    Bytes { multiplier: Vec<i32>, zero_point: i8, clamp: [i8; 2] },
    Real { scale: Vec<f32> },
}

impl Kind {
    /// A layer of real numbers, `w` in groups of so many panels.
    pub(super) fn real(
        g: &Geometry,
        group: usize,
        w: &[f32],
        bias: Option<&[f32]>,
        activation: Option<Unary>,
    ) -> Self {
        let bias = |o| bias.map_or(0.0, |b| b[o]);
        let phase = |phase| RealPhase {
            w: Aligned::new(&pack::weights(g, phase, w, group)),
            bias: pack::lanes((0..g.outputs).map(bias), g.outputs, 0.0),
        };
        Self::Real { phases: g.phases.iter().map(phase).collect(), activation }
    }

    /// A layer of integers; `unpacked` are weights of four bits times their factors.
    pub(super) fn integer(
        loaded: &Loaded<'_>,
        (g, group): (&Geometry, usize),
        (x, y): (ValueId, ValueId),
        weights: &Weights,
        unpacked: Option<&[i16]>,
        clamp: [i8; 2],
    ) -> Self {
        let quantization = |id: ValueId| -> Quantization {
            let quantization = loaded.program().values[id.index()].quantization;
            quantization.expect("verified: activations in bytes say what they stand for")
        };
        let x = quantization(x);
        let bias = weights.bias.map(|b| loaded.tensor::<i32>(b));
        let scale: &[f32] = loaded.tensor(weights.scale);
        let bytes: &[i8] = if unpacked.is_some() { &[] } else { loaded.tensor(weights.w) };
        let widened: Option<Vec<i16>> = (unpacked.is_none()
            && tile::widens(loaded.level(), g.out_time))
        .then(|| bytes.iter().map(|w| i16::from(*w)).collect());
        let unpacked = unpacked.or(widened.as_deref());
        let numbers = if unpacked.is_some() { Numbers::Words } else { Numbers::Bytes };
        let zero_point = i32::from(x.zero_point);
        let shift = tile::shift(loaded.level(), numbers);
        let tiles = loaded.level().tiles() && numbers == Numbers::Bytes;
        let phase = |phase| {
            // What is taken from every byte, with what the kernel adds to it.
            let sum = |o| match unpacked {
                Some(w) => pack::window_sum(g, phase, w, o),
                None => pack::window_sum(g, phase, bytes, o),
            };
            let sums: Vec<i32> = (0..g.outputs).map(sum).collect();
            let folded = |offset: i32| {
                let bias = |o| bias.map_or(0, |b| b[o]);
                let all = sums.iter().enumerate();
                let all = all.map(|(o, sum)| bias(o).wrapping_sub(offset.wrapping_mul(*sum)));
                pack::lanes(all, g.outputs, 0)
            };
            IntegerPhase {
                w: match unpacked {
                    Some(w) => {
                        Aligned::new(bytemuck::cast_slice(&pack::weights(g, phase, w, group)))
                    }
                    None => {
                        Aligned::new(bytemuck::cast_slice(&pack::weights(g, phase, bytes, group)))
                    }
                },
                bias: folded(zero_point + shift),
                signed: if tiles { folded(zero_point) } else { Vec::new() },
            }
        };
        let results = match loaded.program().dtype(y) {
            Dtype::F32 => {
                let scale = scale.iter().map(|w| x.scale * w);
                Results::Real { scale: pack::lanes(scale, g.outputs, 0.0) }
            }
            _ => {
                let q = quantization(y);
                let multiplier = scale.iter().map(|&w| multiplier(x.scale, w, q.scale));
                let multiplier = pack::lanes(multiplier, g.outputs, 0);
                Results::Bytes { multiplier, zero_point: q.zero_point, clamp }
            }
        };
        let phases = g.phases.iter().map(phase).collect();
        Self::Integer { phases, numbers, zero_point: x.zero_point, results }
    }
}

impl Results {
    /// Where sums go that begin at `at` of `y`.
    pub(super) fn store<'a>(&'a self, y: &'a mut [u8], at: usize) -> Store<'a> {
        match self {
            Self::Bytes { multiplier, zero_point, clamp } => Store::Bytes {
                y: bytemuck::cast_slice_mut(&mut y[at..]),
                multiplier,
                zero_point: *zero_point,
                clamp: *clamp,
            },
            Self::Real { scale } => {
                Store::Real { y: &mut bytemuck::cast_slice_mut(y)[at..], scale }
            }
        }
    }
}
