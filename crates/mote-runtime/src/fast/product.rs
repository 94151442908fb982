//! A layer, packed: windows of its input are taken in place where kernels can, gathered where they
//! cannot, and multiplied.

mod kind;
mod way;
mod whole;

use alloc::vec::Vec;
use core::ops::Range;

use mote_format::{Op, ValueId, program::Unary};

use super::{
    Level,
    aligned::Aligned,
    geometry::{Geometry, Phase},
    pack, panels,
    threads::{self, Threads},
    tile::{self, Integer, Numbers, ROWS, Real},
    unary_in_place,
};
use crate::load::{Loaded, Prepared};
use kind::{IntegerPhase, Kind};
use way::Way;
use whole::Whole;

/// A layer whose weights are packed for the level that it was made for.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    /// The value that it reads.
    pub(crate) x: ValueId,
    geometry: Geometry,
    /// For each phase the windows that lie inside the input of one sample in one piece.
    inside: Vec<Range<usize>>,
    kind: Kind,
    /// The rows of a batch lie side by side, so that it is one product.
    joined: bool,
    /// Where the layer is one product of windows that all lie in the input as they are wanted.
    short: Option<Short>,
    /// Where the whole input is copied at once.
    whole: Option<Whole>,
    /// Panels of weights that lie side by side.
    group: usize,
}

/// The way of a layer that is one product.
#[derive(Clone, Copy, Debug)]
struct Short {
    /// Rows of one sample.
    rows: usize,
    first: usize,
    x_stride: usize,
    taps: usize,
    tap_stride: usize,
    /// Numbers in a run.
    inputs: usize,
    outputs: usize,
}

/// What a short product may do beside what its layer says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beside<'a> {
    /// The second half of the only row of the input, where what is read is the first one.
    pub(crate) second: Option<&'a [f32]>,
    /// What is added to real results.
    pub(crate) add: Option<&'a [f32]>,
}

impl Product {
    /// Packs `op`, if it is a layer; `made` is what loading made of its weights so far.
    pub(crate) fn new(loaded: &Loaded<'_>, op: &Op, made: &Prepared) -> Option<Self> {
        let program = loaded.program();
        let (x, w) = match op {
            Op::Linear { x, w, .. }
            | Op::Conv1d { x, w, .. }
            | Op::ConvTranspose1d { x, w, .. } => (*x, *w),
            Op::QuantizedLinear { x, weights, .. }
            | Op::QuantizedConv1d { x, weights, .. }
            | Op::QuantizedConvTranspose1d { x, weights, .. } => (*x, weights.w),
            _ => return None,
        };
        // A constant has no batch, and it is rare enough to be left to the plain kernels.
        if program.values[x.index()].tensor.is_some() {
            return None;
        }
        let shape = |id| program.shape(id);
        let geometry = Geometry::new(op, shape(x), shape(w), shape(op.result()))?;
        let group = panels::group(loaded.level(), geometry.out_time);
        let kind = match op {
            Op::Linear { bias, activation, .. }
            | Op::Conv1d { bias, activation, .. }
            | Op::ConvTranspose1d { bias, activation, .. } => {
                let bias = bias.map(|b| loaded.tensor(b));
                let w = match made {
                    Prepared::Widened(w) => w,
                    _ => loaded.tensor(w),
                };
                Kind::real(&geometry, group, w, bias, *activation)
            }
            Op::QuantizedLinear { weights, y, clamp, .. }
            | Op::QuantizedConv1d { weights, y, clamp, .. }
            | Op::QuantizedConvTranspose1d { weights, y, clamp, .. } => {
                let unpacked = match made {
                    Prepared::Unpacked(w) => Some(w.as_slice()),
                    _ => None,
                };
                Kind::integer(loaded, (&geometry, group), (x, *y), weights, unpacked, *clamp)
            }
            _ => return None,
        };
        let joined = matches!(op, Op::Linear { .. } | Op::QuantizedLinear { .. });
        let level = loaded.level();
        let inside: Vec<_> =
            geometry.phases.iter().map(|p| inside(level, p, &kind, &geometry)).collect();
        let simple = match &kind {
            Kind::Real { activation, .. } => matches!(activation, None | Some(Unary::Relu)),
            Kind::Integer { numbers, .. } => *numbers == Numbers::Bytes,
        };
        let short = match &geometry.phases[..] {
            [phase] if simple && inside[0].len() == geometry.out_time => {
                Some(Short::new(&geometry, phase))
            }
            _ => None,
        };
        let whole = match &kind {
            Kind::Integer { numbers, .. } => Whole::new(level, &geometry, *numbers),
            Kind::Real { .. } => None,
        };
        Some(Self { x, geometry, inside, kind, joined, short, whole, group })
    }

