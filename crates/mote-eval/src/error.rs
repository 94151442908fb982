//! What can be wrong with the numbers that a metric is asked about.

/// Why a metric cannot be computed. Each variant carries the facts of the refusal.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A slice that must hold something is empty.
    #[error("`{what}` is empty")]
    Empty {
        /// The argument.
        what: &'static str,
    },
    /// Two slices that describe the same samples differ in length.
    #[error("`{left}` has {left_len} values and `{right}` has {right_len}; wanted equally many")]
    Lengths {
        /// The first argument.
        left: &'static str,
        /// Its length.
        left_len: usize,
        /// The second argument.
        right: &'static str,
        /// Its length.
        right_len: usize,
    },
    /// Two sets of windows that are compared differ in shape.
    #[error(
        "windows of {} samples with {} features are compared with {} samples with {} features",
        left.0, left.1, right.0, right.1
    )]
    Shapes {
        /// Samples and features of a window of the first set.
        left: (usize, usize),
        /// Of the second.
        right: (usize, usize),
    },
    /// A column is numerical in one table and categorical in the other.
    #[error("column {column} is numerical in one table and categorical in the other")]
    Kinds {
        /// Position of the column.
        column: usize,
    },
    /// The observer of a long computation asked it to stop.
    #[error("stopped by the caller after {iterations} iterations")]
    Stopped {
        /// Iterations that were done.
        iterations: usize,
    },
    /// A flat `(rows, width)` slice does not divide into whole rows.
    #[error("`{what}` has {len} values, which is not a whole number of rows of width {width}")]
    Ragged {
        /// The argument.
        what: &'static str,
        /// Its length.
        len: usize,
        /// The width of a row.
        width: usize,
    },
    /// A value is NaN, or infinite where only finite values make sense.
    #[error("`{what}[{index}]` is `{value}`; wanted {wanted}")]
    BadValue {
        /// The argument.
        what: &'static str,
        /// Position of the first bad value.
        index: usize,
        /// The value.
        value: f64,
        /// What would have been accepted.
        wanted: &'static str,
    },
    /// A ranking metric needs samples of both classes.
    #[error(
        "labels hold {positives} anomalous and {negatives} normal samples; wanted at least one of each"
    )]
    OneClass {
        /// Samples labelled anomalous.
        positives: usize,
        /// Samples labelled normal.
        negatives: usize,
    },
    /// A setting lies outside of its range.
    #[error("`{what}` is `{value}`; wanted {wanted}")]
    OutOfRange {
        /// The setting.
        what: &'static str,
        /// The value given.
        value: f64,
        /// The range, in words.
        wanted: &'static str,
    },
    /// There are too few samples, events or rows for the statistic to mean anything.
    #[error("found {found} {what}; wanted at least {wanted}")]
    TooFew {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many are needed.
        wanted: usize,
    },
    /// There is more than the declared limit of the method.
    #[error("found {found} {what}; the limit is {limit}")]
    TooMany {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// All values are the same, so nothing can be estimated from their spread.
    #[error("all {count} values of `{what}` are `{value}`; wanted some spread")]
    Constant {
        /// The argument.
        what: &'static str,
        /// The one value.
        value: f64,
        /// How often it occurs.
        count: usize,
    },
    /// The covariance of some points has no inverse.
    #[error(
        "column {column} of `{what}` is constant or a combination of the columns before it; drop it"
    )]
    Singular {
        /// The argument.
        what: &'static str,
        /// The first column that adds no direction of its own.
        column: usize,
    },
    /// Row ranges are empty, unsorted, overlapping, or reach past the end.
    #[error(
        "window {index} is rows {start}..{end} of {rows}; wanted sorted, disjoint, non-empty windows"
    )]
    BadWindow {
        /// Position in the list of windows.
        index: usize,
        /// First row.
        start: usize,
        /// One past the last row.
        end: usize,
        /// Rows in the series.
        rows: usize,
    },
}

/// The result of every metric here.
pub type Result<T> = std::result::Result<T, Error>;
