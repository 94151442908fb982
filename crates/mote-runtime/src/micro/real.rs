//! Layers in single precision: a matrix that meets one window of numbers after the other.

/// Outputs whose sums run side by side.
pub const GROUP: usize = 4;

/// A matrix of numbers.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// For each group of four outputs its inputs, four numbers each; the last group is padded with
    /// zeros.
    pub weights: &'a [f32],
    /// `(outputs,)`
    pub bias: &'a [f32],
}

/// One row: `y[o] = bias[o] + Σ x[i] · w[o, i]`.
pub fn product(x: &[f32], matrix: &Matrix<'_>, y: &mut [f32]) {
    let mut rest = matrix.weights;
    for (y, bias) in y.chunks_mut(GROUP).zip(matrix.bias.chunks(GROUP)) {
        let (group, others) = rest.split_at(GROUP * x.len());
        let mut sums = [0.0f32; GROUP];
        for (&x, w) in x.iter().zip(group.chunks_exact(GROUP)) {
            for (sum, &w) in sums.iter_mut().zip(w) {
                *sum += x * w;
            }
        }
        for ((y, &bias), &sum) in y.iter_mut().zip(bias).zip(&sums) {
            *y = bias + sum;
        }
        rest = others;
    }
}
