//! Firmware before it is printed: steps over places in the arena and tables of numbers.

use std::ops::Range;

use mote_format::{
    Dtype, Quantization,
    program::{Binary, Reduction, Unary},
};

use crate::tables::{TableId, Tables};

/// A program as steps.
#[derive(Clone, Debug)]
pub(crate) struct Firmware {
    pub(crate) program: String,
    pub(crate) inputs: Vec<Port>,
    pub(crate) outputs: Vec<Port>,
    /// What is remembered from one run to the next.
    pub(crate) states: Vec<State>,
    /// Rings among the states; where the oldest row of each lies is known when it runs.
    pub(crate) rings: usize,
    pub(crate) arena_bytes: usize,
    /// The largest window of a layer whose rows do not always lie side by side.
    pub(crate) gathered_bytes: usize,
    pub(crate) tables: Tables,
    pub(crate) steps: Vec<Step>,
    pub(crate) multiply_adds: u64,
}

impl Firmware {
    /// The layers, each with the number of its step.
    pub(crate) fn layers(&self) -> impl Iterator<Item = (usize, &Layer)> {
        self.steps.iter().enumerate().filter_map(|(i, step)| match &step.what {
            What::Layer(layer) => Some((i, layer)),
            _ => None,
        })
    }
}

/// What crosses the border.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) quantization: Option<Quantization>,
    pub(crate) place: Place,
}

/// What begins as real zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    pub(crate) place: Place,
    /// The byte for zero.
    pub(crate) zero: i8,
}

/// Where the elements of a value lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) real: bool,
    pub(crate) elements: usize,
    pub(crate) at: At,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum At {
    /// From this byte of the arena on, a multiple of four.
    Arena(usize),
    Table(TableId),
}

impl Place {
    pub(crate) fn dtype(&self) -> Dtype {
        if self.real { Dtype::F32 } else { Dtype::I8 }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.dtype().bytes(self.elements)
    }

    /// Its words in the arena, if it lies there.
    pub(crate) fn words(&self) -> Option<Range<usize>> {
        match self.at {
            At::Arena(byte) => Some(byte / 4..byte / 4 + self.bytes().div_ceil(4)),
            At::Table(_) => None,
        }
    }
}

/// One thing to do.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// The operation and its shapes, for a comment.
    pub(crate) comment: String,
    pub(crate) xs: Vec<Place>,
    pub(crate) y: Place,
    pub(crate) what: What,
}

/// The lengths of four axes, or the steps along them.
pub(crate) type Axes = [usize; 4];

#[derive(Clone, Debug)]
pub(crate) enum What {
    Layer(Layer),
    Activate(Unary),
    Map(Unary),
    Affine {
        scale: f32,
        offset: f32,
    },
    Clamp {
        low: f32,
        high: f32,
    },
    Zip {
        f: Binary,
    },
    Broadcast {
        f: Binary,
        lengths: Axes,
        a: Axes,
        b: Axes,
    },
    Fold {
        f: Reduction,
        outer: usize,
        length: usize,
        inner: usize,
    },
    CumulativeSum {
        outer: usize,
        length: usize,
        inner: usize,
        reverse: bool,
    },
    Softmax {
        width: usize,
    },
    LayerNorm {
        width: usize,
        gain: TableId,
        bias: TableId,
        epsilon: f32,
    },
    /// Queries, keys, values and the bias are what is read.
    Attention(Attention),
    Quantize(Quantization),
    Dequantize(Quantization),
    Lookup {
        table: TableId,
    },
    Add {
        a: Addend,
        b: Addend,
        zero_point: i8,
        clamp: [i8; 2],
    },
    CopyBlocks(Blocks),
    Permute {
        lengths: Axes,
        steps: Axes,
    },
    /// A row takes the place of the oldest one of a ring.
    Push {
        ring: usize,
    },
    /// The oldest row of a ring.
    Oldest {
        ring: usize,
    },
}

/// As `mote_runtime::micro::attention::Attention`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attention {
    pub(crate) heads: usize,
    pub(crate) width: usize,
    pub(crate) outputs: usize,
    pub(crate) before: usize,
    /// The rings that keys and values lie in.
    pub(crate) rings: [Option<usize>; 2],
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Addend {
    pub(crate) zero_point: i8,
    pub(crate) multiplier: i32,
}

/// Blocks of `n` numbers: from where, and how far apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocks {
    pub(crate) x_start: usize,
    pub(crate) x_step: usize,
    pub(crate) y_start: usize,
    pub(crate) y_step: usize,
    pub(crate) blocks: usize,
    pub(crate) n: usize,
}

impl Blocks {
    /// All of a value.
    pub(crate) fn one(n: usize) -> Self {
        Self { x_start: 0, x_step: n, y_start: 0, y_step: n, blocks: 1, n }
    }
}

/// A matrix that meets windows of a series.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) windows: Windows,
    pub(crate) outputs: usize,
    /// One; for a transposed convolution one for each phase.
    pub(crate) matrices: Vec<Matrix>,
    pub(crate) product: Product,
}

impl Layer {
    /// Whether a table says where the weights of its phases lie: of more than a few the stack would not hold it.
    pub(crate) fn has_table_of_phases(&self) -> bool {
        self.matrices.len() > 4
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Windows {
    /// Every row is a window.
    Rows {
        inputs: usize,
    },
    Conv(Geometry),
    Transposed(Geometry),
    /// One window, from the oldest row of a ring on.
    Ring {
        ring: usize,
        geometry: Geometry,
    },
}

/// As `mote_runtime::micro::window::Geometry`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Geometry {
    pub(crate) time: usize,
    pub(crate) inputs: usize,
    pub(crate) taps: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
    pub(crate) before: usize,
    /// The byte for zero.
    pub(crate) fill: i8,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix {
    pub(crate) weights: TableId,
    pub(crate) bias: TableId,
    pub(crate) inputs: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Product {
    Real,
    /// Weights of half precision.
    Half,
    Integer {
        order: Order,
        finish: Finish,
    },
}

/// In which order the weights lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The one that the processor likes best.
    Native,
    Rows,
    /// The same for four bits.
    Native4,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Finish {
    Bytes { multiplier: TableId, zero_point: i8, clamp: [i8; 2] },
    Reals { scale: TableId },
}
