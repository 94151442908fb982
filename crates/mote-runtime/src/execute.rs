//! A verified program, loaded: its weights found in place, its memory planned, ready to run.

use alloc::{collections::BTreeMap, format, string::String, vec, vec::Vec};

use mote_format::{Model, Op, ValueId, Verified, container::Tensor};

use crate::{
    kernels::{self, Window},
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
    #[error("tensor `{tensor}` does not begin at a multiple of four bytes")]
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
    /// For each value its elements in the file; empty for what lies in the arena.
    weights: Vec<&'m [f32]>,
    plan: Plan,
}

impl<'m> Loaded<'m> {
    /// Finds the weights of the program `name` and plans its memory.
    ///
    /// # Errors
    ///
    /// [`LoadError::NoProgram`], or [`LoadError::Misaligned`] where the model was read to an address
    /// that is no multiple of four.
    pub fn new(model: &'m Model<'m>, name: &str) -> Result<Self, LoadError> {
        let program = model.programs.get(name).ok_or_else(|| LoadError::NoProgram {
            wanted: name.into(),
            found: model.programs.keys().cloned().collect(),
        })?;
        Self::from_parts(program, &model.tensors)
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
        program: &'m Verified,
        tensors: &BTreeMap<String, Tensor<'m>>,
    ) -> Result<Self, LoadError> {
        let weights = program
            .values
            .iter()
            .map(|value| match &value.tensor {
                None => Ok(&[][..]),
                Some(name) => tensors[name]
                    .as_f32()
                    .ok_or_else(|| LoadError::Misaligned { tensor: name.clone() }),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { program, weights, plan: Plan::new(program) })
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &'m Verified {
        self.program
    }

    /// Bytes of the arena: all the memory that running needs beside the weights.
    #[must_use]
    pub fn arena_bytes(&self) -> usize {
        self.plan.elements() * size_of::<f32>()
    }

    /// Takes the arena; after that, running allocates nothing.
    #[must_use]
    pub fn instance(self) -> Instance<'m> {
        let arena = vec![0.0; self.plan.elements()];
        Instance { loaded: self, arena }
    }
}

/// A loaded program with its arena: fill the inputs, run, read the outputs.
#[derive(Clone, Debug)]
pub struct Instance<'m> {
    loaded: Loaded<'m>,
    arena: Vec<f32>,
}

impl<'m> Instance<'m> {
    /// The program that it runs.
    #[must_use]
    pub fn program(&self) -> &'m Verified {
        self.loaded.program
    }

    /// Bytes of the arena.
    #[must_use]
    pub fn arena_bytes(&self) -> usize {
        self.loaded.arena_bytes()
    }

    /// The memory of an input, to be filled before each run: running may overwrite it.
    #[must_use]
    pub fn input(&mut self, id: ValueId) -> &mut [f32] {
        &mut self.arena[self.loaded.plan.place(id)]
    }

    /// An output, valid after a run until the next one.
    #[must_use]
    pub fn output(&self, id: ValueId) -> &[f32] {
        match self.loaded.weights[id.index()] {
            [] => &self.arena[self.loaded.plan.place(id)],
            weights => weights,
        }
    }

    /// Runs every operation once, in order. Allocates nothing, cannot fail.
    pub fn run(&mut self) {
        for op in &self.loaded.program.ops {
            step(&self.loaded, op, &mut self.arena);
        }
    }
}

/// The arena around the result that is being written: everything else can be read.
struct Around<'a, 'm> {
    loaded: &'a Loaded<'m>,
    before: &'a [f32],
    after: &'a [f32],
    after_start: usize,
}

