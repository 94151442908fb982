//! Thin layers beside thick ones, which learn in their place (Hu et al. 2021, LoRA, arXiv 2106.09685).
//!
//! A layer `W` becomes `W + B A`, where `A` leads to a few numbers and `B` from there: only these two are
//! trained, and what they add is merged into `W` in the end, but for zeros among others. A convolution is led to a few channels
//! and from there point by point; a transposed one point by point first.

use std::collections::BTreeMap;

use mote_format::{
    Array, Dtype, Op, Program, Tensors, ValueId, Verified,
    program::{Binary, Value},
    shape,
};

use crate::{Error, elements, integers::Layout, repair::is_masked, verified};

/// A program with adapters beside its layers.
pub(crate) struct Adapted {
    pub(crate) program: Verified,
    /// Those of the program, and of the adapters.
    pub(crate) tensors: Tensors,
    /// For each tensor of weights how it lies.
    layers: BTreeMap<String, Layout>,
    rank: usize,
}

impl Adapted {
    /// Adapters of `rank` beside all layers of `program`, which add nothing yet.
    pub(crate) fn new(
        program: &Verified,
        tensors: &Tensors,
        rank: usize,
        seed: u64,
    ) -> Result<Self, Error> {
        let (layers, tensors) = (BTreeMap::new(), tensors.clone());
        let mut made = (**program).clone();
        let ops = std::mem::take(&mut made.ops);
        let mut attach = Attach { made, tensors, layers, rank, state: seed.wrapping_add(1) };
        for op in &ops {
            attach.op(op);
        }
        let Attach { made, tensors, layers, .. } = attach;
        Ok(Self { program: verified(made, &tensors)?, tensors, layers, rank })
    }

    /// Whether a tensor is one of an adapter.
    pub(crate) fn is_adapter(&self, name: &str) -> bool {
        let of = |end| name.strip_suffix(end).is_some_and(|of| self.layers.contains_key(of));
        of(DOWN) || of(UP)
    }

    /// Adds what adapters add to the weights `tensors` of the program without them, but for those that are zero.
    pub(crate) fn merge(&self, tensors: &mut Tensors) {
        for (name, layout) in &self.layers {
            let of = |name: &str| elements(&self.tensors[name].tensor());
            let (down, up) = (of(&format!("{name}{DOWN}")), of(&format!("{name}{UP}")));
            let shape = tensors[name].tensor().shape.to_vec();
            let mut w = of(name);
            let zeros = is_masked(&w).then(|| w.clone());
            let runs = w.chunks_exact_mut(layout.inputs.max(1));
            for (run, up) in runs.zip(up.chunks_exact(self.rank)) {
                for (up, down) in up.iter().zip(down.chunks_exact(layout.inputs.max(1))) {
                    run.iter_mut().zip(down).for_each(|(w, down)| *w += up * down);
                }
            }
            for (w, before) in w.iter_mut().zip(zeros.iter().flatten()) {
                *w = if *before == 0.0 { 0.0 } else { *w };
            }
            tensors.insert(name.clone(), Array::new(shape, &w));
        }
    }
}

/// Whether a tensor is that of an adapter which is zero until it learns.
pub(crate) fn begins_at_zero(name: &str) -> bool {
    name.ends_with(UP)
}

/// What leads to a few numbers, and what from there.
const DOWN: &str = ".adapter.down";
const UP: &str = ".adapter.up";

struct Attach {
    made: Program,
    tensors: Tensors,
    layers: BTreeMap<String, Layout>,
    rank: usize,
    state: u64,
}

impl Attach {
    fn op(&mut self, op: &Op) {
        let layer = Layout::of(&self.made, op);
        let name = layer.and_then(|(w, _)| self.made.values[w.index()].tensor.clone());
        let (Some((w, layout)), Some(name)) = (layer, name) else {
            self.made.ops.push(op.clone());
            return;
        };
        let [down, up] = self.adapter(&name, w, layout);
        let mut whole = op.clone();
        let (Op::Linear { x, activation, .. }
        | Op::Conv1d { x, activation, .. }
        | Op::ConvTranspose1d { x, activation, .. }) = &mut whole
        else {
            unreachable!("only layers have a layout")
        };
        let (x, y, activation) = (*x, op.result(), activation.take());
        let shape = self.made.shape(y).to_vec();
        *whole.result_mut() = self.value(&shape);
        let a = whole.result();
        let (bias, no) = (None, None);
        let point = |x, w, y| Op::Linear { x, w, bias, y, activation: no };
        let [first, second]: [&dyn Fn(ValueId, ValueId, ValueId) -> Op; 2] = match *op {
            Op::Conv1d { stride, dilation, padding, .. } => [
                &move |x, w, y| Op::Conv1d {
                    x,
                    w,
                    bias,
                    y,
                    stride,
                    dilation,
                    padding,
                    activation: no,
                },
                &point,
            ],
            Op::ConvTranspose1d { stride, trim, .. } => [&point, &move |x, w, y| {
                Op::ConvTranspose1d { x, w, bias, y, stride, trim, activation: no }
            }],
            _ => [&point, &point],
        };
        self.made.ops.push(whole);
        let few = self.push(|y| first(x, down, y));
        let b = self.push(|y| second(few, up, y));
        let sum = if activation.is_some() { self.value(&shape) } else { y };
        self.made.ops.push(Op::Binary { a, b, y: sum, f: Binary::Add });
        if let Some(f) = activation {
            self.made.ops.push(Op::Unary { x: sum, y, f });
        }
    }

    /// The two tensors beside `w`: numbers drawn at random, and zeros. Weights that are read again have one
    /// adapter for all.
    fn adapter(&mut self, name: &str, w: ValueId, layout: Layout) -> [ValueId; 2] {
        let shape = self.made.shape(w).to_vec();
        let (rank, inputs) = (self.rank, layout.inputs);
        let mut ends = [shape.clone(), shape];
        match layout.transposed {
            true => (ends[0], ends[1][2]) = (vec![rank, inputs], rank),
            false => (ends[0][0], ends[1]) = (rank, vec![layout.rows, rank]),
        }
        if self.layers.insert(name.to_owned(), layout).is_none() {
            let scale = 1.0 / (inputs.max(1) as f32).sqrt();
            let down: Vec<f32> = (0..rank * inputs).map(|_| scale * self.random()).collect();
            let up = vec![0.0f32; layout.rows * layout.blocks * rank];
            self.tensors.insert(format!("{name}{DOWN}"), Array::new(ends[0].clone(), &down));
            self.tensors.insert(format!("{name}{UP}"), Array::new(ends[1].clone(), &up));
        }
        let tensor = |end: &str, shape| Value::tensor(format!("{name}{end}"), Dtype::F32, shape);
        let [down, up] = ends;
        [tensor(DOWN, down), tensor(UP, up)].map(|value| {
            self.made.values.push(value);
            ValueId(self.made.values.len() as u32 - 1)
        })
    }

    /// From -√3 to √3, so that the variance is one.
    fn random(&mut self) -> f32 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let unit = (self.state >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
        3f32.sqrt() * unit
    }

    fn value(&mut self, shape: &[usize]) -> ValueId {
        self.made.values.push(Value::f32(shape));
        ValueId(self.made.values.len() as u32 - 1)
    }

    fn push(&mut self, op: impl FnOnce(ValueId) -> Op) -> ValueId {
        let op = op(ValueId(self.made.values.len() as u32));
        let shape =
            shape::infer(&op, |id| self.made.shape(id)).expect("it reads what the layer reads");
        self.made.ops.push(op);
        self.value(&shape)
    }
}
