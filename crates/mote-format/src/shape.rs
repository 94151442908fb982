//! Shape rules: for each operation, the shape of its result from the shapes that it reads.

use alloc::{format, string::String, vec::Vec};

use crate::{
    dtype::GROUP,
    limits,
    program::{Op, ValueId, Weights},
};

/// The number of elements of `shape`, or `None` if it is beyond [`limits::ELEMENTS`].
///
/// An empty axis does not excuse the others: what they span has to be within the limit too, because
/// kernels loop over some axes at a time.
#[must_use]
pub fn elements(shape: &[usize]) -> Option<usize> {
    let span = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d.max(1)))?;
    (span <= limits::ELEMENTS).then(|| shape.iter().product())
}

/// The shape that both broadcast to, or `None` if they do not.
#[must_use]
pub fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let axis = |s: &[usize], i: usize| (i + s.len()).checked_sub(rank).map_or(1, |j| s[j]);
    (0..rank)
        .map(|i| match (axis(a, i), axis(b, i)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

/// The number of rows that a convolution yields, or `None` if the kernel does not fit, or a step or
/// the padded series is beyond [`limits::ELEMENTS`], which kernels count on.
#[must_use]
pub fn conv_rows(
    time: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    padding: [usize; 2],
) -> Option<usize> {
    let steps = 1..=limits::ELEMENTS;
    if kernel == 0 || !steps.contains(&stride) || !steps.contains(&dilation) {
        return None;
    }
    let padded = time.checked_add(padding[0])?.checked_add(padding[1])?;
    if padded > limits::ELEMENTS {
        return None;
    }
    let span = (kernel - 1).checked_mul(dilation)?.checked_add(1)?;
    Some(padded.checked_sub(span)? / stride + 1)
}

/// The number of rows that a transposed convolution yields, or `None` if too many are cut off, or the
/// rows before that are beyond [`limits::ELEMENTS`], which kernels count on.
#[must_use]
pub fn conv_transpose_rows(
    time: usize,
    kernel: usize,
    stride: usize,
    trim: [usize; 2],
) -> Option<usize> {
    if kernel == 0 || !(1..=limits::ELEMENTS).contains(&stride) {
        return None;
    }
    let full = time.checked_sub(1)?.checked_mul(stride)?.checked_add(kernel)?;
    if full > limits::ELEMENTS {
        return None;
    }
    full.checked_sub(trim[0])?.checked_sub(trim[1])
}

/// The shape of what `op` writes.
///
/// # Errors
///
/// A sentence saying which shapes do not fit each other.
pub fn infer<'a>(op: &Op, shape: impl Fn(ValueId) -> &'a [usize]) -> Result<Vec<usize>, String> {
    match op {
        Op::Linear { x, w, bias, .. } => linear(shape(*x), shape(*w), bias.map(&shape)),
        Op::Conv1d { x, w, bias, stride, dilation, padding, .. } => {
            conv1d(shape(*x), shape(*w), bias.map(&shape), *stride, *dilation, *padding)
        }
        Op::ConvTranspose1d { x, w, bias, stride, trim, .. } => {
            conv_transpose1d(shape(*x), shape(*w), bias.map(&shape), *stride, *trim)
        }
        Op::LayerNorm { x, gain, bias, epsilon, .. } => {
            layer_norm(shape(*x), shape(*gain), bias.map(&shape), *epsilon)
        }
        Op::Softmax { x, .. } => width(shape(*x)).map(|_| shape(*x).into()),
        Op::Attention { q, k, v, bias, before, .. } => {
            attention(shape(*q), shape(*k), shape(*v), shape(*bias), *before)
        }
        Op::Unary { x, .. } | Op::Quantize { x, .. } | Op::Dequantize { x, .. } => {
            Ok(shape(*x).into())
        }
        Op::Affine { x, scale, offset, .. } => {
            if !(scale.is_finite() && offset.is_finite()) {
                return Err(format!("scale {scale} or offset {offset} is not finite"));
            }
            Ok(shape(*x).into())
        }
        Op::Clamp { x, low, high, .. } => clamp(shape(*x), *low, *high),
        Op::Binary { a, b, .. } => {
            let (a, b) = (shape(*a), shape(*b));
            broadcast(a, b).ok_or_else(|| format!("{a:?} and {b:?} do not broadcast"))
        }
        Op::Reduce { x, axis, .. } => reduce(shape(*x), *axis),
        Op::CumulativeSum { x, axis, .. } => cumulative_sum(shape(*x), *axis),
        Op::Slice { x, axis, start, end, .. } => slice(shape(*x), *axis, *start, *end),
        Op::Concat { xs, axis, .. } => concat(xs, *axis, shape),
        Op::Reshape { .. } => Err("has no shape of its own".into()),
        Op::Permute { x, axes, .. } => permute(shape(*x), axes),
        _ if op.is_adjoint() => adjoint(op, shape),
        Op::QuantizedLinear { x, weights, .. } => {
            let w = shape(weights.w);
            parameters(weights, &shape, w.first(), || {
                Some([*w.first()?, groups(&w[1..])?].into())
            })?;
            linear(shape(*x), w, weights.bias.map(&shape))
        }
        Op::QuantizedConv1d { x, weights, stride, dilation, padding, .. } => {
            let w = shape(weights.w);
            parameters(weights, &shape, w.first(), || {
                Some([*w.first()?, groups(&w[1..])?].into())
            })?;
            conv1d(shape(*x), w, weights.bias.map(&shape), *stride, *dilation, *padding)
        }
        Op::QuantizedConvTranspose1d { x, weights, stride, trim, .. } => {
            let w = shape(weights.w);
            parameters(weights, &shape, w.get(1), || {
                Some([*w.first()?, *w.get(1)?, groups(&w[2..])?].into())
            })?;
            conv_transpose1d(shape(*x), w, weights.bias.map(&shape), *stride, *trim)
        }
        Op::QuantizedAdd { a, b, .. } => {
            let (a, b) = (shape(*a), shape(*b));
            if a == b { Ok(a.into()) } else { Err(format!("{a:?} and {b:?} differ")) }
        }
        Op::Lookup { x, table, .. } => {
            vector("table", Some(shape(*table)), 256)?;
            Ok(shape(*x).into())
        }
        _ => unreachable!("the others are adjoints"),
    }
}

/// Operations that gradients are made of; some are told the shape of their result.
fn adjoint<'a>(op: &Op, shape: impl Fn(ValueId) -> &'a [usize]) -> Result<Vec<usize>, String> {
    match op {
        Op::Product { a, b, turned, .. } => product(shape(*a), shape(*b), *turned),
        Op::Unfold { x, kernel, stride, dilation, padding, .. } => {
            unfold(shape(*x), *kernel, *stride, *dilation, *padding)
        }
        Op::Fold { x, y, kernel, stride, dilation, padding } => {
            let y = shape(*y);
            let wanted = unfold(y, *kernel, *stride, *dilation, *padding)?;
            let found = shape(*x);
            if found == wanted {
                Ok(y.into())
            } else {
                Err(format!("{y:?} unfolds to {wanted:?}, found {found:?}"))
            }
        }
        Op::Expand { x, y } => {
            let (x, y) = (shape(*x), shape(*y));
            match broadcast(x, y) {
                Some(both) if both == y => Ok(both),
                _ => Err(format!("{x:?} does not broadcast to {y:?}")),
            }
        }
        Op::Pad { x, axis, padding, .. } => pad(shape(*x), *axis, *padding),
        Op::Slope { x, g, .. } => {
            let (x, g) = (shape(*x), shape(*g));
            if x == g { Ok(x.into()) } else { Err(format!("{x:?} and {g:?} differ")) }
        }
        _ => unreachable!("only adjoints come here"),
    }
}

