//! Writes the program of integers.

use std::{cell::RefCell, collections::BTreeMap};

use mote_format::{
    Array, Dtype, Op, Program, Tensors, ValueId,
    program::{Unary, Value, Weights},
};

use super::{
    grid::Grids,
    plan::{Plan, Way, rectified, way},
    width::Widths,
};
use crate::{
    Bits, Found, elements,
    gram::{Gram, Grams},
    integers::{Integers, Layout, integers, pack, scales},
};

/// A bias stays below this in steps of its layer, so that no sum overflows because of it.
const BIAS_LIMIT: f32 = (1u32 << 29) as f32;

/// What is known of the inputs of layers.
#[derive(Clone, Copy)]
pub(super) struct Read<'a> {
    /// By which weights make up for each other; none where they do not.
    pub(super) grams: &'a Grams,
    /// By which biases make up for weights; none where they do not.
    pub(super) means: &'a Grams,
    /// Where weights have learned to be rounded.
    pub(super) grids: &'a Grids,
    /// Weights that were rounded before, for other ranges: seldom do these change how.
    pub(super) rounded: &'a RefCell<BTreeMap<String, Integers>>,
}

pub(super) struct Emitter<'a> {
    program: &'a Program,
    tensors: &'a Found<'a>,
    plan: Plan,
    widths: Widths,
    read: Read<'a>,
    made: Program,
    arrays: Tensors,
    /// For each value of `program` its number in `made`, as real numbers and as bytes.
    real: Vec<Option<ValueId>>,
    bytes: Vec<Option<ValueId>>,
}

impl<'a> Emitter<'a> {
    pub(super) fn new(
        program: &'a Program,
        tensors: &'a Found<'a>,
        plan: Plan,
        widths: Widths,
        read: Read<'a>,
    ) -> Self {
        let (values, ops) = (Vec::new(), Vec::new());
        let (inputs, outputs) = (Vec::new(), Vec::new());
        let made = Program { name: program.name.clone(), values, inputs, outputs, ops };
        let nothing = vec![None; program.values.len()];
        let (real, bytes) = (nothing.clone(), nothing);
        let mut emitter = Self {
            program,
            tensors,
            plan,
            widths,
            read,
            made,
            arrays: Tensors::new(),
            real,
            bytes,
        };
        emitter.include_constants();
        emitter.widen();
        emitter
    }

    pub(super) fn run(mut self) -> (Program, Tensors) {
        for port in &self.program.inputs {
            let id = self.push(Value::f32(self.program.shape(port.value)));
            self.real[port.value.index()] = Some(id);
            self.made.inputs.push(mote_format::program::Port { value: id, ..port.clone() });
        }
        for op in &self.program.ops {
            let in_bytes = self.plan.in_bytes(op.result());
            match way(self.program, op) {
                Way::Layer => self.layer(op),
                Way::Through if in_bytes => self.through(op),
                Way::Move if in_bytes => self.copy(op, Self::as_bytes),
                _ => self.copy(op, Self::as_real),
            }
        }
        for port in &self.program.outputs {
            let value = self.as_real(port.value);
            self.made.outputs.push(mote_format::program::Port { value, ..port.clone() });
        }
        (self.made, self.arrays)
    }

    /// Tensors that are moved together with bytes are bytes too.
    fn include_constants(&mut self) {
        for op in &self.program.ops {
            if way(self.program, op) == Way::Move {
                op.for_each_operand(|x| {
                    if let Some(name) = &self.program.values[x.index()].tensor {
                        elements(&self.tensors[name])
                            .into_iter()
                            .for_each(|v| self.plan.include(op.result(), v));
                    }
                });
            }
        }
    }

