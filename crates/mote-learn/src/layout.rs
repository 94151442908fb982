//! How the features of a sample make up columns: numbers, and words as one feature for each level.

use std::ops::Range;

use mote_format::{Kind, Schema};

/// The columns behind the features of a sample, in the order of the features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    columns: Vec<Column>,
}

/// The features of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// A number, in standard units.
    Number(usize),
    /// A word: 1 at its level and 0 at the others; all 0 for a word that is no level.
    Word(Range<usize>),
}

impl Column {
    /// Whether it is a number.
    #[must_use]
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }
}

impl Layout {
    /// The layout of samples as `schema` makes them.
    #[must_use]
    pub fn of(schema: &Schema) -> Self {
        let mut first = 0;
        let mut columns = Vec::with_capacity(schema.columns.len());
        for column in &schema.columns {
            let features = first..first + column.kind.features();
            first = features.end;
            match column.kind {
                Kind::Numeric => columns.push(Column::Number(features.start)),
                Kind::Categorical { .. } if features.is_empty() => {}
                Kind::Categorical { .. } => columns.push(Column::Word(features)),
            }
        }
        Self { columns }
    }

    /// Samples of so many numbers.
    #[must_use]
    pub fn numbers_only(features: usize) -> Self {
        Self { columns: (0..features).map(Column::Number).collect() }
    }

    /// The columns that have features.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Features of a sample.
    #[must_use]
    pub fn features(&self) -> usize {
        match self.columns.last() {
            Some(Column::Number(feature)) => feature + 1,
            Some(Column::Word(features)) => features.end,
            None => 0,
        }
    }

    /// The features that are numbers.
    pub fn numbers(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().filter_map(|c| match c {
            Column::Number(feature) => Some(*feature),
            Column::Word(_) => None,
        })
    }

    /// The features of each column of words.
    pub fn words(&self) -> impl Iterator<Item = Range<usize>> {
        self.columns.iter().filter_map(|c| match c {
            Column::Number(_) => None,
            Column::Word(features) => Some(features.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use mote_format::Column as Named;

    use super::*;

    #[test]
    fn a_schema_is_laid_out_in_its_order() {
        let word = |n: usize| Kind::Categorical { levels: (0..n).map(|i| i.to_string()).collect() };
        let kinds = [Kind::Numeric, word(3), word(0), Kind::Numeric, word(1)];
        let columns = kinds.into_iter().enumerate();
        let columns = columns.map(|(i, kind)| Named { name: i.to_string(), kind }).collect();
        let layout = Layout::of(&Schema { columns, period_s: None });
        let wanted = [Column::Number(0), Column::Word(1..4), Column::Number(4), Column::Word(5..6)];
        assert_eq!(layout.columns(), wanted);
        assert_eq!(layout.features(), 6);
        assert_eq!(layout.numbers().collect::<Vec<_>>(), [0, 4]);
        assert_eq!(layout.words().collect::<Vec<_>>(), [1..4, 5..6]);
        assert_eq!(Layout::numbers_only(2).features(), 2);
        assert_eq!(Layout::numbers_only(0).features(), 0);
    }
}
