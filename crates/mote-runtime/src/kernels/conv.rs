//! Linear layers and convolutions over time: dot products of weights with rows that lie together.

use super::dot;

/// `y[r, o] = bias[o] + Σ_i x[r, i] · w[o, i]`.
///
/// `x`: `(rows, inputs)`, `w`: `(outputs, inputs)`, `y`: `(rows, outputs)`.
pub fn linear(x: &[f32], w: &[f32], bias: Option<&[f32]>, inputs: usize, y: &mut [f32]) {
    if inputs == 0 {
        return fill_bias(bias, y);
    }
    let outputs = w.len() / inputs;
    for (x, y) in x.chunks_exact(inputs).zip(y.chunks_exact_mut(outputs.max(1))) {
        row(x, w, bias, y);
    }
}

/// One output row: `y[o] = bias[o] + x · w[o]`, where `w` has rows as long as `x`.
fn row(x: &[f32], w: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
    for (o, (y, w)) in y.iter_mut().zip(w.chunks_exact(x.len())).enumerate() {
        *y = bias.map_or(0.0, |b| b[o]) + dot(x, w);
    }
}

/// The geometry of a convolution over time.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Channels of a row of the input.
    pub inputs: usize,
    /// Channels of a row of the output.
    pub outputs: usize,
    /// Taps.
    pub kernel: usize,
    /// Input rows between two windows.
    pub stride: usize,
    /// Input rows between two taps.
    pub dilation: usize,
    /// Rows of zeros in front.
    pub before: usize,
}

/// `y[t, o] = bias[o] + Σ_k Σ_i x[t·stride + k·dilation - before, i] · w[o, k, i]`.
///
/// `x`: `(time, inputs)`, `w`: `(outputs, kernel, inputs)`, `y`: `(time', outputs)`. Where the
/// taps lie side by side and inside the input, a window is one run of memory and one dot product.
pub fn conv1d(x: &[f32], w: &[f32], bias: Option<&[f32]>, g: Window, y: &mut [f32]) {
    let (span, time) = (g.kernel * g.inputs, x.len() / g.inputs.max(1));
    if span == 0 {
        return fill_bias(bias, y);
    }
    for (t, y) in y.chunks_exact_mut(g.outputs.max(1)).enumerate() {
        let start = (t * g.stride).wrapping_sub(g.before);
        if g.dilation == 1 && start < time && start + g.kernel <= time {
            row(&x[start * g.inputs..][..span], w, bias, y);
            continue;
        }
        for (o, (y, w)) in y.iter_mut().zip(w.chunks_exact(span)).enumerate() {
            let mut sum = bias.map_or(0.0, |b| b[o]);
            for (k, w) in w.chunks_exact(g.inputs).enumerate() {
                let at = start.wrapping_add(k * g.dilation);
                if at < time {
                    sum += dot(&x[at * g.inputs..][..g.inputs], w);
                }
            }
            *y = sum;
        }
    }
}

/// `y[t·stride + k - before, o] += x[t, i] · w[k, o, i]`, begun at `bias[o]`.
///
/// `x`: `(time, inputs)`, `w`: `(kernel, outputs, inputs)`, `y`: `(time', outputs)`. `dilation`
/// must be one.
pub fn conv_transpose1d(x: &[f32], w: &[f32], bias: Option<&[f32]>, g: Window, y: &mut [f32]) {
    fill_bias(bias, y);
    if g.inputs == 0 || g.outputs == 0 {
        return;
    }
    let time = y.len() / g.outputs;
    for (t, x) in x.chunks_exact(g.inputs).enumerate() {
        for (k, w) in w.chunks_exact(g.outputs * g.inputs).enumerate() {
            let at = (t * g.stride + k).wrapping_sub(g.before);
            if at < time {
                let y = &mut y[at * g.outputs..][..g.outputs];
                for (y, w) in y.iter_mut().zip(w.chunks_exact(g.inputs)) {
                    *y += dot(x, w);
                }
            }
        }
    }
}

fn fill_bias(bias: Option<&[f32]>, y: &mut [f32]) {
    match bias {
        Some(bias) if !bias.is_empty() => {
            y.chunks_exact_mut(bias.len()).for_each(|y| y.copy_from_slice(bias));
        }
        _ => y.fill(0.0),
    }
}
