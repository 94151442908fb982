//! A verified program, loaded: its weights found, its memory planned, its kernels chosen.

use alloc::{boxed::Box, collections::BTreeMap, format, string::String, vec::Vec};

use mote_format::{
    Dtype, Model, Op, ValueId, Verified,
    container::{Element, Tensor, f16},
    program::{Program, Value, Weights},
};

use crate::{
    execute::Instance,
    fast::{Level, Product},
    kernels::quantized::unpack_i4,
    plan::Plan,
};

/// Why a verified program cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The model has no such entry point.
    #[error("wanted a program `{wanted}`, found {}", names(found))]
    NoProgram {
        /// The name that was asked for.
        wanted: String,
        /// The names that there are.
        found: Vec<String>,
    },
    /// The bytes of the file begin at an odd address, so weights cannot be read in place.
    #[error("tensor `{tensor}` does not begin at a multiple of the size of its elements")]
    Misaligned {
        /// The first such tensor.
        tensor: String,
    },
    /// An entry point has another signature than its caller needs.
    #[error("program `{program}`: wanted `{port}` of shape {wanted:?}, found {}", shape(found.as_deref()))]
    Port {
        /// The entry point.
        program: String,
        /// The input or output.
        port: &'static str,
        /// The shape that was wanted.
        wanted: Vec<usize>,
        /// The shape that it has, or `None` if there is no such port.
        found: Option<Vec<usize>>,
    },
    /// The model was distilled to one number of evaluations and cannot take another.
    #[error("the model was distilled to {wanted} evaluations, found {found}")]
    Evaluations {
        /// The number that it takes.
        wanted: usize,
        /// The number that was asked for.
        found: usize,
    },
    /// What is known cannot count so much in this model.
    #[error(
        "guidance is a number of at least 0, for models that go along a path (diffusion, energy); found {strength}"
    )]
    Guidance {
        /// What was asked for.
        strength: String,
    },
}

fn names(found: &[String]) -> String {
    if found.is_empty() { "none".into() } else { found.join(", ") }
}

fn shape(found: Option<&[usize]>) -> String {
    found.map_or("none".into(), |shape| format!("{shape:?}"))
}

/// A program with its weights and its memory plan. Loading is the last time that anything fails.
#[derive(Clone, Debug)]
pub struct Loaded<'m> {
    program: &'m Verified,
    /// For each value where it is while the program runs.
    places: Vec<Place<'m>>,
    plan: Plan,
    level: Level,
    /// For each operation what was made of its weights, where the level wants them in another order.
    pub(crate) prepared: Vec<Prepared>,
    /// For each operation whether it may run once for all samples of a batch.
    pub(crate) at_once: Vec<bool>,
}

/// Where a value is while a program runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'m> {
    /// In the file, the same for all samples.
    File(&'m [u8]),
    /// In the arena, for one sample: the first byte, and how many.
    Arena(usize, usize),
}

/// What loading makes of the weights of an operation.
#[derive(Clone, Debug)]
pub(crate) enum Prepared {
    /// They are read in place.
    InPlace,
    /// `i4` times the factors of their groups, in the order of the file.
    Unpacked(Vec<i16>),
    /// Those of half precision, in the order of the file.
    Widened(Vec<f32>),
    /// In the order in which a fast kernel reads them.
    Packed(Box<Product>),
}

impl<'m> Loaded<'m> {
    /// Finds the weights of the program `name`, plans its memory and takes the fastest kernels that
    /// this machine has. Those read weights in an order of their own, for which they are copied;
    /// see [`Self::at`] for a way without a copy.
    ///
    /// # Errors
    ///
    /// [`LoadError::NoProgram`], or [`LoadError::Misaligned`] where the model was read to an address
    /// that is no multiple of four.
    pub fn new(model: &'m Model<'m>, name: &str) -> Result<Self, LoadError> {
        Self::at(Level::best(), model, name)
    }

