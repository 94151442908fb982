//! Rank tests for samples that follow one another in time.

use std::ops::Range;

use serde::Serialize;

use super::{Alternative, midranks};
use crate::{Result, events::ranges, input, interval, random::SplitMix};

/// The most resamples that are drawn; each costs one pass over events or samples.
pub const MAX_RESAMPLES: usize = 1_000_000;

/// One series in time order.
#[derive(Clone, Copy, Debug)]
pub struct Labelled<'a> {
    /// `(samples,)`
    pub scores: &'a [f64],
    /// `(samples,)`, true inside events. A series may hold no event.
    pub labels: &'a [bool],
}

/// Outcome of [`shift_test`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ShiftTest {
    /// The chance that an anomalous sample scores above a normal one, over all series pooled.
    pub auroc: f64,
    /// Share of random shifts, the observed one counted in, that reach as far as the labels do;
    /// never below `1 / (resamples + 1)`.
    pub p: f64,
    /// Shifts that were drawn.
    pub resamples: usize,
}

/// Tests whether anomalous samples score lower (or higher, or differently) than normal ones,
/// keeping the autocorrelation of scores and labels as it is.
///
/// Each resample moves the labels of each series around in a circle by a random number of samples
/// and asks whether events at arbitrary times would have looked as extreme. This is right if the
/// scores are about stationary within a series; a trend that the events happen to share makes `p`
/// too small. Rank sums are read from running sums, so a resample costs one step for each event.
///
/// The same `seed` gives the same `p`.
///
/// # Errors
///
/// No series, lengths that differ, NaN, only one class over all series, no resamples, or over a
/// million.
pub fn shift_test(
    series: &[Labelled<'_>],
    alternative: Alternative,
    resamples: usize,
    seed: u64,
) -> Result<ShiftTest> {
    let pooled = Pooled::new(series)?;
    check_resamples(resamples)?;
    let shiftable = Shiftable::new(series, &pooled);
    let observed = shiftable.rank_sum(|_| 0);
    let mut rng = SplitMix::new(seed);
    let (mut lower, mut higher) = (1, 1);
    for _ in 0..resamples {
        let shifted = shiftable.rank_sum(|samples| rng.below(samples));
        lower += usize::from(shifted <= observed);
        higher += usize::from(shifted >= observed);
    }
    let share = |count: usize| count as f64 / (resamples + 1) as f64;
    let p = match alternative {
        Alternative::Less => share(lower),
        Alternative::Greater => share(higher),
        Alternative::TwoSided => (2.0 * share(lower.min(higher))).min(1.0),
    };
    Ok(ShiftTest { auroc: pooled.auroc(observed), p, resamples })
}

/// How [`auroc_interval`] resamples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BlockBootstrap {
    /// Samples in a block of normal data. It should be longer than the memory of the scores: at
    /// least `samples / effective_sample_size`. 100 is a guess for data at about one sample a
    /// second.
    pub block: usize,
    /// Resamples; 1000 place the ends of a 95 % interval to about a hundredth of its width.
    pub resamples: usize,
    /// Coverage of the interval, in (0, 1).
    pub confidence: f64,
    /// Same seed, same interval.
    pub seed: u64,
}

impl Default for BlockBootstrap {
    fn default() -> Self {
        Self { block: 100, resamples: 1000, confidence: 0.95, seed: 0 }
    }
}

/// AUROC over all series pooled, with a block-bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AurocInterval {
    /// The AUROC of the data.
    pub auroc: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Coverage.
    pub confidence: f64,
    /// Labelled events, which are resampled whole.
    pub events: usize,
    /// Blocks of normal samples.
    pub normal_blocks: usize,
}

/// Percentile interval of the AUROC: whole events and blocks of normal samples are drawn with
/// replacement, as many of each as there are.
///
/// Drawing events whole makes the width depend on how many *events* were seen, not on how many
/// samples they last. Cost `O(samples · resamples)` after one sort.
///
/// # Errors
///
/// As [`shift_test`]; also a block of no samples, a confidence outside of (0, 1), fewer than two
/// events, or fewer than two normal blocks, because spread cannot be seen in one.
pub fn auroc_interval(series: &[Labelled<'_>], config: BlockBootstrap) -> Result<AurocInterval> {
    let pooled = Pooled::new(series)?;
    check_resamples(config.resamples)?;
    input::at_least("samples in a block", config.block, 1)?;
    input::open_unit("confidence", config.confidence)?;
    let units = Units::new(series, config.block);
    input::at_least("events", units.events, 2)?;
    input::at_least("normal blocks", units.blocks, 2)?;

    let mut order: Vec<usize> = (0..pooled.scores.len()).collect();
    order.sort_unstable_by(|&a, &b| pooled.scores[a].total_cmp(&pooled.scores[b]));
    let mut rng = SplitMix::new(config.seed);
    let mut drawn: Vec<f64> = (0..config.resamples)
        .map(|_| {
            let counts = units.draw(&mut rng);
            weighted_auroc(&order, &pooled.scores, |i| {
                let unit = units.of_sample[i];
                (counts[unit], unit < units.events)
            })
        })
        .collect();
    drawn.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - config.confidence) / 2.0;
    Ok(AurocInterval {
        auroc: weighted_auroc(&order, &pooled.scores, |i| (1.0, units.of_sample[i] < units.events)),
        low: interval::quantile_of_sorted(&drawn, tail),
        high: interval::quantile_of_sorted(&drawn, 1.0 - tail),
        confidence: config.confidence,
        events: units.events,
        normal_blocks: units.blocks,
    })
}