    /// Results are at least twice as coarse as the products that make them, as multipliers need.
    /// What one layer widens, the next may read, so this is repeated until nothing changes; ranges
    /// only grow towards the front of a chain, so there are no more rounds than operations.
    fn widen(&mut self) {
        for _ in 0..=self.program.ops.len() {
            let mut changed = false;
            for op in &self.program.ops {
                let y = op.result();
                if way(self.program, op) == Way::Layer && self.plan.in_bytes(y) {
                    let (x, _) = self.operands(op);
                    let (w, layout, least) = self.weights(op);
                    let scales = scales(&w, layout, self.width(op), &least);
                    let coarsest = scales.into_iter().fold(0.0f32, f32::max);
                    let step = 2.0 * self.plan.quantization(x).scale * coarsest;
                    changed |= self.plan.widen(y, step);
                }
            }
            if !changed {
                return;
            }
        }
    }

    fn push(&mut self, value: Value) -> ValueId {
        self.made.values.push(value);
        ValueId(self.made.values.len() as u32 - 1)
    }

    /// Stores a tensor under `name`, or under that and a number where it is taken by another one.
    fn array(&mut self, name: &str, dtype: Dtype, shape: &[usize], array: Array) -> ValueId {
        let free = |name: &String| self.arrays.get(name).is_none_or(|stored| *stored == array);
        let name = (0..)
            .map(|i| if i == 0 { name.to_owned() } else { format!("{name}.{i}") })
            .find(free)
            .expect("there are more numbers than tensors");
        self.arrays.insert(name.clone(), array);
        let known = |v: &Value| v.tensor.as_ref() == Some(&name);
        match self.made.values.iter().position(known) {
            Some(at) => ValueId(at as u32),
            None => self.push(Value::tensor(name, dtype, shape)),
        }
    }

    /// The value as real numbers.
    fn as_real(&mut self, id: ValueId) -> ValueId {
        if let Some(known) = self.real[id.index()] {
            return known;
        }
        let shape = self.program.shape(id);
        let made = match &self.program.values[id.index()].tensor {
            Some(name) => {
                let array = Array::new(shape, &elements(&self.tensors[name]));
                self.array(name, Dtype::F32, shape, array)
            }
            None => {
                let x = self.bytes[id.index()].expect("written before it is read");
                let y = self.push(Value::f32(shape));
                self.made.ops.push(Op::Dequantize { x, y });
                y
            }
        };
        self.real[id.index()] = Some(made);
        made
    }

    /// The value as bytes.
    fn as_bytes(&mut self, id: ValueId) -> ValueId {
        if let Some(known) = self.bytes[id.index()] {
            return known;
        }
        let (shape, q) = (self.program.shape(id), self.plan.quantization(id));
        let made = match &self.program.values[id.index()].tensor {
            Some(name) => {
                let bytes: Vec<i8> =
                    elements(&self.tensors[name]).into_iter().map(|x| q.quantize(x)).collect();
                let made = self.array(
                    &format!("{name}.bytes"),
                    Dtype::I8,
                    shape,
                    Array::new(shape, &bytes),
                );
                self.made.values[made.index()].quantization = Some(q);
                made
            }
            None => {
                let x = self.as_real(id);
                let y = self.push(Value::i8(shape, q));
                self.made.ops.push(Op::Quantize { x, y });
                y
            }
        };
        self.bytes[id.index()] = Some(made);
        made
    }

    /// The new number of what `op` writes, in the form that the plan says.
    fn result(&mut self, op: &Op) -> ValueId {
        let (id, shape) = (op.result(), self.program.shape(op.result()));
        if self.plan.in_bytes(id) {
            let y = self.push(Value::i8(shape, self.plan.quantization(id)));
            self.bytes[id.index()] = Some(y);
            return y;
        }
        let y = self.push(Value::f32(shape));
        self.real[id.index()] = Some(y);
        y
    }

    /// The same operation on operands in this form.
    fn copy(&mut self, op: &Op, form: impl Fn(&mut Self, ValueId) -> ValueId) {
        let mut op = op.clone();
        op.for_each_operand_mut(|x| *x = form(self, *x));
        let y = self.result(&op);
        *op.result_mut() = y;
        self.made.ops.push(op);
    }

