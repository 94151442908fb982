//! The four similarities of SDMetrics that its quality report is made of.

use std::collections::BTreeMap;

use crate::{Error, Result, generation::largest_gap, input};

/// One minus the Kolmogorov-Smirnov statistic of two numerical columns: `1 − max |F − G|`
/// (`KSComplement`, which rounds to 14 decimals first; we do not).
///
/// # Errors
///
/// Empty or non-finite input.
pub fn ks_complement(real: &[f64], synthetic: &[f64]) -> Result<f64> {
    let mut sorted = Vec::new();
    for (what, values) in [("real", real), ("synthetic", synthetic)] {
        input::some(what, values)?;
        input::finite(what, values)?;
        let mut values = values.to_vec();
        values.sort_unstable_by(f64::total_cmp);
        sorted.push(values);
    }
    Ok(1.0 - largest_gap(&sorted[0], &sorted[1]))
}

/// One minus the total variation distance of two categorical columns: `1 − ½ Σ |p − q|`
/// (`TVComplement`).
///
/// # Errors
///
/// Empty input.
pub fn tv_complement(real: &[u32], synthetic: &[u32]) -> Result<f64> {
    input::some("real", real)?;
    input::some("synthetic", synthetic)?;
    Ok(overlap(real.iter(), synthetic.iter()))
}

/// `1 − |ρ − ρ̂| / 2` with Pearson's correlation of two numerical columns in each table
/// (`CorrelationSimilarity`). A table is a pair of columns.
///
/// # Errors
///
/// Empty or non-finite input, columns of one table that differ in length, or a constant column, of
/// which a correlation does not exist.
pub fn correlation_similarity(real: (&[f64], &[f64]), synthetic: (&[f64], &[f64])) -> Result<f64> {
    Ok(1.0 - (correlation(real)? - correlation(synthetic)?).abs() / 2.0)
}

/// `1 − ½ Σ |p − q|` over the joint categories of two categorical columns (`ContingencySimilarity`). A
/// table is a pair of columns.
///
/// # Errors
///
/// Empty input, or columns of one table that differ in length.
pub fn contingency_similarity(real: (&[u32], &[u32]), synthetic: (&[u32], &[u32])) -> Result<f64> {
    for (a, b) in [real, synthetic] {
        input::some("column", a)?;
        input::same_length("first column", a, "second column", b)?;
    }
    Ok(overlap(real.0.iter().zip(real.1), synthetic.0.iter().zip(synthetic.1)))
}

/// One minus the total variation distance of two samples of categories, neither of them empty.
fn overlap<T: Ord>(
    real: impl ExactSizeIterator<Item = T>,
    synthetic: impl ExactSizeIterator<Item = T>,
) -> f64 {
    let (n, m) = (real.len() as f64, synthetic.len() as f64);
    let mut counts: BTreeMap<T, (f64, f64)> = BTreeMap::new();
    real.for_each(|key| counts.entry(key).or_default().0 += 1.0);
    synthetic.for_each(|key| counts.entry(key).or_default().1 += 1.0);
    1.0 - 0.5 * counts.values().map(|(a, b)| (a / n - b / m).abs()).sum::<f64>()
}

fn correlation((a, b): (&[f64], &[f64])) -> Result<f64> {
    input::some("column", a)?;
    input::same_length("first column", a, "second column", b)?;
    for (what, column) in [("first column", a), ("second column", b)] {
        input::finite(what, column)?;
        if column.iter().all(|v| *v == column[0]) {
            return Err(Error::Constant { what, value: column[0], count: column.len() });
        }
    }
    let centred = |column: &[f64]| -> Vec<f64> {
        let mean = column.iter().sum::<f64>() / column.len() as f64;
        column.iter().map(|v| v - mean).collect()
    };
    let (a, b) = (centred(a), centred(b));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    Ok((product(&a, &b) / (product(&a, &a).sqrt() * product(&b, &b).sqrt())).clamp(-1.0, 1.0))
}
