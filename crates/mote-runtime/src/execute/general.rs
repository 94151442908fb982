//! Any operation in its general form: shapes are looked at while it runs, kernels are the plain ones.

use mote_format::{
    Dtype, Op, Quantization, ValueId,
    container::Element,
    program::{Unary, Weights},
};

use crate::{
    fast,
    kernels::{
        self, Window,
        quantized::{self, Integers, Layer, Results, Sum},
    },
    load::{Loaded, Place, Prepared},
};

/// Runs operation `i`.
pub(super) fn run(
    loaded: &Loaded<'_>,
    places: &[Place<'_>],
    batch: usize,
    i: usize,
    arena: &mut [u8],
) {
    let op = &loaded.program().ops[i];
    let Place::Arena(start, length) = places[op.result().index()] else {
        unreachable!("verified: no operation writes a tensor of the file")
    };
    let end = start + length * batch;
    let (before, rest) = arena.split_at_mut(start);
    let (y, after) = rest.split_at_mut(end - start);
    let mut at = Around { loaded, places, before, after, after_start: end, batch, sample: None };
    if loaded.at_once[i] {
        return step(&at, op, &loaded.prepared[i], y);
    }
    for (sample, y) in y.chunks_exact_mut(length.max(1)).enumerate() {
        at.sample = Some(sample);
        step(&at, op, &loaded.prepared[i], y);
    }
}

/// The arena around the result that is being written: everything else can be read.
struct Around<'a, 'm> {
    loaded: &'a Loaded<'m>,
    places: &'a [Place<'m>],
    before: &'a [u8],
    after: &'a [u8],
    after_start: usize,
    batch: usize,
    /// Which sample of the batch is read; all of them without.
    sample: Option<usize>,
}

impl<'a> Around<'a, '_> {
    /// The bytes of a value other than the result.
    fn bytes(&self, id: ValueId) -> &'a [u8] {
        let (first, length) = match self.places[id.index()] {
            Place::File(bytes) => return bytes,
            Place::Arena(first, length) => (first, length),
        };
        let (start, length) = match self.sample {
            Some(sample) => (first + sample * length, length),
            None => (first, length * self.batch),
        };
        match start.checked_sub(self.after_start) {
            Some(start) if length > 0 => &self.after[start..start + length],
            _ => &self.before[start.min(self.before.len())..][..length],
        }
    }

    /// The elements of a value other than the result, as its type says.
    fn read<T: Element>(&self, id: ValueId) -> &'a [T] {
        bytemuck::cast_slice(self.bytes(id))
    }

    fn shape(&self, id: ValueId) -> &'a [usize] {
        self.loaded.program().shape(id)
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

    fn quantization(&self, id: ValueId) -> Quantization {
        let quantization = self.loaded.program().values[id.index()].quantization;
        quantization.expect("verified: activations in bytes say what they stand for")
    }

    fn results<'y>(&self, id: ValueId, y: &'y mut [u8]) -> Results<'y> {
        match self.loaded.program().dtype(id) {
            Dtype::F32 => Results::F32(bytemuck::cast_slice_mut(y)),
            _ => Results::I8(bytemuck::cast_slice_mut(y), self.quantization(id)),
        }
    }
}

/// Runs `op` for one sample.
fn step(at: &Around<'_, '_>, op: &Op, prepared: &Prepared, y: &mut [u8]) {
    match op {
        Op::Slice { .. } | Op::Concat { .. } | Op::Reshape { .. } | Op::Permute { .. } => {
            match at.loaded.program().dtype(op.result()) {
                Dtype::F32 => move_numbers::<f32>(at, op, bytemuck::cast_slice_mut(y)),
                _ => move_numbers::<i8>(at, op, bytemuck::cast_slice_mut(y)),
            }
        }
        Op::Quantize { .. }
        | Op::Dequantize { .. }
        | Op::QuantizedAdd { .. }
        | Op::Lookup { .. } => bytes_step(at, op, y),
        Op::QuantizedLinear { .. }
        | Op::QuantizedConv1d { .. }
        | Op::QuantizedConvTranspose1d { .. } => quantized_layer(at, op, prepared, y),
        _ => real_step(at, op, prepared, bytemuck::cast_slice_mut(y)),
    }
}