    /// A function of one number as a table, a sum as one of bytes.
    fn through(&mut self, op: &Op) {
        let made = match *op {
            Op::Unary { x, y, f } => {
                let (from, to) = (self.plan.quantization(x), self.plan.quantization(y));
                let mut reals: Vec<f32> = (-128..=127).map(|q| from.dequantize(q)).collect();
                mote_runtime::kernels::unary_in_place(f, &mut reals);
                let table: Vec<i8> = reals.into_iter().map(|y| to.quantize(y)).collect();
                let array = Array::new([256], &table);
                let name = format!("{}.table.{}", self.program.name, y.0);
                let (x, table) = (self.as_bytes(x), self.array(&name, Dtype::I8, &[256], array));
                Op::Lookup { x, table, y: self.result(op) }
            }
            Op::Binary { a, b, .. } => {
                let (a, b) = (self.as_bytes(a), self.as_bytes(b));
                Op::QuantizedAdd { a, b, y: self.result(op), clamp: [-128, 127] }
            }
            _ => unreachable!("only these work on bytes"),
        };
        self.made.ops.push(made);
    }

    /// The input of a layer and its weights.
    fn operands(&self, op: &Op) -> (ValueId, ValueId) {
        match op {
            Op::Linear { x, w, .. }
            | Op::Conv1d { x, w, .. }
            | Op::ConvTranspose1d { x, w, .. } => (*x, *w),
            _ => unreachable!("only layers have weights"),
        }
    }

    fn bias(&self, op: &Op) -> Option<(&'a str, Vec<f32>)> {
        let (Op::Linear { bias, .. } | Op::Conv1d { bias, .. } | Op::ConvTranspose1d { bias, .. }) =
            op
        else {
            return None;
        };
        let name = self.program.values[(*bias)?.index()].tensor.as_deref()?;
        Some((name, elements(&self.tensors[name])))
    }

    fn layout(&self, op: &Op) -> Layout {
        Layout::of(self.program, op).expect("only layers have weights").1
    }

    fn width(&self, op: &Op) -> Bits {
        let (_, w) = self.operands(op);
        self.widths.of(self.program.values[w.index()].tensor.as_deref().unwrap_or_default())
    }

    /// The weights of a layer, how they lie, and the least scale of each output for the input that the plan
    /// says.
    fn weights(&self, op: &Op) -> (Vec<f32>, Layout, Vec<f32>) {
        let (x, w) = self.operands(op);
        let name = self.program.values[w.index()].tensor.as_ref().expect("verified");
        let layout = self.layout(op);
        let step = self.plan.quantization(x).scale;
        let mut least = vec![f32::MIN_POSITIVE; layout.outputs()];
        if let Some((_, bias)) = self.bias(op) {
            for (least, bias) in least.iter_mut().zip(bias) {
                *least = least.max(bias.abs() / step / BIAS_LIMIT);
            }
        }
        (elements(&self.tensors[name]), layout, least)
    }

    fn integers(&self, op: &Op) -> Integers {
        let (w, layout, least) = self.weights(op);
        let (_, id) = self.operands(op);
        let name = self.program.values[id.index()].tensor.as_deref().unwrap_or_default();
        // But where sums of the learned scales would not hold the bias.
        let holds = |made: &Integers| made.scale.iter().zip(&least).all(|(s, least)| s >= least);
        if let Some(learned) = self.read.grids.integers(name, &w).filter(holds) {
            return learned;
        }
        let scale = scales(&w, layout, self.width(op), &least);
        let same = |known: &&Integers| known.scale == scale;
        if let Some(known) = self.read.rounded.borrow().get(name).filter(same) {
            return known.clone();
        }
        let factor = self.read.grams.of(name).map(Gram::factor);
        let made = integers(&w, layout, self.width(op), &least, factor.as_ref());
        self.read.rounded.borrow_mut().insert(name.to_owned(), made.clone());
        made
    }