    /// Packs weights for batches of this size.
    pub(crate) fn regroup(&mut self, level: Level, batch: usize) {
        let rows = self.geometry.out_time * if self.joined { batch } else { 1 };
        let group = panels::group(level, rows);
        if group == self.group {
            return;
        }
        let (outputs, old) = (self.geometry.outputs, self.group);
        match &mut self.kind {
            Kind::Real { phases, .. } => phases.iter_mut().for_each(|phase| {
                phase.w = Aligned::new(&pack::regrouped(&phase.w, outputs, [old, group]));
            }),
            Kind::Integer { phases, .. } => phases.iter_mut().for_each(|phase| {
                phase.w = Aligned::new(&pack::regrouped(&phase.w, outputs, [old, group]));
            }),
        }
        self.group = group;
    }

    /// Whether one sample is one product of real numbers, to which [`Beside`] applies.
    pub(crate) fn is_short(&self) -> bool {
        self.short.is_some() && matches!(self.kind, Kind::Real { .. })
    }

    /// Numbers of the only row that it reads from one sample, where there is but one.
    pub(crate) fn row(&self) -> Option<usize> {
        (self.geometry.time == 1).then_some(self.geometry.channels)
    }

    /// Bytes of the packed weights, biases and scales.
    pub(crate) fn weight_bytes(&self) -> usize {
        match &self.kind {
            Kind::Real { phases, .. } => {
                phases.iter().map(|p| size_of_val(&p.w[..]) + size_of_val(&p.bias[..])).sum()
            }
            Kind::Integer { phases, .. } => {
                let biases =
                    |p: &IntegerPhase| size_of_val(&p.bias[..]) + size_of_val(&p.signed[..]);
                phases.iter().map(|p| p.w.len() + biases(p)).sum()
            }
        }
    }

    /// Bytes that gathered windows take.
    pub(crate) fn scratch_bytes(&self) -> usize {
        let windows = |(phase, inside): (&Phase, &Range<usize>)| {
            let inputs = phase.taps.len() * self.geometry.channels;
            let everything = inside.len() == phase.rows;
            match self.kind {
                Kind::Real { .. } if everything => 0,
                Kind::Real { .. } => ROWS * inputs * 4,
                Kind::Integer { numbers, .. } => {
                    let gathered = if everything { 0 } else { ROWS };
                    let widens = numbers == Numbers::Words && !inside.is_empty();
                    let widened =
                        if widens { way::block(phase, self.geometry.channels) } else { 0 };
                    (gathered * pack::window_bytes(numbers, inputs)).max(2 * widened)
                }
            }
        };
        let most = self.geometry.phases.iter().zip(&self.inside).map(windows).max().unwrap_or(0);
        most.max(self.whole.as_ref().map_or(0, Whole::bytes))
    }

    /// Runs the layer for `batch` samples, one after the other in `x` and `y`.
    pub(crate) fn run(
        &self,
        (level, threads): (Level, Option<&dyn Threads>),
        batch: usize,
        x: &[u8],
        y: &mut [u8],
        scratch: &mut [u64],
    ) {
        if let Some(short) = &self.short {
            if self.joined || batch == 1 {
                return self.run_short(short, (level, threads), batch, x, y, Beside::default());
            }
            let samples = x.chunks_exact(x.len() / batch).zip(y.chunks_exact_mut(y.len() / batch));
            return samples.for_each(|(x, y)| {
                self.run_short(short, (level, threads), 1, x, y, Beside::default());
            });
        }
        let scratch = bytemuck::cast_slice_mut(scratch);
        if self.joined {
            return self.sample((level, threads), batch, x, y, scratch);
        }
        let samples = x.chunks_exact(x.len() / batch).zip(y.chunks_exact_mut(y.len() / batch));
        samples.for_each(|(x, y)| self.sample((level, threads), 1, x, y, scratch));
    }

    /// Runs one sample with what is beside it.
    ///
    /// # Panics
    ///
    /// If it [is not short](Self::is_short).
    pub(crate) fn run_beside(
        &self,
        (level, threads): (Level, Option<&dyn Threads>),
        x: &[u8],
        y: &mut [u8],
        beside: Beside<'_>,
    ) {
        let short = self.short.as_ref().expect("the caller asked");
        self.run_short(short, (level, threads), 1, x, y, beside);
    }

