//! Attention to a window of rows, in one pass and without memory of its own: what was summed is scaled
//! down whenever a greater score comes (Milakov and Gimelshein 2018, arXiv 1805.02867).

/// What attention reads beside queries, and how they lie.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a> {
    /// `(time, heads, width)`, and where the first row lies: what follows the last one lies in front.
    pub keys: (&'a [f32], usize),
    /// `(time, heads, outputs)`, and where the first row lies.
    pub values: (&'a [f32], usize),
    /// `(heads, window)`
    pub bias: &'a [f32],
    /// Heads.
    pub heads: usize,
    /// Numbers of a query or key.
    pub width: usize,
    /// Numbers of a value.
    pub outputs: usize,
    /// Rows of zeros before the first.
    pub before: usize,
}

/// `y` `(rows, heads, outputs)` of `queries` `(rows, heads, width)`.
// Once in flash, and not once for each layer.
#[inline(never)]
pub fn attention(queries: &[f32], a: &Attention<'_>, y: &mut [f32]) {
    let queries = queries.chunks_exact(a.width);
    for (i, (query, y)) in queries.zip(y.chunks_exact_mut(a.outputs)).enumerate() {
        attend(query, a, i / a.heads, i % a.heads, y);
    }
}

/// The result of head `h` at row `t`.
fn attend(query: &[f32], a: &Attention<'_>, t: usize, h: usize, y: &mut [f32]) {
    let window = a.bias.len() / a.heads;
    let (mut top, mut sum) = (f32::NEG_INFINITY, 0.0);
    y.fill(0.0);
    for (j, &bias) in a.bias[h * window..][..window].iter().enumerate() {
        // A row outside has zeros for key and value.
        let row = (t + j).checked_sub(a.before).map(|row| row * a.heads + h);
        let met = row.map_or(0.0, |row| dot(query, at(a.keys, row * a.width, a.width)));
        let score = met + bias;
        if score == f32::NEG_INFINITY {
            continue;
        }
        // A NaN is not greater than a NaN, and stays.
        if score > top || score.is_nan() {
            let scale = libm::expf(top - score);
            sum *= scale;
            y.iter_mut().for_each(|y| *y *= scale);
            top = score;
        }
        let weight = libm::expf(score - top);
        sum += weight;
        if let Some(row) = row {
            let value = at(a.values, row * a.outputs, a.outputs);
            y.iter_mut().zip(value).for_each(|(y, v)| *y += weight * v);
        }
    }
    y.iter_mut().for_each(|y| *y /= sum);
}

/// `n` numbers of a row that begins `i` numbers behind the first row.
fn at((rows, first): (&[f32], usize), i: usize, n: usize) -> &[f32] {
    let i = first + i;
    let i = if i < rows.len() { i } else { i - rows.len() };
    &rows[i..][..n]
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