    /// What each output of a layer lacks in the mean because its weights were rounded.
    fn shifts(&self, op: &Op, made: &Integers) -> Vec<f32> {
        let (w, layout, _) = self.weights(op);
        let (_, id) = self.operands(op);
        let name = self.program.values[id.index()].tensor.as_deref().unwrap_or_default();
        let mut shifts = vec![0.0; layout.outputs()];
        let Some(means) = self.read.means.of(name).map(Gram::means) else { return shifts };
        let rounded = made.reals(layout);
        // Each output of a transposed convolution meets one in so many taps.
        let meets = match op {
            Op::ConvTranspose1d { stride, .. } => 1.0 / *stride as f32,
            _ => 1.0,
        };
        for (o, start) in layout.runs() {
            let run = start..start + layout.inputs;
            let lost = w[run.clone()].iter().zip(&rounded[run]).map(|(w, rounded)| w - rounded);
            shifts[o] +=
                meets * lost.zip(&means).map(|(lost, mean)| lost * *mean as f32).sum::<f32>();
        }
        shifts
    }

    fn layer(&mut self, op: &Op) {
        let (x, w) = self.operands(op);
        let (shape, layout) = (self.program.shape(w), self.layout(op));
        let made = self.integers(op);
        let step = self.plan.quantization(x).scale;
        let name = self.program.values[w.index()].tensor.clone().expect("verified");
        let (dtype, stored) = match &made.groups {
            None => (Dtype::I8, Array::new(shape, &made.w)),
            Some(_) => {
                let packed = pack(&made.w, layout.rows);
                (Dtype::I4, Array::new(Dtype::I4.stored(shape).1, &packed))
            }
        };
        let outputs = layout.outputs();
        let shifts = self.shifts(op, &made);
        let bias = self.bias(op).map(|(name, mut bias)| {
            bias.iter_mut().zip(shifts).for_each(|(bias, shift)| *bias += shift);
            let round = |(b, s): (f32, &f32)| {
                (f64::from(b) / (f64::from(step) * f64::from(*s))).round_ties_even() as i32
            };
            (name, bias.into_iter().zip(&made.scale).map(round).collect::<Vec<_>>())
        });
        let groups = made.groups.as_ref().map(|groups| {
            let per_run = groups.len() / (layout.rows * layout.blocks).max(1);
            let shape = match layout.transposed {
                true => vec![layout.rows, layout.blocks, per_run],
                false => vec![layout.rows, per_run],
            };
            let array = Array::new(shape.clone(), groups);
            self.array(&format!("{name}.groups"), Dtype::U8, &shape, array)
        });
        let weights = Weights {
            w: self.array(&name, dtype, shape, stored),
            scale: self.array(
                &format!("{name}.scale"),
                Dtype::F32,
                &[outputs],
                Array::new([outputs], &made.scale),
            ),
            groups,
            bias: bias.map(|(name, bias)| {
                self.array(name, Dtype::I32, &[outputs], Array::new([outputs], &bias))
            }),
        };
        let x = self.as_bytes(x);
        self.integer_layer(op, x, weights);
    }

    fn integer_layer(&mut self, op: &Op, x: ValueId, weights: Weights) {
        let (Op::Linear { activation, y, .. }
        | Op::Conv1d { activation, y, .. }
        | Op::ConvTranspose1d { activation, y, .. }) = op
        else {
            unreachable!("only layers have weights")
        };
        let (in_bytes, relu) = (self.plan.in_bytes(*y), rectified(*activation));
        let low = if in_bytes && relu { self.plan.quantization(*y).zero_point } else { -128 };
        let mut y = self.result(op);
        // Real numbers are rectified by an operation of their own.
        let result = y;
        if relu && !in_bytes {
            y = self.push(Value::f32(self.program.shape(op.result())));
        }
        let clamp = [low, 127];
        self.made.ops.push(match *op {
            Op::Conv1d { stride, dilation, padding, .. } => {
                Op::QuantizedConv1d { x, weights, y, clamp, stride, dilation, padding }
            }
            Op::ConvTranspose1d { stride, trim, .. } => {
                Op::QuantizedConvTranspose1d { x, weights, y, clamp, stride, trim }
            }
            _ => Op::QuantizedLinear { x, weights, y, clamp },
        });
        if y != result {
            self.made.ops.push(Op::Unary { x: y, y: result, f: Unary::Relu });
        }
    }
}