/// Operations on real numbers.
fn real_step(at: &Around<'_, '_>, op: &Op, prepared: &Prepared, y: &mut [f32]) {
    match op {
        Op::Linear { .. } | Op::Conv1d { .. } | Op::ConvTranspose1d { .. } => {
            real_layer(at, op, prepared, y);
        }
        Op::LayerNorm { x, gain, bias, epsilon, .. } => {
            let (level, bias) = (at.loaded.level(), bias.map(|b| at.read(b)));
            fast::layer_norm(level, at.read(*x), at.read(*gain), bias, *epsilon, y);
        }
        Op::Softmax { x, .. } => fast::softmax(at.loaded.level(), at.read(*x), at.width(*x), y),
        Op::Attention { q, k, v, bias, before, .. } => {
            let attention = kernels::Attention {
                keys: at.read(*k),
                values: at.read(*v),
                bias: at.read(*bias),
                width: at.width(*q),
                outputs: at.width(*v),
                heads: at.shape(*q)[1],
                before: *before,
            };
            fast::attention(at.loaded.level(), &attention, at.read(*q), y);
        }
        Op::Unary { x, f, .. } => {
            y.copy_from_slice(at.read(*x));
            fast::unary_in_place(at.loaded.level(), *f, y);
        }
        Op::Affine { x, scale, offset, .. } => kernels::affine(*scale, *offset, at.read(*x), y),
        Op::Clamp { x, low, high, .. } => kernels::clamp(*low, *high, at.read(*x), y),
        Op::Binary { a, b, f, y: id } => {
            let (a, b) = ((at.read(*a), at.shape(*a)), (at.read(*b), at.shape(*b)));
            kernels::binary(*f, a, b, (y, at.shape(*id)));
        }
        Op::Reduce { x, f, axis, .. } => {
            let (length, inner) = at.axis(*x, *axis);
            fast::reduce(at.loaded.level(), *f, at.read(*x), length, inner, y);
        }
        Op::CumulativeSum { x, axis, reverse, .. } => {
            let (length, inner) = at.axis(*x, *axis);
            match reverse {
                true => kernels::cumulative_sum(at.read(*x), length, inner, true, y),
                false => fast::cumulative_sum(at.loaded.level(), at.read(*x), length, inner, y),
            }
        }
        _ => adjoint(at, op, y),
    }
}

/// Operations that gradients are made of.
fn adjoint(at: &Around<'_, '_>, op: &Op, y: &mut [f32]) {
    let level = at.loaded.level();
    match op {
        Op::Product { a, b, y: id, turned } => {
            let shared = at.shape(*a)[usize::from(!turned[0])];
            let sizes = [at.shape(*id)[0], shared, at.shape(*id)[1]];
            fast::product(level, at.read(*a), at.read(*b), sizes, *turned, y);
        }
        Op::Unfold { x, kernel, stride, dilation, padding, .. } => {
            kernels::unfold(
                at.read(*x),
                taps(at.width(*x), *kernel, *stride, *dilation, *padding),
                y,
            );
        }
        Op::Fold { x, y: id, kernel, stride, dilation, padding } => {
            kernels::fold(
                at.read(*x),
                taps(at.width(*id), *kernel, *stride, *dilation, *padding),
                y,
            );
        }
        Op::Expand { x, y: id } => {
            kernels::expand((at.read(*x), at.shape(*x)), (y, at.shape(*id)));
        }
        Op::Pad { x, y: id, axis, padding } => {
            let (taken, inner) = at.axis(*x, *axis);
            kernels::pad(at.read(*x), taken, inner, padding[0], at.shape(*id)[*axis], y);
        }
        Op::Slope { x, g, f, .. } => fast::slope(level, *f, at.read(*x), at.read(*g), y),
        _ => unreachable!("verified: `{}` does not write real numbers", op.name()),
    }
}

/// The geometry of windows that are only moved.
fn taps(
    channels: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    padding: [usize; 2],
) -> Window {
    Window { inputs: channels, outputs: channels, kernel, stride, dilation, before: padding[0] }
}

