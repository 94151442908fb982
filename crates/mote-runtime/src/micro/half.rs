//! Layers whose weights are of half precision: they take half the flash, and widen on the way.

/// Outputs whose sums run side by side.
pub const GROUP: usize = 4;

/// A matrix of numbers.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// The bits of each number. For each group of four outputs its inputs, four numbers each; the last
    /// group is padded with zeros.
    pub weights: &'a [u16],
    /// `(outputs,)`
    pub bias: &'a [f32],
}

/// One row: `y[o] = bias[o] + Σ x[i] · w[o, i]`.
// Once in flash, and not once for each layer.
#[inline(never)]
pub fn product(x: &[f32], matrix: &Matrix<'_>, y: &mut [f32]) {
    let mut rest = matrix.weights;
    for (y, bias) in y.chunks_mut(GROUP).zip(matrix.bias.chunks(GROUP)) {
        let (group, others) = rest.split_at(GROUP * x.len());
        let mut sums = [0.0; GROUP];
        for (&x, w) in x.iter().zip(group.chunks_exact(GROUP)) {
            for (sum, &w) in sums.iter_mut().zip(w) {
                *sum += x * widen(w);
            }
        }
        for ((y, &bias), &sum) in y.iter_mut().zip(bias).zip(&sums) {
            *y = bias + sum;
        }
        rest = others;
    }
}

/// The number that has these bits, if it is finite: exactly, those below the least normal one too.
#[inline]
#[must_use]
pub fn widen(half: u16) -> f32 {
    // Exponent and fraction where single precision has them; what is left is how the exponents count.
    const EXPONENTS: f32 = f32::from_bits((127 + 112) << 23);
    let size = f32::from_bits(u32::from(half & 0x7FFF) << 13) * EXPONENTS;
    f32::from_bits(size.to_bits() | u32::from(half & 0x8000) << 16)
}
