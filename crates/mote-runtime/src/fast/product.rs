//! A layer, packed: windows of its input are taken in place where they lie side by side, gathered
//! where they do not, and multiplied.

use alloc::vec::Vec;
use core::ops::Range;

use mote_format::{
    Dtype, Op, Quantization, ValueId,
    dtype::multiplier,
    program::{Unary, Weights},
};

use super::{
    Level,
    aligned::Aligned,
    geometry::{Geometry, Phase},
    pack,
    tile::{self, Integer, Numbers, ROWS, Real, Store},
    unary_in_place,
};
use crate::load::Loaded;

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
}

#[derive(Clone, Debug)]
enum Kind {
    Real { phases: Vec<RealPhase>, activation: Option<Unary> },
    Integer { phases: Vec<IntegerPhase>, numbers: Numbers, zero_point: i8, results: Results },
}

#[derive(Clone, Debug)]
struct RealPhase {
    w: Aligned<f32>,
    bias: Vec<f32>,
}

#[derive(Clone, Debug)]
struct IntegerPhase {
    w: Aligned<u8>,
    bias: Vec<i32>,
}

/// What becomes of exact sums.
#[derive(Clone, Debug)]
enum Results {
    Bytes { multiplier: Vec<i32>, zero_point: i8, clamp: [i8; 2] },
    Real { scale: Vec<f32> },
}

impl Product {
    /// Packs `op`, if it is a layer; `unpacked` are its weights where the file has four bits.
    pub(crate) fn new(loaded: &Loaded<'_>, op: &Op, unpacked: Option<&[i16]>) -> Option<Self> {
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
        let kind = match op {
            Op::Linear { bias, activation, .. }
            | Op::Conv1d { bias, activation, .. }
            | Op::ConvTranspose1d { bias, activation, .. } => {
                let bias = bias.map(|b| loaded.tensor(b));
                real_kind(&geometry, loaded.tensor(w), bias, *activation)
            }
            Op::QuantizedLinear { weights, y, clamp, .. }
            | Op::QuantizedConv1d { weights, y, clamp, .. }
            | Op::QuantizedConvTranspose1d { weights, y, clamp, .. } => {
                integer_kind(loaded, &geometry, (x, *y), weights, unpacked, *clamp)
            }
            _ => return None,
        };
        let joined = matches!(op, Op::Linear { .. } | Op::QuantizedLinear { .. });
        let inside = geometry.phases.iter().map(|p| p.contiguous(geometry.time)).collect();
        Some(Self { x, geometry, inside, kind, joined })
    }

    /// Bytes of the packed weights, biases and scales.
    pub(crate) fn weight_bytes(&self) -> usize {
        match &self.kind {
            Kind::Real { phases, .. } => {
                phases.iter().map(|p| size_of_val(&p.w[..]) + size_of_val(&p.bias[..])).sum()
            }
            Kind::Integer { phases, .. } => {
                phases.iter().map(|p| p.w.len() + size_of_val(&p.bias[..])).sum()
            }
        }
    }

    /// Bytes that gathered windows take.
    pub(crate) fn scratch_bytes(&self) -> usize {
        let windows = |phase: &Phase| {
            let inputs = phase.taps.len() * self.geometry.channels;
            let everything = phase.contiguous(self.geometry.time).len() == phase.rows;
            match self.kind {
                Kind::Real { .. } if everything => 0,
                Kind::Real { .. } => ROWS * inputs * 4,
                Kind::Integer { numbers: Numbers::Bytes, .. } if everything => 0,
                Kind::Integer { numbers, .. } => ROWS * pack::window_bytes(numbers, inputs),
            }
        };
        self.geometry.phases.iter().map(windows).max().unwrap_or(0)
    }

    /// Runs the layer for `batch` samples, one after the other in `x` and `y`.
    pub(crate) fn run(
        &self,
        level: Level,
        batch: usize,
        x: &[u8],
        y: &mut [u8],
        scratch: &mut [u64],
    ) {
        if self.joined && self.whole(level, batch, x, y) {
            return;
        }
        let scratch = bytemuck::cast_slice_mut(scratch);
        if self.joined {
            return self.sample(level, batch, x, y, scratch);
        }
        let samples = x.chunks_exact(x.len() / batch).zip(y.chunks_exact_mut(y.len() / batch));
        samples.for_each(|(x, y)| self.sample(level, 1, x, y, scratch));
    }