/// Scales and group factors of integer weights.
fn parameters<'a>(
    weights: &Weights,
    shape: &impl Fn(ValueId) -> &'a [usize],
    outputs: Option<&usize>,
    groups: impl Fn() -> Option<Vec<usize>>,
) -> Result<(), String> {
    let outputs = *outputs.ok_or("the weights are a scalar")?;
    vector("scale", Some(shape(weights.scale)), outputs)?;
    if let Some(found) = weights.groups.map(shape) {
        let wanted = groups().ok_or("the weights have too few axes")?;
        if wanted != found {
            return Err(format!("groups are {found:?}, wanted {wanted:?}"));
        }
    }
    Ok(())
}

/// Groups of so many inputs, which may lie along several axes.
fn groups(inputs: &[usize]) -> Option<usize> {
    Some(elements(inputs)?.div_ceil(GROUP))
}

fn linear(x: &[usize], w: &[usize], bias: Option<&[usize]>) -> Result<Vec<usize>, String> {
    let (Some((&n, rows)), &[o, i]) = (x.split_last(), w) else {
        return Err(format!("wants x (.., inputs) and w (outputs, inputs), found {x:?} and {w:?}"));
    };
    same("inputs of x and w", n, i)?;
    vector("bias", bias, o)?;
    Ok(rows.iter().copied().chain([o]).collect())
}

