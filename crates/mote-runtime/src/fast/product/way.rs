//! The windows of one phase of a layer: those that kernels read where they are, and those that are
//! gathered first.

use core::ops::Range;

use super::kind::{IntegerPhase, RealPhase, Results};
use crate::fast::{
    Level,
    geometry::{Geometry, Phase},
    pack,
    threads::{self, Threads},
    tile::{self, Integer, Numbers, ROWS, Real},
};

/// The windows of one phase, those of them that lie `inside` the input in one piece.
pub(super) struct Way<'a> {
    pub(super) g: &'a Geometry,
    pub(super) phase: &'a Phase,
    pub(super) rows: usize,
    pub(super) inside: Range<usize>,
    /// Panels of weights that lie side by side.
    pub(super) group: usize,
    pub(super) threads: Option<&'a dyn Threads>,
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
        for r in 0..rows {
            let mut at = self.phase.first + ((row + r) * self.phase.step) as isize;
            for tap in 0..self.phase.taps.len() {
                let to = &mut windows[r * stride + tap * channels..][..channels];
                match usize::try_from(at)
                    .ok()
                    .and_then(|at| x.get(at * channels..)?.get(..channels))
                {
                    Some(from) => to.iter_mut().zip(from).for_each(|(to, &x)| *to = convert(x)),
                    None => to.fill(zero),
                }
                at += self.phase.dilation as isize;
            }
        }
    }

    pub(super) fn real(
        &self,
        level: Level,
        part: &RealPhase,
        relu: bool,
        x: &[f32],
        y: &mut [f32],
        scratch: &mut [f32],
    ) {
        let channels = self.g.channels;
        let (taps, inputs) = self.phase.runs(channels);
        let job = Real {
            x,
            second: None,
            x_stride: self.phase.step * channels,
            rows: self.inside.len(),
            taps,
            tap_stride: self.phase.dilation * channels,
            inputs,
            outputs: self.g.outputs,
            w: &part.w,
            group: self.group,
            bias: &part.bias,
            relu,
            add: None,
            y_stride: self.y_stride(),
        };
        if job.rows > 0 {
            let x = &x[self.window(self.inside.start)..];
            let y = &mut y[self.result(self.inside.start)..];
            threads::real(self.threads, level, &Real { x, ..job }, y);
        }
        if job.rows == self.rows {
            return;
        }
        for (row, rows) in self.outside() {
            let inputs = self.inputs();
            self.gather((row, rows), (x, &mut *scratch), inputs, 0.0, |x| x);
            let job = Real { x: scratch, x_stride: inputs, rows, taps: 1, inputs, ..job };
            tile::real(level, &job, &mut y[self.result(row)..]);
        }
    }

    pub(super) fn integer(
        &self,
        level: Level,
        (part, numbers, zero_point): (&IntegerPhase, Numbers, i8),
        results: &Results,
        x: &[u8],
        y: &mut [u8],
        scratch: &mut [u8],
    ) {
        let bytes = pack::window_bytes(numbers, self.inputs());
        let (taps, run) = self.phase.runs(self.g.channels);
        let job = Integer {
            numbers,
            shifted: false,
            x,
            x_stride: self.phase.step * self.g.channels,
            rows: self.inside.len(),
            taps,
            tap_stride: self.phase.dilation * self.g.channels,
            bytes: run,
            outputs: self.g.outputs,
            w: &part.w,
            group: self.group,
            bias: &part.bias,
            signed: &part.signed,
            y_stride: self.y_stride(),
        };
        match numbers {
            _ if job.rows == 0 => {}
            Numbers::Bytes => {
                let x = &x[self.window(self.inside.start)..];
                let mut store = results.store(y, self.result(self.inside.start));
                threads::integer(self.threads, level, &Integer { x, ..job }, &mut store);
            }
            Numbers::Words => self.widened(level, job, results, y, scratch),
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
            let job = Integer { x: &*scratch, x_stride: bytes, rows, taps: 1, bytes, ..job };
            tile::integer(level, &job, &mut results.store(y, self.result(row)));
        }
    }

    /// The windows inside, block by block: what a block reads becomes words once.
    fn widened(
        &self,
        level: Level,
        job: Integer<'_>,
        results: &Results,
        y: &mut [u8],
        scratch: &mut [u8],
    ) {
        for row in self.inside.clone().step_by(BLOCK) {
            let rows = BLOCK.min(self.inside.end - row);
            let length = span(self.phase, rows) * self.g.channels;
            let read = &job.x[self.window(row)..][..length];
            tile::widen(level, read, bytemuck::cast_slice_mut(scratch));
            let job = Integer {
                x: &*scratch,
                x_stride: 2 * job.x_stride,
                rows,
                tap_stride: 2 * job.tap_stride,
                bytes: 2 * job.bytes,
                ..job
            };
            tile::integer(level, &job, &mut results.store(y, self.result(row)));
        }
    }
}

/// Windows whose input becomes words at once: few enough to stay near, and whole tiles.
const BLOCK: usize = 24;

/// Rows of the input that `rows` windows reach over.
fn span(phase: &Phase, rows: usize) -> usize {
    (rows - 1) * phase.step + (phase.taps.len() - 1) * phase.dilation + 1
}

/// Numbers that a block of windows reads.
pub(super) fn block(phase: &Phase, channels: usize) -> usize {
    if phase.taps.is_empty() { 0 } else { span(phase, BLOCK) * channels }
}