    /// The short way of a layer whose windows are the rows of its input: one product and nothing
    /// around it. Says whether it could be gone.
    fn whole(&self, level: Level, batch: usize, x: &[u8], y: &mut [u8]) -> bool {
        let Geometry { channels, outputs, time, .. } = self.geometry;
        let rows = time * batch;
        match &self.kind {
            Kind::Real { phases, activation: activation @ (None | Some(Unary::Relu)) } => {
                let [phase] = &phases[..] else { return false };
                let job = Real {
                    x: bytemuck::cast_slice(x),
                    x_stride: channels,
                    rows,
                    inputs: channels,
                    outputs,
                    w: &phase.w,
                    bias: &phase.bias,
                    relu: activation.is_some(),
                    y_stride: outputs,
                };
                tile::real(level, &job, bytemuck::cast_slice_mut(y));
            }
            Kind::Integer { phases, numbers: Numbers::Bytes, results, .. } => {
                let [phase] = &phases[..] else { return false };
                let job = Integer {
                    numbers: Numbers::Bytes,
                    x,
                    x_stride: channels,
                    rows,
                    bytes: channels,
                    outputs,
                    w: &phase.w,
                    bias: &phase.bias,
                    y_stride: outputs,
                };
                tile::integer(level, &job, &mut results.store(y, 0));
            }
            _ => return false,
        }
        true
    }