fn conv1d(
    x: &[usize],
    w: &[usize],
    bias: Option<&[usize]>,
    stride: usize,
    dilation: usize,
    padding: [usize; 2],
) -> Result<Vec<usize>, String> {
    let (&[t, i], &[o, k, wi]) = (x, w) else {
        return Err(format!(
            "wants x (time, inputs) and w (outputs, kernel, inputs), found {x:?} and {w:?}"
        ));
    };
    same("inputs of x and w", i, wi)?;
    vector("bias", bias, o)?;
    let rows = conv_rows(t, k, stride, dilation, padding).ok_or_else(|| {
        format!("kernel {k}, stride {stride}, dilation {dilation} do not fit {t} rows with padding {padding:?}")
    })?;
    Ok([rows, o].into())
}

fn conv_transpose1d(
    x: &[usize],
    w: &[usize],
    bias: Option<&[usize]>,
    stride: usize,
    trim: [usize; 2],
) -> Result<Vec<usize>, String> {
    let (&[t, i], &[k, o, wi]) = (x, w) else {
        return Err(format!(
            "wants x (time, inputs) and w (kernel, outputs, inputs), found {x:?} and {w:?}"
        ));
    };
    same("inputs of x and w", i, wi)?;
    vector("bias", bias, o)?;
    let rows = conv_transpose_rows(t, k, stride, trim).ok_or_else(|| {
        format!("kernel {k}, stride {stride}, trim {trim:?} leave no rows of {t}")
    })?;
    Ok([rows, o].into())
}

fn product(a: &[usize], b: &[usize], turned: [bool; 2]) -> Result<Vec<usize>, String> {
    let (&[a0, a1], &[b0, b1]) = (a, b) else {
        return Err(format!("wants two matrices, found {a:?} and {b:?}"));
    };
    let (m, k) = if turned[0] { (a1, a0) } else { (a0, a1) };
    let (l, n) = if turned[1] { (b1, b0) } else { (b0, b1) };
    same("axes that are summed over", k, l)?;
    Ok([m, n].into())
}

fn unfold(
    x: &[usize],
    kernel: usize,
    stride: usize,
    dilation: usize,
    padding: [usize; 2],
) -> Result<Vec<usize>, String> {
    let &[t, i] = x else { return Err(format!("wants x (time, channels), found {x:?}")) };
    let rows = conv_rows(t, kernel, stride, dilation, padding).ok_or_else(|| {
        format!("kernel {kernel}, stride {stride}, dilation {dilation} do not fit {t} rows with padding {padding:?}")
    })?;
    let width = kernel.checked_mul(i).ok_or("the width of a window overflows")?;
    Ok([rows, width].into())
}

fn pad(x: &[usize], axis: usize, [before, after]: [usize; 2]) -> Result<Vec<usize>, String> {
    let mut y: Vec<usize> = x.into();
    let n = y.get_mut(axis).ok_or_else(|| format!("axis {axis} of {x:?} does not exist"))?;
    let longer = n.checked_add(before).and_then(|n| n.checked_add(after));
    *n = longer.ok_or("the padded axis overflows")?;
    Ok(y)
}

fn layer_norm(
    x: &[usize],
    gain: &[usize],
    bias: Option<&[usize]>,
    epsilon: f32,
) -> Result<Vec<usize>, String> {
    let n = width(x)?;
    vector("gain", Some(gain), n)?;
    vector("bias", bias, n)?;
    if !(epsilon.is_finite() && epsilon > 0.0) {
        return Err(format!("epsilon {epsilon} is not positive"));
    }
    Ok(x.into())
}