fn check_resamples(resamples: usize) -> Result<()> {
    input::at_least("resamples", resamples, 1)?;
    input::at_most("resamples", resamples, MAX_RESAMPLES)
}

/// All series end to end.
struct Pooled {
    scores: Vec<f64>,
    positives: usize,
    negatives: usize,
}

impl Pooled {
    fn new(series: &[Labelled<'_>]) -> Result<Self> {
        input::some("series", series)?;
        for one in series {
            input::scored(one.scores, one.labels)?;
        }
        let scores: Vec<f64> = series.iter().flat_map(|one| one.scores).copied().collect();
        let labels: Vec<bool> = series.iter().flat_map(|one| one.labels).copied().collect();
        let (positives, negatives) = input::both_classes(&scores, &labels)?;
        Ok(Self { scores, positives, negatives })
    }

    fn auroc(&self, rank_sum: f64) -> f64 {
        let (n, m) = (self.positives as f64, self.negatives as f64);
        (rank_sum - n * (n + 1.0) / 2.0) / (n * m)
    }
}

/// Running sums of pooled ranks, from which the rank sum of shifted events is read.
struct Shiftable {
    /// For each series with events: the events, and sums of the ranks before each sample.
    series: Vec<(Vec<Range<usize>>, Vec<f64>)>,
}

impl Shiftable {
    fn new(series: &[Labelled<'_>], pooled: &Pooled) -> Self {
        let (ranks, _) = midranks(&pooled.scores);
        let mut offset = 0;
        let mut shiftable = Vec::new();
        for one in series {
            let mut sums = vec![0.0];
            let mut sum = 0.0;
            for rank in &ranks[offset..][..one.scores.len()] {
                sum += rank;
                sums.push(sum);
            }
            offset += one.scores.len();
            let events = ranges(one.labels);
            if !events.is_empty() {
                shiftable.push((events, sums));
            }
        }
        Self { series: shiftable }
    }

    /// Rank sum of all events, those of each series moved on by `shift(samples)` in a circle.
    fn rank_sum(&self, mut shift: impl FnMut(usize) -> usize) -> f64 {
        let mut total = 0.0;
        for (events, sums) in &self.series {
            let samples = sums.len() - 1;
            let by = shift(samples);
            for event in events {
                let (start, end) = (event.start + by, event.end + by);
                let upto =
                    |i: usize| sums[i % samples] + if i >= samples { sums[samples] } else { 0.0 };
                total += upto(end) - upto(start);
            }
        }
        total
    }
}

/// What is drawn whole: events first, then blocks of normal samples.
struct Units {
    /// `(samples,)` the unit that each pooled sample belongs to.
    of_sample: Vec<usize>,
    events: usize,
    blocks: usize,
}

impl Units {
    fn new(series: &[Labelled<'_>], block: usize) -> Self {
        let events: usize = series.iter().map(|one| ranges(one.labels).len()).sum();
        let mut of_sample = Vec::new();
        let (mut event, mut normal) = (0, events);
        for run in series.iter().flat_map(|one| one.labels.chunk_by(|a, b| a == b)) {
            if run[0] {
                of_sample.extend(std::iter::repeat_n(event, run.len()));
                event += 1;
            } else {
                for part in run.chunks(block) {
                    of_sample.extend(std::iter::repeat_n(normal, part.len()));
                    normal += 1;
                }
            }
        }
        Self { of_sample, events, blocks: normal - events }
    }

    /// How often each unit is drawn.
    fn draw(&self, rng: &mut SplitMix) -> Vec<f64> {
        let mut counts = vec![0.0; self.events + self.blocks];
        for _ in 0..self.events {
            counts[rng.below(self.events)] += 1.0;
        }
        for _ in 0..self.blocks {
            counts[self.events + rng.below(self.blocks)] += 1.0;
        }
        counts
    }
}

/// AUROC of weighted samples; `weight(i)` also says whether sample `i` is anomalous.
fn weighted_auroc(order: &[usize], scores: &[f64], weight: impl Fn(usize) -> (f64, bool)) -> f64 {
    let (mut below, mut pairs, mut positives) = (0.0, 0.0, 0.0);
    for group in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let (mut anomalous, mut normal) = (0.0, 0.0);
        for &i in group {
            match weight(i) {
                (w, true) => anomalous += w,
                (w, false) => normal += w,
            }
        }
        pairs += anomalous * (below + normal / 2.0);
        below += normal;
        positives += anomalous;
    }
    pairs / (positives * below)
}