    /// Runs one sample, or `times` of them where all their rows are alike.
    fn sample(&self, level: Level, times: usize, x: &[u8], y: &mut [u8], scratch: &mut [u8]) {
        for (i, phase) in self.geometry.phases.iter().enumerate() {
            let rows = phase.rows * times;
            let inside = if self.joined { 0..rows } else { self.inside[i].clone() };
            match &self.kind {
                Kind::Real { phases, activation } => {
                    let relu = *activation == Some(Unary::Relu);
                    let (x, y) = (bytemuck::cast_slice(x), bytemuck::cast_slice_mut(y));
                    let scratch = bytemuck::cast_slice_mut(scratch);
                    let way = Way { g: &self.geometry, phase, rows, inside };
                    way.real(level, &phases[i], relu, x, y, scratch);
                }
                Kind::Integer { phases, numbers, zero_point, results } => {
                    let inside = if *numbers == Numbers::Words { 0..0 } else { inside };
                    let way = Way { g: &self.geometry, phase, rows, inside };
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

fn real_kind(g: &Geometry, w: &[f32], bias: Option<&[f32]>, activation: Option<Unary>) -> Kind {
    let bias = |o| bias.map_or(0.0, |b| b[o]);
    let phase = |phase| RealPhase {
        w: Aligned::new(&pack::weights(g, phase, w)),
        bias: pack::lanes((0..g.outputs).map(bias), g.outputs, 0.0),
    };
    Kind::Real { phases: g.phases.iter().map(phase).collect(), activation }
}

fn integer_kind(
    loaded: &Loaded<'_>,
    g: &Geometry,
    (x, y): (ValueId, ValueId),
    weights: &Weights,
    unpacked: Option<&[i16]>,
    clamp: [i8; 2],
) -> Kind {
    let quantization = |id: ValueId| -> Quantization {
        let quantization = loaded.program().values[id.index()].quantization;
        quantization.expect("verified: activations in bytes say what they stand for")
    };
    let x = quantization(x);
    let bias = weights.bias.map(|b| loaded.tensor::<i32>(b));
    let scale: &[f32] = loaded.tensor(weights.scale);
    let numbers = if unpacked.is_some() { Numbers::Words } else { Numbers::Bytes };
    // What is taken from every byte, with what the kernel adds to it.
    let offset = i32::from(x.zero_point) + tile::shift(loaded.level(), numbers);
    let bytes: &[i8] = if unpacked.is_some() { &[] } else { loaded.tensor(weights.w) };
    let phase = |phase| {
        let folded = |o: usize| {
            let sum = match unpacked {
                Some(w) => pack::window_sum(g, phase, w, o),
                None => pack::window_sum(g, phase, bytes, o),
            };
            bias.map_or(0, |b| b[o]).wrapping_sub(offset.wrapping_mul(sum))
        };
        IntegerPhase {
            w: match unpacked {
                Some(w) => Aligned::new(bytemuck::cast_slice(&pack::weights(g, phase, w))),
                None => Aligned::new(bytemuck::cast_slice(&pack::weights(g, phase, bytes))),
            },
            bias: pack::lanes((0..g.outputs).map(folded), g.outputs, 0),
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
    Kind::Integer { phases, numbers, zero_point: x.zero_point, results }
}

/// The windows of one phase, those of them that lie `inside` the input in one piece.
struct Way<'a> {
    g: &'a Geometry,
    phase: &'a Phase,
    rows: usize,
    inside: Range<usize>,
}

impl Way<'_> {
    fn inputs(&self) -> usize {
        self.phase.taps.len() * self.g.channels
    }

    fn y_stride(&self) -> usize {
        self.phase.out_step * self.g.outputs
    }

    /// Where result `row` begins in the output.
    fn result(&self, row: usize) -> usize {
        (self.phase.out_first + row * self.phase.out_step) * self.g.outputs
    }

    /// Where window `row`, which is inside, begins in the input.
    fn window(&self, row: usize) -> usize {
        let start = self.phase.first + (row * self.phase.step) as isize;
        start as usize * self.g.channels
    }

    /// The windows that are not inside, in runs of at most [`ROWS`].
    fn outside(&self) -> impl Iterator<Item = (usize, usize)> {
        let runs = [0..self.inside.start, self.inside.end..self.rows];
        runs.into_iter().flat_map(|run| {
            let end = run.end;
            run.step_by(ROWS).map(move |row| (row, ROWS.min(end - row)))
        })
    }

    /// Copies windows from `row` on into rows of `stride`; what is outside the input is `zero`.
    fn gather<T: Copy, U: Copy>(
        &self,
        (row, rows): (usize, usize),
        (x, windows): (&[T], &mut [U]),
        stride: usize,
        zero: U,
        convert: impl Fn(T) -> U,
    ) {
        let channels = self.g.channels;
        for (r, window) in windows.chunks_exact_mut(stride.max(1)).take(rows).enumerate() {
            for (tap, to) in
                window.chunks_exact_mut(channels).take(self.phase.taps.len()).enumerate()
            {
                let at = self.phase.first + ((row + r) * self.phase.step) as isize;
                let at = at + (tap * self.phase.dilation) as isize;
                let from =
                    usize::try_from(at).ok().and_then(|at| x.get(at * channels..)?.get(..channels));
                match from {
                    Some(from) => to.iter_mut().zip(from).for_each(|(to, &x)| *to = convert(x)),
                    None => to.fill(zero),
                }
            }
        }
    }

    fn real(
        &self,
        level: Level,
        part: &RealPhase,
        relu: bool,
        x: &[f32],
        y: &mut [f32],
        scratch: &mut [f32],
    ) {
        let inputs = self.inputs();
        let job = Real {
            x,
            x_stride: self.phase.step * self.g.channels,
            rows: self.inside.len(),
            inputs,
            outputs: self.g.outputs,
            w: &part.w,
            bias: &part.bias,
            relu,
            y_stride: self.y_stride(),
        };
        if job.rows > 0 {
            let x = &x[self.window(self.inside.start)..];
            tile::real(level, &Real { x, ..job }, &mut y[self.result(self.inside.start)..]);
        }
        if job.rows == self.rows {
            return;
        }
        for (row, rows) in self.outside() {
            self.gather((row, rows), (x, &mut *scratch), inputs, 0.0, |x| x);
            let job = Real { x: scratch, x_stride: inputs, rows, ..job };
            tile::real(level, &job, &mut y[self.result(row)..]);
        }
    }

    fn integer(
        &self,
        level: Level,
        (part, numbers, zero_point): (&IntegerPhase, Numbers, i8),
        results: &Results,
        x: &[u8],
        y: &mut [u8],
        scratch: &mut [u8],
    ) {
        let bytes = pack::window_bytes(numbers, self.inputs());
        let job = Integer {
            numbers,
            x,
            x_stride: self.phase.step * self.g.channels,
            rows: self.inside.len(),
            bytes,
            outputs: self.g.outputs,
            w: &part.w,
            bias: &part.bias,
            y_stride: self.y_stride(),
        };
        if job.rows > 0 {
            let x = &x[self.window(self.inside.start)..];
            let mut store = results.store(y, self.result(self.inside.start));
            tile::integer(level, &Integer { x, ..job }, &mut store);
        }
        if job.rows == self.rows {
            return;
        }
        for (row, rows) in self.outside() {
            match numbers {
                Numbers::Bytes => {
                    self.gather((row, rows), (x, &mut *scratch), bytes, zero_point as u8, |x| x);
                }
                Numbers::Words => {
                    let scratch: &mut [i16] = bytemuck::cast_slice_mut(scratch);
                    let to = |x: u8| i16::from(x as i8);
                    let zero = i16::from(zero_point);
                    self.gather((row, rows), (x, scratch), bytes / 2, zero, to);
                }
            }
            let job = Integer { x: scratch, x_stride: bytes, rows, ..job };
            tile::integer(level, &job, &mut results.store(y, self.result(row)));
        }
    }
}

impl Results {
    fn store<'a>(&'a self, y: &'a mut [u8], at: usize) -> Store<'a> {
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