impl<'a> Around<'a, '_> {
    /// The elements of a value other than the result.
    fn read(&self, id: ValueId) -> &'a [f32] {
        let weights = self.loaded.weights[id.index()];
        if !weights.is_empty() {
            return weights;
        }
        let place = self.loaded.plan.place(id);
        if place.end <= self.before.len() {
            &self.before[place]
        } else {
            &self.after[place.start - self.after_start..place.end - self.after_start]
        }
    }

    fn shape(&self, id: ValueId) -> &'a [usize] {
        self.loaded.program.shape(id)
    }

    /// The length of an axis and the number of elements behind it.
    fn axis(&self, id: ValueId, axis: usize) -> (usize, usize) {
        let shape = self.shape(id);
        (shape[axis], shape[axis + 1..].iter().product())
    }

    /// The length of the last axis.
    fn width(&self, id: ValueId) -> usize {
        self.shape(id).last().copied().unwrap_or(1)
    }
}

fn step(loaded: &Loaded<'_>, op: &Op, arena: &mut [f32]) {
    let place = loaded.plan.place(op.result());
    let after_start = place.end;
    let (before, rest) = arena.split_at_mut(place.start);
    let (y, after) = rest.split_at_mut(place.len());
    let at = Around { loaded, before, after, after_start };
    match op {
        Op::Linear { x, w, bias, .. } => {
            kernels::linear(at.read(*x), at.read(*w), bias.map(|b| at.read(b)), at.width(*x), y);
        }
        Op::Conv1d { x, w, bias, stride, dilation, padding, .. } => {
            let &[outputs, kernel, inputs] = at.shape(*w) else { unreachable!("verified") };
            let (stride, dilation, before) = (*stride, *dilation, padding[0]);
            let g = Window { inputs, outputs, kernel, stride, dilation, before };
            kernels::conv1d(at.read(*x), at.read(*w), bias.map(|b| at.read(b)), g, y);
        }
        Op::ConvTranspose1d { x, w, bias, stride, trim, .. } => {
            let &[kernel, outputs, inputs] = at.shape(*w) else { unreachable!("verified") };
            let g =
                Window { inputs, outputs, kernel, stride: *stride, dilation: 1, before: trim[0] };
            kernels::conv_transpose1d(at.read(*x), at.read(*w), bias.map(|b| at.read(b)), g, y);
        }
        Op::LayerNorm { x, gain, bias, epsilon, .. } => {
            kernels::layer_norm(at.read(*x), at.read(*gain), bias.map(|b| at.read(b)), *epsilon, y);
        }
        Op::Softmax { x, .. } => kernels::softmax(at.read(*x), at.width(*x), y),
        Op::Unary { x, f, .. } => kernels::unary(*f, at.read(*x), y),
        Op::Affine { x, scale, offset, .. } => kernels::affine(*scale, *offset, at.read(*x), y),
        Op::Clamp { x, low, high, .. } => kernels::clamp(*low, *high, at.read(*x), y),
        Op::Binary { a, b, f, y: id } => {
            let (a, b) = ((at.read(*a), at.shape(*a)), (at.read(*b), at.shape(*b)));
            kernels::binary(*f, a, b, (y, at.shape(*id)));
        }
        Op::Reduce { x, f, axis, .. } => {
            let (length, inner) = at.axis(*x, *axis);
            kernels::reduce(*f, at.read(*x), length, inner, y);
        }
        Op::Slice { x, axis, start, end, .. } => {
            let (length, inner) = at.axis(*x, *axis);
            kernels::slice(at.read(*x), length, inner, *start, end - start, y);
        }
        Op::Concat { xs, axis, y: id } => {
            let (length, inner) = at.axis(*id, *axis);
            let mut start = 0;
            for x in xs {
                let (taken, _) = at.axis(*x, *axis);
                kernels::concat(at.read(*x), taken, inner, start, length, y);
                start += taken;
            }
        }
        // The plan gave both the same memory, unless a tensor of the file is reshaped.
        Op::Reshape { x, .. } => {
            let weights = loaded.weights[x.index()];
            if !weights.is_empty() {
                y.copy_from_slice(weights);
            }
        }
        Op::Permute { x, axes, .. } => kernels::permute(at.read(*x), at.shape(*x), axes, y),
    }
}
