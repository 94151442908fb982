//! Where the range of an activation ends: the further out, the coarser all steps within.

/// How a range is chosen from the numbers that were seen (Nagel et al. 2021, arXiv 2106.08295, section
/// 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Clip {
    /// From the least to the largest number.
    #[default]
    Never,
    /// So that this share of the numbers, in `(0, 1]`, lies within; what is cut is cut at the end that is
    /// further from zero first.
    Within(f64),
    /// So that rounding and cutting together make the least squared error.
    SquaredError,
}

/// Bins on each side of zero.
const BINS: usize = 1024;
/// Steps of a byte.
const STEPS: f64 = 255.0;

/// How often numbers were seen, in bins of equal width around zero. The width doubles whenever a number
/// lies beyond the last.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Histogram {
    low: f32,
    high: f32,
    /// Bins reach from `-span` to `span`, a power of two.
    span: f64,
    /// `(2 · BINS,)`
    counts: Vec<u64>,
    /// Numbers that are zero exactly, as a rectifier makes them: they are rounded without an error.
    zeros: u64,
}

impl Histogram {
    pub(crate) fn new(first: f32) -> Self {
        Self { low: first, high: first, span: 0.0, counts: vec![0; 2 * BINS], zeros: 0 }
    }

    /// Counts a finite number.
    pub(crate) fn add(&mut self, x: f32) {
        (self.low, self.high) = (self.low.min(x), self.high.max(x));
        if x == 0.0 {
            self.zeros += 1;
            return;
        }
        let x = f64::from(x);
        if self.span == 0.0 {
            self.span = 2f64.powf(x.abs().log2().floor() + 1.0);
        }
        while x.abs() >= self.span {
            self.double();
        }
        let at = ((x / self.span + 1.0) * BINS as f64) as usize;
        self.counts[at.min(2 * BINS - 1)] += 1;
    }

    /// The range that `clip` chooses; it holds zero where any clipping is asked for.
    pub(crate) fn range(&self, clip: Clip) -> (f32, f32) {
        match clip {
            Clip::Never => (self.low, self.high),
            Clip::Within(share) => self.within(share),
            Clip::SquaredError => self.least_error(),
        }
    }

    fn double(&mut self) {
        let half = |from: usize| (0..BINS).map(move |i| from + i);
        let merged: Vec<u64> =
            half(0).map(|i| self.counts[2 * i] + self.counts[2 * i + 1]).collect();
        self.counts.fill(0);
        self.counts[BINS / 2..][..BINS].copy_from_slice(&merged);
        self.span *= 2.0;
    }

    /// The middle of a bin.
    fn middle(&self, at: usize) -> f64 {
        ((at as f64 + 0.5) / BINS as f64 - 1.0) * self.span
    }

    fn cut(&self, factor: f64) -> (f32, f32) {
        (
            (f64::from(self.low.min(0.0)) * factor) as f32,
            (f64::from(self.high.max(0.0)) * factor) as f32,
        )
    }

    /// The narrowest range that holds the share: bins are left out from the outside.
    fn within(&self, share: f64) -> (f32, f32) {
        let all = self.zeros + self.counts.iter().sum::<u64>();
        let may_go = ((1.0 - share) * all as f64) as u64;
        let (mut first, mut last, mut gone) = (0, 2 * BINS - 1, 0);
        while first < last {
            let outer =
                if self.middle(first).abs() > self.middle(last).abs() { first } else { last };
            gone += self.counts[outer];
            if gone > may_go {
                break;
            }
            if outer == first { first += 1 } else { last -= 1 }
        }
        let ends = [self.middle(first), self.middle(last)];
        let half = 0.5 * self.span / BINS as f64;
        let [low, high] = [ends[0] - half, ends[1] + half].map(|end| end as f32);
        (low.max(self.low).min(0.0), high.min(self.high).max(0.0))
    }

    fn least_error(&self) -> (f32, f32) {
        let candidates = (0..=50).map(|i| 0.95f64.powi(i)).map(|factor| self.cut(factor));
        let best = candidates.min_by(|&a, &b| self.error(a).total_cmp(&self.error(b)));
        best.expect("there are candidates")
    }