fn attention(
    q: &[usize],
    k: &[usize],
    v: &[usize],
    bias: &[usize],
    before: usize,
) -> Result<Vec<usize>, String> {
    let (&[rows, heads, width], &[time, k_heads, k_width]) = (q, k) else {
        return Err(format!("wants q and k (rows, heads, width), found {q:?} and {k:?}"));
    };
    let (&[v_time, v_heads, outputs], &[b_heads, window]) = (v, bias) else {
        return Err(format!(
            "wants v (time, heads, outputs) and bias (heads, window), found {v:?} and {bias:?}"
        ));
    };
    same("widths of q and k", width, k_width)?;
    same("times of k and v", time, v_time)?;
    for found in [k_heads, v_heads, b_heads] {
        same("heads", heads, found)?;
    }
    if before >= window {
        return Err(format!("{before} rows before a window of {window}"));
    }
    // A window is a convolution's kernel here, in how many rows it yields and may span.
    let fits = conv_rows(time, window, 1, 1, [before, 0]);
    let wanted = fits.ok_or_else(|| {
        format!("a window of {window} does not fit {time} rows with {before} before them")
    })?;
    same("rows of q and windows", rows, wanted)?;
    // All pairs of rows and places of windows are gone through.
    elements(&[rows, heads, window, width.max(outputs)]).ok_or_else(|| {
        format!("{rows} rows of {heads} heads with windows of {window} are too many")
    })?;
    Ok([rows, heads, outputs].into())
}

fn clamp(x: &[usize], low: f32, high: f32) -> Result<Vec<usize>, String> {
    if low.is_nan() || high.is_nan() || low > high {
        return Err(format!("low {low} is not below high {high}"));
    }
    Ok(x.into())
}

fn reduce(x: &[usize], axis: usize) -> Result<Vec<usize>, String> {
    let mut y: Vec<usize> = x.into();
    match y.get_mut(axis) {
        Some(0) => Err(format!("axis {axis} of {x:?} is empty")),
        Some(n) => {
            *n = 1;
            Ok(y)
        }
        None => Err(format!("axis {axis} of {x:?} does not exist")),
    }
}

fn cumulative_sum(x: &[usize], axis: usize) -> Result<Vec<usize>, String> {
    match axis < x.len() {
        true => Ok(x.into()),
        false => Err(format!("axis {axis} of {x:?} does not exist")),
    }
}

fn slice(x: &[usize], axis: usize, start: usize, end: usize) -> Result<Vec<usize>, String> {
    let mut y: Vec<usize> = x.into();
    match y.get_mut(axis) {
        Some(n) if start <= end && end <= *n => {
            *n = end - start;
            Ok(y)
        }
        _ => Err(format!("{start}..{end} of axis {axis} is outside {x:?}")),
    }
}

fn permute(x: &[usize], axes: &[usize]) -> Result<Vec<usize>, String> {
    let is_permutation = axes.len() == x.len() && (0..x.len()).all(|i| axes.contains(&i));
    if !is_permutation {
        return Err(format!("axes {axes:?} are not a permutation of those of {x:?}"));
    }
    Ok(axes.iter().map(|&a| x[a]).collect())
}

fn concat<'a>(
    xs: &[ValueId],
    axis: usize,
    shape: impl Fn(ValueId) -> &'a [usize],
) -> Result<Vec<usize>, String> {
    let Some(&first) = xs.first() else { return Err("wants at least one operand".into()) };
    let mut y: Vec<usize> = shape(first).into();
    if axis >= y.len() {
        return Err(format!("axis {axis} of {y:?} does not exist"));
    }
    for &x in &xs[1..] {
        let x = shape(x);
        let fits = x.len() == y.len() && (0..x.len()).all(|i| i == axis || x[i] == y[i]);
        if !fits {
            return Err(format!("{x:?} does not fit {y:?} along axis {axis}"));
        }
        y[axis] = y[axis].checked_add(x[axis]).ok_or("the sum of the axis overflows")?;
    }
    Ok(y)
}

/// The length of the last axis.
fn width(x: &[usize]) -> Result<usize, String> {
    x.last().copied().ok_or_else(|| "wants x (.., n), found a scalar".into())
}

fn same(what: &str, a: usize, b: usize) -> Result<(), String> {
    if a == b { Ok(()) } else { Err(format!("{what} differ: {a} and {b}")) }
}

fn vector(what: &str, shape: Option<&[usize]>, n: usize) -> Result<(), String> {
    match shape {
        None => Ok(()),
        Some(&[m]) if m == n => Ok(()),
        Some(other) => Err(format!("{what} is {other:?}, wanted [{n}]")),
    }
}
