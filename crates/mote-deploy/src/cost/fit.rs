//! Least squares with no rate below zero.

use std::collections::BTreeMap;

use super::{Rates, TERMS, Timed};

/// Rounds over all rates. Each finds the best value of one rate with the others held, which never makes the
/// whole worse; after so many nothing moves any more.
const ROUNDS: usize = 4000;

/// Times that the whole is fitted, each time with errors as shares of the mean of what was measured and what was
/// predicted before: as shares of what was measured alone, too much would weigh more than too little, and rates come out too
/// low.
const PASSES: usize = 4;

/// Minimizes the squares of relative errors over rates that are not negative, one rate after the other (coordinate
/// descent; the problem is convex).
pub(super) fn fit(timed: &[Timed]) -> Rates {
    // A column for each rate: in which programs it counts, and with how many units.
    let mut columns: BTreeMap<(&str, usize), Vec<(usize, f64)>> = BTreeMap::new();
    for (row, one) in timed.iter().enumerate() {
        for (kind, units) in &one.work {
            for (term, unit) in units.iter().enumerate().filter(|(_, unit)| **unit > 0.0) {
                columns.entry((kind, term)).or_default().push((row, *unit));
            }
        }
    }
    let mut rates = vec![0.0; columns.len()];
    let mut scales: Vec<f64> = timed.iter().map(|one| one.ns).collect();
    for _ in 0..PASSES {
        descend(timed, &columns, &scales, &mut rates);
        scales.fill(0.0);
        for (rate, column) in rates.iter().zip(columns.values()) {
            column.iter().for_each(|(row, units)| scales[*row] += rate * units);
        }
        scales
            .iter_mut()
            .zip(timed)
            .for_each(|(scale, one)| *scale = f64::midpoint(*scale, one.ns));
    }
    let mut kinds: BTreeMap<String, [f64; TERMS]> = BTreeMap::new();
    for one in timed {
        for kind in one.work.keys() {
            kinds.entry(kind.clone()).or_default();
        }
    }
    for ((kind, term), rate) in columns.keys().zip(rates) {
        kinds.entry((*kind).into()).or_default()[*term] = rate;
    }
    Rates { kinds }
}

/// Brings `rates` to where `Σ ((predicted - measured) / scale)²` is least.
fn descend(
    timed: &[Timed],
    columns: &BTreeMap<(&str, usize), Vec<(usize, f64)>>,
    scales: &[f64],
    rates: &mut [f64],
) {
    let mut missing: Vec<f64> = timed.iter().map(|one| one.ns).collect();
    for (rate, column) in rates.iter().zip(columns.values()) {
        column.iter().for_each(|(row, units)| missing[*row] -= rate * units);
    }
    let weights: Vec<f64> = scales.iter().map(|scale| 1.0 / (scale * scale)).collect();
    for _ in 0..ROUNDS {
        for (rate, column) in rates.iter_mut().zip(columns.values()) {
            let square: f64 = column.iter().map(|(row, x)| x * x * weights[*row]).sum();
            let toward: f64 = column.iter().map(|(row, x)| x * missing[*row] * weights[*row]).sum();
            let next = (*rate + toward / square).max(0.0);
            column.iter().for_each(|(row, x)| missing[*row] -= (next - *rate) * x);
            *rate = next;
        }
    }
}
