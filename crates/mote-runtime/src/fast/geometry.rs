//! Every layer as products of one matrix with windows of its input.
//!
//! A window is `taps` rows of the input, one after the other. A linear layer has windows of one row,
//! a convolution of `kernel` rows. A transposed convolution with stride `s` is `s` convolutions, one
//! for each place that a row of the output can have between two rows of the input: output row
//! `u = q · s + r - before` meets the taps `k = r + j · s` and the input rows `q - j`, so its window
//! is a run of input rows with the taps in falling order.

use alloc::{vec, vec::Vec};

use mote_format::Op;

/// A set of output rows whose windows meet the same weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Phase {
    /// For each row of the window, its tap in the weights of the layer.
    pub(crate) taps: Vec<usize>,
    /// The input row at which the first window begins; what is outside counts as zero.
    pub(crate) first: isize,
    /// Input rows between two windows.
    pub(crate) step: usize,
    /// Input rows between two taps.
    pub(crate) dilation: usize,
    /// The first output row.
    pub(crate) out_first: usize,
    /// Output rows between two results.
    pub(crate) out_step: usize,
    /// Windows.
    pub(crate) rows: usize,
}

/// The way of a layer from its input to its output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Numbers in a row of the input.
    pub(crate) channels: usize,
    /// Numbers in a row of the output.
    pub(crate) outputs: usize,
    /// Rows of the input, for one sample.
    pub(crate) time: usize,
    /// Rows of the output, for one sample.
    pub(crate) out_time: usize,
    /// Output rows are shared out among these.
    pub(crate) phases: Vec<Phase>,
    /// How far apart two taps and two outputs of the weights lie; inputs lie side by side.
    pub(crate) tap_stride: usize,
    pub(crate) output_stride: usize,
}

impl Geometry {
    /// The geometry of a layer from the shapes of its input, weights and output; `None` for what is
    /// no layer, and where one of its axes is empty.
    pub(crate) fn new(op: &Op, x: &[usize], w: &[usize], y: &[usize]) -> Option<Self> {
        if x.iter().chain(w).chain(y).any(|&n| n == 0) {
            return None;
        }
        match *op {
            Op::Linear { .. } | Op::QuantizedLinear { .. } => {
                let &[outputs, channels] = w else { return None };
                let time = x[..x.len() - 1].iter().product();
                Some(Self::convolution(channels, outputs, 1, time, time, (1, 1, 0)))
            }
            Op::Conv1d { stride, dilation, padding, .. }
            | Op::QuantizedConv1d { stride, dilation, padding, .. } => {
                let &[outputs, kernel, channels] = w else { return None };
                let way = (stride, dilation, padding[0]);
                Some(Self::convolution(channels, outputs, kernel, x[0], y[0], way))
            }
            Op::ConvTranspose1d { stride, trim, .. }
            | Op::QuantizedConvTranspose1d { stride, trim, .. } => {
                let &[kernel, outputs, channels] = w else { return None };
                Some(Self {
                    channels,
                    outputs,
                    time: x[0],
                    out_time: y[0],
                    // One for each of the first output rows; the stride may be beyond the last.
                    phases: (0..stride.min(y[0]))
                        .map(|first| transposed(kernel, stride, trim[0], first, y[0]))
                        .collect(),
                    tap_stride: outputs * channels,
                    output_stride: channels,
                })
            }
            _ => None,
        }
    }

    fn convolution(
        channels: usize,
        outputs: usize,
        kernel: usize,
        time: usize,
        rows: usize,
        (step, dilation, before): (usize, usize, usize),
    ) -> Self {
        let phase = Phase {
            taps: (0..kernel).collect(),
            first: -(before as isize),
            step,
            dilation,
            out_first: 0,
            out_step: 1,
            rows,
        };
        Self {
            channels,
            outputs,
            time,
            out_time: rows,
            phases: vec![phase],
            tap_stride: channels,
            output_stride: kernel * channels,
        }
    }
}

/// The output rows `first`, `first + stride`, … of a transposed convolution.
fn transposed(kernel: usize, stride: usize, before: usize, first: usize, out_time: usize) -> Phase {
    let (q, r) = ((first + before) / stride, (first + before) % stride);
    let taps: Vec<usize> = (r..kernel).step_by(stride).rev().collect();
    Phase {
        first: q as isize + 1 - taps.len() as isize,
        taps,
        step: 1,
        dilation: 1,
        out_first: first,
        out_step: stride,
        rows: (out_time - first).div_ceil(stride),
    }
}

impl Phase {
    /// Whether the rows of a window lie side by side in the input.
    pub(crate) fn is_dense(&self) -> bool {
        self.dilation == 1 || self.taps.len() == 1
    }

    /// The runs of numbers that a window is, and how long they are.
    pub(crate) fn runs(&self, channels: usize) -> (usize, usize) {
        let taps = self.taps.len();
        if self.is_dense() { (1, taps * channels) } else { (taps, channels) }
    }

    /// The windows that lie inside an input of `time` rows; none if they have no rows.
    pub(crate) fn inside(&self, time: usize) -> core::ops::Range<usize> {
        let taps = self.taps.len();
        if taps == 0 {
            return 0..0;
        }
        let span = ((taps - 1) * self.dilation) as isize + 1;
        let step = self.step as isize;
        let begin = (-self.first).max(0).unsigned_abs().div_ceil(self.step);
        let last = time as isize - span - self.first;
        let end = if last < 0 { 0 } else { (last / step) as usize + 1 };
        begin.min(self.rows)..end.min(self.rows).max(begin.min(self.rows))
    }
}
