//! Layers: weights become packed matrices, and zero points part of the biases.

use mote_format::{
    Dtype, Op, Quantization, ValueId,
    container::f16,
    dtype::{GROUP, multiplier},
    program::{Unary, Weights},
};

use super::Lowering;
use crate::{
    error::Error,
    pack::{self, Group, Rows},
    steps::{Finish, Geometry, Layer, Matrix, Order, Product, Step, What, Windows},
    tables::{Table, TableId},
};

/// The parts of a layer that its kind decides.
#[derive(Clone, Debug)]
struct Form {
    windows: Windows,
    outputs: usize,
    /// For each phase the places of the weights of each output, one run of inputs after the other.
    phases: Vec<Phase>,
}

/// Which weights of the file one phase meets.
#[derive(Clone, Copy, Debug)]
struct Phase {
    /// Runs of weights that lie side by side in the file, for each output.
    runs: usize,
    /// Weights in a run.
    inputs: usize,
    /// The first weight of the first run of the first output.
    first: usize,
    /// From one output to the next.
    output_step: usize,
    /// Back from one run to the next.
    run_step: usize,
}

impl Phase {
    /// Where each run of an output begins.
    fn starts(&self, o: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.runs).map(move |run| self.first + o * self.output_step - run * self.run_step)
    }

    fn rows<T: Copy>(&self, w: &[T], outputs: usize) -> Rows<T> {
        let row = |o| self.starts(o).flat_map(|start| w[start..start + self.inputs].to_vec());
        let weights = (0..outputs).flat_map(row).collect();
        Rows { weights, outputs, inputs: self.runs * self.inputs }
    }
}

impl Lowering<'_, '_> {
    pub(super) fn layer(&mut self, op: &Op) -> Result<(), Error> {
        match op {
            Op::Linear { x, w, bias, y, activation }
            | Op::Conv1d { x, w, bias, y, activation, .. }
            | Op::ConvTranspose1d { x, w, bias, y, activation, .. } => {
                self.real_layer(op, (*x, *w, *y), *bias, *activation)
            }
            Op::QuantizedLinear { x, weights, y, clamp }
            | Op::QuantizedConv1d { x, weights, y, clamp, .. }
            | Op::QuantizedConvTranspose1d { x, weights, y, clamp, .. } => {
                self.integer_layer(op, *x, weights, *y, *clamp)
            }
            _ => unreachable!("`{}` is no layer", op.name()),
        }
    }

    fn real_layer(
        &mut self,
        op: &Op,
        (x, w, y): (ValueId, ValueId, ValueId),
        bias: Option<ValueId>,
        activation: Option<Unary>,
    ) -> Result<(), Error> {
        let form = self.form(op, x, w, 0);
        let bias = bias.map_or(Ok(vec![0.0; form.outputs]), |b| self.f32(b))?;
        let bias = self.tables.f32(bias);
        let (product, matrices) = match self.program.dtype(w) {
            Dtype::F16 => {
                let bits: Vec<u16> = self.tensor::<f16>(w)?.iter().map(|w| w.to_bits()).collect();
                let matrices = reals(&form, &bits, bias, |bits| {
                    self.tables.add(Table::Halves(pack::pairs(&bits)))
                });
                (Product::Half, matrices)
            }
            _ => {
                let weights = self.f32(w)?;
                (Product::Real, reals(&form, &weights, bias, |w| self.tables.f32(w)))
            }
        };
        self.push_layer(op, x, form, matrices, product)?;
        if let Some(f) = activation {
            let y = self.place(y)?;
            let comment = format!("{} of {}", f_name(f), op.name());
            self.steps.push(Step { comment, xs: vec![], y, what: What::Activate(f) });
        }
        Ok(())
    }

