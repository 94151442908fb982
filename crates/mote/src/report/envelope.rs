//! Thins a long series to what a plot can show, and keeps every peak.
//!
//! Of the samples that fall into one column of pixels, only the lowest and the highest can be seen.
//! Averages would be smaller still, and would hide the one sample that the alarm was about.

/// A sample that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) index: usize,
    /// Whether no line leads here from the sample before: something is missing in between.
    pub(super) pen_up: bool,
}

/// The lowest and the highest finite value of each column, in order of time: at most two a column.
///
/// `column` must not fall as the index grows. `broken` says whether something is missing between a
/// sample and the one before it; samples that are not finite break a line on their own.
pub(super) fn envelope(
    values: &[f64],
    column: impl Fn(usize) -> usize,
    broken: impl Fn(usize) -> bool,
) -> Vec<Kept> {
    let mut kept: Vec<Kept> = Vec::new();
    let mut open: Option<Column> = None;
    let mut gap = false;
    for (index, value) in values.iter().enumerate() {
        gap |= broken(index) || !value.is_finite();
        if !value.is_finite() {
            continue;
        }
        let place = column(index);
        match &mut open {
            // A break within a column cannot be seen.
            Some(open) if open.place == place => {
                if *value < values[open.lowest] {
                    open.lowest = index;
                }
                if *value > values[open.highest] {
                    open.highest = index;
                }
            }
            _ => {
                open.into_iter().for_each(|full| full.close(&mut kept));
                open = Some(Column { place, pen_up: gap, lowest: index, highest: index });
            }
        }
        gap = false;
    }
    open.into_iter().for_each(|full| full.close(&mut kept));
    kept
}

#[derive(Clone, Copy)]
struct Column {
    place: usize,
    pen_up: bool,
    lowest: usize,
    highest: usize,
}

impl Column {
    fn close(self, kept: &mut Vec<Kept>) {
        let first = self.lowest.min(self.highest);
        let last = self.lowest.max(self.highest);
        kept.push(Kept { index: first, pen_up: self.pen_up });
        if last != first {
            kept.push(Kept { index: last, pen_up: false });
        }
    }
}

/// Evenly spread numbers below `len`, at most `wanted` of them: which points of a cloud are drawn.
pub(super) fn every(len: usize, wanted: usize) -> impl Iterator<Item = usize> {
    let kept = len.min(wanted);
    (0..kept).map(move |i| i * len / kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A noisy series with one sample far out.
    fn series(len: usize, peak: usize) -> Vec<f64> {
        let mut values: Vec<f64> = (0..len).map(|i| (i as f64 * 0.7).sin()).collect();
        values[peak] = 100.0;
        values
    }

    #[test]
    fn every_peak_survives_and_the_length_is_bounded() {
        let columns = 300;
        for len in [1, 2, 299, 300, 301, 5_000, 100_000] {
            for peak in [0, len / 3, len - 1] {
                let values = series(len, peak);
                let kept = envelope(&values, |i| i * columns / len, |_| false);
                assert!(kept.len() <= 2 * columns, "{len}: {}", kept.len());
                assert!(kept.iter().any(|k| k.index == peak), "{len}: lost the peak at {peak}");
                assert!(kept.windows(2).all(|k| k[0].index < k[1].index), "{len}: out of order");
            }
        }
    }

    #[test]
    fn short_series_are_kept_whole() {
        let values = [3.0, 1.0, 2.0];
        let kept = envelope(&values, |i| i, |_| false);
        assert_eq!(kept.iter().map(|k| k.index).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn the_pen_is_lifted_over_what_is_missing() {
        let values = [1.0, f64::NAN, 2.0, 3.0, 4.0, f64::INFINITY];
        let kept = envelope(&values, |i| i, |i| i == 4);
        let pen_up: Vec<(usize, bool)> = kept.iter().map(|k| (k.index, k.pen_up)).collect();
        assert_eq!(pen_up, [(0, false), (2, true), (3, false), (4, true)]);
        assert_eq!(envelope(&[f64::NAN; 4], |i| i, |_| false), []);
        assert_eq!(envelope(&[], |i| i, |_| false), []);
    }

    #[test]
    fn clouds_are_thinned_evenly() {
        assert_eq!(every(10, 4).collect::<Vec<_>>(), [0, 2, 5, 7]);
        assert_eq!(every(3, 9).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(every(0, 9).count(), 0);
    }
}
