//! The quality report of SDMetrics: shapes of columns, and trends between them.

use serde::Serialize;

use super::{Column, contingency_similarity, correlation_similarity, ks_complement, tv_complement};
use crate::{Error, Result, input};

/// Bins of a numerical column that meets a categorical one.
const BINS: usize = 10;

/// Two columns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PairTrend {
    /// Position of the first.
    pub first: usize,
    /// Position of the second.
    pub second: usize,
    /// Their similarity; none where a numerical column of the pair is constant.
    pub similarity: Option<f64>,
}

/// Outcome of [`TableQuality::of`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TableQuality {
    /// `(columns,)`: [`ks_complement`] of numerical ones, [`tv_complement`] of categorical ones.
    pub shapes: Vec<f64>,
    /// Each pair: [`correlation_similarity`] of two numerical columns, [`contingency_similarity`] of
    /// others.
    pub pairs: Vec<PairTrend>,
    /// Mean of `shapes`.
    pub column_shapes: f64,
    /// Mean of the similarities of pairs that have one; none where no pair has.
    pub column_pair_trends: Option<f64>,
    /// Mean of the two, or `column_shapes` where there are no trends.
    pub overall: f64,
}

impl TableQuality {
    /// Compares two tables as the quality report of SDMetrics 0.25 does.
    ///
    /// A numerical column that meets a categorical one is cut into ten bins between its least and its
    /// largest value **in its own table**, as SDMetrics has it; so a table that is stretched as a whole
    /// keeps its trends. SDMetrics draws 50,000 rows at random from larger tables; we take all.
    ///
    /// # Errors
    ///
    /// No columns, tables whose columns differ in number or kind, columns of one table that differ in
    /// length, no rows, or numbers that are not finite.
    pub fn of(real: &[Column<'_>], synthetic: &[Column<'_>]) -> Result<Self> {
        input::some("columns", real)?;
        input::same_length("real columns", real, "synthetic columns", synthetic)?;
        let shapes: Vec<f64> = real
            .iter()
            .zip(synthetic)
            .enumerate()
            .map(|(index, pair)| shape(index, pair))
            .collect::<Result<_>>()?;
        for table in [real, synthetic] {
            same_rows(table)?;
        }
        let mut pairs = Vec::new();
        for second in 0..real.len() {
            for first in 0..second {
                let of = |table: &[Column<'_>]| trend_of(table[first], table[second]);
                let similarity = match (of(real), of(synthetic)) {
                    (Trend::Numbers(a, b), Trend::Numbers(c, d)) => {
                        match correlation_similarity((&a, &b), (&c, &d)) {
                            Ok(similarity) => Some(similarity),
                            Err(Error::Constant { .. }) => None,
                            Err(error) => return Err(error),
                        }
                    }
                    (Trend::Codes(a, b), Trend::Codes(c, d)) => {
                        Some(contingency_similarity((&a, &b), (&c, &d))?)
                    }
                    _ => unreachable!("shapes of columns of different kind were refused"),
                };
                pairs.push(PairTrend { first, second, similarity });
            }
        }
        let column_shapes = shapes.iter().sum::<f64>() / shapes.len() as f64;
        let known: Vec<f64> = pairs.iter().filter_map(|p| p.similarity).collect();
        let column_pair_trends =
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64);
        let overall = column_pair_trends.map_or(column_shapes, |t| 0.5 * (column_shapes + t));
        Ok(Self { shapes, pairs, column_shapes, column_pair_trends, overall })
    }
}

/// Two columns in the form in which they are compared.
enum Trend {
    Numbers(Vec<f64>, Vec<f64>),
    Codes(Vec<u32>, Vec<u32>),
}

fn trend_of(first: Column<'_>, second: Column<'_>) -> Trend {
    let codes = |column: Column<'_>| match column {
        Column::Numerical(values) => binned(values),
        Column::Categorical(codes) => codes.to_vec(),
    };
    match (first, second) {
        (Column::Numerical(a), Column::Numerical(b)) => Trend::Numbers(a.to_vec(), b.to_vec()),
        _ => Trend::Codes(codes(first), codes(second)),
    }
}

fn shape(index: usize, pair: (&Column<'_>, &Column<'_>)) -> Result<f64> {
    match pair {
        (Column::Numerical(a), Column::Numerical(b)) => ks_complement(a, b),
        (Column::Categorical(a), Column::Categorical(b)) => tv_complement(a, b),
        _ => Err(Error::Kinds { column: index }),
    }
}

fn same_rows(table: &[Column<'_>]) -> Result<()> {
    let rows = table[0].len();
    match table.iter().find(|column| column.len() != rows) {
        None => Ok(()),
        Some(column) => Err(Error::Lengths {
            left: "first column",
            left_len: rows,
            right: "another column",
            right_len: column.len(),
        }),
    }
}

/// How many of the eleven edges of ten equal bins each value reaches, as `numpy.digitize` counts with
/// the edges of `numpy.histogram_bin_edges`; the largest value has a bin of its own.
fn binned(values: &[f64]) -> Vec<u32> {
    let mut low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let mut high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if low == high {
        (low, high) = (low - 0.5, high + 0.5);
    }
    let step = (high - low) / BINS as f64;
    let mut edges: Vec<f64> = (0..BINS).map(|i| i as f64 * step + low).collect();
    edges.push(high);
    values.iter().map(|v| edges.partition_point(|edge| edge <= v) as u32).collect()
}
