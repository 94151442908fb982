//! Does a model repeat its training windows? Distances to the nearest of them, against those of
//! held-back real windows.

use serde::Serialize;

use super::neighbours;
use crate::{
    Result, Windows, input,
    interval::quantile_of_sorted,
    rank::{Alternative, mann_whitney},
};

/// The quantile of held-back distances below which a generated window counts as close.
const CLOSE_QUANTILE: f64 = 0.05;
/// Share of close windows above which the model copies; chance gives [`CLOSE_QUANTILE`].
const COPY_SHARE: f64 = 0.5;
/// Chance of being closer than a held-back window above which the model leans on its training data;
/// ½ if it does not.
const LEANING: f64 = 0.6;
/// Below this chance, generated windows are further from the data than real ones.
const FAR: f64 = 0.25;
/// Largest p-value that counts as evidence.
const SIGNIFICANCE: f64 = 0.01;

/// How close generated windows are to the training data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Closeness {
    /// Most generated windows are nearer to a training window than nearly all real ones are.
    Copies,
    /// Generated windows tend to be nearer than real ones.
    Leans,
    /// As near as real ones.
    Fresh,
    /// Further away than real ones: nothing is copied, and little is matched.
    Far,
}

/// Outcome of [`memorization`]. All distances are Euclidean, over all values of a window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Memorization {
    /// Median distance of a generated window to its nearest training window.
    pub generated_median: f64,
    /// The same of held-back real windows.
    pub held_back_median: f64,
    /// The first over the second; 1 is ideal, and 0 a copy. None where held-back windows repeat
    /// training windows exactly, so that nothing could be smaller.
    pub ratio: Option<f64>,
    /// Share of generated windows nearer than the 5 % quantile of held-back ones: 0.05 is ideal.
    pub close_share: f64,
    /// Share of generated windows that equal a training window to the last bit.
    pub duplicate_share: f64,
    /// The chance that a generated window is nearer than a held-back one; ½ is ideal.
    pub nearer_chance: f64,
    /// Chance of so many near windows if there were no difference, by a rank test.
    pub p: f64,
    /// The verdict.
    pub verdict: Closeness,
}

/// Compares the distance of generated windows to the nearest training window with that of real
/// windows that the model has not seen, by a one-sided Mann-Whitney test (the data-copying test of
/// Meehan, Chaudhuri and Dasgupta, 2020, without its cells).
///
/// The verdict is [`Closeness::Copies`] where at least half of the generated windows are nearer than
/// 95 % of the held-back ones, [`Closeness::Leans`] where one is nearer with a chance of 0.6 or more
/// and `p < 0.01`, [`Closeness::Far`] where that chance is below 0.25.
///
/// **What it needs.** Held-back windows must not overlap training windows: windows cut at every
/// sample, then dealt out at random, have neighbours one sample away on the other side, and copies
/// would look as far away as those. Hold back stretches of time instead. And windows that follow one
/// another are not independent, so `p` is too small for overlapping ones; the chance beside it is
/// what the verdict rests on.
///
/// Cost `(generated + held back) · training · width`.
///
/// # Errors
///
/// Sets of different shape, fewer than ten generated or held-back windows, or more than
/// [`MAX_PAIRS`](super::MAX_PAIRS) pairs.
pub fn memorization(
    generated: Windows<'_>,
    training: Windows<'_>,
    held_back: Windows<'_>,
) -> Result<Memorization> {
    for (what, windows) in [("generated windows", generated), ("held-back windows", held_back)] {
        neighbours::affordable(windows, training)?;
        input::at_least(what, windows.count(), 10)?;
    }
    let [ours, theirs] = [generated, held_back].map(|w| neighbours::nearest(w, training));
    let test = mann_whitney(&ours, &theirs, Alternative::Less)?;
    let [ours, theirs] = [ours, theirs].map(|mut d| {
        d.sort_unstable_by(f64::total_cmp);
        d
    });
    let close = quantile_of_sorted(&theirs, CLOSE_QUANTILE);
    let share = |count: usize| count as f64 / ours.len() as f64;
    let close_share = share(ours.partition_point(|&d| d < close));
    let duplicate_share = share(ours.partition_point(|&d| d == 0.0));
    let [generated_median, held_back_median] = [&ours, &theirs].map(|d| quantile_of_sorted(d, 0.5));
    let nearer_chance = 1.0 - test.auroc;
    let verdict = if close_share >= COPY_SHARE {
        Closeness::Copies
    } else if nearer_chance >= LEANING && test.p < SIGNIFICANCE {
        Closeness::Leans
    } else if nearer_chance < FAR {
        Closeness::Far
    } else {
        Closeness::Fresh
    };
    Ok(Memorization {
        generated_median,
        held_back_median,
        ratio: (held_back_median > 0.0).then(|| generated_median / held_back_median),
        close_share,
        duplicate_share,
        nearer_chance,
        p: test.p,
        verdict,
    })
}

impl Memorization {
    /// The verdict and what to do about it, in plain words.
    #[must_use]
    pub fn explanation(&self) -> String {
        let close = 100.0 * self.close_share;
        let chance = 100.0 * self.nearer_chance;
        match self.verdict {
            Closeness::Copies => format!(
                "The model repeats its training data: {close:.0} % of generated windows are nearer to a \
                 training window than 95 % of unseen real windows are. Its other scores mean little. \
                 Train on more data, for fewer steps, or with a smaller model."
            ),
            Closeness::Leans => format!(
                "Generated windows lean towards training windows: one is nearer than an unseen real \
                 window in {chance:.0} % of cases, where 50 % is ideal."
            ),
            Closeness::Fresh => format!(
                "No sign of memorization: a generated window is nearer to the training data than an \
                 unseen real one in {chance:.0} % of cases, where 50 % is ideal."
            ),
            Closeness::Far => format!(
                "Nothing is memorized, and little is matched: a generated window is nearer to the \
                 training data than an unseen real one in only {chance:.0} % of cases."
            ),
        }
    }
}