    fn integer_layer(
        &mut self,
        op: &Op,
        x: ValueId,
        weights: &Weights,
        y: ValueId,
        clamp: [i8; 2],
    ) -> Result<(), Error> {
        let of_x = self.quantization(x);
        let form = self.form(op, x, weights.w, of_x.zero_point);
        let bias = match weights.bias {
            Some(bias) => self.tensor::<i32>(bias)?.to_vec(),
            None => vec![0; form.outputs],
        };
        let scale = self.f32(weights.scale)?;
        let (order, matrices) = match weights.groups {
            Some(groups) => self.four_bits(&form, weights.w, groups, &bias, of_x)?,
            None => self.eight_bits(&form, weights.w, &bias, of_x)?,
        };
        let finish = if self.program.dtype(y) == Dtype::F32 {
            let scale = scale.iter().map(|s| of_x.scale * s);
            Finish::Reals { scale: self.tables.f32(scale) }
        } else {
            let of_y = self.quantization(y);
            let each = scale.iter().map(|&s| multiplier(of_x.scale, s, of_y.scale));
            let multiplier = self.tables.add(Table::I32(each.collect()));
            Finish::Bytes { multiplier, zero_point: of_y.zero_point, clamp }
        };
        self.push_layer(op, x, form, matrices, Product::Integer { order, finish })
    }

    fn push_layer(
        &mut self,
        op: &Op,
        x: ValueId,
        form: Form,
        matrices: Vec<Matrix>,
        product: Product,
    ) -> Result<(), Error> {
        if !matches!(form.windows, Windows::Rows { .. }) {
            let inputs = matrices.iter().map(|m| m.inputs).max().unwrap_or(0);
            let bytes = self.program.dtype(x).bytes(inputs);
            self.gathered_bytes = self.gathered_bytes.max(bytes);
        }
        let (windows, outputs) = (form.windows, form.outputs);
        self.push(op, &[x], What::Layer(Layer { windows, outputs, matrices, product }))
    }

    fn eight_bits(
        &mut self,
        form: &Form,
        w: ValueId,
        bias: &[i32],
        of_x: Quantization,
    ) -> Result<(Order, Vec<Matrix>), Error> {
        let w = self.tensor::<i8>(w)?;
        let native = !w.contains(&-128);
        let mut matrices = Vec::new();
        for phase in &form.phases {
            let rows = phase.rows(w, form.outputs);
            let table = match pack::native(&rows).filter(|_| native) {
                Some(native) => Table::Native(native),
                None => Table::Bytes(pack::rows(&rows)),
            };
            let sums = (0..form.outputs).map(|o| rows.row(o).iter().map(|&w| i32::from(w)).sum());
            let bias = self.bias(fold(bias, sums, of_x));
            let weights = self.tables.add(table);
            matrices.push(Matrix { weights, bias, inputs: rows.inputs });
        }
        Ok((if native { Order::Native } else { Order::Rows }, matrices))
    }

    fn four_bits(
        &mut self,
        form: &Form,
        w: ValueId,
        groups: ValueId,
        bias: &[i32],
        of_x: Quantization,
    ) -> Result<(Order, Vec<Matrix>), Error> {
        let shape = self.program.shape(w);
        let packed = self.four_bit_tensor(w);
        let factors = self.tensor::<u8>(groups)?;
        // Along the first axis every row begins with a new byte.
        let row = shape[1..].iter().product::<usize>();
        let weight = |i: usize| {
            let byte = packed[i / row * row.div_ceil(2) + i % row / 2];
            (if (i % row).is_multiple_of(2) { byte << 4 } else { byte & 0xF0 }) as i8 >> 4
        };
        let mut matrices = Vec::new();
        for phase in &form.phases {
            let per_run = phase.inputs.div_ceil(GROUP);
            let group = |start: usize, g: usize| {
                let run = start + g * GROUP..start + phase.inputs.min((g + 1) * GROUP);
                let factor = factors[start / phase.inputs * per_run + g];
                Group { factor, weights: run.map(weight).collect() }
            };
            let of_run = |start: usize| (0..per_run).map(move |g| group(start, g));
            let of_output = |o| phase.starts(o).flat_map(of_run).collect::<Vec<_>>();
            let outputs: Vec<Vec<Group>> = (0..form.outputs).map(of_output).collect();
            let sums = outputs.iter().map(|groups| groups.iter().map(worth).sum());
            let bias = self.tables.add(Table::I32(fold(bias, sums, of_x)));
            let weights = self.tables.add(Table::Native(pack::native4(&outputs)));
            matrices.push(Matrix { weights, bias, inputs: phase.runs * phase.inputs });
        }
        Ok((Order::Native4, matrices))
    }