    /// The squared error of all numbers if a byte reaches from `low` to `high`.
    fn error(&self, (low, high): (f32, f32)) -> f64 {
        let (low, high) = (f64::from(low), f64::from(high));
        // That of a number that falls anywhere between two steps alike.
        let rounding = ((high - low) / STEPS).powi(2) / 12.0;
        let counted = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        counted
            .map(|(at, &count)| {
                let x = self.middle(at);
                let beyond = (low - x).max(x - high).max(0.0);
                count as f64 * (rounding + beyond * beyond)
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: impl IntoIterator<Item = f32>) -> Histogram {
        let mut numbers = numbers.into_iter().peekable();
        let mut histogram = Histogram::new(*numbers.peek().expect("numbers"));
        numbers.for_each(|x| histogram.add(x));
        histogram
    }

    /// Numbers of an even spread from -1 to 1, and one far out.
    fn with_outlier(far: f32) -> Histogram {
        of((0..=10_000).map(|i| i as f32 / 5000.0 - 1.0).chain([far]))
    }

    #[test]
    fn nothing_is_cut_unless_asked_for() {
        assert_eq!(with_outlier(40.0).range(Clip::Never), (-1.0, 40.0));
        assert_eq!(of([2.0, 3.0]).range(Clip::Never), (2.0, 3.0));
    }

    #[test]
    fn a_share_is_kept_and_no_more() {
        let (low, high) = with_outlier(40.0).range(Clip::Within(0.999));
        assert!((-1.0..-0.95).contains(&low) && (0.95..1.1).contains(&high), "{low} {high}");
        let all = with_outlier(40.0).range(Clip::Within(1.0));
        assert_eq!(all, (-1.0, 40.0));
    }

    /// What a range costs is what bytes cost that are really rounded, and no other range that was tried
    /// costs less.
    #[test]
    fn the_range_of_the_least_error_is_the_best() {
        // A Laplace distribution, the commonest shape of activations.
        let n = 400_000;
        let one = |i: usize| -> f32 {
            let size = -((i / 2) as f32 + 0.5).mul_add(-2.0 / n as f32, 1.0).ln();
            if i.is_multiple_of(2) { size } else { -size }
        };
        let numbers: Vec<f32> = (0..n).map(one).collect();
        let histogram = of(numbers.iter().copied());
        let real = |(low, high): (f32, f32)| -> f64 {
            let q = mote_format::Quantization::of_range(low, high);
            let error = |x: f32| f64::from(q.dequantize(q.quantize(x)) - x);
            numbers.iter().map(|&x| error(x).powi(2)).sum()
        };
        let chosen = histogram.range(Clip::SquaredError);
        let whole = histogram.range(Clip::Never);
        assert!(chosen.1 < 0.99 * whole.1, "something is cut: {chosen:?}");
        assert!(real(chosen) < real(whole), "{} {}", real(chosen), real(whole));
        let best = (0..=50).map(|i| real(histogram.cut(0.95f64.powi(i)))).fold(f64::MAX, f64::min);
        assert!(real(chosen) < 1.1 * best, "{} {best}", real(chosen));
    }

    #[test]
    fn exact_zeros_pull_nothing_in() {
        let few = of((0..100).map(|i| i as f32));
        let many = of((0..100).map(|i| i as f32).chain([0.0; 10_000]));
        assert_eq!(few.range(Clip::SquaredError), many.range(Clip::SquaredError));
        assert_eq!(of([0.0; 5]).range(Clip::SquaredError), (0.0, 0.0));
        assert_eq!(of([0.0; 5]).range(Clip::Within(0.9)), (0.0, 0.0));
    }

    #[test]
    fn bins_are_merged_in_pairs() {
        let histogram = of([0.75, -0.3, 0.1, 900.0]);
        assert_eq!(histogram.span, 1024.0);
        assert_eq!(histogram.counts.iter().sum::<u64>(), 4);
        assert_eq!(histogram.counts[BINS], 2, "0.75 and 0.1 are in the first bin above zero");
        assert_eq!(histogram.counts[BINS - 1], 1, "-0.3 is in the first below");
        assert_eq!(histogram.counts[BINS + 900], 1);
    }
}
