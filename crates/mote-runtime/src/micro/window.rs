//! Windows of a series: the rows that one output row of a layer reads, side by side.

/// Which rows of a series `(time, inputs)` the output rows of a convolution read.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// Numbers in a row.
    pub inputs: usize,
    /// Rows in a window of a convolution; taps of the whole kernel of a transposed one.
    pub taps: usize,
    /// Rows between two windows; of a transposed convolution, output rows for each input row.
    pub stride: usize,
    /// Rows between two taps.
    pub dilation: usize,
    /// Rows in front of the first; of a transposed convolution, output rows cut off there.
    pub before: usize,
}

/// The window of output row `t` of a convolution; rows outside of the series are `fill`.
///
/// `gathered` holds a window where its rows do not lie side by side.
pub fn conv<'a, T: Copy>(
    x: &'a [T],
    g: &Geometry,
    t: usize,
    fill: T,
    gathered: &'a mut [T],
) -> &'a [T] {
    let first = (t * g.stride) as isize - g.before as isize;
    rows(x, g.inputs, first, (g.taps, g.dilation), fill, gathered)
}

/// The phase of output row `t` of a transposed convolution, which says with which taps its window
/// meets, and that window. The weights of a phase lie with the last tap first.
pub fn transposed<'a, T: Copy>(
    x: &'a [T],
    g: &Geometry,
    t: usize,
    fill: T,
    gathered: &'a mut [T],
) -> (usize, &'a [T]) {
    let place = t + g.before;
    let phase = place % g.stride;
    let taps = (g.taps + g.stride - 1 - phase) / g.stride;
    let first = (place / g.stride) as isize + 1 - taps as isize;
    (phase, rows(x, g.inputs, first, (taps, 1), fill, gathered))
}

fn rows<'a, T: Copy>(
    x: &'a [T],
    inputs: usize,
    first: isize,
    (taps, dilation): (usize, usize),
    fill: T,
    gathered: &'a mut [T],
) -> &'a [T] {
    let start = first.wrapping_mul(inputs as isize) as usize;
    if (dilation == 1 || taps == 1)
        && let Some(window) = x.get(start..start.wrapping_add(taps * inputs))
    {
        return window;
    }
    for k in 0..taps {
        let row = (first + (k * dilation) as isize).wrapping_mul(inputs as isize) as usize;
        let to = &mut gathered[k * inputs..][..inputs];
        match x.get(row..row.wrapping_add(inputs)) {
            Some(from) => to.copy_from_slice(from),
            None => to.fill(fill),
        }
    }
    &gathered[..taps * inputs]
}