    /// One product and nothing around it.
    #[inline(always)]
    fn run_short(
        &self,
        short: &Short,
        (level, threads): (Level, Option<&dyn Threads>),
        batch: usize,
        x: &[u8],
        y: &mut [u8],
        beside: Beside<'_>,
    ) {
        let Short { first, x_stride, taps, tap_stride, inputs, outputs, .. } = *short;
        let rows = short.rows * batch;
        match &self.kind {
            Kind::Real { phases, activation } => {
                let halved = beside.second.is_some();
                let (taps, inputs) = if halved { (2, inputs / 2) } else { (taps, inputs) };
                let job = Real {
                    x: &bytemuck::cast_slice(x)[first..],
                    second: beside.second,
                    x_stride,
                    rows,
                    taps,
                    tap_stride,
                    inputs,
                    outputs,
                    w: &phases[0].w,
                    group: self.group,
                    bias: &phases[0].bias,
                    relu: activation.is_some(),
                    add: beside.add,
                    y_stride: outputs,
                };
                threads::real(threads, level, &job, bytemuck::cast_slice_mut(y));
            }
            Kind::Integer { phases, numbers, results, .. } => {
                let job = Integer {
                    numbers: *numbers,
                    shifted: false,
                    x: &x[first..],
                    x_stride,
                    rows,
                    taps,
                    tap_stride,
                    bytes: inputs,
                    outputs,
                    w: &phases[0].w,
                    group: self.group,
                    bias: &phases[0].bias,
                    signed: &phases[0].signed,
                    y_stride: outputs,
                };
                threads::integer(threads, level, &job, &mut results.store(y, 0));
            }
        }
    }

    /// Runs one sample, or `times` of them where all their rows are alike.
    fn sample(
        &self,
        (level, threads): (Level, Option<&dyn Threads>),
        times: usize,
        x: &[u8],
        y: &mut [u8],
        scratch: &mut [u8],
    ) {
        if let (Some(whole), Kind::Integer { phases, zero_point, results, .. }, 1) =
            (&self.whole, &self.kind, times)
        {
            return whole.run(
                (level, threads),
                (&self.geometry, phases, self.group),
                *zero_point,
                results,
                (x, y, scratch),
            );
        }
        for (i, phase) in self.geometry.phases.iter().enumerate() {
            let rows = phase.rows * times;
            let inside = match self.inside[i].clone() {
                inside if self.joined && !inside.is_empty() => 0..rows,
                inside => inside,
            };
            match &self.kind {
                Kind::Real { phases, activation } => {
                    let relu = *activation == Some(Unary::Relu);
                    let (x, y) = (bytemuck::cast_slice(x), bytemuck::cast_slice_mut(y));
                    let scratch = bytemuck::cast_slice_mut(scratch);
                    let way =
                        Way { g: &self.geometry, phase, rows, inside, group: self.group, threads };
                    way.real(level, &phases[i], relu, x, y, scratch);
                }
                Kind::Integer { phases, numbers, zero_point, results } => {
                    let way =
                        Way { g: &self.geometry, phase, rows, inside, group: self.group, threads };
                    let part = (&phases[i], *numbers, *zero_point);
                    way.integer(level, part, results, x, y, scratch);
                }
            }
        }
        if let Kind::Real { activation: Some(f), .. } = &self.kind
            && *f != Unary::Relu
        {
            unary_in_place(level, *f, bytemuck::cast_slice_mut(y));
        }
    }
}

impl Short {
    /// All windows of `phase`, the only one, are inside.
    fn new(g: &Geometry, phase: &Phase) -> Self {
        let (taps, inputs) = phase.runs(g.channels);
        Self {
            rows: phase.rows,
            first: phase.first.unsigned_abs() * g.channels,
            x_stride: phase.step * g.channels,
            taps,
            tap_stride: phase.dilation * g.channels,
            inputs,
            outputs: g.outputs,
        }
    }
}

/// The windows that kernels find in the input as it is.
fn inside(level: Level, phase: &Phase, kind: &Kind, g: &Geometry) -> Range<usize> {
    match kind {
        Kind::Integer { numbers: Numbers::Bytes, .. }
            if !phase.is_dense() && !tile::joins_runs(level, Numbers::Bytes, g.channels) =>
        {
            0..0
        }
        Kind::Integer { numbers: Numbers::Words, .. }
            if !tile::joins_runs(level, Numbers::Words, 2 * phase.runs(g.channels).1) =>
        {
            0..0
        }
        _ => phase.inside(g.time),
    }
}
