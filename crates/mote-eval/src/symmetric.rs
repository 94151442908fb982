//! Eigenvalues of symmetric matrices, by Jacobi rotations: slow for large ones, and exact for all.

/// Sweeps after which the rotation stops; five to ten are the rule.
const MAX_SWEEPS: usize = 60;

/// `matrix = Σ values[k] · vectors[k] vectors[k]ᵀ`
pub struct Eigen {
    /// `(width,)`, in no order.
    pub values: Vec<f64>,
    /// `(width, width)`, one unit vector a row.
    pub vectors: Vec<f64>,
}

/// Cyclic Jacobi on a symmetric `(width, width)` matrix (Golub and Van Loan, 8.5).
///
/// The error of each eigenvalue is some rounding steps of the largest one. Cost about
/// `50 · width³` operations.
#[must_use]
pub fn eigen(mut matrix: Vec<f64>, width: usize) -> Eigen {
    let mut vectors = vec![0.0; width * width];
    (0..width).for_each(|j| vectors[j * width + j] = 1.0);
    let scale: f64 = matrix.iter().map(|c| c * c).sum();
    for _ in 0..MAX_SWEEPS {
        let off = |i: usize, j: usize| if i == j { 0.0 } else { matrix[i * width + j] };
        let rest: f64 = (0..width * width).map(|k| off(k / width, k % width).powi(2)).sum();
        if rest <= scale * f64::EPSILON * f64::EPSILON {
            break;
        }
        for p in 0..width {
            for q in p + 1..width {
                rotate(&mut matrix, &mut vectors, width, p, q);
            }
        }
    }
    Eigen { values: (0..width).map(|j| matrix[j * width + j]).collect(), vectors }
}

/// Turns the plane of `p < q` so that their entry vanishes.
fn rotate(matrix: &mut [f64], vectors: &mut [f64], width: usize, p: usize, q: usize) {
    let apq = matrix[p * width + q];
    if apq == 0.0 {
        return;
    }
    let (app, aqq) = (matrix[p * width + p], matrix[q * width + q]);
    let tau = (aqq - app) / (2.0 * apq);
    let tangent = tau.signum() / (tau.abs() + tau.hypot(1.0));
    let cosine = tangent.hypot(1.0).recip();
    let sine = tangent * cosine;
    let turn = |rows: &mut [f64]| {
        let (before, from_q) = rows.split_at_mut(q * width);
        for (x, y) in before[p * width..][..width].iter_mut().zip(&mut from_q[..width]) {
            (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
        }
    };
    turn(vectors);
    // Rows in one go; columns are their mirror image, but for the four entries in both.
    turn(matrix);
    for k in 0..width {
        matrix[k * width + p] = matrix[p * width + k];
        matrix[k * width + q] = matrix[q * width + k];
    }
    matrix[p * width + p] = app - tangent * apq;
    matrix[q * width + q] = aqq + tangent * apq;
    matrix[p * width + q] = 0.0;
    matrix[q * width + p] = 0.0;
}

/// The symmetric square root of a covariance; rounding that made an eigenvalue negative is undone.
pub(crate) fn square_root(matrix: Vec<f64>, width: usize) -> Vec<f64> {
    let Eigen { values, vectors } = eigen(matrix, width);
    let mut root = vec![0.0; width * width];
    for (value, vector) in values.iter().zip(vectors.chunks_exact(width)) {
        let scale = value.max(0.0).sqrt();
        for (row, a) in root.chunks_exact_mut(width).zip(vector) {
            row.iter_mut().zip(vector).for_each(|(r, b)| *r += scale * a * b);
        }
    }
    root
}

/// `a · b` of two `(width, width)` matrices.
pub(crate) fn product(a: &[f64], b: &[f64], width: usize) -> Vec<f64> {
    let mut result = vec![0.0; width * width];
    for (row, a) in result.chunks_exact_mut(width).zip(a.chunks_exact(width)) {
        for (a, b) in a.iter().zip(b.chunks_exact(width)) {
            row.iter_mut().zip(b).for_each(|(r, b)| *r += a * b);
        }
    }
    result
}