    /// The same with kernels of this level. [`Level::Plain`] uses the weights in place, as they lie
    /// in the file, and copies none but those of four bits and of half precision.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn at(level: Level, model: &'m Model<'m>, name: &str) -> Result<Self, LoadError> {
        let program = model.programs.get(name).ok_or_else(|| LoadError::NoProgram {
            wanted: name.into(),
            found: model.programs.keys().cloned().collect(),
        })?;
        Self::from_parts(level, program, &model.tensors)
    }

    /// Loads a program that is not part of a model file.
    ///
    /// # Errors
    ///
    /// [`LoadError::Misaligned`].
    ///
    /// # Panics
    ///
    /// If the program was verified against other tensors.
    pub fn from_parts(
        level: Level,
        program: &'m Verified,
        tensors: &BTreeMap<String, Tensor<'m>>,
    ) -> Result<Self, LoadError> {
        let plan = Plan::new(program);
        let place = |(i, value): (usize, &Value)| match &value.tensor {
            Some(name) => bytes(name, tensors).map(Place::File),
            None => {
                let place = plan.place(ValueId(i as u32));
                Ok(Place::Arena(place.start, place.len()))
            }
        };
        let places = program.values.iter().enumerate().map(place).collect::<Result<_, _>>()?;
        let at_once = program.ops.iter().map(|op| at_once(program, op)).collect();
        let prepared = Vec::new();
        let mut loaded = Self { program, places, plan, level, prepared, at_once };
        loaded.prepared = program.ops.iter().map(|op| loaded.prepare(op)).collect();
        Ok(loaded)
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &'m Verified {
        self.program
    }

    /// Where everything lies in the arena.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Which kernels run.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// Bytes of the arena for one sample, as planned; [`Instance::arena_bytes`] tells what one takes
    /// that runs a single sample fast.
    #[must_use]
    pub fn arena_bytes(&self) -> usize {
        self.plan.bytes()
    }

    /// Bytes that kernels use beside the arena, whatever the batch.
    #[must_use]
    pub fn scratch_bytes(&self) -> usize {
        let scratch = |prepared: &Prepared| match prepared {
            Prepared::Packed(product) => product.scratch_bytes(),
            _ => 0,
        };
        self.prepared.iter().map(scratch).max().unwrap_or(0)
    }

    /// Bytes of weights that were copied into another order.
    #[must_use]
    pub fn packed_bytes(&self) -> usize {
        let bytes = |prepared: &Prepared| match prepared {
            Prepared::InPlace => 0,
            Prepared::Unpacked(w) => size_of_val(w.as_slice()),
            Prepared::Widened(w) => size_of_val(w.as_slice()),
            Prepared::Packed(product) => product.weight_bytes(),
        };
        self.prepared.iter().map(bytes).sum()
    }

    /// Takes the arena; after that, running allocates nothing.
    #[must_use]
    pub fn instance(self) -> Instance<'m> {
        self.batch(1)
    }

    /// The same for up to `batch` samples at once.
    ///
    /// # Panics
    ///
    /// If `batch` is zero.
    #[must_use]
    pub fn batch(mut self, batch: usize) -> Instance<'m> {
        for prepared in &mut self.prepared {
            if let Prepared::Packed(product) = prepared {
                product.regroup(self.level, batch.max(1));
            }
        }
        Instance::new(self, batch)
    }

    /// The elements of a tensor of the file; empty for what lies in the arena.
    pub(crate) fn tensor<T: Element>(&self, id: ValueId) -> &'m [T] {
        match self.places[id.index()] {
            Place::File(bytes) => bytemuck::cast_slice(bytes),
            Place::Arena(..) => &[],
        }
    }

    /// Where values are while the program runs.
    pub(crate) fn places(&self) -> &[Place<'m>] {
        &self.places
    }

    fn prepare(&self, op: &Op) -> Prepared {
        let made = match (four_bits(op), half(op, self.program)) {
            (Some(weights), _) => self.unpack(op, weights).map(Prepared::Unpacked),
            (None, Some(w)) => Some(Prepared::Widened(self.widen(w))),
            (None, None) => None,
        };
        let made = made.unwrap_or(Prepared::InPlace);
        let packed = match self.level {
            Level::Plain => None,
            _ => Product::new(self, op, &made),
        };
        packed.map_or(made, |product| Prepared::Packed(Box::new(product)))
    }

    fn widen(&self, w: ValueId) -> Vec<f32> {
        self.tensor::<f16>(w).iter().map(|w| w.to_f32()).collect()
    }

    fn unpack(&self, op: &Op, weights: &Weights) -> Option<Vec<i16>> {
        let groups = self.tensor(weights.groups?);
        let shape = self.program.shape(weights.w);
        let (rows, blocks, inputs) = match (op, shape) {
            (Op::QuantizedConvTranspose1d { .. }, &[k, o, i]) => (k, o, i),
            _ => (shape[0], 1, shape[1..].iter().product()),
        };
        Some(unpack_i4(self.tensor(weights.w), groups, rows, blocks, inputs))
    }
}

