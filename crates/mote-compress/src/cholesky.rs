//! Symmetric matrices as a triangle times itself, turned over: systems of linear equations, and errors that make up for
//! each other.

/// `L` of `L Lᵀ = a + damping`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Factor {
    n: usize,
    /// `(n, n)`, the lower triangle.
    lower: Vec<f64>,
}

impl Factor {
    /// Of `a` `(n, n)`, which is symmetric and has no negative eigenvalues but for roundings; `damping`, more than
    /// zero, is added to its diagonal.
    pub(crate) fn new(mut a: Vec<f64>, n: usize, damping: f64) -> Self {
        for i in 0..n {
            for j in 0..=i {
                let (before, own) = a.split_at(i * n);
                let row = if i == j { own } else { &before[j * n..] };
                let known: f64 = own[..j].iter().zip(&row[..j]).map(|(a, b)| a * b).sum();
                let rest = own[j] - known;
                a[i * n + j] =
                    if i == j { (rest + damping).max(damping).sqrt() } else { rest / row[j] };
            }
        }
        Self { n, lower: a }
    }

    /// `bᵀ (a + damping)⁻¹ b`
    pub(crate) fn square(&self, mut b: Vec<f64>) -> f64 {
        self.forward(&mut b);
        b.iter().map(|x| x * x).sum()
    }

    /// `b` becomes `L⁻¹ b`.
    fn forward(&self, b: &mut [f64]) {
        for i in 0..self.n {
            let row = &self.lower[i * self.n..][..=i];
            let known: f64 = row[..i].iter().zip(&*b).map(|(l, x)| l * x).sum();
            b[i] = (b[i] - known) / row[i];
        }
    }

    /// The `x` of `(a + damping) x = b`.
    pub(crate) fn solve(&self, mut b: Vec<f64>) -> Vec<f64> {
        let n = self.n;
        self.forward(&mut b);
        for i in (0..n).rev() {
            let row = &self.lower[i * n..][..=i];
            b[i] /= row[i];
            let x = b[i];
            b[..i].iter_mut().zip(row).for_each(|(b, l)| *b -= l * x);
        }
        b
    }

    /// What an error of weight `i` costs at least, for its square: where all before it make up for it.
    pub(crate) fn own(&self, i: usize) -> f64 {
        self.lower[i * self.n + i].powi(2)
    }

    /// What weight `i` should be, beside what it is, given the errors of those behind it: they are known
    /// and those before it will be chosen in the same way.
    pub(crate) fn correction(&self, i: usize, errors: &[f64]) -> f64 {
        let n = self.n;
        let sum: f64 = (i + 1..n).map(|j| self.lower[j * n + i] * errors[j]).sum();
        sum / self.lower[i * n + i]
    }

    #[cfg(test)]
    pub(crate) fn cost(&self, errors: &[f64]) -> f64 {
        let n = self.n;
        let part = |i: usize| (i..n).map(|j| self.lower[j * n + i] * errors[j]).sum::<f64>();
        (0..n).map(|i| part(i).powi(2)).sum()
    }

    /// `(n, n)`: the inverse of `a + damping`.
    pub(crate) fn inverse(&self) -> Vec<f64> {
        let unit = |i: usize| (0..self.n).map(move |j| if i == j { 1.0 } else { 0.0 }).collect();
        (0..self.n).flat_map(|i| self.solve(unit(i))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_solved_is_the_answer() {
        let (a, n) = ([4.0, 1.0, 0.5, 1.0, 3.0, -0.2, 0.5, -0.2, 2.0], 3);
        let damped = |i: usize| a[i] + if i.is_multiple_of(n + 1) { 0.03 } else { 0.0 };
        let x = [1.0, -2.0, 0.5];
        let product = |x: &[f64]| -> Vec<f64> {
            (0..n).map(|i| (0..n).map(|j| damped(i * n + j) * x[j]).sum()).collect()
        };
        let (factor, b) = (Factor::new(a.to_vec(), n, 0.03), product(&x));
        for (found, wanted) in factor.solve(b.clone()).iter().zip(x) {
            assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
        }
        let square: f64 = b.iter().zip(x).map(|(b, x)| b * x).sum();
        assert!((factor.square(b) - square).abs() < 1e-12);
        for (i, row) in factor.inverse().chunks_exact(n).enumerate() {
            let unit = product(row);
            assert!((0..n).all(|j| (unit[j] - f64::from(u8::from(i == j))).abs() < 1e-12));
        }
    }

    #[test]
    fn what_has_no_inverse_has_an_answer() {
        let nothing = Factor::new(vec![0.0; 4], 2, 1e-12);
        assert!(nothing.solve(vec![0.0, 0.0]).iter().all(|x| *x == 0.0));
        assert!(Factor::new(vec![1.0; 4], 2, 1e-9).inverse().iter().all(|x| x.is_finite()));
        assert!(Factor::new(Vec::new(), 0, 1.0).inverse().is_empty());
    }
}
