//! Least squares with no rate below zero.

use std::collections::BTreeMap;

use super::{Rates, TERMS, Timed};

/// Rounds over all rates. Each finds the best value of one rate with the others held, which never makes the
/// whole worse; after so many nothing moves any more.
const ROUNDS: usize = 4000;

/// Minimizes `Σ ((predicted - measured) / measured)²` over rates that are not negative, one after the other
/// (coordinate descent; the problem is convex).
pub(super) fn fit(timed: &[Timed]) -> Rates {
    // A column for each rate: in which programs it counts, and how much of the measured time one unit is.
    let mut columns: BTreeMap<(&str, usize), Vec<(usize, f64)>> = BTreeMap::new();
    for (row, one) in timed.iter().enumerate() {
        for (kind, units) in &one.work {
            for (term, unit) in units.iter().enumerate().filter(|(_, unit)| **unit > 0.0) {
                columns.entry((kind, term)).or_default().push((row, unit / one.ns));
            }
        }
    }
    let mut rates = vec![0.0; columns.len()];
    let mut missing = vec![1.0; timed.len()];
    for _ in 0..ROUNDS {
        for (rate, column) in rates.iter_mut().zip(columns.values()) {
            let square: f64 = column.iter().map(|(_, x)| x * x).sum();
            let toward: f64 = column.iter().map(|(row, x)| x * missing[*row]).sum();
            let next = (*rate + toward / square).max(0.0);
            column.iter().for_each(|(row, x)| missing[*row] -= (next - *rate) * x);
            *rate = next;
        }
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