/// The bytes of a tensor, which can be read as its elements.
fn bytes<'m>(name: &str, tensors: &BTreeMap<String, Tensor<'m>>) -> Result<&'m [u8], LoadError> {
    let tensor = &tensors[name];
    let aligned = match tensor.dtype {
        Dtype::F32 => tensor.elements::<f32>().is_some(),
        Dtype::I32 => tensor.elements::<i32>().is_some(),
        Dtype::F16 => tensor.elements::<f16>().is_some(),
        Dtype::I8 | Dtype::U8 | Dtype::I4 => true,
    };
    aligned.then_some(tensor.bytes).ok_or_else(|| LoadError::Misaligned { tensor: name.into() })
}

/// Whether the samples of a batch are to `op` what the rows of one sample are: then it need not know
/// where one ends.
fn at_once(program: &Verified, op: &Op) -> bool {
    let mut computed = true;
    op.for_each_operand(|x| computed &= program.values[x.index()].tensor.is_none());
    match op {
        Op::Unary { .. }
        | Op::Affine { .. }
        | Op::Clamp { .. }
        | Op::Softmax { .. }
        | Op::Slice { .. }
        | Op::Concat { .. }
        | Op::Reduce { .. }
        | Op::CumulativeSum { .. }
        | Op::Reshape { .. }
        | Op::Slope { .. }
        | Op::Quantize { .. }
        | Op::Dequantize { .. }
        | Op::QuantizedAdd { .. } => computed,
        Op::Lookup { x, .. } | Op::LayerNorm { x, .. } => {
            program.values[x.index()].tensor.is_none()
        }
        Op::Binary { a, b, y, .. } => {
            let whole = |id| program.shape(id) == program.shape(*y);
            // A constant that is one row meets each row, of whatever sample.
            let row = program.shape(*b).last() == program.shape(*y).last()
                && program.shape(*b).iter().rev().skip(1).all(|&n| n == 1);
            whole(*a)
                && program.values[a.index()].tensor.is_none()
                && (whole(*b) && computed || row && !computed && program.shape(*y).len() > 1)
        }
        _ => false,
    }
}

/// The weights of a layer, if they are of half precision.
fn half(op: &Op, program: &Program) -> Option<ValueId> {
    match op {
        Op::Linear { w, .. } | Op::Conv1d { w, .. } | Op::ConvTranspose1d { w, .. } => {
            (program.dtype(*w) == Dtype::F16).then_some(*w)
        }
        _ => None,
    }
}

fn four_bits(op: &Op) -> Option<&Weights> {
    match op {
        Op::QuantizedLinear { weights, .. }
        | Op::QuantizedConv1d { weights, .. }
        | Op::QuantizedConvTranspose1d { weights, .. } => weights.groups.map(|_| weights),
        _ => None,
    }
}
