//! Cuts runs into windows of one length: the examples that a model sees.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, ErrorKind},
    series::Runs,
};

/// Which windows are cut.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// Samples that a model sees, at least 1.
    pub length: usize,
    /// Samples after them that it is asked for; 0 unless it forecasts.
    pub horizon: usize,
    /// Samples from the start of one window to the next, at least 1.
    pub stride: usize,
    /// The greatest share of values that may be missing, from 0 to 1. Half, because a window that
    /// is mostly made of gaps teaches what zeros look like.
    pub missing_max: f64,
}

impl Cut {
    /// Windows of so many samples, one starting at each sample.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { length, horizon: 0, stride: 1, missing_max: 0.5 }
    }
}

/// All windows of some runs. A window lies within one segment of one run; the last window of a
/// segment ends with it, also where the stride would leave a rest, so that no sample is left out.
#[derive(Clone, Debug)]
pub struct Windows<'a> {
    runs: &'a Runs,
    cut: Cut,
    starts: Vec<Start>,
    left_out: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Start {
    run: usize,
    sample: usize,
}

/// One window, borrowed from its run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window<'a> {
    /// The index of its run.
    pub run: usize,
    /// The index of its first sample in that run.
    pub start: usize,
    /// `(length + horizon, features)`, row major; 0 where missing
    pub values: &'a [f32],
    /// `(length + horizon, features)`, row major; 1 where measured, 0 where missing
    pub mask: &'a [f32],
}

impl<'a> Windows<'a> {
    /// Finds all windows.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooFewRows`] with the wanted and found number of samples where no segment is
    /// long enough or every window misses too many values; [`ErrorKind::Settings`] for a length or
    /// stride of 0.
    pub fn new(runs: &'a Runs, cut: Cut) -> Result<Self, Error> {
        if cut.length == 0 || cut.stride == 0 {
            let what = format!(
                "wanted a length and a stride of at least 1, found {} and {}",
                cut.length, cut.stride
            );
            return Err(Error::new(ErrorKind::Settings, what));
        }
        let span = cut.length.saturating_add(cut.horizon);
        let mut windows = Self { runs, cut, starts: Vec::new(), left_out: 0 };
        let mut longest = 0;
        for (run, series) in runs.series().iter().enumerate() {
            for segment in series.segments() {
                longest = longest.max(segment.len());
                windows.cut_segment(run, segment, span);
            }
        }
        if !windows.starts.is_empty() {
            return Ok(windows);
        }
        let file = runs.series().first().map_or("", |s| s.name());
        let what = if windows.left_out > 0 {
            format!(
                "every window of {span} rows misses more than {} of its values",
                cut.missing_max
            )
        } else {
            format!("wanted {span} rows without a break for a window, found at most {longest}")
        };
        Err(Error::new(ErrorKind::TooFewRows, what).in_file(file))
    }

    fn cut_segment(&mut self, run: usize, segment: std::ops::Range<usize>, span: usize) {
        let Some(last) = segment.end.checked_sub(span).filter(|&last| last >= segment.start) else {
            return;
        };
        let regular = (segment.start..=last).step_by(self.cut.stride);
        let rest = !(last - segment.start).is_multiple_of(self.cut.stride);
        for sample in regular.chain(rest.then_some(last)) {
            let start = Start { run, sample };
            let mask = self.window(start).mask;
            let missing = mask.iter().filter(|&&m| m == 0.0).count();
            if missing as f64 > self.cut.missing_max * mask.len() as f64 {
                self.left_out += 1;
            } else {
                self.starts.push(start);
            }
        }
    }

    /// The number of windows, at least 1.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "never empty by construction")]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// How many windows were left out because they miss too many values.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Which windows were cut.
    #[must_use]
    pub fn cut(&self) -> Cut {
        self.cut
    }

    /// The window at an index.
    ///
    /// # Panics
    ///
    /// If `i` is not less than [`Windows::len`].
    #[must_use]
    pub fn get(&self, i: usize) -> Window<'a> {
        self.window(self.starts[i])
    }

    fn window(&self, Start { run, sample }: Start) -> Window<'a> {
        let series = &self.runs.series()[run];
        let features = series.features();
        let flat = sample * features..(sample + self.cut.length + self.cut.horizon) * features;
        Window {
            run,
            start: sample,
            values: &series.values()[flat.clone()],
            mask: &series.mask()[flat],
        }
    }

    /// Copies some windows one after another: `(indices, length + horizon, features)`.
    ///
    /// # Panics
    ///
    /// If an index is out of range.
    pub fn fill(&self, indices: &[usize], values: &mut Vec<f32>, mask: &mut Vec<f32>) {
        values.clear();
        mask.clear();
        for &i in indices {
            let window = self.get(i);
            values.extend_from_slice(window.values);
            mask.extend_from_slice(window.mask);
        }
    }

    /// The indices of all windows in a random order, the same for the same seed, in batches of
    /// `size`; the last may be smaller. Give each epoch its own seed.
    ///
    /// # Panics
    ///
    /// If `size` is 0.
    #[must_use]
    pub fn batches(&self, size: usize, seed: u64) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        shuffle(&mut order, &mut ChaCha8Rng::seed_from_u64(seed));
        order.chunks(size).map(<[usize]>::to_vec).collect()
    }
}

/// Fisher and Yates' shuffle. The remainder of 64 random bits is biased by less than one part in
/// 2⁴⁰ for up to 2²⁴ windows, which no training can notice.
fn shuffle(order: &mut [usize], rng: &mut ChaCha8Rng) {
    for i in (1..order.len()).rev() {
        order.swap(i, (rng.next_u64() % (i as u64 + 1)) as usize);
    }
}