/// Layers with weights in the order of the file.
fn real_layer(at: &Around<'_, '_>, op: &Op, prepared: &Prepared, y: &mut [f32]) {
    let weights = |w: ValueId| match prepared {
        Prepared::Widened(w) => w,
        _ => at.read(w),
    };
    let activation = match op {
        Op::Linear { x, w, bias, activation, .. } => {
            kernels::linear(at.read(*x), weights(*w), bias.map(|b| at.read(b)), at.width(*x), y);
            activation
        }
        Op::Conv1d { x, w, bias, stride, dilation, padding, activation, .. } => {
            let g = conv_window(at.shape(*w), *stride, *dilation, padding[0]);
            kernels::conv1d(at.read(*x), weights(*w), bias.map(|b| at.read(b)), g, y);
            activation
        }
        Op::ConvTranspose1d { x, w, bias, stride, trim, activation, .. } => {
            let g = transposed_window(at.shape(*w), *stride, trim[0]);
            kernels::conv_transpose1d(at.read(*x), weights(*w), bias.map(|b| at.read(b)), g, y);
            activation
        }
        _ => unreachable!("only layers come here"),
    };
    activation.iter().for_each(|f: &Unary| fast::unary_in_place(at.loaded.level(), *f, y));
}

/// Layers of integers with weights in the order of the file.
fn quantized_layer(at: &Around<'_, '_>, op: &Op, prepared: &Prepared, y: &mut [u8]) {
    let layer = |x: ValueId, weights: &Weights, clamp: [i8; 2]| Layer {
        w: match prepared {
            Prepared::Unpacked(w) => Integers::I16(w),
            _ => Integers::I8(at.read(weights.w)),
        },
        x: at.quantization(x),
        scale: at.read(weights.scale),
        bias: weights.bias.map(|b| at.read(b)),
        clamp,
    };
    let y = &mut at.results(op.result(), y);
    match op {
        Op::QuantizedLinear { x, weights, clamp, .. } => {
            quantized::quantized_linear(at.read(*x), &layer(*x, weights, *clamp), at.width(*x), y);
        }
        Op::QuantizedConv1d { x, weights, y: id, clamp, stride, dilation, padding } => {
            let g = conv_window(at.shape(weights.w), *stride, *dilation, padding[0]);
            let (layer, rows) = (layer(*x, weights, *clamp), at.shape(*id)[0]);
            quantized::quantized_conv1d(at.read(*x), &layer, g, rows, y);
        }
        Op::QuantizedConvTranspose1d { x, weights, y: id, clamp, stride, trim } => {
            let g = transposed_window(at.shape(weights.w), *stride, trim[0]);
            let (layer, rows) = (layer(*x, weights, *clamp), at.shape(*id)[0]);
            quantized::quantized_conv_transpose1d(at.read(*x), &layer, g, rows, y);
        }
        _ => unreachable!("only layers of integers come here"),
    }
}

/// Operations on bytes, or from and to them, without weights.
fn bytes_step(at: &Around<'_, '_>, op: &Op, y: &mut [u8]) {
    let q = |id: &ValueId| at.quantization(*id);
    match op {
        Op::Quantize { x, y: id } => {
            quantized::quantize(at.read(*x), q(id), bytemuck::cast_slice_mut(y));
        }
        Op::Dequantize { x, .. } => {
            quantized::dequantize(at.read(*x), q(x), bytemuck::cast_slice_mut(y));
        }
        Op::QuantizedAdd { a, b, y: id, clamp } => {
            let sum = Sum::new([q(a), q(b)], q(id), *clamp);
            quantized::quantized_add(&sum, at.read(*a), at.read(*b), bytemuck::cast_slice_mut(y));
        }
        Op::Lookup { x, table, .. } => {
            quantized::lookup(at.read(*x), at.read(*table), bytemuck::cast_slice_mut(y));
        }
        _ => unreachable!("only operations on bytes come here"),
    }
}

/// Operations that only move numbers.
fn move_numbers<T: Element>(at: &Around<'_, '_>, op: &Op, y: &mut [T]) {
    match op {
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
            if let Place::File(_) = at.places[x.index()] {
                y.copy_from_slice(at.read(*x));
            }
        }
        Op::Permute { x, axes, .. } => kernels::permute(at.read(*x), at.shape(*x), axes, y),
        _ => unreachable!("only operations that move come here"),
    }
}

fn conv_window(w: &[usize], stride: usize, dilation: usize, before: usize) -> Window {
    let &[outputs, kernel, inputs] = w else { unreachable!("verified") };
    Window { inputs, outputs, kernel, stride, dilation, before }
}

fn transposed_window(w: &[usize], stride: usize, before: usize) -> Window {
    let &[kernel, outputs, inputs] = w else { unreachable!("verified") };
    Window { inputs, outputs, kernel, stride, dilation: 1, before }
}
