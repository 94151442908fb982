//! Shape and scale of a generalized Pareto distribution from excesses.

use serde::Serialize;

/// Excesses below which the shape is not estimated: its standard error would be above 0.2.
const MIN_FOR_SHAPE: usize = 20;

/// Below this shape the maximum of the likelihood is not an estimate (Smith, 1985): it runs to the
/// largest excess.
const LOWEST_SHAPE: f64 = -0.5;

/// Trial points on each side of zero.
const GRID: usize = 60;

/// Halvings of the bracket around the best trial point.
const REFINEMENTS: usize = 80;

/// How a tail was estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Fit {
    /// Maximum likelihood, reduced to one dimension as by Grimshaw (1993).
    MaximumLikelihood,
    /// The tail ends just above the largest excess: the likelihood rises all the way to shapes
    /// below −0.5, where the largest excess tells the end better than any likelihood (Smith, 1985).
    /// The end is put `1 / excesses` above the largest one, and the shape follows from `mean ln(1 −
    /// y / end)`.
    Endpoint,
    /// Shape 0 and the mean as scale: fewer than 20 excesses, or excesses that are all the same.
    Exponential,
}

/// Shape and scale for sorted, positive `excesses`.
pub(super) fn fit(excesses: &[f64]) -> (f64, f64, Fit) {
    let n = excesses.len() as f64;
    let mean = excesses.iter().sum::<f64>() / n;
    let largest = excesses[excesses.len() - 1];
    if excesses.len() < MIN_FOR_SHAPE || excesses[0] == largest {
        return (0.0, mean, Fit::Exponential);
    }
    // In units of the mean, so that the grid fits every score.
    let scaled: Vec<f64> = excesses.iter().map(|y| y / mean).collect();
    if let Some((shape, scale)) = maximum_likelihood(&scaled) {
        return (shape, scale * mean, Fit::MaximumLikelihood);
    }
    let end = largest / mean * (1.0 + 1.0 / n);
    let shape = scaled.iter().map(|y| (-y / end).ln_1p()).sum::<f64>() / n;
    (shape, -shape * end * mean, Fit::Endpoint)
}

/// With θ = shape / scale, the likelihood is highest for shape = mean ln(1 + θ y), which leaves one
/// unknown. Grimshaw finds the zeros of its derivative; among those are minima, so here the profile
/// itself is searched: a grid first, then golden sections around the best point.
fn maximum_likelihood(excesses: &[f64]) -> Option<(f64, f64)> {
    let largest = excesses[excesses.len() - 1];
    let shape = |theta: f64| {
        excesses.iter().map(|y| (theta * y).ln_1p()).sum::<f64>() / excesses.len() as f64
    };
    // Mean log-likelihood; at θ = 0 it is that of the exponential with mean 1.
    let profile = |theta: f64| {
        if theta == 0.0 {
            return -1.0;
        }
        let shape = shape(theta);
        -(shape / theta).ln() - shape - 1.0
    };

    let grid = grid(largest);
    let admissible = |theta: f64| theta >= 0.0 || shape(theta) > LOWEST_SHAPE;
    let lowest = grid.iter().position(|&theta| admissible(theta))?;
    let values: Vec<f64> = grid.iter().map(|&theta| profile(theta)).collect();
    let best = (lowest..grid.len()).max_by(|&a, &b| values[a].total_cmp(&values[b]))?;
    // At the low end the likelihood still rises towards what is not admissible.
    if best == lowest {
        return None;
    }
    let theta = golden_section(profile, grid[best - 1], grid[(best + 1).min(grid.len() - 1)]);
    let shape = shape(theta);
    if theta == 0.0 || shape == 0.0 {
        return Some((0.0, 1.0));
    }
    (shape > LOWEST_SHAPE).then_some((shape, shape / theta))
}

/// Trial values of θ, rising: from just above −1 / largest, where the density ends at the largest
/// excess, through 0 to 10¹² / mean, each side spaced evenly in the logarithm.
fn grid(largest: f64) -> Vec<f64> {
    let spread = |from: f64, to: f64, i: usize| {
        (from.ln() + (to / from).ln() * i as f64 / (GRID - 1) as f64).exp()
    };
    // Close to the end of the range the gap to −1 / largest is what matters, so it is spaced.
    let gaps = (0..GRID).map(|i| -(1.0 - spread(1e-6, 0.5, i)) / largest);
    let near = (1..GRID).rev().map(|i| -spread(1e-4, 0.5, i - 1) / largest);
    let above = (0..GRID).map(|i| spread(1e-4, 1e12, i));
    gaps.chain(near).chain(std::iter::once(0.0)).chain(above).collect()
}

fn golden_section(f: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_a, mut at_b) = (f(a), f(b));
    for _ in 0..REFINEMENTS {
        if at_a > at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - ratio * (high - low);
            at_a = f(a);
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + ratio * (high - low);
            at_b = f(b);
        }
    }
    (low + high) / 2.0
}