    /// The packed bytes of a four-bit tensor.
    fn four_bit_tensor(&self, id: ValueId) -> Vec<u8> {
        let name = self.program.values[id.index()].tensor.as_ref();
        self.tensors[name.expect("verified: weights are tensors of the file")].bytes.to_vec()
    }

    fn form(&self, op: &Op, x: ValueId, w: ValueId, fill: i8) -> Form {
        let (shape, time) = (self.program.shape(w), self.program.shape(x)[0]);
        match (op, shape) {
            (
                Op::Conv1d { stride, dilation, padding, .. }
                | Op::QuantizedConv1d { stride, dilation, padding, .. },
                &[outputs, taps, inputs],
            ) => {
                let (stride, dilation, before) = (*stride, *dilation, padding[0]);
                let geometry = Geometry { time, inputs, taps, stride, dilation, before, fill };
                let phases = vec![Phase::whole(taps * inputs)];
                let windows = match self.ring_of(x) {
                    Some(ring) => Windows::Ring { ring, geometry },
                    None => Windows::Conv(geometry),
                };
                Form { windows, outputs, phases }
            }
            (
                Op::ConvTranspose1d { stride, trim, .. }
                | Op::QuantizedConvTranspose1d { stride, trim, .. },
                &[taps, outputs, inputs],
            ) => {
                let (stride, before) = (*stride, trim[0]);
                let geometry = Geometry { time, inputs, taps, stride, dilation: 1, before, fill };
                let phase = |phase| Phase::transposed(phase, taps, stride, outputs, inputs);
                // A stride may be longer than all that comes out.
                let last = before.saturating_add(self.program.shape(op.result())[0]);
                let phases = (0..stride.min(last)).map(phase).collect();
                Form { windows: Windows::Transposed(geometry), outputs, phases }
            }
            _ => {
                let (outputs, inputs) = (shape[0], shape[1]);
                let phases = vec![Phase::whole(inputs)];
                Form { windows: Windows::Rows { inputs }, outputs, phases }
            }
        }
    }
}

impl Phase {
    /// All weights of each output are one run.
    fn whole(inputs: usize) -> Self {
        Self { runs: 1, inputs, first: 0, output_step: inputs, run_step: 0 }
    }

    /// Every `stride`-th tap from `phase` on, the last one first, out of `(taps, outputs, inputs)`.
    fn transposed(phase: usize, taps: usize, stride: usize, outputs: usize, inputs: usize) -> Self {
        let runs = (taps + stride - 1 - phase) / stride;
        let last = phase + runs.saturating_sub(1) * stride;
        let tap = outputs * inputs;
        Self { runs, inputs, first: last * tap, output_step: inputs, run_step: stride * tap }
    }
}

/// The matrix of each phase, whose weights become tables.
fn reals<T: Copy + Default>(
    form: &Form,
    weights: &[T],
    bias: TableId,
    mut table: impl FnMut(Vec<T>) -> TableId,
) -> Vec<Matrix> {
    let matrix = |phase: &Phase| {
        let rows = phase.rows(weights, form.outputs);
        Matrix { weights: table(pack::reals(&rows)), bias, inputs: rows.inputs }
    };
    form.phases.iter().map(matrix).collect()
}

/// `bias - zero_point · Σ w`: what sums of raw bytes begin with.
fn fold(bias: &[i32], sums: impl Iterator<Item = i32>, of_x: Quantization) -> Vec<i32> {
    let zero_point = i32::from(of_x.zero_point);
    let one = |(bias, sum): (&i32, i32)| bias.wrapping_sub(sum.wrapping_mul(zero_point));
    bias.iter().zip(sums).map(one).collect()
}

/// The sum of what the weights of a group are worth.
fn worth(group: &Group) -> i32 {
    let sum: i32 = group.weights.iter().map(|&w| i32::from(w)).sum();
    sum * i32::from(group.factor)
}

fn f_name(f: Unary) -> String {
    format!("{f:?}").to_lowercase()
}
