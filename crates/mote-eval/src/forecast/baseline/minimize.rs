//! The downhill simplex of Nelder and Mead (1965), for likelihoods of few parameters.

/// Evaluations after which the search stops, for each parameter.
const EVALUATIONS: usize = 150;
/// Difference of values in the simplex below which it has converged.
const TOLERANCE: f64 = 1e-9;

/// A point near the lowest value of `f` that the search from `start` finds; the first simplex reaches
/// `step` along each axis. What is not a number counts as infinitely high.
pub(super) fn minimize(start: &[f64], step: f64, mut f: impl FnMut(&[f64]) -> f64) -> Vec<f64> {
    let n = start.len();
    let mut evaluate = |point: Vec<f64>| {
        let value = f(&point);
        (if value.is_nan() { f64::INFINITY } else { value }, point)
    };
    let mut simplex = vec![evaluate(start.to_vec())];
    for i in 0..n {
        let mut corner = start.to_vec();
        corner[i] += step;
        simplex.push(evaluate(corner));
    }
    let mut left = EVALUATIONS * n;
    while left > 0 {
        simplex.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (best, second_worst, worst) = (simplex[0].0, simplex[n - 1].0, simplex[n].0);
        if worst - best <= TOLERANCE * (1.0 + best.abs()) {
            break;
        }
        let centre: Vec<f64> =
            (0..n).map(|i| simplex[..n].iter().map(|p| p.1[i]).sum::<f64>() / n as f64).collect();
        let old = simplex[n].1.clone();
        // Along the line from the worst corner through the centre of the others: 1 mirrors it.
        let at = |t: f64| centre.iter().zip(&old).map(|(c, w)| c + t * (c - w)).collect::<Vec<_>>();
        let mirrored = evaluate(at(1.0));
        let next = if mirrored.0 < best {
            left = left.saturating_sub(1);
            let further = evaluate(at(2.0));
            Some(if further.0 < mirrored.0 { further } else { mirrored })
        } else if mirrored.0 < second_worst {
            Some(mirrored)
        } else {
            left = left.saturating_sub(1);
            let nearer = evaluate(at(if mirrored.0 < worst { 0.5 } else { -0.5 }));
            (nearer.0 < worst.min(mirrored.0)).then_some(nearer)
        };
        left = left.saturating_sub(1);
        match next {
            Some(corner) => simplex[n] = corner,
            None => {
                let low = simplex[0].1.clone();
                for corner in &mut simplex[1..] {
                    let halfway = low.iter().zip(&corner.1).map(|(a, b)| 0.5 * (a + b)).collect();
                    *corner = evaluate(halfway);
                }
                left = left.saturating_sub(n);
            }
        }
    }
    simplex.sort_by(|a, b| a.0.total_cmp(&b.0));
    simplex.swap_remove(0).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_bottom_of_a_curved_valley() {
        let rosenbrock = |p: &[f64]| (1.0 - p[0]).powi(2) + 100.0 * (p[1] - p[0] * p[0]).powi(2);
        let found = minimize(&[-1.2, 1.0], 0.5, rosenbrock);
        assert!((found[0] - 1.0).abs() < 1e-3 && (found[1] - 1.0).abs() < 1e-3, "{found:?}");
    }

    #[test]
    fn walls_of_no_number_are_not_entered() {
        let found = minimize(&[1.0], 0.5, |p| if p[0] < 0.5 { f64::NAN } else { p[0] });
        assert!((found[0] - 0.5).abs() < 1e-3, "{found:?}");
    }
}
